"""Exits: which positions have reached their stop-loss or their take-profit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from engine.core.risk import Limits, Quote
from engine.core.values import Position, Side


@dataclass(frozen=True, slots=True)
class Exit:
    """A position to close. `why` is stop_loss or take_profit; `price` is the market's that set it off."""

    position: Position
    side: Side
    why: str
    price: Decimal
    text: str


def due_exits(positions: Sequence[Position], prices: Mapping[str, Quote], limits: Limits, now: datetime) -> list[Exit]:
    """Return an exit for each position whose gain or loss has reached a bound, in the order given.

    An old price still counts, and its age is told: a feed that stands still must not keep a loss from being cut. A
    bound of 0 is off. A position without a usable price has no exit.
    """
    found = (_due(p, prices.get(p.symbol), limits, now) for p in positions)
    return [e for e in found if e is not None]


def _due(position: Position, quote: Quote | None, limits: Limits, now: datetime) -> Exit | None:
    entry = position.entry_price
    if quote is None or not quote.price.is_finite() or quote.price <= 0 or entry <= 0 or position.quantity == 0:
        return None
    gain = (quote.price - entry) / entry * (1 if position.quantity > 0 else -1)
    if limits.stop_loss and gain <= -limits.stop_loss:
        why, word, bound = "stop_loss", "lost", limits.stop_loss
    elif limits.take_profit and gain >= limits.take_profit:
        why, word, bound = "take_profit", "gained", limits.take_profit
    else:
        return None
    age = (now - quote.at).total_seconds()
    text = (
        f"{position.symbol} has {word} {abs(gain):.2%} since {entry} (now {quote.price}, {age:.0f} s old); "
        f"the bound is {bound:.2%}"
    )
    return Exit(position, position.exit_side, why, quote.price, text)
