"""The shapes in which binance tells of markets, orders, trades and prices."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from tests.support.venue.markets import MARKETS, Market
from tests.support.venue.orders import Fill, Order, Status
from tests.support.venue.tape import Tape

FIRST_ORDER_ID: Final = 28_000_000_000
STATUSES: Final = {Status.FILLED: "FILLED", Status.CANCELLED: "CANCELED", Status.EXPIRED: "EXPIRED"}
SPANS_S: Final = {
    "1s": 1,
    "1m": 60,
    "3m": 180,
    "5m": 300,
    "15m": 900,
    "30m": 1800,
    "1h": 3600,
    "4h": 14400,
    "1d": 86400,
}
LIMIT: Final = 500
LIMIT_MAX: Final = 1000


def ms(at_s: float) -> int:
    """Return a time as binance writes it."""
    return int(at_s * 1000)


def eight(value: Decimal) -> str:
    """Return a number as binance writes it."""
    return f"{value:.8f}"


def order_id(order: Order) -> int:
    return FIRST_ORDER_ID + order.number


def span(fields: Mapping[str, str], now_s: float) -> tuple[int, int, int]:
    """Return the times in ms between which to look, and how many rows to give."""
    until_ms = int(fields.get("endTime", ms(now_s)))
    return int(fields.get("startTime", 0)), until_ms, min(int(fields.get("limit", LIMIT)), LIMIT_MAX)


def exchange(now_s: float) -> dict[str, Any]:
    """Return exchangeInfo."""
    return {"timezone": "UTC", "serverTime": ms(now_s), "rateLimits": [], "symbols": [_symbol(m) for m in MARKETS]}


def _symbol(market: Market) -> dict[str, Any]:
    most = "9000000.00000000"
    return {
        "symbol": market.binance_id,
        "status": "TRADING",
        "baseAsset": market.base,
        "baseAssetPrecision": 8,
        "quoteAsset": market.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "quoteOrderQtyMarketAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": eight(market.price_step),
                "maxPrice": most,
                "tickSize": eight(market.price_step),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": eight(market.quantity_min),
                "maxQty": most,
                "stepSize": eight(market.quantity_step),
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": eight(market.cost_min),
                "applyMinToMarket": True,
                "maxNotional": most,
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
        ],
    }


def _state(order: Order) -> dict[str, Any]:
    status = STATUSES.get(order.status, "PARTIALLY_FILLED" if order.fills else "NEW")
    return {
        "symbol": order.ticket.market.binance_id,
        "orderId": order_id(order),
        "orderListId": -1,
        "clientOrderId": order.ticket.client_id,
        "price": eight(order.ticket.price or Decimal(0)),
        "origQty": eight(order.quantity),
        "executedQty": eight(order.filled),
        "cummulativeQuoteQty": eight(order.cost),
        "status": status,
        "timeInForce": order.ticket.terms,
        "type": order.kind.upper(),
        "side": order.side.upper(),
    }


def placed(order: Order) -> dict[str, Any]:
    """Return the answer to a new order, in full."""
    fills = [
        {
            "price": eight(fill.price),
            "qty": eight(fill.quantity),
            "commission": eight(fill.fee),
            "commissionAsset": fill.fee_code,
            "tradeId": fill.number,
        }
        for fill in order.fills
    ]
    return {**_state(order), "transactTime": ms(order.accepted_at_s), "fills": fills}


def cancelled(order: Order, request_id: str, now_s: float) -> dict[str, Any]:
    """Return the answer to a cancel: its client id is the cancel's own."""
    names = {"clientOrderId": request_id, "origClientOrderId": order.ticket.client_id}
    return {**_state(order), **names, "transactTime": ms(now_s)}


def order(order: Order) -> dict[str, Any]:
    """Return an order as queries and lists show it."""
    return {
        **_state(order),
        "stopPrice": eight(Decimal(0)),
        "icebergQty": eight(Decimal(0)),
        "time": ms(order.accepted_at_s),
        "updateTime": ms(order.updated_at_s),
        "isWorking": True,
        "origQuoteOrderQty": eight(order.ticket.spend or Decimal(0)),
    }


def own_trade(order: Order, fill: Fill) -> dict[str, Any]:
    return {
        "symbol": order.ticket.market.binance_id,
        "id": fill.number,
        "orderId": order_id(order),
        "orderListId": -1,
        "price": eight(fill.price),
        "qty": eight(fill.quantity),
        "quoteQty": eight(fill.cost),
        "commission": eight(fill.fee),
        "commissionAsset": fill.fee_code,
        "time": ms(fill.at_s),
        "isBuyer": order.ticket.is_buy,
        "isMaker": order.made(fill),
        "isBestMatch": True,
    }


def ticker(tape: Tape, market: Market, now_s: float) -> dict[str, Any]:
    """Return the day's figures; the book stands one step around the last trade."""
    day, last = tape.candle(market, int(now_s) - 86_400, 86_400, now_s), tape.trade(market, int(now_s))
    return {
        "symbol": market.binance_id,
        "priceChange": eight(last.price - day.open),
        "priceChangePercent": f"{(last.price / day.open - 1) * 100:.3f}",
        "weightedAvgPrice": eight((day.open + last.price) / 2),
        "lastPrice": eight(last.price),
        "lastQty": eight(last.quantity),
        "bidPrice": eight(last.price - market.price_step),
        "bidQty": eight(last.quantity),
        "askPrice": eight(last.price + market.price_step),
        "askQty": eight(last.quantity),
        "openPrice": eight(day.open),
        "highPrice": eight(max(day.high, last.price)),
        "lowPrice": eight(min(day.low, last.price)),
        "volume": eight(day.volume),
        "quoteVolume": eight(day.volume * last.price),
        "openTime": ms(now_s - 86_400),
        "closeTime": ms(now_s),
        "count": 86_400,
    }


def klines(tape: Tape, market: Market, fields: Mapping[str, str], now_s: float) -> list[list[Any]]:
    """Return candles, oldest first; the last one is still forming."""
    span_s = SPANS_S.get(fields.get("interval", "1m"), 60)
    limit = min(int(fields.get("limit", LIMIT)), LIMIT_MAX)
    until_s = min(now_s, int(fields["endTime"]) / 1000) if "endTime" in fields else now_s
    since_s = int(fields["startTime"]) / 1000 if "startTime" in fields else until_s - span_s * limit
    until_s = min(until_s, max(since_s, 0) + span_s * limit)
    candles = tape.candles(market, span_s, since_s, until_s)
    rows = candles[:limit] if "startTime" in fields else candles[-limit:]
    return [
        [
            ms(c.at_s), eight(c.open), eight(c.high), eight(c.low), eight(c.close), eight(c.volume),
            ms(c.at_s + span_s) - 1, eight(c.volume * c.close), span_s, eight(c.volume / 2), eight(c.volume * c.close / 2), "0",
        ]
        for c in rows
    ]  # fmt: skip


def public_trades(tape: Tape, market: Market, fields: Mapping[str, str], now_s: float) -> list[dict[str, Any]]:
    """Return aggTrades and trades in one shape that serves both."""
    limit = min(int(fields.get("limit", LIMIT)), LIMIT_MAX)
    until_s = min(now_s, int(fields["endTime"]) / 1000) if "endTime" in fields else now_s
    since_s = int(fields["startTime"]) / 1000 if "startTime" in fields else until_s - limit
    found = list(tape.trades(market, since_s, until_s))
    rows = found[:limit] if "startTime" in fields else found[-limit:]
    return [
        {
            "a": t.number, "p": eight(t.price), "q": eight(t.quantity), "f": t.number, "l": t.number, "T": ms(t.at_s),
            "m": not t.is_buy, "M": True, "id": t.number, "price": eight(t.price), "qty": eight(t.quantity),
            "quoteQty": eight(t.price * t.quantity), "time": ms(t.at_s), "isBuyerMaker": not t.is_buy,
        }
        for t in rows
    ]  # fmt: skip
