"""Laws of the candle builder, for rows of any kind in any order."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.market.base import Tick, Trade
from engine.market.candles import CandleBuilder
from engine.market.files import Recording
from tests.support.market_files import market_file

T0 = 1_700_000_000_000
PRICES = st.one_of(st.floats(0.0001, 1e6), st.sampled_from([0.0, -1.0, math.nan, math.inf]))


@st.composite
def some_ticks(draw: st.DrawFn) -> list[Tick]:
    """Ticks in order of time; their rows lag, lead, repeat and lie."""
    at_ms, ticks = T0, []
    for _ in range(draw(st.integers(1, 25))):
        at_ms += draw(st.integers(0, 45_000))
        trades = [
            Trade("A/B", at_ms + draw(st.integers(-30_000, 15_000)), draw(PRICES), draw(st.floats(0, 10)))
            for _ in range(draw(st.integers(0, 4)))
        ]
        ticks.append(Tick(at_ms, trades))
    return ticks


@given(some_ticks())
@settings(max_examples=200, deadline=None)
def test_closed_candles_follow_each_other_without_a_hole_until_a_break(ticks: list[Tick]) -> None:
    builder = CandleBuilder(history=10, flat_max=4)
    closed = [candle for tick in ticks for candle in builder.advance(tick)]
    steps = list(pairwise(closed))
    assert all(earlier.closed_ms <= later.opened_ms for earlier, later in steps)
    assert sum(earlier.closed_ms != later.opened_ms for earlier, later in steps) <= builder.counters.breaks
    assert len(closed) == builder.counters.candles


@given(some_ticks())
@settings(max_examples=200, deadline=None)
def test_every_candle_is_sound_and_every_row_is_accounted_for(ticks: list[Tick]) -> None:
    builder = CandleBuilder(history=10, flat_max=4)
    closed = [candle for tick in ticks for candle in builder.advance(tick)]
    closed += builder.advance(Tick(ticks[-1].at_ms + 30_000))
    for candle in closed:
        assert 0.0 < candle.low <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.high
        assert candle.opened_ms % 10_000 == 0
    offered = math.fsum(
        trade.amount
        for tick in ticks
        for trade in tick.trades
        if 0 < trade.price < math.inf and trade.at_ms <= tick.at_ms + 10_000
    )
    late_or_bad = builder.counters.late + builder.counters.bad
    assert math.fsum(candle.volume for candle in closed) <= offered + 1e-6
    if late_or_bad == 0 and builder.counters.breaks == 0:
        assert math.isclose(math.fsum(candle.volume for candle in closed), offered, rel_tol=1e-9, abs_tol=1e-9)


@given(some_ticks())
@settings(deadline=None)
def test_the_window_is_the_tail_of_what_was_closed(ticks: list[Tick]) -> None:
    builder = CandleBuilder(history=7, flat_max=1_000)
    closed = [candle for tick in ticks for candle in builder.advance(tick)]
    window = builder.window("A/B")
    shown = [] if window is None else window.close.tolist()
    assert shown == [candle.close for candle in closed[-7:]]


def test_a_recording_gives_the_same_candles_however_its_rows_are_packed() -> None:
    rows = [row for _, row in Recording(market_file("XRP-ETH.trades.csv.gz")).rows() if isinstance(row, Trade)]
    one_by_one, in_lots = CandleBuilder(), CandleBuilder()
    first = [candle for row in rows for candle in one_by_one.advance(Tick(row.at_ms, [row]))]
    lots = [rows[index : index + 97] for index in range(0, len(rows), 97)]
    second = [candle for lot in lots for candle in in_lots.advance(Tick(lot[-1].at_ms, lot))]
    assert first == second
    assert math.isclose(sum(candle.volume for candle in first), sum(row.amount for row in rows[:-1]), rel_tol=1e-6)
    assert one_by_one.counters.breaks == 0
