"""The dashboard at every size: what it shows, and that nothing shown to it can break it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from rich.cells import cell_len

from engine.core.board import EngineState, Headline
from engine.core.errors import StoreBroken
from engine.core.events import Severity
from engine.core.values import Mode
from tests.support.boards import (
    HOSTILE,
    NOON,
    RecordingBridge,
    a_board,
    a_hostile_board,
    a_row,
    an_empty_board,
    some_alerts,
    some_facts,
    some_rows,
)
from tests.support.stage import Stage, perform, table_of
from tui.app import EngineInside
from tui.deck import Arrangement

SIZES = [(60, 15), (80, 24), (120, 40), (200, 60)]


@pytest.mark.parametrize("size", SIZES)
def test_every_size_shows_mode_state_and_all_panels(size: tuple[int, int]) -> None:
    async def scene(stage: Stage) -> None:
        assert stage.lines[0].split()[:2] == ["DEMO", "RUN"]
        assert len(stage.lines) == size[1]
        for label in ("1 Queue", "2 Traders", "3 Alerts", "4 Errors"):
            assert label in stage.text
        assert "p50" in stage.text
        assert "SOL/USDT" in stage.text
        assert "? Help" in stage.lines[-1]

    perform(scene, size=size)


@pytest.mark.parametrize("size", [(59, 15), (80, 14), (20, 5), (1, 1)])
def test_a_terminal_too_small_for_panels_keeps_the_status_line(size: tuple[int, int]) -> None:
    async def scene(stage: Stage) -> None:
        assert stage.main.deck.view.arrangement is Arrangement.NONE
        if size[0] >= 20:
            assert "DEMO" in stage.lines[0]
        if size[1] >= 14:
            assert f"{size[0]}x{size[1]}" in stage.text
        await stage.press("1", "j", "5", "tab", "escape")
        await stage.pilot.resize_terminal(80, 24)
        await stage.pilot.pause()
        assert "1 Queue" in stage.text

    perform(scene, size=size)


def test_a_grave_alert_is_not_hidden_behind_a_newer_mild_one() -> None:
    grave = some_alerts()[0]
    mild = replace(grave, id=9, severity=Severity.WARNING, text="it is only slow", raised_at=NOON)

    async def scene(stage: Stage) -> None:
        title = next(line for line in stage.lines if "3 Alerts" in line)
        assert grave.text[:30] in title
        await stage.press("3")
        keys = [row.key for row in table_of(stage, 3).table.rows]
        assert keys == [str(grave.id), str(mild.id)]

    perform(scene, bridge=RecordingBridge(a_board(alerts=(mild, grave))))


def test_a_resize_changes_the_arrangement_and_keeps_panel_and_cursor() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("1", "escape", "j", "j", "j")
        key = table_of(stage, 1).selected
        for size in [(120, 40), (200, 60), (60, 15), (40, 10), (80, 24)]:
            await stage.pilot.resize_terminal(*size)
            await stage.pilot.pause()
            await stage.tick()
        assert stage.main.deck.view.chosen == 1
        assert table_of(stage, 1).selected == key
        assert stage.app.focused is table_of(stage, 1).table

    perform(scene)


@pytest.mark.parametrize("size", [(60, 15), (120, 40)])  # stacked and in columns: every panel small and big
def test_hostile_text_breaks_no_panel_and_moves_no_border(size: tuple[int, int]) -> None:
    async def scene(stage: Stage) -> None:
        for text in HOSTILE:
            hostile = a_hostile_board(text)
            stage.bridge.shown = replace(hostile, change=stage.bridge.shown.change + 1)
            for key in "12345":
                await stage.press(key)
                await stage.tick()
                assert not stage.main.query(".-broken")
                assert all(cell_len(line) == size[0] for line in stage.lines)
                assert not {"\x1b", "\x9b", "\u202e", "\x07"} & set(stage.text)
            stage.bridge.broken = StoreBroken(text)
            await stage.tick()
            stage.bridge.broken = None

    perform(scene, size=size)


@pytest.mark.parametrize("size", SIZES)
def test_an_engine_that_has_just_started_has_designed_empty_panels(size: tuple[int, int]) -> None:
    async def scene(stage: Stage) -> None:
        seen = stage.text
        for key in "12345":
            await stage.press(key)
            seen += stage.text
        for words in ("waiting for the first signal", "no traders are configured", "no errors yet", "all quiet"):
            assert words in seen
        assert "two minutes with attempts" in seen

    perform(scene, size=size, bridge=RecordingBridge(an_empty_board()))


def test_a_store_without_any_engine_says_so() -> None:
    async def scene(stage: Stage) -> None:
        assert "NO ENGINE" in stage.lines[0]
        assert "no engine has run on this store yet" in stage.text

    perform(scene, bridge=RecordingBridge(replace(an_empty_board(), engine=None)))


@pytest.mark.parametrize("mode", list(Mode))
def test_the_mode_is_always_said(mode: Mode) -> None:
    async def scene(stage: Stage) -> None:
        for key in "12345":
            await stage.press(key)
            assert mode.value.upper() in stage.lines[0]

    perform(scene, bridge=RecordingBridge(a_board(engine=replace(some_facts(), mode=mode))))


def test_live_and_halted_stand_out_without_colour() -> None:
    async def scene(stage: Stage) -> None:
        strip = stage.app.screen._compositor.render_strips()[0]
        inverse = {s.text.strip() for s in strip if s.style and s.style.reverse}
        assert {"LIVE", "HALTED"} <= inverse
        assert "HALTED by ada" in stage.text

    facts = replace(some_facts(), mode=Mode.LIVE, state=EngineState.HALTED, halted_by="ada", halted_at=NOON)
    perform(scene, bridge=RecordingBridge(a_board(engine=facts)))


@pytest.mark.parametrize(
    ("seconds", "says", "is_dim"), [(1.0, "age 1.3s", False), (3.0, "age 3.3s", False), (7.0, "STALE 7.3s", True)]
)
def test_a_silent_engine_makes_the_screen_say_that_it_is_old(seconds: float, says: str, is_dim: bool) -> None:
    async def scene(stage: Stage) -> None:
        stage.clock.at = NOON + timedelta(seconds=seconds)
        await stage.tick()
        assert says in stage.lines[0]
        assert stage.main.deck.has_class("-stale") is is_dim

    perform(scene, size=(120, 40))


def test_a_dead_engine_inside_is_said_over_everything() -> None:
    async def scene(stage: Stage) -> None:
        assert "The engine has died: StoreFull [/x]" in stage.text
        assert stage.main.deck.has_class("-stale")

    perform(scene, engine=EngineInside(is_there=True, trouble=lambda: "StoreFull [/x]"))


def test_a_store_that_cannot_be_read_is_said_and_asked_again() -> None:
    async def scene(stage: Stage) -> None:
        stage.bridge.broken = StoreBroken("malformed")
        await stage.tick()
        assert "The store cannot be read" in stage.text
        assert "malformed" in stage.text
        assert "BTC/USDT" in stage.text, "what was read last stays"
        stage.bridge.broken = None
        await stage.tick()
        assert "cannot be read" not in stage.text

    perform(scene)


def test_the_board_is_read_only_when_something_was_committed() -> None:
    async def scene(stage: Stage) -> None:
        before = stage.bridge.boards_read
        for _ in range(5):
            await stage.tick()
        assert stage.bridge.boards_read == before
        stage.bridge.show(headline=Headline(queue=77))
        await stage.tick()
        assert stage.bridge.boards_read == before + 1
        assert "77" in stage.lines[0]

    perform(scene)


def test_ages_grow_without_any_commit() -> None:
    async def scene(stage: Stage) -> None:
        assert " 1m " in stage.lines[4]
        stage.clock.at = NOON + timedelta(seconds=3_600)
        await stage.tick()
        assert " 1h " in stage.lines[4]

    perform(scene)


def test_cursor_and_filter_survive_a_hundred_ticks() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("slash", *"state:failed", "enter", "j")
        panel = table_of(stage, 1)
        key, rows = panel.selected, list(some_rows())
        assert key is not None
        assert panel.shown == 4
        for n in range(100):
            rows.insert(0, a_row(100 + n, "failed" if n % 10 == 0 else "new"))
            stage.bridge.show(queue=tuple(rows))
            await stage.main.tick()
        await stage.pilot.pause()
        assert panel.selected == key
        assert panel.filter.text == "state:failed"
        assert panel.shown == 14
        assert key[:6] in stage.text

    perform(scene)


def test_a_draw_that_comes_while_the_screen_is_taken_down_breaks_nothing() -> None:
    async def scene(stage: Stage) -> None:
        await stage.main.query("*").remove()
        stage.bridge.show(headline=Headline(queue=78))
        await stage.main.tick()
        assert stage.main.board is not None
        assert stage.main.board.headline.queue == 78

    perform(scene)


def test_a_defect_in_a_panel_becomes_a_card_and_the_others_go_on() -> None:
    async def scene(stage: Stage) -> None:
        good = stage.bridge.shown.errors
        stage.bridge.show(errors=(replace(good[0], text="new", at="[/noon]"),))  # type: ignore[arg-type]  # no time at all
        await stage.tick()
        assert "this panel cannot be drawn" in stage.text
        assert "AttributeError" in stage.text
        assert "SOL/USDT" in stage.text
        await stage.press("4", "j", "enter", "4", "1")
        stage.bridge.show(errors=good)
        await stage.tick()
        assert "cannot be drawn" not in stage.text

    perform(scene, size=(120, 40))
