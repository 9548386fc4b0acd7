"""Each alert rule: what raises it, at which threshold, and what clears it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from engine.core.account import AccountFacts, Shortage
from engine.core.alerting import Condition
from engine.core.alerts import RULES, AlertFacts, AlertSettings, OpenCase, evaluate
from engine.core.events import Alert, AlertState, BreakerState, Desired, Health, Severity
from tests.core.cases import a_trader
from tests.support.builders import NOW

CALM = AlertFacts(NOW)


def _ago(seconds: float) -> Any:
    return NOW - timedelta(seconds=seconds)


def _ask(name: str, raised: str | None = None, own: Mapping[str, float] | None = None, **given: Any) -> list[Condition]:
    spec = RULES[name]
    facts = replace(CALM, **given)
    about = (facts, frozenset() if raised is None else frozenset({raised})) if spec.asks_raised else (facts,)
    return list(spec.ask(*about, **(own or {})))


def test_in_calm_no_rule_says_anything() -> None:
    assert all(not _ask(name) for name in RULES)


def test_every_rule_has_a_help_text_and_a_remedy() -> None:
    assert len(RULES) >= 13
    for spec in RULES.values():
        assert spec.help.endswith(".")
        assert spec.remedy


def test_a_low_success_rate_is_raised_below_90_and_cleared_at_95_percent() -> None:
    assert _ask("success_rate_low", success_rate=0.89, judged=5)
    assert not _ask("success_rate_low", success_rate=0.90, judged=5)
    assert not _ask("success_rate_low", success_rate=0.0, judged=4)
    assert _ask("success_rate_low", "", success_rate=0.94, judged=100)
    assert not _ask("success_rate_low", "", success_rate=0.95, judged=100)
    assert _ask("success_rate_low", "", success_rate=0.5, judged=2)  # too few to raise it, and no reason to clear it
    assert not _ask("success_rate_low", "", success_rate=None)
    assert not _ask("success_rate_low", None, {"raise_below": 0.5}, success_rate=0.6, judged=9)


def test_silence_is_wrong_only_while_signals_are_due() -> None:
    assert not _ask("no_execution", last_execution_at=_ago(3600))
    [condition] = _ask("no_execution", last_execution_at=_ago(3600), due=3, oldest_due_age_s=40)
    assert condition.not_before == _ago(3600)
    assert condition.text == "3 signals are due, the oldest for 40 s, and none was executed for 60 min"
    assert _ask("no_execution", due=1)[0].not_before is None
    assert not _ask("no_execution", "", last_execution_at=_ago(10), due=3)
    assert _ask("no_execution", "", last_execution_at=_ago(301), due=3)


def test_a_pause_by_an_operator_is_not_unavailability() -> None:
    assert not _ask("trader_unavailable", traders=(a_trader(desired=Desired.PAUSE, health=Health.DOWN),))
    [condition] = _ask("trader_unavailable", traders=(a_trader(health=Health.DOWN, health_fact="no answer"),))
    assert (condition.subject, condition.text) == ("a", "a is unavailable: down: no answer")
    assert RULES["trader_unavailable"].waits.raise_after_s == 60


def test_a_queue_that_grows_for_three_minutes_without_an_execution_is_wrong() -> None:
    def samples(*depths: int, span_s: float = 180) -> tuple[tuple[Any, int], ...]:
        step = span_s / (len(depths) - 1)
        return tuple((_ago(span_s - n * step), depth) for n, depth in enumerate(depths))

    assert _ask("queue_growing", queue=samples(2, 3, 5, 9))
    assert not _ask("queue_growing", queue=samples(2, 3, 5, 9), executions=1)
    assert not _ask("queue_growing", queue=samples(2, 3, 5, 9, span_s=100))
    assert not _ask("queue_growing", queue=samples(2, 1, 5, 9))  # it was worked off in between
    assert not _ask("queue_growing", queue=samples(2, 2, 2))
    assert not _ask("queue_growing", queue=((NOW, 9),))
    assert _ask("queue_growing", "", queue=samples(9, 9, 9))  # once raised it holds until something moves
    assert not _ask("queue_growing", "", queue=samples(9, 9, 8))
    assert not _ask("queue_growing", "", queue=samples(0, 0))


def test_unknown_outcomes_and_reviews_name_their_signals() -> None:
    case = OpenCase("00aa", "b", _ago(30))
    [unknown] = _ask("unknown_outcome", unknown=(case,))
    assert (unknown.subject, unknown.signal_id, unknown.since) == ("00aa", "00aa", _ago(30))
    assert RULES["unknown_outcome"].waits.raise_after_s == 60
    [review] = _ask("needs_review", reviews=(case,))
    assert review.signal_id == "00aa"
    assert RULES["needs_review"].waits.raise_after_s == 0
    assert RULES["needs_review"].severity is Severity.CRITICAL


def test_a_breaker_is_raised_when_open_and_held_while_it_probes() -> None:
    probing = (a_trader(breaker=BreakerState.HALF_OPEN),)
    assert _ask("breaker_open", traders=(a_trader(breaker=BreakerState.OPEN, breaker_fact="5 of 5 failed"),))
    assert not _ask("breaker_open", traders=probing)
    assert _ask("breaker_open", "a", traders=probing)
    assert not _ask("breaker_open", "a", traders=(a_trader(),))


def test_refused_credentials_are_told_once_a_trader() -> None:
    forced = a_trader(breaker=BreakerState.FORCED_OPEN, breaker_fact="bad key")
    [condition] = _ask("auth_refused", traders=(forced,), auth_refusals=(("a", "key revoked"),))
    assert condition.text == "the venue refused the credentials of a: key revoked"
    assert [c.subject for c in _ask("auth_refused", traders=(forced,))] == ["a"]


def test_an_account_that_holds_too_little_or_was_filled_too_much_is_told_of() -> None:
    short = a_trader("a", account=AccountFacts(shortages=(Shortage("BTC", Decimal("0.5"), Decimal(1)),)))
    over = a_trader("b", account=AccountFacts(overfills=("order v1 was filled 2, asked for were 1",)))
    [differs] = _ask("position_differs", traders=(short, over))
    assert (differs.subject, differs.text) == ("a", "a holds 0.5 BTC, the store believes 1")
    [filled] = _ask("overfilled", traders=(short, over))
    assert (filled.subject, filled.text) == ("b", "b: order v1 was filled 2, asked for were 1")
    assert RULES["position_differs"].severity is RULES["overfilled"].severity is Severity.CRITICAL


def test_a_quarantined_trader_is_told_of() -> None:
    assert [c.subject for c in _ask("trader_quarantined", traders=(a_trader(quarantined=True), a_trader("b")))] == ["a"]


@pytest.mark.parametrize(
    ("name", "field", "quiet", "raising", "clearing", "holding"),
    [
        ("feed_stale", "feed_age_s", 30.0, 30.1, 15.0, 15.1),
        ("heartbeat_lost", "heartbeat_age_s", 10.0, 10.1, 5.0, 5.1),
        ("disk_low", "disk_free_bytes", 512 * 2**20, 512 * 2**20 - 1, 1024 * 2**20, 1024 * 2**20 - 1),
    ],
)
def test_the_threshold_to_clear_lies_apart_from_the_one_to_raise(
    name: str, field: str, quiet: float, raising: float, clearing: float, holding: float
) -> None:
    def holds(figure: float | None, raised: str | None = None) -> bool:
        given: dict[str, Any] = {field: figure}
        return bool(_ask(name, raised, None, **given))

    assert [holds(quiet), holds(raising)] == [False, True]
    assert [holds(clearing, ""), holds(holding, "")] == [False, True]
    assert not holds(None, "")


@pytest.mark.parametrize("jump", [2.1, -3600.0])
def test_a_jump_of_the_clock_counts_in_both_directions(jump: float) -> None:
    assert _ask("clock_jump", clock_jump_s=jump)
    assert not _ask("clock_jump", clock_jump_s=2.0)


def test_a_store_that_fails_says_why() -> None:
    assert _ask("store_error", store_error="disk I/O error")[0].text == "the store fails: disk I/O error"


def test_rules_can_be_off_and_thresholds_can_differ() -> None:
    facts = replace(CALM, feed_age_s=20.0, store_error="full")
    strict = AlertSettings(off=frozenset({"store_error"}), thresholds={"feed_stale": {"raise_above_s": 10}})
    assert [c.alert.rule for c in evaluate([], {}, facts, strict).changes] == ["feed_stale"]
    assert [c.alert.rule for c in evaluate([], {}, facts, AlertSettings()).changes] == ["store_error"]
    patient = AlertSettings(off=frozenset({"feed_stale"}), thresholds={"store_error": {"raise_after_s": 60}})
    assert not evaluate([], {}, facts, patient).changes


@pytest.mark.parametrize(
    "wrong",
    [
        {"off": ["feed_staled"]},
        {"thresholds": {"feed_staled": {"raise_above_s": 1}}},
        {"thresholds": {"feed_stale": {"raise_above": 1}}},
        {"keep_state_s": -1},
        {"keep_stat_s": 1},
    ],
)
def test_a_setting_of_no_such_rule_or_threshold_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AlertSettings.model_validate(wrong)


def test_a_raised_alert_carries_what_its_rule_says() -> None:
    facts = replace(CALM, reviews=(OpenCase("00aa", "b", _ago(30)),))
    [change] = evaluate([], {}, facts, AlertSettings()).changes
    assert change.alert == Alert(
        id=0,
        rule="needs_review",
        subject="00aa",
        severity=Severity.CRITICAL,
        state=AlertState.ACTIVE,
        text="signal 00aa needs a review: look at b for its order",
        remedy=RULES["needs_review"].remedy,
        raised_at=NOW,
        changed_at=NOW,
        signal_id="00aa",
    )
    assert (change.code, change.event) == ("raised", f"needs_review: {change.alert.text}")


def test_the_most_urgent_alerts_come_first_and_what_is_over_by_its_time_alone() -> None:
    def an_alert(number: int, state: AlertState, severity: Severity, minute: int) -> Alert:
        at = NOW + timedelta(minutes=minute)
        return Alert(number, f"rule_{number}", "", severity, state, "it is bad", "look", at, at)

    alerts = [
        an_alert(1, AlertState.RESOLVED, Severity.CRITICAL, 1),
        an_alert(2, AlertState.RESOLVED, Severity.INFO, 2),
        an_alert(3, AlertState.ACKNOWLEDGED, Severity.CRITICAL, 9),
        an_alert(4, AlertState.ACTIVE, Severity.WARNING, 8),
        an_alert(5, AlertState.ACTIVE, Severity.CRITICAL, 3),
        an_alert(6, AlertState.ACTIVE, Severity.CRITICAL, 4),
    ]
    assert [alert.id for alert in sorted(alerts, key=lambda alert: alert.urgency)] == [6, 5, 4, 3, 2, 1]
