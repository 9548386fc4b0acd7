"""From rows to candles: every oddity of real market data has one answer, written here.

- **A time without trades** gives flat candles at the last close, `flat_max` in a row at most. One more is a break: the
  symbol's history is emptied and starts anew with its next row, because a window of nothing but repeats tells nothing.
- **A late row**, older than the open candle, is counted and dropped: what was shown to a strategy never changes.
- **Out of order** inside the open candle, a trade takes its place by time.
- **A repeated time** is no error: trades of one millisecond are all kept. Of ready candles with one time the last wins
  while its candle is open; an exact repeat is counted and dropped, open or closed.
- **Trades that are known only up to some time** (a venue that is slow or gone) hold the candles of their symbol open until
  the rest is known. Where trades were missed for good, that is a break.
- **Impossible figures** (not finite, zero or negative prices, a low above a high), rows from more than one interval in the
  future, and rows that do not fit the symbol's rhythm are counted as bad and dropped.
- **Ready candles** whose interval divides the builder's are merged into its candles; all others keep their own interval.
  They are awaited for one interval before a flat candle takes their place. A ready candle stands for the trades within it:
  where both arrive, the trades only move the last price. A symbol keeps the rhythm of its first row until a break. If the
  awaited candle does not come although there were trades, a flat one would be a lie: that is a break too, and from then on
  the trades make the candles.

The first candle of a symbol may hold only the part of its interval that was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from engine.core.values import Candle
from engine.core.window import Window
from engine.market.base import Tick
from engine.market.series import CandleCounters, Cut, SymbolSeries
from engine.market.settings import CandleSettings

__all__ = ["CandleBuilder", "CandleCounters", "CandleSettings"]


class CandleBuilder:
    """Candles of `interval_s` seconds, the last `history` of each symbol; the module's text says what happens to odd rows.

    Memory is bounded by the number of symbols: 80 bytes a candle of history each.
    """

    def __init__(self, interval_s: int = 10, history: int = 100, flat_max: int = 60) -> None:
        self.counters = CandleCounters()
        self._cut = Cut(interval_s * 1000, history, flat_max)
        self._series: dict[str, SymbolSeries] = {}
        self._now_ms = 0
        self._due_ms = SymbolSeries.NEVER

    def advance(self, tick: Tick) -> list[Candle]:
        """Take a tick's rows, close what its time has closed, and return that: each symbol's oldest first.

        A tick older than the last one counts as being of the same time.
        """
        self._now_ms = now = max(self._now_ms, tick.at_ms)
        closed: list[Candle] = []
        for symbol in tick.broken:
            self._series_of(symbol).break_off()
        for row in tick.candles:
            series = self._series_of(row.symbol)
            self.counters.note(series.take_ready(row, now, closed))
            self._due_ms = min(self._due_ms, series.due_ms)
        for trade in tick.trades:
            series = self._series_of(trade.symbol)
            self.counters.note(series.take_trade(trade, now, closed))
            self._due_ms = min(self._due_ms, series.due_ms)
        if now >= self._due_ms:
            for series in self._series.values():
                series.close_until(min(now, tick.known.get(series.symbol, now)), closed)
            self._due_ms = min(series.due_ms for series in self._series.values())
        return closed

    def backfill(self, history: Sequence[Candle]) -> list[Candle]:
        """Take candles from before the first tick, oldest first, and return what they closed."""
        if not history:
            return []
        return self.advance(Tick(max(row.closed_ms for row in history), candles=history))

    def window(self, symbol: str) -> Window | None:
        """Return the symbol's closed candles, None if there is none. It stays as it is when candles are added."""
        series = self._series.get(symbol)
        return None if series is None else series.window()

    def symbols(self) -> list[str]:
        """Return every symbol that had a row, in the order of their first."""
        return list(self._series)

    def count(self, symbol: str) -> int:
        """Return how many closed candles the symbol's window has."""
        series = self._series.get(symbol)
        return 0 if series is None else len(series)

    def last_closed_ms(self, symbol: str) -> int | None:
        """Return the end of the symbol's newest closed candle in milliseconds since 1970, None if there is none."""
        series = self._series.get(symbol)
        return None if series is None else series.last_closed_ms

    def last_price(self, symbol: str) -> float | None:
        """Return the price of the symbol's newest good row, None if there was none. It survives a break."""
        series = self._series.get(symbol)
        return None if series is None else series.last_price

    def last_at(self, symbol: str) -> datetime | None:
        """Return the time of the symbol's newest good row, None if there was none."""
        series = self._series.get(symbol)
        if series is None or series.last_price is None:
            return None
        return datetime.fromtimestamp(series.last_ms / 1000, UTC)

    def _series_of(self, symbol: str) -> SymbolSeries:
        series = self._series.get(symbol)
        if series is None:
            series = SymbolSeries(symbol, self._cut, self.counters)
            self._series[symbol] = series
        return series
