"""The reader: a look at a store from any process, beside whatever engine writes there."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from engine.core.errors import NotThere, StoreBroken
from engine.core.text import clean
from engine.sqlite import ReadConnection
from engine.store.sqlite.queries import migrations
from engine.store.sqlite.reads import Reads
from engine.store.sqlite.schema import refuse_newer, schema_version

T = TypeVar("T")
_UNREADABLE: Final = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError)


class SqliteReader(Reads):
    """Reads `path`; it connects at the first question. Raises NotThere if no store is there."""

    def __init__(self, path: Path, *, inline: bool = False) -> None:
        super().__init__()
        self.path = path
        self._connection = ReadConnection(str(path), inline=inline)
        self._opening = asyncio.Lock()
        self._is_open = False

    async def open(self) -> None:
        """Connect, if that was not done yet."""
        async with self._opening:
            if self._is_open:
                return
            if not self.path.exists() or self.path.stat().st_size == 0:
                raise NotThere(f"no store is at {self.path}: start an engine there, or name another with --db")
            await self._connection.open()
            self._is_open = True
            try:
                await self._connection.read(self._check)
            except BaseException:
                await self.close()
                raise

    async def close(self) -> None:
        """Let the connection go. Safe to call twice."""
        self._is_open = False
        await self._connection.close()

    async def _ask(self, look: Callable[[sqlite3.Connection], T]) -> T:
        if not self._is_open:
            await self.open()
        try:
            return await self._connection.read(look)
        except _UNREADABLE as trouble:  # a row that no program of ours has written
            why = f"{type(trouble).__name__}: {clean(str(trouble), 120)}"
            raise StoreBroken(
                f"{self.path}: a row in it cannot be read ({why}); the file is damaged: keep it, and restore a backup"
            ) from trouble

    def _check(self, connection: sqlite3.Connection) -> None:
        refuse_newer(connection, str(self.path))
        version, known = schema_version(connection), len(migrations())
        if 0 < version < known:
            raise NotThere(f"{self.path} has schema {version}, this program reads {known}: start an engine on it once")
        if version == 0:
            raise NotThere(f"{self.path} holds no store yet: start an engine there, or name another with --db")
