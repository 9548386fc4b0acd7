"""The story's screen: keys, refresh, wishes, the two answers to a review."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from engine.clock import ManualClock
from engine.core.board import EngineState, Story
from engine.core.commands import CommandKind, CommandState
from engine.core.errors import CommandRefused, NotThere, SignalDeckError
from engine.core.events import Signal
from engine.core.lifecycle import RETRYABLE_SIGNALS, SignalState
from engine.core.values import Reason
from tests.support.screen_bridge import (
    HOSTILE,
    RecordingBridge,
    Script,
    Showing,
    is_clean,
    is_on,
    on_story,
    play,
    press,
    settled,
    story_screen,
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
from tui.screens.confirm import Confirm
from tui.screens.story import StoryScreen
from tui.screens.trader import TraderScreen
from tui.widgets.hints import Hints

SIZES = [(80, 24), (120, 40)]


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

    on_story(a_held_story(), script, size=size)


@pytest.mark.parametrize("key", ["escape", "q"])
def test_leaving_goes_back(key: str) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, key)
        assert not is_on(app, StoryScreen)

    on_story(a_held_story(), script)


def test_a_click_on_a_hint_is_its_key() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await pilot.click(Hints, offset=(2, 0))
        await pilot.pause()
        assert not is_on(app, StoryScreen), "esc Back stands there"

    on_story(a_held_story(), script)


@pytest.mark.parametrize("story", [a_failed_story(), a_refused_story()])
def test_retry_hands_in_the_version_that_was_seen(story: Story) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "R")
        assert ("information", "done") in app.toasts

    assert on_story(story, script).wishes == [(CommandKind.RETRY, SIGNAL_ID, "", {}, 7)]


@pytest.mark.parametrize("state", [s for s in SignalState if s not in RETRYABLE_SIGNALS])
def test_retry_does_nothing_where_it_cannot_apply(state: SignalState) -> None:
    assert on_story(Story(a_signal(state), (), (), ()), pressing("R")).wishes == []


def test_cancel_asks_first_and_enter_says_no() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "X")
        assert is_on(app, Confirm)
        await press(app, pilot, "enter")
        assert is_on(app, StoryScreen)

    assert on_story(a_held_story(), script).wishes == []


def test_cancel_goes_out_after_a_yes() -> None:
    assert on_story(a_held_story(), pressing("X", "y")).wishes == [(CommandKind.CANCEL, SIGNAL_ID, "", {}, None)]


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

    assert on_story(Story(signal, (), (), ()), script).wishes == []


def test_cancelling_what_may_be_out_already_says_so() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "X")
        assert "Its order may be out already" in text_of(app)

    on_story(Story(a_signal(SignalState.EXECUTING), (), (), ()), script)


@pytest.mark.parametrize(("story", "keys"), [(a_failed_story(), "R"), (a_held_story(), "X"), (a_review_story(), "AB")])
def test_a_reader_can_look_but_not_act(story: Story, keys: str) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, *keys)
        assert is_on(app, StoryScreen)
        shown = {b.binding.action for b in app.screen.active_bindings.values()}
        assert not shown & StoryScreen.WISHING

    assert on_story(story, script, read_only=True).wishes == []


def test_a_refused_wish_is_told_with_its_reason() -> None:
    bridge = RecordingBridge(a_failed_story())
    bridge.answer = (CommandState.REFUSED, "its attempt is not resolved [bold]yet")

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "R")
        assert app.toasts == [("warning", "its attempt is not resolved [bold]yet")]

    play(story_screen(bridge), script)


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

    play(story_screen(bridge), script)


def test_while_a_wish_is_under_way_the_screen_says_so_and_takes_no_second_one() -> None:
    bridge = RecordingBridge(a_failed_story())
    bridge.hold()

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        shown = app.screen
        assert isinstance(shown, StoryScreen)
        await pilot.press("R")
        await pilot.pause()
        assert "retrying…" in text_of(app)
        assert shown.check_action("retry", ()) is None
        shown.action_retry()
        await pilot.pause()
        bridge.release()
        await settled(app, pilot)
        assert "retrying…" not in text_of(app)
        assert shown.check_action("retry", ()) is True

    play(story_screen(bridge), script)
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

    play(story_screen(bridge), script)
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

    play(story_screen(bridge), script)


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
            for key in (
                "why",
                "facts",
                "votes",
                "gate",
                "traders",
                "timeline",
                "attempt-1",
                "attempt-2",
                "attempt-3",
                "events",
            )
        ]
        bridge.tell(a_held_story())
        await shown.look()
        await pilot.pause()
        assert [sheet.id for sheet in shown.query("Sheet")][6] == "section-attempts"

    play(story_screen(bridge), script)


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


def test_an_engine_that_was_stopped_is_said_to_be_stopped() -> None:
    bridge = RecordingBridge(a_held_story())
    assert bridge.picture.engine is not None
    bridge.picture = replace(bridge.picture, engine=replace(bridge.picture.engine, state=EngineState.STOPPED))

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        assert "engine stopped" in text_of(app).splitlines()[0]

    play(story_screen(bridge), script)


def test_keys_scroll_by_lines_pages_and_to_both_ends() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        places = []
        for key in ("j", "down", "k", "up", "ctrl+f", "ctrl+b", "pagedown", "pageup", "G", "g", "end", "home"):
            await press(app, pilot, key)
            places.append(app.screen.query_one("#body").scroll_y)
        end = app.screen.query_one("#body").max_scroll_y
        assert places == [1, 2, 1, 0, 21, 0, 21, 0, end, 0, end, 0]

    on_story(a_failed_story(), script)


def test_the_end_shows_the_last_event() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "G")
        assert "3 of 3 attempts are used up  failed" in text_of(app)

    on_story(a_failed_story(), script)


def test_the_id_and_the_story_are_sent_to_the_clipboard() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "y")
        assert app.clipboard == SIGNAL_ID
        await press(app, pilot, "Y")
        assert json.loads(app.clipboard)["signal"]["id"] == SIGNAL_ID
        assert all(text.endswith("sent to clipboard") for _, text in app.toasts)

    on_story(a_traded_story(), script)


def test_a_story_too_long_for_the_clipboard_is_not_cut() -> None:
    story = a_traded_story()
    story = replace(story, events=story.events * 200)

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "Y")
        assert app.clipboard == ""
        assert app.toasts[0][0] == "warning"

    on_story(story, script)


def test_o_opens_the_trader_and_escape_comes_back() -> None:
    bridge = RecordingBridge(a_traded_story())
    bridge.picture = replace(bridge.picture, traders=(a_trader(),))

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "o")
        assert is_on(app, TraderScreen)
        await press(app, pilot, "escape")
        assert is_on(app, StoryScreen)

    play(story_screen(bridge), script)


def test_o_does_nothing_without_a_trader() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "o")
        assert is_on(app, StoryScreen)

    on_story(Story(a_signal(), (), (), ()), script)


def test_a_signal_that_is_not_there_is_said_not_to_be_there() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        assert "Not there" in text_of(app)
        await press(app, pilot, "R", "X", "A", "B", "o", "Y")
        assert is_on(app, StoryScreen)

    bridge = RecordingBridge()
    play(story_screen(bridge, "nothing"), script)
    assert bridge.wishes == []


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_only_text(text: str) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await press(app, pilot, "G", "A", "escape")
            assert is_on(app, StoryScreen)
            assert is_clean(text_of(app))

    on_story(hostile_story(text), script)
