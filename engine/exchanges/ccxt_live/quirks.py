"""How each venue differs, as data: what it can prove, how it names our orders, where they are looked up.

What is marked `verified` was driven through ccxt's own class against a venue that keeps books of its own. Any venue that has no row
is traded with the least that is safe: its silence proves nothing, so a lost answer is looked up and then a person's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from engine.exchanges.base import Capabilities, Fence, IdScope
from engine.exchanges.ccxt_live.refusals import BINANCE, COINBASE, KRAKEN, UNVERIFIED, Refusals


class ById(StrEnum):
    """Which call finds an order by our own id."""

    FETCH_ORDER = "fetch_order"  # one order, asked for with the unified parameter
    LISTS = "lists"  # the open and the closed list, each narrowed to the id by the venue
    NONE = "none"  # only by reading the lists whole


class Fills(StrEnum):
    """Which call tells the trades of an order."""

    ORDER_TRADES = "order_trades"  # by the trades that the order itself names
    MY_TRADES = "my_trades"  # the account's trades, narrowed by `fills_parameter` where the venue takes one


@dataclass(frozen=True, slots=True)
class Quirk:
    """One venue. Times are seconds, `page` is the most rows of one list answer.

    `id_form` makes the venue's form of our 32 hexadecimal digits. `id_parameter` carries it when an order is made.
    `deadline_parameter` carries send_by, for venues that take it as a plain parameter. `lead_s` is the least time that
    must be left until then. `calls_per_s` and `burst` are the budget of one key; None takes ccxt's own pace.
    """

    capabilities: Capabilities
    refusals: Refusals = UNVERIFIED
    id_form: Callable[[str], str] = str
    id_parameter: str = "clientOrderId"
    by_id: ById = ById.NONE
    by_id_parameters: Callable[[str], Mapping[str, Any]] = lambda ours: {"clientOrderId": ours}
    deadline_parameter: str = ""
    lead_s: float = 0.0
    fills: Fills = Fills.MY_TRADES
    fills_parameter: str = ""
    page: int = 100
    pages_by_offset: bool = False
    lists_need_symbol: bool = False
    market_buys_by_cost: bool = False
    closed_call: str = "fetch_orders"
    calls_per_s: float | None = None
    burst: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)  # parameters of every order


def _prefixed(ours: str) -> str:
    return f"0x{ours}"


def _number(ours: str) -> str:
    return str(int(ours[:8], 16))


_UNPROVEN: Final = "from its documents and ccxt's source, not verified"

QUIRKS: Final[Mapping[str, Quirk]] = {
    "binance": Quirk(
        Capabilities(
            Fence.RECV_WINDOW,
            IdScope.OPEN,
            lookup_by_client_id=True,
            note="a filled order's id is taken again; silence after timestamp + recvWindow is proof",
        ),
        BINANCE,
        by_id=ById.FETCH_ORDER,
        fills_parameter="orderId",
        page=1000,
        lists_need_symbol=True,
        calls_per_s=20.0,
        burst=50.0,
        extra={"newOrderRespType": "FULL"},
    ),
    "kraken": Quirk(
        Capabilities(
            Fence.ABSOLUTE,
            IdScope.OPEN,
            lookup_by_client_id=True,
            time_step_s=1.0,
            note="silence after the request's deadline is proof; a nonce window on the key spares refusals",
        ),
        KRAKEN,
        by_id=ById.LISTS,
        deadline_parameter="deadline",
        lead_s=2.0,
        fills=Fills.ORDER_TRADES,
        page=50,
        pages_by_offset=True,
        closed_call="fetch_closed_orders",
        calls_per_s=1.0,
        burst=15.0,
    ),
    "coinbase": Quirk(
        Capabilities(
            Fence.NONE,
            IdScope.FOREVER,
            lookup_by_client_id=False,
            time_step_s=1.0,
            note="the same id returns the first order for ever; signed tokens end at the order's deadline",
        ),
        COINBASE,
        id_parameter="client_order_id",
        lead_s=1.5,  # tokens end on whole seconds
        fills_parameter="order_id",
        page=1000,
        market_buys_by_cost=True,
        calls_per_s=20.0,
        burst=30.0,
    ),
    "okx": Quirk(
        Capabilities(Fence.NONE, IdScope.OPEN, lookup_by_client_id=True, verified=False, note=_UNPROVEN),
        by_id=ById.FETCH_ORDER,
        fills_parameter="ordId",
        closed_call="fetch_closed_orders",
    ),
    "bybit": Quirk(
        Capabilities(Fence.NONE, IdScope.OPEN, lookup_by_client_id=True, verified=False, note=_UNPROVEN),
        by_id=ById.FETCH_ORDER,
        by_id_parameters=lambda ours: {"orderLinkId": ours, "acknowledged": True},
        fills_parameter="orderId",
        page=50,
        closed_call="fetch_closed_orders",
    ),
    "hyperliquid": Quirk(
        Capabilities(Fence.NONE, IdScope.NONE, lookup_by_client_id=True, verified=False, note=_UNPROVEN),
        id_form=_prefixed,
        by_id=ById.FETCH_ORDER,
        page=2000,
    ),
    "dydx": Quirk(
        Capabilities(Fence.NONE, IdScope.NONE, lookup_by_client_id=False, verified=False, note=_UNPROVEN),
        id_form=_number,
    ),
}

_LEAST: Final = Quirk(
    Capabilities(
        Fence.NONE,
        IdScope.NONE,
        lookup_by_client_id=False,
        verified=False,
        note="nothing is known of it: a lost answer is looked up, then a person's",
    )
)

# Their order call is no POST: a connection that drops may carry it twice, or its address may show the order.
NOT_TRADED: Final = frozenset({"deribit", "coinbaseinternational"})


def quirk_of(venue: str) -> Quirk:
    """Return a venue's row, or the least that is safe."""
    return QUIRKS.get(venue, _LEAST)
