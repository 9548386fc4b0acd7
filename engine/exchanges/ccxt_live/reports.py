"""From ccxt's dictionaries to our values. What is no finite number, no known side or no symbol raises BadAnswer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from engine.core.order import Fill, OrderReport, OrderRequest, OrderStatus
from engine.core.text import clean
from engine.core.values import Balance, Side, SymbolRules, is_symbol
from engine.redaction import REDACT

_BOUND: Final = Decimal("1e18")
Row = Mapping[str, Any]


class BadAnswer(ValueError):
    """An answer that reads well and makes no sense: it proves nothing."""


def exact(value: object, what: str) -> Decimal:
    """Return a number of a venue's as it was written; floats by their shortest text. Raises BadAnswer, naming `what`."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise BadAnswer(f"{what} is {REDACT.line(repr(value), 40)}")
    try:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:
        raise BadAnswer(f"{what} is {REDACT.line(repr(value), 40)}") from None
    if not number.is_finite() or abs(number) > _BOUND:
        raise BadAnswer(f"{what} is {REDACT.line(repr(value), 40)}")
    return number


def report_of(order: Row, client_order_id: str, trades: Sequence[Row]) -> OrderReport:
    """Return a looked-up order with its trades.

    Only trades count as filled, because positions are made of them: an order whose trades are not all told yet is open,
    so that it is looked at again.
    """
    quantity = exact(order["amount"], "its quantity")
    fills = fills_of(trades)
    filled = sum((fill.quantity for fill in fills), Decimal(0))
    told = exact(order.get("filled") or 0, "its filled quantity")
    return OrderReport(
        venue_order_id=_text(order["id"], "its id"),
        client_order_id=client_order_id,
        symbol=_text(order["symbol"], "its symbol"),
        side=Side(order["side"]),
        quantity=quantity,
        status=_status(order, quantity, filled, told),
        filled_quantity=filled,
        average_price=_average(fills),
        fills=fills,
        at=_time(order.get("timestamp")),
    )


def listed(order: Row, client_order_id: str) -> OrderReport:
    """Return an order of a list, which names no trades: filled is what the list says. It is no ground for a position."""
    quantity, told = exact(order["amount"], "its quantity"), exact(order.get("filled") or 0, "its filled quantity")
    average = order.get("average")
    return OrderReport(
        venue_order_id=_text(order["id"], "its id"),
        client_order_id=client_order_id,
        symbol=_text(order["symbol"], "its symbol"),
        side=Side(order["side"]),
        quantity=quantity,
        status=_status(order, quantity, told, told),
        filled_quantity=told,
        average_price=exact(average, "its average") if average and told else None,
        at=_time(order.get("timestamp")),
    )


def acknowledged(order: Row, request: OrderRequest) -> OrderReport:
    """Return what an answer to a new order says. Some venues give only its id: everything else is looked up then.

    Raises BadAnswer if the answer names another order, or has figures that are none.
    """
    for key, asked in (("symbol", request.symbol), ("side", str(request.side))):
        if order.get(key) not in {None, asked}:
            raise BadAnswer(f"the answer is about {REDACT.line(repr(order.get(key)), 40)}, asked for was {asked}")
    for key in ("amount", "filled", "average", "price"):
        if order.get(key) is not None:
            exact(order[key], key)
    trades = [t for t in order.get("trades") or () if t.get("id")]
    known = {**order, "amount": request.quantity, "symbol": request.symbol, "side": str(request.side)}
    if order.get("amount") is not None and exact(order["amount"], "amount") != request.quantity:
        known["amount"] = order["amount"]  # another quantity than asked for: whoever compares must see it
    return report_of({**known, "status": order.get("status") or "open"}, request.client_order_id, trades)


def fills_of(trades: Iterable[Row]) -> tuple[Fill, ...]:
    """Return trades as fills, each once, oldest first."""
    fills: dict[str, Fill] = {}
    for trade in trades:
        fee = trade.get("fee") or {}
        cost = fee.get("cost")
        fill = Fill(
            trade_id=_text(trade["id"], "a trade's id"),
            price=_positive(trade["price"], "a trade's price"),
            quantity=_positive(trade["amount"], "a trade's quantity"),
            fee=Decimal(0) if cost is None else exact(cost, "a trade's fee"),
            fee_asset=clean(str(fee.get("currency") or ""), 20),
            at=_time(trade.get("timestamp")) or datetime.fromtimestamp(0, UTC),
        )
        fills.setdefault(fill.trade_id, fill)
    return tuple(sorted(fills.values(), key=lambda f: (f.at, f.trade_id)))


def rules_of(market: Row) -> SymbolRules | None:
    """Return a market's rules, None for what is not traded here: no spot, inactive, or without steps."""
    symbol = market.get("symbol")
    if not isinstance(symbol, str) or not is_symbol(symbol) or not market.get("spot") or market.get("active") is False:
        return None
    precision, limits = market.get("precision") or {}, market.get("limits") or {}
    steps = [precision.get("amount"), precision.get("price")]
    if any(step is None for step in steps):
        return None
    amount_min, cost_min = (limits.get(kind) or {} for kind in ("amount", "cost"))
    quantity_step, price_step = (exact(step, f"a step of {symbol}") for step in steps)
    return SymbolRules(
        symbol=symbol,
        quantity_step=quantity_step,
        price_step=price_step,
        quantity_min=max(quantity_step, exact(amount_min.get("min") or 0, f"the minimum of {symbol}")),
        cost_min=None if not cost_min.get("min") else exact(cost_min["min"], f"the minimum cost of {symbol}"),
        base=str(market["base"]),
        quote=str(market["quote"]),
    )


def balances_of(answer: Row) -> Mapping[str, Balance]:
    """Return what the account has. Raises BadAnswer if the answer is none: an account without a list is no empty one."""
    totals = answer.get("total")
    if not isinstance(totals, Mapping):
        raise BadAnswer("the answer lists no balances")
    found = {}
    for asset, total in totals.items():
        free, used = (answer.get(kind, {}).get(asset) for kind in ("free", "used"))
        whole = exact(total if total is not None else 0, f"the balance of {asset}")
        spendable = whole if free is None else exact(free, f"the free balance of {asset}")
        held = whole - spendable if used is None else exact(used, f"the used balance of {asset}")
        if whole or spendable or held:
            found[str(asset)] = Balance(str(asset), spendable, held)
    return found


def _status(order: Row, quantity: Decimal, filled: Decimal, told: Decimal) -> OrderStatus:
    word = order.get("status")
    if word is None:
        raise BadAnswer("its state is not told")
    if filled >= quantity:
        return OrderStatus.FILLED
    ended = {"closed", "canceled", "cancelled", "expired", "rejected"}
    if str(word) not in ended or filled < told:
        return OrderStatus.OPEN
    if str(word) == "closed" and told <= 0:
        return OrderStatus.OPEN  # it says filled, and not how much: the trades will tell
    return OrderStatus.REFUSED if word == "rejected" else OrderStatus.CLOSED


def _average(fills: Sequence[Fill]) -> Decimal | None:
    quantity = sum((f.quantity for f in fills), Decimal(0))
    return sum((f.quantity * f.price for f in fills), Decimal(0)) / quantity if quantity else None


def _positive(value: object, what: str) -> Decimal:
    number = exact(value, what)
    if number <= 0:
        raise BadAnswer(f"{what} is {number}")
    return number


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise BadAnswer(f"{what} is {REDACT.line(repr(value), 40)}")
    return clean(value, 100)


def _time(ms: object) -> datetime | None:
    if isinstance(ms, bool) or not isinstance(ms, int | float) or not 0 < ms < 2**43:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC)
