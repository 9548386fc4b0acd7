"""A venue's rows are believed only after a look, and each kind of nonsense is counted under its own name."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.values import Candle
from engine.market.venue_rows import Fault, VenueTrade, read_candles, read_ticker, read_trade, read_trades

T0 = 1_700_000_000_000
SYMBOL = "BTC/USDT"
ANYTHING: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def a_row(**changes: Any) -> dict[str, Any]:
    row = {"symbol": SYMBOL, "timestamp": T0, "price": 100.0, "amount": 1.0, "side": "buy", "id": "7"}
    return {**row, **changes}


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (None, Fault.NO_ROW),
        ([T0, 100.0, 1.0], Fault.NO_ROW),
        (a_row(symbol="ETH/USDT"), Fault.WRONG_SYMBOL),
        (a_row(symbol=None), Fault.WRONG_SYMBOL),
        (a_row(timestamp=None), Fault.NO_TIME),
        (a_row(timestamp=math.nan), Fault.NO_TIME),
        (a_row(timestamp=str(T0)), Fault.NO_TIME),
        (a_row(timestamp=True), Fault.NO_TIME),
        (a_row(timestamp=T0 // 1000), Fault.ANCIENT),
        (a_row(timestamp=-1), Fault.ANCIENT),
        (a_row(timestamp=T0 + 2001), Fault.FUTURE),
        (a_row(timestamp=1e300), Fault.FUTURE),
        (a_row(price=None), Fault.BAD_PRICE),
        (a_row(price=math.nan), Fault.BAD_PRICE),
        (a_row(price=float("1e400")), Fault.BAD_PRICE),
        (a_row(price=10**400), Fault.BAD_PRICE),
        (a_row(price=0.0), Fault.BAD_PRICE),
        (a_row(price=-1.0), Fault.BAD_PRICE),
        (a_row(price="100"), Fault.BAD_PRICE),
        (a_row(amount=None), Fault.BAD_AMOUNT),
        (a_row(amount=-1.0), Fault.BAD_AMOUNT),
        (a_row(amount=math.inf), Fault.BAD_AMOUNT),
    ],
)
def test_each_kind_of_nonsense_has_its_name(row: object, fault: Fault) -> None:
    assert read_trade(row, SYMBOL, T0 + 2000) is fault


def test_a_sound_row_is_a_trade_in_the_venues_own_time() -> None:
    assert read_trade(a_row(), SYMBOL, T0) == VenueTrade(T0, 100.0, 1.0, "buy", "7")
    assert read_trade(a_row(id=None, side=None, timestamp=T0 + 2000), SYMBOL, T0 + 2000) == VenueTrade(
        T0 + 2000, 100.0, 1.0
    )


def test_rows_out_of_order_are_counted_and_put_in_their_places() -> None:
    page = read_trades([a_row(timestamp=T0 + at) for at in (5, 3, 4, 9)], SYMBOL, T0 + 10)
    assert [trade.at_ms - T0 for trade in page.trades] == [3, 4, 5, 9]
    assert page.faults == Counter({Fault.OUT_OF_ORDER: 1})
    assert not page.is_garbage


def test_one_row_of_nones_alone_is_garbage_and_among_good_ones_it_is_a_count() -> None:
    nothing = dict.fromkeys(a_row())
    assert read_trades([{**nothing, "symbol": SYMBOL}], SYMBOL, T0).is_garbage
    page = read_trades([a_row(), {**nothing, "symbol": SYMBOL}, a_row(id="8")], SYMBOL, T0)
    assert not page.is_garbage
    assert page.faults == Counter({Fault.NO_TIME: 1})
    assert page.worst == "no time"


def test_an_empty_answer_is_an_answer_and_one_that_is_no_list_is_none() -> None:
    assert not read_trades([], SYMBOL, T0).is_garbage
    answers: list[object] = [None, {}, "", "<html>", 7]
    for answer in answers:
        assert read_trades(answer, SYMBOL, T0).faults == Counter({Fault.NO_LIST: 1})


@given(ANYTHING)
def test_whatever_a_venue_answers_only_sound_trades_come_out(answer: object) -> None:
    page = read_trades(answer, SYMBOL, T0)
    assert all(0 < trade.price < math.inf and 0 <= trade.amount < math.inf for trade in page.trades)
    rows = len(answer) if isinstance(answer, list) else 1
    told = sum(count for fault, count in page.faults.items() if fault is not Fault.OUT_OF_ORDER)
    assert len(page.trades) + told == rows


@given(ANYTHING)
def test_whatever_stands_for_candles_only_sound_ones_come_out(answer: object) -> None:
    candles, _ = read_candles(answer, SYMBOL, 60_000, T0 + 10**9)
    assert all(c.low <= min(c.open, c.close) and max(c.open, c.close) <= c.high for c in candles)


def a_bar(number: int, *figures: float) -> list[Any]:
    return [1_700_000_040_000 + 60_000 * number, *(figures or (100.0, 102.0, 99.0, 101.0, 5.0))]


def test_the_candle_that_is_still_forming_is_left_out() -> None:
    rows = [a_bar(0), a_bar(1), a_bar(2)]
    candles, faults = read_candles(rows, SYMBOL, 60_000, rows[-1][0] + 59_999)
    assert [candle.opened_ms for candle in candles] == [rows[0][0], rows[1][0]]
    assert candles[0] == Candle(SYMBOL, rows[0][0], 60_000, 100.0, 102.0, 99.0, 101.0, 5.0)
    assert not faults


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (a_bar(1, 100.0, 99.0, 98.0, 98.5, 1.0), Fault.UNSOUND),
        (a_bar(1, 100.0, 102.0, 100.5, 101.0, 1.0), Fault.UNSOUND),
        (a_bar(1, 100.0, 102.0, 99.0, math.nan, 1.0), Fault.UNSOUND),
        (a_bar(1, 100.0, math.inf, 99.0, 101.0, 1.0), Fault.UNSOUND),
        (a_bar(1, 0.0, 102.0, 0.0, 101.0, 1.0), Fault.UNSOUND),
        (a_bar(1, 100.0, 102.0, 99.0, 101.0, -1.0), Fault.UNSOUND),
        ([None] * 6, Fault.NO_TIME),
        ([a_bar(1)[0], None, 1.0, 1.0, 1.0, 1.0], Fault.BAD_PRICE),
        ([a_bar(1)[0] + 1, 100.0, 102.0, 99.0, 101.0, 5.0], Fault.UNSOUND),
        (a_bar(1)[:5], Fault.NO_ROW),
        ("row", Fault.NO_ROW),
    ],
)
def test_a_candle_that_cannot_be_is_counted_and_left_out(row: object, fault: Fault) -> None:
    candles, faults = read_candles([a_bar(0), row, a_bar(2)], SYMBOL, 60_000, a_bar(9)[0])
    assert len(candles) == 2
    assert faults == Counter({fault: 1})


def test_candles_out_of_order_are_counted_and_sorted_and_of_one_time_the_last_counts() -> None:
    rows = [a_bar(1), a_bar(0), a_bar(1, 7.0, 8.0, 6.0, 7.0, 1.0)]
    candles, faults = read_candles(rows, SYMBOL, 60_000, a_bar(9)[0])
    assert [candle.open for candle in candles] == [100.0, 7.0]
    assert faults == Counter({Fault.OUT_OF_ORDER: 2})


def test_a_ticker_is_a_trade_of_nothing_that_is_news_only_if_its_figures_moved() -> None:
    first = read_ticker({"symbol": SYMBOL, "last": 5.0, "timestamp": None}, SYMBOL, T0 + 9, T0)
    again = read_ticker({"symbol": SYMBOL, "last": 5.0, "timestamp": None}, SYMBOL, T0 + 9, T0 + 7)
    moved = read_ticker({"symbol": SYMBOL, "last": 5.5, "timestamp": T0 + 8}, SYMBOL, T0 + 9, T0 + 7)
    assert isinstance(first, VenueTrade)
    assert isinstance(again, VenueTrade)
    assert isinstance(moved, VenueTrade)
    assert (first.at_ms, first.price, first.amount) == (T0, 5.0, 0.0)
    assert first.id == again.id != moved.id
    assert read_ticker({"symbol": SYMBOL, "last": None}, SYMBOL, T0, T0) is Fault.BAD_PRICE
