"""The order and the width of a table: sorted by what cells mean, never by how they are spelled; all text on request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from tests.tui.test_live_table import COLUMNS, TableApp, drive, lines
from tui.formatting import duration
from tui.widgets.cells import Cell
from tui.widgets.columns import WIDE_MAX, spread
from tui.widgets.live_table import Row
from tui.widgets.sorting import Sorting, in_order, rank

AGES = ("2m", "9s", "–", "3h", "41s", "1m05s", "84ms", "2d")  # noqa: RUF001 - the dash that stands for no number


def aged() -> list[Row]:
    return [
        Row(f"k{n}", (Cell(f"k{n}"), Cell("sell" if n % 2 else "buy"), Cell(text), Cell("x" * 60)))
        for n, text in enumerate(AGES)
    ]


@given(st.lists(st.floats(0, 1e5), min_size=2))
def test_lengths_of_time_are_ordered_by_their_length(seconds: list[float]) -> None:
    texts = [duration(s) for s in sorted(seconds)]
    assert in_order(texts, Sorting("x"), str) == texts


@given(st.lists(st.text()))
def test_every_text_has_a_place_and_reversing_turns_all_but_the_empty_ones(texts: list[str]) -> None:
    there = in_order(texts, Sorting("x"), str)
    back = in_order(texts, Sorting("x", is_reversed=True), str)
    assert sorted(there) == sorted(back) == sorted(texts)
    told = [rank(t) for t in there if rank(t)[0] < 2]
    assert told == sorted(told)
    assert [rank(t) for t in back if rank(t)[0] < 2] == told[::-1]


def test_numbers_are_ordered_by_size_and_stand_before_words() -> None:
    texts = ["12%", "9", "-3", "100%", "1,200", "up", "0.5/m", "–", "Down"]  # noqa: RUF001 - see above
    expected = ["-3", "0.5/m", "9", "12%", "100%", "1,200", "Down", "up", "–"]  # noqa: RUF001 - see above
    assert in_order(texts, Sorting("x"), str) == expected


def test_rows_that_say_the_same_keep_their_order() -> None:
    pairs = [("b", 1), ("a", 2), ("b", 3), ("a", 4)]
    assert in_order(pairs, Sorting("x"), lambda p: p[0]) == [("a", 2), ("a", 4), ("b", 1), ("b", 3)]


def test_s_goes_through_the_columns_and_back_to_the_order_in_which_rows_come() -> None:
    async def scene(app: TableApp, pilot: Pilot[None]) -> None:
        app.table.set_rows(aged())
        app.table.focus()
        seen = []
        for _ in range(4):
            await pilot.press("s")
            seen.append(app.table.sorting.column)
        assert seen == ["id", "side", "age", "why"]
        await pilot.press("s")
        assert app.table.sorting == Sorting()
        assert [row.key for row in app.table.rows] == [f"k{n}" for n in range(8)]

    drive(scene)


def test_the_order_holds_while_rows_come_and_the_cursor_stays_with_its_row() -> None:
    async def scene(app: TableApp, pilot: Pilot[None]) -> None:
        app.table.set_rows(aged())
        app.table.focus()
        await pilot.press("s", "s", "s", "j", "j")
        key = app.table.cursor_key
        new = Row("new", (Cell("new"), Cell("buy"), Cell("1s"), Cell("")))
        app.table.set_rows([new, *aged()])
        await pilot.pause()
        assert [row.cells[2].text for row in app.table.rows] == [
            "84ms", "1s", "9s", "41s", "1m05s", "2m", "3h", "2d", "–",  # noqa: RUF001 - see above
        ]  # fmt: skip
        assert app.table.cursor_key == key
        await pilot.press("S")
        assert app.table.rows[0].cells[2].text == "2d"
        assert app.table.rows[-1].cells[2].text == "–", "what has no value is last both ways"  # noqa: RUF001 - see above
        assert app.table.cursor_key == key

    drive(scene)


def test_the_header_says_by_which_column_and_which_way_without_moving_a_title() -> None:
    async def scene(app: TableApp, pilot: Pilot[None]) -> None:
        app.table.set_rows(aged())
        app.table.focus()
        before = lines(app)[0]
        await pilot.press("s", "s", "s")
        assert lines(app)[0] == before.replace(" age", "↑age")
        await pilot.press("S")
        assert lines(app)[0] == before.replace(" age", "↓age")

    drive(scene)


def test_w_shows_all_text_and_h_and_l_go_sideways_in_it() -> None:
    async def scene(app: TableApp, pilot: Pilot[None]) -> None:
        app.table.set_rows(aged())
        app.table.focus()
        narrow = lines(app)
        await pilot.press("l")
        assert lines(app) == narrow, "what fits does not go sideways"
        await pilot.press("w")
        assert "…" not in "".join(lines(app))
        await pilot.press("l")
        moved = lines(app)
        assert moved[1] != narrow[1]
        assert all(len(line) == 40 for line in moved)
        await pilot.press(*"lllll")
        assert lines(app)[1].rstrip().endswith("xxx")
        await pilot.press(*"hhhhh", "h", "w")
        assert lines(app) == narrow

    drive(scene)


def test_a_column_is_never_wider_than_its_bound() -> None:
    widths = dict(spread(COLUMNS, [(Cell("a"), Cell("b"), Cell("c"), Cell("y" * 10_000))]))
    assert widths[3] == WIDE_MAX


@pytest.mark.parametrize("column", ["gone", ""])
def test_an_order_by_a_column_that_is_not_there_is_no_order(column: str) -> None:
    async def scene(app: TableApp, pilot: Pilot[None]) -> None:
        app.table.set_rows(aged())
        app.table.set_order(Sorting(column, is_reversed=False))
        await pilot.pause()
        assert app.table.sorting == Sorting()
        assert [row.key for row in app.table.rows] == [f"k{n}" for n in range(8)]

    drive(scene)
