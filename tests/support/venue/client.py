"""The unmodified classes of ccxt, pointed at a venue on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from tests.support.venue.control import Control
from tests.support.venue.urls import ccxt_table, credentials

T = TypeVar("T")


@asynccontextmanager
async def a_client(venue: Control, account: str = "main", *, older: bool = False, **given: Any) -> AsyncIterator[Any]:
    """Open ccxt's class for a venue with an account's keys, and close it; `given` goes to the class as it is."""
    import ccxt.async_support as ccxt  # takes a second, which collecting the tests should not

    table = {**ccxt_table(venue.about), **credentials(venue.about, account, older=older)}
    client = getattr(ccxt, venue.venue)({"enableRateLimit": False, **table, **given})
    client.timeout_on_exit = 0
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()


def with_client(venue: Control, story: Callable[[Any], Awaitable[T]], **given: Any) -> T:
    """Run `story` with a client of the venue's, on a loop of its own; `given` as for `a_client`."""

    async def run() -> T:
        async with a_client(venue, **given) as client:
            return await story(client)

    return asyncio.run(run())


async def place(client: Any, client_id: str, side: str = "buy", **params: Any) -> Any:
    """Place a market order of 0.01 BTC under a client id, the way that each class wants it."""
    if client.id == "coinbase":  # which drops the unified name, and buys by cost
        params = {"client_order_id": client_id, **({"cost": 500} if side == "buy" else {}), **params}
    else:
        params = {"clientOrderId": client_id, **params}
    return await client.create_order("BTC/USDT", "market", side, 0.01, None, params)


async def place_limit(client: Any, client_id: str, price: float, side: str = "buy", **params: Any) -> Any:
    """Place a limit order of 0.01 BTC under a client id."""
    name = "client_order_id" if client.id == "coinbase" else "clientOrderId"
    return await client.create_order("BTC/USDT", "limit", side, 0.01, price, {name: client_id, **params})
