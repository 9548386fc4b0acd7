"""The store's premises: its file with lock and side file, the connection that writes and the one that reads."""

from __future__ import annotations

import asyncio
import os
import random  # noqa: TID251 - the type of what the caller brings
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from engine.clock import Clock
from engine.core.errors import StoreBroken, StoreError
from engine.sqlite import MEMORY, GroupWriter, Lane, ReadConnection, WriterLimits
from engine.sqlite.connection import SAFE_WITH_SEVERAL_WRITERS
from engine.store.base import Opened, StoreHealth
from engine.store.sqlite import upkeep
from engine.store.sqlite.codec import micros
from engine.store.sqlite.custody import Custody, Mark
from engine.store.sqlite.desk import Desk
from engine.store.sqlite.queries import named_queries
from engine.store.sqlite.schema import check, migrate, refuse_newer

T = TypeVar("T")
_LIMITS: Final = WriterLimits(batch=128)
_DISK_LOW_BYTES: Final = 512 * 1024 * 1024
_LOG_LARGE_BYTES: Final = 64 * 1024 * 1024


class Premises:
    """Everything of a store but its contents. `inline` runs the SQL on the loop."""

    def __init__(self, path: Path, clock: Clock, *, inline: bool) -> None:
        self.path, self._clock, self._inline = path, clock, inline
        in_memory = str(path) == MEMORY
        self._custody = None if in_memory else Custody(path.absolute())
        self._reader = None if in_memory else ReadConnection(str(path), inline=inline)
        self._desk = Desk()
        self._writer = GroupWriter(str(path), inline=inline, prepare=self._refuse_newer, clock=clock, limits=_LIMITS)
        self._writer.attend(self._desk)
        self._mark: Mark | None = None  # set while open
        self._file: tuple[int, int] | None = None

    async def open(self, now: datetime, uuid_source: random.Random) -> Opened:
        """See `engine.store.base.Store.open`; the uuid of a file that is made here comes from `uuid_source`."""
        fresh = self._custody.take() if self._custody is not None else True
        try:
            await self._writer.open()
            found = await self._writer.call(lambda connection: self._inspect(connection, now, uuid_source))
            if not fresh and self._custody is not None:
                self._custody.compare(found.mark)
            opened = await self.write(lambda desk: upkeep.take_over(desk, found, now), Lane.OUTCOME)
            await self._writer.call(partial(_checkpoint, "TRUNCATE" if fresh else "PASSIVE"))
            await self._note_mark(opened.store_uuid, found.mark.generation + 1)
            if self._reader is not None:
                await self._reader.open()
                status = self.path.stat()
                self._file = (status.st_dev, status.st_ino)
        except BaseException:
            await self._let_go()
            raise
        return replace(opened, facts=upkeep.facts(str(self.path), found))

    async def close(self) -> None:
        """Finish what was submitted, note a clean stop, let everything go. Safe to call twice."""
        try:
            mark, self._mark = self._mark, None
            if mark is not None and self._writer.broken is None:
                await self._stop_in_order(mark)
        finally:
            await self._let_go()

    async def write(self, operation: Callable[[Desk], T], lane: Lane) -> T:
        """Run `operation` at the desk, in the next transaction; returns once it is on disk."""
        return await self._writer.submit(self._desk.work(operation), lane=lane)

    async def read(self, look: Callable[[sqlite3.Connection], T]) -> T:
        """Run `look` in a read transaction, which sees everything that was written before it was asked for."""
        if self._reader is None:
            return await self._writer.call(look)
        return await self._reader.read(look)

    async def hints(self) -> AsyncIterator[None]:
        """Yield after commits, once for several that came while the last one was looked at."""
        woken = asyncio.Event()
        stop = self._writer.on_commit(woken.set)
        try:
            while True:
                await woken.wait()
                woken.clear()
                yield
        finally:
            stop()

    async def checkpoint(self) -> None:
        """Move the log into the file, as far as readers let it, and note how far the store has come."""
        await self._writer.call(partial(_checkpoint, "PASSIVE"))
        if self._mark is not None:
            await self._note_mark(self._mark.store, self._mark.generation)

    async def health(self) -> StoreHealth:
        """Make a real write, and tell how it went."""
        writable, fact = True, "the last write reached the disk"
        try:
            self._refuse_if_replaced()
            probed_at = str(micros(self._clock.wall()))
            await self.write(lambda desk: _probe(desk, probed_at), Lane.TELEMETRY)
        except StoreError as error:
            writable, fact = False, str(error)
        stats = self._writer.stats()
        wal_bytes, file_bytes, disk_free = self._sizes()
        return StoreHealth(
            writable=writable,
            fact=fact,
            commit_p50_s=stats.commit_p50_s,
            commit_p99_s=stats.commit_p99_s,
            commits=stats.commits,
            queue_depth=stats.depth,
            wal_bytes=wal_bytes,
            file_bytes=file_bytes,
            disk_free_bytes=disk_free,
            warnings=tuple(_warnings(wal_bytes, disk_free)),
        )

    def _refuse_newer(self, connection: sqlite3.Connection) -> None:
        refuse_newer(connection, str(self.path))

    def _inspect(self, connection: sqlite3.Connection, now: datetime, uuid_source: random.Random) -> upkeep.Found:
        path = str(self.path)
        check(connection, path, thorough=False)
        migrate(connection, path, now)
        found = upkeep.look(connection, uuid_source)
        if not found.clean:
            check(connection, path, thorough=True)
        return found

    async def _note_mark(self, store: str, generation: int) -> None:
        ((event,),) = await self._writer.call(lambda c: c.execute(named_queries()["last_event"]).fetchall())
        self._mark = Mark(store, generation, event)
        if self._custody is not None:
            self._custody.note(self._mark)

    async def _stop_in_order(self, mark: Mark) -> None:
        try:
            await self.write(lambda desk: _note_clean_stop(desk), Lane.TELEMETRY)
            if self._reader is not None:
                await self._reader.close()
            await self._writer.call(partial(_checkpoint, "TRUNCATE"))
            await self._note_mark(mark.store, mark.generation)
        except StoreError:
            return  # what was committed is safe; the next start finds an unclean stop and looks closer
        finally:
            self._mark = None

    async def _let_go(self) -> None:
        try:
            if self._reader is not None:
                await self._reader.close()
            await self._writer.close()
        finally:
            if self._custody is not None:
                self._custody.release()

    def _refuse_if_replaced(self) -> None:
        if self._file is None:
            return
        try:
            status = self.path.stat()
        except OSError as error:
            raise self._gone(f"is gone ({error.strerror})") from error
        if (status.st_dev, status.st_ino) != self._file:
            raise self._gone("was replaced by another file")

    def _gone(self, what: str) -> StoreBroken:
        text = f"{self.path} {what} while in use: nothing that is written now can be found again. Stop, put it back"
        self._writer.broken = StoreBroken(text)
        return StoreBroken(text)

    def _sizes(self) -> tuple[int, int, int]:
        if self._custody is None:
            return 0, 0, 0
        log = self.path.with_name(self.path.name + "-wal")
        sizes = [os.stat(p).st_size if p.exists() else 0 for p in (log, self.path)]
        return sizes[0], sizes[1], shutil.disk_usage(self.path.absolute().parent).free


def _checkpoint(mode: str, connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()


def _probe(desk: Desk, probed_at: str) -> None:
    desk.refuse_if_fenced()
    desk.connection.execute(desk.query["keep_meta"], ("probed_at", probed_at))


def _note_clean_stop(desk: Desk) -> None:
    desk.connection.execute(desk.query["note_clean_stop"], (desk.epoch,))


def _warnings(wal_bytes: int, disk_free: int) -> list[str]:
    found = []
    if sqlite3.sqlite_version_info < SAFE_WITH_SEVERAL_WRITERS:
        found.append(
            f"SQLite {sqlite3.sqlite_version} can lose commits if two programs write one file: only this engine may"
        )
    if wal_bytes > _LOG_LARGE_BYTES:
        found.append(f"the log has {wal_bytes // 2**20} MiB: a long-running reader keeps it from being moved")
    if 0 < disk_free < _DISK_LOW_BYTES:
        found.append(f"only {disk_free // 2**20} MiB are free on its disk")
    return found
