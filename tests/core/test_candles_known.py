"""Candles of venues that are slow, gone or back again: they wait for their trades, and never stand for what nobody saw."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from engine.market.base import Tick, Trade
from engine.market.candles import CandleBuilder

T0 = 1_700_000_000_000
A, B = "BTC/USD", "BTC/USDT"


def a_tick(at: int, *trades: tuple[str, int, float], known: Mapping[str, int] | None = None, broken: str = "") -> Tick:
    rows = [Trade(symbol, T0 + when, price, 1.0) for symbol, when, price in trades]
    told = {symbol: T0 + when for symbol, when in (known or {}).items()}
    return Tick(T0 + at, rows, known=told, broken=frozenset({broken} if broken else ()))


def test_a_candle_waits_for_the_trades_of_its_end_while_others_close() -> None:
    builder = CandleBuilder()
    builder.advance(a_tick(1000, (A, 500, 1.0), (B, 500, 1.0)))
    assert [c.symbol for c in builder.advance(a_tick(10_500, known={A: 8_000}))] == [B]
    [candle] = builder.advance(a_tick(11_000, (A, 9_500, 3.0), known={A: 10_000}))
    assert (candle.symbol, candle.close, candle.volume) == (A, 3.0, 2.0)
    assert builder.counters.late == 0


def test_a_venue_that_is_gone_leaves_no_flat_candles_and_its_trades_fill_them_in_when_it_is_back() -> None:
    builder = CandleBuilder()
    builder.advance(a_tick(1000, (A, 500, 1.0), known={A: 900}))
    for at in range(10_000, 300_000, 1000):
        assert not builder.advance(a_tick(at, known={A: 900}))
    closed = builder.advance(a_tick(300_000, *((A, n * 10_000, n + 1.0) for n in range(1, 30)), known={A: 300_000}))
    assert [c.close for c in closed] == [n + 1.0 for n in range(30)]
    assert builder.counters.flat == 0


def test_trades_that_were_missed_begin_the_history_anew() -> None:
    builder = CandleBuilder()
    builder.advance(a_tick(35_000, *((A, n * 10_000, 1.0) for n in range(4))))
    assert builder.count(A) == 3
    builder.advance(a_tick(95_000, (A, 94_000, 2.0), broken=A))
    assert builder.count(A) == 0
    assert builder.counters.breaks == 1
    [candle] = builder.advance(a_tick(100_000))
    assert (candle.opened_ms, candle.open) == (T0 + 90_000, 2.0)


def test_a_break_before_the_first_row_is_none() -> None:
    builder = CandleBuilder()
    builder.advance(a_tick(1000, (A, 500, 1.0), broken=A))
    assert builder.counters.breaks == 0
    assert len(builder.advance(a_tick(10_000))) == 1


@given(st.lists(st.tuples(st.integers(0, 60_000), st.sampled_from([1.0, 2.0])), max_size=30), st.integers(1, 8_000))
def test_however_late_trades_come_the_candles_are_the_same_where_they_wait(
    drawn: list[tuple[int, float]], lag: int
) -> None:
    trades = sorted(drawn)
    prompt, waiting = CandleBuilder(), CandleBuilder()
    told: list[tuple[int, float, float, float]] = []
    seen: list[tuple[int, float, float, float]] = []
    for at in range(0, 90_001, 1000):
        due = [(A, when, price) for when, price in trades if at - 1000 < when <= at]
        told += [(c.opened_ms, c.open, c.close, c.volume) for c in prompt.advance(a_tick(at, *due))]
        late = [(A, when, price) for when, price in trades if at - 1000 < when + lag <= at]
        tick = a_tick(at, *late, known={A: at - lag - 1})
        seen += [(c.opened_ms, c.open, c.close, c.volume) for c in waiting.advance(tick)]
    assert told[: len(seen)] == seen
    assert len(told) - len(seen) <= 1
    assert waiting.counters.late == 0
