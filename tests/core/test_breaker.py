"""The circuit breaker's life, as values."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.core.breaker import (
    Breaker,
    BreakerSettings,
    Guards,
    Outcome,
    force_open,
    hold,
    note_read,
    permit,
    record,
    reset,
)
from engine.core.events import BreakerState

QUICK = 0.1


def after(outcomes: str, breaker: Breaker | None = None, *, each: float = 1.0, duration_s: float = QUICK) -> Breaker:
    """Return an order breaker after calls: o is ok, x failed, r refused, s silent; one each `each` seconds from 0."""
    words = {"o": Outcome.OK, "x": Outcome.FAILED, "r": Outcome.REFUSED, "s": Outcome.SILENT}
    current = breaker or Breaker(Guards.ORDERS)
    for n, letter in enumerate(outcomes):
        current = record(current, words[letter], duration_s, n * each)
    return current


def test_five_failures_open_it_and_four_do_not() -> None:
    assert after("xxxx").state is BreakerState.CLOSED
    opened = after("xxxxx")
    assert opened.state is BreakerState.OPEN
    assert opened.open_until == 4.0 + 30.0
    assert opened.fact == "5 of the last 5 orders failed"


@pytest.mark.parametrize(("outcomes", "is_open"), [("oooxxx", True), ("ooooxxx", False), ("ooooxxxx", True)])
def test_half_of_the_window_is_enough(outcomes: str, is_open: bool) -> None:
    assert (after(outcomes).state is BreakerState.OPEN) is is_open


def test_business_refusals_and_silence_never_open_it() -> None:
    assert after("r" * 30 + "s" * 30).calls == ()
    assert after("xxxx" + "rs" * 20).state is BreakerState.CLOSED


def test_slow_answers_open_it_at_four_in_five() -> None:
    slow = after("oooo", duration_s=5.1)
    assert record(slow, Outcome.OK, QUICK, 5.0).state is BreakerState.CLOSED  # a quick call is no reason to open
    opened = record(record(slow, Outcome.OK, QUICK, 5.0), Outcome.OK, 6.0, 6.0)
    assert opened.state is BreakerState.OPEN
    assert opened.fact == "5 of the last 6 orders took over 5 s"


def test_four_slow_answers_in_five_are_enough() -> None:
    breaker = after("o")
    for n in range(4):
        assert breaker.state is BreakerState.CLOSED
        breaker = record(breaker, Outcome.OK, 5.1, 1.0 + n)
    assert breaker.state is BreakerState.OPEN


def test_an_answer_at_exactly_the_limit_is_not_slow() -> None:
    assert after("ooooo", duration_s=5.0).state is BreakerState.CLOSED


def test_the_window_forgets_what_is_older_than_a_minute_once_it_has_enough_to_judge() -> None:
    old = after("xxxxoooooo", each=1.0)
    later = record(record(old, Outcome.FAILED, QUICK, 65.5), Outcome.FAILED, QUICK, 68.5)
    assert later.state is BreakerState.CLOSED
    assert len(later.calls) == 5


def test_five_failures_spread_over_a_day_still_open_it() -> None:
    assert after("xxxxx", each=3600.0).state is BreakerState.OPEN


def test_the_window_holds_twenty_calls() -> None:
    assert len(after("o" * 50).calls) == 20


def test_an_open_order_breaker_waits_for_a_read_before_it_lets_one_order_pass() -> None:
    opened = after("xxxxx")
    still, passed = permit(opened, 1000.0)
    assert (still.state, passed) == (BreakerState.OPEN, False)
    assert note_read(opened, 33.0).state is BreakerState.OPEN  # its time is not over
    ready = note_read(opened, 34.0)
    assert ready.state is BreakerState.HALF_OPEN
    probing, first = permit(ready, 35.0)
    assert first
    assert permit(probing, 36.0)[1] is False
    assert not probing.would_permit(36.0)


def test_an_open_read_breaker_lets_one_read_pass_when_its_time_is_over() -> None:
    opened = after("xxxxx", Breaker(Guards.READS))
    assert not opened.would_permit(33.9)
    probing, first = permit(opened, 34.0)
    assert first
    assert not permit(probing, 34.0)[1]


@pytest.mark.parametrize("answer", [Outcome.OK, Outcome.REFUSED])
def test_an_answered_probe_closes_it(answer: Outcome) -> None:
    probing, _ = permit(note_read(after("xxxxx"), 40.0), 40.0)
    closed = record(probing, answer, QUICK, 41.0)
    assert (closed.state, closed.openings, closed.fact) == (BreakerState.CLOSED, 0, "")


def test_a_probe_that_never_went_out_leaves_its_place_to_the_next() -> None:
    probing, _ = permit(note_read(after("xxxxx"), 40.0), 40.0)
    released = record(probing, Outcome.SILENT, QUICK, 41.0)
    assert released.state is BreakerState.HALF_OPEN
    assert permit(released, 42.0)[1]


def test_each_failed_probe_doubles_the_wait_up_to_five_minutes() -> None:
    breaker, now, waits = after("xxxxx"), 4.0, []
    for _ in range(6):
        assert breaker.open_until is not None
        waits.append(breaker.open_until - now)
        now = breaker.open_until
        breaker, _ = permit(note_read(breaker, now), now)
        breaker = record(breaker, Outcome.FAILED, QUICK, now)
    assert waits == [30.0, 60.0, 120.0, 240.0, 300.0, 300.0]


def test_a_call_of_an_earlier_term_cannot_pass_for_the_probe() -> None:
    closed = Breaker(Guards.ORDERS)
    probing, _ = permit(note_read(after("xxxxx", closed), 40.0), 40.0)
    assert record(probing, Outcome.OK, QUICK, 41.0, closed.term) == probing
    assert record(probing, Outcome.OK, QUICK, 41.0, probing.term).state is BreakerState.CLOSED


def test_a_forced_opening_stays_until_an_operator_lifts_it() -> None:
    forced = force_open(Breaker(Guards.ORDERS), "the key was refused")
    for later in (note_read(forced, 1e9), record(forced, Outcome.OK, QUICK, 1e9), hold(forced, 1.0, 1e9, "slow down")):
        assert later.state is BreakerState.FORCED_OPEN
        assert not later.would_permit(1e9)
        assert later.fact == "the key was refused"
    assert reset(forced).would_permit(0.0)


def test_a_venue_that_asks_for_quiet_is_left_alone_for_that_long() -> None:
    held = hold(Breaker(Guards.READS), 120.0, 10.0, "too many calls")
    assert not held.would_permit(129.9)
    assert held.would_permit(130.0)
    assert hold(held, 1.0, 11.0, "again").open_until == 130.0  # a shorter wish does not shorten it


@pytest.mark.parametrize("wrong", [{"calls_min": 21}, {"failed_ratio": 1.5}, {"open_s": 400}, {"openness": 1}])
def test_settings_that_could_never_work_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        BreakerSettings.model_validate(wrong)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ok", "failed", "refused", "silent", "read", "hold"]),
        st.floats(0.0, 40.0, allow_nan=False),
    ),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS)
def test_a_half_open_breaker_never_has_more_than_one_order_out(steps: list[tuple[str, float]]) -> None:
    breaker, now = after("xxxxx"), 4.0
    out: list[int] = []  # the terms in which the calls still under way were permitted
    for step, pause in steps:
        now += pause
        if step == "ask":
            breaker, passed = permit(breaker, now)
            if passed:
                out.append(breaker.term)
        elif step == "read":
            breaker = note_read(breaker, now)
        elif step == "hold":
            breaker = hold(breaker, 5.0, now, "quiet")
        elif out:
            breaker = record(breaker, Outcome(step), pause, now, out.pop(0))
        if breaker.state is BreakerState.HALF_OPEN:
            assert out.count(breaker.term) <= 1
        if breaker.state in {BreakerState.OPEN, BreakerState.FORCED_OPEN}:
            assert not breaker.would_permit(now)
