"""Laws of the paper account, whatever is asked of it in whatever order."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import ExchangeError
from engine.core.order import OrderRequest, OrderStatus
from engine.core.values import Side
from engine.exchanges.paper import PaperSettings, WeatherSettings
from tests.support.exchange import BEGAN, Stand, a_lookup, a_stand, an_order, on_virtual_time

START: Final = Decimal(10_000)
PRICES = st.integers(40_000, 60_000).map(Decimal)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(
            st.just("place"),
            st.sampled_from(list(Side)),
            st.integers(1, 150).map(lambda n: f"{n / 1000:.3f}"),
            st.one_of(st.none(), PRICES),
            st.one_of(st.none(), st.just(Decimal("0.002"))),
        ),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
        st.tuples(st.just("price"), PRICES),
        st.tuples(st.just("wait"), st.floats(0.0, 2.0, allow_nan=False)),
    ),
    max_size=40,
)


async def act(stand: Stand, action: tuple[object, ...], placed: list[OrderRequest]) -> None:
    match action:
        case ("place", Side() as side, str() as quantity, price, bound):
            given = {} if price is None else {"price": price}
            request = an_order(side, quantity, slippage_max=bound, reference_price=Decimal(50_000), **given)
            placed.append(request)
            await stand.exchange.place(request)
        case ("cancel", int() as number) if placed:
            await stand.exchange.cancel(a_lookup(placed[number % len(placed)]))
        case ("price", Decimal() as price):
            stand.price(price)
        case ("wait", float() as seconds):
            await stand.clock.sleep(seconds)


async def hold_the_laws(stand: Stand, *, shorting: bool) -> None:
    # Orders trade on in between: what is compared must be of one moment.
    orders, held = await stand.ledger.orders(), await stand.exchange.balances()
    while (later := await stand.ledger.orders()) != orders:
        orders, held = later, await stand.exchange.balances()
    trades = [(order, fill) for order in orders for fill in order.trades]
    assert len({fill.trade_id for _, fill in trades}) == len(trades)
    for order in orders:
        assert order.filled == sum(fill.quantity for fill in order.trades)
        assert 0 <= order.filled <= order.quantity
        assert (order.status is OrderStatus.FILLED) == (order.filled == order.quantity)
        if order.worst_price is not None:
            assert all(order.side.sign * fill.price <= order.side.sign * order.worst_price for fill in order.trades)
        assert order.accepted_at <= order.send_by
    spent = sum((order.side.sign * fill.price * fill.quantity for order, fill in trades), Decimal(0))
    fees = sum((fill.fee for _, fill in trades), Decimal(0))
    money = held["USDT"].free + held["USDT"].used
    assert money + spent + fees == START
    assert money >= 0
    coins = held["BTC"].free + held["BTC"].used if "BTC" in held else Decimal(0)
    assert coins == sum((order.side.sign * order.filled for order in orders), Decimal(0))
    if not shorting:
        assert all(balance.free >= 0 for asset, balance in held.items() if asset == "BTC")


@settings(max_examples=150, deadline=None)
@given(actions=ACTIONS, shorting=st.booleans(), seed=st.integers(0, 1000))
def test_money_is_conserved_and_no_order_trades_more_or_worse_than_was_asked(
    actions: list[tuple[object, ...]], shorting: bool, seed: int
) -> None:
    async def story() -> None:
        account = PaperSettings(start_quote=START, shorting=shorting, part_rate=0.7, slippage=Decimal("0.001"))
        async with a_stand(account, WeatherSettings(), seed=seed) as stand:
            placed: list[OrderRequest] = []
            for action in actions:
                try:
                    await act(stand, action, placed)
                except ExchangeError:
                    continue
                await hold_the_laws(stand, shorting=shorting)
            await stand.clock.sleep(30.0)
            await hold_the_laws(stand, shorting=shorting)
            assert stand.clock.wall() >= BEGAN

    on_virtual_time(story())
