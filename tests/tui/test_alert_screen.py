"""An alert's screen: what is wrong, since when, who has seen it, what to do, and the rule behind it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.clock import ManualClock
from engine.core.alerts import RULES
from engine.core.commands import CommandKind
from engine.core.events import Alert, AlertState, Severity
from tests.support.screen_bridge import HOSTILE, RecordingBridge, Showing, is_clean, is_on, play, press, text_of
from tests.support.stories import SIGNAL_ID, a_board, a_held_story, a_trader, an_alert, at
from tui.dossiers import alert_sections
from tui.screens.alert import AlertScreen
from tui.screens.story import StoryScreen
from tui.screens.trader import TraderScreen

SIZES = [(80, 24), (120, 40)]


def text_for(alert: Alert) -> str:
    return "\n".join(section.plain for section in alert_sections(alert, at(10)))


def a_bridge(alert: Alert, **options: Any) -> RecordingBridge:
    return RecordingBridge(a_held_story(), board=a_board(traders=(a_trader(),), alerts=(alert,)), **options)


def a_screen(alert: Alert, bridge: RecordingBridge | None = None) -> AlertScreen:
    return AlertScreen(bridge or a_bridge(alert), alert, clock=ManualClock(at(10)))


def test_everything_about_an_alert_is_told() -> None:
    text = text_for(
        an_alert(
            state=AlertState.ACKNOWLEDGED,
            ack_by="maria",
            ack_at=at(5),
            snoozed_until=at(310),
            repeats=3,
            signal_id=SIGNAL_ID,
        )
    )
    for fact in (
        "unavailable for 73 s",
        "look at its last errors",
        "acknowledged",
        "critical",
        "trader_momentum",
        "times raised 3",
        "2026-01-01 11:58:47Z",
        "for 1m23s",
        "seen by maria",
        "seen at 12:00:05",
        "until 12:05:10 (5m00s more)",
        SIGNAL_ID,
        "trader_unavailable",
    ):
        assert fact in text


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_tells_what_it_means(rule: str) -> None:
    text = text_for(an_alert(rule=rule))
    assert RULES[rule].help.split(".")[0] in text


def test_an_alert_of_a_rule_that_is_gone_is_still_told() -> None:
    assert "name no_such_rule" in text_for(an_alert(rule="no_such_rule"))


def test_an_alert_that_is_over_asks_for_nothing() -> None:
    text = text_for(an_alert(state=AlertState.RESOLVED, resolved_at=at(0)))
    assert text.startswith("Resolved")
    assert "nothing: it is over" in text
    assert "for 1m13s" in text


def test_nobody_has_seen_a_new_alert() -> None:
    assert "seen by nobody yet" in text_for(an_alert())


def test_a_acknowledges_and_z_snoozes_for_a_quarter_of_an_hour() -> None:
    bridge = a_bridge(an_alert())

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "a", "z")

    play(a_screen(an_alert(), bridge), script)
    assert [(kind, target, args) for kind, target, _, args, _ in bridge.wishes] == [
        (CommandKind.ACKNOWLEDGE, "12", {}),
        (CommandKind.SNOOZE, "12", {"seconds": "900"}),
    ]


@pytest.mark.parametrize(
    ("state", "kinds"),
    [
        (AlertState.ACKNOWLEDGED, [CommandKind.SNOOZE]),
        (AlertState.RESOLVED, []),
    ],
)
def test_what_was_seen_or_is_over_takes_fewer_answers(state: AlertState, kinds: list[CommandKind]) -> None:
    bridge = a_bridge(an_alert(state=state))

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "a", "z")

    play(a_screen(an_alert(state=state), bridge), script)
    assert [kind for kind, *_ in bridge.wishes] == kinds


def test_a_reader_can_look_but_not_act() -> None:
    bridge = a_bridge(an_alert(), read_only=True)

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "a", "z")
        assert "Acknowledge" not in text_of(app)

    play(a_screen(an_alert(), bridge), script)
    assert bridge.wishes == []


def test_enter_opens_the_signal_that_it_is_about() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "enter")
        assert is_on(app, StoryScreen)

    play(a_screen(an_alert(signal_id=SIGNAL_ID)), script)


def test_enter_opens_the_trader_that_it_is_about() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "enter")
        assert is_on(app, TraderScreen)
        await press(app, pilot, "escape")
        assert is_on(app, AlertScreen)

    play(a_screen(an_alert()), script)


def test_enter_opens_nothing_where_there_is_nothing_to_open() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "enter")
        assert is_on(app, AlertScreen)

    play(a_screen(an_alert(subject="")), script)


def test_the_alert_is_shown_as_it_is_by_now() -> None:
    bridge = a_bridge(an_alert())

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        shown = app.screen
        assert isinstance(shown, AlertScreen)
        bridge.show(a_board(alerts=(an_alert(state=AlertState.ACKNOWLEDGED, ack_by="olaf", ack_at=at(9)),)))
        await shown.look()
        await pilot.pause()
        assert "olaf" in text_of(app)
        bridge.show(a_board())
        await shown.look()
        await pilot.pause()
        assert "olaf" in text_of(app)  # as it was last seen

    play(a_screen(an_alert(), bridge), script)


def test_its_text_and_all_of_it_as_json_are_sent_to_the_clipboard() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "y")
        assert app.clipboard == an_alert().text
        await press(app, pilot, "Y")
        assert json.loads(app.clipboard)["rule"] == an_alert().rule

    play(a_screen(an_alert()), script)


@pytest.mark.parametrize("severity", list(Severity))
def test_every_severity_is_a_word(severity: Severity) -> None:
    assert text_for(an_alert(severity=severity)).startswith(severity.value.capitalize())


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_only_text(text: str) -> None:
    alert = an_alert(rule=text, subject=text, text=text, remedy=text, ack_by=text, signal_id=text)

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await press(app, pilot, "G")
            assert is_clean(text_of(app))

    play(a_screen(alert), script)
