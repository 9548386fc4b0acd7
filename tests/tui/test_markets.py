"""What the market's screen says around its candles."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from engine.core.board import EngineFacts, EngineState
from engine.core.feeds import FeedStanding, FeedState
from engine.core.lifecycle import SignalState
from engine.core.order import PlacedFill
from engine.core.values import Candle, Mode, Position, Reason, Side
from tests.support.builders import NOW, a_fill
from tests.support.stories import a_signal
from tui.candles import Spot
from tui.markets import (
    entry_of,
    feed_words,
    happenings,
    headline,
    is_late,
    levels_of,
    mark_of,
    nothing_to_see,
    span_text,
    steps_of,
)

ENGINE = EngineFacts(Mode.PAPER, EngineState.RUNNING, 3, 4711, NOW, NOW, NOW, feed="synthetic", feed_last_at=NOW)
NEWEST = Candle("BTC/USDT", int(NOW.timestamp()) * 1000, 10_000, 100.0, 106.0, 99.0, 105.0, 1.0)
CLOSED = NOW + timedelta(seconds=10)


def said(cells: list[object]) -> str:
    return "".join(cell.text for cell in cells)  # type: ignore[attr-defined] # they are cells


def a_placed_fill(side: Side = Side.BUY, seconds: int = 5) -> PlacedFill:
    fill = a_fill(price=Decimal("103.50"), quantity=Decimal("0.5"), at=NOW + timedelta(seconds=seconds))
    return PlacedFill(7, "f111", "trader_north", side, fill)


@pytest.mark.parametrize("state", SignalState)
@pytest.mark.parametrize("side", Side)
def test_a_signals_mark_says_its_side_and_is_hollow_if_it_came_to_nothing(state: SignalState, side: Side) -> None:
    ended_at = NOW if state not in {SignalState.NEW, SignalState.WAITING, SignalState.EXECUTING} else None
    (happening,) = happenings([a_signal(state, side=side, ended_at=ended_at)], [])
    mark = mark_of(happening)
    in_vain = state in {SignalState.EXPIRED, SignalState.CANCELLED, SignalState.REJECTED, SignalState.FAILED}
    assert (
        mark.glyph
        == {("buy", False): "▲", ("buy", True): "△", ("sell", False): "▼", ("sell", True): "▽"}[side, in_vain]
    )
    assert mark.spot is (Spot.BELOW if side is Side.BUY else Spot.ABOVE)
    assert mark.glyph in entry_of(happening, NOW).row.cells[1].text, "the row has the mark's own sign"


def test_a_fills_mark_stands_at_its_price_and_its_row_says_who_traded() -> None:
    (happening,) = happenings([], [a_placed_fill(Side.SELL)])
    mark, entry = mark_of(happening), entry_of(happening, NOW)
    assert (mark.spot, mark.glyph, mark.price, mark.at) == (Spot.AT, "●", 103.5, NOW + timedelta(seconds=5))
    assert [cell.text for cell in entry.row.cells] == ["12:00:05", "● sold", "fill", "0.5", "103.5", "north"]
    assert entry.facts["what"] == "fill sold"


def test_signals_and_fills_are_one_list_newest_first() -> None:
    signals = [a_signal(id="a", received_at=NOW), a_signal(id="b", received_at=NOW + timedelta(seconds=9))]
    found = happenings(signals, [a_placed_fill()])
    assert [(happening.key, happening.signal_id) for happening in found] == [("b", "b"), ("fill 7", "f111"), ("a", "a")]


def test_a_row_says_why_and_of_what_goes_well_only_who_has_it() -> None:
    reason = Reason("confidence", "confidence 0.28 is below 0.7")
    refused = a_signal(SignalState.REJECTED, reason=reason, ended_at=NOW, trader=None)
    done = a_signal(
        SignalState.DONE, reason=Reason("done", "attempt 1 was filled"), ended_at=NOW, trader="trader_north"
    )
    late = a_signal(SignalState.WAITING, reason=Reason("position_limit", "5 of 5"), trader="trader_north")
    told = [entry_of(happening, NOW).row.cells[-1].text for happening in happenings([refused, done, late], [])]
    assert told == ["confidence 0.28 is below 0.7", "north", "north: 5 of 5"]


def test_what_is_of_another_day_has_its_date() -> None:
    (happening,) = happenings([a_signal(received_at=NOW - timedelta(days=1))], [])
    assert entry_of(happening, NOW).row.cells[0].text == "12-31 12:00"


def test_only_the_symbols_own_positions_are_levels_and_their_figures_are_short() -> None:
    long = Position("trader_north", "X/Y", Decimal("2.50"), Decimal("0.1309389917103256184097"), NOW, "a")
    short = replace(long, trader="south", quantity=Decimal(-3), entry_price=Decimal("64000"))
    found = levels_of([long, short, replace(long, symbol="Z/Y")], "X/Y")
    assert [level.label for level in found] == ["entry 0.130939 long 2.5 north", "entry 64000 short 3 south"]


def test_the_last_price_has_every_digit_and_its_way_from_the_first_in_view() -> None:
    candles = [replace(NEWEST, open=100.0), NEWEST]
    assert said([*headline(candles, NEWEST, CLOSED, ENGINE)]) == "last 105  ▲ +5.00% in view  closed 0s ago"
    fallen = replace(NEWEST, close=1e-7)
    assert said([*headline([fallen], fallen, CLOSED, ENGINE)]).startswith("last 0.0000001  ▼ -100.00%")
    nothing = replace(NEWEST, open=0.0)
    assert "in view" not in said([*headline([nothing], nothing, CLOSED, ENGINE)])


@pytest.mark.parametrize(
    ("interval_s", "gone_s", "late"), [(10, 30, False), (10, 31, True), (60, 180, False), (60, 181, True)]
)
def test_a_candle_is_late_after_three_intervals_and_not_before_half_a_minute(
    interval_s: int, gone_s: int, late: bool
) -> None:
    newest = replace(NEWEST, interval_ms=interval_s * 1000)
    assert is_late(newest, NOW + timedelta(seconds=interval_s + gone_s)) == late


def test_late_candles_are_told_with_the_reason() -> None:
    text = said([*headline([NEWEST], NEWEST, CLOSED + timedelta(minutes=5), ENGINE)])
    assert "▲ no candle for 5m  the feed synthetic last spoke 5m ago" in text


@pytest.mark.parametrize(
    ("engine", "fact"),
    [
        (None, "no engine has run on this store"),
        (replace(ENGINE, state=EngineState.STOPPED), "the engine has stopped"),
        (replace(ENGINE, feed_finished=True), "the recording has ended"),
        (replace(ENGINE, feed_last_at=None), "the feed synthetic has said nothing yet"),
        (replace(ENGINE, feeds=(FeedStanding("kraken", FeedState.LIVE, "", ("ETH/EUR",)),)), "no feed has this symbol"),
        (
            replace(
                ENGINE,
                feeds=(
                    FeedStanding("binance", FeedState.LIVE, "", ("BTC/USDT",)),
                    FeedStanding("kraken", FeedState.DEAD, "refused\x1b[2J", ("BTC/USDT",)),
                ),
            ),
            "the feed kraken is dead: refused",
        ),
    ],
)
def test_where_there_is_nothing_the_reason_stands_and_what_to_do(engine: EngineFacts | None, fact: str) -> None:
    lines = [said([*line]) for line in nothing_to_see("BTC/USDT", engine, NOW)]
    assert lines[0] == "no candle of BTC/USDT yet"
    assert lines[1].startswith(fact)
    assert "\x1b" not in "".join(lines)
    assert feed_words(engine, "BTC/USDT", NOW) == (lines[1], lines[2] if len(lines) > 2 else "")


def test_a_column_is_a_candle_or_a_round_multiple_of_one() -> None:
    assert [span_text(ms) for ms in steps_of(10_000)] == ["10s", "30s", "1m", "5m", "15m", "1h", "4h", "1d"]
    assert [span_text(ms) for ms in steps_of(60_000)] == ["1m", "5m", "15m", "1h", "4h", "1d"]
    assert [span_text(ms) for ms in steps_of(7_000)] == ["7s"]
    assert [span_text(ms) for ms in steps_of(86_400_000)] == ["1d"]
