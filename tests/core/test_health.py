"""A trader's pulse changes without haste, and never on a single word."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from engine.core.events import BreakerState, Health, Level, TraderState
from engine.core.health import HealthSettings, Pulse, answered, clock_read, offset_of, silent, transitions

SETTINGS = HealthSettings()
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def after(words: list[tuple[str, float]], settings: HealthSettings = SETTINGS) -> list[Pulse]:
    pulses = [Pulse()]
    for word, at in words:
        heard = answered(pulses[-1], at, None, settings) if word == "ok" else silent(pulses[-1], "no answer", settings)
        pulses.append(heard)
    return pulses


def test_a_trader_is_up_with_its_first_answer() -> None:
    assert after([("ok", 0.0)])[-1].health is Health.UP


def test_two_silences_are_not_yet_down() -> None:
    assert after([("ok", 0), ("no", 15), ("no", 30)])[-1].health is Health.UP


def test_three_silences_in_a_row_are_down_and_say_why() -> None:
    pulse = after([("ok", 0), ("no", 15), ("no", 30), ("no", 45)])[-1]
    assert pulse.health is Health.DOWN
    assert "3 times in a row: no answer" in pulse.fact


def test_an_answer_between_silences_starts_the_count_anew() -> None:
    assert after([("no", 0), ("no", 15), ("ok", 30), ("no", 45), ("no", 60)])[-1].health is Health.UP


def test_a_trader_that_was_down_must_answer_for_the_dwell_before_it_is_up() -> None:
    down = [("no", 0.0), ("no", 1.0), ("no", 2.0)]
    pulses = after([*down, ("ok", 10.0), ("ok", 25.0), ("ok", 39.0), ("ok", 40.0)])
    assert [pulse.health for pulse in pulses[-4:]] == [Health.DOWN, Health.DOWN, Health.DOWN, Health.UP]
    assert "30 s" in pulses[-2].fact
    assert pulses[-1].fact == ""


def test_a_silence_during_the_dwell_starts_it_anew() -> None:
    down = [("no", 0.0), ("no", 1.0), ("no", 2.0)]
    pulses = after([*down, ("ok", 10.0), ("no", 25.0), ("ok", 39.0), ("ok", 41.0), ("ok", 69.0)])
    assert pulses[-2].health is Health.DOWN
    assert pulses[-1].health is Health.UP


def test_a_dwell_of_zero_still_needs_two_answers() -> None:
    settings = HealthSettings(dwell_s=0)
    pulses = after([("no", 0), ("no", 1), ("no", 2), ("ok", 3), ("ok", 4)], settings)
    assert [pulse.health for pulse in pulses[-2:]] == [Health.DOWN, Health.UP]


def test_slow_answers_degrade_and_only_clearly_quicker_ones_lift_that() -> None:
    slow = answered(Pulse(), 0, 2.1, SETTINGS)
    assert slow.health is Health.DEGRADED
    assert "2.1 s" in slow.fact
    assert answered(slow, 1, 1.9, SETTINGS).health is Health.DEGRADED
    assert answered(slow, 1, 1.4, SETTINGS).health is Health.UP


def test_a_clock_too_far_off_is_down_at_once_and_names_the_offset() -> None:
    pulse = clock_read(answered(Pulse(), 0, None, SETTINGS), -0.8, 0, SETTINGS)
    assert pulse.health is Health.DOWN
    assert "0.80 s behind ours" in pulse.fact
    for at in (15, 30, 90):
        pulse = answered(pulse, at, None, SETTINGS)
    assert pulse.health is Health.DOWN, "answers alone do not set a clock"


def test_a_clock_that_is_near_again_needs_no_dwell_but_must_be_clearly_near() -> None:
    off = clock_read(answered(Pulse(), 0, None, SETTINGS), 0.8, 0, SETTINGS)
    assert clock_read(off, 0.7, 15, SETTINGS).health is Health.DOWN
    near = clock_read(off, 0.5, 15, SETTINGS)
    assert near.health is Health.UP
    assert near.fact == ""


def test_an_offset_within_half_a_round_trip_proves_nothing() -> None:
    assert offset_of(0.4, 1.0) == 0.0
    assert offset_of(0.9, 1.0) == 0.4
    assert offset_of(-0.9, 1.0) == -0.4


@given(st.lists(st.tuples(st.sampled_from(["ok", "no"]), st.floats(0.1, 60)), max_size=60))
def test_health_turns_only_after_enough_words_of_one_kind(steps: list[tuple[str, float]]) -> None:
    at, words = 0.0, []
    for word, gap in steps:
        at += gap
        words.append((word, at))
    pulses = after(words)
    for index, (earlier, later) in enumerate(itertools.pairwise(pulses)):
        if earlier.health is not Health.DOWN and later.health is Health.DOWN:
            assert [word for word, _ in words[index - 2 : index + 1]] == ["no"] * 3
        if earlier.health is Health.DOWN and later.health is not Health.DOWN:
            assert words[index][0] == words[index - 1][0] == "ok"
            answering = index
            while answering and words[answering - 1][0] == "ok":
                answering -= 1
            assert words[index][1] - words[answering][1] >= SETTINGS.dwell_s


@given(st.floats(-10, 10), st.floats(0, 10))
def test_a_proven_offset_is_never_more_than_what_was_read(middle: float, round_trip: float) -> None:
    proven = offset_of(middle, round_trip)
    assert abs(proven) <= abs(middle)
    assert proven * middle >= 0


def test_each_turn_of_a_trader_is_told_with_where_from_where_to_and_why() -> None:
    well = TraderState("trader_a", "paper", health=Health.UP)
    ill = replace(
        well,
        health=Health.DOWN,
        health_fact="no answer",
        breaker=BreakerState.OPEN,
        breaker_fact="5 of 5",
        quarantined=True,
    )
    told = transitions(well, ill, NOW)
    assert [(e.code, e.from_state, e.to_state, e.level) for e in told] == [
        ("health_down", "up", "down", Level.WARNING),
        ("breaker_open", "closed", "open", Level.WARNING),
        ("quarantine_quarantined", "free", "quarantined", Level.WARNING),
    ]
    assert told[0].text == "trader_a: health down: no answer"
    assert told[2].text == "trader_a: quarantined: outcomes are unresolved or a proof was broken"
    back = transitions(ill, well, NOW)
    assert [(e.code, e.level) for e in back] == [
        ("health_up", Level.INFO),
        ("breaker_closed", Level.INFO),
        ("quarantine_free", Level.INFO),
    ]
    assert back[2].text == "trader_a: out of quarantine"
    assert transitions(well, replace(well, in_flight=3, health_fact="words"), NOW) == []
