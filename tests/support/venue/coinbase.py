"""Coinbase advanced trade: tokens or signatures checked on arrival, a client id that returns the first order for ever."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import parse_qs

from tests.support.venue import coinbase_forms as forms
from tests.support.venue.coinbase_keys import Untrusted, owner
from tests.support.venue.keys import Keyring
from tests.support.venue.ledger import Ledger
from tests.support.venue.markets import CODES, MARKETS, Market
from tests.support.venue.orders import Denial, Order, Ticket
from tests.support.venue.wire import Call, Kind, Reply, Saying, answer

PAGE: Final = 250
_BY_ID: Final = {market.coinbase_id: market for market in MARKETS}
_BUSY: Final = "upstream connect error or disconnect/reset before headers"

DENIALS: Final[Mapping[Denial, tuple[str, str]]] = {
    Denial.DUPLICATE: ("DUPLICATE_CLIENT_ORDER_ID", "not said: the first order is returned"),
    Denial.FUNDS: ("INSUFFICIENT_FUND", "Insufficient balance in source account"),
    Denial.QUANTITY_STEP: ("INVALID_SIZE_PRECISION", "Too many decimals in order amount"),
    Denial.QUANTITY_MIN: ("INVALID_BASE_SIZE_TOO_SMALL", "Order size is below the minimum"),
    Denial.PRICE_STEP: ("INVALID_PRICE_PRECISION", "Too many decimals in order price"),
    Denial.COST_MIN: ("INVALID_QUOTE_SIZE_TOO_SMALL", "Order value is below the minimum"),
}


def _denied(error: str, message: str) -> Reply:
    said = {"error": error, "message": message, "error_details": "", "preview_failure_reason": f"PREVIEW_{error}"}
    return answer({"success": False, "failure_reason": "UNKNOWN_FAILURE_REASON", "error_response": said})


def _error(error: str, message: str, status: int) -> Reply:
    return answer({"error": error, "error_details": message, "message": message}, status)


_LIMITED: Final = Reply(
    answer({"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]}).body,
    429,
    headers={"Retry-After": "2"},
)
SAYINGS: Final[Mapping[Saying, Reply]] = {
    Saying.CLOCK_SKEW: answer(
        {"errors": [{"id": "authentication_error", "message": "request timestamp expired"}]}, 401
    ),
    Saying.FUNDS: _denied(*DENIALS[Denial.FUNDS]),
    Saying.MAINTENANCE: Reply("Service Unavailable", 503, "text/plain"),
    Saying.RATE_LIMIT: _LIMITED,
    Saying.ORDER_RATE_LIMIT: _LIMITED,
    Saying.BANNED: Reply("<html><title>403 Forbidden</title></html>", 403, "text/html"),
    Saying.OVERLOADED: Reply(_BUSY, 503, "text/plain"),
    Saying.MARKET_CLOSED: _denied("UNKNOWN_FAILURE_REASON", "Market is closed"),
    Saying.STATUS_UNKNOWN: _error("unknown", "execution status unknown", 500),
    Saying.BACKEND_TIMEOUT: Reply("upstream request timeout", 504, "text/plain"),
    Saying.INTERNAL_ERROR: _error("internal", "something went wrong", 500),
    Saying.KEY_REVOKED: Reply("Unauthorized\n", 401, "text/plain"),
    Saying.PERMISSION_DENIED: _error("PERMISSION_DENIED", "Missing required scopes", 403),
    Saying.MIN_NOTIONAL: _denied(*DENIALS[Denial.COST_MIN]),
    Saying.PRECISION: _denied(*DENIALS[Denial.QUANTITY_STEP]),
    Saying.DUPLICATE: _denied(*DENIALS[Denial.DUPLICATE]),
}


class Refusal(Exception):
    """What the venue answers instead."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.body)
        self.reply = reply


_UNTRUSTED: Final = SAYINGS[Saying.KEY_REVOKED]
_Step = Callable[[Call, float, re.Match[str]], object]


class Coinbase:
    """Speaks as api.coinbase.com does under /api/v3/brokerage, and the few older paths that ccxt still uses."""

    name = "coinbase"
    hosts = ("api.coinbase.com",)

    def __init__(self, ledger: Ledger, keys: Keyring) -> None:
        self.ledger, self.keys = ledger, keys
        ledger.terms.ids_for_ever = True
        private, public = "/api/v3/brokerage", "/api/v3/brokerage/market"
        routes: tuple[tuple[str, str, Kind, _Step], ...] = (
            ("POST", f"{private}/orders", Kind.CREATE, self._create),
            ("POST", f"{private}/orders/batch_cancel", Kind.CANCEL, self._cancel),
            ("GET", f"{private}/orders/historical/batch", Kind.LIST, self._list),
            ("GET", f"{private}/orders/historical/fills", Kind.TRADES, self._fills),
            ("GET", f"{private}/orders/historical/([^/]+)", Kind.QUERY, self._query),
            ("GET", f"{private}/accounts", Kind.BALANCE, self._accounts),
            ("GET", "/v2/accounts", Kind.BALANCE, self._wallets),
            ("GET", f"{private}/transaction_summary", Kind.MARKETS, self._fees),
            ("GET", f"(?:{private}|{public})/products", Kind.MARKETS, self._products),
            ("GET", f"(?:{private}|{public})/products/([^/]+)", Kind.MARKETS, self._product),
            ("GET", f"(?:{private}|{public})/products/([^/]+)/ticker", Kind.PRICES, self._ticker),
            ("GET", f"(?:{private}|{public})/products/([^/]+)/candles", Kind.PRICES, self._candles),
            ("GET", "/v2/currencies", Kind.MARKETS, lambda call, now_s, found: forms.currencies(fiat=True)),
            ("GET", "/v2/currencies/crypto", Kind.MARKETS, lambda call, now_s, found: forms.currencies(fiat=False)),
            ("GET", "/v2/exchange-rates", Kind.MARKETS, self._rates),
            ("GET", "/v2/time", Kind.TIME, lambda call, now_s, found: {"data": _time(now_s)}),
            ("GET", f"{private}/time", Kind.TIME, lambda call, now_s, found: _time(now_s)),
        )
        self._routes = [(method, re.compile(f"{path}\\Z"), kind, step) for method, path, kind, step in routes]

    def kind(self, call: Call) -> Kind:
        found = self._route(call)
        return found[0] if found else Kind.OTHER

    def admit(self, call: Call, now_s: float) -> Reply | None:
        if _is_public(call):
            return None
        try:
            owner(call, self.keys, now_s)
        except Untrusted:
            return _UNTRUSTED
        return None

    def obey(self, call: Call, now_s: float) -> Reply:
        route = self._route(call)
        if route is None:
            return _error("NOT_FOUND", "no such path", 404)
        try:
            return answer(route[1](call, now_s, route[2]))
        except Refusal as refusal:
            return refusal.reply

    def say(self, saying: Saying, now_s: float) -> Reply:
        return SAYINGS[saying]

    def order_id(self, order: Order) -> str:
        return forms.order_id(order)

    def revoke(self, *, revoked: bool) -> None:
        self.keys.revoked = revoked

    def _route(self, call: Call) -> tuple[Kind, _Step, re.Match[str]] | None:
        for method, path, kind, step in self._routes:
            found = path.match(call.path) if method == call.method else None
            if found:
                return kind, step, found
        return None

    def _owner(self, call: Call) -> str:
        try:
            return owner(call, self.keys, None).account
        except Untrusted:
            raise Refusal(_UNTRUSTED) from None

    def _create(self, call: Call, now_s: float, found: re.Match[str]) -> object:
        order = self.ledger.place(self._ticket(call), now_s)
        if isinstance(order, Denial):
            raise Refusal(_denied(*DENIALS[order]))
        return forms.placed(order)

    def _ticket(self, call: Call) -> Ticket:
        asked = call.document()
        configuration = asked.get("order_configuration")
        if not isinstance(configuration, dict) or len(configuration) != 1 or not asked.get("client_order_id"):
            raise Refusal(_error("INVALID_ARGUMENT", "client_order_id and one order_configuration are needed", 400))
        (form, terms), side = next(iter(configuration.items())), asked.get("side")
        if form not in {"market_market_ioc", "limit_limit_gtc", "sor_limit_ioc"} or side not in {"BUY", "SELL"}:
            raise Refusal(_denied("UNSUPPORTED_ORDER_CONFIGURATION", f"{form} is not supported"))
        spends = "quote_size" in terms
        return Ticket(
            self._owner(call),
            _market(str(asked.get("product_id"))),
            is_buy=side == "BUY",
            client_id=str(asked["client_order_id"]),
            quantity=None if spends else _decimal(terms, "base_size"),
            price=None if form == "market_market_ioc" else _decimal(terms, "limit_price"),
            spend=_decimal(terms, "quote_size") if spends else None,
            immediate=form == "sor_limit_ioc",
            request=call.number,
            terms=form,
        )

    def _cancel(self, call: Call, now_s: float, found: re.Match[str]) -> object:
        account, results = self._owner(call), []
        for wanted in call.document().get("order_ids", []):
            known = [o for o in self.ledger.orders if forms.order_id(o) == wanted and o.ticket.account == account]
            done = bool(known) and self.ledger.cancel(known[0], now_s)
            reason = "UNKNOWN_CANCEL_FAILURE_REASON" if done else "UNKNOWN_CANCEL_ORDER"
            results.append({"success": done, "failure_reason": reason, "order_id": wanted})
        return {"results": results}

    def _query(self, call: Call, now_s: float, found: re.Match[str]) -> object:
        for order in self.ledger.seen(self._owner(call), now_s):
            if forms.order_id(order) == found[1]:
                return {"order": forms.order(order)}
        raise Refusal(_error("NOT_FOUND", "order with this orderID was not found", 404))

    def _list(self, call: Call, now_s: float, found: re.Match[str]) -> object:
        asked = parse_qs(call.query)
        statuses, products, ids = (asked.get(name) for name in ("order_status", "product_id", "order_ids"))
        since_s, until_s = _bounds(asked, "start_date", "end_date", now_s)
        rows = [
            forms.order(order)
            for order in self.ledger.seen(self._owner(call), now_s)
            if statuses is None or forms.STATUSES[order.status] in statuses
            if products is None or order.ticket.market.coinbase_id in products
            if ids is None or forms.order_id(order) in ids
            if since_s <= order.accepted_at_s <= until_s
        ]
        return _paged("orders", rows, asked)

    def _fills(self, call: Call, now_s: float, found: re.Match[str]) -> object:
        asked = parse_qs(call.query)
        products, ids = asked.get("product_id"), asked.get("order_id") or asked.get("order_ids")
        since_s, until_s = _bounds(asked, "start_sequence_timestamp", "end_sequence_timestamp", now_s)
        rows = [
            (fill.number, forms.own_trade(order, fill))
            for order in self.ledger.seen(self._owner(call), now_s)
            if products is None or order.ticket.market.coinbase_id in products
            if ids is None or forms.order_id(order) in ids
            for fill in order.fills
            if since_s <= fill.at_s <= until_s
        ]
        rows.sort(key=lambda row: row[0], reverse=True)
        return _paged("fills", [row for _, row in rows], asked)

    def _accounts(self, call: Call, now_s: float, found: re.Match[str]) -> object:
        holdings = self.ledger.holdings(self._owner(call))
        rows = [forms.account(code, holding) for code, holding in holdings.items()]
        return {"accounts": rows, "has_next": False, "cursor": "", "size": len(rows)}

    def _wallets(self, call: Call, now_s: float, found: re.Match[str]) -> object:
        holdings = self.ledger.holdings(self._owner(call))
        return {"pagination": {}, "data": [forms.wallet(code, holding) for code, holding in holdings.items()]}

    def _fees(self, call: Call, now_s: float, found: re.Match[str]) -> object:
        rate = str(self.ledger.terms.fee_rate)
        return {"total_volume": 0, "fee_tier": {"taker_fee_rate": rate, "maker_fee_rate": rate}}

    def _rates(self, call: Call, now_s: float, found: re.Match[str]) -> object:
        return {"data": {"currency": "USD", "rates": dict.fromkeys(CODES, "1")}}

    def _products(self, call: Call, now_s: float, found: re.Match[str]) -> object:
        if call.fields().get("product_type", "SPOT") != "SPOT":
            return {"products": [], "num_products": 0}
        return forms.products(self.ledger.tape)

    def _product(self, call: Call, now_s: float, found: re.Match[str]) -> object:
        market = _market(found[1])
        return forms.product(market, self.ledger.tape.price(market))

    def _ticker(self, call: Call, now_s: float, found: re.Match[str]) -> object:
        return forms.ticker(self.ledger.tape, _market(found[1]), call.fields(), now_s)

    def _candles(self, call: Call, now_s: float, found: re.Match[str]) -> object:
        return forms.candles(self.ledger.tape, _market(found[1]), call.fields(), now_s)


def _is_public(call: Call) -> bool:
    is_older = call.path.startswith("/v2/") and call.path != "/v2/accounts"
    return is_older or call.path.startswith("/api/v3/brokerage/market/") or call.path.endswith("/brokerage/time")


def _time(now_s: float) -> dict[str, Any]:
    now = {"iso": forms.iso(now_s), "epoch": int(now_s)}
    return {**now, "epochSeconds": str(int(now_s)), "epochMillis": str(int(now_s * 1000))}


def _market(name: str) -> Market:
    market = _BY_ID.get(name)
    if market is None:
        raise Refusal(_error("INVALID_ARGUMENT", "ProductID is invalid", 400))
    return market


def _decimal(terms: Mapping[str, Any], name: str) -> Decimal:
    try:
        value = Decimal(str(terms[name]))
    except (KeyError, InvalidOperation):
        raise Refusal(_error("INVALID_ARGUMENT", f"{name} is invalid", 400)) from None
    if not value.is_finite() or value <= 0:
        raise Refusal(_error("INVALID_ARGUMENT", f"{name} is invalid", 400))
    return value


def _bounds(asked: Mapping[str, list[str]], first: str, last: str, now_s: float) -> tuple[float, float]:
    times = (datetime.fromisoformat(asked[name][0]).timestamp() if name in asked else None for name in (first, last))
    since_s, until_s = times
    return since_s or 0.0, now_s if until_s is None else until_s


def _paged(name: str, rows: list[Any], asked: Mapping[str, list[str]]) -> dict[str, Any]:
    first, limit = int(asked.get("cursor", ["0"])[0]), int(asked.get("limit", [str(PAGE)])[0])
    more = len(rows) > first + limit
    return {name: rows[first : first + limit], "has_next": more, "cursor": str(first + limit) if more else ""}
