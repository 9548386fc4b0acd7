"""The two answers to a review: the order is named, or somebody answers for it that there is none."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.core.board import Story
from engine.core.commands import CommandKind
from tests.support.screen_bridge import Showing, is_on, on_story, press, text_of
from tests.support.stories import SIGNAL_ID, a_failed_story, a_held_story, a_review_story, a_traded_story
from tui.screens.confirm import AskText, Confirm
from tui.screens.story import StoryScreen


@pytest.mark.parametrize("key", ["A", "B"])
@pytest.mark.parametrize("story", [a_held_story(), a_failed_story(), a_traded_story()])
def test_a_review_is_answered_only_where_there_is_one(story: Story, key: str) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, key)
        assert is_on(app, StoryScreen)

    on_story(story, script)


async def fill_in(app: Showing, pilot: Pilot[None], **answers: str) -> None:
    for key, text in answers.items():
        app.screen.query_one(f"#ask-{key}", Input).value = text
    app.screen.query_one(f"#ask-{list(answers)[-1]}", Input).focus()
    await press(app, pilot, "enter")


def test_naming_the_order_asks_for_its_id_then_confirms() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "A")
        assert is_on(app, AskText)
        await fill_in(app, pilot, order=" 77120045 ", why="open orders page")
        assert is_on(app, Confirm)
        assert "77120045" in text_of(app)
        await press(app, pilot, "y")

    wishes = on_story(a_review_story(), script).wishes
    assert wishes == [(CommandKind.ATTACH, SIGNAL_ID, "open orders page", {"venue_order_id": "77120045"}, 7)]


def test_what_is_no_order_id_is_not_taken() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "A")
        for order in ("", "two words", "x" * 65, "漢字"):
            await fill_in(app, pilot, order=order, why="seen")
            assert is_on(app, AskText)

    assert on_story(a_review_story(), script).wishes == []


@pytest.mark.parametrize("turn_back", [["escape"], ["enter"]])
def test_naming_the_order_can_be_left_at_the_confirmation(turn_back: list[str]) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "A")
        await fill_in(app, pilot, order="1", why="seen")
        await press(app, pilot, *turn_back)
        assert is_on(app, StoryScreen)

    assert on_story(a_review_story(), script).wishes == []


def test_declaring_absence_takes_a_name_a_reason_and_the_typed_symbol() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "B")
        assert app.screen.query_one("#ask-name", Input).value == "maria"
        await fill_in(app, pilot, why="order history is empty")
        assert "Type BTC/USDT" in text_of(app)
        await press(app, pilot, "y", "enter")
        assert is_on(app, Confirm)
        app.screen.query_one("#word", Input).value = "BTC/USDT"
        await press(app, pilot, "enter")

    wishes = on_story(a_review_story(), script).wishes
    assert wishes == [(CommandKind.DECLARE_ABSENT, SIGNAL_ID, "order history is empty", {}, 7)]


def test_a_reason_by_somebody_else_carries_that_name() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "B")
        await fill_in(app, pilot, name="olaf", why="asked support")
        app.screen.query_one("#word", Input).value = "BTC/USDT"
        await press(app, pilot, "enter")

    assert on_story(a_review_story(), script).wishes[0][2] == "asked support (answered for by olaf)"


def test_absence_without_a_reason_is_not_taken() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "B", "enter", "enter")
        assert is_on(app, AskText)

    assert on_story(a_review_story(), script).wishes == []
