"""A venue's words become ours only where they make sense."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.order import OrderKind, OrderRequest, OrderStatus
from engine.core.values import Side
from engine.exchanges.ccxt_live.reports import (
    BadAnswer,
    acknowledged,
    balances_of,
    exact,
    fills_of,
    report_of,
    rules_of,
)

AT = 1_767_225_600_000
ID = "0" * 32


def a_row(**given: Any) -> dict[str, Any]:
    row = {
        "id": "v1",
        "clientOrderId": ID,
        "symbol": "BTC/USDT",
        "side": "buy",
        "amount": 0.5,
        "filled": 0.5,
        "status": "closed",
        "timestamp": AT,
    }
    return {**row, **given}


def a_trade(trade_id: str = "t1", **given: Any) -> dict[str, Any]:
    row = {
        "id": trade_id,
        "order": "v1",
        "price": 65000.1,
        "amount": 0.5,
        "fee": {"cost": 0.01, "currency": "USDT"},
        "timestamp": AT,
    }
    return {**row, **given}


def a_request() -> OrderRequest:
    return OrderRequest(
        client_order_id=ID,
        symbol="BTC/USDT",
        side=Side.BUY,
        quantity=Decimal("0.5"),
        kind=OrderKind.MARKET,
        send_by=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=5),
    )


@given(st.decimals(min_value="0.00000001", max_value="999999", places=8))
def test_a_number_is_taken_as_it_was_written(number: Decimal) -> None:
    assert exact(str(number), "x") == number
    if len(number.as_tuple().digits) <= 15:
        assert exact(float(number), "x") == number


@pytest.mark.parametrize(
    "odd", [None, float("nan"), float("inf"), "1e400", "NaN", "-Infinity", "abc", "", True, [], {}]
)
def test_what_is_no_finite_number_is_no_figure(odd: object) -> None:
    with pytest.raises(BadAnswer, match="its price"):
        exact(odd, "its price")


def test_an_order_is_filled_by_its_trades_and_not_by_its_word() -> None:
    whole = report_of(a_row(), ID, [a_trade()])
    assert (whole.status, whole.filled_quantity, whole.average_price) == (
        OrderStatus.FILLED,
        Decimal("0.5"),
        Decimal("65000.1"),
    )
    lagging = report_of(a_row(), ID, [])
    assert (lagging.status, lagging.filled_quantity) == (OrderStatus.OPEN, Decimal(0))


def test_an_order_that_was_closed_is_closed_once_its_trades_are_all_told() -> None:
    part = a_row(status="canceled", filled=0.2)
    assert report_of(part, ID, []).status is OrderStatus.OPEN
    assert report_of(part, ID, [a_trade(amount=0.2)]).status is OrderStatus.CLOSED
    assert report_of(a_row(status="expired", filled=0), ID, []).status is OrderStatus.CLOSED
    assert report_of(a_row(status="rejected", filled=0), ID, []).status is OrderStatus.REFUSED


def test_an_order_whose_state_is_not_told_cannot_be_used() -> None:
    with pytest.raises(BadAnswer, match="state"):
        report_of(a_row(status=None), ID, [])


def test_a_trade_told_twice_counts_once_and_trades_stand_in_order_of_time() -> None:
    fills = fills_of([a_trade("b", timestamp=AT + 5), a_trade("a"), a_trade("b", timestamp=AT + 5)])
    assert [fill.trade_id for fill in fills] == ["a", "b"]


@pytest.mark.parametrize("odd", [{"price": 0}, {"price": None}, {"amount": float("nan")}, {"amount": -1}, {"id": None}])
def test_a_trade_without_sense_spoils_the_answer(odd: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer):
        fills_of([a_trade(**odd)])


def test_an_answer_with_nothing_but_an_id_acknowledges_the_order() -> None:
    bare: dict[str, Any] = dict.fromkeys(a_row()) | {"id": "v1"}
    report = acknowledged(bare, a_request())
    assert (report.status, report.quantity, report.venue_order_id) == (OrderStatus.OPEN, Decimal("0.5"), "v1")


@pytest.mark.parametrize("odd", [{"symbol": "ETH/USDT"}, {"side": "sell"}, {"average": "NaN"}, {"amount": "1e400"}])
def test_an_answer_about_another_order_acknowledges_nothing(odd: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer):
        acknowledged(a_row(**odd), a_request())


def test_a_quantity_other_than_asked_for_is_told_as_it_is() -> None:
    assert acknowledged(a_row(amount=0.4, status="open", filled=0), a_request()).quantity == Decimal("0.4")


def test_a_market_has_rules_only_if_orders_can_be_formed_for_it() -> None:
    market: dict[str, Any] = {
        "symbol": "BTC/USDT",
        "base": "BTC",
        "quote": "USDT",
        "spot": True,
        "active": True,
        "precision": {"amount": 0.00001, "price": 0.01},
        "limits": {"amount": {"min": 0.0001}, "cost": {"min": 5}},
    }
    rules = rules_of(market)
    assert rules is not None
    assert (rules.quantity_step, rules.price_step) == (Decimal("0.00001"), Decimal("0.01"))
    assert (rules.quantity_min, rules.cost_min) == (Decimal("0.0001"), Decimal(5))
    for odd in ({"spot": False}, {"active": False}, {"precision": {"amount": None, "price": 1}}, {"symbol": "[/x]"}):
        assert rules_of({**market, **odd}) is None


def test_balances_are_read_or_refused_but_never_taken_for_empty() -> None:
    told = {"total": {"BTC": 2.0, "ETH": 0.0}, "free": {"BTC": 1.5, "ETH": 0.0}, "used": {"BTC": 0.5, "ETH": 0.0}}
    assert {a: (b.free, b.used) for a, b in balances_of(told).items()} == {"BTC": (Decimal("1.5"), Decimal("0.5"))}
    with pytest.raises(BadAnswer, match="lists no balances"):
        balances_of({"info": "<html>"})
