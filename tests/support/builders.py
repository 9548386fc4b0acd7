"""Values for tests: everything has a default, and a test names only what it is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, Final

from engine.core.events import EventKind, NewEvent, Signal
from engine.core.lifecycle import AttemptState, AttemptStep, SignalStep
from engine.core.order import Fill, Latency, OrderKind, OrderRequest, client_order_id
from engine.core.values import Action, NewSignal, Reason, Side, Vote
from engine.store.base import AttemptMove, Intent, SignalMove

NOW: Final = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
_numbers = count(1)


def a_signal(signal_id: str | None = None, **given: Any) -> NewSignal:
    """Return a signal to buy 0.001 BTC/USDT, received at NOW, with a life of 120 s.

    Without an id it gets one that no other signal of this run has; its key is its id.
    """
    signal_id = signal_id or f"{next(_numbers):032x}"
    received_at = given.get("received_at", NOW)
    signal = NewSignal(
        signal_id=signal_id,
        key=signal_id,
        symbol="BTC/USDT",
        side=Side.BUY,
        confidence=0.9,
        source="fastscalping",
        received_at=received_at,
        expires_at=received_at + timedelta(seconds=120),
        quantity=Decimal("0.001"),
        votes=(Vote("fastscalping", Action.BUY, 0.9, "EMA 5 is above EMA 10"),),
        reference_price=Decimal(50_000),
    )
    return replace(signal, **given)


def an_event(text: str = "it happened", **given: Any) -> NewEvent:
    """Return a journal entry of the engine at NOW."""
    return replace(NewEvent(kind=EventKind.ENGINE, at=NOW, text=text), **given)


def a_request(signal: NewSignal | Signal, n: int = 1, **given: Any) -> OrderRequest:
    """Return the market order for `signal` as its n-th attempt would send it, to be sent within 5 s of NOW."""
    signal_id = signal.signal_id if isinstance(signal, NewSignal) else signal.id
    request = OrderRequest(
        client_order_id=client_order_id("store", signal_id, n),
        symbol=signal.symbol,
        side=signal.side,
        quantity=signal.quantity or Decimal("0.001"),
        kind=OrderKind.MARKET,
        send_by=NOW + timedelta(seconds=5),
        reduces=signal.reduces,
        reference_price=signal.reference_price,
        slippage_max=Decimal("0.002"),
    )
    return replace(request, **given)


def an_intent(signal: NewSignal | Signal, **given: Any) -> Intent:
    """Return the intent of the next attempt of `signal`, as it stands in the store or as it was just put there."""
    if isinstance(signal, NewSignal):
        signal_id, version, attempts = signal.signal_id, 1, 0
    else:
        signal_id, version, attempts = signal.id, signal.version, signal.attempts
    n = given.get("n", attempts + 1)
    intent = Intent(
        signal_id=signal_id,
        version=version,
        n=n,
        trader="trader_fastscalping",
        request=a_request(signal, n),
        at=NOW + timedelta(seconds=1),
        latency=Latency(waiting=0.25, gating=0.05),
        events=(),
    )
    intent = replace(intent, **given)
    if intent.events:
        return intent
    told = an_event("an order is meant", kind=EventKind.INTENT, at=intent.at, signal_id=intent.signal_id)
    return replace(intent, events=(replace(told, attempt_n=n, trader=intent.trader),))


def a_fill(trade_id: str = "t1", **given: Any) -> Fill:
    """Return a trade of 0.001 at 50,000 with a fee of 0.05 USDT."""
    fill = Fill(
        trade_id=trade_id,
        price=Decimal(50_000),
        quantity=Decimal("0.001"),
        fee=Decimal("0.05"),
        fee_asset="USDT",
        at=NOW + timedelta(seconds=2),
    )
    return replace(fill, **given)


def a_signal_move(signal: Signal, step: SignalStep, **given: Any) -> SignalMove:
    """Return one step of `signal` from where it stands, due 5 s after NOW where the step needs that."""
    at = given.get("at", NOW + timedelta(seconds=1))
    move = SignalMove(
        signal_id=signal.id,
        version=signal.version,
        step=step,
        at=at,
        reason=Reason(step.value, "as the test wants it"),
        event=an_event(f"signal: {step}", kind=EventKind.SIGNAL, at=at, signal_id=signal.id),
        due_at=NOW + timedelta(seconds=5),
    )
    return replace(move, **given)


def an_attempt_move(request: OrderRequest, state: AttemptState, step: AttemptStep, **given: Any) -> AttemptMove:
    """Return one step of the attempt that has `request`, with its journal entry and whoever owns it as mover."""
    at = given.get("at", NOW + timedelta(seconds=2))
    move = AttemptMove(
        client_order_id=request.client_order_id,
        state=state,
        step=step,
        at=at,
        epoch=None,
        events=(an_event(f"attempt: {step}", kind=EventKind.ATTEMPT, at=at),),
    )
    return replace(move, **given)
