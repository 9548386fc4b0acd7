"""What is drawn anew at a tick, and what is not: the engine shares its processor with whatever is painted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from engine.core.board import SignalRow
from tests.support.boards import NOON, a_board, a_row, before, some_rows
from tests.support.stage import Stage, perform, table_of
from tui.panels.base import Scene
from tui.panels.queue import draw_queue
from tui.widgets.hints import Hints

PLACE = st.integers(0, 5)
ROWS = st.lists(
    st.builds(
        a_row,
        PLACE,
        st.sampled_from(["new", "waiting", "executing", "done", "failed"]),
        received_at=st.sampled_from([before(1), before(59), before(400)]),
        latency_s=st.sampled_from([None, 0.084, 2.5]),
        cancel_requested=st.booleans(),
    ),
    unique_by=lambda row: row.id,
    max_size=5,
)
SCENES = st.builds(
    lambda later, doing: Scene(a_board(), NOON + timedelta(seconds=later), doing),
    st.sampled_from([0, 1, 3_600]),
    st.dictionaries(PLACE.map(lambda n: a_row(n).id), st.sampled_from(["cancelling", "retrying"]), max_size=2),
)


@given(ROWS, SCENES, ROWS, SCENES)
def test_a_row_drawn_again_says_what_it_would_say_drawn_afresh(
    old: list[SignalRow], then: Scene, rows: list[SignalRow], now: Scene
) -> None:
    again = draw_queue(rows, now, draw_queue(old, then))
    assert again == draw_queue(rows, now)


def test_a_row_that_says_the_same_is_not_drawn_again() -> None:
    rows = some_rows(20)
    first = draw_queue(rows, Scene(a_board(), NOON))
    changed = (replace(rows[0], state="done", version=99), *(replace(row) for row in rows[1:]))
    second = draw_queue(changed, Scene(a_board(), NOON), first)
    assert [row.id for row in rows if second[row.id].entry is not first[row.id].entry] == [rows[0].id]


def test_hints_are_painted_again_only_when_a_key_means_something_else() -> None:
    async def scene(stage: Stage) -> None:
        hints = stage.main.query_one(Hints)
        stage.main.refresh_bindings()
        assert not hints._repaint_regions
        assert "p Pause" not in stage.lines[-1]
        await stage.press("2")
        assert "p Pause" in stage.lines[-1]

    perform(scene, size=(120, 40))


def test_another_palette_reaches_rows_that_were_drawn_before() -> None:
    async def scene(stage: Stage) -> None:
        table = table_of(stage, 1).table

        def colours() -> set[object]:
            strip = table.render_line(2)
            return {segment.style.bgcolor for segment in strip if segment.style}

        dark = colours()
        stage.app.theme = "calm-light"
        await stage.pilot.pause()
        assert colours().isdisjoint(dark)

    perform(scene, size=(120, 40))
