from __future__ import annotations

import math
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.board import MinutePoint
from engine.core.events import Desired
from engine.core.metrics import (
    BUCKETS,
    Window,
    availability,
    bounds,
    bucket_of,
    is_overdue,
    merged,
    percentile,
    window_of,
)
from tests.core.cases import a_trader
from tests.support.builders import NOW

durations = st.floats(0, 10_000, allow_nan=False)


@given(durations)
def test_a_duration_lies_within_the_bounds_of_its_bucket(seconds: float) -> None:
    low, high = bounds(bucket_of(seconds))
    # A bound itself may fall on either side by the noise of a logarithm.
    assert seconds == 0 or low * (1 - 1e-9) <= seconds <= high * (1 + 1e-9)


@pytest.mark.parametrize("bucket", range(1, BUCKETS - 1))
def test_the_upper_bound_still_belongs_to_its_bucket(bucket: int) -> None:
    low, high = bounds(bucket)
    assert bucket_of(high) == bucket
    assert bucket_of(low) == bucket - 1
    assert low == pytest.approx(bounds(bucket - 1)[1])


@given(durations, durations)
def test_a_longer_duration_never_has_a_lower_bucket(one: float, other: float) -> None:
    shorter, longer = sorted((one, other))
    assert bucket_of(shorter) <= bucket_of(longer)


@given(st.lists(st.floats(0.0002, 3000), min_size=1), st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_is_right_to_within_half_a_bucket(samples: list[float], q: float) -> None:
    told = percentile(Counter(bucket_of(s) for s in samples), q)
    exact = sorted(samples)[max(1, math.ceil(q * len(samples))) - 1]
    assert told is not None
    assert told == pytest.approx(exact, rel=0.045)


def test_an_empty_histogram_has_no_percentile() -> None:
    assert percentile({}, 0.5) is None


def test_the_ends_of_the_scale_answer_with_their_bound() -> None:
    assert percentile({bucket_of(0.0): 3}, 0.5) == pytest.approx(0.0001)
    assert percentile({bucket_of(math.inf): 3}, 0.5) == pytest.approx(3990, rel=0.01)


def test_not_a_number_has_no_bucket() -> None:
    with pytest.raises(ValueError, match="NaN"):
        bucket_of(math.nan)
    with pytest.raises(ValueError, match="no bucket"):
        bounds(BUCKETS)


@given(st.lists(durations), st.lists(durations))
def test_merged_histograms_count_everything_once(one: list[float], other: list[float]) -> None:
    parts = [Counter(map(bucket_of, one)), Counter(map(bucket_of, other))]
    assert merged(parts) == dict(Counter(map(bucket_of, one + other)))


def test_an_unknown_outcome_counts_as_failed_after_a_minute() -> None:
    assert not is_overdue(None, NOW)
    assert not is_overdue(NOW - timedelta(seconds=60), NOW)
    assert is_overdue(NOW - timedelta(seconds=60.001), NOW)
    assert Window(successes=3, overdue=1).success_rate == 0.75


def test_attempts_in_flight_are_neither_success_nor_failure() -> None:
    window = Window(attempts=10, successes=3, failures=1)
    assert window.judged == 4
    assert window.success_rate == 0.75
    assert Window(attempts=10).success_rate is None


def test_conversion_is_done_over_received() -> None:
    assert Window(received=4, done=1).conversion == 0.25
    assert Window().conversion is None
    assert Window(received=1, done=2).conversion == 1.0  # what came in before the window and ended within it


def test_a_window_sums_the_minutes_that_reach_into_it() -> None:
    points = [MinutePoint(NOW + timedelta(minutes=m), attempts=1, successes=1, received=2, done=1) for m in range(10)]
    since = NOW + timedelta(minutes=4, seconds=30)
    assert window_of(points, since, overdue=2) == Window(12, 6, 6, 0, 6, 2)


def test_a_paused_trader_lowers_the_availability() -> None:
    assert availability(()) is None
    assert availability([a_trader(), a_trader("b", desired=Desired.PAUSE)]) == 0.5
