"""Orders: what is asked of a venue, what it answers, and what is kept of each attempt."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from engine.core.lifecycle import AttemptState
from engine.core.values import Side


class OrderKind(StrEnum):
    MARKET = "market"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """The exact request, as committed before it is sent. Quantities and prices are already on the venue's steps.

    `send_by` is venue time: a venue with a fence refuses the order after it.
    `slippage_max` is a fraction (0.002 is 0.2 %) around `reference_price`; None leaves a market order unbounded.
    """

    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    kind: OrderKind
    send_by: datetime
    price: Decimal | None = None
    reduces: bool = False
    reference_price: Decimal | None = None
    slippage_max: Decimal | None = None


class OrderStatus(StrEnum):
    """A venue's word on an order that it has."""

    OPEN = "open"
    FILLED = "filled"
    CLOSED = "closed"  # no longer open, not wholly filled: see filled_quantity
    REFUSED = "refused"  # the venue keeps a record of having refused it


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade of an order. `trade_id` is the venue's, unique per trader; `fee` is in `fee_asset`."""

    trade_id: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderReport:
    """A venue's answer about one order. `fills` are all fills known to the answer, repeats included."""

    venue_order_id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    status: OrderStatus
    filled_quantity: Decimal
    average_price: Decimal | None
    fills: tuple[Fill, ...] = ()
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PlacedFill:
    """A fill with the order's side, and the signal and the trader that it belongs to. `seq` counts all fills up."""

    seq: int
    signal_id: str
    trader: str
    side: Side
    fill: Fill


@dataclass(frozen=True, slots=True)
class Latency:
    """The parts of one attempt's time, in seconds; None where the part was not reached.

    waiting: signal received, or put back by an operator, to the gate's look. gating: gate to intent committed. submitting: intent committed to
    request handed to the venue. acknowledged: request handed over to answer. filled: answer to the last fill.
    """

    waiting: float | None = None
    gating: float | None = None
    submitting: float | None = None
    acknowledged: float | None = None
    filled: float | None = None

    @property
    def total(self) -> float | None:
        """Return the sum of the parts up to the acknowledgement, or None if there was none."""
        if self.acknowledged is None:
            return None
        return sum(part or 0.0 for part in (self.waiting, self.gating, self.submitting, self.acknowledged))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One committed intent and what became of it, as the store has it.

    `epoch` is the engine start that owns it; `probes` counts lookups; `evidence` holds what each lookup said, oldest
    first; `unknown_since` and `next_probe_at` are set while the outcome is unknown (next_probe_at also while open).
    """

    seq: int
    signal_id: str
    n: int
    trader: str
    request: OrderRequest
    state: AttemptState
    epoch: int
    intent_at: datetime
    venue_order_id: str | None = None
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    fee: Decimal = Decimal(0)
    error_code: str | None = None
    error_text: str | None = None
    sent_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    unknown_since: datetime | None = None
    probes: int = 0
    next_probe_at: datetime | None = None
    evidence: tuple[str, ...] = ()
    latency: Latency = field(default_factory=Latency)

    @property
    def client_order_id(self) -> str:
        return self.request.client_order_id


def client_order_id(store_uuid: str, signal_id: str, n: int) -> str:
    """Return the first 128 bits of SHA-256(store uuid | signal id | n) as 32 lowercase hex digits.

    Deterministic, so that it survives a crash and a restored backup; `n` counts proven ends, never mere tries.
    """
    return hashlib.sha256(f"{store_uuid}|{signal_id}|{n}".encode()).hexdigest()[:32]
