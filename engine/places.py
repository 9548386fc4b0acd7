"""Where things lie on this machine: the configuration, the store, the control socket.

Every command asks here, the quick ones too, so nothing heavy may be imported.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.core.errors import ConfigError

CONFIG_BYTES_MAX: Final = 256 * 1024
SOCKET_PATH_BYTES_MAX: Final = 100  # the kernel allows 108 on Linux and 104 on macOS, the closing zero included

CONFIG_VARIABLE: Final = "SIGNALDECK_CONFIG"
DB_VARIABLES: Final = ("SIGNALDECK_DB", "SIGNALDECK_STORE__PATH")


@dataclass(frozen=True, slots=True)
class Named:
    """What the command line named: a configuration file and a store, None where it named none."""

    config: Path | None = None
    db: Path | None = None


def default_config() -> Path:
    """Return where the configuration lies if nobody says otherwise. It need not be there."""
    import platformdirs

    return Path(platformdirs.user_config_dir("signaldeck", appauthor=False)) / "config.toml"


def default_db(name: str = "signaldeck") -> Path:
    """Return where the store called `name` lies if nobody says otherwise."""
    import platformdirs

    return Path(platformdirs.user_data_dir("signaldeck", appauthor=False)) / f"{name}.sqlite"


def screen_memory() -> Path:
    """Return where the dashboard keeps what was chosen on it. It need not be there."""
    import platformdirs

    return Path(platformdirs.user_state_dir("signaldeck", appauthor=False)) / "screen.toml"


def find_config(named: Path | None, env: Mapping[str, str]) -> Path | None:
    """Return the configuration file in force, None if there is none: then the program is a demo.

    A file that was named, on the command line or by SIGNALDECK_CONFIG, must be there: else ConfigError.
    """
    asked = named or (Path(env[CONFIG_VARIABLE]) if env.get(CONFIG_VARIABLE) else None)
    if asked is None:
        usual = default_config()
        return usual if usual.is_file() else None
    path = asked.expanduser()
    if path.is_dir():
        raise ConfigError(f"{path}: a folder, not a file; name the file in it, such as {path / 'config.toml'}")
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path}: no plain file; name a TOML file")
    if not path.is_file():
        raise ConfigError(
            f"{path}: no such file; `signaldeck config init --config {path}` writes one with all defaults"
        )
    return path


def read_toml(path: Path) -> tuple[dict[str, object], str]:
    """Return a TOML file's tables and its text. Raises ConfigError with file and line."""
    try:
        raw = path.read_bytes()
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read: {e.strerror}; check the path and its permissions") from None
    if len(raw) > CONFIG_BYTES_MAX:
        raise ConfigError(f"{path}: {len(raw):,} bytes; a configuration has at most {CONFIG_BYTES_MAX:,}")
    try:
        text = raw.decode()
        return tomllib.loads(text), text
    except UnicodeDecodeError as e:
        line = raw.count(b"\n", 0, e.start) + 1
        raise ConfigError(f"{path}: line {line}: not UTF-8; save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"{path}: {_where_toml_broke(str(e), text)}") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{path}: a number is too long or a list too deep for a configuration") from None


def _where_toml_broke(said: str, text: str) -> str:
    what, _, place = said.rpartition(" (at ")
    if not what:
        return said
    if place.startswith("end"):
        place = f"line {text.count(chr(10)) + 1}"
    line, _, column = place.rstrip(")").partition(", ")
    return f"{line}: {what}{f', at {column}' if column else ''}; text values need quotes, each key stands once"


def find_db(named: Named, env: Mapping[str, str]) -> Path:
    """Return the store in force: named on the command line, in the environment, in the file, or the default one."""
    if named.db is not None:
        return named.db.expanduser()
    for variable in DB_VARIABLES:
        if env.get(variable):
            return Path(env[variable]).expanduser()
    config = find_config(named.config, env)
    if config is None:
        return default_db("demo")
    tables, _ = read_toml(config)
    store = tables.get("store")
    path = store.get("path") if isinstance(store, dict) else None
    return beside(config, path) if isinstance(path, str) and path else default_db()


def beside(config: Path, path: str | Path) -> Path:
    """Return a path from a configuration file: a relative one counts from that file's folder."""
    given = Path(path).expanduser()
    return given if given.is_absolute() else config.absolute().parent / given


def socket_path(db: Path) -> Path:
    """Return the control socket of the engine on this store: beside it, or where that is too long, by hash in /tmp.

    Whoever calls must find the same path as the engine, so no variable of the environment takes part.
    """
    real = os.path.realpath(db)
    near = f"{real}.sock"
    if len(os.fsencode(near)) <= SOCKET_PATH_BYTES_MAX:
        return Path(near)
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:24]
    return Path(f"/tmp/signaldeck-{os.getuid()}/{digest}.sock")  # noqa: S108 - its owner and mode are checked before use


def make_private_folder(path: Path) -> None:
    """Make a folder, and what leads to it, that only this user can enter. Raises ConfigError naming the path."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as e:
        raise ConfigError(f"{path}: the folder cannot be made: {e.strerror}; name another one with --db") from None
