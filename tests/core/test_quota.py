"""Allowances: how much passes in a time, how long to wait, and who shares one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import ManualClock
from engine.core.quota import Allowance, client_of, draw, remaining
from engine.inbox.porter import CLIENTS_MAX, Allowances

per_minute = st.integers(1, 10_000)


@given(per_minute, st.lists(st.floats(0, 20), min_size=1, max_size=200))
def test_no_more_passes_than_a_minute_s_worth_and_what_came_back_since(per_min: int, gaps: list[float]) -> None:
    known: Allowance | None = None
    now, passed = 100.0, 0
    for gap in gaps:
        now += gap
        known, wait_s = draw(known, per_min, now)
        passed += not wait_s
    assert passed <= per_min + (now - 100.0 - gaps[0]) * per_min / 60 + 1e-6


@given(per_minute, st.integers(1, 50))
def test_the_wait_that_is_told_is_enough_and_not_much_too_long(per_min: int, more: int) -> None:
    known: Allowance | None = None
    for _ in range(per_min):
        known, wait_s = draw(known, per_min, 5.0)
        assert wait_s == 0.0
    for _ in range(more):  # who is refused pays nothing
        known, wait_s = draw(known, per_min, 5.0)
    assert 0 < wait_s <= 60 / per_min + 1e-9
    assert draw(known, per_min, 5.0 + wait_s / 2)[1] > 0
    assert draw(known, per_min, 5.0 + wait_s + 1e-6)[1] == 0.0


def test_an_allowance_never_grows_beyond_a_minute_s_worth_nor_when_time_stands() -> None:
    known, _ = draw(None, 10, 0.0)
    assert remaining(known, 10, 0.0) == 9
    assert remaining(known, 10, 1e9) == 10
    assert remaining(known, 10, -50.0) == 9


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::1", "::1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("x" * 100, "x" * 64),
    ],
)
def test_an_ipv6_network_shares_one_allowance(address: str, client: str) -> None:
    assert client_of(address) == client


def test_a_flood_of_addresses_is_not_remembered_without_end_nor_washes_out_who_was_refused() -> None:
    clock = ManualClock()
    allowances = Allowances(2, clock)
    while not allowances.draw("spent"):
        pass
    for n in range(3 * CLIENTS_MAX):
        assert allowances.draw(f"a{n}") == 0.0
    assert len(allowances._known) <= CLIENTS_MAX
    assert allowances.wait_s("spent") > 0
    clock.advance(60)
    for n in range(CLIENTS_MAX):
        allowances.draw(f"b{n}")
    assert not [client for client in allowances._known if not client.startswith("b")], "whole allowances are forgotten"
    assert allowances.wait_s("spent") == 0.0
