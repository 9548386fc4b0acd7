"""The inspector: it follows the cursor, tells the whole story, and costs nothing where it is not seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from engine.core.board import Story
from tests.support.boards import RecordingBridge
from tests.support.screen_bridge import HOSTILE
from tests.support.stage import Stage, perform, select, table_of
from tests.support.stories import a_failed_story
from tui.panels.base import INSPECTOR
from tui.screens.alert import AlertScreen
from tui.screens.error import ErrorScreen
from tui.screens.story import StoryScreen
from tui.screens.trader import TraderScreen

WIDE = (200, 60)


class Telling(RecordingBridge):
    """A bridge that has one story to tell of every signal, and counts how often it was asked."""

    def __init__(self, story: Story) -> None:
        super().__init__()
        self.told, self.asked = story, 0

    async def story(self, signal_id: str) -> Story | None:
        self.asked += 1
        return replace(self.told, signal=replace(self.told.signal, id=signal_id))


def told(stage: Stage) -> str:
    """Return what the inspector says."""
    region = stage.main.deck.panels[INSPECTOR].region
    return "\n".join(line[region.x : region.right] for line in stage.lines[region.y : region.bottom])


def _says(stage: Stage, text: str) -> bool:
    return text in told(stage)


def test_it_tells_the_story_of_the_signal_under_the_cursor_and_follows_it() -> None:
    async def scene(stage: Stage) -> None:
        for state in ("failed", "waiting"):
            name = f"signal {(await select(stage, 1, state))[:12]}"
            await stage.until(partial(_says, stage, name))
            assert "Did not trade" in told(stage)

    perform(scene, size=WIDE, bridge=Telling(a_failed_story()))


@pytest.mark.parametrize(
    ("number", "what", "opens"), [(2, "trader", TraderScreen), (3, "alert", AlertScreen), (4, "error", ErrorScreen)]
)
def test_it_tells_of_the_row_of_every_table_and_enter_opens_it_as_a_screen(
    number: int, what: str, opens: type[object]
) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press(str(number), "j")
        key = table_of(stage, number).selected
        await stage.until(lambda: f"{what} {key}" in told(stage))
        await stage.press("6")
        assert f"{what} {key}" in told(stage), "what it tells of stays while one reads it"
        await stage.press("enter")
        await stage.until(lambda: isinstance(stage.app.screen, opens))

    perform(scene, size=WIDE)


def test_a_signal_opens_as_its_story() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("6")
        await stage.until(lambda: "Did not trade" in told(stage))
        await stage.press("enter")
        await stage.until(lambda: isinstance(stage.app.screen, StoryScreen))

    perform(scene, size=WIDE, bridge=Telling(a_failed_story()))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_on_smaller_screens_its_number_brings_it_and_another_one_sends_it_away(size: tuple[int, int]) -> None:
    async def scene(stage: Stage) -> None:
        bridge = stage.bridge
        assert isinstance(bridge, Telling)
        await stage.press("j", "j")
        assert bridge.asked == 0, "nobody sees it, so nobody asks"
        await stage.press("6")
        await stage.until(lambda: "Did not trade" in told(stage))
        await stage.press("1")
        assert not stage.main.deck.panels[INSPECTOR].display
        asked = bridge.asked
        await stage.press("j")
        assert bridge.asked == asked

    perform(scene, size=size, bridge=Telling(a_failed_story()))


def test_a_long_story_is_scrolled_and_another_row_is_told_from_its_top() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("6")
        await stage.until(lambda: "Did not trade" in told(stage))
        top = told(stage)
        await stage.press("j", "j", "j")
        assert told(stage) != top
        await stage.press("k", "k", "k")
        assert told(stage) == top
        await stage.press("G")
        assert told(stage) != top
        await stage.press("1", "j")
        await stage.until(lambda: f"signal {str(table_of(stage, 1).selected)[:12]}" in told(stage))
        assert stage.main.deck.panels[INSPECTOR].body.scroll_offset.y == 0

    perform(scene, size=(180, 40), bridge=Telling(a_failed_story()))


def test_a_trader_takes_no_orders_there_either_while_no_engine_answers() -> None:
    async def scene(stage: Stage) -> None:
        await select(stage, 2, "up")
        await stage.until(partial(_says, stage, "It takes new orders"))
        stage.clock.at += timedelta(minutes=1)
        await stage.tick()
        assert "Not available" in told(stage)
        assert "It takes new orders" not in told(stage)

    perform(scene, size=WIDE)


def test_a_row_that_has_left_the_board_is_said_to_be_gone() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("3", "6")
        stage.bridge.show(alerts=())
        await stage.tick()
        await stage.tick()
        assert "nothing chosen" in told(stage)

    perform(scene, size=WIDE)


@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_is_drawn_as_it_is(text: str) -> None:
    story = a_failed_story()
    hostile = replace(story, signal=replace(story.signal, symbol=text, note=text, source=text))

    async def scene(stage: Stage) -> None:
        await stage.until(lambda: "Did not trade" in told(stage))
        assert "cannot be drawn" not in stage.text

    perform(scene, size=WIDE, bridge=Telling(hostile))
