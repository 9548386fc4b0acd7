"""The store on SQLite."""

from engine.store.sqlite.reader import SqliteReader
from engine.store.sqlite.store import SqliteStore

__all__ = ["SqliteReader", "SqliteStore"]
