"""Every screen as it looks, kept as text: whoever changes one sees in the difference what an operator will see.

`SIGNALDECK_RENEW=1 pytest tests/tui/test_snapshots.py` writes the pictures anew; read the difference before it is kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from engine.clock import ManualClock
from engine.core.board import Story
from engine.core.events import EventKind, Level
from tests.support.screen_bridge import RecordingBridge, Showing, play, play_store, story_screen, text_of
from tests.support.stage import Stage, perform
from tests.support.stories import (
    a_board,
    a_failed_story,
    a_held_story,
    a_review_story,
    a_traded_story,
    a_trader,
    an_alert,
    an_event,
    at,
)
from tests.tui.test_every_key import a_bit_of_everything
from tui.directory import DOORS, Door
from tui.screens.alert import AlertScreen
from tui.screens.error import ErrorScreen
from tui.screens.trader import TraderScreen

KEPT: Final = Path(__file__).with_name("snapshots")
RENEWS: Final = bool(os.environ.get("SIGNALDECK_RENEW"))
SIZES: Final = [(80, 24), (120, 40)]
Make = Callable[[RecordingBridge], Screen[Any]]
STORIES: Final[dict[str, Callable[[], Story]]] = {
    "traded": a_traded_story,
    "held": a_held_story,
    "failed": a_failed_story,
    "review": a_review_story,
}


def compare(name: str, text: str) -> None:
    """Hold what is drawn against what is kept."""
    drawn = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    path = KEPT / f"{name}.txt"
    if RENEWS:
        KEPT.mkdir(exist_ok=True)
        path.write_text(drawn)
    assert path.is_file(), f"{name} has no picture; see the top of this file"
    assert drawn == path.read_text()


def named(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@pytest.mark.parametrize("size", [(59, 14), (60, 15), *SIZES, (200, 60)], ids=named)
def test_the_dashboard_looks_as_it_did(size: tuple[int, int]) -> None:
    async def scene(stage: Stage) -> None:
        compare(f"dashboard-{named(size)}", stage.text)

    perform(scene, size=size)


@pytest.mark.parametrize("number", [2, 3, 4, 5, 6])
def test_each_panel_in_use_looks_as_it_did(number: int) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press(str(number))
        compare(f"panel-{number}-80x24", stage.text)

    perform(scene)


@pytest.mark.parametrize("keys", [["question_mark"], ["K"], ["colon"]], ids=lambda keys: keys[0])
def test_what_opens_over_the_dashboard_looks_as_it_did(keys: list[str]) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press(*keys)
        await stage.until(lambda: stage.app.screen is not stage.main)
        await stage.pilot.pause()
        compare(f"over-{keys[0]}-80x24", stage.text)

    perform(scene)


@pytest.mark.parametrize("size", SIZES, ids=named)
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_each_screen_of_the_directory_looks_as_it_did(door: Door, size: tuple[int, int]) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await pilot.pause()
        compare(f"{door.name}-{named(size)}", text_of(app))

    play_store(lambda bridge: door.open(bridge, ManualClock(at(10))), a_bit_of_everything, script, size)


@pytest.mark.parametrize("size", SIZES, ids=named)
@pytest.mark.parametrize("ended", STORIES)
def test_each_kind_of_story_looks_as_it_did(ended: str, size: tuple[int, int]) -> None:
    story = STORIES[ended]()

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await pilot.pause()
        compare(f"story-{ended}-{named(size)}", text_of(app))

    play(story_screen(RecordingBridge(story), story.signal.id), script, size)


ERROR: Final = an_event(
    7, EventKind.ATTEMPT, 3, "no answer within 5 s", level=Level.ERROR, code="doubtful", trader="trader_momentum"
)
DETAILS: Final[dict[str, Make]] = {
    "trader": lambda bridge: TraderScreen(bridge, "trader_momentum", clock=ManualClock(at(10))),
    "alert": lambda bridge: AlertScreen(bridge, an_alert(), clock=ManualClock(at(10))),
    "error": lambda bridge: ErrorScreen(bridge, ERROR, clock=ManualClock(at(10))),
}


@pytest.mark.parametrize("size", SIZES, ids=named)
@pytest.mark.parametrize("what", DETAILS)
def test_each_detail_looks_as_it_did(what: str, size: tuple[int, int]) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await pilot.pause()
        compare(f"{what}-{named(size)}", text_of(app))

    bridge = RecordingBridge(board=a_board(traders=(a_trader(),), alerts=(an_alert(),), errors=(ERROR,)))
    play(DETAILS[what](bridge), script, size)


def test_no_picture_is_kept_of_what_is_not_there_any_more() -> None:
    kept = {path.stem for path in KEPT.glob("*.txt")}
    expected = {f"dashboard-{named(size)}" for size in [(59, 14), (60, 15), *SIZES, (200, 60)]}
    expected |= {f"panel-{n}-80x24" for n in range(2, 7)} | {f"over-{k}-80x24" for k in ("question_mark", "K", "colon")}
    both = [*(door.name for door in DOORS), *(f"story-{ended}" for ended in STORIES), *DETAILS]
    assert kept == expected | {f"{name}-{named(size)}" for name in both for size in SIZES}
