"""News of alerts: each is told once, the bell rings for the bad ones, and a storm of them is counted, not shouted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from textual.notifications import Notification
from textual.widgets._toast import Toast

from engine.core.events import Alert, AlertState, Severity
from tests.support.boards import NOON
from tests.support.stage import NEVER_S, Stage, perform
from tests.support.stories import an_alert
from tui.app import Dress
from tui.herald import Bell, Herald, Patience, Volume
from tui.screens.confirm import Confirm


def alerts(*numbers: int, severity: Severity = Severity.CRITICAL) -> list[Alert]:
    return [an_alert(id=n, severity=severity, text=f"alert {n}") for n in numbers]


def a_listener(bell: Bell = Bell.CRITICAL, per_minute: int = 6) -> Herald:
    herald = Herald(Volume(bell, per_minute))
    assert herald.hear([], NOON) == ([], False)
    return herald


def test_each_alert_is_told_once_and_what_was_there_at_the_start_is_not_news() -> None:
    herald = Herald(Volume())
    assert herald.hear(alerts(1), NOON) == ([], False)
    news, rings = herald.hear(alerts(1, 2), NOON)
    assert ([one.text for one in news], rings) == (["alert 2"], True)
    assert herald.hear(alerts(1, 2), NOON) == ([], False)


def test_one_that_is_seen_resolved_and_raised_again_is_news_again() -> None:
    herald = a_listener()
    herald.hear(alerts(1), NOON)
    assert herald.hear([an_alert(id=1, state=AlertState.ACKNOWLEDGED)], NOON) == ([], False)
    assert herald.hear(alerts(1), NOON)[0]


def test_a_storm_is_told_up_to_the_rate_and_the_rest_is_counted() -> None:
    herald = a_listener(per_minute=3)
    news, _ = herald.hear(alerts(*range(1, 11)), NOON)
    assert [one.text for one in news] == ["alert 1", "alert 2", "alert 3"]
    assert herald.hear(alerts(*range(1, 11)), NOON + timedelta(seconds=59))[0] == []
    news, _ = herald.hear(alerts(*range(1, 11)), NOON + timedelta(seconds=60))
    assert [one.text for one in news] == ["7 more alerts were raised; f4 lists all"]


@pytest.mark.parametrize(
    ("bell", "severity", "rings"),
    [
        (Bell.NEVER, Severity.CRITICAL, False),
        (Bell.CRITICAL, Severity.CRITICAL, True),
        (Bell.CRITICAL, Severity.WARNING, False),
        (Bell.ALL, Severity.WARNING, True),
    ],
)
def test_the_bell_rings_for_what_it_is_set_to(bell: Bell, severity: Severity, rings: bool) -> None:
    assert a_listener(bell, 0).hear(alerts(1, severity=severity), NOON) == ([], rings)


def test_the_bell_does_not_ring_without_a_pause() -> None:
    herald = a_listener()
    rung = [herald.hear(alerts(*range(n)), NOON + timedelta(seconds=n))[1] for n in range(1, 25)]
    assert [n for n, rings in enumerate(rung, 1) if rings] == [1, 11, 21]


def test_an_alert_is_told_on_whatever_screen_one_is() -> None:
    async def scene(stage: Stage) -> None:
        rung: list[bool] = []
        stage.app.bell = lambda: rung.append(True)  # type: ignore[method-assign]  # what a terminal would hear
        await stage.tick()
        hostile = an_alert(id=77, text="[/red] trouble", state=AlertState.ACTIVE)
        stage.bridge.show(alerts=(hostile,))
        await stage.tick()
        assert stage.toasts == ["Alert: [/red] trouble"]
        await stage.press("2", "enter")
        await stage.until(lambda: stage.app.screen is not stage.main)
        stage.bridge.show(alerts=(hostile, an_alert(id=78, text="more trouble")))
        await stage.until(lambda: "Alert: more trouble" in stage.toasts)
        assert rung == [True], "twice within a moment is once"

    perform(scene, dress=Dress(refresh_s=NEVER_S))


def test_no_message_covers_a_question_whether_it_came_before_or_while_it_is_asked() -> None:
    alerts = [an_alert(id=n, text=f"trouble {n} " * 12, state=AlertState.ACTIVE) for n in range(77, 81)]

    async def scene(stage: Stage) -> None:
        stage.bridge.show(alerts=tuple(alerts[:3]))
        await stage.tick()
        await stage.until(lambda: "trouble 78" in stage.text)
        await stage.press("K")
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        await stage.pilot.pause()
        asked = stage.text
        for words in ("Halt everything?", "Type HALT to go on", "No, leave it", "Yes, halt everything", "a restart."):
            assert words in asked
        stage.bridge.show(alerts=tuple(alerts))
        await stage.tick()
        assert not [toast for toast in stage.toasts if "trouble 80" in toast]
        assert len(stage.app.screen.query(Toast)) == 0
        await stage.press("escape")
        await stage.until(lambda: any("trouble 80" in toast for toast in stage.toasts))
        await stage.until(lambda: "trouble 80" in stage.text)

    perform(scene, dress=Dress(refresh_s=NEVER_S))


def test_of_many_messages_that_waited_the_newest_come_and_the_others_are_counted() -> None:
    patience = Patience()
    assert patience.release() == []
    for n in range(9):
        patience.hold(Notification(f"message {n}"))
    waited = [one.message for one in patience.release()]
    assert waited == [
        "4 messages more came while you were asked; f4 lists the alerts",
        *(f"message {n}" for n in range(4, 9)),
    ]
    assert patience.release() == []
