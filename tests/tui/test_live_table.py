"""The table: columns that give way, a cursor that belongs to a row, text that is never markup."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tui.widgets.cells import Cell
from tui.widgets.columns import GAP, Column, fit
from tui.widgets.live_table import LiveTable, Row

COLUMNS = (
    Column("id", "id", 6),
    Column("side", "side", 4, rank=1),
    Column("age", "age", 4, align="right", rank=2),
    Column("why", "why", 10, grows=True, rank=3),
)


class TableApp(App[None]):
    def __init__(self, *, follows: bool = False) -> None:
        super().__init__()
        self.table = LiveTable(COLUMNS, empty="nothing yet [/x]", follows=follows)
        self.chosen: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return {"muted": "#888888", "ok": "#00aa00"}

    def on_live_table_selected(self, message: LiveTable.Selected) -> None:
        self.chosen.append(message.key)


def rows(keys: Sequence[str]) -> list[Row]:
    return [Row(key, (Cell(key), Cell("buy", "$ok"), Cell("3s"), Cell(f"because of {key}"))) for key in keys]


def lines(app: TableApp) -> list[str]:
    return [app.table.render_line(y).text for y in range(app.table.size.height)]


def drive(scene: Callable[[TableApp, Pilot[None]], Awaitable[None]], *, follows: bool = False) -> None:
    async def act() -> None:
        app = TableApp(follows=follows)
        async with app.run_test(size=(40, 11)) as pilot:
            await pilot.pause()
            await scene(app, pilot)

    asyncio.run(act())


@given(width=st.integers(0, 200))
def test_columns_never_need_more_than_the_width_unless_only_the_last_ones_are_left(width: int) -> None:
    placed = fit(COLUMNS, width)
    assert placed[0][0] == 0
    assert sum(size + GAP for _, size in placed) <= width or [i for i, _ in placed] == [0]


def test_the_highest_rank_goes_first_and_the_last_growing_column_takes_the_rest() -> None:
    assert fit(COLUMNS, 40) == [(0, 6), (1, 4), (2, 4), (3, 22)]
    assert fit(COLUMNS, 20) == [(0, 6), (1, 4), (2, 4)]
    assert fit(COLUMNS, 13) == [(0, 6), (1, 4)]


def test_rows_are_drawn_under_their_titles() -> None:
    async def scene(app: TableApp, pilot: Pilot[None]) -> None:
        app.table.set_rows(rows(["aa11", "bb22"]))
        await pilot.pause()
        assert lines(app)[0].split() == ["id", "side", "age", "why"]
        assert lines(app)[1].startswith(" aa11   buy    3s because of aa11")

    drive(scene)


def test_an_empty_table_says_so_in_plain_text() -> None:
    async def scene(app: TableApp, pilot: Pilot[None]) -> None:
        assert "nothing yet [/x]" in "\n".join(lines(app))
        app.table.set_rows(rows(["a"]))
        app.table.set_rows([], empty="gone")
        await pilot.pause()
        assert "gone" in "\n".join(lines(app))

    drive(scene)


def test_the_cursor_stays_with_its_row_while_others_come_in_above() -> None:
    async def scene(app: TableApp, pilot: Pilot[None]) -> None:
        keys = [f"k{i}" for i in range(30)]
        app.table.set_rows(rows(keys))
        app.table.focus()
        await pilot.press("j", "j", "j")
        assert app.table.cursor_key == "k3"
        for i in range(100):
            keys.insert(0, f"n{i}")
            app.table.set_rows(rows(keys))
        await pilot.pause()
        assert app.table.cursor_key == "k3"
        assert any("k3" in line.split() for line in lines(app)), "the cursor's row is on the screen"

    drive(scene)


def test_a_scrolled_view_keeps_its_rows_on_their_lines() -> None:
    async def scene(app: TableApp, pilot: Pilot[None]) -> None:
        keys = [f"k{i}" for i in range(40)]
        app.table.set_rows(rows(keys))
        app.table.focus()
        await pilot.press("ctrl+f", "ctrl+f", "k", "k", "k")
        await pilot.pause()
        before = lines(app)
        app.table.set_rows(rows(["new", *keys]))
        await pilot.pause()
        assert lines(app) == before

    drive(scene)


def test_a_table_that_follows_stays_on_the_first_row_until_the_cursor_is_moved() -> None:
    async def scene(app: TableApp, pilot: Pilot[None]) -> None:
        app.table.set_rows(rows(["a", "b"]))
        app.table.focus()
        app.table.set_rows(rows(["new", "a", "b"]))
        assert app.table.cursor_key == "new"
        await pilot.press("j")
        app.table.set_rows(rows(["newer", "new", "a", "b"]))
        assert app.table.cursor_key == "a"
        assert app.table.is_held
        await pilot.press("g")
        app.table.set_rows(rows(["newest", "newer", "new", "a", "b"]))
        assert app.table.cursor_key == "newest"

    drive(scene, follows=True)


def test_a_row_that_goes_leaves_the_cursor_on_its_line() -> None:
    async def scene(app: TableApp, pilot: Pilot[None]) -> None:
        app.table.set_rows(rows(["a", "b", "c"]))
        app.table.focus()
        await pilot.press("j")
        app.table.set_rows(rows(["a", "c"]))
        assert app.table.cursor_key == "c"
        app.table.set_rows([])
        assert [app.table.cursor_key] == [None]
        await pilot.press("j", "enter", "G", "pagedown")
        assert app.chosen == []

    drive(scene)


@pytest.mark.parametrize(
    ("keys", "at"),
    [
        (["j"], 1),
        (["down", "down", "k"], 1),
        (["G"], 29),
        (["end", "home"], 0),
        (["G", "g"], 0),
        (["pagedown"], 10),
        (["ctrl+f", "ctrl+b"], 0),
        (["G", "up"], 28),
    ],
)
def test_every_movement_key_moves(keys: list[str], at: int) -> None:
    async def scene(app: TableApp, pilot: Pilot[None]) -> None:
        app.table.set_rows(rows([f"k{i}" for i in range(30)]))
        app.table.focus()
        await pilot.press(*keys, "enter")
        await pilot.pause()
        assert app.chosen == [f"k{at}"]

    drive(scene)


def test_a_click_moves_and_a_double_click_opens() -> None:
    async def scene(app: TableApp, pilot: Pilot[None]) -> None:
        app.table.set_rows(rows(["a", "b", "c"]))
        await pilot.click(LiveTable, offset=(3, 3))
        assert app.table.cursor_key == "c"
        await pilot.click(LiveTable, offset=(3, 2), times=2)
        await pilot.pause()
        assert app.chosen == ["b"]

    drive(scene)


@pytest.mark.parametrize("text", ["[/red]", "[@click=app.quit]x[/]", "日本語" * 30, "[bold", "\u0627\u0644" * 20, ""])
def test_hostile_text_is_drawn_as_text_and_keeps_the_width(text: str) -> None:
    async def scene(app: TableApp, pilot: Pilot[None]) -> None:
        app.table.set_rows([Row("a", (Cell("a"), Cell("buy"), Cell("1s"), Cell(text)))])
        await pilot.pause()
        assert all(app.table.render_line(y).cell_length == app.table.size.width for y in range(11))
        assert text[:5] in lines(app)[1]

    drive(scene)


def test_only_lines_that_differ_are_painted_again() -> None:
    async def scene(app: TableApp, pilot: Pilot[None]) -> None:
        keys = [f"k{i}" for i in range(8)]
        app.table.set_rows(rows(keys))
        await pilot.pause()
        changed = rows(keys)
        changed[4] = Row("k4", (Cell("k4"), Cell("sell"), Cell("4s"), Cell("")))
        app.table.set_rows(changed)
        dirty = {region.y for region in app.table._repaint_regions}
        await pilot.pause()
        assert dirty <= {1, 5}
        assert 5 in dirty

    drive(scene)


def test_rows_that_come_and_go_move_the_scrollbar_without_laying_out_the_screen() -> None:
    async def scene(app: TableApp, pilot: Pilot[None]) -> None:
        keys = [f"k{i}" for i in range(30)]
        app.table.set_rows(rows(keys))
        await pilot.pause()
        more = [f"n{i}" for i in range(12)] + keys
        app.table.set_rows(rows(more))
        assert not app.table._layout_required
        assert app.table.vertical_scrollbar.window_virtual_size == 43
        await pilot.pause()
        await pilot.press("G")
        await pilot.pause()
        assert lines(app)[-1].startswith(" k29")
        app.table.set_rows(rows(more[:14]))
        await pilot.pause()
        assert lines(app)[-1].startswith(" k1 "), "no room is kept for rows that went"

    drive(scene)


def test_a_scrollbar_that_comes_or_goes_gives_the_columns_their_room() -> None:
    async def scene(app: TableApp, pilot: Pilot[None]) -> None:
        widths = []
        for count in (3, 30, 3):
            app.table.set_rows(rows([f"k{i}" for i in range(count)]))
            await pilot.pause()
            widths.append((app.table.show_vertical_scrollbar, len(lines(app)[1])))
        assert widths == [(False, 40), (True, 39), (False, 40)]

    drive(scene)
