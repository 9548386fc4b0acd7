from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.backoff import RetryPolicy
from engine.core.events import BreakerState, Desired, Health, Route, Signal
from engine.core.lifecycle import LIVE_OR_DONE_ATTEMPTS, AttemptState
from engine.core.routing import Candidate, Tried, route
from engine.core.values import Side
from tests.core.cases import SYMBOL, a_kept_signal, a_trader
from tests.support.builders import NOW

POLICY = RetryPolicy()


def a_candidate(name: str, **given: Any) -> Candidate:
    candidate = Candidate(a_trader(name), frozenset({SYMBOL}), slots_free=4, shorting=False)
    return replace(candidate, **given)


A, B, C = a_candidate("a"), a_candidate("b"), a_candidate("c")
PAUSED = a_candidate("a", state=a_trader("a", desired=Desired.PAUSE, desired_by="ann", desired_why="lunch"))


def _go(signal: Signal, *candidates: Candidate, tried: tuple[Tried, ...] = ()) -> Route:
    return route(signal, candidates, tried, POLICY, NOW)


def _why(way: Route, trader: str) -> str:
    return next(c.why for c in way.considered if c.trader == trader)


def _code(way: Route, trader: str) -> str:
    return next(c.code for c in way.considered if c.trader == trader)


def test_the_preferred_trader_comes_first_then_the_order_of_the_configuration() -> None:
    assert _go(a_kept_signal(), A, B).trader == "a"
    assert _go(a_kept_signal(preferred_trader="b"), A, B).trader == "b"
    assert _go(a_kept_signal(preferred_trader="nobody"), A, B).trader == "a"


def test_every_trader_is_told_of_whether_chosen_or_not() -> None:
    way = _go(a_kept_signal(preferred_trader="a"), PAUSED, B, C)
    assert [(c.trader, c.chosen, c.code) for c in way.considered] == [
        ("a", False, "paused"),
        ("b", True, "chosen"),
        ("c", False, "not_needed"),
    ]
    assert _why(way, "a") == "paused by ann: lunch"


@pytest.mark.parametrize(
    ("given", "code", "said", "lifts"),
    [
        ({"state": a_trader("a", desired=Desired.PAUSE)}, "paused", "paused by an operator", True),
        ({"state": a_trader("a", quarantined=True)}, "quarantined", "quarantined", True),
        ({"state": a_trader("a", health=Health.DOWN, health_fact="no answer")}, "down", "no answer", True),
        (
            {
                "state": a_trader(
                    "a", breaker=BreakerState.OPEN, breaker_fact="5 of 5", open_until=NOW + timedelta(seconds=12)
                )
            },
            "breaker_open",
            "breaker open: 5 of 5, 12 s more",
            True,
        ),
        ({"state": a_trader("a", breaker=BreakerState.FORCED_OPEN)}, "breaker_open", "forced open", True),
        ({"symbols": frozenset({"ETH/USDT"})}, "unknown_symbol", f"does not trade {SYMBOL}", False),
        ({"symbols": None}, "symbols_unknown", "not told its symbols", True),
        ({"slots_free": 0}, "no_slot", "no free slot", True),
    ],
)
def test_each_reason_to_pass_a_trader_over_is_a_sentence(
    given: dict[str, Any], code: str, said: str, lifts: bool
) -> None:
    way = _go(a_kept_signal(), a_candidate("a", **given))
    assert way.trader is None
    assert said in _why(way, "a")
    assert _code(way, "a") == code
    assert way.lifts is lifts
    assert way.objection == way.considered[0]


def test_a_half_open_breaker_lets_its_probe_through() -> None:
    half = a_candidate("a", state=a_trader("a", breaker=BreakerState.HALF_OPEN))
    assert _go(a_kept_signal(), half).trader == "a"


def test_without_traders_waiting_is_worth_it() -> None:
    assert _go(a_kept_signal()).lifts


SELL = a_kept_signal(side=Side.SELL)
HOLDER = replace(B, holds=Decimal("0.5"))


def test_an_exit_goes_only_to_the_trader_that_holds_the_position() -> None:
    way = _go(replace(SELL, reduces=True), A, HOLDER)
    assert way.trader == "b"
    assert _code(way, "a") == "nothing_to_sell"


def test_an_exit_bound_to_a_trader_sells_nothing_of_another() -> None:
    way = _go(replace(SELL, reduces=True, preferred_trader="a"), A, HOLDER)
    assert way.trader is None
    assert not way.lifts
    assert _code(way, "b") == "nothing_to_sell"


def test_an_exit_waits_for_its_trader_rather_than_going_short_elsewhere() -> None:
    held_up = replace(HOLDER, state=a_trader("b", desired=Desired.PAUSE))
    way = _go(SELL, replace(A, shorting=True), held_up)
    assert way.trader is None
    assert way.lifts
    assert _code(way, "b") == "paused"


def test_what_cannot_be_sold_anywhere_is_not_waited_for() -> None:
    way = _go(SELL, A, PAUSED, B)
    assert way.trader is None
    assert not way.lifts
    assert {c.code for c in way.considered} == {"nothing_to_sell"}
    more = _go(replace(SELL, quantity=Decimal(1)), HOLDER)
    assert "holds only 0.5" in _why(more, "b")
    assert not more.lifts


def test_a_trader_that_may_go_short_sells_what_it_does_not_hold() -> None:
    assert _go(SELL, A, replace(B, shorting=True)).trader == "b"


def test_a_marked_exit_of_more_than_is_held_still_goes_to_the_holder() -> None:
    assert _go(replace(SELL, reduces=True, quantity=Decimal(9)), A, HOLDER).trader == "b"


def test_an_exit_under_way_is_waited_for() -> None:
    way = _go(replace(SELL, reduces=True), replace(HOLDER, exit_under_way=True))
    assert way.trader is None
    assert way.lifts
    assert _code(way, "b") == "exit_under_way"


def test_a_short_position_is_bought_back_where_it_is() -> None:
    short = replace(B, holds=Decimal("-0.5"), shorting=True)
    assert _go(a_kept_signal(quantity=Decimal("0.5")), A, short).trader == "b"
    assert _go(a_kept_signal(quantity=Decimal("0.6")), A, short).trader == "a"


def test_after_a_refusal_only_another_trader_may_try() -> None:
    tried = (Tried("a", AttemptState.REJECTED, "refused_funds"),)
    assert _go(a_kept_signal(preferred_trader="a"), A, B, tried=tried).trader == "b"
    alone = _go(a_kept_signal(), A, tried=tried)
    assert not alone.lifts
    assert _why(alone, "a") == "already tried and refused there"


@pytest.mark.parametrize("code", ["refused_rate", "refused_maintenance", "refused_clock", "refused_deadline"])
def test_a_refusal_that_will_pass_leaves_the_trader_open(code: str) -> None:
    assert _go(a_kept_signal(), A, tried=(Tried("a", AttemptState.REJECTED, code),)).trader == "a"


@pytest.mark.parametrize("state", [AttemptState.NOT_SENT, AttemptState.ABSENT, AttemptState.CANCELED])
def test_after_proof_of_no_order_another_is_asked_first_and_the_same_one_again(state: AttemptState) -> None:
    tried = (Tried("a", state),)
    assert _go(a_kept_signal(preferred_trader="a"), A, B, tried=tried).trader == "b"
    assert _go(a_kept_signal(preferred_trader="a"), A, tried=tried).trader == "a"
    both = (*tried, Tried("b", state))
    assert _go(a_kept_signal(preferred_trader="b"), A, B, C, tried=both).trader == "b"


def test_no_more_traders_are_tried_than_allowed() -> None:
    tried = (Tried("a", AttemptState.REJECTED), Tried("b", AttemptState.REJECTED))
    way = _go(a_kept_signal(), A, B, C, tried=tried)
    assert way.trader is None
    assert not way.lifts
    assert "trader limit reached: 2 of 2" in _why(way, "c")


states = st.sampled_from(AttemptState)
names = st.sampled_from("abc")


@given(st.lists(st.builds(Tried, names, states), max_size=4), st.sampled_from(Side))
def test_nothing_is_routed_while_an_attempt_may_be_an_order(tried: list[Tried], side: Side) -> None:
    way = _go(a_kept_signal(side=side), A, HOLDER, replace(C, shorting=True), tried=tuple(tried))
    if any(t.state in LIVE_OR_DONE_ATTEMPTS for t in tried):
        assert way.trader is None
    assert sum(c.chosen for c in way.considered) == (way.trader is not None)
    assert {c.trader for c in way.considered} == {"a", "b", "c"}
    assert len({t.trader for t in tried} | ({way.trader} - {None})) <= max(2, len({t.trader for t in tried}))
