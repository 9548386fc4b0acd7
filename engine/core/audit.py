"""The audit: what an account shows, compared with what the store believes. It judges; it moves nothing.

Reads lag behind what happens, and the store moves on while a venue is asked. So whatever ended shortly before the venue
was asked is left for the next audit, and a holding is judged by the least that the store believed around the read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from engine.core.account import EXTERNAL_MAX, ExternalOrder, Shortage
from engine.core.lifecycle import LIVE_ATTEMPTS, AttemptState
from engine.core.order import Attempt, Fill, OrderReport, OrderRequest, OrderStatus
from engine.core.text import clean
from engine.core.values import Balance, Position, Side, SymbolRules

TOLERANCE: Final = Decimal("0.01")  # of what is believed: fees in the asset itself and rounding stay below it
SETTLED_S: Final = 10.0  # allows for reads that lag behind an order's end

_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Statement:
    """What an account said of itself. `began` is our own time before it was asked the first question."""

    began: datetime
    balances: Mapping[str, Balance]
    open_orders: Sequence[OrderReport]
    recent_orders: Sequence[OrderReport]

    @property
    def orders(self) -> list[OrderReport]:
        """Return each order once; the list that was read last has the last word."""
        return list({r.venue_order_id: r for r in (*self.open_orders, *self.recent_orders)}.values())


@dataclass(frozen=True, slots=True)
class Belief:
    """What the store believed of one account at one moment."""

    positions: Sequence[Position]
    live: Sequence[Attempt]


class Standing(StrEnum):
    """How an order at the venue stands to what the store has of it."""

    EXTERNAL = "external"  # no order of this store: listed, never touched
    AGREES = "agrees"
    BEHIND = "behind"  # the store knows it as open, and it has moved on: look at it
    LACKING = "lacking"  # the store knows it as ended, and has not all of its fills
    BROKEN = "broken"  # it was proven to be none, or to have ended, and is there


def standing(report: OrderReport, attempt: Attempt | None, began: datetime) -> Standing:
    """Return how `report`, read no earlier than `began`, stands to the attempt of its client order id.

    An order that is neither open nor traded changes nothing, whatever was believed of it.
    """
    if attempt is None:
        return Standing.EXTERNAL
    more = report.filled_quantity.is_finite() and report.filled_quantity > attempt.filled_quantity
    is_open = report.status is OrderStatus.OPEN
    if attempt.state is AttemptState.ACCEPTED:
        return Standing.BEHIND if more or not is_open else Standing.AGREES
    if attempt.state in LIVE_ATTEMPTS or not _is_settled(attempt, began):
        return Standing.AGREES
    if not more and attempt.state is AttemptState.FILLED:
        return Standing.AGREES  # nothing is left of it that could trade: the venue's list lags
    if is_open:
        return Standing.BROKEN
    if not more:
        return Standing.AGREES
    traded = attempt.state in {AttemptState.FILLED, AttemptState.PARTIAL_CLOSED}
    return Standing.LACKING if traded else Standing.BROKEN


def lacking_fills(report: OrderReport, attempt: Attempt, known: Iterable[str]) -> tuple[Fill, ...] | None:
    """Return the fills that the store does not have by their trade ids.

    None if with them it would have more than the venue says is filled: the ids of one trade differ between two answers,
    and only a person can say which are the same.
    """
    kept = set(known)
    new = tuple({f.trade_id: f for f in report.fills if f.trade_id not in kept}.values())
    total = attempt.filled_quantity + sum((f.quantity for f in new), _NOTHING)
    return new if new and total <= report.filled_quantity else None


def is_whole(report: OrderReport) -> bool:
    """Say whether the report names the fills that make up what is filled, as lists do not."""
    return sum((f.quantity for f in report.fills), _NOTHING) == report.filled_quantity


def overfill(report: OrderReport, request: OrderRequest) -> str:
    """Return a sentence if the venue traded more than was asked for, else the empty text."""
    filled = report.filled_quantity
    if not filled.is_finite() or filled <= request.quantity:
        return ""
    return (
        f"order {clean(report.venue_order_id, 64)} was filled {filled:f} {request.symbol}, "
        f"asked for were {request.quantity:f}"
    )


def external_orders(reports: Sequence[OrderReport]) -> tuple[ExternalOrder, ...]:
    """Return what is kept of orders that are not ours: open ones first, at most EXTERNAL_MAX."""
    ordered = sorted(reports, key=lambda r: r.status is not OrderStatus.OPEN)
    return tuple(
        ExternalOrder(
            clean(r.venue_order_id, 64),
            clean(r.symbol, 48),
            str(r.side),
            r.quantity,
            r.filled_quantity,
            str(r.status),
        )
        for r in ordered[:EXTERNAL_MAX]
        if r.quantity.is_finite() and r.filled_quantity.is_finite()
    )


def shortages(
    before: Belief, after: Belief, balances: Mapping[str, Balance], rules: Mapping[str, SymbolRules]
) -> tuple[Shortage, ...]:
    """Return the assets of which less is held than was believed both before and after the balances were read.

    What orders still under way may have sold by then is not missed. Short positions hold nothing that could be compared.
    """
    earlier, later = _believed(before, rules), _believed(after, rules)
    found = []
    for asset in sorted(earlier.keys() & later.keys()):
        believed = min(earlier[asset], later[asset])
        balance = balances.get(asset)
        held = balance.free + balance.used if balance is not None else _NOTHING
        if held.is_finite() and believed > 0 and held < believed * (1 - TOLERANCE):
            found.append(Shortage(asset, held, believed))
    return tuple(found)


def _believed(belief: Belief, rules: Mapping[str, SymbolRules]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for position in belief.positions:
        rule = rules.get(position.symbol)
        if rule is not None and position.quantity > 0:
            sums[rule.base] = sums.get(rule.base, _NOTHING) + position.quantity
    for attempt in belief.live:
        rule = rules.get(attempt.request.symbol)
        if rule is not None and rule.base in sums and attempt.request.side is Side.SELL:
            sums[rule.base] -= attempt.request.quantity - attempt.filled_quantity
    return sums


def _is_settled(attempt: Attempt, began: datetime) -> bool:
    return attempt.ended_at is not None and (began - attempt.ended_at).total_seconds() >= SETTLED_S
