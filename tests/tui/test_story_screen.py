"""The story's screen: keys, refresh, wishes, the two answers to a review."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.clock import ManualClock
from engine.core.board import Story
from engine.core.commands import CommandKind, CommandState
from engine.core.errors import CommandRefused, NotThere, SignalDeckError
from engine.core.events import Signal
from engine.core.lifecycle import RETRYABLE_SIGNALS, SignalState
from engine.core.values import Reason
from tests.support.screen_bridge import (
    HOSTILE,
    RecordingBridge,
    Showing,
    is_clean,
    is_on,
    play,
    press,
    settled,
    text_of,
)
from tests.support.stories import (
    SIGNAL_ID,
    a_failed_story,
    a_held_story,
    a_refused_story,
    a_review_story,
    a_signal,
    a_traded_story,
    a_trader,
    at,
    hostile_story,
)
from tui.screens.confirm import AskText, Confirm
from tui.screens.story import StoryScreen
from tui.screens.trader import TraderScreen

SIZES = [(80, 24), (120, 40)]
Script = Callable[[Showing, Pilot[None]], Awaitable[None]]


def screen_of(bridge: RecordingBridge, signal_id: str = SIGNAL_ID) -> StoryScreen:
    return StoryScreen(bridge, signal_id, clock=ManualClock(at(10)))


def use(story: Story, script: Script, *, read_only: bool = False, size: tuple[int, int] = (80, 24)) -> RecordingBridge:
    bridge = RecordingBridge(story, read_only=read_only)
    play(screen_of(bridge, story.signal.id), script, size)
    return bridge


def pressing(*keys: str) -> Script:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, *keys)

    return script


@pytest.mark.parametrize("size", SIZES)
def test_the_answer_to_why_is_on_the_screen_at_once(size: tuple[int, int]) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        text = text_of(app)
        assert "PAPER" in text
        assert "Held back" in text
        assert "5 positions of 5 allowed" in text
        assert "close a position, or raise positions_max" in text

    use(a_held_story(), script, size=size)


@pytest.mark.parametrize("key", ["escape", "q"])
def test_leaving_goes_back(key: str) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, key)
        assert not is_on(app, StoryScreen)

    use(a_held_story(), script)


@pytest.mark.parametrize("story", [a_failed_story(), a_refused_story()])
def test_retry_hands_in_the_version_that_was_seen(story: Story) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "R")
        assert ("information", "done") in app.toasts

    assert use(story, script).wishes == [(CommandKind.RETRY, SIGNAL_ID, "", {}, 7)]


@pytest.mark.parametrize("state", [s for s in SignalState if s not in RETRYABLE_SIGNALS])
def test_retry_does_nothing_where_it_cannot_apply(state: SignalState) -> None:
    assert use(Story(a_signal(state), (), (), ()), pressing("R")).wishes == []


def test_cancel_asks_first_and_enter_says_no() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "X")
        assert is_on(app, Confirm)
        await press(app, pilot, "enter")
        assert is_on(app, StoryScreen)

    assert use(a_held_story(), script).wishes == []


def test_cancel_goes_out_after_a_yes() -> None:
    assert use(a_held_story(), pressing("X", "y")).wishes == [(CommandKind.CANCEL, SIGNAL_ID, "", {}, None)]


@pytest.mark.parametrize(
    "signal",
    [
        a_signal(SignalState.DONE),
        a_signal(SignalState.NEEDS_REVIEW),
        a_signal(SignalState.WAITING, cancel_requested=True),
    ],
)
def test_cancel_does_nothing_where_it_cannot_apply(signal: Signal) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "X")
        assert is_on(app, StoryScreen)

    assert use(Story(signal, (), (), ()), script).wishes == []


def test_cancelling_what_may_be_out_already_says_so() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "X")
        assert "Its order may be out already" in text_of(app)

    use(Story(a_signal(SignalState.EXECUTING), (), (), ()), script)


@pytest.mark.parametrize("key", ["A", "B"])
@pytest.mark.parametrize("story", [a_held_story(), a_failed_story(), a_traded_story()])
def test_a_review_is_answered_only_where_there_is_one(story: Story, key: str) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, key)
        assert is_on(app, StoryScreen)

    use(story, script)


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

    wishes = use(a_review_story(), script).wishes
    assert wishes == [(CommandKind.ATTACH, SIGNAL_ID, "open orders page", {"venue_order_id": "77120045"}, 7)]


def test_what_is_no_order_id_is_not_taken() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "A")
        for order in ("", "two words", "x" * 65, "漢字"):
            await fill_in(app, pilot, order=order, why="seen")
            assert is_on(app, AskText)

    assert use(a_review_story(), script).wishes == []


@pytest.mark.parametrize("turn_back", [["escape"], ["enter"]])
def test_naming_the_order_can_be_left_at_the_confirmation(turn_back: list[str]) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "A")
        await fill_in(app, pilot, order="1", why="seen")
        await press(app, pilot, *turn_back)
        assert is_on(app, StoryScreen)

    assert use(a_review_story(), script).wishes == []


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

    wishes = use(a_review_story(), script).wishes
    assert wishes == [(CommandKind.DECLARE_ABSENT, SIGNAL_ID, "order history is empty", {}, 7)]


def test_a_reason_by_somebody_else_carries_that_name() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "B")
        await fill_in(app, pilot, name="olaf", why="asked support")
        app.screen.query_one("#word", Input).value = "BTC/USDT"
        await press(app, pilot, "enter")

    assert use(a_review_story(), script).wishes[0][2] == "asked support (answered for by olaf)"


def test_absence_without_a_reason_is_not_taken() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "B", "enter", "enter")
        assert is_on(app, AskText)

    assert use(a_review_story(), script).wishes == []


@pytest.mark.parametrize(("story", "keys"), [(a_failed_story(), "R"), (a_held_story(), "X"), (a_review_story(), "AB")])
def test_a_reader_can_look_but_not_act(story: Story, keys: str) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, *keys)
        assert is_on(app, StoryScreen)
        shown = {b.binding.action for b in app.screen.active_bindings.values()}
        assert not shown & StoryScreen.WISHING

    assert use(story, script, read_only=True).wishes == []


def test_a_refused_wish_is_told_with_its_reason() -> None:
    bridge = RecordingBridge(a_failed_story())
    bridge.answer = (CommandState.REFUSED, "its attempt is not resolved [bold]yet")

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "R")
        assert app.toasts == [("warning", "its attempt is not resolved [bold]yet")]

    play(screen_of(bridge), script)


@pytest.mark.parametrize("trouble", [NotThere("no engine answers"), CommandRefused("[/] halted")])
def test_a_failing_bridge_is_an_error_toast_and_never_an_end(trouble: SignalDeckError) -> None:
    bridge = RecordingBridge(a_failed_story())

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        bridge.trouble = trouble
        await press(app, pilot, "R")
        assert ("error", str(trouble)) in app.toasts
        assert str(trouble) in text_of(app).splitlines()[0]
        bridge.trouble = None
        await press(app, pilot, "R")
        assert ("information", "done") in app.toasts
        assert str(trouble) not in text_of(app).splitlines()[0]

    play(screen_of(bridge), script)


def test_while_a_wish_is_under_way_the_screen_says_so_and_takes_no_second_one() -> None:
    bridge = RecordingBridge(a_failed_story())
    bridge.hold()

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await pilot.press("R")
        await pilot.pause()
        assert "retrying…" in text_of(app)
        await pilot.press("R")
        await pilot.pause()
        bridge.release()
        await settled(app, pilot)
        assert "retrying…" not in text_of(app)

    play(screen_of(bridge), script)
    assert len(bridge.wishes) == 1


def test_leaving_does_not_take_a_wish_back() -> None:
    bridge = RecordingBridge(a_failed_story())
    bridge.hold()

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await pilot.press("R", "escape")
        await pilot.pause()
        bridge.release()
        await settled(app, pilot)
        assert app.toasts == [("information", "done")]

    play(screen_of(bridge), script)
    assert len(bridge.wishes) == 1


def test_what_was_committed_meanwhile_is_shown_and_the_scroll_is_kept() -> None:
    bridge = RecordingBridge(a_failed_story())

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        shown = app.screen
        assert isinstance(shown, StoryScreen)
        await press(app, pilot, "j", "j", "j")
        body = shown.query_one("#body")
        assert body.scroll_y == 3
        failed = a_failed_story()
        waiting = replace(
            failed.signal, state=SignalState.WAITING, reason=Reason("retried", "maria put it back"), version=8
        )
        bridge.tell(replace(failed, signal=waiting))
        await shown.look()
        await pilot.pause()
        assert body.scroll_y == 3
        await press(app, pilot, "g")
        assert "Held back" in text_of(app)

    play(screen_of(bridge), script)


def test_attempts_appear_as_they_are_made() -> None:
    bridge = RecordingBridge(a_held_story())

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        shown = app.screen
        assert isinstance(shown, StoryScreen)
        bridge.tell(a_failed_story())
        await shown.look()
        await pilot.pause()
        keys = [sheet.id for sheet in shown.query("Sheet")]
        assert keys == [
            f"section-{key}"
            for key in ("why", "facts", "votes", "gate", "traders", "attempt-1", "attempt-2", "attempt-3", "events")
        ]
        bridge.tell(a_held_story())
        await shown.look()
        await pilot.pause()
        assert [sheet.id for sheet in shown.query("Sheet")][5] == "section-attempts"

    play(screen_of(bridge), script)


def test_time_passes_on_an_open_signal_though_nothing_is_committed() -> None:
    bridge, clock = RecordingBridge(a_held_story()), ManualClock(at(10))

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        shown = app.screen
        assert isinstance(shown, StoryScreen)
        assert "12:02:00 (in 1m50s)" in text_of(app)
        clock.advance(3)
        await shown.look()
        await pilot.pause()
        assert "12:02:00 (in 1m47s)" in text_of(app)

    play(StoryScreen(bridge, SIGNAL_ID, clock=clock), script)


def test_an_engine_that_went_silent_is_said_to_be_silent() -> None:
    clock = ManualClock(at(42))

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        assert "engine silent for 32s" in text_of(app).splitlines()[0]

    play(StoryScreen(RecordingBridge(a_held_story()), SIGNAL_ID, clock=clock), script)


def test_keys_scroll() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        places = []
        for key in ("j", "down", "k", "up", "ctrl+f", "ctrl+b", "pagedown", "pageup", "G", "g", "end", "home"):
            await press(app, pilot, key)
            places.append(app.screen.query_one("#body").scroll_y)
        end = app.screen.query_one("#body").max_scroll_y
        assert places == [1, 2, 1, 0, 21, 0, 21, 0, end, 0, end, 0]

    use(a_failed_story(), script)


def test_the_end_shows_the_last_event() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "G")
        assert "3 of 3 attempts are used up  failed" in text_of(app)

    use(a_failed_story(), script)


def test_the_id_and_the_story_are_sent_to_the_clipboard() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "y")
        assert app.clipboard == SIGNAL_ID
        await press(app, pilot, "Y")
        assert json.loads(app.clipboard)["signal"]["id"] == SIGNAL_ID
        assert all(text.endswith("sent to clipboard") for _, text in app.toasts)

    use(a_traded_story(), script)


def test_a_story_too_long_for_the_clipboard_is_not_cut() -> None:
    story = a_traded_story()
    story = replace(story, events=story.events * 200)

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "Y")
        assert app.clipboard == ""
        assert app.toasts[0][0] == "warning"

    use(story, script)


def test_o_opens_the_trader_and_escape_comes_back() -> None:
    bridge = RecordingBridge(a_traded_story())
    bridge.picture = replace(bridge.picture, traders=(a_trader(),))

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "o")
        assert is_on(app, TraderScreen)
        await press(app, pilot, "escape")
        assert is_on(app, StoryScreen)

    play(screen_of(bridge), script)


def test_o_does_nothing_without_a_trader() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "o")
        assert is_on(app, StoryScreen)

    use(Story(a_signal(), (), (), ()), script)


def test_a_signal_that_is_not_there_is_said_not_to_be_there() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        assert "Not there" in text_of(app)
        await press(app, pilot, "R", "X", "A", "B", "o", "Y")
        assert is_on(app, StoryScreen)

    bridge = RecordingBridge()
    play(screen_of(bridge, "nothing"), script)
    assert bridge.wishes == []


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_only_text(text: str) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await press(app, pilot, "G", "A", "escape")
            assert is_on(app, StoryScreen)
            assert is_clean(text_of(app))

    use(hostile_story(text), script)
