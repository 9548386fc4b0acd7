"""From several votes to one word: who wins, how sure, and whose signal it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.core.values import Action, Side, Vote

WEIGHT_MAX: Final = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Combined:
    """What the votes come to. `confidence` is above 0, at most 1, in steps of 0.0001; `votes` are all that were given.

    `leading` is the strategy with the largest weight times confidence on the winning side, ties by name.
    """

    side: Side
    confidence: float
    leading: str
    votes: tuple[Vote, ...]


def combine(votes: Sequence[Vote]) -> Combined | None:
    """Return the weighted word of `votes`, None if nobody says anything or both sides weigh the same.

    confidence = |sum of weight * confidence * sign| / sum of weights, over all that vote BUY (+1) or SELL (-1). A HOLD
    abstains: its weight does not dilute. A vote whose confidence is no number from 0 to 1, or whose weight is no number
    above 0 and up to a million, abstains as well: what cannot be weighed must not move money.
    """
    heard = [vote for vote in votes if vote.action is not Action.HOLD and _can_be_weighed(vote)]
    weights = math.fsum(vote.weight for vote in heard)
    balance = math.fsum(vote.weight * vote.confidence * _sign(vote) for vote in heard)
    # With fsum the order of the votes cannot change the last digit, and so never the outcome.
    confidence = min(1.0, round(abs(balance) / weights, 4)) if heard else 0.0
    if confidence == 0.0:
        return None
    side = Side.BUY if balance > 0 else Side.SELL
    winners = [vote for vote in heard if _sign(vote) == side.sign]
    leading = min(winners, key=lambda vote: (-vote.weight * vote.confidence, vote.strategy))
    return Combined(side, confidence, leading.strategy, tuple(votes))


def _sign(vote: Vote) -> int:
    return 1 if vote.action is Action.BUY else -1


def _can_be_weighed(vote: Vote) -> bool:
    return 0.0 <= vote.confidence <= 1.0 and 0.0 < vote.weight <= WEIGHT_MAX
