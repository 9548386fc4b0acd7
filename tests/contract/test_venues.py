"""The room of ccxt's classes: time, tables, and what a request carries."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.clock import ManualClock
from engine.core.errors import ConfigError
from engine.venues.guarding import retry_after_s
from engine.venues.table import check_table, known_venue, merged
from engine.venues.venue_clock import VenueClock


def test_an_unread_venue_has_our_time() -> None:
    clock = ManualClock()
    venue = VenueClock(clock)
    assert not venue.is_known
    assert venue.now() == clock.wall()


def test_readings_narrow_each_other_and_the_time_goes_on_by_elapsed_time() -> None:
    clock = ManualClock()
    venue = VenueClock(clock)
    truth_s = 20.3
    began = clock.elapsed()
    for lag_s in (0.1, 0.5, 0.9):
        # A call of one second, answered `lag_s` after its begin by a clock that shows whole seconds.
        shown = (clock.wall() + timedelta(seconds=truth_s + lag_s)).replace(microsecond=0)
        venue.note(shown, began, began + 1.0, step_s=1.0)
    assert abs((venue.now() - clock.wall()).total_seconds() - truth_s) < 0.5
    before = venue.now()
    clock.jump(3600)
    assert venue.now() == before
    clock.advance(7)
    assert venue.now() == before + timedelta(seconds=7)


def test_a_coarse_clock_is_not_taken_for_a_slow_one() -> None:
    clock = ManualClock()
    venue = VenueClock(clock)
    for _ in range(10):
        clock.advance(0.1)
        now_s = clock.elapsed()
        venue.note(clock.wall().replace(microsecond=0), now_s, now_s, step_s=1.0)
    assert abs((venue.now() - clock.wall()).total_seconds()) <= 0.1


def test_a_venue_that_sets_its_clock_anew_is_believed_at_once() -> None:
    clock = ManualClock()
    venue = VenueClock(clock)
    began = clock.elapsed()
    venue.note(clock.wall(), began, began)
    venue.note(clock.wall() + timedelta(seconds=20), began, began + 0.4)
    assert (venue.now() - clock.wall()).total_seconds() == pytest.approx(19.8)


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ({"verify": False}, "certificate"),
        ({"verbose": True}, "keys"),
        ({"enableRateLimit": False}, "rateLimit"),
        ({"socksProxy": "socks5://127.0.0.1:1"}, "httpsProxy"),
        ({"options": {"maxRetriesOnFailure": 3}}, "second order"),
        ({"options": {"order": {"maxRetriesOnFailure": 1}}}, "options.order.maxRetriesOnFailure"),
        ({"urls": {"api": {"private": "http://exchange.example/api"}}}, "urls.api.private"),
    ],
)
def test_a_table_that_would_undo_a_promise_is_refused_by_the_key(table: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        check_table(table)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_plain_http_is_for_the_machine_itself(host: str) -> None:
    check_table({"urls": {"api": {"public": f"http://{host}/api"}}, "timeout": 1000, "options": {"a": 1}})


def test_tables_are_merged_deeply_and_the_upper_one_wins() -> None:
    assert merged({"a": {"x": 1, "y": 2}, "b": 1}, {"a": {"y": 3}, "c": 4}) == {"a": {"x": 1, "y": 3}, "b": 1, "c": 4}


def test_a_venue_is_known_by_ccxts_own_files_and_a_slip_is_guessed() -> None:
    assert known_venue("binance", "traders.a.exchange") == "binance"
    with pytest.raises(ConfigError, match=r"traders\.a\.exchange: .*'binanse'; did you mean 'binance"):
        known_venue("binanse", "traders.a.exchange")
    with pytest.raises(ConfigError, match="no exchange"):
        known_venue("base/exchange", "traders.a.exchange")


@pytest.mark.parametrize(
    ("said", "heard"), [("7", 7.0), ("999999999", 3 * 86_400.0), ("soon", None), ("-1", None), ("1.5", None)]
)
def test_a_wish_for_quiet_is_heard_if_it_is_in_seconds(said: str, heard: float | None) -> None:
    assert retry_after_s({"retry-AFTER": said}) == heard
