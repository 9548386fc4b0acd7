"""The tests' venue serves what the unmodified classes of ccxt ask of binance, kraken and coinbase."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.venue.client import place, place_limit, with_client
from tests.support.venue.control import Control
from tests.support.venue.server import a_venue
from tests.support.venue.table import VENUES

FIRST, SECOND = "a1" * 16, "b2" * 16


@pytest.fixture(params=VENUES)
def venue(request: pytest.FixtureRequest) -> Iterator[Control]:
    with a_venue(request.param) as running:
        yield running


def test_markets_carry_their_steps_and_limits(venue: Control) -> None:
    async def story(client: Any) -> None:
        market = client.market("BTC/USDT")
        assert (market["precision"]["amount"], market["precision"]["price"]) == (0.00001, 0.1)
        assert (market["limits"]["amount"]["min"], market["limits"]["cost"]["min"]) == (0.0001, 5.0)
        assert {"ETH/USD", "XRP/USDT", "BTC/USD"} <= set(client.markets)
        assert (market["spot"], market["active"]) == (True, True)

    with_client(venue, story)


def test_a_market_order_trades_at_the_price_and_moves_the_balance(venue: Control) -> None:
    venue.price("BTC/USDT", "40000")

    async def story(client: Any) -> None:
        order = await place(client, FIRST, "sell")
        found = await client.fetch_order(order["id"], "BTC/USDT")
        assert (found["clientOrderId"], found["status"], found["side"]) == (FIRST, "closed", "sell")
        assert (found["filled"], found["average"]) == (0.01, 40_000.0)
        balance = await client.fetch_balance()
        assert (balance["BTC"]["free"], balance["USDT"]["free"]) == (9.99, 1_000_000 + 400 - 0.4)
        (trade,) = await client.fetch_my_trades("BTC/USDT")
        assert (trade["order"], trade["price"], trade["amount"], trade["fee"]["cost"]) == (
            order["id"],
            40_000,
            0.01,
            0.4,
        )

    with_client(venue, story)
    (truth,) = venue.orders(FIRST)
    assert (truth["status"], truth["filled"], truth["average"]) == ("filled", "0.01", "40000")


def test_a_resting_order_holds_its_money_until_it_is_cancelled(venue: Control) -> None:
    async def story(client: Any) -> None:
        order = await place_limit(client, FIRST, 40_000)
        (listed,) = await client.fetch_open_orders("BTC/USDT")
        assert (listed["id"], listed["clientOrderId"], listed["status"]) == (order["id"], FIRST, "open")
        assert (await client.fetch_balance())["USDT"]["used"] == pytest.approx(400, abs=0.5)
        await client.cancel_order(order["id"], "BTC/USDT")
        assert await client.fetch_open_orders("BTC/USDT") == []
        assert (await client.fetch_order(order["id"], "BTC/USDT"))["status"] == "canceled"
        assert (await client.fetch_balance())["USDT"]["used"] == 0

    with_client(venue, story)


def test_an_immediate_order_that_finds_no_price_ends_without_a_trade(venue: Control) -> None:
    async def story(client: Any) -> None:
        order = await place_limit(client, FIRST, 40_000, timeInForce="IOC")
        found = await client.fetch_order(order["id"], "BTC/USDT")
        assert (found["status"], found["filled"]) == ("canceled" if client.id == "coinbase" else "expired", 0)

    with_client(venue, story)


def test_an_order_trades_in_parts_as_it_is_told(venue: Control) -> None:
    venue.terms(fill_share="0.4")

    async def story(client: Any) -> None:
        order = await place_limit(client, FIRST, 60_000)
        assert (await client.fetch_order(order["id"], "BTC/USDT"))["filled"] == 0.004
        venue.fill(1, "0.001")
        found = await client.fetch_order(order["id"], "BTC/USDT")
        assert (found["status"], found["filled"], found["remaining"]) == ("open", 0.005, 0.005)
        assert len(await client.fetch_my_trades("BTC/USDT")) == 2

    with_client(venue, story)


def test_a_price_that_comes_to_a_resting_order_fills_it_at_its_limit(venue: Control) -> None:
    async def story(client: Any) -> None:
        order = await place_limit(client, FIRST, 45_000)
        venue.price("BTC/USDT", "44000")
        found = await client.fetch_order(order["id"], "BTC/USDT")
        assert (found["status"], found["average"]) == ("closed", 45_000)

    with_client(venue, story)


def test_closed_orders_are_listed_and_each_account_sees_its_own(venue: Control) -> None:
    async def story(client: Any) -> list[str]:
        await place(client, FIRST if client.apiKey == mine else SECOND)
        return [order["clientOrderId"] for order in await client.fetch_closed_orders("BTC/USDT")]

    mine = next(key["name"] for key in venue.about["keys"] if key["account"] == "main")
    assert with_client(venue, story) == [FIRST]
    assert with_client(venue, story, account="second") == [SECOND]


def test_a_lagging_read_does_not_show_a_fresh_order(venue: Control) -> None:
    venue.terms(read_lag_s=60)

    async def story(client: Any) -> None:
        order = await place_limit(client, FIRST, 40_000)
        assert await client.fetch_open_orders("BTC/USDT") == []
        with pytest.raises(Exception, match=r"nknown order|does not exist|not found"):
            await client.fetch_order(order["id"], "BTC/USDT")
        venue.skew(61)
        venue.terms(read_lag_s=0)
        venue.skew(0)
        assert len(await client.fetch_open_orders("BTC/USDT")) == 1

    with_client(venue, story)


def test_prices_go_on_and_agree_with_each_other(venue: Control) -> None:
    async def story(client: Any) -> None:
        last = (await client.fetch_ticker("BTC/USDT"))["last"]
        assert last == pytest.approx(50_000, rel=0.001)
        trades = await client.fetch_trades("BTC/USDT", limit=20)
        assert len(trades) == 20
        assert [t["timestamp"] for t in trades] == sorted(t["timestamp"] for t in trades)
        candles = await client.fetch_ohlcv("BTC/USDT", "1m", limit=10)
        starts = [candle[0] for candle in candles]
        assert starts == list(range(starts[0], starts[0] + 60_000 * len(starts), 60_000))
        assert all(low <= min(o, c) <= max(o, c) <= high for _, o, high, low, c, _ in candles)

    with_client(venue, story)


def test_a_set_price_shows_in_the_next_second(venue: Control) -> None:
    venue.skew(-5)
    venue.price("ETH/USDT", "3000")
    venue.skew(0)

    async def story(client: Any) -> None:
        assert (await client.fetch_ticker("ETH/USDT"))["last"] == pytest.approx(3_000, rel=0.001)

    with_client(venue, story)


def test_the_venue_tells_its_own_time(venue: Control) -> None:
    async def story(client: Any) -> None:
        assert await client.fetch_time() == pytest.approx(client.milliseconds(), abs=2_000)
        venue.skew(-3600)
        assert await client.fetch_time() == pytest.approx(client.milliseconds() - 3_600_000, abs=2_000)

    with_client(venue, story)


@pytest.mark.parametrize(
    ("quantity", "symbol", "words"),
    [
        (0.00005, "BTC/USDT", "LOT_SIZE|minimum"),
        (0.002, "ETH/USD", "NOTIONAL|minimum"),
        (100, "BTC/USDT", "nsufficient"),
    ],
)
def test_what_breaks_a_rule_is_refused_and_no_order(venue: Control, quantity: float, symbol: str, words: str) -> None:
    if symbol == "ETH/USD":
        venue.price(symbol, "1000")

    async def story(client: Any) -> None:
        params = {"cost": quantity * 1000} if client.id == "coinbase" and symbol == "ETH/USD" else {}
        kind, side = ("market", "buy") if params or client.id != "coinbase" else ("limit", "buy")
        with pytest.raises(Exception, match=words) as refused:
            await client.create_order(symbol, kind, side, quantity, 60_000 if kind == "limit" else None, params)
        assert type(refused.value).__module__.startswith("ccxt")

    with_client(venue, story)
    assert venue.orders() == []
