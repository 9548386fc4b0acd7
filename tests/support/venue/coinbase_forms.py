"""The shapes in which coinbase tells of products, orders, fills and prices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from tests.support.venue.markets import CODES, MARKETS, Market
from tests.support.venue.orders import Fill, Holding, Order, Status, plain
from tests.support.venue.tape import Tape

STATUSES: Final = {
    Status.OPEN: "OPEN",
    Status.FILLED: "FILLED",
    Status.CANCELLED: "CANCELLED",
    Status.EXPIRED: "CANCELLED",
}
SPANS_S: Final = {
    "ONE_MINUTE": 60,
    "FIVE_MINUTE": 300,
    "FIFTEEN_MINUTE": 900,
    "THIRTY_MINUTE": 1800,
    "ONE_HOUR": 3600,
    "TWO_HOUR": 7200,
    "SIX_HOUR": 21_600,
    "ONE_DAY": 86_400,
}
CANDLES: Final = 350
_FIAT: Final = frozenset({"USD"})


def iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def order_id(order: Order) -> str:
    """Return the id that coinbase would give: a uuid."""
    return str(UUID(int=order.number * 0x9E3779B97F4A7C15F39CC0605CEDC835 & (1 << 128) - 1))


def product(market: Market, price: Decimal) -> dict[str, Any]:
    return {
        "product_id": market.coinbase_id,
        "price": plain(price),
        "base_increment": plain(market.quantity_step),
        "quote_increment": "0.01",
        "price_increment": plain(market.price_step),
        "base_min_size": plain(market.quantity_min),
        "base_max_size": "9000000",
        "quote_min_size": plain(market.cost_min),
        "quote_max_size": "150000000",
        "base_currency_id": market.base,
        "quote_currency_id": market.quote,
        "product_type": "SPOT",
        "status": "online",
        "is_disabled": False,
        "trading_disabled": False,
        "cancel_only": False,
        "limit_only": False,
        "post_only": False,
        "alias": "",
        "alias_to": [],
    }


def products(tape: Tape) -> dict[str, Any]:
    rows = [product(market, tape.price(market)) for market in MARKETS]
    return {"products": rows, "num_products": len(rows)}


def currencies(*, fiat: bool) -> dict[str, Any]:
    codes = [code for code in CODES if (code in _FIAT) == fiat]
    if fiat:
        return {"data": [{"id": code, "name": code, "min_size": "0.01"} for code in codes]}
    return {"data": [{"asset_id": f"asset-{code}", "code": code, "name": code, "exponent": 8} for code in codes]}


def account(code: str, holding: Holding) -> dict[str, Any]:
    return {
        "uuid": f"account-{code}",
        "name": f"{code} Wallet",
        "currency": code,
        "available_balance": {"value": plain(holding.free), "currency": code},
        "default": True,
        "active": True,
        "type": "ACCOUNT_TYPE_FIAT" if code in _FIAT else "ACCOUNT_TYPE_CRYPTO",
        "ready": True,
        "hold": {"value": plain(holding.held), "currency": code},
    }


def wallet(code: str, holding: Holding) -> dict[str, Any]:
    """Return an account in the older form, which shows no holds."""
    return {
        "id": f"account-{code}",
        "name": f"{code} Wallet",
        "primary": True,
        "type": "fiat" if code in _FIAT else "wallet",
        "currency": {"code": code, "name": code},
        "balance": {"amount": plain(holding.total), "currency": code},
    }


def configuration(order: Order) -> dict[str, Any]:
    """Return the order's terms in the form in which they were asked for."""
    ticket = order.ticket
    if ticket.price is None:
        size = {"base_size": plain(order.quantity)} if ticket.spend is None else {"quote_size": plain(ticket.spend)}
        return {"market_market_ioc": size}
    terms = {"base_size": plain(order.quantity), "limit_price": plain(ticket.price)}
    return {"sor_limit_ioc": terms} if ticket.immediate else {"limit_limit_gtc": {**terms, "post_only": False}}


def placed(order: Order) -> dict[str, Any]:
    said = {
        "order_id": order_id(order),
        "product_id": order.ticket.market.coinbase_id,
        "side": order.side.upper(),
        "client_order_id": order.ticket.client_id,
    }
    return {
        "success": True,
        "failure_reason": "UNKNOWN_FAILURE_REASON",
        "order_id": order_id(order),
        "success_response": said,
        "order_configuration": configuration(order),
    }


def order(order: Order) -> dict[str, Any]:
    """Return an order as queries and lists show it."""
    terms = "IMMEDIATE_OR_CANCEL" if order.ticket.immediate or order.kind == "market" else "GOOD_UNTIL_CANCELLED"
    return {
        "order_id": order_id(order),
        "product_id": order.ticket.market.coinbase_id,
        "user_id": order.ticket.account,
        "order_configuration": configuration(order),
        "side": order.side.upper(),
        "client_order_id": order.ticket.client_id,
        "status": STATUSES[order.status],
        "time_in_force": terms,
        "created_time": iso(order.accepted_at_s),
        "completion_percentage": plain((order.filled / order.quantity * 100).quantize(Decimal("0.01"))),
        "filled_size": plain(order.filled),
        "average_filled_price": plain(order.average or Decimal(0)),
        "fee": "",
        "number_of_fills": str(len(order.fills)),
        "filled_value": plain(order.cost),
        "pending_cancel": False,
        "size_in_quote": order.ticket.spend is not None,
        "total_fees": plain(order.fee),
        "size_inclusive_of_fees": False,
        "total_value_after_fees": plain(order.cost + order.fee),
        "trigger_status": "INVALID_ORDER_TYPE",
        "order_type": order.kind.upper(),
        "reject_reason": "REJECT_REASON_UNSPECIFIED",
        "settled": not order.is_open,
        "product_type": "SPOT",
        "reject_message": "",
        "cancel_message": "User requested cancel" if order.status is Status.CANCELLED else "",
        "last_fill_time": iso(order.fills[-1].at_s) if order.fills else None,
    }


def own_trade(order: Order, fill: Fill) -> dict[str, Any]:
    return {
        "entry_id": f"entry-{fill.number}",
        "trade_id": f"trade-{fill.number}",
        "order_id": order_id(order),
        "trade_time": iso(fill.at_s),
        "trade_type": "FILL",
        "price": plain(fill.price),
        "size": plain(fill.quantity),
        "commission": plain(fill.fee),
        "product_id": order.ticket.market.coinbase_id,
        "sequence_timestamp": iso(fill.at_s),
        "liquidity_indicator": "MAKER" if order.made(fill) else "TAKER",
        "size_in_quote": False,
        "user_id": order.ticket.account,
        "side": order.side.upper(),
    }


def ticker(tape: Tape, market: Market, fields: Mapping[str, str], now_s: float) -> dict[str, Any]:
    """Return the last trades, newest first, and the best prices."""
    limit = min(int(fields.get("limit", 100)), 1000)
    until_s = min(now_s, float(fields.get("end", now_s)))
    found = list(tape.trades(market, float(fields.get("start", until_s - limit)), until_s))[-limit:]
    last = tape.trade(market, int(now_s))
    rows = [
        {
            "trade_id": str(t.number),
            "product_id": market.coinbase_id,
            "price": plain(t.price),
            "size": plain(t.quantity),
            "time": iso(t.at_s),
            "side": "BUY" if t.is_buy else "SELL",
        }
        for t in reversed(found)
    ]
    return {
        "trades": rows,
        "best_bid": plain(last.price - market.price_step),
        "best_ask": plain(last.price + market.price_step),
    }


def candles(tape: Tape, market: Market, fields: Mapping[str, str], now_s: float) -> dict[str, Any]:
    """Return candles, newest first, as coinbase does."""
    span_s = SPANS_S.get(fields.get("granularity", ""), 60)
    found = tape.candles(market, span_s, float(fields["start"]), min(float(fields["end"]), now_s))[-CANDLES:]
    rows = [
        {
            "start": str(c.at_s),
            "low": plain(c.low),
            "high": plain(c.high),
            "open": plain(c.open),
            "close": plain(c.close),
            "volume": plain(c.volume),
        }
        for c in reversed(found)
    ]
    return {"candles": rows}
