"""A connection for reading."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from engine.core.errors import StoreError
from engine.sqlite.connection import connect_reader, store_error
from engine.sqlite.seats import seat

T = TypeVar("T")


class ReadConnection:
    """One connection for reading: short transactions, one after the other."""

    def __init__(self, path: str, *, inline: bool) -> None:
        self.path = path
        self._seat = seat(inline=inline)
        self._open = False

    async def open(self) -> None:
        """Connect. Raises StoreError's kinds if the file is not there or is none of SQLite's."""
        try:
            await self._seat.open(partial(connect_reader, self.path))
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error
        self._open = True

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one read transaction: all of its queries see the same moment."""
        if not self._open:
            raise StoreError(f"{self.path} is not open")
        try:
            return await self._seat.run(partial(in_one_moment, work))
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error

    async def close(self) -> None:
        """Let the connection and its thread go. Safe to call twice."""
        self._open = False
        await self._seat.close()


def in_one_moment(work: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> T:
    """Run `work` in a read transaction of its own."""
    connection.execute("BEGIN")
    try:
        return work(connection)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
