"""Candles as text: bars, gaps, marks, levels and axes, whatever the figures are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.geometry import Size

from engine.core.values import Candle
from tui.axes import Ladder, price_text, time_labels
from tui.candles import AXIS, Bar, Drawing, Frame, Level, Mark, Spot, bars_of, compact, draw, frame_until, gaps_of
from tui.plain import TABLE

STEP_MS = 10_000
NOON_S = 1_767_268_800  # 2026-01-01 12:00:00


def at(column: float) -> datetime:
    """Return the time in the middle of a column of `a_frame`."""
    return datetime.fromtimestamp(NOON_S + 10 * column + 5, UTC)


def a_frame(columns: int = 20) -> Frame:
    return Frame(NOON_S * 1000, STEP_MS, columns)


def a_candle(column: int, *figures: float, interval_ms: int = STEP_MS, flat: bool = False) -> Candle:
    """Return the candle of one column, from open, high, low and close."""
    first, high, low, last = figures
    return Candle("X/Y", NOON_S * 1000 + column * STEP_MS, interval_ms, first, high, low, last, 1.0, flat)


def rising(column: int) -> Candle:
    return a_candle(column, 100.0, 110.0, 95.0, 105.0)


def plot(drawing: Drawing, height: int = 12) -> list[str]:
    """Return the lines of a chart with room for each column of its frame."""
    return draw(drawing, Size(drawing.frame.columns + AXIS, height)).plain.split("\n")


def column(lines: Sequence[str], number: int) -> str:
    """Return one column of the plot from the top, the line of times left out."""
    return "".join(line[number] for line in lines[:-1])


@pytest.mark.parametrize(
    ("figures", "drawn"),
    [
        ((90.0, 110.0, 90.0, 110.0), "┃┃┃┃┃"),
        ((110.0, 110.0, 90.0, 90.0), "█████"),
        ((90.0, 110.0, 90.0, 90.0), "││││╽"),
        ((110.0, 110.0, 90.0, 110.0), "╿││││"),
        ((100.0, 110.0, 90.0, 99.0), "││█││"),
        ((101.0, 110.0, 90.0, 110.0), "┃┃╿││"),
        ((110.0, 110.0, 90.0, 101.0), "██▀││"),
        ((90.0, 110.0, 90.0, 99.0), "││╽┃┃"),
        ((99.0, 110.0, 90.0, 90.0), "││▄██"),
    ],
)
def test_a_bar_is_a_body_between_wicks_slim_when_it_rises_and_wide_when_it_falls(
    figures: tuple[float, ...], drawn: str
) -> None:
    assert column(plot(Drawing(a_frame(), [a_candle(3, *figures)]), 6), 3) == drawn


def test_a_flat_candle_is_a_dash_and_no_body() -> None:
    lines = plot(Drawing(a_frame(), [rising(2), a_candle(3, 105.0, 105.0, 105.0, 105.0, flat=True)]))
    assert column(lines, 3).strip() == "─"


def test_several_candles_of_a_column_are_one_bar() -> None:
    wide = Frame(NOON_S * 1000, STEP_MS * 3, 5)
    candles = [a_candle(0, 1.0, 4.0, 1.0, 2.0), a_candle(1, 2.0, 3.0, 0.5, 3.0), a_candle(4, 7.0, 8.0, 7.0, 7.5)]
    assert bars_of(candles, wide) == [Bar(1.0, 4.0, 0.5, 3.0, 2.0), Bar(7.0, 8.0, 7.0, 7.5, 1.0), None, None, None]


def test_a_bar_is_flat_only_if_all_its_candles_are() -> None:
    wide = Frame(NOON_S * 1000, STEP_MS * 2, 2)
    still = a_candle(1, 2.0, 2.0, 2.0, 2.0, flat=True)
    after = [a_candle(n, 2.0, 2.0, 2.0, 2.0, flat=True) for n in (2, 3)]
    assert [bar.flat for bar in bars_of([a_candle(0, 1.0, 2.0, 1.0, 2.0), still, *after], wide) if bar] == [False, True]


def test_a_gap_is_dotted_and_nothing_is_drawn_in_it() -> None:
    lines = plot(Drawing(a_frame(), [rising(n) for n in (0, 1, 2, 7, 8)]))
    assert all(column(lines, n).strip() == "·" for n in range(3, 7))
    assert all(column(lines, n).strip() == "" for n in range(9, 20)), "what is yet to come is no gap"


def test_a_long_gap_is_named() -> None:
    lines = plot(Drawing(a_frame(40), [rising(0), rising(30)]))
    assert "· no candles ·" in "\n".join(lines)


def test_a_candle_that_covers_several_columns_leaves_no_gap_behind_it() -> None:
    long = a_candle(0, 1.0, 2.0, 1.0, 2.0, interval_ms=STEP_MS * 6)
    assert gaps_of([long, a_candle(6, 1.0, 2.0, 1.0, 2.0)], a_frame()) == []
    assert gaps_of([long, a_candle(8, 1.0, 2.0, 1.0, 2.0)], a_frame()) == [(6, 7)]


def test_gaps_that_begin_or_end_outside_are_cut_and_those_wholly_outside_left_out() -> None:
    assert gaps_of([rising(-5), rising(2)], a_frame()) == [(0, 1)]
    assert gaps_of([rising(18), rising(40)], a_frame()) == [(19, 19)]
    assert gaps_of([rising(3), rising(5)], a_frame()) == [(4, 4)], "one that is missing is missing"
    assert gaps_of([rising(-9), rising(-3)], a_frame()) == []
    assert gaps_of([rising(30), rising(40)], a_frame()) == []


def a_mark(number: float, spot: Spot, glyph: str = "▲", price: float | None = None) -> Mark:
    return Mark(f"{glyph}{number}", at(number), spot, glyph, "bold", price)


def test_a_buy_stands_under_its_bar_and_a_sell_over_it() -> None:
    candles = [rising(n) for n in range(6)]
    lines = plot(Drawing(a_frame(), candles, [a_mark(2, Spot.BELOW, "▲"), a_mark(4, Spot.ABOVE, "▼")]))
    assert column(lines, 2).strip()[-1] == "▲"
    assert column(lines, 4).strip()[0] == "▼"
    assert column(lines, 2).strip()[:-1] == column(lines, 4).strip()[1:] == column(lines, 3).strip(), (
        "the bars are whole"
    )


def test_a_fill_stands_at_its_price_and_widens_the_axis_to_it() -> None:
    lines = plot(Drawing(a_frame(), [rising(2)], [a_mark(2, Spot.AT, "●", 130.0)]))
    assert column(lines, 2).strip()[0] == "●", "over all of the bar"
    assert column(lines, 2).strip()[1] == " "
    inside = plot(Drawing(a_frame(), [rising(2)], [a_mark(2, Spot.AT, "●", 102.5)]))
    assert "●" in column(inside, 2).strip()[1:-1]


@pytest.mark.parametrize(("count", "drawn"), [(1, "▲"), (2, "2"), (9, "9"), (10, "+"), (250, "+")])
def test_marks_that_meet_in_a_cell_are_counted(count: int, drawn: str) -> None:
    marks = [a_mark(2 + n / 1000, Spot.BELOW) for n in range(count)]
    assert column(plot(Drawing(a_frame(), [rising(2)], marks)), 2).strip()[-1] == drawn


def test_a_mark_where_no_candle_is_yet_stands_by_the_last_one() -> None:
    lines = plot(Drawing(a_frame(), [rising(2)], [a_mark(5, Spot.BELOW), a_mark(2, Spot.BELOW)]))
    assert column(lines, 5).index("▲") == column(lines, 2).index("▲")


def test_marks_outside_and_marks_without_a_price_to_stand_at_are_left_out() -> None:
    marks = [a_mark(-1, Spot.BELOW), a_mark(20, Spot.ABOVE), a_mark(3, Spot.AT, "●", math.nan), a_mark(3, Spot.AT, "●")]
    assert not set("▲●") & set("".join(plot(Drawing(a_frame(), [rising(2)], marks))))


def test_a_level_is_a_dashed_line_with_its_label_behind_the_bars() -> None:
    lines = plot(Drawing(a_frame(40), [rising(30)], levels=[Level(102.0, "entry 102")]))
    (line,) = [line for line in lines if "entry 102" in line]
    assert "╌" * 10 in line
    assert column(lines, 30).strip() == column(plot(Drawing(a_frame(40), [rising(30)])), 30).strip()


def test_a_label_stands_where_it_hides_less() -> None:
    (line,) = [
        line
        for line in plot(Drawing(a_frame(40), [rising(n) for n in range(15)], levels=[Level(102.0, "entry 102")]))
        if "entry 102" in line
    ]
    assert line.index("entry") > 20


def test_a_label_stands_where_no_mark_is_and_no_mark_is_drawn_into_one() -> None:
    candles = [rising(n) for n in range(40)]
    level = Level(102.0, "entry 102 long")
    marks = [Mark(str(column), at(column), Spot.AT, "●", "", 102.0) for column in (2, 37)]
    (line,) = [x for x in plot(Drawing(a_frame(40), candles, marks=marks, levels=[level])) if "entry 102 long" in x]
    assert line.count("●") == 2, "there is room between them"
    crowd = [Mark(str(column), at(column), Spot.AT, "●", "", 102.0) for column in range(0, 40, 4)]
    (line,) = [x for x in plot(Drawing(a_frame(40), candles, marks=crowd, levels=[level])) if "entry 102 long" in x]
    assert 0 < line.count("●") < len(crowd), "where there is none the label can be read"


def test_labels_of_one_line_stand_beside_each_other() -> None:
    levels = [Level(102.0, "entry 102 north"), Level(102.01, "entry 102.01 south")]
    text = "\n".join(plot(Drawing(a_frame(60), [rising(50)], levels=levels)))
    assert "entry 102 north  entry 102.01 south" in text


@pytest.mark.parametrize(("price", "arrow", "edge"), [(900.0, "↑", 0), (1.0, "↓", -1)])
def test_a_level_far_away_is_told_at_the_edge_and_does_not_flatten_the_bars(
    price: float, arrow: str, edge: int
) -> None:
    lines = plot(Drawing(a_frame(40), [rising(30)], levels=[Level(price, "entry")]))
    assert f"{arrow} entry" in lines[:-1][edge]
    assert len(column(lines, 30).strip()) > 5


def test_the_column_of_the_chosen_time_is_lit_from_top_to_bottom() -> None:
    drawing = Drawing(a_frame(), [rising(2)], chosen=at(7))
    drawn = draw(drawing, Size(20 + AXIS, 12))
    lit = [span.start for span in drawn.spans if "on $accent" in str(span.style)]
    starts = [n for n, ch in enumerate(f"\n{drawn.plain}") if ch == "\n"]
    assert [begin - max(s for s in starts if s <= begin) for begin in lit] == [7] * 11


def test_the_volume_has_a_line_only_where_there_is_room() -> None:
    candles = [a_candle(n, 1.0, 2.0, 1.0, 2.0) for n in range(3)]
    tall, low = plot(Drawing(a_frame(), candles), 20), plot(Drawing(a_frame(), candles), 19)
    assert tall[-2].startswith("███ ")
    assert "vol 1" in tall[-2]
    assert not any("vol" in line for line in low)


def test_the_axis_says_the_last_price_and_four_to_seven_round_ones() -> None:
    lines = plot(Drawing(a_frame(), [a_candle(1, 100.0, 161.0, 99.0, 137.5)]), 24)
    ticks = [line.split("┤")[1].strip() for line in lines if "┤" in line]
    assert ticks == ["160", "140", "120", "100"] or len(ticks) in range(4, 8)
    assert all(float(tick) % 10 == 0 for tick in ticks)
    assert any("◂ 137.5" in line or "◂ 138" in line for line in lines)


FIGURE = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(0, 1e9),
    st.sampled_from([0.0, 1.0, 5e-324, 1.7e308, -1.0]),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-5, 80), FIGURE, FIGURE, FIGURE, FIGURE), max_size=12),
    st.lists(st.tuples(st.integers(-5, 80), st.sampled_from(Spot), FIGURE), max_size=6),
    st.lists(FIGURE, max_size=3),
    st.integers(0, 90),
    st.integers(0, 40),
)
def test_whatever_the_figures_are_the_chart_fills_its_cells(
    told: list[tuple[int, float, float, float, float]],
    marked: list[tuple[int, Spot, float]],
    levels: list[float],
    width: int,
    height: int,
) -> None:
    frame = a_frame(max(1, width - AXIS))
    candles = [a_candle(number, *figures) for number, *figures in sorted(told, key=lambda row: row[0])]
    marks = [a_mark(number, spot, "●", price) for number, spot, price in marked]
    drawn = draw(Drawing(frame, candles, marks, [Level(p, "x" * 100) for p in levels], at(1)), Size(width, height))
    lines = drawn.plain.split("\n")
    if width >= AXIS + 8 and height >= 3:
        assert len(lines) == height
        assert all(line.rstrip() == line[:width].rstrip() for line in lines)
    else:
        assert lines == [""]


@pytest.mark.parametrize("price", [0.0, 1e-9, 5e-324, 1.0, 1e15])
def test_one_candle_of_equal_prices_draws(price: float) -> None:
    lines = plot(Drawing(a_frame(), [a_candle(4, price, price, price, price)]))
    assert column(lines, 4).strip()
    assert any("◂" in line for line in lines)


@pytest.mark.parametrize("high", [5e-324, 1e-310, 1e-291, 1e-288])
@pytest.mark.parametrize("low", [0.0, -5e-324, 1e-323])
def test_prices_too_close_for_a_float_to_step_between_have_an_axis_all_the_same(low: float, high: float) -> None:
    ladder = Ladder.over(min(low, high), max(low, high), 10, margin=True)
    assert ladder.low < ladder.high
    assert ladder.tick > 0
    assert ladder.half(high) <= ladder.half(low)
    assert len(ladder.ticks()) in range(1, 9)


def test_a_ladder_has_its_bounds_at_its_ends_and_its_margins_free() -> None:
    ladder = Ladder.over(90.0, 110.0, 10, margin=True)
    assert (ladder.half(110.0), ladder.half(90.0)) == (2, 17)
    assert Ladder.over(90.0, 110.0, 10, margin=False).half(90.0) == 19


@settings(max_examples=200)
@given(st.floats(1e-9, 1e12), st.floats(1e-6, 10), st.integers(4, 60))
def test_ticks_are_round_within_bounds_and_not_too_many(low: float, share: float, rows: int) -> None:
    ladder = Ladder.over(low, low * (1 + share), rows, margin=True)
    ticks = ladder.ticks()
    assert all(ladder.low * 0.999999 <= tick <= ladder.high for tick in ticks)
    assert len(ticks) <= 8
    assert len(ticks) >= (3 if rows >= 14 else 1)
    lead = ladder.tick / 10 ** math.floor(math.log10(ladder.tick) + 1e-9)
    assert min(abs(lead - nice) for nice in (1, 2, 2.5, 5, 10)) < 1e-6


@pytest.mark.parametrize(
    ("price", "step", "text"),
    [
        (64_600.0, 200.0, "64,600"),
        (0.1302, 0.0002, "0.1302"),
        (6.7525, 0.0025, "6.7525"),
        (0.00001234, 0.00000002, "0.00001234"),
        (1_234_567.5, 0.5, "1234567.5"),
        (123_456_789_012.0, 1.0, "1.235e+11"),
        (math.nan, 1.0, "?"),
        (0.0, 0.1, "0.0"),
    ],
)
def test_a_price_on_the_axis_has_the_places_that_its_step_needs(price: float, step: float, text: str) -> None:
    assert price_text(price, step, 10) == text


@pytest.mark.parametrize(
    ("step_s", "has"),
    [(1, "12:00:30"), (10, "12:04"), (60, "12:30"), (3_600, "01-02"), (86_400, "02-06")],
)
def test_times_under_the_chart_are_round_and_stand_at_their_columns(step_s: int, has: str) -> None:
    line = time_labels(NOON_S * 1000, step_s * 1000, 68)
    assert len(line) == 68
    assert has in line
    if has == "12:04":
        assert line.index(has) + len(has) // 2 == 24
    assert all(len(label) in {5, 8} for label in line.split()), "none is cut"


def test_a_frame_ends_with_the_column_of_its_time() -> None:
    frame = frame_until(at(19), STEP_MS, 20)
    assert frame == a_frame()
    assert (frame.column(at(0)), frame.column(at(19)), frame.column(at(20)), frame.column(at(-1))) == (
        0,
        19,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.01234, "0.0123"), (716.2, "716"), (12_345, "12.3k"), (4.5e6, "4.5M"), (3e15, "3.0e+15")],
)
def test_a_volume_is_told_in_a_few_cells(value: float, text: str) -> None:
    assert compact(value) == text


def test_where_there_is_only_ascii_rising_and_falling_bars_still_differ() -> None:
    frame = a_frame(40)
    candles = [
        a_candle(n, *figures) for n, figures in enumerate([(90, 110, 90, 110), (110, 110, 90, 90), (99, 110, 90, 101)])
    ]
    still = a_candle(3, 100.0, 100.0, 100.0, 100.0, flat=True)
    marks = [Mark(glyph, at(n), Spot.BELOW, glyph, "") for n, glyph in enumerate("▲▼△▽●")]
    levels = [Level(95.0, "entry"), Level(900.0, "far"), Level(1.0, "low")]
    drawn = draw(Drawing(frame, [*candles, still, rising(30)], marks, levels), Size(40 + AXIS, 24)).plain.translate(
        TABLE
    )
    assert drawn.isascii(), {ch for ch in drawn if not ch.isascii()}
    bars = plot(Drawing(frame, candles), 6)
    assert [column(bars, n).translate(TABLE) for n in range(3)] == ["IIIII", "#####", "||I||"]
