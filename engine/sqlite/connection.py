"""Connections with their settings proven, and the one place where sqlite3's errors become ours."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from engine.core.errors import StoreBroken, StoreBusy, StoreError, StoreFull, StoreReadOnly

MEMORY: Final = ":memory:"
BUSY_S_MAX: Final = 5.0
# Before this version a checkpoint that races another connection's commit can lose the newest part of the log.
SAFE_WITH_SEVERAL_WRITERS: Final = (3, 51, 3)

# Name, value to set, value to read back.
_WRITER_PRAGMAS: Final[tuple[tuple[str, str, object], ...]] = (
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),
    ("foreign_keys", "ON", 1),
    ("fullfsync", "ON", 1),
    ("checkpoint_fullfsync", "ON", 1),
    # Larger than usual: with large batches each checkpoint rewrites the same hot pages, and flushes twice.
    ("wal_autocheckpoint", "4000", 4000),
    # KiB. A batch touches pages all over the indexes: with the usual 2 MiB it reads back what it has just let go.
    ("cache_size", "-16384", -16_384),
    ("journal_size_limit", "67108864", 67_108_864),
    ("mmap_size", "0", 0),
    ("trusted_schema", "OFF", 0),
    ("cell_size_check", "ON", 1),
)
_READER_PRAGMAS: Final[tuple[tuple[str, str, object], ...]] = (
    ("query_only", "ON", 1),
    ("mmap_size", "0", 0),
    ("trusted_schema", "OFF", 0),
    ("cell_size_check", "ON", 1),
)
_KEPT_BY_FILES_ONLY: Final = frozenset({"journal_mode", "mmap_size"})
_OWN_FAULTS: Final = frozenset(
    {0, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG}
)


def store_error(error: sqlite3.Error, path: str) -> StoreError:
    """Return our error for one of sqlite3's, with what to do in its text."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    name: str = getattr(error, "sqlite_errorname", type(error).__name__)
    said = f"{path}: {error} ({name})"
    if code == sqlite3.SQLITE_IOERR_WRITE or code & 0xFF == sqlite3.SQLITE_FULL:
        return StoreFull(f"{said}; free space on its disk, or raise the quota")
    if code == sqlite3.SQLITE_READONLY_DBMOVED:
        return StoreBroken(f"{said}; the file was moved or replaced while in use: stop, put it back, start again")
    match code & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusy(f"{said}; another program holds the write lock: close it")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return StoreReadOnly(f"{said}; check that the file and its folder exist and can be written")
        case sqlite3.SQLITE_IOERR:
            return StoreBroken(f"{said}; the disk failed: stop, check the disk, start again")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_FORMAT:
            return StoreBroken(f"{said}; the file is damaged: keep it, and restore a backup")
        case sqlite3.SQLITE_CONSTRAINT:
            return StoreError(f"{said}; a guard of the database refused it")
    return StoreError(said)


def is_own_fault(error: Exception) -> bool:
    """Say whether the fault lies with the statement alone, so that others on this connection may go on."""
    return not isinstance(error, sqlite3.Error) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _OWN_FAULTS


def connect_writer(path: str, *, busy_s: float) -> sqlite3.Connection:
    """Open the one connection that writes; a file that was not there is made with mode 0600.

    `busy_s` is how long SQLite itself waits for a lock, blocking its thread. Every setting is read back.
    """
    if path != MEMORY:
        try:
            # SQLite gives the log and its index the mode of the file.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreReadOnly(f"{path}: {error.strerror}; check that its folder is there and writable") from error
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=256, check_same_thread=False)
    busy_ms = int(busy_s * 1000)
    return _settled(connection, (("busy_timeout", busy_ms, busy_ms), *_WRITER_PRAGMAS), path)


def connect_reader(path: str) -> sqlite3.Connection:
    """Open a connection that can neither write nor checkpoint."""
    place = f"file:{quote(str(Path(path).absolute()))}?mode=ro"
    connection = sqlite3.connect(
        place, uri=True, isolation_level=None, cached_statements=256, check_same_thread=False, timeout=BUSY_S_MAX
    )
    return _settled(connection, _READER_PRAGMAS, path)


def _settled(
    connection: sqlite3.Connection, pragmas: Sequence[tuple[str, object, object]], path: str
) -> sqlite3.Connection:
    try:
        for name, value, expected in pragmas:
            connection.execute(f"PRAGMA {name}={value}")
            found = connection.execute(f"PRAGMA {name}").fetchone()
            if (found is None or found[0] != expected) and not (path == MEMORY and name in _KEPT_BY_FILES_ONLY):
                raise StoreBroken(f"{path}: this SQLite keeps {name} at {found} where {expected!r} is needed")
    except BaseException:
        connection.close()
        raise
    return connection
