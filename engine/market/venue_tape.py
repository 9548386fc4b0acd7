"""One symbol's trades as its venue prints them: what to ask for next, and which of the rows are news."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from engine.core.values import Candle
from engine.market.base import Trade
from engine.market.series import OpenCandle
from engine.market.venue_rows import Page, VenueTrade

REACH_MS: Final = 15 * 60_000  # how far back a tape is read after a silence; what lies before it is a gap

_Print: TypeAlias = tuple[int, float, float, str, int]


@dataclass(frozen=True, slots=True)
class News:
    """What a page brought: trades that were not known, and how many were. `is_gap` says that trades before were missed."""

    trades: tuple[VenueTrade, ...]
    repeated: int
    is_gap: bool


class Tape:
    """Times are the venue's, in milliseconds. Everything up to `known_ms` has been seen, nothing before `begin_ms` counts.

    A venue may give ids to all trades, to some (kraken's oldest form: the last one only), or to none. So a trade is known
    by its id, and by its time, figures and how many equal ones stood before it on the page.
    """

    def __init__(self, symbol: str, begin_ms: int) -> None:
        self.symbol, self.known_ms = symbol, begin_ms
        self._begin_ms = begin_ms
        self._newest_ms: int | None = None
        self._ids: dict[str, int] = {}
        self._prints: dict[_Print, str] = {}
        self._ticker = ""

    def since_ms(self, now_ms: int) -> int:
        """Return from when on to ask: far enough back that the newest known trade comes again, and what came late."""
        newest = self.known_ms if self._newest_ms is None else min(self._newest_ms, self.known_ms)
        return max(newest, self._begin_ms, now_ms - REACH_MS)

    def take(self, page: Page, since_ms: int) -> News:
        """Take a page that was asked for from `since_ms` on."""
        trades = page.trades
        if page.is_ticker:
            return self._take_ticker(trades)
        is_gap = self._misses(trades, since_ms)
        fresh: list[VenueTrade] = []
        alike: Counter[tuple[int, float, float, str]] = Counter()
        repeated = 0
        for trade in trades:
            if trade.at_ms < since_ms:
                continue  # a venue that gives its newest trades, whatever it is asked
            figures = (trade.at_ms, trade.price, trade.amount, trade.side)
            alike[figures] += 1
            if self._is_new(trade, (*figures, alike[figures])):
                fresh.append(trade)
            else:
                repeated += 1
        if fresh:
            self._newest_ms = max(self._newest_ms or 0, fresh[-1].at_ms)
        return News(tuple(fresh), repeated, is_gap)

    def settle(self, known_ms: int) -> None:
        """Note that the venue has shown everything up to `known_ms`, and forget what cannot come again."""
        self.known_ms = max(self.known_ms, known_ms)
        keep_ms = self.since_ms(self.known_ms)
        self._ids = {own: at_ms for own, at_ms in self._ids.items() if at_ms >= keep_ms}
        self._prints = {key: own for key, own in self._prints.items() if key[0] >= keep_ms}

    def turn_back(self, now_ms: int) -> None:
        """Follow a venue whose clock was set back: nothing later than its time is known."""
        self.known_ms = min(self.known_ms, now_ms)
        self._begin_ms = min(self._begin_ms, now_ms)
        if self._newest_ms is not None:
            self._newest_ms = min(self._newest_ms, now_ms)

    def _take_ticker(self, trades: Sequence[VenueTrade]) -> News:
        # One that says the same again is no news, however new it calls itself: the venue may have come to a stop.
        fresh = tuple(trade for trade in trades if trade.id != self._ticker)
        if fresh:
            self._ticker = fresh[-1].id
        return News(fresh, len(trades) - len(fresh), is_gap=False)

    def _misses(self, trades: Sequence[VenueTrade], since_ms: int) -> bool:
        if self._newest_ms is None:
            return False
        if since_ms > max(self.known_ms, self._newest_ms):
            return True
        # Asked from before the newest known trade, a venue shows it again, unless newer ones crowded it out.
        is_due = bool(trades) and self._newest_ms >= since_ms
        return is_due and trades[0].at_ms > self._newest_ms

    def _is_new(self, trade: VenueTrade, mark: _Print) -> bool:
        if trade.id and trade.id in self._ids:
            return False
        other = self._prints.get(mark)
        if other is not None and (not other or not trade.id or other == trade.id):
            return False
        if trade.id:
            self._ids[trade.id] = trade.at_ms
        self._prints[mark] = trade.id
        return True


def on_our_clock(trade: VenueTrade, symbol: str, shift_ms: int) -> Trade:
    """Return a trade at the time that our clock showed. `shift_ms` is how far the venue's clock is ahead."""
    return Trade(symbol, trade.at_ms - shift_ms, trade.price, trade.amount)


def candles_of(symbol: str, trades: Sequence[Trade], interval_ms: int, until_ms: int) -> list[Candle]:
    """Return the candles of a stretch of trades that were over by `until_ms`, without the first, which may be a part."""
    opened: dict[int, OpenCandle] = {}
    for trade in trades:
        begin_ms = trade.at_ms // interval_ms * interval_ms
        opened.setdefault(begin_ms, OpenCandle(begin_ms)).trade(trade.at_ms, trade.price, trade.amount)
    whole = sorted(opened)[1:]
    return [opened[at_ms].closed(symbol, interval_ms) for at_ms in whole if at_ms + interval_ms <= until_ms]
