"""An error's screen: everything that is known of it, and what to do next."""

from __future__ import annotations

import json
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.clock import ManualClock
from engine.core.events import Event, EventKind, Level
from tests.support.screen_bridge import HOSTILE, RecordingBridge, Showing, is_clean, is_on, play, press, text_of
from tests.support.stories import SIGNAL_ID, a_board, a_failed_story, a_trader, an_event, at
from tui.dossiers import error_sections, next_step
from tui.screens.error import ErrorScreen
from tui.screens.story import StoryScreen
from tui.screens.trader import TraderScreen

SIZES = [(80, 24), (120, 40)]


def an_error(**fields: Any) -> Event:
    defaults: dict[str, Any] = {
        "level": Level.ERROR,
        "attempt_n": 2,
        "trader": "trader_momentum",
        "code": "doubtful",
        "from_state": "intent",
        "to_state": "unknown",
        "detail": {"error": "reset by peer", "tries": [1, 2]},
    }
    return an_event(41, EventKind.ATTEMPT, 35, "no answer within 5 s", **{**defaults, **fields})


def a_screen(event: Event, **options: Any) -> ErrorScreen:
    bridge = RecordingBridge(a_failed_story(), board=a_board(traders=(a_trader(),)), **options)
    return ErrorScreen(bridge, event, clock=ManualClock(at(40)))


@pytest.mark.parametrize(
    ("event", "begins"),
    [
        (an_error(), "nothing: the outcome is looked up"),
        (an_error(code="auth"), "correct the key"),
        (an_error(code="something new"), "open the signal's story"),
        (an_error(detail={"remedy": "turn it off and on"}), "turn it off and on"),
        (an_event(1, EventKind.STORE, 1, "disk full", level=Level.ERROR), "nothing is sent until"),
        (an_event(1, EventKind.POSITION, 1, "odd", level=Level.WARNING), "nothing, unless it comes again"),
    ],
)
def test_every_error_says_what_to_do_next(event: Event, begins: str) -> None:
    assert next_step(event).startswith(begins)
    assert next_step(event) in error_sections(event)[0].plain


def test_an_unknown_outcome_is_never_said_to_be_retried() -> None:
    for code in ("doubtful", "lose_answer", "orphan"):
        assert next_step(an_error(code=code)).startswith("nothing: ")


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ("2026-01-01T12:00:35.421465+00:00", "2026-01-01 12:00:35Z"),
        ("2026-99-01T12:00:35+00:00", "2026-99-01T12:00:35+00:00"),
        ("until tomorrow", "until tomorrow"),
    ],
)
def test_a_moment_in_the_detail_is_told_as_all_times_are(kept: str, told: str) -> None:
    assert f"open until {told}" in error_sections(an_error(detail={"open_until": kept}))[-1].plain


def test_what_became_of_the_signal_is_told_apart_from_the_rest() -> None:
    became = {"state": "waiting", "code": "funds", "reason": "the account lacks 12 USDT"}
    told = {section.key: section.plain for section in error_sections(an_error(detail={"error": "x", "signal": became}))}
    assert "the account lacks 12 USDT" in told["became"]
    assert "{" not in told["became"]
    assert "funds" not in told["detail"]
    assert "odd" in error_sections(an_error(detail={"signal": "odd"}))[-1].plain, "a word of another shape is kept"


def test_every_field_of_an_error_is_told() -> None:
    text = "\n".join(section.plain for section in error_sections(an_error()))
    for field in (
        "no answer within 5 s",
        "ERR",
        "doubtful",
        "2026-01-01 12:00:35Z",
        "trader_momentum",
        "attempt 2",
        "from intent",
        "to unknown",
        "number 41",
        "engine start 3",
        SIGNAL_ID,
        "reset by peer",
        "[1, 2]",
    ):
        assert field in text


def test_enter_opens_its_signal_and_o_its_trader() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "enter")
        assert is_on(app, StoryScreen)
        await press(app, pilot, "escape", "o")
        assert is_on(app, TraderScreen)
        await press(app, pilot, "q")
        assert is_on(app, ErrorScreen)
        await press(app, pilot, "q")
        assert not is_on(app, ErrorScreen)

    play(a_screen(an_error()), script)


def test_an_error_of_nobody_opens_nothing() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "enter", "o")
        assert is_on(app, ErrorScreen)

    play(a_screen(an_error(signal_id=None, trader=None)), script)


def test_text_and_json_are_sent_to_the_clipboard() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "y")
        assert app.clipboard == "no answer within 5 s"
        await press(app, pilot, "Y")
        assert json.loads(app.clipboard)["seq"] == 41

    play(a_screen(an_error()), script)


@pytest.mark.parametrize("size", SIZES)
def test_it_is_on_the_screen_at_once(size: tuple[int, int]) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        text = text_of(app)
        assert "no answer within 5 s" in text
        assert "What to do" in text

    play(a_screen(an_error()), script, size)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_only_text(text: str) -> None:
    event = an_event(
        1,
        EventKind.ATTEMPT,
        1,
        text,
        code=text,
        trader=text,
        from_state=text,
        to_state=text,
        signal_id=text,
        detail={text: text, "list": [text, {text: text}]},
    )

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await press(app, pilot, "G")
            assert is_clean(text_of(app))

    play(a_screen(event), script)
