"""One trader's credentials: where they lie, how they are read, and values that no text ever shows.

They come from environment variables, from a file of their own, or from the system's keyring. Each value is taught to
the redactor in the moment it is read. Python cannot wipe memory: whoever is done with a value lets go of it.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import re
import resource
import stat
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, NoReturn

from engine.core.errors import ConfigError
from engine.redaction import MASK, PEM_MARK, REDACT, SECRET_LENGTH_MIN

SERVICE: Final = "signaldeck"  # under which the keyring knows us
FILE_BYTES_MAX: Final = 64 * 1024
_TOML_LINE: Final = re.compile(r"\(at line (\d+)")
_PLACEHOLDER: Final = re.compile(
    r"(?i)<.*>|\$\{.*\}|\$[A-Z_]+|(.)\1*|change[-_ ]?(me|this)|(your|insert|enter|paste)[-_ ].*"
    r"|(api[-_ ]?)?(key|secret|password|passphrase|token)|private[-_ ]?key|none|null|placeholder|example|dummy|sample"
)


class Secret:
    """A text that shows itself to `reveal` alone: not printed, not formatted, not pickled, not copied."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value. Hand it on at once; keep it in no variable that a traceback could tell."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, form: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is neither pickled nor copied")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a venue wants of an account: a key and its secret, and a password at some; or a wallet and its key."""

    api_key: Secret | None = None
    secret: Secret | None = None
    password: Secret | None = None
    wallet_address: Secret | None = None
    private_key: Secret | None = None

    @property
    def fingerprint(self) -> str:
        """Return 12 hex digits by which traders that share an account can be told without showing its key."""
        named = self.api_key or self.wallet_address
        return hashlib.sha256(named.reveal().encode()).hexdigest()[:12] if named is not None else ""

    def as_ccxt(self) -> dict[str, str]:
        """Return the values in the open, by ccxt's names. Hand the mapping to ccxt and let go of it."""
        held = ((_CCXT_NAMES[f.name], getattr(self, f.name)) for f in fields(self))
        return {name: value.reveal() for name, value in held if value is not None}


_CCXT_NAMES: Final[Mapping[str, str]] = {
    "api_key": "apiKey",
    "secret": "secret",
    "password": "password",
    "wallet_address": "walletAddress",
    "private_key": "privateKey",
}
_PAIRS: Final = (("api_key", "secret"), ("wallet_address", "private_key"))


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where one trader's credentials lie. The first that is named counts: keyring, environment, file."""

    trader: str
    api_key_env: str = ""
    secret_env: str = ""
    password_env: str = ""
    key_file: Path | None = None
    keyring: bool = False


def load(place: KeyPlace, env: Mapping[str, str]) -> Credentials:
    """Read the credentials. From then on no log, journal or screen shows them, and no crash leaves an image of the memory.

    Raises ConfigError, which names the trader, the place and the fix, and never what was read.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    if place.keyring:
        read = _from_keyring(place.trader)
    elif place.api_key_env:
        read = _from_environment(place, env)
    elif place.key_file is not None:
        read = _from_file(place.key_file)
    else:
        raise ConfigError(
            f"trader {place.trader}: no credentials; name api_key_env and secret_env, key_file or keyring"
        )
    values = {name: _checked(value, where, f"trader {place.trader}: {name}") for name, (value, where) in read.items()}
    REDACT.learn(*values.values())
    return Credentials(**{name: Secret(value) for name, value in values.items()})


Read = dict[str, tuple[str, str]]  # by field: the value as it was found, and the words for where it was


def _checked(value: str, where: str, what: str) -> str:
    value = value.rstrip("\r\n")
    if value.startswith(PEM_MARK):
        lines = value.replace("\\r", "").replace("\\n", "\n").splitlines()
        value = "\n".join(line.strip() for line in lines if line.strip())
        if not value.endswith(PEM_MARK):
            raise ConfigError(f"{what} ({where}): the PEM text is cut off; give it whole, to its END line")
        return value + "\n"
    if not value:
        raise ConfigError(f"{what} ({where}): is empty; put the venue's value there")
    if _PLACEHOLDER.fullmatch(value) or len(value) < SECRET_LENGTH_MIN:
        raise ConfigError(f"{what} ({where}): is a placeholder, or too short; put the venue's value there")
    if not value.isprintable() or value != value.strip():
        raise ConfigError(f"{what} ({where}): has spaces around it or a line end within; paste the value alone")
    return value


def _from_environment(place: KeyPlace, env: Mapping[str, str]) -> Read:
    named = {"api_key": place.api_key_env, "secret": place.secret_env, "password": place.password_env}
    read = {}
    for name, variable in named.items():
        if not variable and name == "password":
            continue
        if variable not in env:
            raise ConfigError(
                f"trader {place.trader}: {name}_env: environment variable {variable!r} is not set; "
                "export it before the start, or name another"
            )
        read[name] = (env[variable], f"environment variable {variable}")
    return read


def _from_keyring(trader: str) -> Read:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise ConfigError(
            f"trader {trader}: keyring = true needs the package keyring; "
            "`pip install 'signaldeck[keyring]'`, or name api_key_env and secret_env"
        ) from None
    read = {}
    try:
        for name in _CCXT_NAMES:
            value = keyring.get_password(SERVICE, f"{trader}/{name}")
            if value is not None:
                read[name] = (value, f"keyring entry {trader}/{name}")
    except KeyringError as e:
        raise ConfigError(
            f"trader {trader}: the system's keyring does not answer ({type(e).__name__}); unlock it, "
            "or name api_key_env and secret_env"
        ) from None
    wanted = _PAIRS[1] if any(name in read for name in _PAIRS[1]) else _PAIRS[0]
    for name in wanted:
        if name not in read:
            raise ConfigError(
                f"trader {trader}: the keyring has no entry {trader}/{name}; `keyring set {SERVICE} {trader}/{name}` makes it"
            )
    return read


def read_private(path: Path, key: str) -> bytes:
    """Return what a file holds that only this user can read or replace; `key` is the setting that names it.

    Raises ConfigError that names the path and the fix.
    """
    with _opened(path, key) as fd:
        _refuse_if_open_to_others(path, os.fstat(fd), key)
        raw = os.read(fd, FILE_BYTES_MAX + 1)
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigError(
            f"{path}: more than {FILE_BYTES_MAX:,} bytes; {key} names a file of credentials and nothing else"
        )
    return raw


def _from_file(path: Path) -> Read:
    raw = read_private(path, "key_file")
    try:
        tables = tomllib.loads(raw.decode())
    except tomllib.TOMLDecodeError as e:
        line = _TOML_LINE.search(str(e))  # the rest of it may tell what stands there
        where = f"line {line[1]}" if line else "its end"
        raise ConfigError(f"{path}: not TOML at {where}; write values in quotes, PEM texts in three") from None
    except (ValueError, RecursionError):
        raise ConfigError(f'{path}: not TOML; write lines of the form name = "value", in UTF-8') from None
    if not tables.keys() <= _CCXT_NAMES.keys():
        raise ConfigError(f"{path}: holds something else than {', '.join(_CCXT_NAMES)}; remove it")
    if not any(all(name in tables for name in pair) for pair in _PAIRS):
        raise ConfigError(f"{path}: needs api_key and secret, or wallet_address and private_key; add what is missing")
    for name, value in tables.items():
        if not isinstance(value, str):
            raise ConfigError(f"{path}: {name} is no text; put it in quotes")
    return {name: (value, str(path)) for name, value in tables.items()}


@contextmanager
def _opened(path: Path, key: str) -> Iterator[int]:
    """Open a file in a folder that was looked at: between the two nobody can put another in its place."""
    quick = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe in its place must not hold up the start
    try:
        folder = os.open(path.parent, quick | os.O_DIRECTORY)
        try:
            seen = os.fstat(folder)
            if seen.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or seen.st_uid not in {0, os.geteuid()}:
                raise ConfigError(
                    f"{path}: others can write to its folder; `chmod go-w {path.parent}`, or move it to a folder of yours"
                )
            fd = os.open(path.name, quick | os.O_NOFOLLOW, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError as e:
        if e.errno in {errno.ELOOP, errno.EMLINK}:
            raise ConfigError(f"{path}: is a link; name the file itself") from None
        raise ConfigError(f"{path}: cannot be read: {e.strerror}; check {key} and who may read it") from None
    try:
        yield fd
    finally:
        os.close(fd)


def _refuse_if_open_to_others(path: Path, seen: os.stat_result, key: str) -> None:
    if not stat.S_ISREG(seen.st_mode):
        raise ConfigError(f"{path}: is no file; name a file in {key}")
    if seen.st_uid != os.geteuid():
        raise ConfigError(f"{path}: belongs to somebody else; `chown {os.geteuid()} {path}`")
    if stat.S_IMODE(seen.st_mode) & ~0o600:
        raise ConfigError(f"{path}: others may read it (mode {stat.S_IMODE(seen.st_mode):04o}); `chmod 600 {path}`")
