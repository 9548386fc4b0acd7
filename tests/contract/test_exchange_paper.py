"""The paper account: fills, limits, money, and what it remembers."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from engine.core.errors import Doubtful, RefusalKind, Refused
from engine.core.order import OrderStatus
from engine.core.values import Side
from engine.exchanges.paper import PaperSettings, WeatherSettings
from engine.exchanges.paper.books import Terms
from engine.exchanges.paper.matching import Slice, derive_rules, share, taker_price
from tests.support.exchange import BEGAN, PRICE, SYMBOL, WHOLE, a_lookup, a_stand, an_order, on_virtual_time

IN_THREE = PaperSettings(part_rate=1.0, parts_max=3, part_gap_s=0.5, slippage=Decimal(0))


def test_a_market_order_pays_the_price_the_fee_and_no_more() -> None:
    async def story() -> None:
        async with a_stand() as stand:
            await stand.exchange.place(an_order(quantity="0.01"))
            balances = await stand.exchange.balances()
            assert balances["BTC"].free == Decimal("0.01")
            assert balances["USDT"].free == Decimal(10_000) - Decimal(500) - Decimal("0.5")

    on_virtual_time(story())


def test_slippage_is_always_to_the_takers_harm_and_within_its_bound() -> None:
    async def story() -> None:
        async with a_stand(PaperSettings(part_rate=0.0, slippage=Decimal("0.001"))) as stand:
            for _ in range(30):
                bought = await stand.exchange.place(an_order(Side.BUY))
                sold = await stand.exchange.place(an_order(Side.SELL))
                assert PRICE <= (bought.average_price or 0) <= PRICE * Decimal("1.001")
                assert PRICE * Decimal("0.999") <= (sold.average_price or 0) <= PRICE

    on_virtual_time(story())


def test_a_market_order_may_fill_in_parts_over_time() -> None:
    async def story() -> None:
        async with a_stand(IN_THREE) as stand:
            request = an_order()
            report = await stand.exchange.place(request)
            assert report.status is OrderStatus.OPEN
            assert 0 < report.filled_quantity < request.quantity
            await stand.clock.sleep(2.0)
            found = await stand.exchange.find(a_lookup(request))
            assert found is not None
            assert found.status is OrderStatus.FILLED
            assert found.filled_quantity == request.quantity
            assert 2 <= len(found.fills) <= 3
            assert len({fill.trade_id for fill in found.fills}) == len(found.fills)

    on_virtual_time(story())


def test_a_cancel_between_two_parts_keeps_the_first_and_ends_the_rest() -> None:
    async def story() -> None:
        async with a_stand(IN_THREE) as stand:
            request = an_order()
            first = await stand.exchange.place(request)
            ended = await stand.exchange.cancel(a_lookup(request))
            await stand.clock.sleep(5.0)
            found = await stand.exchange.find(a_lookup(request))
            assert found == ended
            assert (ended.status, ended.filled_quantity) == (OrderStatus.CLOSED, first.filled_quantity)

    on_virtual_time(story())


def test_a_limit_order_rests_until_the_price_crosses_it() -> None:
    async def story() -> None:
        async with a_stand() as stand:
            request = an_order(price=Decimal(49_000))
            await stand.exchange.place(request)
            stand.price(49_001)
            await stand.clock.sleep(1.0)
            assert len(await stand.exchange.open_orders(SYMBOL)) == 1
            stand.price(48_900)
            await stand.clock.sleep(1.0)
            found = await stand.exchange.find(a_lookup(request))
            assert found is not None
            assert (found.status, found.average_price) == (OrderStatus.FILLED, Decimal(49_000))

    on_virtual_time(story())


def test_a_limit_order_that_crosses_at_once_gets_the_better_price() -> None:
    async def story() -> None:
        async with a_stand() as stand:
            report = await stand.exchange.place(an_order(price=Decimal(51_000)))
            assert (report.status, report.average_price) == (OrderStatus.FILLED, PRICE)

    on_virtual_time(story())


def test_slippage_never_takes_an_order_beyond_its_limit() -> None:
    async def story() -> None:
        async with a_stand(PaperSettings(part_rate=0.0, slippage=Decimal("0.01"))) as stand:
            for _ in range(10):
                report = await stand.exchange.place(an_order(price=PRICE))
                assert (report.status, report.average_price) == (OrderStatus.FILLED, PRICE)

    on_virtual_time(story())


@pytest.mark.parametrize(("side", "now"), [(Side.BUY, 50_101), (Side.SELL, 49_899)])
def test_an_order_is_refused_when_the_price_has_moved_beyond_the_slippage_limit(side: Side, now: int) -> None:
    async def story() -> None:
        async with a_stand(
            PaperSettings(part_rate=0.0, slippage=Decimal(0), balances={"BTC": 1, "USDT": 9_999})
        ) as stand:
            bounded: dict[str, Any] = {"reference_price": PRICE, "slippage_max": Decimal("0.002")}
            stand.price(now)
            with pytest.raises(Refused):
                await stand.exchange.place(an_order(side, **bounded))
            stand.price(now - side.sign)  # exactly at the bound
            assert (await stand.exchange.place(an_order(side, **bounded))).status is OrderStatus.FILLED

    on_virtual_time(story())


def test_the_rest_of_an_order_is_closed_when_the_price_moves_beyond_the_slippage_limit() -> None:
    async def story() -> None:
        async with a_stand(IN_THREE) as stand:
            request = an_order(reference_price=PRICE, slippage_max=Decimal("0.002"))
            first = await stand.exchange.place(request)
            stand.price(51_000)
            await stand.clock.sleep(5.0)
            found = await stand.exchange.find(a_lookup(request))
            assert found is not None
            assert (found.status, found.filled_quantity) == (OrderStatus.CLOSED, first.filled_quantity)

    on_virtual_time(story())


def test_an_order_holds_its_cost_and_its_fee() -> None:
    async def story() -> None:
        async with a_stand() as stand:
            await stand.exchange.place(an_order(quantity="0.01", price=Decimal(40_000)))
            assert (await stand.exchange.balances())["USDT"].used == Decimal("400.4")
            with pytest.raises(Refused) as refused:  # it would fit, but for the fee
                await stand.exchange.place(an_order(quantity="0.24", price=Decimal(40_000)))
            assert refused.value.kind is RefusalKind.FUNDS

    on_virtual_time(story())


def test_an_order_ends_where_the_money_ends() -> None:
    async def story() -> None:
        poor = PaperSettings(part_rate=1.0, slippage=Decimal(0), start_quote=Decimal(501))
        async with a_stand(poor) as stand:
            request = an_order(quantity="0.01")
            first = await stand.exchange.place(request)
            stand.price(90_000)
            await stand.clock.sleep(5.0)
            (order,) = await stand.ledger.orders()
            assert (order.status, order.filled) == (OrderStatus.CLOSED, first.filled_quantity)
            assert order.why == "the money ran out"

    on_virtual_time(story())


def test_the_books_never_trade_more_than_is_left() -> None:
    async def story() -> None:
        async with a_stand() as stand:
            placed = await stand.exchange.place(an_order(quantity="0.01", price=Decimal(40_000)))
            terms = Terms("acct", WHOLE)
            for _ in range(2):
                part = Slice(Decimal(40_000), Decimal("0.007"))
                order = await stand.ledger.trade(placed.venue_order_id, part, BEGAN, terms)
            assert (order.filled, order.status) == (Decimal("0.01"), OrderStatus.FILLED)
            assert await stand.ledger.trade(placed.venue_order_id, part, BEGAN, terms) == order

    on_virtual_time(story())


def test_a_filled_orders_id_is_taken_again_and_an_open_ones_is_not() -> None:
    async def story() -> None:
        async with a_stand() as stand:
            request = an_order()
            await stand.exchange.place(request)
            await stand.exchange.place(request)  # this is why an id alone does not make a resend safe
            assert len((await stand.ledger.orders_by_client_id())[request.client_order_id]) == 2
            resting = an_order(price=Decimal(40_000))
            await stand.exchange.place(resting)
            with pytest.raises(Doubtful, match="has this client id: acct-3"):
                await stand.exchange.place(resting)

    on_virtual_time(story())


def test_nothing_is_accepted_after_its_deadline_on_the_venues_clock() -> None:
    async def story() -> None:
        async with a_stand(weather=WeatherSettings(clock_offset_s=3.0)) as stand:
            request = an_order(send_by=BEGAN + timedelta(seconds=2))
            with pytest.raises(Refused) as refused:
                await stand.exchange.place(request)
            assert refused.value.kind is RefusalKind.DEADLINE
            assert (await stand.exchange.place(an_order())).status is OrderStatus.FILLED

    on_virtual_time(story())


def test_what_is_not_held_can_be_sold_only_where_shorting_is_allowed() -> None:
    async def story() -> None:
        async with a_stand(PaperSettings(part_rate=0.0, slippage=Decimal(0), shorting=True)) as stand:
            await stand.exchange.place(an_order(Side.SELL, "0.1"))
            short = await stand.exchange.balances()
            assert short["BTC"].free == Decimal("-0.1")
            assert short["USDT"].used == Decimal(10_000)  # 5,000 of proceeds and as much of margin
            with pytest.raises(Refused) as refused:
                await stand.exchange.place(an_order(Side.SELL, "0.2"))
            assert refused.value.kind is RefusalKind.FUNDS
            await stand.exchange.place(an_order(Side.BUY, "0.1"))
            assert (await stand.exchange.balances())["USDT"].used == 0

    on_virtual_time(story())


def test_an_account_with_set_balances_is_granted_nothing_more() -> None:
    async def story() -> None:
        async with a_stand(PaperSettings(balances={"EUR": Decimal(7)})) as stand:
            assert {asset: b.free for asset, b in (await stand.exchange.balances()).items()} == {"EUR": Decimal(7)}

    on_virtual_time(story())


def test_only_listed_symbols_are_traded_if_there_is_a_list() -> None:
    async def story() -> None:
        async with a_stand(PaperSettings(symbols=("ETH/USDT",))) as stand:
            stand.price(3_000, "ETH/USDT")
            assert list(await stand.exchange.symbols()) == ["ETH/USDT"]
            with pytest.raises(Refused):
                await stand.exchange.place(an_order())

    on_virtual_time(story())


def test_prices_that_cannot_be_are_left_out() -> None:
    async def story() -> None:
        async with a_stand() as stand:
            for nonsense in ("0", "-1", "NaN", "Infinity"):
                stand.price(nonsense)
            assert (await stand.exchange.place(an_order())).average_price == PRICE

    on_virtual_time(story())


@pytest.mark.parametrize(
    ("price", "quantity_step", "price_step"),
    [
        ("65000", "0.000001", "0.1"),
        ("3000", "0.00001", "0.01"),
        ("1.5", "0.01", "0.00001"),
        ("0.00002", "1000", "0.00000001"),
    ],
)
def test_rules_follow_the_prices_magnitude(price: str, quantity_step: str, price_step: str) -> None:
    rules = derive_rules("X/USDT:USDT", Decimal(price))
    assert (rules.quantity_step, rules.price_step) == (Decimal(quantity_step), Decimal(price_step))
    assert rules.quantity_min == rules.quantity_step * 10
    assert (rules.base, rules.quote) == ("X", "USDT")


def test_steps_that_are_no_powers_of_ten_are_kept() -> None:
    assert taker_price(Side.BUY, Decimal("10.1"), Decimal("0.02"), Decimal("0.25")) == Decimal("10.25")
    assert share(Decimal("1.5"), 2, Decimal("0.5")) == Decimal("0.5")
    assert share(Decimal("0.5"), 3, Decimal("0.5")) == Decimal("0.5")


@pytest.mark.parametrize(
    "wrong",
    [{"fee": "NaN"}, {"fee": -1}, {"balances": {"USDT": -5}}, {"symbols": ["bitcoin"]}, {"parts_max": 0}, {"fees": 1}],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PaperSettings.model_validate(wrong)
