from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.core.events import Signal
from engine.core.risk import Limits
from engine.core.sizing import Funds, Sized, Unsizable, limit_price, on_step, size
from engine.core.values import Side
from tests.core.cases import RULES, a_kept_signal

LIMITS = Limits()
PRICE = Decimal(50_000)
RICH = Funds(free=Decimal(1_000_000), portfolio=Decimal(1_000_000))
NOTHING = Decimal(0)


def _size(signal: Signal, funds: Funds = RICH, holding: Decimal = NOTHING, limits: Limits = LIMITS) -> Sized:
    return size(signal, RULES, PRICE, replace(funds, holding=holding), limits)


def _code(signal: Signal, funds: Funds = RICH, holding: Decimal = NOTHING, limits: Limits = LIMITS) -> str:
    with pytest.raises(Unsizable) as caught:
        _size(signal, funds, holding, limits)
    assert caught.value.text
    return caught.value.code


def test_an_entry_is_the_configured_fraction_of_the_portfolio() -> None:
    sized = _size(a_kept_signal())
    assert sized.quantity == Decimal("0.4")  # 2 % of 1,000,000 at 50,000
    assert sized.fact == "2 % of 1000000 at 50000"


def test_an_unknown_portfolio_takes_the_default_quantity() -> None:
    assert _size(a_kept_signal(), Funds(None, None)).quantity == Decimal("0.001")


def test_an_explicit_quantity_wins_and_is_cut_to_the_step() -> None:
    assert _size(a_kept_signal(quantity=Decimal("0.12349"))).quantity == Decimal("0.1234")


def test_an_exit_takes_the_holding() -> None:
    selling = a_kept_signal(side=Side.SELL, reduces=True)
    assert _size(selling, holding=Decimal("0.50005")).quantity == Decimal("0.5000")
    assert _size(replace(selling, quantity=Decimal(9)), holding=Decimal("0.5")).quantity == Decimal("0.5")
    assert _size(replace(selling, quantity=Decimal("0.1")), holding=Decimal("0.5")).quantity == Decimal("0.1")
    assert _size(a_kept_signal(side=Side.SELL), holding=Decimal("0.5")).quantity == Decimal("0.5")
    assert _size(a_kept_signal(reduces=True), holding=Decimal("-0.5")).quantity == Decimal("0.5")


def test_an_exit_without_a_holding_has_nothing_to_sell() -> None:
    assert _code(a_kept_signal(side=Side.SELL, reduces=True)) == "nothing_to_sell"
    assert _code(a_kept_signal(side=Side.SELL, reduces=True), holding=Decimal(-1)) == "nothing_to_sell"


def test_an_exit_is_held_back_by_the_venues_minimum_alone() -> None:
    strict = Limits(quantity_min=Decimal(1), cost_max=Decimal(10))
    selling = a_kept_signal(side=Side.SELL, reduces=True)
    assert _size(selling, Funds(NOTHING, NOTHING), Decimal("0.5"), strict).quantity == Decimal("0.5")
    assert _code(selling, holding=Decimal("0.00005")) == "below_minimum"


def test_what_falls_below_a_minimum_is_refused_and_never_raised() -> None:
    assert _code(a_kept_signal(quantity=Decimal("0.00009"))) == "below_minimum"
    assert _code(a_kept_signal(), Funds(None, Decimal("0.1"))) == "below_minimum"
    assert _code(a_kept_signal(quantity=Decimal("0.1")), limits=Limits(quantity_min=Decimal("0.2"))) == "below_minimum"
    with pytest.raises(Unsizable, match=r"0\.0002 at 20000 costs 4, below the minimum 5"):
        size(a_kept_signal(quantity=Decimal("0.0002")), RULES, Decimal(20_000), RICH, LIMITS)


def test_a_quantity_at_every_minimum_passes() -> None:
    assert _size(a_kept_signal(quantity=Decimal("0.0001"))).quantity == Decimal("0.0001")  # costs 5


def test_an_entry_is_cut_to_what_is_free() -> None:
    poor = Funds(free=Decimal(100), portfolio=Decimal(1_000_000))
    assert _size(a_kept_signal(), poor).quantity == Decimal("0.0019")  # 100 less fee and slippage, at 50,000
    assert _code(a_kept_signal(), Funds(NOTHING, Decimal(1_000_000))) == "no_funds"


def test_an_explicit_quantity_that_cannot_be_paid_is_refused_not_changed() -> None:
    assert _code(a_kept_signal(quantity=Decimal(1)), Funds(Decimal(49_999), None)) == "no_funds"
    assert _size(a_kept_signal(quantity=Decimal(1)), Funds(PRICE, None)).quantity == 1


def test_a_sell_is_not_bound_by_the_free_money() -> None:
    assert _size(a_kept_signal(side=Side.SELL, quantity=Decimal(1)), Funds(NOTHING, None)).quantity == 1


def test_the_bound_on_an_orders_cost_cuts_our_size_and_refuses_an_explicit_one() -> None:
    bounded = Limits(cost_max=Decimal(1_000))
    assert _size(a_kept_signal(), limits=bounded).quantity == Decimal("0.02")
    assert _code(a_kept_signal(quantity=Decimal("0.0201")), limits=bounded) == "above_maximum"


amounts = st.decimals("0.00000001", 1_000_000, places=8)
steps = st.sampled_from([Decimal(s) for s in ("0.00000001", "0.001", "0.5", "1", "10", "0.0003")])


@given(step=steps, price=amounts, free=amounts, portfolio=amounts, asked=st.none() | amounts)
def test_an_entry_is_on_the_step_and_never_exceeds_funds_or_request(
    step: Decimal, price: Decimal, free: Decimal, portfolio: Decimal, asked: Decimal | None
) -> None:
    rules = replace(RULES, quantity_step=step)
    try:
        sized = size(a_kept_signal(quantity=asked), rules, price, Funds(free, portfolio), LIMITS)
    except Unsizable:
        return
    assert sized.quantity % step == 0
    assert sized.quantity * price <= free
    assert sized.quantity >= max(rules.quantity_min, LIMITS.quantity_min)
    if asked is not None:
        assert asked - step < sized.quantity <= asked


@given(step=steps, holding=amounts, asked=st.none() | amounts)
def test_an_exit_never_exceeds_the_holding(step: Decimal, holding: Decimal, asked: Decimal | None) -> None:
    signal = a_kept_signal(side=Side.SELL, reduces=True, quantity=asked)
    try:
        sized = size(signal, replace(RULES, quantity_step=step), PRICE, replace(RICH, holding=holding), LIMITS)
    except Unsizable:
        return
    assert sized.quantity <= min(holding, asked or holding)


@given(price=amounts, step=steps, side=st.sampled_from(Side))
def test_a_limit_price_is_on_the_step_and_never_worse_than_asked(price: Decimal, step: Decimal, side: Side) -> None:
    assume(price >= step)
    stepped = limit_price(price, side, replace(RULES, price_step=step))
    assert stepped % step == 0
    assert abs(stepped - price) < step
    assert stepped <= price if side is Side.BUY else stepped >= price


def test_a_price_below_the_first_step_buys_nothing() -> None:
    with pytest.raises(Unsizable, match=r"below the venue's step 0\.01"):
        limit_price(Decimal("0.009"), Side.BUY, RULES)
    assert limit_price(Decimal("0.009"), Side.SELL, RULES) == Decimal("0.01")


@given(amounts, st.integers(0, 25))
def test_large_quantities_are_stepped_exactly(amount: Decimal, zeros: int) -> None:
    big = amount.scaleb(zeros)
    step = Decimal("0.00000001")
    assert on_step(big, step) == big


def test_a_venue_without_a_step_takes_any_quantity() -> None:
    assert on_step(Decimal("0.123456789"), Decimal(0)) == Decimal("0.123456789")
