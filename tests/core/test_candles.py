"""Every oddity of market rows has one answer: each is written down here as a sentence."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from engine.core.values import Candle
from engine.market.base import Tick, Trade
from engine.market.candles import CandleBuilder

T0 = 1_700_000_000_000  # a whole multiple of 10 s


def a_trade(after_s: float, price: float = 100.0, amount: float = 1.0, symbol: str = "BTC/USDT") -> Trade:
    return Trade(symbol, T0 + round(after_s * 1000), price, amount)


def a_candle(after_s: float, price: float = 100.0, interval_s: int = 60, symbol: str = "BTC/USDT") -> Candle:
    figures = (price, price + 2.0, price - 2.0, price + 1.0, 10.0)
    return Candle(symbol, T0 + round(after_s * 1000), interval_s * 1000, *figures)


def at(after_s: float, *rows: Trade | Candle) -> Tick:
    trades = [row for row in rows if isinstance(row, Trade)]
    return Tick(T0 + round(after_s * 1000), trades, [row for row in rows if isinstance(row, Candle)])


def test_trades_make_a_candle_that_closes_with_its_interval() -> None:
    builder = CandleBuilder()
    trades = [a_trade(1, 100), a_trade(2, 105, 2.0), a_trade(3, 95), a_trade(9.999, 101)]
    assert builder.advance(at(9.999, *trades)) == []
    assert builder.window("BTC/USDT") is None
    assert builder.advance(at(10)) == [Candle("BTC/USDT", T0, 10_000, 100.0, 105.0, 95.0, 101.0, 5.0)]
    assert builder.last_closed_ms("BTC/USDT") == T0 + 10_000


def test_a_trade_on_the_boundary_belongs_to_the_next_candle() -> None:
    builder = CandleBuilder()
    closed = builder.advance(at(10, a_trade(5, 100), a_trade(10, 200)))
    assert [candle.close for candle in closed] == [100.0]
    assert builder.advance(at(20))[0].open == 200.0


def test_a_time_without_trades_gives_flat_candles_at_the_last_close() -> None:
    builder = CandleBuilder()
    builder.advance(at(10, a_trade(5, 100), a_trade(6, 103)))
    closed = builder.advance(at(40))
    assert [(candle.opened_ms - T0, candle.flat, candle.volume) for candle in closed] == [
        (10_000, True, 0.0),
        (20_000, True, 0.0),
        (30_000, True, 0.0),
    ]
    assert {candle.open for candle in closed} | {candle.low for candle in closed} == {103.0}
    assert (builder.counters.candles, builder.counters.flat) == (4, 3)


def test_more_flat_candles_than_the_bound_are_a_break_and_history_starts_anew() -> None:
    builder = CandleBuilder(flat_max=3)
    builder.advance(at(10, a_trade(5)))
    assert len(builder.advance(at(40))) == 3
    assert builder.count("BTC/USDT") == 4
    assert builder.advance(at(50)) == []
    assert builder.window("BTC/USDT") is None
    assert builder.counters.breaks == 1
    assert builder.last_price("BTC/USDT") == 100.0
    assert builder.advance(at(500)) == []
    closed = builder.advance(at(510, a_trade(505, 250)))
    assert [(candle.opened_ms - T0, candle.open) for candle in closed] == [(500_000, 250.0)]
    assert builder.count("BTC/USDT") == 1


def test_a_leap_over_years_costs_no_more_than_the_bound() -> None:
    builder = CandleBuilder(flat_max=3)
    builder.advance(at(10, a_trade(5)))
    years_s = 10 * 365 * 86_400
    assert len(builder.advance(at(years_s, a_trade(years_s)))) == 3
    assert builder.counters.breaks == 1


def test_every_trade_starts_the_run_of_flat_candles_anew() -> None:
    builder = CandleBuilder(flat_max=3)
    for after_s in range(5, 400, 40):
        builder.advance(at(after_s, a_trade(after_s)))
    assert builder.counters.breaks == 0
    assert builder.counters.flat == 3 * 9


def test_a_late_row_is_counted_and_dropped() -> None:
    builder = CandleBuilder()
    builder.advance(at(10, a_trade(5, 100)))
    assert builder.advance(at(11, a_trade(9.999, 500))) == []
    assert builder.counters.late == 1
    window = builder.window("BTC/USDT")
    assert window is not None
    assert window.high.tolist() == [100.0]
    assert builder.last_price("BTC/USDT") == 100.0


def test_an_out_of_order_trade_takes_its_place_by_time() -> None:
    builder = CandleBuilder()
    builder.advance(at(9, a_trade(5, 100), a_trade(8, 108), a_trade(2, 102), a_trade(7, 90)))
    candle = builder.advance(at(10))[0]
    assert (candle.open, candle.high, candle.low, candle.close, candle.volume) == (102.0, 108.0, 90.0, 108.0, 4.0)


def test_trades_of_one_millisecond_are_all_kept_in_order_of_arrival() -> None:
    builder = CandleBuilder()
    builder.advance(at(9, *(a_trade(5, 100 + index) for index in range(36)), a_trade(5, 100)))
    candle = builder.advance(at(10))[0]
    assert (candle.open, candle.high, candle.close, candle.volume) == (100.0, 135.0, 100.0, 37.0)
    assert builder.counters.repeated == 0


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf])
def test_an_impossible_price_is_counted_and_dropped(price: float) -> None:
    builder = CandleBuilder()
    builder.advance(at(1, a_trade(1, price), a_trade(1, 100.0, amount=price if price != 0.0 else -1.0)))
    assert builder.advance(at(60)) == []
    assert builder.counters.bad == 2
    assert builder.last_price("BTC/USDT") is None
    assert builder.last_at("BTC/USDT") is None


SOUND = a_candle(0)


@pytest.mark.parametrize(
    "row",
    [
        replace(SOUND, high=99.0),
        replace(SOUND, low=102.0),
        replace(SOUND, close=math.nan),
        replace(SOUND, open=0.0),
        replace(SOUND, volume=-1.0),
        replace(SOUND, volume=math.inf),
        replace(SOUND, interval_ms=0),
    ],
)
def test_a_candle_whose_figures_disagree_is_counted_and_dropped(row: Candle) -> None:
    builder = CandleBuilder()
    builder.advance(at(60, row))
    assert builder.advance(at(600)) == []
    assert builder.counters.bad == 1


def test_a_row_from_the_future_cannot_make_the_present_late() -> None:
    builder = CandleBuilder()
    builder.advance(at(1, a_trade(1, 100), a_trade(86_400, 500), a_candle(86_400)))
    assert builder.counters.bad == 2
    assert builder.advance(at(10, a_trade(9, 101)))[0].close == 101.0


def test_longer_ready_candles_keep_their_own_interval() -> None:
    builder = CandleBuilder()
    closed = builder.advance(at(60, a_candle(0, 100)))
    closed += builder.advance(at(120, a_candle(60, 110)))
    assert closed == [a_candle(0, 100), a_candle(60, 110)]
    assert builder.last_price("BTC/USDT") == 111.0


def test_shorter_ready_candles_are_merged() -> None:
    builder = CandleBuilder()
    rows = [a_candle(0, 100, 5), a_candle(5, 120, 5)]
    assert builder.advance(at(5, rows[0])) == []
    assert builder.advance(at(10, rows[1])) == [Candle("BTC/USDT", T0, 10_000, 100.0, 122.0, 98.0, 121.0, 20.0)]


def test_a_ready_candle_that_does_not_divide_the_interval_keeps_its_own() -> None:
    builder = CandleBuilder()
    row = a_candle(0, 100, 7)
    assert builder.advance(at(7, row)) == [row]


def test_a_missing_ready_candle_is_awaited_for_one_interval() -> None:
    builder = CandleBuilder()
    builder.advance(at(60, a_candle(0)))
    assert builder.advance(at(179)) == []
    closed = builder.advance(at(180))
    assert [(candle.opened_ms - T0, candle.flat, candle.close) for candle in closed] == [(60_000, True, 101.0)]


def test_a_missing_ready_candle_is_filled_at_once_when_the_next_one_comes() -> None:
    builder = CandleBuilder()
    builder.advance(at(60, a_candle(0)))
    closed = builder.advance(at(180, a_candle(120, 130)))
    assert [candle.flat for candle in closed] == [True, False]


def test_an_identical_ready_candle_is_counted_as_repeated_open_or_closed() -> None:
    builder = CandleBuilder()
    builder.advance(at(30, a_candle(0), a_candle(0)))
    assert builder.counters.repeated == 1
    builder.advance(at(120, a_candle(60)))
    assert builder.advance(at(121, a_candle(0), a_candle(60))) == []
    assert (builder.counters.repeated, builder.counters.late) == (3, 0)


def test_a_changed_ready_candle_wins_only_while_its_candle_is_open() -> None:
    builder = CandleBuilder()
    builder.advance(at(30, a_candle(0, 100)))
    assert [candle.close for candle in builder.advance(at(60, a_candle(0, 105)))] == [106.0]
    assert builder.advance(at(61, a_candle(0, 999))) == []
    assert (builder.counters.late, builder.counters.repeated) == (1, 0)
    window = builder.window("BTC/USDT")
    assert window is not None
    assert window.close.tolist() == [106.0]


def test_a_ready_candle_stands_for_the_trades_within_it() -> None:
    builder = CandleBuilder()
    builder.advance(at(9, a_trade(3, 50), a_trade(4, 51)))
    closed = builder.advance(at(10, a_candle(0, 100, 10), a_trade(9.5, 52)))
    assert closed == [a_candle(0, 100, 10)]


def test_a_candle_of_another_rhythm_is_bad_until_a_break() -> None:
    builder = CandleBuilder(flat_max=1)
    builder.advance(at(60, a_candle(0)))
    builder.advance(at(90, a_candle(30), a_candle(0, 100, 300)))
    assert builder.counters.bad == 2
    builder.advance(at(900))
    assert builder.counters.breaks == 1
    assert builder.advance(at(1230, a_candle(930, 100, 300))) == [a_candle(930, 100, 300)]


def test_trades_beside_longer_ready_candles_only_move_the_last_price() -> None:
    builder = CandleBuilder()
    builder.advance(at(60, a_candle(0)))
    assert builder.advance(at(110, a_trade(100, 140))) == []
    assert builder.last_price("BTC/USDT") == 140.0
    assert builder.counters.bad == 0


def test_trades_make_the_candles_once_the_longer_ready_ones_stay_away() -> None:
    builder = CandleBuilder()
    builder.backfill([a_candle(0), a_candle(60)])
    for after_s in range(125, 240, 10):
        assert builder.advance(at(after_s, a_trade(after_s, 140))) == []
    assert builder.advance(at(240)) == []
    assert (builder.counters.breaks, builder.counters.flat) == (1, 0)
    closed = builder.advance(at(250, a_trade(245, 150)))
    assert [(candle.opened_ms - T0, candle.interval_ms, candle.close) for candle in closed] == [
        (240_000, 10_000, 150.0)
    ]


def test_a_back_fill_is_followed_by_trades_without_a_seam() -> None:
    builder = CandleBuilder()
    history = [a_candle(10 * index, 100 + index, 10) for index in range(5)]
    assert builder.backfill(history) == history
    closed = builder.advance(at(60, a_trade(55, 123)))
    assert [(candle.opened_ms - T0, candle.close) for candle in closed] == [(50_000, 123.0)]
    assert builder.count("BTC/USDT") == 6
    assert builder.backfill([]) == []


def test_only_the_last_candles_are_kept_and_a_window_never_changes() -> None:
    builder = CandleBuilder(history=5)
    first = None
    for index in range(23):
        builder.advance(at(10 * index + 10, a_trade(10 * index + 5, 100 + index)))
        if index == 8:
            first = builder.window("BTC/USDT")
    last = builder.window("BTC/USDT")
    assert first is not None
    assert last is not None
    assert first.close.tolist() == [104.0, 105.0, 106.0, 107.0, 108.0]
    assert last.close.tolist() == [118.0, 119.0, 120.0, 121.0, 122.0]
    assert len(last) == 5


def test_a_window_cannot_be_written_to() -> None:
    builder = CandleBuilder()
    builder.advance(at(10, a_trade(5)))
    window = builder.window("BTC/USDT")
    assert window is not None
    with pytest.raises(ValueError, match="read-only"):
        window.close[0] = 1.0


def test_symbols_do_not_disturb_each_other() -> None:
    builder = CandleBuilder()
    builder.advance(at(5, a_trade(1, 10, symbol="A/B"), a_trade(2, 20, symbol="C/D")))
    closed = builder.advance(at(10))
    assert {candle.symbol: candle.close for candle in closed} == {"A/B": 10.0, "C/D": 20.0}
    assert builder.symbols() == ["A/B", "C/D"]


def test_a_tick_that_runs_backwards_closes_nothing_twice() -> None:
    builder = CandleBuilder()
    builder.advance(at(20, a_trade(5), a_trade(15)))
    assert builder.advance(at(3)) == []
    assert builder.counters.candles == 2


def test_nothing_is_known_of_a_symbol_that_never_spoke() -> None:
    builder = CandleBuilder()
    assert builder.window("X/Y") is None
    assert builder.last_price("X/Y") is None
    assert builder.last_at("X/Y") is None
    assert builder.last_closed_ms("X/Y") is None
    assert builder.count("X/Y") == 0
