from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.exits import due_exits
from engine.core.risk import Limits, Quote
from engine.core.values import Side
from tests.core.cases import SYMBOL, a_position
from tests.support.builders import NOW

LIMITS = Limits()


def _why(quantity: str, price: object, limits: Limits = LIMITS) -> str | None:
    quote = Quote(Decimal(str(price)), NOW)
    found = due_exits([a_position(quantity)], {SYMBOL: quote}, limits, NOW)
    return found[0].why if found else None


@pytest.mark.parametrize(
    ("quantity", "price", "why"),
    [
        ("1", 47_500, "stop_loss"),
        ("1", 47_501, None),
        ("1", 55_000, "take_profit"),
        ("1", 54_999, None),
        ("-1", 52_500, "stop_loss"),
        ("-1", 52_499, None),
        ("-1", 45_000, "take_profit"),
        ("-1", 45_001, None),
    ],
)
def test_a_bound_reached_exactly_is_reached(quantity: str, price: int, why: str | None) -> None:
    assert _why(quantity, price) == why


def test_the_exit_closes_the_position_on_the_other_side_and_says_why() -> None:
    quote = Quote(Decimal(40_000), NOW - timedelta(seconds=3))
    [long, short] = due_exits([a_position(), a_position("-0.5")], {SYMBOL: quote}, LIMITS, NOW)
    assert (long.side, long.why, long.price) == (Side.SELL, "stop_loss", Decimal(40_000))
    assert (short.side, short.why) == (Side.BUY, "take_profit")
    assert long.text == "BTC/USDT has lost 20.00% since 50000 (now 40000, 3 s old); the bound is 5.00%"


def test_a_bound_of_zero_is_off() -> None:
    assert _why("1", 1, Limits(stop_loss=Decimal(0))) is None
    assert _why("1", 1_000_000, Limits(take_profit=Decimal(0))) is None


@pytest.mark.parametrize("price", ["NaN", "0", "-1", "Infinity"])
def test_a_price_that_is_none_closes_nothing(price: str) -> None:
    assert _why("1", price) is None


def test_a_position_without_a_price_is_left_alone() -> None:
    assert due_exits([a_position()], {}, LIMITS, NOW) == []


@given(st.decimals(1, 200_000, places=2))
def test_a_long_and_a_short_position_never_lose_both(price: Decimal) -> None:
    quotes = {SYMBOL: Quote(price, NOW)}
    found = due_exits([a_position(), a_position("-0.5")], quotes, LIMITS, NOW)
    assert sum(e.why == "stop_loss" for e in found) <= 1
    assert len({e.side for e in found}) == len(found)
