"""The Feed: reads the market, cuts candles, tells prices to whoever must know, and wakes the analyst."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Final, TypeAlias

from engine.clock import Clock
from engine.core.feeds import FeedStanding
from engine.core.risk import Quote
from engine.core.values import Candle
from engine.core.window import Window
from engine.market.base import MarketSource, Tick
from engine.market.candles import CandleBuilder

PriceObserver: TypeAlias = Callable[[str, Decimal, datetime], None]
SILENCE: Final = timedelta(seconds=30)  # after that long without a price, its return is told


@dataclass(frozen=True, slots=True)
class FeedFacts:
    """The feed at one moment. `last_at` is the market time of the last word from the source, rows or not; `venues` are the
    exchanges behind it, none for a source that asks none.
    """

    source: str
    symbols: int
    last_at: datetime | None
    finished: bool
    candles: int
    flat: int
    late: int
    repeated: int
    bad: int
    venues: tuple[FeedStanding, ...] = ()


def _nobody(*_: object) -> None:
    return


@dataclass(frozen=True, slots=True)
class Listeners:
    """Whom a feed tells what, on its loop; all must return at once.

    Each of `on_price` hears a symbol's newest good price, once per tick at most; `on_candles` that candles have closed,
    `on_return` that there is a price of a symbol that had none for a while, `on_closed` each candle that has closed.
    """

    on_price: Sequence[PriceObserver] = ()
    on_candles: Callable[[], None] = _nobody
    on_return: Callable[[], None] = _nobody
    on_closed: Callable[[Sequence[Candle]], None] = _nobody


class Feed:
    """One source, read by one loop, and told to `listeners`."""

    def __init__(
        self,
        source: MarketSource,
        builder: CandleBuilder,
        clock: Clock,
        listeners: Listeners,
    ) -> None:
        self._source, self._builder, self._clock, self._listeners = source, builder, clock, listeners
        self._quotes: dict[str, Quote] = {}
        self._last_ms: int | None = None
        self._longest_ms = 0
        self._opened = False
        self.finished = asyncio.Event()

    @property
    def quotes(self) -> Mapping[str, Quote]:
        """Return each symbol's newest price and its time: a live view."""
        return MappingProxyType(self._quotes)

    async def open(self, history_max: int = 100) -> None:
        """Open the source and take its history: up to `history_max` candles of each symbol.

        Raises BadInput if a recording cannot be read. Opening again does nothing.
        """
        if self._opened:
            return
        await self._source.open()
        self._opened = True
        history = await self._source.history(history_max)
        self._listeners.on_closed(self._builder.backfill(history))
        self._tell(dict.fromkeys(candle.symbol for candle in history))
        if history:
            self._listeners.on_candles()

    async def run(self) -> None:
        """Read until the recording ends, or for ever. `finished` says that it has ended, and the call returns."""
        await self.open()
        if self.finished.is_set():
            return
        async for tick in self._source.ticks():
            await self.step(tick)
        self.finished.set()

    async def step(self, tick: Tick) -> None:
        """Take one tick: first the prices, so that whoever the candles wake finds them there."""
        closed = self._builder.advance(tick)
        self._longest_ms = max((self._longest_ms, *(candle.interval_ms for candle in tick.candles)))
        self._last_ms = tick.at_ms
        if tick.trades or tick.candles:
            self._tell(dict.fromkeys([row.symbol for row in tick.candles] + [row.symbol for row in tick.trades]))
        if closed:
            self._listeners.on_closed(closed)
            self._listeners.on_candles()

    async def close(self) -> None:
        """Close the source. Safe to call twice and before `open`."""
        await self._source.close()

    def symbols(self) -> Sequence[str]:
        return self._source.symbols()

    def window(self, symbol: str) -> Window | None:
        """Return the symbol's closed candles, None if there is none."""
        return self._builder.window(symbol)

    def last_closed_ms(self, symbol: str) -> int | None:
        """Return the end of the symbol's newest closed candle in milliseconds since 1970, None if there is none."""
        return self._builder.last_closed_ms(symbol)

    def age_s(self) -> float | None:
        """Return how long ago the source last said anything, in seconds of market time; None before its first word."""
        if self._last_ms is None:
            return None
        return max(0.0, self._clock.wall().timestamp() - self._last_ms / 1000)

    def longest_interval_s(self) -> float:
        """Return the longest interval of the candles that the source itself gave, in seconds; 0 if it gave none."""
        return self._longest_ms / 1000

    def facts(self) -> FeedFacts:
        """Return the feed as it is now."""
        counted = self._builder.counters
        return FeedFacts(
            source=self._source.name,
            symbols=len(self._source.symbols()),
            last_at=None if self._last_ms is None else _at(self._last_ms),
            finished=self.finished.is_set(),
            candles=counted.candles,
            flat=counted.flat,
            late=counted.late,
            repeated=counted.repeated,
            bad=counted.bad,
            venues=tuple(self._source.standings()),
        )

    def _tell(self, symbols: Mapping[str, None]) -> None:
        is_back = False
        for symbol in symbols:
            price, at = self._builder.last_price(symbol), self._builder.last_at(symbol)
            if price is None or at is None:
                continue
            # repr is the shortest text that reads back as the same number: no digits that the market never said.
            quote = Quote(Decimal(repr(price)), at)
            before = self._quotes.get(symbol)
            if before == quote:
                continue
            is_back |= before is None or at - before.at > SILENCE
            self._quotes[symbol] = quote
            for observer in self._listeners.on_price:
                observer(symbol, quote.price, at)
        if is_back:
            self._listeners.on_return()


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
