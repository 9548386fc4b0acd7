"""How much to order, and at which price: on the venue's steps, never more than was asked for or can be paid.

Everything is rounded down, never up: what falls below a minimum is refused with the figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal
from typing import Final

from engine.core.errors import ExecutionError
from engine.core.events import Signal
from engine.core.risk import Limits
from engine.core.values import Side, SymbolRules

FEE_RESERVE: Final = Decimal("0.002")  # of the cost, kept back where an order would spend all that is free
_EXACT: Final = Context(prec=60, rounding=ROUND_DOWN)  # wide enough for any quantity on any step


@dataclass(frozen=True, slots=True)
class Funds:
    """An account's money in the symbol's quote: what can be spent, and what all of it is worth. None is unknown.

    `holding` is its signed position in the symbol's base.
    """

    free: Decimal | None
    portfolio: Decimal | None
    holding: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Sized:
    """The quantity to order, and the sentence that says how it came about."""

    quantity: Decimal
    fact: str


class Unsizable(ExecutionError):
    """No order of an allowed size exists; `code` is below_minimum, above_maximum, no_funds or nothing_to_sell."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


@dataclass(frozen=True, slots=True)
class _Wish:
    quantity: Decimal
    fact: str
    exits: bool = False
    explicit: bool = False


def size(signal: Signal, rules: SymbolRules, price: Decimal, funds: Funds, limits: Limits) -> Sized:
    """Return how much to order at `price` (in quote, above 0) on an account with `funds`.

    An explicit quantity wins. An exit takes the holding. Else it is the configured fraction of the portfolio, or the
    default quantity where the portfolio's worth is unknown, cut to what is free. Raises Unsizable.
    """
    wish = _wish(signal, price, funds, limits)
    if not wish.exits:
        wish = _bounded(wish, signal.side, price, funds, limits)
    quantity = on_step(wish.quantity, rules.quantity_step)
    # A way out is held back by the venue's own minimums alone.
    least = rules.quantity_min if wish.exits else max(rules.quantity_min, limits.quantity_min)
    if quantity < least or quantity <= 0:
        text = f"quantity {_plain(quantity)} is below the minimum {_plain(least)}"
        raise Unsizable("below_minimum", f"{text}: {wish.fact}")
    cost = _EXACT.multiply(quantity, price)
    if rules.cost_min is not None and cost < rules.cost_min:
        text = f"{_plain(quantity)} at {_plain(price)} costs {_plain(cost)}, below the minimum {_plain(rules.cost_min)}"
        raise Unsizable("below_minimum", f"{text}: {wish.fact}")
    fact = wish.fact if quantity == wish.quantity else f"{wish.fact}; on the step: {_plain(quantity)}"
    return Sized(quantity, fact)


def limit_price(price: Decimal, side: Side, rules: SymbolRules) -> Decimal:
    """Return a limit price on the venue's step, never worse than asked for: a buy's is rounded down, a sell's up.

    Raises Unsizable if a buy's price lies below the first step.
    """
    stepped = on_step(price, rules.price_step)
    if side is Side.SELL and stepped < price:
        stepped = _EXACT.add(stepped, rules.price_step)
    if stepped <= 0:
        text = f"price {_plain(price)} is below the venue's step {_plain(rules.price_step)}"
        raise Unsizable("below_minimum", text)
    return stepped


def on_step(amount: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of `step` that is not above `amount` (0 or more); a step of 0 leaves it as it is."""
    if step <= 0:
        return amount
    return _EXACT.multiply(_EXACT.divide_int(amount, step), step)


def _wish(signal: Signal, price: Decimal, funds: Funds, limits: Limits) -> _Wish:
    holding = funds.holding
    held = max(Decimal(0), -holding * signal.side.sign)
    asked = signal.quantity
    if signal.reduces or (asked is None and held > 0):
        if held <= 0:
            raise Unsizable("nothing_to_sell", f"the holding is {_plain(holding)}: there is nothing to {signal.side}")
        if asked is None or asked >= held:
            return _Wish(held, f"all of the holding, {_plain(held)}", exits=True)
        return _Wish(asked, f"{_plain(asked)} as asked for, of {_plain(held)} held", exits=True)
    if asked is not None:
        return _Wish(asked, f"{_plain(asked)} as asked for", exits=asked <= held, explicit=True)
    if funds.portfolio is None:
        default = limits.quantity_default
        return _Wish(default, f"the default {_plain(default)}, as the portfolio's worth is unknown")
    fraction = limits.portfolio_fraction_per_position
    quantity = _EXACT.divide(_EXACT.multiply(funds.portfolio, fraction), price)
    return _Wish(quantity, f"{_percent(fraction)} of {_plain(funds.portfolio)} at {_plain(price)}")


def _bounded(wish: _Wish, side: Side, price: Decimal, funds: Funds, limits: Limits) -> _Wish:
    cost = _EXACT.multiply(wish.quantity, price)
    most, free = limits.cost_max, funds.free if side is Side.BUY else None
    if wish.explicit:
        # What was asked for is done as asked, or refused: a smaller order is another order.
        if most is not None and cost > most:
            raise Unsizable("above_maximum", f"{wish.fact} costs {_plain(cost)}, above the bound {_plain(most)}")
        if free is not None and cost > free:
            raise Unsizable("no_funds", f"{wish.fact} costs {_plain(cost)}, and {_plain(free)} is free")
        return wish
    if most is not None and cost > most:
        wish = _Wish(_EXACT.divide(most, price), f"{wish.fact}, cut to the bound of {_plain(most)} an order")
        cost = most
    if free is None:
        return wish
    if free <= 0:
        raise Unsizable("no_funds", f"{wish.fact} costs {_plain(cost)}, and nothing is free")
    spendable = _EXACT.divide(free, 1 + FEE_RESERVE + limits.slippage_max)
    if cost > spendable:
        return _Wish(_EXACT.divide(spendable, price), f"{wish.fact}, cut to the {_plain(free)} that is free")
    return wish


def _plain(number: Decimal) -> str:
    rounded = _ROUND.plus(number)
    return f"{rounded.normalize():f}" if rounded else "0"


_ROUND: Final = Context(prec=12)


def _percent(fraction: Decimal) -> str:
    return f"{_plain(fraction * 100)} %"
