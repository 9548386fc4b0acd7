"""Charts at every size and for every kind of values."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.geometry import Size

from tui.charts import BLOCKS, Scale, chart, downsample, sparkline

RATE = Scale(0.5, 1.0, ((0.5, "50%"), (0.9, "90%"), (1.0, "100%")), 0.9)
WAVE = [0.9 + 0.1 * math.sin(n / 3) for n in range(60)]

values = st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), max_size=200)


@pytest.mark.parametrize("low", [None, 0.0, -1.7e308])
@pytest.mark.parametrize("high", [None, 1.0, 1.7e308])
def test_a_sparkline_of_the_largest_floats_is_drawn(low: float | None, high: float | None) -> None:
    assert len(sparkline([1.7e308, -1e292, 5e-324, -1.7e308], 4, low=low, high=high)) == 4


@given(values, st.integers(0, 60))
def test_a_sparkline_is_never_wider_than_asked(values: list[float | None], width: int) -> None:
    line = sparkline(values, width)
    assert len(line) == min(width, len(values))
    assert set(line) <= set(BLOCKS) | {" "}


def test_a_sparkline_shows_the_newest_values_on_one_scale() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7, 8], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([3.0, 3.0], 5) == "▁▁"
    assert sparkline([1.0, None, float("nan"), 0.0], 9, low=0, high=1) == "█  ▁"
    assert sparkline([], 5) == ""
    assert sparkline([None], 5) == " "


@given(values, st.integers(0, 40))
def test_downsampling_keeps_at_most_two_points_a_column_and_the_extremes(
    values: list[float | None], columns: int
) -> None:
    kept = downsample(values, columns)
    assert len(kept) <= columns * 2
    assert [at for at, _ in kept] == sorted(at for at, _ in kept)
    known = [v for v in values if v is not None and math.isfinite(v)]
    if columns and known:
        assert max(v for _, v in kept) == max(known)
        assert min(v for _, v in kept) == min(known)


@pytest.mark.parametrize(("width", "height"), [(44, 12), (16, 4), (100, 16), (60, 30)])
def test_a_chart_fills_exactly_its_room(width: int, height: int) -> None:
    lines = chart(WAVE, Size(width, height), scale=RATE, along=("60 min ago", "now")).plain.split("\n")
    assert len(lines) == height
    assert {len(line) for line in lines} == {width}


def test_a_chart_has_its_ticks_its_threshold_and_its_ends() -> None:
    drawn = chart(WAVE, Size(44, 12), scale=RATE, along=("60 min ago", "now"))
    assert "90%" in drawn.plain
    assert "┈┈" in drawn.plain
    assert "60 min ago" in drawn.plain.split("\n")[-1]
    assert drawn.plain.split("\n")[-1].endswith("now")
    styles = {str(span.style) for span in drawn.spans}
    assert styles == {"$accent", "$error", "$muted"}


@pytest.mark.parametrize(
    ("shown", "width", "height", "says"),
    [
        (WAVE, 0, 0, ""),
        (WAVE, 40, 0, ""),
        (WAVE, -3, 5, ""),
        (WAVE, 10, 10, "no room"),
        (WAVE, 40, 3, "no room for a chart"),
        ([], 60, 10, "needs two minutes"),
        ([0.5], 60, 10, "needs two minutes"),
        ([None, float("nan"), 0.9], 60, 10, "needs two minutes"),
    ],
)
def test_what_cannot_be_drawn_is_said(shown: list[float | None], width: int, height: int, says: str) -> None:
    drawn = chart(shown, Size(width, height), scale=RATE).plain
    assert says in drawn
    assert len(drawn.split("\n")) <= max(1, height)


@settings(max_examples=25, deadline=None)
@given(values, st.integers(0, 80), st.integers(0, 20))
def test_no_values_and_no_size_break_a_chart(values: list[float | None], width: int, height: int) -> None:
    lines = chart(values, Size(width, height), scale=RATE, along=("then", "now")).plain.split("\n")
    assert len(lines) <= max(1, height)
    assert all(len(line) <= max(0, width) for line in lines)


def test_equal_values_are_a_level_line() -> None:
    lines = chart([0.75] * 30, Size(40, 9), scale=RATE).plain.split("\n")
    assert sum(any("\u2800" < ch <= "\u28ff" for ch in line) for line in lines) == 1
