"""What several exchanges have said, until the source makes ticks of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from engine.core.values import Candle
from engine.market.base import Tick, Trade


class Outbox:
    """Filled by the pollers, emptied by the source; `news` is set while something waits in it."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self._trades: list[Trade] = []
        self._candles: list[Candle] = []
        self._known: dict[str, int] = {}
        self._broken: set[str] = set()

    def put(self, symbol: str, trades: Sequence[Trade], known_ms: int) -> None:
        """Add a symbol's trades, which are complete up to `known_ms`."""
        self._trades += trades
        self._known[symbol] = known_ms
        self.news.set()

    def put_history(self, symbol: str, candles: Sequence[Candle], known_ms: int) -> None:
        """Add what was before the symbol's first trade."""
        self._candles += candles
        self._known[symbol] = known_ms
        self.news.set()

    def break_off(self, symbol: str) -> None:
        """Note that trades of the symbol were missed: what waits of it is older than the gap."""
        self._trades = [trade for trade in self._trades if trade.symbol != symbol]
        self._candles = [candle for candle in self._candles if candle.symbol != symbol]
        self._broken.add(symbol)

    def take(self, now_ms: int) -> Tick:
        """Return everything up to `now_ms`; trades that a venue's clock puts ahead of ours stay for the next tick."""
        due = sorted((trade for trade in self._trades if trade.at_ms <= now_ms), key=lambda trade: trade.at_ms)
        self._trades = [trade for trade in self._trades if trade.at_ms > now_ms]
        tick = Tick(now_ms, due, self._candles, dict(self._known), frozenset(self._broken))
        self._candles, self._broken = [], set()
        self.news.clear()
        return tick

    @property
    def next_ms(self) -> int | None:
        """Return the time of the earliest trade that stayed behind, None without one."""
        return min((trade.at_ms for trade in self._trades), default=None)
