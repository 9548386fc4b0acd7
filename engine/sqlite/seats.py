"""Where a connection lives: in a thread of its own, or on the event loop itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Protocol, TypeVar

import aiosqlite

T = TypeVar("T")


class Seat(Protocol):
    """Holds one connection and runs functions of it, one after the other."""

    async def open(self, connect: Callable[[], sqlite3.Connection]) -> None: ...

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T: ...

    async def close(self) -> None: ...


class ThreadSeat:
    """A connection in aiosqlite's thread.

    `_execute` is private: the public calls hop to the thread once per statement, and this once per batch, which is what
    makes a group commit worth having. pyproject.toml bounds aiosqlite's version for it.
    """

    def __init__(self) -> None:
        self._connection: aiosqlite.Connection | None = None

    async def open(self, connect: Callable[[], sqlite3.Connection]) -> None:
        connection = aiosqlite.Connection(connect, iter_chunk_size=64)
        # A program that dies without closing must not hang on this thread; an unfinished commit is rolled back.
        connection._thread.daemon = True
        try:
            self._connection = await connection
        except BaseException:
            connection._thread.join()  # it was told to end; it still reports to this loop, which may end next
            raise

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection
        assert connection is not None, "run after open and before close"
        result: T = await connection._execute(work, connection._conn)  # type: ignore[no-untyped-call] # it has no types
        return result

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


class LoopSeat:
    """A connection on the event loop: for loops on virtual time, where threads would let time run away."""

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None

    async def open(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connection = connect()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        assert self._connection is not None, "run after open and before close"
        return work(self._connection)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def seat(*, inline: bool) -> Seat:
    """Return a place for a connection: on the loop if `inline`, else in a thread."""
    return LoopSeat() if inline else ThreadSeat()
