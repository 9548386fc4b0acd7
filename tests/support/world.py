"""A small world on virtual time: a scripted market, a clock whose machine seconds are virtual too, strategies to order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

from engine.clock import Clock, LoopClock, run_on
from engine.core.risk import Quote
from engine.core.values import Action, Candle, Vote
from engine.core.window import Window
from engine.market.base import Tick, Trade
from engine.market.candles import CandleBuilder
from engine.strategies.base import StrategyParameters

T = TypeVar("T")

BEGIN = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
BEGIN_MS = int(BEGIN.timestamp() * 1000)
SYMBOL = "BTC/USDT"


def live(story: Coroutine[Any, Any, T]) -> T:
    """Run `story` on a loop that never waits, and return what it returns."""
    with asyncio.Runner(loop_factory=run_on(None)) as runner:
        return runner.run(story)


class WoundClock(LoopClock):
    """Loop time that began at BEGIN; the machine's seconds pass with it, so that throttles can be told in them."""

    def __init__(self) -> None:
        super().__init__(BEGIN)

    def machine(self) -> float:
        return self.elapsed()


def ms(seconds: float) -> int:
    """Return the time `seconds` after BEGIN in milliseconds since 1970."""
    return BEGIN_MS + round(seconds * 1000)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def a_candle(number: int, close: float = 100.0, symbol: str = SYMBOL, **given: Any) -> Candle:
    """Return the candle of 10 s that begins `number` candles after BEGIN; negative numbers are history."""
    figures = {"open": close, "high": close, "low": close, "close": close, "volume": 1.0, **given}
    return Candle(symbol, ms(number * 10), 10_000, **figures)


def a_tick(seconds: float, *prices: float, symbol: str = SYMBOL) -> Tick:
    """Return what a source says at `seconds`: one trade at that moment for each price."""
    return Tick(ms(seconds), trades=tuple(Trade(symbol, ms(seconds), price, 1.0) for price in prices))


@dataclass
class ScriptedSource:
    """A market that says its lines at their times, and nothing else."""

    clock: Clock
    lines: Sequence[Tick] = ()
    past: Sequence[Candle] = ()
    names: Sequence[str] = (SYMBOL,)
    name: str = "script"
    opened: int = 0
    read: int = 0
    closed: int = 0

    def symbols(self) -> Sequence[str]:
        return self.names

    def begins_at(self) -> datetime | None:
        return BEGIN

    async def open(self) -> None:
        self.opened += 1

    async def history(self, count: int) -> Sequence[Candle]:
        return self.past[-count:] if count else ()

    async def ticks(self) -> AsyncIterator[Tick]:
        self.read += 1
        for line in self.lines:
            await self.clock.sleep(line.at_ms / 1000 - self.clock.wall().timestamp())
            yield line

    async def close(self) -> None:
        self.closed += 1


@dataclass
class HandMarket:
    """A market whose candles and prices a test sets by hand; serves the analyst in a feed's place."""

    quotes: dict[str, Quote] = field(default_factory=dict)
    builder: CandleBuilder = field(default_factory=CandleBuilder)
    count: int = 0

    def symbols(self) -> Sequence[str]:
        return self.builder.symbols()

    def window(self, symbol: str) -> Window | None:
        return self.builder.window(symbol)

    def last_closed_ms(self, symbol: str) -> int | None:
        return self.builder.last_closed_ms(symbol)

    def close_candles(self, count: int = 1, price: float = 100.0, symbols: Sequence[str] = (SYMBOL,)) -> None:
        """Close `count` more candles of each symbol at `price`, which is the quote then."""
        for _ in range(count):
            self.builder.backfill([a_candle(self.count, price, symbol) for symbol in symbols])
            self.count += 1
        for symbol in symbols:
            self.quotes[symbol] = Quote(Decimal(repr(price)), at(self.count * 10))


class NoParameters(StrategyParameters):
    """Nothing to set."""


class ToldStrategy:
    """A strategy that says what its test tells it to: `say` takes the window and returns, or raises, what it likes."""

    name: ClassVar[str] = "told"

    def __init__(self, say: Callable[[Window], Any], candles_min: int = 1) -> None:
        self.parameters = NoParameters()
        self._say, self._candles_min = say, candles_min

    @property
    def candles_min(self) -> int:
        return self._candles_min

    def vote(self, window: Window) -> Vote:
        said: Vote = self._say(window)
        return said


def a_vote(action: Action = Action.BUY, confidence: float = 0.9, why: str = "it looks like it") -> Vote:
    return Vote("told", action, confidence, why)


def saying(action: Action = Action.BUY, confidence: float = 0.9) -> ToldStrategy:
    """Return a strategy that always says the same."""
    return ToldStrategy(lambda window: a_vote(action, confidence))
