"""How long to wait before trying again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.clock import SeededChance
from engine.core.backoff import RetryBudget, RetryPolicy, full_jitter


class Highest:
    """A die that always falls on its upper bound."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


def test_the_span_doubles_with_each_attempt_up_to_the_cap() -> None:
    spans = [full_jitter(n, 0.5, 30.0, Highest()) for n in range(8)]
    assert spans == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


@given(attempt=st.integers(-5, 10_000), seed=st.integers(0, 2**32))
def test_a_wait_lies_between_nothing_and_the_cap(attempt: int, seed: int) -> None:
    wait = full_jitter(attempt, 0.25, 10.0, SeededChance(seed).stream("wait"))
    assert 0.0 <= wait <= 10.0


def test_waits_are_spread_over_the_whole_span() -> None:
    stream = SeededChance(7).stream("wait")
    waits = [full_jitter(3, 0.5, 30.0, stream) for _ in range(400)]
    assert min(waits) < 0.2
    assert max(waits) > 3.8


def test_the_policy_waits_by_its_own_figures() -> None:
    policy = RetryPolicy(base_s=2.0, cap_s=5.0)
    assert [policy.delay(n, Highest()) for n in range(3)] == [2.0, 4.0, 5.0]


@pytest.mark.parametrize("wrong", [{"attempts_max": 0}, {"base_s": float("nan")}, {"cap_s": -1}, {"tries": 3}])
def test_a_policy_refuses_figures_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        RetryPolicy.model_validate(wrong)


def test_an_empty_bucket_allows_no_retry_until_ten_successes_paid_for_one() -> None:
    budget = RetryBudget(tokens=0.5)
    assert budget.spend() is None
    for _ in range(5):
        assert not budget.allows
        budget = budget.earn()
    spent = budget.spend()
    assert spent is not None
    assert spent.tokens == pytest.approx(0.0)


@given(steps=st.lists(st.booleans(), max_size=300))
def test_retries_never_exceed_the_bucket_and_a_tenth_of_the_successes(steps: list[bool]) -> None:
    budget, retries, successes = RetryBudget(), 0, 0
    for succeeded in steps:
        if succeeded:
            budget, successes = budget.earn(), successes + 1
        elif (spent := budget.spend()) is not None:
            budget, retries = spent, retries + 1
        assert 0.0 <= budget.tokens <= budget.tokens_max
    assert retries <= 10 + successes / 10 + 1e-6
