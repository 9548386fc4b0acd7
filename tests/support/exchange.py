"""Paper accounts, orders for them, and an adapter that answers as a test tells it to."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, Final, TypeVar

import pytest

from engine.clock import LoopClock, SeededChance, run_on
from engine.core.errors import Doubtful
from engine.core.order import OrderKind, OrderReport, OrderRequest, OrderStatus
from engine.core.values import Balance, Side, SymbolRules
from engine.exchanges.base import Capabilities, Fence, IdScope, Lookup
from engine.exchanges.fuses import BreakerChange
from engine.exchanges.guarded import Guarded, GuardSettings
from engine.exchanges.paper import PaperExchange, PaperLedger, PaperSettings, Weather, WeatherSettings

T = TypeVar("T")

BEGAN: Final = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
SYMBOL: Final = "BTC/USDT"
PRICE: Final = Decimal(50_000)
WHOLE: Final = PaperSettings(part_rate=0.0, slippage=Decimal(0))  # every order in one part, at the last price
ANY_DAY: Final = BEGAN + timedelta(days=9)  # a deadline that no test reaches
_numbers = count(1)


def on_virtual_time(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on a loop that never waits; SQL must be inline."""
    with asyncio.Runner(loop_factory=run_on(None)) as runner:
        return runner.run(work)


def an_order(side: Side = Side.BUY, quantity: str = "0.01", **given: Any) -> OrderRequest:
    """Return a market order in BTC/USDT, to be sent within 5 s of BEGAN, with a client id of its own."""
    request = OrderRequest(
        client_order_id=f"{next(_numbers):032x}",
        symbol=SYMBOL,
        side=side,
        quantity=Decimal(quantity),
        kind=OrderKind.LIMIT if "price" in given else OrderKind.MARKET,
        send_by=BEGAN + timedelta(seconds=5),
    )
    return replace(request, **given)


def a_lookup(request: OrderRequest) -> Lookup:
    """Return what finds the order of `request`."""
    return Lookup(request.client_order_id, request.symbol, request.side, BEGAN - timedelta(minutes=1))


@dataclass(frozen=True, slots=True)
class Stand:
    """A paper account with everything around it. `clock` began at BEGAN."""

    exchange: PaperExchange
    ledger: PaperLedger
    clock: LoopClock

    def price(self, price: Decimal | int | str, symbol: str = SYMBOL) -> None:
        """Let the market say a price now."""
        self.exchange.observe(symbol, Decimal(price), self.clock.wall())

    def guarded(self, settings: GuardSettings | None = None) -> Guarded:
        """Return the account behind a guard."""
        return Guarded(
            self.exchange,
            clock=self.clock,
            chance=SeededChance(1),
            settings=settings or GuardSettings(),
            on_breaker=lambda change: None,
        )


@asynccontextmanager
async def a_stand(
    settings: PaperSettings = WHOLE,
    weather: WeatherSettings | None = None,
    *,
    path: str = ":memory:",
    inline: bool = True,
    seed: int = 1,
    name: str = "acct",
) -> AsyncIterator[Stand]:
    """Open a paper account at which BTC/USDT is priced, and close it with its ledger."""
    clock = LoopClock()
    clock.begin(BEGAN)
    ledger = PaperLedger(path, clock=clock, inline=inline)
    sky = Weather(name, weather or WeatherSettings(), clock=clock, chance=SeededChance(seed))
    exchange = PaperExchange(name, ledger=ledger, weather=sky, settings=settings, clock=clock)
    stand = Stand(exchange, ledger, clock)
    try:
        await exchange.open()
        stand.price(PRICE)
        yield stand
    finally:
        await exchange.close()
        await ledger.close()


Answer = Callable[[], Awaitable[Any]]


class ScriptedExchange:
    """An adapter whose next answers a test lines up; without any it answers well and at once. Counts what reaches it."""

    def __init__(self, clock: LoopClock) -> None:
        self.name = "venue"
        self.capabilities = Capabilities(Fence.ABSOLUTE, IdScope.OPEN, lookup_by_client_id=True)
        self.clock = clock
        self.answers: deque[Answer] = deque()
        self.placed: list[OrderRequest] = []
        self.reads = 0

    def will(self, *answers: Answer) -> None:
        """Line up what becomes of the next calls."""
        self.answers.extend(answers)

    def will_raise(self, *errors: BaseException) -> None:
        """Line up errors for the next calls."""
        for error in errors:
            self.will(_raising(error))

    def will_take(self, seconds: float, times: int = 1) -> None:
        """Let the next calls answer well, after so many seconds."""
        for _ in range(times):
            self.will(lambda: self.clock.sleep(seconds))

    async def open(self) -> None:
        await self._act()

    async def close(self) -> None:
        pass

    async def symbols(self) -> Mapping[str, SymbolRules]:
        await self._read()
        return {}

    async def place(self, request: OrderRequest) -> OrderReport:
        self.placed.append(request)
        await self._act()
        return _report(request.client_order_id, request.symbol, request.side, request.quantity)

    async def cancel(self, which: Lookup) -> OrderReport:
        await self._act()
        return _report(which.client_order_id, which.symbol, which.side, Decimal(1))

    async def find(self, which: Lookup) -> OrderReport | None:
        await self._read()
        return None

    async def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        await self._read()
        return []

    async def recent_orders(self, since: datetime, symbol: str | None = None) -> Sequence[OrderReport]:
        await self._read()
        return []

    async def balances(self) -> Mapping[str, Balance]:
        await self._read()
        return {}

    async def venue_time(self) -> datetime:
        await self._read()
        return self.clock.wall()

    async def _read(self) -> None:
        self.reads += 1
        await self._act()

    async def _act(self) -> None:
        if self.answers:
            await self.answers.popleft()()


def _raising(error: BaseException) -> Answer:
    async def answer() -> None:
        raise error

    return answer


def _report(client_order_id: str, symbol: str, side: Side, quantity: Decimal) -> OrderReport:
    return OrderReport("v1", client_order_id, symbol, side, quantity, OrderStatus.OPEN, Decimal(0), None)


class Bench:
    """A guard around a scripted adapter, and what it told of its breakers."""

    def __init__(self, settings: GuardSettings | None = None) -> None:
        self.clock = LoopClock()
        self.clock.begin(BEGAN)
        self.inner = ScriptedExchange(self.clock)
        self.changes: list[BreakerChange] = []
        self.guard = Guarded(
            self.inner,
            clock=self.clock,
            chance=SeededChance(3),
            settings=settings or GuardSettings(),
            on_breaker=self.changes.append,
        )

    async def fail_orders(self, count: int) -> None:
        """Let orders fail, one each second."""
        for _ in range(count):
            self.inner.will_raise(Doubtful("venue", "reset"))
            with pytest.raises(Doubtful):
                await self.guard.place(an_order(send_by=ANY_DAY))
            await self.clock.sleep(1.0)


def on_a_bench(story: Callable[[Bench], Awaitable[None]], settings: GuardSettings | None = None) -> None:
    """Run a story with a fresh bench on virtual time."""

    async def whole() -> None:
        await story(Bench(settings))

    on_virtual_time(whole())


async def _trade_until_killed(path: str) -> None:
    account = PaperSettings(part_rate=0.5, balances={"USDT": Decimal(10_000), "BTC": Decimal(1)})
    async with a_stand(account, path=path, inline=False) as stand:
        for number in count():
            side = Side.SELL if number % 2 else Side.BUY
            report = await stand.exchange.place(an_order(side, "0.001", send_by=BEGAN + timedelta(days=1)))
            print(report.client_order_id, report.filled_quantity, flush=True)


if __name__ == "__main__":  # a process for tests to kill: it says each order that it was given an answer for
    asyncio.run(_trade_until_killed(sys.argv[1]))
