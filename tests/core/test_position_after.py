"""What is held after a trade."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from engine.core.portfolio import Trade, position_after
from engine.core.values import Position, Side
from tests.support.builders import a_fill


def _after(steps: Sequence[tuple[Side, int, int]]) -> Position | None:
    held: Position | None = None
    for number, (side, quantity, price) in enumerate(steps):
        trade = Trade("trader", "BTC/USDT", side, f"signal {number}")
        held = position_after(held, trade, a_fill(str(number), quantity=Decimal(quantity), price=Decimal(price)))
    return held


def test_adding_averages_the_entry_price() -> None:
    held = _after([(Side.BUY, 1, 100), (Side.BUY, 3, 200)])
    assert held is not None
    assert (held.quantity, held.entry_price, held.opened_by) == (Decimal(4), Decimal(175), "signal 0")


def test_lowering_keeps_the_entry_price() -> None:
    held = _after([(Side.SELL, 4, 100), (Side.BUY, 1, 50)])
    assert held is not None
    assert (held.quantity, held.entry_price, held.opened_by) == (Decimal(-3), Decimal(100), "signal 0")


def test_turning_through_zero_begins_anew() -> None:
    held = _after([(Side.BUY, 1, 100), (Side.SELL, 3, 80)])
    assert held is not None
    assert (held.quantity, held.entry_price, held.opened_by) == (Decimal(-2), Decimal(80), "signal 1")


def test_closing_leaves_nothing() -> None:
    assert _after([(Side.BUY, 2, 100), (Side.SELL, 2, 80)]) is None


STEP = st.tuples(st.sampled_from(Side), st.integers(1, 9), st.integers(1, 500))


@given(st.lists(STEP, max_size=12))
def test_the_quantity_is_the_sum_of_what_was_traded(steps: list[tuple[Side, int, int]]) -> None:
    held = _after(steps)
    assert (held.quantity if held else 0) == sum(side.sign * quantity for side, quantity, _ in steps)


@given(st.lists(STEP, min_size=1, max_size=12))
def test_the_entry_price_lies_between_the_prices_paid(steps: list[tuple[Side, int, int]]) -> None:
    held = _after(steps)
    if held is not None:
        paid = [price for side, _, price in steps if side.sign == (1 if held.quantity > 0 else -1)]
        assert min(paid) <= held.entry_price <= max(paid)
