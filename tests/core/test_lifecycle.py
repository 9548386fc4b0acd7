from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.core.errors import IllegalStep
from engine.core.lifecycle import (
    ATTEMPT_LIFE,
    DUE_SIGNALS,
    FINAL_ATTEMPTS,
    FINAL_SIGNALS,
    LIVE_ATTEMPTS,
    LIVE_OR_DONE_ATTEMPTS,
    OPEN_SIGNALS,
    RETRYABLE_SIGNALS,
    SIGNAL_LIFE,
    AttemptState,
    AttemptStep,
    SignalState,
    SignalStep,
    advance_attempt,
    advance_signal,
)

# Taken only together with a step of the attempt, or by the machine's own rules below.
BOUND_STEPS = {SignalStep.DISPATCH, SignalStep.COMPLETE, SignalStep.RETRY, SignalStep.BREAK_PROOF, SignalStep.ATTACH}


@pytest.mark.parametrize("state", SignalState)
def test_a_signal_takes_no_step_that_the_table_does_not_have(state: SignalState) -> None:
    for step in SignalStep:
        if (state, step) in SIGNAL_LIFE:
            assert advance_signal(state, step) is SIGNAL_LIFE[state, step]
        else:
            with pytest.raises(IllegalStep, match=f"{state} has no step {step}"):
                advance_signal(state, step)


@pytest.mark.parametrize("state", AttemptState)
def test_an_attempt_takes_no_step_that_the_table_does_not_have(state: AttemptState) -> None:
    for step in AttemptStep:
        if (state, step) in ATTEMPT_LIFE:
            assert advance_attempt(state, step) is ATTEMPT_LIFE[state, step]
        else:
            with pytest.raises(IllegalStep, match=f"{state} has no step {step}"):
                advance_attempt(state, step)


def _reached(life: Iterable[object], targets: Iterable[object]) -> set[object]:
    return {*life, *targets}


def test_every_state_and_every_step_is_used() -> None:
    assert {step for _, step in SIGNAL_LIFE} == set(SignalStep)
    assert {step for _, step in ATTEMPT_LIFE} == set(AttemptStep)
    assert _reached([SignalState.NEW], SIGNAL_LIFE.values()) == set(SignalState)
    assert _reached([AttemptState.INTENT], ATTEMPT_LIFE.values()) == set(AttemptState)


def test_a_final_signal_moves_only_by_an_operator_or_by_a_broken_proof() -> None:
    assert set(SignalState) == FINAL_SIGNALS | OPEN_SIGNALS
    leaving = {step for (state, step) in SIGNAL_LIFE if state in FINAL_SIGNALS}
    assert leaving == {SignalStep.RETRY, SignalStep.BREAK_PROOF}


def test_a_final_attempt_moves_only_by_a_broken_proof() -> None:
    leaving = {
        (state, step) for (state, step), to in ATTEMPT_LIFE.items() if state in FINAL_ATTEMPTS and to is not state
    }
    assert leaving == {(state, AttemptStep.BREAK_PROOF) for state in FINAL_ATTEMPTS}
    assert FINAL_ATTEMPTS.isdisjoint(LIVE_ATTEMPTS)


def test_every_open_state_has_a_way_to_an_end() -> None:
    ending = set(FINAL_SIGNALS)
    while grown := {s for (s, _), to in SIGNAL_LIFE.items() if to in ending} - ending:
        ending |= grown
    assert ending == set(SignalState)


def test_only_a_person_retries_and_never_what_was_done_or_withdrawn() -> None:
    assert {SignalState.FAILED, SignalState.EXPIRED, SignalState.REJECTED} == RETRYABLE_SIGNALS


def test_only_proof_or_a_person_says_that_there_is_no_order() -> None:
    absent = {(state, step) for (state, step), to in ATTEMPT_LIFE.items() if to is AttemptState.ABSENT}
    assert absent == {
        (AttemptState.UNKNOWN, AttemptStep.PROVE_ABSENT),
        (AttemptState.REVIEW, AttemptStep.DECLARE_ABSENT),
    }
    escalated = {to for (_, step), to in ATTEMPT_LIFE.items() if step is AttemptStep.ESCALATE}
    assert escalated == {AttemptState.REVIEW}


def test_an_unknown_outcome_is_ended_by_proof_alone() -> None:
    steps = {step for (state, step) in ATTEMPT_LIFE if state is AttemptState.UNKNOWN}
    assert steps == {
        AttemptStep.FIND,
        AttemptStep.FIND_FILLED,
        AttemptStep.FIND_PART,
        AttemptStep.FIND_EMPTY,
        AttemptStep.FIND_REFUSED,
        AttemptStep.PROVE_ABSENT,
        AttemptStep.ESCALATE,
    }


class TwoLives(RuleBasedStateMachine):
    """A signal and its attempts, moved at random as the tables allow, and as the engine binds the two together.

    The engine adds two things to the tables: an intent is committed only from a due signal without a live or done
    attempt, and a signal leaves EXECUTING only in the step that ends its attempt.
    """

    def __init__(self) -> None:
        super().__init__()
        self.signal = SignalState.NEW
        self.attempts: list[AttemptState] = []

    @property
    def _live(self) -> bool:
        return any(a in LIVE_ATTEMPTS for a in self.attempts)

    @precondition(lambda self: self.signal in DUE_SIGNALS)
    @rule()
    def dispatch(self) -> None:
        if any(a in LIVE_OR_DONE_ATTEMPTS for a in self.attempts):
            return  # the database's partial unique index
        self.signal = advance_signal(self.signal, SignalStep.DISPATCH)
        self.attempts.append(AttemptState.INTENT)

    @precondition(lambda self: self.signal is not SignalState.EXECUTING and not self._live)
    @rule(step=st.sampled_from(sorted(set(SignalStep) - BOUND_STEPS)))
    def move_the_signal_alone(self, step: SignalStep) -> None:
        if (self.signal, step) in SIGNAL_LIFE:
            self.signal = advance_signal(self.signal, step)

    @precondition(lambda self: self._live)
    @rule(step=st.sampled_from(AttemptStep), then=st.sampled_from(SignalStep))
    def move_the_attempt(self, step: AttemptStep, then: SignalStep) -> None:
        last = self.attempts[-1]
        if (last, step) not in ATTEMPT_LIFE:
            return
        to = advance_attempt(last, step)
        self.attempts[-1] = to
        if to is AttemptState.REVIEW:
            self.signal = advance_signal(self.signal, SignalStep.ESCALATE)
        elif to in {AttemptState.FILLED, AttemptState.PARTIAL_CLOSED}:
            self.signal = advance_signal(self.signal, SignalStep.COMPLETE)
        elif to in FINAL_ATTEMPTS:
            ends = {SignalStep.REQUEUE, SignalStep.FAIL}
            if self.signal is SignalState.EXECUTING:
                ends |= {SignalStep.EXPIRE, SignalStep.CANCEL, SignalStep.REJECT}
            self.signal = advance_signal(self.signal, then if then in ends else SignalStep.FAIL)
        elif self.signal is SignalState.NEEDS_REVIEW:
            self.signal = advance_signal(self.signal, SignalStep.ATTACH)

    @precondition(lambda self: self.attempts and self.attempts[-1] in FINAL_ATTEMPTS)
    @rule()
    def break_the_proof(self) -> None:
        if (self.signal, SignalStep.BREAK_PROOF) in SIGNAL_LIFE:
            self.signal = advance_signal(self.signal, SignalStep.BREAK_PROOF)
            self.attempts[-1] = advance_attempt(self.attempts[-1], AttemptStep.BREAK_PROOF)

    @precondition(lambda self: self.signal in RETRYABLE_SIGNALS and not self._live)
    @rule()
    def retry(self) -> None:
        self.signal = advance_signal(self.signal, SignalStep.RETRY)

    @invariant()
    def never_over_while_an_order_may_live(self) -> None:
        if self._live:
            assert self.signal in {SignalState.EXECUTING, SignalState.NEEDS_REVIEW}

    @invariant()
    def executing_means_one_live_attempt(self) -> None:
        assert sum(a in LIVE_OR_DONE_ATTEMPTS for a in self.attempts) <= 1
        if self.signal is SignalState.EXECUTING:
            assert self._live

    @invariant()
    def done_means_an_order_that_traded(self) -> None:
        if self.signal is SignalState.DONE:
            assert self.attempts[-1] in {AttemptState.FILLED, AttemptState.PARTIAL_CLOSED}


TwoLives.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestTwoLives = TwoLives.TestCase
