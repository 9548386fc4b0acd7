"""The paper exchange: an account at a venue of our own, with real prices, paper money and weather."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NoReturn, TypeVar

from engine.clock import Clock
from engine.core.errors import Doubtful, ExchangeError, RefusalKind, Refused, StoreBusy, StoreError, StoreFull
from engine.core.order import OrderKind, OrderReport, OrderRequest, OrderStatus
from engine.core.text import clean
from engine.core.values import Balance, SymbolRules
from engine.exchanges.base import Capabilities, Fence, IdScope, Lookup
from engine.exchanges.paper import matching
from engine.exchanges.paper.books import Denied, Terms
from engine.exchanges.paper.ledger import PaperLedger
from engine.exchanges.paper.matching import Slice
from engine.exchanges.paper.records import PaperOrder
from engine.exchanges.paper.settings import PaperSettings
from engine.exchanges.paper.weather import Passage, Weather

T = TypeVar("T")

_TRANSIENT: Final = (StoreBusy, StoreFull)
_ASK_AGAIN_S: Final = 1.0
# What a venue says when it refuses for one of these reasons.
_REFUSALS: Final = {
    RefusalKind.FUNDS: "not enough money for this order",
    RefusalKind.SYMBOL: "the symbol is closed for trading",
    RefusalKind.SIZE: "the quantity does not fit the market's steps",
    RefusalKind.AUTH: "the key lacks the right to trade",
    RefusalKind.RATE: "too many calls",
    RefusalKind.MAINTENANCE: "the venue is closed for maintenance",
    RefusalKind.CLOCK: "the request's time is too far from the venue's",
    RefusalKind.DEADLINE: "the request came after its deadline",
    RefusalKind.OTHER: "the venue does not take this order",
}


@dataclass(slots=True)
class _Market:
    """One symbol as the venue sees it. `matching` says that its resting orders are being traded right now."""

    rules: SymbolRules
    price: Decimal
    matching: bool = False


class PaperExchange:
    """One paper account. Several share a ledger; each has its own weather. See `Exchange` for the contract.

    It enforces `send_by` on its own clock, and holds client ids unique among its open orders only, as the large venues
    do. A request that has left goes its way even if its caller gives up.
    """

    def __init__(
        self, name: str, *, ledger: PaperLedger, weather: Weather, settings: PaperSettings, clock: Clock
    ) -> None:
        self.name = name
        self.capabilities = Capabilities(
            fence=Fence.ABSOLUTE,
            id_scope=IdScope.OPEN,
            lookup_by_client_id=True,
            history_lag_s=weather.settings.read_lag_s,
            shorting=settings.shorting,
            note="paper money",
        )
        self._ledger, self._weather, self._settings, self._clock = ledger, weather, settings, clock
        self._markets: dict[str, _Market] = {}
        self._stated = settings.stated_rules()
        self._resting: dict[str, dict[str, PaperOrder]] = {}  # open limit orders by symbol and venue id
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failure = ""
        self._open = False

    async def open(self) -> None:
        """Take up what the ledger says is open: limit orders rest again, market orders trade on."""
        if self._open:
            return
        await self._ledger.open()
        self._weather.begin()
        self._open = True
        for order in await self._ledger.open_orders(self.name):
            self._look_after(order)

    async def close(self) -> None:
        self._open = False
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def observe(self, symbol: str, price: Decimal, at: datetime) -> None:  # noqa: ARG002 - the contract gives the time
        """Take note of the last price, and let the orders trade that it crosses. What is no price is left out."""
        if not price.is_finite() or price <= 0 or (self._settings.symbols and symbol not in self._settings.symbols):
            return
        market = self._markets.get(symbol)
        if market is None:
            rules = self._stated.get(symbol) or matching.derive_rules(symbol, price)
            market = self._markets[symbol] = _Market(rules, price)
        market.price = price
        if self._open and not market.matching and self._crossed(symbol, market):
            market.matching = True
            self._spawn(self._match(symbol, market))

    async def symbols(self) -> Mapping[str, SymbolRules]:
        return await self._read(self._rules)

    async def place(self, request: OrderRequest) -> OrderReport:
        return await self._send(lambda: self._receive(request))

    async def cancel(self, which: Lookup) -> OrderReport:
        return await self._send(lambda: self._end(which))

    async def find(self, which: Lookup) -> OrderReport | None:
        async def look() -> OrderReport | None:
            order = await self._ledger.newest(self.name, which.client_order_id, which.venue_order_id)
            return order.report() if order is not None and self._is_shown(order) else None

        return await self._read(look)

    async def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        async def look() -> list[OrderReport]:
            found = await self._ledger.open_orders(self.name)
            return [o.report() for o in found if self._is_shown(o) and symbol in {None, o.symbol}]

        return await self._read(look)

    async def recent_orders(self, since: datetime, symbol: str | None = None) -> Sequence[OrderReport]:
        async def look() -> list[OrderReport]:
            found = await self._ledger.orders_since(self.name, since)
            return [o.report() for o in found if self._is_shown(o) and symbol in {None, o.symbol}]

        return await self._read(look)

    async def balances(self) -> Mapping[str, Balance]:
        return await self._read(lambda: self._ledger.balances(self._terms(), self._known()))

    async def venue_time(self) -> datetime:
        async def look() -> datetime:
            return self._weather.venue_time()

        return await self._read(look)

    # the way there and back

    async def _send(self, deal: Callable[[], Awaitable[OrderReport]]) -> OrderReport:
        passage = self._weather.meet()
        if passage.hangs:
            await _for_ever()
        if passage.late:
            self._spawn(self._come_late(deal))
            await self._clock.sleep(2 * passage.way_s)
            raise Doubtful(self.name, "gateway timeout")
        try:
            return await asyncio.shield(self._spawn(self._carry(deal, passage)))
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller is not None and caller.cancelling():
                raise
            raise Doubtful(self.name, "the venue closed while the answer was awaited") from None

    async def _carry(self, deal: Callable[[], Awaitable[OrderReport]], passage: Passage) -> OrderReport:
        await self._travel(passage)
        if passage.lost_before:
            raise Doubtful(self.name, "connection reset while sending")
        if passage.refusal is not None:
            raise Refused(self.name, _REFUSALS[passage.refusal], passage.refusal)
        report = await self._at_the_venue(deal)
        await self._travel(passage)
        if passage.lost_after:
            raise Doubtful(self.name, "connection reset while the answer was awaited")
        return report

    async def _come_late(self, deal: Callable[[], Awaitable[OrderReport]]) -> None:
        await self._clock.sleep(self._weather.settings.late_s)
        with contextlib.suppress(ExchangeError):  # nobody is there to hear the answer
            await self._at_the_venue(deal)

    async def _read(self, look: Callable[[], Awaitable[T]]) -> T:
        passage = self._weather.meet()
        if passage.hangs:
            await _for_ever()
        await self._travel(passage)
        if self._weather.settings.lost_reads and (passage.lost_before or passage.lost_after):
            raise ExchangeError(self.name, "connection reset")
        answer = await self._at_the_venue(look)
        await self._travel(passage)
        return answer

    async def _at_the_venue(self, work: Callable[[], Awaitable[T]]) -> T:
        if self._failure or not self._open:
            raise Refused(self.name, self._failure or "the venue is closed", RefusalKind.MAINTENANCE)
        try:
            return await work()
        except StoreError as error:
            # An error at commit may have left the order in the ledger or not: nothing is proven.
            raise Doubtful(self.name, f"the paper ledger failed: {error}") from error

    async def _travel(self, passage: Passage) -> None:
        if passage.way_s > 0:
            await self._clock.sleep(passage.way_s)

    # at the venue

    async def _receive(self, request: OrderRequest) -> OrderReport:
        now = self._weather.venue_time()
        market = self._checked(request, now)
        settings = self._settings
        draw = self._weather.draw(settings.slippage, settings.part_rate, settings.parts_max)
        offer = matching.offer(request, market.price, market.rules, draw)
        if offer is None:
            raise Refused(self.name, f"the price moved to {market.price}, beyond the slippage limit")
        order = await self._ledger.accept(request, offer, now, self._terms())
        if isinstance(order, Denied):
            if order.repeated:
                raise Doubtful(self.name, order.text)
            raise Refused(self.name, order.text, RefusalKind.FUNDS)
        self._look_after(order)
        return order.report()

    def _checked(self, request: OrderRequest, now: datetime) -> _Market:
        if now > request.send_by:
            late = (now - request.send_by).total_seconds()
            raise Refused(self.name, f"the request came {late:.3f} s after its deadline", RefusalKind.DEADLINE)
        market = self._markets.get(request.symbol)
        if market is None:
            raise Refused(self.name, f"{clean(request.symbol, 40)} is not traded here", RefusalKind.SYMBOL)
        problem = matching.size_problem(request, market.rules, market.price)
        if problem:
            raise Refused(self.name, problem, RefusalKind.SIZE)
        return market

    async def _end(self, which: Lookup) -> OrderReport:
        order = await self._ledger.newest(self.name, which.client_order_id, which.venue_order_id)
        if order is None:
            raise Refused(self.name, "there is no such order")
        ended = await self._ledger.end(order.venue_order_id, "cancelled")
        self._resting.get(order.symbol, {}).pop(order.venue_order_id, None)
        return ended.report()

    def _look_after(self, order: PaperOrder) -> None:
        if order.status is not OrderStatus.OPEN:
            return
        if order.kind is OrderKind.LIMIT:
            self._resting.setdefault(order.symbol, {})[order.venue_order_id] = order
        else:
            self._spawn(self._trade_on(order))

    async def _trade_on(self, order: PaperOrder) -> None:
        pause_s = self._settings.part_gap_s
        while order.status is OrderStatus.OPEN:
            await self._clock.sleep(pause_s)
            market = self._markets.get(order.symbol)
            try:
                if market is not None:
                    order = await self._next_part(order, market)
            except _TRANSIENT:
                market = None
            # Without a price (after a restart, until the feed speaks of it) or a disk, ask again later.
            pause_s = self._settings.part_gap_s if market is not None else _ASK_AGAIN_S

    async def _next_part(self, order: PaperOrder, market: _Market) -> PaperOrder:
        slip = self._weather.draw(self._settings.slippage, 0.0, 1).slip
        price = matching.taker_price(order.side, market.price, slip, market.rules.price_step)
        if matching.is_beyond(order.side, price, order.worst_price):
            return await self._ledger.end(order.venue_order_id, "the price moved beyond the slippage limit")
        return await self._trade(order, price, market)

    def _crossed(self, symbol: str, market: _Market) -> list[PaperOrder]:
        resting = self._resting.get(symbol)
        if not resting:
            return []
        return [o for o in resting.values() if not matching.is_beyond(o.side, market.price, o.worst_price)]

    async def _match(self, symbol: str, market: _Market) -> None:
        try:
            with contextlib.suppress(*_TRANSIENT):  # the next price tries again
                await self._trade_crossed(symbol, market)
        finally:
            market.matching = False

    async def _trade_crossed(self, symbol: str, market: _Market) -> None:
        for order in self._crossed(symbol, market):
            traded = await self._trade(order, order.worst_price or order.hold_price, market)
            if traded.status is OrderStatus.OPEN:
                self._resting[symbol][order.venue_order_id] = traded
            else:
                self._resting[symbol].pop(order.venue_order_id, None)

    async def _trade(self, order: PaperOrder, price: Decimal, market: _Market) -> PaperOrder:
        part = Slice(price, matching.share(order.remaining, order.parts_left, market.rules.quantity_step))
        return await self._ledger.trade(order.venue_order_id, part, self._weather.venue_time(), self._terms())

    # small facts

    async def _rules(self) -> Mapping[str, SymbolRules]:
        return {symbol: market.rules for symbol, market in self._markets.items()}

    def _known(self) -> list[str]:
        return sorted({*self._markets, *self._settings.symbols})

    def _terms(self) -> Terms:
        prices = {s: m.price for s, m in self._markets.items()} if self._settings.shorting else {}
        return Terms(self.name, self._settings, prices)

    def _is_shown(self, order: PaperOrder) -> bool:
        lag = timedelta(seconds=self._weather.settings.read_lag_s)
        return order.accepted_at + lag <= self._weather.venue_time()

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ExchangeError):
            self._failure = f"the paper ledger failed: {error}"


async def _for_ever() -> NoReturn:
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody ends this wait but a cancellation")
