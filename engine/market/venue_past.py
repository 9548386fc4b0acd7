"""The candles before a feed's first tick, so that strategies need not wait for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.core.values import Candle
from engine.market.base import Trade
from engine.market.venue_desk import VenueDesk
from engine.market.venue_tape import Tape, candles_of, on_our_clock

PAGES_MAX: Final = 10  # of trades; a market livelier than that gives a shorter past
SHORTER: Final = 4


@dataclass(frozen=True, slots=True)
class Span:
    """`count` candles of `interval_ms` that end at `until_ms` on our clock; the venue's is `shift_ms` ahead of it."""

    interval_ms: int
    count: int
    until_ms: int
    shift_ms: int = 0


async def past_of(desk: VenueDesk, symbol: str, span: Span) -> list[Candle]:
    """Return the symbol's closed candles: out of the venue's own where they fit ours, else out of its trades.

    Raises what the desk raises. Shorter than asked for, or empty, where the venue does not reach so far back.
    """
    length_ms = span.interval_ms * span.count
    frame = desk.frame(span.interval_ms, length_ms)
    if frame is not None and not span.shift_ms:
        candles = await desk.candles(symbol, frame, span.until_ms - length_ms, span.until_ms)
        if candles:
            return candles
    for begin_ms in (span.until_ms - length_ms, span.until_ms - length_ms // SHORTER):
        trades = await _trades(desk, symbol, begin_ms + span.shift_ms, span)
        if trades is not None:
            return candles_of(symbol, trades, span.interval_ms, span.until_ms)
    return []


async def _trades(desk: VenueDesk, symbol: str, begin_ms: int, span: Span) -> list[Trade] | None:
    """Read trades up to the span's end; None if they are too many."""
    tape, since_ms = Tape(symbol, begin_ms), begin_ms
    found: list[Trade] = []
    for _ in range(PAGES_MAX):
        page = await desk.trades(symbol, since_ms)
        fresh = tape.take(page, since_ms).trades
        found += (on_our_clock(trade, symbol, span.shift_ms) for trade in fresh)
        if not fresh or found[-1].at_ms >= span.until_ms:
            return found
        since_ms = fresh[-1].at_ms
    return None
