"""Votes combine to one word; its laws hold for every set of votes."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.combine import combine
from engine.core.values import Action, Side, Vote

SOME_CONFIDENCE = st.floats(0.0, 1.0, allow_nan=False)
SOME_WEIGHT = st.floats(0.01, 100.0)
FLIPPED = {Action.BUY: Action.SELL, Action.SELL: Action.BUY, Action.HOLD: Action.HOLD}


def a_vote(action: Action, confidence: float = 0.8, weight: float = 0.4, strategy: str = "one") -> Vote:
    return Vote(strategy, action, confidence, "because", weight)


@st.composite
def some_votes(draw: st.DrawFn, actions: tuple[Action, ...] = tuple(Action)) -> list[Vote]:
    count = draw(st.integers(0, 6))
    return [
        a_vote(draw(st.sampled_from(actions)), draw(SOME_CONFIDENCE), draw(SOME_WEIGHT), f"strategy_{index}")
        for index in range(count)
    ]


def test_a_single_vote_keeps_its_confidence_whatever_abstains() -> None:
    votes = [
        a_vote(Action.BUY, 0.8, 0.4, "fast"),
        a_vote(Action.HOLD, 0.0, 0.4, "momentum"),
        a_vote(Action.HOLD, 0.0, 0.2, "conservative"),
    ]
    combined = combine(votes)
    assert combined is not None
    assert (combined.side, combined.confidence, combined.leading) == (Side.BUY, 0.8, "fast")
    assert combined.votes == tuple(votes)


def test_an_opposing_vote_counts_against() -> None:
    combined = combine([a_vote(Action.BUY, 0.9, 0.4, "a"), a_vote(Action.SELL, 0.6, 0.2, "b")])
    assert combined is not None
    assert combined.side is Side.BUY
    assert combined.confidence == round((0.4 * 0.9 - 0.2 * 0.6) / 0.6, 4) == 0.4


def test_nobody_speaking_gives_no_word() -> None:
    assert combine([]) is None
    assert combine([a_vote(Action.HOLD), a_vote(Action.HOLD)]) is None


def test_a_draw_gives_no_word() -> None:
    assert combine([a_vote(Action.BUY, 0.7, 0.4), a_vote(Action.SELL, 0.7, 0.4)]) is None


def test_the_leading_strategy_weighs_most_on_the_winning_side_and_ties_go_by_name() -> None:
    heavy_loser = a_vote(Action.SELL, 0.9, 0.5, "loser")
    votes = [heavy_loser, *(a_vote(Action.BUY, 0.8, 0.4, name) for name in ("zeta", "beta", "gamma"))]
    combined = combine(votes)
    assert combined is not None
    assert combined.leading == "beta"


def test_the_order_of_the_votes_does_not_even_decide_the_last_digit() -> None:
    pairs = [(1.07, 0.667), (0.85, 0.057), (2.03, 0.582), (1.05, 0.813)]  # a plain sum rounds to 0.5594 or 0.5595
    votes = [a_vote(Action.BUY, confidence, weight) for weight, confidence in pairs]
    forwards, backwards = combine(votes), combine(votes[::-1])
    assert forwards is not None
    assert backwards is not None
    assert forwards.confidence == backwards.confidence


def test_weight_and_confidence_together_decide_who_leads() -> None:
    votes = [
        a_vote(Action.SELL, 0.9, 0.2, "sure"),
        a_vote(Action.SELL, 0.6, 0.4, "heavy"),
        a_vote(Action.SELL, 0.1, 0.5),
    ]
    combined = combine(votes)
    assert combined is not None
    assert combined.leading == "heavy"


def test_a_vote_that_cannot_be_weighed_abstains() -> None:
    sound = a_vote(Action.BUY, 0.8)
    for confidence in (math.nan, 1.7, -0.1, math.inf):
        assert combine([a_vote(Action.BUY, confidence)]) is None
        combined = combine([sound, a_vote(Action.SELL, confidence)])
        assert combined is not None
        assert combined.confidence == 0.8
    for weight in (0.0, -1.0, math.nan, math.inf, 1e300):
        assert combine([a_vote(Action.BUY, weight=weight)]) is None


@given(some_votes())
@settings(deadline=None)
def test_confidence_is_above_zero_and_at_most_one_in_four_places(votes: list[Vote]) -> None:
    combined = combine(votes)
    if combined is not None:
        assert 0.0 < combined.confidence <= 1.0
        assert combined.confidence == round(combined.confidence, 4)
        leading = next(vote for vote in votes if vote.strategy == combined.leading)
        assert leading.action.value == combined.side.value


@given(some_votes())
@settings(deadline=None)
def test_turning_every_vote_around_turns_the_side_and_nothing_else(votes: list[Vote]) -> None:
    combined = combine(votes)
    turned = combine([replace(vote, action=FLIPPED[vote.action]) for vote in votes])
    if combined is None:
        assert turned is None
    else:
        assert turned is not None
        assert turned.side is combined.side.opposite
        assert (turned.confidence, turned.leading) == (combined.confidence, combined.leading)


@given(st.data(), some_votes())
@settings(deadline=None)
def test_the_order_of_the_votes_does_not_matter(drawn: st.DataObject, votes: list[Vote]) -> None:
    combined = combine(votes)
    shuffled = combine(drawn.draw(st.permutations(votes)))
    assert (combined is None) == (shuffled is None)
    if combined is not None and shuffled is not None:
        assert replace(shuffled, votes=combined.votes) == combined


@given(some_votes(), SOME_CONFIDENCE, SOME_WEIGHT)
@settings(deadline=None)
def test_a_hold_changes_nothing(votes: list[Vote], confidence: float, weight: float) -> None:
    combined = combine(votes)
    with_hold = combine([*votes, a_vote(Action.HOLD, confidence, weight, "holds")])
    assert (combined is None) == (with_hold is None)
    if combined is not None and with_hold is not None:
        assert replace(with_hold, votes=combined.votes) == combined


@given(some_votes(), SOME_CONFIDENCE, SOME_WEIGHT)
@settings(deadline=None)
def test_an_opposing_vote_never_makes_a_side_surer(votes: list[Vote], confidence: float, weight: float) -> None:
    combined = combine(votes)
    if combined is None:
        return
    against = Action.SELL if combined.side is Side.BUY else Action.BUY
    after = combine([*votes, a_vote(against, confidence, weight, "against")])
    assert after is None or after.side is not combined.side or after.confidence <= combined.confidence
