"""Each way in which `create_order` can end, at each venue: what the product makes of it must fit whether an order exists."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

import pytest

from engine.clock import LoopClock, run_on
from engine.core.errors import Doubtful, ExchangeError, Refused, Unsent
from engine.core.order import OrderReport
from engine.exchanges.ccxt_live import CcxtAccount
from tests.support.ccxt_accounts import a_lookup, an_order, opened
from tests.support.venue.control import Control
from tests.support.venue.server import a_venue
from tests.support.venue.table import ROWS, VENUES, Row

pytestmark = pytest.mark.waits

# These ask for quiet: everything else on the key would wait for them.
QUIETING = ("429", "418", "rate limit", "banned")


def _quiets(row: Row) -> bool:
    return any(word in row.fault for word in QUIETING)


async def _place(control: Control, row: Row, account: CcxtAccount) -> tuple[str, str]:
    """Return the client id, and the class that the product takes the outcome for."""
    request = an_order(LoopClock())
    control.script("create", row.fault, holding=request.client_order_id)
    try:
        word = _word(await account.place(request))
    except ExchangeError as error:
        word = _word(error)
    if word == "accepted":
        assert await account.find(a_lookup(request)) is not None, f"{row.fault}: accepted, and not found"
    return request.client_order_id, word


def _word(result: OrderReport | ExchangeError) -> str:
    if isinstance(result, OrderReport):
        return "accepted"
    if isinstance(result, Refused):
        return "refused"
    if isinstance(result, Unsent):
        return "unsent"
    assert isinstance(result, Doubtful), f"an order's error proves something or nothing: {result!r}"
    return "doubtful"


async def _all(control: Control) -> Mapping[str, tuple[str, str]]:
    found = {}
    width = asyncio.Semaphore(6)

    async def one(row: Row, account: CcxtAccount) -> None:
        async with width:
            found[row.fault] = await _place(control, row, account)

    async with opened(control) as account:
        await asyncio.gather(*(one(row, account) for row in ROWS if not _quiets(row)))
    for row in filter(_quiets, ROWS):
        async with opened(control) as account:
            found[row.fault] = await _place(control, row, account)
    return found


@pytest.mark.parametrize("venue", VENUES)
def test_no_outcome_is_taken_for_more_than_it_proves(venue: str) -> None:
    with a_venue(venue) as control, asyncio.Runner(loop_factory=run_on(1.0)) as runner:
        found = runner.run(_all(control))
        existing = Counter(order["client_id"] for order in control.orders())
        met = {row.fault for row in ROWS} - {script["fault"] for script in control.pending()}
    for row in ROWS:
        client_id, word = found[row.fault]
        assert row.fault in met, "a fault that no request met says nothing"
        assert existing[client_id] == row.orders[venue], row.fault
        assert not (existing[client_id] and word in {"refused", "unsent"}), f"{row.fault}: {word}"
        assert existing[client_id] or word != "accepted", f"{row.fault}: {word}"
        assert word == row.taken[venue], row.fault
