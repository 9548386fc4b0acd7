from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import SeededChance
from engine.core.backoff import RetryPolicy
from engine.core.errors import RefusalKind, Refused, Unsent
from engine.core.lifecycle import (
    FINAL_ATTEMPTS,
    LIVE_ATTEMPTS,
    AttemptState,
    AttemptStep,
    SignalState,
    SignalStep,
    advance_attempt,
    advance_signal,
)
from engine.core.order import OrderStatus
from engine.core.reconcile import End, Mismatch, Next, after_attempt, step_for_answer, step_for_found, step_for_open
from engine.core.values import Side
from tests.core.cases import a_kept_signal, a_report, an_attempt
from tests.support.builders import NOW, a_fill

POLICY = RetryPolicy()
REQUEST = an_attempt().request


def _after(ended: AttemptState, cause: Exception | None = None, now: float = 1.0, **given: Any) -> Next:
    signal = a_kept_signal(**{"state": SignalState.EXECUTING, "attempts": 1, **given})
    found = after_attempt(
        signal, End(ended, cause), POLICY, NOW + timedelta(seconds=now), SeededChance(7).stream("retries")
    )
    assert found is not None
    return found


@pytest.mark.parametrize("ended", sorted(LIVE_ATTEMPTS))
def test_a_signal_takes_no_step_while_its_attempt_may_be_an_order(ended: AttemptState) -> None:
    signal = a_kept_signal(attempts=3, cancel_requested=True, expires_at=NOW)
    assert (
        after_attempt(signal, End(ended), POLICY, NOW + timedelta(hours=1), SeededChance(7).stream("retries")) is None
    )


kinds = st.none() | st.builds(Refused, st.just("venue"), st.just("no"), st.sampled_from(RefusalKind))


@given(
    ended=st.sampled_from(sorted(FINAL_ATTEMPTS)),
    cause=kinds,
    attempts=st.integers(1, 5),
    cancel=st.booleans(),
    now=st.floats(0, 300),
)
def test_every_end_has_a_legal_step_that_is_never_due_after_the_expiry(
    ended: AttemptState, cause: Refused | None, attempts: int, cancel: bool, now: float
) -> None:
    signal = a_kept_signal(attempts=attempts, cancel_requested=cancel)
    found = _after(ended, cause, now, attempts=attempts, cancel_requested=cancel)
    advance_signal(SignalState.EXECUTING, found.step)
    assert found.reason.code
    assert found.reason.text
    assert (found.due_at is not None) is (found.step is SignalStep.REQUEUE)
    if found.due_at is not None:
        assert NOW + timedelta(seconds=now) <= found.due_at <= signal.expires_at
        assert attempts < POLICY.attempts_max
        assert not cancel
    if ended in {AttemptState.FILLED, AttemptState.PARTIAL_CLOSED}:
        assert found.step is SignalStep.COMPLETE


@pytest.mark.parametrize("ended", [AttemptState.NOT_SENT, AttemptState.ABSENT, AttemptState.CANCELED])
def test_what_is_proven_to_be_no_order_is_tried_again(ended: AttemptState) -> None:
    found = _after(ended, Unsent("venue", "connection refused") if ended is AttemptState.NOT_SENT else None)
    assert found.step is SignalStep.REQUEUE
    assert found.reason.code == ended
    assert found.due_at is not None
    assert found.due_at <= NOW + timedelta(seconds=1.5)


def test_a_fill_that_came_in_spite_of_a_cancel_stands() -> None:
    assert _after(AttemptState.FILLED, cancel_requested=True, expires_at=NOW).step is SignalStep.COMPLETE


def test_a_cancel_acts_when_the_attempt_is_resolved() -> None:
    assert _after(AttemptState.ABSENT, cancel_requested=True).step is SignalStep.CANCEL
    assert _after(AttemptState.CANCELED, cancel_requested=True, attempts=3).step is SignalStep.CANCEL


def test_an_attempt_that_ends_too_late_expires_its_signal() -> None:
    assert _after(AttemptState.ABSENT, now=120).step is SignalStep.EXPIRE
    assert _after(AttemptState.ABSENT, now=119.9).step is SignalStep.REQUEUE


def test_the_last_attempt_fails_its_signal() -> None:
    assert _after(AttemptState.NOT_SENT, attempts=2).step is SignalStep.REQUEUE
    found = _after(AttemptState.NOT_SENT, attempts=3)
    assert (found.step, found.reason.code) == (SignalStep.FAIL, "attempts_used_up")


@pytest.mark.parametrize("kind", RefusalKind)
def test_a_refusal_that_lies_with_the_order_is_final_and_one_of_the_venue_is_not(kind: RefusalKind) -> None:
    refusal = Refused("venue", "no", kind)
    found = _after(AttemptState.REJECTED, refusal)
    assert found.step is (SignalStep.REQUEUE if refusal.is_venue_side else SignalStep.REJECT)


def test_a_refusal_of_which_nothing_more_is_known_is_final() -> None:
    assert _after(AttemptState.REJECTED).step is SignalStep.REJECT


def test_a_venues_own_wish_to_be_left_alone_is_honoured() -> None:
    refusal = Refused("venue", "slow down", RefusalKind.RATE, retry_after_s=40.0)
    assert _after(AttemptState.REJECTED, refusal).due_at == NOW + timedelta(seconds=41)
    ban = Refused("venue", "banned", RefusalKind.RATE, retry_after_s=7200.0)
    assert _after(AttemptState.REJECTED, ban).due_at == NOW + timedelta(seconds=120)


@pytest.mark.parametrize(
    ("status", "filled", "step"),
    [
        (OrderStatus.OPEN, "0", AttemptStep.ACKNOWLEDGE),
        (OrderStatus.OPEN, "0.04", AttemptStep.ACKNOWLEDGE),
        (OrderStatus.FILLED, "0.1", AttemptStep.FILL),
        (OrderStatus.FILLED, "0.11", AttemptStep.FILL),  # more than was asked for: recorded, not denied
        (OrderStatus.CLOSED, "0.1", AttemptStep.FILL),
        (OrderStatus.CLOSED, "0.04", AttemptStep.CLOSE_PART),
        (OrderStatus.CLOSED, "0", AttemptStep.ACKNOWLEDGE),
        (OrderStatus.REFUSED, "0", AttemptStep.REFUSE),
        (OrderStatus.REFUSED, "0.04", AttemptStep.CLOSE_PART),
    ],
)
def test_an_answer_moves_the_intent(status: OrderStatus, filled: str, step: AttemptStep) -> None:
    assert step_for_answer(a_report(REQUEST, status, filled), REQUEST) is step
    advance_attempt(AttemptState.INTENT, step)


@pytest.mark.parametrize(
    ("status", "filled", "step"),
    [
        (OrderStatus.OPEN, "0", AttemptStep.FIND),
        (OrderStatus.FILLED, "0.1", AttemptStep.FIND_FILLED),
        (OrderStatus.CLOSED, "0.04", AttemptStep.FIND_PART),
        (OrderStatus.CLOSED, "0", AttemptStep.FIND_EMPTY),
        (OrderStatus.REFUSED, "0", AttemptStep.FIND_REFUSED),
    ],
)
def test_a_found_order_ends_the_doubt(status: OrderStatus, filled: str, step: AttemptStep) -> None:
    assert step_for_found(a_report(REQUEST, status, filled), REQUEST) is step
    advance_attempt(AttemptState.UNKNOWN, step)


@pytest.mark.parametrize(
    ("status", "filled", "known", "step"),
    [
        (OrderStatus.OPEN, "0", "0", None),
        (OrderStatus.OPEN, "0.04", "0", AttemptStep.FILL_PART),
        (OrderStatus.OPEN, "0.04", "0.04", None),
        (OrderStatus.OPEN, "0.02", "0.04", None),  # the read lags behind
        (OrderStatus.FILLED, "0.1", "0.04", AttemptStep.FILL),
        (OrderStatus.CLOSED, "0.04", "0.04", AttemptStep.CLOSE_PART),
        (OrderStatus.CLOSED, "0", "0", AttemptStep.CLOSE_EMPTY),
        (OrderStatus.CLOSED, "0", "0.04", AttemptStep.CLOSE_PART),
        (OrderStatus.REFUSED, "0", "0", AttemptStep.CLOSE_EMPTY),
    ],
)
def test_a_look_at_an_open_order_tells_only_what_is_new(
    status: OrderStatus, filled: str, known: str, step: AttemptStep | None
) -> None:
    attempt = an_attempt(AttemptState.ACCEPTED, filled_quantity=Decimal(known))
    assert step_for_open(a_report(REQUEST, status, filled), attempt) is step
    if step is not None:
        advance_attempt(AttemptState.ACCEPTED, step)


@pytest.mark.parametrize(
    "other",
    [
        {"client_order_id": "f" * 32},
        {"symbol": "ETH/USDT"},
        {"side": Side.SELL},
        {"quantity": Decimal("0.2")},
        {"quantity": Decimal("NaN")},
        {"filled_quantity": Decimal("NaN")},
        {"filled_quantity": Decimal("Infinity")},
        {"filled_quantity": Decimal(-1)},
        {"status": OrderStatus.FILLED, "filled_quantity": Decimal("0.05")},
    ],
)
def test_an_answer_about_something_else_proves_nothing(other: dict[str, Any]) -> None:
    report = replace(a_report(REQUEST, OrderStatus.OPEN), **other)
    assert step_for_answer(report, REQUEST) is AttemptStep.LOSE_ANSWER
    assert isinstance(step_for_found(report, REQUEST), Mismatch)
    assert isinstance(step_for_open(report, an_attempt(AttemptState.ACCEPTED)), Mismatch)


def test_a_venue_that_does_not_repeat_our_id_is_believed_by_the_rest() -> None:
    report = a_report(REQUEST, OrderStatus.FILLED, "0.1", client_order_id="", fills=(a_fill(),))
    assert step_for_answer(report, REQUEST) is AttemptStep.FILL


def test_a_mismatch_tells_both_sides_cleaned() -> None:
    found = step_for_found(a_report(REQUEST, OrderStatus.OPEN, symbol="\x1b[31mEVIL"), REQUEST)
    assert found == Mismatch("the venue has buy EVIL, asked for was buy BTC/USDT")
