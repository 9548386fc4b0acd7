"""The token: where it is kept, what it looks like in a request, and whether one that was given is the right one."""

from __future__ import annotations

import hmac
import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from engine.core.errors import ConfigError
from engine.core.inbox import InboxSettings
from engine.redaction import MASK, REDACT, Redactor

LENGTH_MIN: Final = 16
LENGTH_MAX: Final = 512
_FORM: Final = re.compile(rf"[!-~]{{{LENGTH_MIN},{LENGTH_MAX}}}", re.ASCII)


class Token:
    """A secret that is compared in constant time and never printed. Whatever knows it can blot it out of a text."""

    __slots__ = ("_bytes", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._bytes = text.encode()

    def __repr__(self) -> str:
        return f"Token({MASK})"

    def is_same(self, given: str) -> bool:
        """Say whether `given` is the token, in a time that does not depend on where they differ."""
        return is_same(self._bytes, given.encode("utf-8", "replace"))

    def blot(self, text: str) -> str:
        """Return `text` with the token masked."""
        return text.replace(self._text, MASK)


def is_same(expected: bytes, given: bytes) -> bool:
    """Say whether two secrets are equal, in a time that depends on their lengths alone."""
    return hmac.compare_digest(expected, given)


def bearer_of(headers: Sequence[str]) -> str:
    """Return the token that the Authorization headers carry, the empty text if they carry none or are several."""
    if len(headers) != 1:
        return ""
    scheme, _, token = headers[0].strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def load_token(settings: InboxSettings, env: Mapping[str, str], redact: Redactor = REDACT) -> Token:
    """Return the token, and teach it to `redact`. Raises ConfigError that names the key and the fix, never the token."""
    if settings.token_file is not None:
        where = f"inbox.token_file: {settings.token_file}"
        text = _read_private(settings.token_file, where)
    else:
        where = f"inbox.token_env: the environment variable {settings.token_env}"
        if settings.token_env not in env:
            raise ConfigError(f"{where} is not set; put the token there, such as the output of `openssl rand -hex 32`")
        text = env[settings.token_env].strip()
    redact.learn(text)
    if not _FORM.fullmatch(text):
        raise ConfigError(
            f"{where} holds no token: one has {LENGTH_MIN} to {LENGTH_MAX} printable characters, no blanks"
        )
    return Token(text)


def _read_private(path: Path, where: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as e:
        raise ConfigError(f"{where} cannot be read: {e.strerror}; it must be a file of yours, and no link") from None
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid():
            raise ConfigError(f"{where} is no file of yours; name another")
        if found.st_mode & 0o077:
            raise ConfigError(f"{where} can be read by others; run `chmod 600 {path}`, and take a fresh token")
        return file.read(4 * LENGTH_MAX).decode("ascii", "replace").strip()
