"""A trader's last hour: what stood in each minute, read backwards from what stands now."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.core.events import BreakerState, Desired, Event, EventKind, Health
from tests.support.stories import a_trader, an_event, at
from tui.availability import BROKEN, DOWN, MINUTES, PAUSED, UNWATCHED, UP, WORSE, Standing, availability_section, strip

HOUR = 3_600.0


def a_turn(seconds: float, code: str, before: str, after: str) -> Event:
    return an_event(1, EventKind.TRADER, seconds, "it turned", code=code, from_state=before, to_state=after)


def told(turns: list[Event], **trader: Any) -> list[Standing]:
    return strip(a_trader(**{"health": Health.UP, **trader}), turns, at(HOUR))


def test_a_trader_that_nothing_is_known_of_stood_as_it_stands() -> None:
    assert told([]) == [UP] * MINUTES
    assert told([], desired=Desired.PAUSE) == [PAUSED] * MINUTES


def test_a_breaker_that_opened_and_closed_is_seen_in_the_minutes_between() -> None:
    turns = [
        a_turn(1_830, "breaker_closed", "half_open", "closed"),
        a_turn(1_790, "breaker_half_open", "open", "half_open"),
        a_turn(1_650, "breaker_open", "closed", "open"),
    ]
    shown = told(turns)
    assert shown[27:30] == [BROKEN] * 3
    assert shown[30].word == "tried again"
    assert shown[:27] == [UP] * 27
    assert shown[31:] == [UP] * 29


def test_a_minute_shows_the_worst_of_it_however_short_that_was() -> None:
    turns = [a_turn(605, "health_up", "down", "up"), a_turn(603, "health_down", "up", "down")]
    shown = told(turns)
    assert shown[10] == DOWN
    assert shown.count(UP) == MINUTES - 1


def test_what_an_operator_wanted_is_another_side_than_what_the_venue_did() -> None:
    turns = [a_turn(3_000, "switched", "run", "pause"), a_turn(1_200, "health_up", "down", "up")]
    shown = told(turns, desired=Desired.PAUSE)
    assert shown[0] == DOWN
    assert shown[25] == UP
    assert shown[-1] == PAUSED


def test_entries_about_something_else_change_nothing() -> None:
    assert told([a_turn(100, "clock_offset", "", ""), a_turn(90, "health_up", "no such word", "up")]) == [UP] * MINUTES


@given(st.lists(st.tuples(st.floats(0, HOUR), st.sampled_from(["up", "down", "degraded"])), max_size=30))
def test_the_strip_is_always_an_hour_long_and_its_last_minute_is_no_better_than_now(
    moments: list[tuple[float, str]],
) -> None:
    turns = [a_turn(when, "health_x", before, "up") for when, before in sorted(moments, reverse=True)]
    shown = told(turns, breaker=BreakerState.OPEN)
    assert len(shown) == MINUTES
    assert WORSE.index(shown[-1]) >= WORSE.index(BROKEN)


def test_the_section_says_how_much_of_the_hour_it_took_orders_and_what_the_cells_mean() -> None:
    turns = [a_turn(1_830, "breaker_closed", "open", "closed"), a_turn(90, "breaker_open", "closed", "open")]
    section = availability_section(a_trader(health=Health.UP), turns, at(HOUR))
    assert section.note == "took orders in 30 of 60 minutes"
    assert "x breaker open" in section.plain
    assert "down" not in section.plain
    assert len(section.rows[0].plain) == MINUTES
    assert len({standing.glyph for standing in WORSE}) == len(WORSE), "told apart without colours"


def test_only_minutes_that_were_watched_are_counted_and_the_others_are_named() -> None:
    turns = [a_turn(3_590, "breaker_open", "closed", "open"), a_turn(3_190, "health_up", "unchecked", "up")]
    section = availability_section(a_trader(health=Health.UP, breaker=BreakerState.OPEN), turns, at(HOUR))
    assert section.note == "took orders in 5 of 6 watched minutes, 54 not watched"
    assert "▁ not watched" in section.plain


def test_an_hour_in_which_nobody_watched_has_no_figure() -> None:
    assert availability_section(a_trader(), [], at(HOUR)).note == "not watched in any minute of it"


def test_nobody_watched_since_the_engine_was_last_heard() -> None:
    trader = a_trader(health=Health.UP)
    shown = strip(trader, [], at(HOUR), heard_at=at(HOUR - 90))
    assert shown == [UP] * 58 + [UNWATCHED] * 2
    assert "58 of 58 watched minutes, 2 not watched" in availability_section(trader, [], at(HOUR), at(HOUR - 90)).note
