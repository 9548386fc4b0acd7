"""Why did this signal trade, or why not: the sentence for every way that a signal's life can go."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from engine.core.board import Story
from engine.core.events import Event, EventKind
from engine.core.lifecycle import AttemptState, SignalState
from engine.core.values import Reason, Side
from tests.support.stories import (
    CONSIDERED,
    a_failed_story,
    a_filled_attempt,
    a_held_story,
    a_refused_story,
    a_request,
    a_review_story,
    a_signal,
    a_traded_story,
    an_attempt,
    an_event,
    at,
    gated,
    received,
)
from tui.verdicts import Why, obstacle, why

PASSED_OVER = [{**item, "chosen": False} for item in CONSIDERED]


def told(story: Story, seconds: float = 30) -> Why:
    return why(story, at(seconds))


def bare(state: SignalState, *events: Event, **fields: Any) -> Story:
    return Story(a_signal(state, **fields), (), (), (received(), *events))


def executing(state: AttemptState, **fields: Any) -> Story:
    attempt = an_attempt(state, **fields)
    return Story(a_signal(SignalState.EXECUTING, attempts=1), (attempt,), (), (received(),))


def test_a_new_signal_says_that_it_is_safe_and_how_long_it_waited() -> None:
    answer = told(bare(SignalState.NEW))
    assert answer.word == "Not yet"
    assert "safe in the store" in answer.sentence
    assert "waited 30s" in answer.sentence
    assert answer.remedy


def test_a_held_signal_names_the_rule_its_fact_and_when_it_is_asked_again() -> None:
    answer = told(a_held_story())
    assert answer.word == "Held back"
    assert "within position limits" in answer.sentence
    assert "5 positions of 5 allowed" in answer.sentence
    assert "asked again in 30s" in answer.sentence
    assert "runs out in 1m30s" in answer.sentence
    assert answer.remedy == "close a position, or raise positions_max"


def test_a_signal_that_no_trader_takes_names_each_one_passed_over() -> None:
    answer = told(bare(SignalState.WAITING, gated(2, 0.01, considered=PASSED_OVER)))
    for item in PASSED_OVER:
        assert str(item["trader"]) in answer.sentence
        assert str(item["why"]) in answer.sentence


def test_a_sale_without_a_position_is_told_once_and_asks_for_nothing() -> None:
    refusals = [{"trader": f"bin-{n}", "chosen": False, "why": "holds nothing to sell"} for n in range(3)]
    event = an_event(2, EventKind.GATED, 1, "rejected", code="nothing_to_sell", detail={"considered": refusals})
    reason = Reason("nothing_to_sell", "; ".join(f"{r['trader']}: {r['why']}" for r in refusals))
    answer = told(bare(SignalState.REJECTED, event, reason=reason))
    assert answer.sentence.endswith("every trader was passed over (each of 3: holds nothing to sell).")
    assert answer.remedy.startswith("nothing: a sale needs a position")


def test_the_newest_obstacle_is_the_one_that_counts() -> None:
    earlier, later = gated(2, 0.01, "is_within_position_limits"), gated(3, 30, considered=PASSED_OVER)
    assert "every trader was passed over" in told(bare(SignalState.WAITING, earlier, later)).sentence
    assert "within position limits" in told(bare(SignalState.WAITING, later, earlier)).sentence


def test_a_requeued_signal_names_the_attempt_that_came_to_nothing() -> None:
    ended = an_event(
        2,
        EventKind.ATTEMPT,
        5,
        "ended",
        attempt_n=1,
        trader="krk-1",
        to_state="absent",
        detail={"error": "no answer within 5 s"},
    )
    answer = told(bare(SignalState.WAITING, ended, due_at=at(40)))
    assert "attempt 1 at krk-1 ended absent: no answer within 5 s" in answer.sentence
    assert "asked again in 10s" in answer.sentence


@pytest.mark.parametrize(
    ("state", "word", "parts"),
    [
        (AttemptState.INTENT, "Executing", ["on the way to trader_momentum"]),
        (AttemptState.ACCEPTED, "Order open", ["open at trader_momentum", "0 of 0.01 are filled"]),
        (AttemptState.UNKNOWN, "Unknown", ["may or may not have reached", "reset by peer", "2 lookups", "in 4.0s"]),
    ],
)
def test_an_executing_signal_says_where_its_order_is(state: AttemptState, word: str, parts: list[str]) -> None:
    answer = told(executing(state, error_text="reset by peer", probes=2, next_probe_at=at(34)))
    assert answer.word == word
    for part in parts:
        assert part in answer.sentence


def test_an_unknown_order_is_never_said_to_be_retried() -> None:
    answer = told(executing(AttemptState.UNKNOWN))
    assert answer.remedy.startswith("nothing: it is never sent again before")


def test_a_traded_signal_says_who_traded_how_much_at_which_price_and_how_fast() -> None:
    answer = told(a_traded_story())
    assert answer.word == "Traded"
    assert answer.sentence == "trader_momentum bought 0.01 BTC at 64018.2, 240ms after it was received."


def test_a_part_filled_signal_says_which_part() -> None:
    story = a_traded_story()
    part = replace(story.attempts[0], state=AttemptState.PARTIAL_CLOSED, filled_quantity=Decimal("0.004"))
    answer = told(replace(story, attempts=(part,)))
    assert answer.word == "Traded in part"
    assert "bought 0.004 of 0.01 BTC" in answer.sentence
    assert "closed the rest" in answer.sentence


def test_a_sale_after_two_attempts_says_sold_and_how_many() -> None:
    story = a_traded_story()
    filled = a_filled_attempt(2, request=a_request(2, side=Side.SELL))
    answer = told(replace(story, attempts=(an_attempt(AttemptState.NOT_SENT), filled)))
    assert " sold 0.01 BTC" in answer.sentence
    assert "It took 2 attempts." in answer.sentence


def test_an_expired_signal_says_what_held_it_back_until_then() -> None:
    held = a_held_story()
    expiry = an_event(4, EventKind.GATED, 120, "expired", detail={"answers": [{"rule": "is_fresh", "code": "expired"}]})
    signal = replace(held.signal, state=SignalState.EXPIRED, reason=Reason("expired", "it expired 1 s ago"))
    answer = told(Story(signal, (), (), (*held.events, expiry)), 130)
    assert answer.word == "Did not trade"
    assert "it had 2m00s" in answer.sentence
    assert "within position limits" in answer.sentence
    assert answer.remedy == "close a position, or raise positions_max"


def test_an_expired_signal_believes_its_own_reason_first() -> None:
    reason = Reason("expired", "it expired 1 s ago; until then: 5 positions of 5 allowed")
    answer = told(bare(SignalState.EXPIRED, reason=reason), 130)
    assert answer.sentence.endswith("Until then: 5 positions of 5 allowed.")


def test_a_signal_that_expired_unseen_says_that_nobody_looked() -> None:
    assert "nobody looked at it" in told(bare(SignalState.EXPIRED), 130).sentence


def test_a_refused_signal_names_the_rule_and_what_to_do() -> None:
    answer = told(a_refused_story())
    assert "confidence 0.62 is below 0.70" in answer.sentence
    assert "confident" in answer.sentence
    assert answer.remedy == "lower confidence_min, or leave it"


def test_a_refusal_by_the_venue_is_told_in_its_words() -> None:
    answer = told(bare(SignalState.REJECTED, reason=Reason("refused", "the venue refused it: bad symbol.")))
    assert answer.sentence == "It was refused for good: the venue refused it: bad symbol."
    assert answer.remedy


def test_a_failed_signal_says_that_no_attempt_became_an_order_and_what_the_last_error_was() -> None:
    answer = told(a_failed_story())
    assert "all 3 attempts ended without an order, each of them proven" in answer.sentence
    assert "not enough free USDT" in answer.sentence


def test_a_failure_with_an_unproven_attempt_is_not_called_proven() -> None:
    story = a_failed_story()
    odd = replace(story.attempts[0], state=AttemptState.ACCEPTED)
    assert "proven." not in told(replace(story, attempts=(odd, *story.attempts[1:]))).sentence


def test_a_withdrawn_signal_says_by_whom() -> None:
    answer = told(bare(SignalState.CANCELLED, reason=Reason("cancelled", "cancelled by maria: duplicate")))
    assert answer.sentence == "It was withdrawn: cancelled by maria: duplicate."


def test_a_review_says_which_two_answers_there_are() -> None:
    answer = told(a_review_story())
    assert answer.word == "A person must decide"
    assert "14 lookups" in answer.sentence
    assert "A names the order" in answer.remedy
    assert "B declares" in answer.remedy


@pytest.mark.parametrize("state", list(SignalState))
def test_every_state_has_an_answer_even_when_nothing_else_is_known(state: SignalState) -> None:
    answer = told(Story(a_signal(state), (), (), ()))
    assert answer.word
    assert answer.sentence.endswith(".")
    assert ".." not in answer.sentence


@pytest.mark.parametrize(
    "detail",
    [
        {},
        {"answers": None, "considered": 7},
        {"answers": "no", "considered": {"trader": "x"}},
        {"answers": [None, 3, "x", []], "considered": [None]},
        {"answers": [{}], "considered": [{}]},
        {"answers": [{"rule": 7, "ok": False, "fact": None, "remedy": 3}]},
    ],
)
def test_a_detail_that_lacks_something_is_still_told(detail: dict[str, object]) -> None:
    event = an_event(2, EventKind.GATED, 1, "gated", detail=detail)
    assert told(bare(SignalState.WAITING, event)).sentence


def test_nothing_in_the_way_is_no_obstacle() -> None:
    assert obstacle(a_traded_story()).fact == ""
