"""What the engine holds, for tests of its decisions: everything has a default."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from engine.core.events import Health, Signal, TraderState
from engine.core.lifecycle import AttemptState, SignalState
from engine.core.order import Attempt, OrderReport, OrderRequest, OrderStatus
from engine.core.portfolio import EngineSwitches, Holdings
from engine.core.risk import Book, Quote
from engine.core.values import Position, Reason, Side, SymbolRules
from tests.support.builders import NOW, a_request

SYMBOL = "BTC/USDT"
RULES = SymbolRules(SYMBOL, Decimal("0.0001"), Decimal("0.01"), Decimal("0.0001"), Decimal(5), "BTC", "USDT")


def a_kept_signal(**given: Any) -> Signal:
    """Return a signal to buy BTC/USDT as the store has it, NEW, with 120 s to live from NOW on."""
    signal = Signal(
        seq=1,
        id="00000000000000aa",
        key="k1",
        symbol=SYMBOL,
        side=Side.BUY,
        confidence=0.9,
        source="fastscalping",
        received_at=NOW,
        expires_at=NOW + timedelta(seconds=120),
        state=SignalState.NEW,
        due_at=NOW,
        version=1,
        attempts=0,
        reason=Reason(""),
    )
    return replace(signal, **given)


def a_position(quantity: str = "0.5", **given: Any) -> Position:
    """Return a position of trader A, bought at 50,000."""
    position = Position("a", SYMBOL, Decimal(quantity), Decimal(50_000), NOW - timedelta(hours=1), "00000000000000bb")
    return replace(position, **given)


def a_book(**given: Any) -> Book:
    """Return a book in which nothing is wrong, nothing is held, and BTC/USDT costs 50,000."""
    book = Book(
        switches=EngineSwitches(),
        holdings=Holdings(),
        known_symbols=frozenset({SYMBOL}),
        prices={SYMBOL: Quote(Decimal(50_000), NOW)},
    )
    return replace(book, **given)


def a_trader(name: str = "a", **given: Any) -> TraderState:
    """Return a trader that is up."""
    return replace(TraderState(name, "paper", health=Health.UP), **given)


def an_attempt(state: AttemptState = AttemptState.UNKNOWN, **given: Any) -> Attempt:
    """Return attempt 1, whose intent was committed at NOW and had to be sent within 5 s."""
    attempt = Attempt(
        seq=1,
        signal_id="00000000000000aa",
        n=1,
        trader="a",
        request=a_request(a_kept_signal(quantity=Decimal("0.1"))),
        state=state,
        epoch=1,
        intent_at=NOW,
        unknown_since=NOW if state is AttemptState.UNKNOWN else None,
    )
    return replace(attempt, **given)


def a_report(request: OrderRequest, status: OrderStatus, filled: str = "0", **given: Any) -> OrderReport:
    """Return the venue's word on the order that was asked for."""
    report = OrderReport(
        venue_order_id="v1",
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=request.side,
        quantity=request.quantity,
        status=status,
        filled_quantity=Decimal(filled),
        average_price=None,
    )
    return replace(report, **given)
