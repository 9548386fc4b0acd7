"""A damaged journal on the screen: what cannot be read is said, the screen stays, and so does its moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.events import Event
from tests.support.damage import damage
from tests.tui.test_past import Scene, on_the_past
from tui.screens.error import ErrorScreen
from tui.screens.past import AskTime

MOVES = ("left_square_bracket", *["greater_than_sign"] * 9, "right_square_bracket", *["less_than_sign"] * 9)


@pytest.mark.parametrize("found", ["{not json", "[1]", "[" * 50_000])
def test_the_past_is_walked_through_though_no_detail_in_it_can_be_read(tmp_path: Path, found: str) -> None:
    async def scene(stage: Scene) -> None:
        damage(tmp_path / "x.db", f"UPDATE event SET detail = '{found}'")
        seen = set()
        for key in MOVES:
            await stage.press(key)
            seen.add(stage.past.transport.seq)
            assert not stage.past.trouble
        assert len(seen) >= 9
        assert {*stage.toasts} <= {"Time: this is the last entry", "Time: there is no entry before this one"}

    on_the_past(tmp_path / "x.db", scene)


def test_an_error_whose_detail_cannot_be_read_says_so_on_its_page(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        damage(tmp_path / "x.db", "UPDATE event SET detail = '{not [red]json' WHERE code = 'broken'")
        (error,) = await stage.past.bridge.ask(lambda store: store.errors(None, 9))
        assert isinstance(error, Event)
        await stage.app.push_screen(ErrorScreen(stage.past.bridge, error, clock=stage.past.around.clock))
        await stage.until(lambda: "the disk is full" in stage.text)
        assert any("unreadable" in line and "{not [red]json" in line for line in stage.lines)

    on_the_past(tmp_path / "x.db", scene, at="12:31", size=(100, 40))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("DELETE FROM event WHERE seq = {}", "of the journal is missing"),
        ("UPDATE event SET at = 9000000000000000000 WHERE seq = {}", "cannot be told"),
        ("UPDATE snapshot SET body = '{{bad' WHERE {} > 0", "cannot be told"),
    ],
)
def test_a_moment_that_cannot_be_told_is_named_and_not_gone_to(tmp_path: Path, wrong: str, says: str) -> None:
    async def scene(stage: Scene) -> None:
        seq, top, rows = stage.past.transport.seq, stage.top, stage.lines[3:]
        damage(tmp_path / "x.db", wrong.format(seq - 1))
        await stage.press("less_than_sign")
        (toast,) = stage.toasts
        assert f"entry {seq - 1} " in toast
        assert says in toast
        assert stage.past.transport.seq == seq
        await stage.past.tick()
        assert stage.past.trouble == ""
        stage.app.clear_notifications()
        await stage.pilot.pause()
        assert (stage.top, stage.lines[3:]) == (top, rows)

    on_the_past(tmp_path / "x.db", scene, at="12:40")


def test_a_journal_that_is_gone_is_told_of_whichever_way_time_is_moved(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        top = stage.top
        damage(tmp_path / "x.db", "DELETE FROM event")
        for key in ("T", "less_than_sign", "right_parenthesis", "left_square_bracket", "right_square_bracket"):
            await stage.press(key)
            assert "is empty" in stage.toasts[-1], key
            assert not isinstance(stage.app.screen, AskTime)
            stage.app.clear_notifications()
        await stage.press("f")
        stage.hand.seconds += 30
        await stage.tick()
        assert "is empty" in stage.toasts[-1]
        assert not stage.past.transport.is_playing
        assert stage.top == top

    on_the_past(tmp_path / "x.db", scene)


def test_there_is_no_minute_after_the_last_one_that_there_is(tmp_path: Path) -> None:
    end = 253_402_300_799_000_000  # the last second of the year 9999

    async def scene(stage: Scene) -> None:
        damage(tmp_path / "x.db", f"UPDATE event SET at = {end}")
        await stage.press("left_square_bracket", "right_parenthesis")
        assert "there is none beyond" in stage.toasts[-1]
        assert stage.top.startswith(" PAST 9999-12-31 23:59:59Z")

    on_the_past(tmp_path / "x.db", scene)
