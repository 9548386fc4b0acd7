"""The paper venue's durable memory: one SQLite file for all paper accounts of an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from functools import partial

from engine.clock import Clock
from engine.core.order import OrderRequest
from engine.core.values import Balance
from engine.exchanges.paper import books, records
from engine.exchanges.paper.books import Denied, Terms
from engine.exchanges.paper.matching import Offer, Slice
from engine.exchanges.paper.records import PaperOrder, Which
from engine.sqlite import GroupWriter


class PaperLedger:
    """Keeps accounts, orders and trades. What returned is on disk; what was entered survives a kill.

    `inline` runs the SQL on the loop, as virtual time needs it. Whoever made the ledger closes it, after its accounts.
    All methods raise StoreError's kinds if the file fails.
    """

    def __init__(self, path: str, *, clock: Clock, inline: bool = False) -> None:
        self.path = path
        self._writer = GroupWriter(path, inline=inline, prepare=records.prepare, clock=clock)
        self._opening = asyncio.Lock()
        self._opened = False

    async def open(self) -> None:
        """Open the file, or make it. Safe to call again: each account does."""
        async with self._opening:
            if not self._opened:
                await self._writer.open()
                self._opened = True

    async def close(self) -> None:
        """Finish what was submitted and let the file go. Safe to call twice and before `open`."""
        if self._opened:
            await self._writer.close()

    async def accept(self, request: OrderRequest, offer: Offer, at: datetime, terms: Terms) -> PaperOrder | Denied:
        """Enter an order and trade its first part, or say why not."""
        return await self._writer.submit(partial(books.accept, request=request, offer=offer, at=at, terms=terms))

    async def trade(self, venue_order_id: str, part: Slice, at: datetime, terms: Terms) -> PaperOrder:
        """Trade a part of an open order; one that is no longer open is returned as it is."""
        return await self._writer.submit(
            partial(books.trade, venue_order_id=venue_order_id, part=part, at=at, terms=terms)
        )

    async def end(self, venue_order_id: str, why: str) -> PaperOrder:
        """Close an open order with what it has; one that is no longer open is returned as it is."""
        return await self._writer.submit(partial(books.close, venue_order_id=venue_order_id, why=why))

    async def balances(self, terms: Terms, symbols: list[str]) -> Mapping[str, Balance]:
        """Return what the account has, after granting what its settings grant for the quote assets of `symbols`."""
        await self._writer.submit(partial(books.settle_in, terms=terms, symbols=symbols))
        return await self._writer.call(partial(books.balances, terms=terms))

    async def orders(self, account: str | None = None) -> list[PaperOrder]:
        """Return every order of an account (None: of all), oldest first, with its trades."""
        if account is None:
            return await self._ask(Which.ALL)
        return await self._ask(Which.ACCOUNT, account)

    async def orders_by_client_id(self) -> Mapping[str, list[PaperOrder]]:
        """Return the orders of all accounts under their client ids: two under one id are one order doubled."""
        found: dict[str, list[PaperOrder]] = {}
        for order in await self.orders():
            found.setdefault(order.client_order_id, []).append(order)
        return found

    async def open_orders(self, account: str) -> list[PaperOrder]:
        return await self._ask(Which.OPEN, account)

    async def orders_since(self, account: str, since: datetime) -> list[PaperOrder]:
        return await self._ask(Which.SINCE, account, records.micros(since))

    async def newest(self, account: str, client_order_id: str, venue_order_id: str | None) -> PaperOrder | None:
        """Return the order with this venue id if one is given, else the newest with this client id."""
        if venue_order_id is not None:
            found = await self._ask(Which.OWN_VENUE_ID, account, venue_order_id)
        else:
            found = await self._ask(Which.CLIENT_ID, account, client_order_id)
        return found[-1] if found else None

    async def _ask(self, which: Which, *parameters: object) -> list[PaperOrder]:
        return await self._writer.call(partial(records.orders, which=which, parameters=parameters))
