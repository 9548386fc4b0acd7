"""The token: where it is kept, what it looks like in a request, and whether one that was given is the right one."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final

from engine.core.errors import ConfigError
from engine.core.inbox import InboxSettings
from engine.keys import Secret, read_private
from engine.redaction import REDACT, Redactor

LENGTH_MIN: Final = 16
LENGTH_MAX: Final = 512
_FORM: Final = re.compile(rf"[!-~]{{{LENGTH_MIN},{LENGTH_MAX}}}", re.ASCII)


class Token:
    """A secret that is compared in constant time and shows itself to nobody."""

    __slots__ = ("_secret",)

    def __init__(self, text: str) -> None:
        self._secret = Secret(text)

    def __repr__(self) -> str:
        return f"Token({self._secret!r})"

    def is_same(self, given: str) -> bool:
        """Say whether `given` is the token, in a time that does not depend on where they differ."""
        return is_same(self._secret.reveal().encode(), given.encode("utf-8", "replace"))


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
        try:
            raw = read_private(settings.token_file, "token_file")
        except ConfigError as e:
            raise ConfigError(f"inbox.token_file: {e}") from None
        text = raw.decode("utf-8", "replace").strip()
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
