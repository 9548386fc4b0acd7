"""A store for tests: on SQLite, in a folder of its own or nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from engine.clock import Clock, LoopClock, SeededChance
from engine.sqlite import MEMORY
from engine.store.sqlite import SqliteStore
from tests.support.builders import NOW


def a_store(path: Path = Path(MEMORY), *, clock: Clock | None = None, inline: bool = True) -> SqliteStore:
    """Return a store that is not open yet. On a loop in virtual time its SQL must run inline."""
    clock = clock or LoopClock(NOW)
    return SqliteStore(path, clock=clock, inline=inline, uuid_source=SeededChance(1).stream("store"))


@asynccontextmanager
async def an_open_store(
    path: Path = Path(MEMORY), *, clock: Clock | None = None, inline: bool = True, now: datetime = NOW
) -> AsyncIterator[SqliteStore]:
    """Open a store for as long as the block runs."""
    store = a_store(path, clock=clock, inline=inline)
    await store.open(now=now)
    try:
        yield store
    finally:
        await store.close()
