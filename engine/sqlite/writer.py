"""The group commit: whatever queued up while the last batch was being committed is the next batch.

A caller hands in a function of the connection and gets its result back once it is on disk: one thread hop, one
transaction and one flush for a whole batch. Nothing is awaited inside a transaction and a caller's cancellation never
reaches the connection, so no transaction is ever left half open.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from engine.clock import Clock
from engine.core.errors import StoreBroken, StoreBusy, StoreError
from engine.sqlite.connection import BUSY_S_MAX, connect_writer, is_own_fault, store_error
from engine.sqlite.seats import seat

T = TypeVar("T")
Work: TypeAlias = Callable[[sqlite3.Connection], T]
Outcome: TypeAlias = tuple[Any, Exception | None]

_BUSY_PAUSE_S: Final = 0.05
_SAMPLES: Final = 512


class Lane(IntEnum):
    """Who goes first when a batch is filled. Telemetry and signals wait when the queue is full, the others never."""

    OUTCOME = 0
    INTENT = 1
    SIGNAL = 2
    TELEMETRY = 3


class Ledger(Protocol):
    """What a store adds to every transaction: sums, chains, rows that are written together."""

    def begin(self, connection: sqlite3.Connection) -> None:
        """Run first in each transaction."""

    def seal(self, connection: sqlite3.Connection) -> None:
        """Run last before each commit, and after each item where items run one by one."""

    def forget(self) -> None:
        """Drop whatever was noted since the last seal, and all that was read: it was rolled back."""


class _NoLedger:
    def begin(self, connection: sqlite3.Connection) -> None:
        pass

    def seal(self, connection: sqlite3.Connection) -> None:
        pass

    def forget(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class WriterLimits:
    """`batch` is the most items in one transaction, `queue_max` the most that may wait before intake is held back."""

    batch: int = 64
    queue_max: int = 10_000


@dataclass(frozen=True, slots=True)
class WriterStats:
    """`commit_*` are seconds of whole transactions, over the last 512 of them."""

    commit_p50_s: float
    commit_p99_s: float
    commits: int
    depth: int


@dataclass(slots=True)
class _Item:
    work: Work[Any]
    future: asyncio.Future[Any]


class GroupWriter:
    """The one connection that writes to `path`. Every method belongs to the loop that opened it.

    `prepare` runs once on the fresh connection, outside any transaction. With `inline` the SQL runs on the loop.
    """

    def __init__(
        self,
        path: str,
        *,
        inline: bool,
        prepare: Callable[[sqlite3.Connection], None],
        clock: Clock,
        limits: WriterLimits = WriterLimits(),
    ) -> None:
        self.path, self._prepare, self._clock, self._limits = path, prepare, clock, limits
        self._seat = seat(inline=inline)
        self._busy_s = 0.0 if inline else BUSY_S_MAX  # on the loop it waits between tries, not in SQLite
        self._ledger: Ledger = _NoLedger()
        self._lanes: tuple[deque[_Item], ...] = tuple(deque() for _ in Lane)
        self._depth, self._commits = 0, 0
        self._samples: deque[float] = deque(maxlen=_SAMPLES)
        self._wake, self._room = asyncio.Event(), asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[], None]] = []
        self.broken: StoreBroken | None = None

    def attend(self, ledger: Ledger) -> None:
        """Let `ledger` take part in every transaction from here on."""
        self._ledger = ledger

    def on_commit(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` on the loop after each commit; returns the function that ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def open(self) -> None:
        """Connect and prepare. Raises StoreError's kinds; nothing stays open then."""
        await self._translating(self._seat.open(self._connect))
        self._serving = asyncio.get_running_loop().create_task(self._serve(), name="group-writer")

    async def submit(self, work: Work[T], *, lane: Lane = Lane.SIGNAL) -> T:
        """Run `work` in the next transaction and return its result once that is on disk.

        `work` may run again before its result counts, after everything of its first run was rolled back; so it must
        have no effect but on the connection. An error of its own undoes only its own writes. A caller that is cancelled
        while it waits does not undo the write.
        """
        while lane >= Lane.SIGNAL and self._depth >= self._limits.queue_max and self._ending is None:
            self._room.clear()
            await self._room.wait()
        self._refuse_if_down()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._lanes[lane].append(_Item(work, future))
        self._depth += 1
        self._wake.set()
        return await future

    async def call(self, work: Work[T]) -> T:
        """Run `work` between transactions: for reading on this connection, checkpoints and migrations."""
        self._refuse_if_down()
        return await self._translating(self._seat.run(work))

    async def close(self) -> None:
        """Commit what was submitted, then let the connection and its thread go. Safe to call twice."""
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._end(), name="group-writer-end")
        await asyncio.shield(self._ending)

    def stats(self) -> WriterStats:
        ordered = sorted(self._samples) or [0.0]
        p50, p99 = (ordered[int((len(ordered) - 1) * share)] for share in (0.5, 0.99))
        return WriterStats(p50, p99, self._commits, self._depth)

    def _connect(self) -> sqlite3.Connection:
        connection = connect_writer(self.path, busy_s=self._busy_s)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _end(self) -> None:
        self._wake.set()
        self._room.set()
        try:
            if self._serving is not None:
                await self._serving
        finally:
            await self._seat.close()

    def _refuse_if_down(self) -> None:
        if self.broken is not None:
            raise StoreBroken(*self.broken.args)
        if self._ending is not None or self._serving is None:
            raise StoreError(f"{self.path} is not open")

    async def _translating(self, step: Awaitable[T]) -> T:
        try:
            return await step
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def _translated(self, error: sqlite3.Error) -> StoreError:
        translated = store_error(error, self.path)
        if isinstance(translated, StoreBroken):
            self.broken = translated
        return translated

    async def _serve(self) -> None:
        while self._depth or self._ending is None:
            if self._depth:
                await self._commit(self._take())
                # Let those who have just got their answer hand in their next step: one large batch costs less to flush
                # than two that take turns.
                await self._clock.sleep(0)
            else:
                self._wake.clear()
                await self._wake.wait()

    def _take(self) -> list[_Item]:
        items: list[_Item] = []
        for lane in self._lanes:
            while lane and len(items) < self._limits.batch:
                items.append(lane.popleft())
        self._depth -= len(items)
        self._room.set()
        return items

    async def _commit(self, items: list[_Item]) -> None:
        try:
            if self.broken is not None:
                raise StoreBroken(*self.broken.args)
            outcomes = await self._patiently(partial(self._transact, [item.work for item in items]))
        except Exception as error:  # noqa: BLE001 - the callers wait: whatever it is, each of them must hear of it
            outcomes = [(None, error)] * len(items)
        else:
            self._commits += 1
        for item, (result, error_or_none) in zip(items, outcomes, strict=True):
            if item.future.done():
                continue  # its caller was cancelled; the write stands
            if error_or_none is None:
                item.future.set_result(result)
            else:
                item.future.set_exception(self._named(error_or_none))
        for listener in self._listeners:
            listener()

    def _named(self, error: Exception) -> Exception:
        if isinstance(error, sqlite3.Error):
            return self._translated(error)
        # Each caller gets its own: a shared one would gather the tracebacks of all.
        return type(error)(*error.args) if isinstance(error, StoreError) else error

    async def _patiently(self, batch: Work[T]) -> T:
        deadline = self._clock.elapsed() + BUSY_S_MAX
        while True:
            try:
                return await self._translating(self._seat.run(batch))
            except StoreBusy:
                if self._clock.elapsed() >= deadline:
                    raise
            await self._clock.sleep(_BUSY_PAUSE_S)

    def _transact(self, works: Sequence[Work[Any]], connection: sqlite3.Connection) -> list[Outcome]:
        began = self._clock.machine()
        try:
            outcomes = self._together(works, connection)
        except Exception as error:
            self._undo(connection)
            if not is_own_fault(error):
                raise
            outcomes = self._one_by_one(works, connection)
        self._samples.append(self._clock.machine() - began)
        return outcomes

    def _together(self, works: Sequence[Work[Any]], connection: sqlite3.Connection) -> list[Outcome]:
        connection.execute("BEGIN IMMEDIATE")
        self._ledger.begin(connection)
        outcomes: list[Outcome] = [(work(connection), None) for work in works]
        self._ledger.seal(connection)
        connection.execute("COMMIT")
        return outcomes

    def _one_by_one(self, works: Sequence[Work[Any]], connection: sqlite3.Connection) -> list[Outcome]:
        try:
            connection.execute("BEGIN IMMEDIATE")
            self._ledger.begin(connection)
            outcomes = [self._alone(work, connection) for work in works]
            connection.execute("COMMIT")
        except BaseException:
            self._undo(connection)
            raise
        return outcomes

    def _alone(self, work: Work[Any], connection: sqlite3.Connection) -> Outcome:
        connection.execute("SAVEPOINT item")
        try:
            result = work(connection)
            self._ledger.seal(connection)
        except Exception as error:
            if not is_own_fault(error):
                raise
            connection.execute("ROLLBACK TO item")
            connection.execute("RELEASE item")
            self._ledger.forget()
            return None, error
        connection.execute("RELEASE item")
        return result, None

    def _undo(self, connection: sqlite3.Connection) -> None:
        self._ledger.forget()
        if connection.in_transaction:  # SQLite has already rolled back when the disk is full
            connection.execute("ROLLBACK")
