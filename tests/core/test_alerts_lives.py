"""How conditions become alerts: waiting, keeping, flapping, restarts, and operators' words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from engine.core.alerting import FLAPPING, Change, Key, Watch, acknowledged, snoozed
from engine.core.alerts import AlertFacts, AlertSettings, OpenCase, evaluate
from engine.core.events import Alert, AlertState, Health, Severity
from tests.core.cases import a_trader
from tests.support.builders import NOW

STEP_S = 5
DOWN = AlertFacts(NOW, traders=(a_trader(health=Health.DOWN, health_fact="no answer"),))
BROKEN = AlertFacts(NOW, store_error="disk full")
CALM = AlertFacts(NOW)


@dataclass
class Desk:
    """An alerter in miniature: looks every 5 s and keeps the rows."""

    settings: AlertSettings = field(default_factory=AlertSettings)
    rows: dict[int, Alert] = field(default_factory=dict)
    pending: Mapping[Key, Watch] = field(default_factory=dict)
    at_s: float = 0.0

    def look(self, facts: AlertFacts, for_s: float = STEP_S) -> list[Change]:
        """Let `facts` hold for that long; returns what changed, refreshes included."""
        changes: list[Change] = []
        end = self.at_s + for_s
        while self.at_s < end:
            moment = replace(facts, now=NOW + timedelta(seconds=self.at_s))
            outcome = evaluate(list(self.rows.values()), self.pending, moment, self.settings)
            self.pending = outcome.pending
            for change in outcome.changes:
                row = replace(change.alert, id=change.alert.id or len(self.rows) + 1)
                self.rows[row.id] = row
                changes.append(change)
            self.at_s += STEP_S
        return changes

    def codes(self, facts: AlertFacts, for_s: float = STEP_S) -> list[str]:
        return [c.code for c in self.look(facts, for_s)]

    def restart(self) -> None:
        self.pending = {}

    @property
    def open(self) -> list[Alert]:
        return [a for a in self.rows.values() if a.state is not AlertState.RESOLVED]


def test_a_condition_is_raised_after_its_waiting_time_and_once() -> None:
    desk = Desk()
    assert desk.codes(DOWN, 60) == []
    assert desk.codes(DOWN) == ["raised"]
    assert desk.codes(DOWN, 55) == []


def test_a_gap_restarts_the_waiting() -> None:
    desk = Desk()
    desk.look(DOWN, 55)
    desk.look(CALM)
    assert desk.codes(DOWN, 60) == []
    assert desk.codes(DOWN) == ["raised"]


def test_what_is_immediate_is_raised_at_the_first_look() -> None:
    assert Desk().codes(BROKEN) == ["raised"]


def test_an_unknown_outcome_is_counted_from_its_own_beginning() -> None:
    facts = AlertFacts(NOW, unknown=(OpenCase("00aa", "a", NOW - timedelta(seconds=50)),))
    desk = Desk()
    assert desk.codes(facts, 10) == []
    assert desk.codes(facts) == ["raised"]


def test_an_alert_is_kept_for_its_quiet_time_and_then_resolved() -> None:
    desk = Desk()
    desk.look(BROKEN)
    assert desk.codes(CALM, 30) == []
    [change] = desk.look(CALM)
    assert change.code == "resolved"
    assert change.alert.state is AlertState.RESOLVED
    assert change.alert.resolved_at == change.alert.changed_at == NOW + timedelta(seconds=35)
    assert change.event == "store_error is over: the store fails: disk full"
    assert desk.codes(CALM, 600) == []


def test_a_rate_is_kept_for_longer() -> None:
    desk = Desk()
    desk.look(replace(CALM, success_rate=0.5, judged=10))
    assert desk.codes(replace(CALM, success_rate=0.99, judged=10), 300) == []
    assert desk.codes(replace(CALM, success_rate=0.99, judged=10)) == ["resolved"]


def test_a_condition_that_comes_back_within_the_quiet_time_is_the_same_alert_again() -> None:
    desk = Desk()
    desk.look(BROKEN)
    desk.look(CALM, 20)
    [change] = desk.look(BROKEN)
    assert (change.code, change.event, change.alert.repeats) == ("refreshed", "", 2)
    assert desk.codes(CALM, 30) == []  # its quiet time starts anew
    assert desk.codes(CALM) == ["resolved"]


def test_a_condition_that_comes_back_later_is_another_alert() -> None:
    desk = Desk()
    desk.look(BROKEN)
    desk.look(CALM, 60)
    assert desk.codes(BROKEN) == ["raised"]
    assert len(desk.rows) == 2


def test_a_text_follows_its_figures_once_a_minute() -> None:
    desk = Desk()
    desk.look(BROKEN)
    assert desk.codes(replace(BROKEN, store_error="disk on fire"), 55) == []
    [change] = desk.look(replace(BROKEN, store_error="disk on fire"), 10)
    assert (change.code, change.event, change.alert.text) == ("refreshed", "", "the store fails: disk on fire")


def test_what_comes_and_goes_too_often_becomes_one_flapping_alert_that_is_held() -> None:
    desk = Desk()
    codes = []
    for _ in range(20):
        codes += desk.codes(BROKEN, 5) + desk.codes(CALM, 40)
    assert codes[:5] == ["raised", "resolved", "raised", "resolved", "flapping"]
    assert set(codes[5:]) == {"refreshed"}
    [alert] = desk.open
    first, last = NOW, NOW + timedelta(seconds=19 * 45)
    times = f"20 times since {first:%H:%M:%S}, the last at {last:%H:%M:%S}"
    assert alert.text == f"{FLAPPING}{times}: the store fails: disk full", "true though it does not fail now"
    assert alert.repeats == 20
    assert desk.codes(CALM, 860) == []
    assert desk.codes(CALM, 10) == ["resolved"]


def test_a_restart_raises_nothing_anew_and_resolves_nothing_at_once() -> None:
    desk = Desk()
    desk.look(BROKEN)
    desk.restart()
    assert desk.codes(BROKEN, 50) == []
    desk.restart()
    assert desk.codes(CALM, 30) == []
    assert desk.codes(CALM) == ["resolved"]


def test_a_restart_does_not_forget_that_an_alert_flaps() -> None:
    desk = Desk()
    for _ in range(2):
        desk.look(BROKEN)
        desk.look(CALM, 40)
    desk.restart()
    assert desk.codes(BROKEN) == ["flapping"]
    desk.restart()
    assert desk.codes(CALM, 600) == []
    [alert] = desk.open
    assert alert.text.startswith(f"{FLAPPING}3 times since {NOW:%H:%M:%S}, the last at ")
    desk.look(BROKEN)
    assert desk.open[0].text.startswith(f"{FLAPPING}4 times since {NOW:%H:%M:%S}, the last at ")


def test_an_acknowledged_alert_stays_so_until_it_is_over() -> None:
    desk = Desk()
    [raised] = desk.look(BROKEN)
    seen = acknowledged(replace(raised.alert, id=1), "ann", NOW)
    desk.rows[1] = snoozed(seen, 900, NOW)
    desk.look(CALM, 20)
    desk.look(replace(BROKEN, store_error="worse"), 70)
    [alert] = desk.open
    assert (alert.state, alert.ack_by, alert.ack_at) == (AlertState.ACKNOWLEDGED, "ann", NOW)
    assert alert.snoozed_until == NOW + timedelta(seconds=900)
    desk.look(CALM, 40)
    assert desk.rows[1].state is AlertState.RESOLVED


def test_each_subject_has_its_own_alert() -> None:
    both = replace(DOWN, traders=(a_trader("a", health=Health.DOWN), a_trader("b", health=Health.DOWN)))
    desk = Desk()
    desk.look(both, 65)
    assert {a.subject for a in desk.open} == {"a", "b"}
    desk.look(replace(both, traders=both.traders[:1]), 40)
    assert {a.subject for a in desk.open} == {"a"}


def test_a_rule_that_is_turned_off_resolves_what_it_raised() -> None:
    desk = Desk()
    desk.look(BROKEN)
    desk.settings = AlertSettings(off=frozenset({"store_error"}))
    desk.look(BROKEN, 40)
    assert desk.open == []


def test_alerts_of_rules_that_are_not_known_here_are_left_alone() -> None:
    foreign = Alert(1, "made_elsewhere", "", Severity.INFO, AlertState.ACTIVE, "text", "", NOW, NOW)
    desk = Desk(rows={1: foreign})
    assert desk.codes(CALM, 600) == []


def test_no_execution_is_raised_five_minutes_after_the_last_one() -> None:
    desk = Desk()
    busy = replace(CALM, due=2, last_execution_at=NOW)
    assert desk.codes(busy, 300) == []
    assert desk.codes(busy) == ["raised"]


def test_an_execution_restarts_the_five_minutes() -> None:
    desk = Desk()
    assert desk.codes(replace(CALM, due=2), 200) == []
    busy = replace(CALM, due=2, last_execution_at=NOW + timedelta(seconds=200))
    assert desk.codes(busy, 300) == []
    assert desk.codes(busy) == ["raised"]


def test_no_execution_is_not_raised_by_the_first_signal_after_a_quiet_hour() -> None:
    desk = Desk()
    busy = replace(CALM, due=1, last_execution_at=NOW - timedelta(hours=1))
    assert desk.codes(busy, 120) == []
    assert desk.codes(replace(busy, due=0), 3600) == []


def test_no_execution_is_raised_of_few_signals_that_expire_one_by_one() -> None:
    desk = Desk()
    codes: list[str] = []
    for _ in range(4):
        codes += desk.codes(replace(CALM, due=1), 120) + desk.codes(CALM, 60)
    assert codes[0] == "raised"
    assert set(codes[1:]) <= {"refreshed"}


@given(st.lists(st.booleans(), max_size=80), st.integers(0, 80))
def test_there_is_never_more_than_one_open_alert_of_a_rule_and_subject(holds: list[bool], restart_at: int) -> None:
    desk = Desk(AlertSettings(keep_state_s=5, flap_hold_s=20, flap_window_s=60))
    for n, is_broken in enumerate(holds):
        if n == restart_at:
            desk.restart()
        desk.look(BROKEN if is_broken else CALM)
        assert len(desk.open) <= 1
        assert not is_broken or len(desk.open) == 1
    desk.look(CALM, 120)
    assert desk.open == []
    assert all(a.resolved_at is not None and a.resolved_at >= a.raised_at for a in desk.rows.values())
