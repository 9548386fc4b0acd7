"""The rest of an order that a venue closed with a part filled: a signal of its own, never another attempt of the first."""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from engine.core.events import Signal
from engine.core.order import OrderRequest
from engine.core.values import NewSignal


class Part(Protocol):
    """What is needed of the attempt that was closed with a part filled."""

    @property
    def n(self) -> int: ...

    @property
    def trader(self) -> str: ...

    @property
    def request(self) -> OrderRequest: ...


def rest_of(signal: Signal, attempt: Part, filled: Decimal, now: datetime) -> NewSignal | None:
    """Return the signal for what is left of `attempt`, or None if nothing is to be sent.

    It has the same expiry, and an id and a key derived from the first signal's: however often it is handed in, the store
    keeps one. An exit has no rest, because what is still held gets an exit of its own; neither has what was withdrawn.
    """
    left = attempt.request.quantity - filled
    if left <= 0 or signal.reduces or signal.cancel_requested or now >= signal.expires_at:
        return None
    key = f"{signal.id}/rest/{attempt.n}"
    return NewSignal(
        signal_id=hashlib.sha256(key.encode()).hexdigest()[:32],
        key=key,
        symbol=signal.symbol,
        side=signal.side,
        confidence=signal.confidence,
        source=signal.source,
        received_at=now,
        expires_at=signal.expires_at,
        quantity=left,
        price=signal.price,
        note=f"the rest of signal {signal.id}",
        preferred_trader=attempt.trader,
        reference_price=signal.reference_price,
        parent_id=signal.id,
    )
