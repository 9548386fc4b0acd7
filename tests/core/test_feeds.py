"""A feed's pulse tells dead, garbage, stale and a clock that is off apart, and turns on no single word."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.alerts import AlertFacts, AlertSettings, evaluate
from engine.core.events import EventKind, Level
from engine.core.feeds import (
    REMEDIES,
    FeedBounds,
    FeedPulse,
    FeedStanding,
    FeedState,
    clock_read,
    fact_of,
    failed,
    heard,
    turned,
)
from engine.core.readiness import ReadinessFacts, diagnose

BOUNDS = FeedBounds(stale_after_s=60.0, clock_off_s=2.0)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEAD, GARBAGE, LIVE, STALE = FeedState.DEAD, FeedState.GARBAGE, FeedState.LIVE, FeedState.STALE


def after(words: str, step_s: float = 2.0) -> FeedPulse:
    """Return the pulse after words said `step_s` apart: d silence, g garbage, n an answer with news, q one without."""
    pulse = FeedPulse()
    for number, word in enumerate(words):
        now = number * step_s
        if word in "dg":
            pulse = failed(pulse, DEAD if word == "d" else GARBAGE, {"d": "no answer", "g": "a page"}[word])
        else:
            pulse = heard(pulse, now, BOUNDS, has_news=word == "n")
    return pulse


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ("", FeedState.CONNECTING),
        ("d", FeedState.CONNECTING),
        ("n", LIVE),
        ("q", LIVE),
        ("dd", DEAD),
        ("gg", GARBAGE),
        ("nd", LIVE),
        ("ng", LIVE),
        ("ndndngn", LIVE),
        ("ndd", DEAD),
        ("ngg", GARBAGE),
        ("ndg", GARBAGE),
        ("nddg", DEAD),
        ("nddgg", GARBAGE),
        ("nddgdgdg", DEAD),
        ("nggn", GARBAGE),
        ("nggnn", LIVE),
        ("nddnq", LIVE),
        ("nddnd", DEAD),
    ],
)
def test_the_state_follows_what_came_twice(words: str, state: FeedState) -> None:
    assert after(words).state is state


def test_a_silence_among_garbage_keeps_the_reason_of_the_garbage() -> None:
    pulse = after("nggd")
    assert pulse.state is GARBAGE
    assert "a page" in fact_of(pulse, 8.0, BOUNDS)


def test_answers_without_a_trade_for_longer_than_is_usual_are_stale() -> None:
    pulse = after("n" + "q" * 31)
    assert pulse.state is STALE
    assert fact_of(pulse, 62.0, BOUNDS) == "it answers, but there was no trade for 62 s; up to 60 s is usual"
    assert after("n" + "q" * 30).state is LIVE


def test_a_feed_that_never_had_a_trade_is_stale_as_well() -> None:
    assert after("q" * 32).state is STALE


def test_one_trade_alone_does_not_end_staleness_two_close_together_do() -> None:
    assert after("n" + "q" * 31 + "n").state is STALE
    assert after("n" + "q" * 31 + "nn").state is LIVE
    assert after("n" + "q" * 31 + "n" + "q" * 40 + "n").state is STALE


def test_a_feed_that_was_dead_for_long_is_not_stale_with_its_first_answers() -> None:
    assert after("n" + "d" * 100 + "qq").state is LIVE


def test_a_clock_that_is_off_is_told_with_how_far_and_must_come_well_near_again() -> None:
    pulse = clock_read(after("n"), 20.0, BOUNDS)
    assert pulse.state is FeedState.CLOCK_OFF
    assert "20.0 s ahead of ours" in fact_of(pulse, 0.0, BOUNDS)
    assert "3.0 s behind ours" in fact_of(clock_read(pulse, -3.0, BOUNDS), 0.0, BOUNDS)
    assert clock_read(pulse, 1.9, BOUNDS).state is FeedState.CLOCK_OFF
    assert clock_read(pulse, 1.5, BOUNDS).state is LIVE
    assert clock_read(after("n"), 1.9, BOUNDS).state is LIVE


def test_a_dead_feed_is_dead_whatever_its_clock_said() -> None:
    assert clock_read(after("ndd"), 20.0, BOUNDS).state is DEAD


@given(st.text("dgnq", max_size=60))
def test_a_state_never_turns_on_a_single_word(words: str) -> None:
    states = [after(words[:end]).state for end in range(len(words) + 1)]
    bad = {DEAD: "d", GARBAGE: "g"}
    for end in range(2, len(states)):
        if states[end] is states[end - 1]:
            continue
        last = words[end - 2 : end]
        if states[end] in bad:
            assert last[-1] == bad[states[end]]
            assert set(last) <= set("dg")
        elif states[end - 1] in bad:
            assert set(last) <= set("nq")


@given(st.text("dgnq", max_size=40))
def test_every_state_has_a_fact_and_every_ailment_a_remedy(words: str) -> None:
    pulse = after(words)
    assert fact_of(pulse, len(words) * 2.0, BOUNDS)
    assert bool(REMEDIES[pulse.state]) == (pulse.state is not LIVE)


def a_standing(state: FeedState, name: str = "kraken") -> FeedStanding:
    return FeedStanding(name, state, "the fact behind it", ("BTC/USD", "ETH/USD"))


def test_a_turn_for_the_worse_is_a_warning_with_the_remedy_and_one_for_the_better_is_none() -> None:
    worse = turned(LIVE, a_standing(DEAD), NOW)
    assert (worse.kind, worse.level, worse.code) == (EventKind.FEED, Level.WARNING, "feed_dead")
    assert worse.text == "feed kraken is dead: the fact behind it"
    assert worse.detail["remedy"] == REMEDIES[DEAD]
    assert (worse.from_state, worse.to_state) == ("live", "dead")
    better = turned(DEAD, a_standing(LIVE), NOW)
    assert (better.level, better.text) == (Level.INFO, "feed kraken is live")


def test_each_feed_has_a_line_of_the_diagnosis_with_fact_and_remedy() -> None:
    feeds = (a_standing(LIVE, "binance"), a_standing(DEAD), a_standing(FeedState.CLOCK_OFF, "coinbase"))
    lines = {c.gate: c for c in diagnose(ReadinessFacts(NOW, feeds=feeds)).checks if c.gate.startswith("feed ")}
    assert [line.ok for line in lines.values()] == [True, False, False]
    assert lines["feed kraken"].fact == "dead: the fact behind it (BTC/USD, ETH/USD)"
    assert lines["feed kraken"].remedy == REMEDIES[DEAD]
    assert not lines["feed kraken"].decides


def test_with_no_feed_flowing_nothing_can_be_sent() -> None:
    feeds = (a_standing(DEAD), a_standing(STALE, "binance"))
    lines = [c for c in diagnose(ReadinessFacts(NOW, feeds=feeds)).checks if c.gate.startswith("feed ")]
    assert all(line.decides and not line.ok for line in lines)


def test_the_alert_of_a_feed_names_it_and_goes_with_its_ailment() -> None:
    facts = AlertFacts(NOW, feed_age_s=1.0, feeds=(a_standing(LIVE, "binance"), a_standing(GARBAGE)))
    [change] = evaluate([], {}, facts, AlertSettings()).changes
    told = (change.alert.rule, change.alert.subject, change.alert.text)
    assert told == ("feed_stale", "kraken", "the feed of kraken is garbage: the fact behind it")
    well = replace(facts, feeds=(a_standing(LIVE, "binance"), a_standing(LIVE)))
    assert not evaluate([], {}, well, AlertSettings()).changes
