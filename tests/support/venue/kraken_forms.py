"""The shapes in which kraken tells of markets, orders, trades and prices."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from tests.support.venue.markets import CODES, MARKETS, Market, kraken_altname, kraken_asset
from tests.support.venue.orders import Fill, Order, Status, plain
from tests.support.venue.tape import Tape

STATUSES: Final = {
    Status.OPEN: "open",
    Status.FILLED: "closed",
    Status.CANCELLED: "canceled",
    Status.EXPIRED: "expired",
}
CANDLES: Final = 720  # however many are asked for
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def order_id(order: Order) -> str:
    """Return the id that kraken would give: O and three groups of letters."""
    return _long_id("O", order.number)


def trade_id(fill: Fill) -> str:
    return _long_id("T", fill.number)


def _long_id(kind: str, number: int) -> str:
    mixed, letters = number * 0x9E3779B97F4A7C15 & (1 << 80) - 1, []
    for _ in range(16):
        letters.append(_LETTERS[mixed & 31])
        mixed >>= 5
    text = "".join(letters)
    return f"{kind}{text[:5]}-{text[5:10]}-{text[10:]}"


def assets() -> dict[str, Any]:
    return {
        kraken_asset(code): {
            "aclass": "currency",
            "altname": kraken_altname(code),
            "decimals": 4 if code == "USD" else 10,
            "display_decimals": 2 if code == "USD" else 5,
            "status": "enabled",
        }
        for code in CODES
    }


def pairs() -> dict[str, Any]:
    return {market.kraken_id: _pair(market) for market in MARKETS}


def _pair(market: Market) -> dict[str, Any]:
    return {
        "altname": market.kraken_altname,
        "wsname": f"{kraken_altname(market.base)}/{kraken_altname(market.quote)}",
        "aclass_base": "currency",
        "base": kraken_asset(market.base),
        "aclass_quote": "currency",
        "quote": kraken_asset(market.quote),
        "lot": "unit",
        "pair_decimals": _decimals(market.price_step),
        "cost_decimals": 5,
        "lot_decimals": _decimals(market.quantity_step),
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, 0.1]],
        "fees_maker": [[0, 0.1]],
        "fee_volume_currency": "ZUSD",
        "ordermin": plain(market.quantity_min),
        "costmin": plain(market.cost_min),
        "tick_size": plain(market.price_step),
        "status": "online",
    }


def _decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "steps are finite"
    return max(0, -exponent)


def described(order: Order) -> str:
    """Return an order in kraken's words."""
    price = "market" if order.ticket.price is None else f"limit {plain(order.ticket.price)}"
    return f"{order.side} {order.quantity:.8f} {order.ticket.market.kraken_altname} @ {price}"


def order(order: Order) -> dict[str, Any]:
    """Return an order as queries and lists show it."""
    ticket, closed = order.ticket, order.closed_at_s
    shown: dict[str, Any] = {
        "refid": None,
        "userref": 0,
        "cl_ord_id": ticket.client_id or None,
        "status": STATUSES[order.status],
        "opentm": order.accepted_at_s,
        "starttm": 0,
        "expiretm": 0,
        "descr": {
            "pair": ticket.market.kraken_altname,
            "type": order.side,
            "ordertype": order.kind,
            "price": plain(ticket.price or Decimal(0)),
            "price2": "0",
            "leverage": "none",
            "order": described(order),
            "close": "",
        },
        "vol": f"{order.quantity:.8f}",
        "vol_exec": f"{order.filled:.8f}",
        "cost": f"{order.cost:.8f}",
        "fee": f"{order.fee:.8f}",
        "price": f"{order.average or Decimal(0):.8f}",
        "stopprice": "0.00000000",
        "limitprice": "0.00000000",
        "misc": "",
        "oflags": "fciq",
        "trades": [trade_id(fill) for fill in order.fills],
    }
    if closed is not None:
        shown |= {"closetm": closed, "reason": "User requested" if order.status is Status.CANCELLED else None}
    return shown


def own_trade(order: Order, fill: Fill) -> dict[str, Any]:
    return {
        "ordertxid": order_id(order),
        "postxid": "TKH2SE-M7IF5-CFI7LT",
        "pair": order.ticket.market.kraken_id,
        "time": fill.at_s,
        "type": order.side,
        "ordertype": order.kind,
        "price": f"{fill.price:.8f}",
        "cost": f"{fill.cost:.8f}",
        "fee": f"{fill.fee:.8f}",
        "vol": f"{fill.quantity:.8f}",
        "margin": "0.00000000",
        "misc": "",
        "trade_id": fill.number,
        "maker": order.made(fill),
    }


def ticker(tape: Tape, market: Market, now_s: float) -> dict[str, Any]:
    day, last = tape.candle(market, int(now_s) - 86_400, 86_400, now_s), tape.trade(market, int(now_s))
    quantity, volume = plain(last.quantity), plain(day.volume)
    vwap, high, low = plain(last.price), plain(max(day.high, last.price)), plain(min(day.low, last.price))
    return {
        "a": [plain(last.price + market.price_step), "1", quantity],
        "b": [plain(last.price - market.price_step), "1", quantity],
        "c": [plain(last.price), quantity],
        "v": [volume, volume],
        "p": [vwap, vwap],
        "t": [86_400, 86_400],
        "l": [low, low],
        "h": [high, high],
        "o": plain(day.open),
    }


def candles(tape: Tape, market: Market, span_s: int, since_s: float, now_s: float) -> dict[str, Any]:
    """Return the last 720 candles; older ones are not served, whatever `since_s` says."""
    first = max(since_s + 1, now_s - span_s * CANDLES)
    found = tape.candles(market, span_s, first, now_s)
    rows = [
        [c.at_s, plain(c.open), plain(c.high), plain(c.low), plain(c.close), plain(c.close), plain(c.volume), span_s]
        for c in found
    ]
    return {market.kraken_id: rows, "last": found[-2].at_s if len(found) > 1 else 0}


def trades(tape: Tape, market: Market, since_s: float, count: int, now_s: float) -> dict[str, Any]:
    found = list(tape.trades(market, since_s, now_s))[:count]
    rows = [[plain(t.price), plain(t.quantity), t.at_s, "b" if t.is_buy else "s", "m", "", t.number] for t in found]
    return {market.kraken_id: rows, "last": str(int((found[-1].at_s if found else now_s) * 1e9))}
