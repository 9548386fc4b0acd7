"""Feeds of the venues on this machine, read by real ccxt classes over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from random import Random  # noqa: TID251 - the type of what chance gives
from typing import Any, Final

from engine.clock import LoopClock, run_on
from engine.core.feeds import FeedState
from engine.core.values import Candle
from engine.market.candles import CandleBuilder
from engine.market.ccxt_polling import CcxtSource
from engine.market.settings import CandleSettings, FeedSettings
from engine.workers.feed import Feed, Listeners
from tests.support.venue.control import Control
from tests.support.venue.markets import MARKETS
from tests.support.venue.tape import Tape
from tests.support.venue.urls import ccxt_table

SYMBOLS: Final = {
    "binance": ("BTC/USDT", "ETH/USDT"),
    "kraken": ("BTC/USD", "ETH/USD"),
    "coinbase": ("SOL/USD", "XRP/USD"),
}
NOTHING: Final = {
    "binance": '[{"a":null,"p":null,"q":null,"f":null,"l":null,"T":null,"m":null}]',
    "kraken": '{"error":[],"result":{"XXBTZUSD":[[null,null,null,null,null,null,null]],"last":"1"}}',
    "coinbase": '{"trades":[{"trade_id":null,"product_id":null,"price":null,"size":null,"time":null,"side":null}]}',
}
EMPTY: Final = {
    "binance": "[]",
    "kraken": '{"error":[],"result":{"XXBTZUSD":[],"XETHZUSD":[],"last":"1"}}',
    "coinbase": '{"trades":[]}',
}


def says(body: str) -> Mapping[str, Any]:
    """Return a fault: whatever is asked, this JSON is the answer."""
    return {"answer": "replaced", "content_type": "application/json", "body": body}


def feed_settings(venue: Control, **changes: Any) -> FeedSettings:
    """Return a feed of the venue that is asked often and waits for little."""
    table = {**ccxt_table(venue.about), "rateLimit": 10, "timeout": 500}
    usual = {"symbols": SYMBOLS[venue.venue], "every_s": 0.1, "settle_s": 0.0, "timeout_s": 1.0, "ccxt": table}
    return FeedSettings(exchange=venue.venue, **{**usual, **changes})


class Watched:
    """A feed over one or several venues, with every candle that it closed."""

    def __init__(self, feeds: list[FeedSettings], interval_s: int) -> None:
        self.clock = LoopClock()
        self.source = CcxtSource(feeds, CandleSettings(interval_s=interval_s), self.clock, _Hasty())
        self.closed: list[Candle] = []
        self.feed = Feed(self.source, _Keeping(interval_s, self.closed), self.clock, Listeners())

    def states(self) -> dict[str, FeedState]:
        """Return each venue's state."""
        return {venue.name: venue.state for venue in self.source.standings()}

    def fact(self) -> str:
        """Return the fact of the only venue."""
        [standing] = self.source.standings()
        return standing.fact

    async def until(self, holds: Callable[[], bool], within_s: float = 15.0) -> None:
        """Wait for a condition. Raises AssertionError with how everything stands if it does not come."""
        ends = self.clock.elapsed() + within_s
        while not holds():
            assert self.clock.elapsed() < ends, f"it did not come: {self.source.standings()}"
            await self.clock.sleep(0.02)


class _Hasty:
    """Chance by which no wait after a failure takes long."""

    def stream(self, name: str) -> Random:
        return _Lowest()


class _Lowest(Random):
    def uniform(self, a: float, b: float) -> float:
        return a


class _Keeping(CandleBuilder):
    def __init__(self, interval_s: int, kept: list[Candle]) -> None:
        super().__init__(interval_s, 100, 60)
        self._kept = kept

    def advance(self, tick: Any) -> list[Candle]:
        closed = super().advance(tick)
        self._kept += closed
        return closed


@asynccontextmanager
async def watching(*feeds: FeedSettings, interval_s: int = 10) -> AsyncIterator[Watched]:
    """Read these feeds until the block ends."""
    watched = Watched(list(feeds), interval_s)
    reading = asyncio.create_task(watched.feed.run())
    try:
        yield watched
        assert not reading.done(), reading.exception()
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await watched.feed.close()


def in_real_time(steps: Coroutine[Any, Any, None]) -> None:
    """Run on a loop of real time, as the engine's own is."""
    with asyncio.Runner(loop_factory=run_on(1.0)) as runner:
        runner.run(steps)


def printed(symbol: str, opened_ms: int, interval_ms: int, *, skew_s: int = 0) -> tuple[float, ...]:
    """Return open, high, low, close and volume as the venue's own tape has them; `skew_s` is how far its clock is ahead."""
    [market] = [market for market in MARKETS if market.symbol == symbol]
    first = opened_ms // 1000 + skew_s
    trades = [Tape().trade(market, second) for second in range(first, first + interval_ms // 1000)]
    prices = [float(trade.price) for trade in trades]
    return prices[0], max(prices), min(prices), prices[-1], float(sum(trade.quantity for trade in trades))
