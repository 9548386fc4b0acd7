"""A venue whose books a test keeps by hand, behind a real trader, reconciler and auditor on virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.clock import Clock, SeededChance
from engine.core.backoff import RetryPolicy
from engine.core.errors import Doubtful, ExchangeError, Refused
from engine.core.events import Event
from engine.core.lifecycle import AttemptState
from engine.core.order import Attempt, Fill, OrderReport, OrderRequest, OrderStatus
from engine.core.values import Balance, Side, SymbolRules
from engine.exchanges.base import Capabilities, Fence, IdScope, Lookup
from engine.exchanges.guarded import Guarded, GuardSettings
from engine.execution import Outcome, Tenure, Ticket
from engine.store.base import Applied
from engine.store.sqlite import SqliteStore
from engine.workers.auditor import Auditor
from engine.workers.booking import ReconcilerWorld
from engine.workers.reconciler import Reconciler
from engine.workers.trader import TraderActor, TraderWorld
from tests.support.builders import a_fill, a_signal, an_intent
from tests.support.world import BEGIN, SYMBOL, WoundClock

RULES = {SYMBOL: SymbolRules(SYMBOL, Decimal("0.0001"), Decimal("0.01"), Decimal("0.0001"), None, "BTC", "USDT")}
FENCED = Capabilities(Fence.ABSOLUTE, IdScope.OPEN, lookup_by_client_id=True)
Reply = Callable[[OrderRequest], OrderReport]


def an_order(request: OrderRequest, filled: str = "0", **given: Any) -> OrderReport:
    """Return the venue's word on the order of `request`: open until all of it is filled, its fills in one trade."""
    quantity = Decimal(filled)
    fills = (a_fill("t1", quantity=quantity, fee=Decimal(0)),) if quantity else ()
    report = OrderReport(
        f"v-{request.client_order_id[:8]}",
        request.client_order_id,
        request.symbol,
        request.side,
        request.quantity,
        OrderStatus.FILLED if quantity >= request.quantity else OrderStatus.OPEN,
        quantity,
        None,
        fills,
    )
    return replace(report, **given)


def a_foreign_order(venue_order_id: str = "f1", **given: Any) -> OrderReport:
    """Return an open order that somebody else placed at the same account."""
    report = OrderReport(venue_order_id, "", SYMBOL, Side.SELL, Decimal("0.5"), OrderStatus.OPEN, Decimal(0), None)
    return replace(report, **given)


@dataclass
class HandVenue:
    """An exchange that shows what is in `orders`. `answers` are what becomes of the next requests, in order: an error is
    raised, a function makes the report; without any an order is filled at once. `silence` fails every read, and `lists` has
    what only its lists say of an order."""

    clock: Clock
    name: str = "hand"
    capabilities: Capabilities = FENCED
    orders: dict[str, OrderReport] = field(default_factory=dict)
    holds: dict[str, Balance] = field(default_factory=dict)
    answers: list[ExchangeError | Reply] = field(default_factory=list)
    placed: list[OrderRequest] = field(default_factory=list)
    silence: ExchangeError | None = None
    lists: dict[str, OrderReport] = field(default_factory=dict)
    read_s: float = 0.0
    reads: list[str] = field(default_factory=list)

    def show(self, *reports: OrderReport) -> None:
        """Put orders into the books, or change them."""
        self.orders |= {report.venue_order_id: report for report in reports}

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def symbols(self) -> Mapping[str, SymbolRules]:
        return RULES

    async def place(self, request: OrderRequest) -> OrderReport:
        self.placed.append(request)
        answer: ExchangeError | Reply = self.answers.pop(0) if self.answers else _filled
        if isinstance(answer, ExchangeError):
            raise answer
        report = answer(request)
        self.show(report)
        return report

    async def cancel(self, which: Lookup) -> OrderReport:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, ExchangeError):
            raise answer
        found = self._of(which)
        if found is None:
            raise Refused(self.name, "there is no such order")
        if found.status is OrderStatus.OPEN:
            found = replace(found, status=OrderStatus.CLOSED)
            self.show(found)
        return found

    async def find(self, which: Lookup) -> OrderReport | None:
        await self._read("find")
        return self._of(which)

    async def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        await self._read("open_orders")
        return [r for r in self._listed() if r.status is OrderStatus.OPEN and symbol in {None, r.symbol}]

    async def recent_orders(self, since: datetime, symbol: str | None = None) -> Sequence[OrderReport]:
        await self._read("recent_orders")
        return [r for r in self._listed() if symbol in {None, r.symbol} and (r.at or BEGIN) >= since]

    async def balances(self) -> Mapping[str, Balance]:
        await self._read("balances")
        return dict(self.holds)

    async def venue_time(self) -> datetime:
        await self._read("venue_time")
        return self.clock.wall()

    def _listed(self) -> list[OrderReport]:
        return list({**self.orders, **self.lists}.values())

    def _of(self, which: Lookup) -> OrderReport | None:
        named = (r for r in self.orders.values() if r.client_order_id == which.client_order_id)
        return self.orders.get(which.venue_order_id or "") or next(named, None)

    async def _read(self, what: str) -> None:
        self.reads.append(what)
        if self.read_s:
            await self.clock.sleep(self.read_s)
        if self.silence is not None:
            raise self.silence


def _filled(request: OrderRequest) -> OrderReport:
    return an_order(request, str(request.quantity))


@dataclass
class Office:
    """One trader at a venue kept by hand, with its reconciler and its auditor, over a real store."""

    clock: WoundClock
    store: SqliteStore
    venue: HandVenue
    desk: TraderActor
    reconciler: Reconciler
    auditor: Auditor
    quarantined: list[str]
    sending: list[bool]

    async def send(self, **given: Any) -> Attempt:
        """Put a signal to buy 0.01, commit its intent, and hand the order over; returns the attempt as it stands then."""
        now = self.clock.wall()
        new = a_signal(**{"quantity": Decimal("0.01"), "received_at": now, **given})
        await self.store.put_signals([new])
        signal = await self.store.signal(new.signal_id)
        assert signal is not None
        intent = an_intent(signal, trader=self.desk.name, at=now)
        request = replace(intent.request, send_by=now + timedelta(seconds=5))
        intent = replace(intent, request=request)
        assert await self.store.commit_intents([intent]) == [Applied.APPLIED]
        executing = await self.store.signal(new.signal_id)
        assert executing is not None
        self.desk.reserve()
        outcome: Outcome = await self.desk.place_order(Ticket(executing, intent, self.clock.elapsed()))
        attempt = await self.attempt(request.client_order_id)
        assert attempt.state is outcome.state
        return attempt

    async def attempt(self, of: str | Attempt) -> Attempt:
        found = await self.store.attempt(of if isinstance(of, str) else of.client_order_id)
        assert found is not None
        return found

    async def state(self, attempt: Attempt) -> AttemptState:
        return (await self.attempt(attempt)).state

    async def signal_state(self, attempt: Attempt) -> str:
        signal = await self.store.signal(attempt.signal_id)
        assert signal is not None
        return signal.state.value

    async def work(self, seconds: float) -> None:
        """Let the reconciler look at whatever falls due within so many seconds."""
        until = self.clock.elapsed() + seconds
        while self.clock.elapsed() < until:
            await self.reconciler.step()
            await self.clock.sleep(0.25)

    async def audit(self, after_s: float = 11.0) -> bool:
        """Let time pass, so that what has ended is settled, and compare the account with the store."""
        await self.clock.sleep(after_s)
        return await self.auditor.audit(self.desk)

    async def told(self, code: str) -> list[Event]:
        """Return the journal's entries of one code, oldest first."""
        return [event for event in await self.store.events(0, 10_000) if event.code == code]

    async def held(self) -> Decimal:
        """Return how much of the symbol the store believes to hold."""
        return sum((p.quantity for p in await self.store.positions()), Decimal(0))


@asynccontextmanager
async def an_office(
    capabilities: Capabilities | None = None, retry: RetryPolicy | None = None
) -> AsyncIterator[Office]:
    """Open a trader called "a" at an empty venue, and close everything."""
    clock, chance = WoundClock(), SeededChance(5)
    store = SqliteStore(Path(":memory:"), clock=clock, inline=True, uuid_source=chance.stream("store"))
    opened = await store.open(now=clock.wall())
    await store.declare_traders({"a": "hand"})
    venue = HandVenue(clock)
    venue.capabilities = capabilities or venue.capabilities
    tenure, retry = Tenure(), retry or RetryPolicy()
    tenure.begin(opened.epoch, opened.store_uuid)
    guard = Guarded(
        venue, clock=clock, chance=chance, settings=GuardSettings(read_tries=1), on_breaker=lambda change: None
    )
    world = TraderWorld(
        store,
        clock,
        chance.stream("trader"),
        retry,
        tenure,
        lambda: None,
        lambda *_: None,
        lambda _: None,
        lambda _: None,
    )
    desk = TraderActor("a", guard, world)
    await desk.open()
    desk.ready = True
    quarantined: list[str] = []
    sending = [True]
    shared = ReconcilerWorld(
        store, clock, chance.stream("reconciler"), retry, tenure, {"a": desk}, lambda: None, quarantined.append,
        lambda _: sending[-1],
    )  # fmt: skip
    reconciler = Reconciler(shared)
    auditor = Auditor(shared, reconciler.look_now, lambda: None)
    try:
        yield Office(clock, store, venue, desk, reconciler, auditor, quarantined, sending)
    finally:
        await desk.close()
        await store.close()


def lost(request: OrderRequest | None = None) -> Doubtful:
    """Return what a lost answer looks like."""
    return Doubtful("hand", "connection reset")


def a_part(trade_id: str, quantity: str, **given: Any) -> Fill:
    """Return one trade of an order, without a fee."""
    return a_fill(trade_id, quantity=Decimal(quantity), fee=Decimal(0), **given)
