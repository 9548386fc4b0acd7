"""At what price, and how much of it: the paper venue's arithmetic, free of time, chance and storage."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Final

from engine.core.errors import minimum_not_met
from engine.core.order import OrderKind, OrderRequest
from engine.core.values import Side, SymbolRules

_EXPONENT_MAX: Final = 8  # no step is finer than 1e-8
_DIGITS_MAX: Final = 15  # what is larger would not fit into exact arithmetic together with the steps


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of an order that trades now."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Draw:
    """What chance decides of one order: how far its price slips (a fraction) and in how many parts it trades."""

    slip: Decimal
    parts: int


@dataclass(frozen=True, slots=True)
class Offer:
    """What a venue makes of a request when it arrives.

    `first` trades at once (None: the order rests). `hold_price` is what a unit is reserved at. `worst_price` bounds every
    later part. `parts` is in how many parts it trades, the first one included.
    """

    first: Slice | None
    hold_price: Decimal
    worst_price: Decimal | None
    parts: int


def assets(symbol: str) -> tuple[str, str]:
    """Return (base, quote) of a symbol such as BTC/USDT, BTC-USDT or BTC/USDT:USDT."""
    base, quote = re.split(r"[/-]", symbol, maxsplit=1)
    return base, quote.partition(":")[0]


def derive_rules(symbol: str, price: Decimal) -> SymbolRules:
    """Return rules that fit a price's magnitude.

    With e the exponent of the price's first digit (4 for 65,000): prices have six digits (step 10^(e-5)); a quantity
    step is worth 0.01 to 0.1 quote units (10^-(e+2)), the smallest order ten steps and never less than 0.1 quote units.
    Exponents stay within 1e-8 and 1e8.
    """
    magnitude = price.adjusted()
    base, quote = assets(symbol)
    step = _power(-(magnitude + 2))
    return SymbolRules(
        symbol=symbol,
        quantity_step=step,
        price_step=_power(magnitude - 5),
        quantity_min=step * 10,
        cost_min=Decimal("0.1"),
        base=base,
        quote=quote,
    )


def taker_price(side: Side, price: Decimal, slip: Decimal, step: Decimal) -> Decimal:
    """Return the price that a taker gets: worse than the last one by the fraction `slip`, on the step, never below one."""
    return max(step, (price * (1 + side.sign * slip) / step).to_integral_value(ROUND_HALF_EVEN) * step)


def worst_price(request: OrderRequest) -> Decimal | None:
    """Return the price beyond which nothing of the request may trade, or None if it is unbounded."""
    bounds = []
    if request.reference_price is not None and request.slippage_max is not None:
        bounds.append(request.reference_price * (1 + request.side.sign * request.slippage_max))
    if request.kind is OrderKind.LIMIT and request.price is not None:
        bounds.append(request.price)
    if not bounds:
        return None
    return min(bounds) if request.side is Side.BUY else max(bounds)


def is_beyond(side: Side, price: Decimal, bound: Decimal | None) -> bool:
    """Say whether `price` is worse than the bound for this side."""
    return bound is not None and (price > bound if side is Side.BUY else price < bound)


def share(quantity: Decimal, parts: int, step: Decimal) -> Decimal:
    """Return the next of `parts` about equal parts, on the step; the last one is all that is left."""
    if parts <= 1:
        return quantity
    part = (quantity / parts / step).to_integral_value(ROUND_DOWN) * step
    return part if part > 0 else quantity


def offer(request: OrderRequest, last_price: Decimal, rules: SymbolRules, draw: Draw) -> Offer | None:
    """Return what becomes of a request that arrives at `last_price`, or None for a market order whose bound is passed.

    A limit order that does not cross rests; one that crosses trades like a market order, at its own price or better.
    """
    price = taker_price(request.side, last_price, draw.slip, rules.price_step)
    worst = worst_price(request)
    part = share(request.quantity, draw.parts, rules.quantity_step)
    if request.kind is OrderKind.LIMIT:
        assert request.price is not None, "a limit order has a price"
        if is_beyond(request.side, last_price, worst):
            return Offer(None, request.price, worst, draw.parts)
        if is_beyond(request.side, price, worst):
            price = last_price
        return Offer(Slice(price, part), request.price, worst, draw.parts)
    if is_beyond(request.side, price, worst):
        return None
    return Offer(Slice(price, part), price, worst, draw.parts)


def size_problem(request: OrderRequest, rules: SymbolRules, last_price: Decimal) -> str:
    """Return why the request's size or price is not to the symbol's rules, or the empty text if it is."""
    quantity, price = request.quantity, request.price
    if not quantity.is_finite() or quantity < rules.quantity_min:
        return minimum_not_met(quantity, rules.quantity_min)
    if (price is None and request.kind is OrderKind.LIMIT) or (
        price is not None and not (price.is_finite() and price > 0)
    ):
        return "a limit order needs a price above 0"
    if quantity.adjusted() > _DIGITS_MAX or (price is not None and price.adjusted() > _DIGITS_MAX):
        return f"quantity {quantity} at {price or last_price} is absurdly large"
    if quantity % rules.quantity_step:
        return f"quantity {quantity} is not a multiple of {rules.quantity_step}"
    if price is not None and price % rules.price_step:
        return f"price {price} is not a multiple of {rules.price_step}"
    cost = quantity * (price or last_price)
    if rules.cost_min is not None and cost < rules.cost_min:
        return f"cost {cost} is below the minimum {rules.cost_min}"
    return ""


def _power(exponent: int) -> Decimal:
    return Decimal(1).scaleb(max(-_EXPONENT_MAX, min(_EXPONENT_MAX, exponent)))
