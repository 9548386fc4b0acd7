"""A paper venue that takes a client order id once and for ever, and enforces no deadline: the id is its only guard."""

from __future__ import annotations

from engine.core.errors import Doubtful
from engine.core.order import OrderReport, OrderRequest
from engine.exchanges.base import EXCHANGES, Account, Capabilities, Fence, IdScope, Surroundings
from engine.exchanges.paper.kind import make_paper
from engine.exchanges.paper.venue import PaperExchange

NAME = "once"


class OnceExchange(PaperExchange):
    """See the module. What has this id already is refused at the venue, on the request's arrival."""

    async def _receive(self, request: OrderRequest) -> OrderReport:
        if await self._ledger.newest(self.name, request.client_order_id, None) is not None:
            raise Doubtful(self.name, "this client order id was used before")
        return await super()._receive(request)


@EXCHANGES.add(NAME)
def make_once(account: Account, around: Surroundings) -> OnceExchange:
    """Make an account like `make_paper` does."""
    paper = make_paper(account, around)
    assert isinstance(paper, PaperExchange), "that is what this kind makes"
    once = OnceExchange(
        account.trader, ledger=paper._ledger, weather=paper._weather, settings=paper._settings, clock=around.clock
    )
    once.capabilities = Capabilities(
        Fence.NONE, IdScope.FOREVER, lookup_by_client_id=True, shorting=paper.capabilities.shorting
    )
    return once
