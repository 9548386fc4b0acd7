"""Real accounts at a venue of this machine, as the product makes them, and orders for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any, Final

from engine.clock import LoopClock, SystemChance
from engine.core.order import OrderKind, OrderRequest
from engine.core.values import Side
from engine.exchanges.base import Account, Lookup, Surroundings
from engine.exchanges.ccxt_live import CcxtAccount, make_ccxt
from tests.support.venue.control import Control
from tests.support.venue.urls import ccxt_table, credentials

SYMBOL: Final = "BTC/USDT"
TIMEOUT_MS: Final = 1_000
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class TestKeys:
    """Credentials that open nothing but a venue of this machine."""

    __test__ = False
    given: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        return self.given["apiKey"][-12:]

    def as_ccxt(self) -> Mapping[str, str]:
        return self.given


def an_account(control: Control, clock: LoopClock, **table: Any) -> CcxtAccount:
    """Return an account at the venue, not yet open; `table` goes above what the venue needs."""
    whole = {**ccxt_table(control.about), "timeout": TIMEOUT_MS, "rateLimit": 1, **table}
    keys = TestKeys(credentials(control.about))
    around = Surroundings(clock, SystemChance(), ":memory:")
    account = make_ccxt(Account("desk", control.venue, {"ccxt": whole}, credentials=lambda: keys), around)
    assert isinstance(account, CcxtAccount), "that is the kind"
    return account


@asynccontextmanager
async def opened(control: Control, **table: Any) -> AsyncIterator[CcxtAccount]:
    """Open an account whose rules are read, and close it."""
    account = an_account(control, LoopClock(), **table)
    try:
        await account.open()
        await account.symbols()
        yield account
    finally:
        await account.close()


def an_order(clock: LoopClock, **given: Any) -> OrderRequest:
    """Return a bounded market order with an id of its own, to be sent within 5 s."""
    request = OrderRequest(
        client_order_id=f"{next(_numbers):032x}",
        symbol=SYMBOL,
        side=Side.BUY,
        quantity=Decimal("0.01"),
        kind=OrderKind.MARKET,
        send_by=clock.wall() + timedelta(seconds=5),
        reference_price=Decimal(50_000),
        slippage_max=Decimal("0.01"),
    )
    return replace(request, **given)


def a_lookup(request: OrderRequest, venue_order_id: str | None = None) -> Lookup:
    """Return what finds the order of `request`."""
    since = request.send_by - timedelta(seconds=65)
    return Lookup(request.client_order_id, request.symbol, request.side, since, venue_order_id)
