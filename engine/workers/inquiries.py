"""Inquiries: what one venue is asked about orders whose outcome is unknown; lists and the time are read once for many.

A lookup may use any read that began after the lookup did, whoever asked for it: what such a read does not show was not to
be seen at a moment that the lookup covers. A read that began earlier proves nothing to it and is never used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final, Generic, TypeVar

from engine.core.audit import is_whole
from engine.core.errors import ExchangeError
from engine.core.order import Attempt, OrderReport
from engine.exchanges.base import Exchange, Lookup

T = TypeVar("T")

EARLIER_S: Final = 60.0  # lists are searched from so long before the intent: the venue's clock may differ from ours
_ALWAYS: Final = datetime.max.replace(tzinfo=UTC)  # of questions that have no beginning


def lookup_of(attempt: Attempt) -> Lookup:
    """Return what finds the attempt's order at its venue."""
    request = attempt.request
    since = attempt.intent_at - timedelta(seconds=EARLIER_S)
    return Lookup(request.client_order_id, request.symbol, request.side, since, attempt.venue_order_id)


@dataclass(eq=False, slots=True)
class _Read(Generic[T]):
    """One read, waiting, running or over. `began` is its ticket; None until it is on its way."""

    since: datetime
    task: asyncio.Task[T] = field(init=False)
    began: int | None = None
    askers: int = 0

    def serves(self, asked: int, since: datetime) -> bool:
        if self.began is None or self.began <= asked or self.since > since:
            return False
        return not self.task.done() or (not self.task.cancelled() and self.task.exception() is None)


class SharedRead(Generic[T]):
    """One question to a venue: at most one read of it runs and one waits, and whoever waits gets the same answer.

    `tickets` number lookups and reads in the order in which they began. A failure is told to everybody who waits for it
    and is never handed on. A read that nobody waits for any more is given up.
    """

    def __init__(self, read: Callable[[datetime], Awaitable[T]], tickets: count[int]) -> None:
        self._ask_venue, self._tickets = read, tickets
        self._latest: _Read[T] | None = None
        self._waiting: _Read[T] | None = None

    async def ask(self, asked: int, since: datetime = _ALWAYS) -> T:
        """Return an answer that reaches back to `since` and whose read began after the ticket `asked`.

        Raises what the read raises.
        """
        if self._latest is not None and self._latest.serves(asked, since):
            return await self._answer_of(self._latest)
        if self._waiting is None:
            read = self._waiting = _Read(since)
            read.task = asyncio.get_running_loop().create_task(self._run(read, self._latest))
        else:
            read = self._waiting
            read.since = min(read.since, since)
        return await self._answer_of(read)

    async def _run(self, read: _Read[T], before: _Read[T] | None) -> T:
        if before is not None and not before.task.done():
            await asyncio.wait({before.task})
        read.began = next(self._tickets)
        self._latest, self._waiting = read, None
        return await self._ask_venue(read.since)

    async def _answer_of(self, read: _Read[T]) -> T:
        read.askers += 1
        try:
            await asyncio.wait({read.task})
        finally:
            read.askers -= 1
            if not read.askers and not read.task.done():
                read.task.cancel()
                self._latest = None if self._latest is read else self._latest
                self._waiting = None if self._waiting is read else self._waiting
        return read.task.result()


class Inquiries:
    """What the lookups at one venue share. Answers are kept no longer than lookups are under way."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange, self._tickets = exchange, count(1)
        self._time = SharedRead(lambda _: exchange.venue_time(), self._tickets)
        self._open: dict[str, SharedRead[Sequence[OrderReport]]] = {}
        self._recent: dict[str, SharedRead[Sequence[OrderReport]]] = {}
        self._under_way = 0

    async def venue_time(self) -> datetime:
        """Return the venue's time as told by a read that began after this call. Raises ExchangeError."""
        return await self._time.ask(next(self._tickets))

    async def find(self, which: Lookup) -> OrderReport | None:
        """Look for an order by its id, among the open ones and among the recent ones.

        None only if every question was answered, by reads that began after this call. Raises ExchangeError.
        """
        asked = next(self._tickets)
        self._under_way += 1
        try:
            found = await self._exchange.find(which)
            if found is not None:
                return found
            listed = [
                *await self._open_in(which.symbol).ask(asked),
                *await self._recent_in(which.symbol).ask(asked, which.since),
            ]
            shown = next((report for report in listed if report.client_order_id == which.client_order_id), None)
            return shown if shown is None or is_whole(shown) else await self._with_fills(which, shown)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._open.clear()
                self._recent.clear()

    async def _with_fills(self, which: Lookup, shown: OrderReport) -> OrderReport:
        found = await self._exchange.find(replace(which, venue_order_id=shown.venue_order_id))
        if found is None:
            raise ExchangeError(self._exchange.name, f"it lists order {shown.venue_order_id} and does not find it")
        return found

    def _open_in(self, symbol: str) -> SharedRead[Sequence[OrderReport]]:
        if symbol not in self._open:
            self._open[symbol] = SharedRead(lambda _: self._exchange.open_orders(symbol), self._tickets)
        return self._open[symbol]

    def _recent_in(self, symbol: str) -> SharedRead[Sequence[OrderReport]]:
        if symbol not in self._recent:
            self._recent[symbol] = SharedRead(lambda since: self._exchange.recent_orders(since, symbol), self._tickets)
        return self._recent[symbol]
