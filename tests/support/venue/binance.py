"""Binance spot: one signed query string, a receive window, errors as code and message."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from tests.support.venue import binance_forms as forms
from tests.support.venue.binance_words import DENIALS, RETRY_AFTER_S, SAYINGS, Refusal
from tests.support.venue.keys import Keyring
from tests.support.venue.ledger import Ledger
from tests.support.venue.markets import MARKETS, Market
from tests.support.venue.orders import Denial, Order, Ticket
from tests.support.venue.wire import Call, Kind, Reply, Saying, answer

AHEAD_MS: Final = 1_000
WINDOW_MS_MAX: Final = 60_000
WINDOW_MS: Final = 5_000
_CLIENT_ID: Final = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}\Z")
_BY_ID: Final = {market.binance_id: market for market in MARKETS}


class Binance:
    """Speaks as api.binance.com does under /api/v3."""

    name = "binance"
    hosts = ("api.binance.com",)

    def __init__(self, ledger: Ledger, keys: Keyring) -> None:
        self.ledger, self.keys = ledger, keys
        ledger.terms.ids_for_ever = False
        ledger.terms.fee_in_quote = False
        self._routes: Mapping[tuple[str, str], tuple[Kind, Callable[[Call, float], object]]] = {
            ("GET", "ping"): (Kind.OTHER, lambda call, now_s: {}),
            ("GET", "time"): (Kind.TIME, lambda call, now_s: {"serverTime": forms.ms(now_s)}),
            ("GET", "exchangeInfo"): (Kind.MARKETS, lambda call, now_s: forms.exchange(now_s)),
            ("GET", "ticker/24hr"): (Kind.PRICES, self._ticker),
            ("GET", "klines"): (Kind.PRICES, self._klines),
            ("GET", "aggTrades"): (Kind.PRICES, self._public_trades),
            ("GET", "trades"): (Kind.PRICES, self._public_trades),
            ("POST", "order"): (Kind.CREATE, self._create),
            ("POST", "order/test"): (Kind.OTHER, self._test),
            ("GET", "order"): (Kind.QUERY, self._query),
            ("DELETE", "order"): (Kind.CANCEL, self._cancel),
            ("GET", "openOrders"): (Kind.LIST, self._open_orders),
            ("GET", "allOrders"): (Kind.LIST, self._all_orders),
            ("GET", "myTrades"): (Kind.TRADES, self._trades),
            ("GET", "account"): (Kind.BALANCE, self._balance),
        }

    def kind(self, call: Call) -> Kind:
        route = self._routes.get((call.method, _name(call)))
        return route[0] if route else Kind.OTHER

    def admit(self, call: Call, now_s: float) -> Reply | None:
        if not _is_signed(self.kind(call), call):
            return None
        key = self.keys.get(call.headers.get("x-mbx-apikey", ""))
        if key is None:
            return self.say(Saying.KEY_REVOKED, now_s)
        query, _, given = (call.query + call.body).rpartition("&signature=")
        made = hmac.new(key.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(given, made):
            return Refusal(-1022, "Signature for this request is not valid.").reply
        return None

    def obey(self, call: Call, now_s: float) -> Reply:
        route = self._routes.get((call.method, _name(call)))
        if route is None:
            return Reply("<html>404 Not found</html>", 404, "text/html")
        try:
            if _is_signed(route[0], call):
                _check_window(call.fields(), now_s)
            return answer(route[1](call, now_s))
        except Refusal as refusal:
            return refusal.reply

    def say(self, saying: Saying, now_s: float) -> Reply:
        status, code, message = SAYINGS[saying]
        headers = {"Retry-After": RETRY_AFTER_S[saying]} if saying in RETRY_AFTER_S else {}
        return Reply(answer({"code": code, "msg": message}).body, status, headers=headers)

    def order_id(self, order: Order) -> str:
        return str(forms.order_id(order))

    def revoke(self, *, revoked: bool) -> None:
        self.keys.revoked = revoked

    def _create(self, call: Call, now_s: float) -> object:
        ticket = self._ticket(call)
        order = self.ledger.place(ticket, now_s)
        if isinstance(order, Denial):
            raise Refusal(*DENIALS[order])
        return forms.placed(order)

    def _test(self, call: Call, now_s: float) -> object:
        denial = self.ledger.judge(self._ticket(call))
        if denial is not None:
            raise Refusal(*DENIALS[denial])
        return {}

    def _ticket(self, call: Call) -> Ticket:
        fields, market = call.fields(), _market(call)
        kind, client_id = fields.get("type"), fields.get("newClientOrderId") or f"venue-{call.number}"
        if not _CLIENT_ID.match(client_id):
            raise Refusal(
                -1100,
                "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[.A-Z:/a-z0-9_-]{1,36}$'.",
            )
        if kind not in {"MARKET", "LIMIT", "LIMIT_MAKER"} or fields.get("side") not in {"BUY", "SELL"}:
            raise Refusal(-1116, "Invalid orderType.")
        if kind == "LIMIT" and fields.get("timeInForce") not in {"GTC", "IOC", "FOK"}:
            raise Refusal(-1102, "Mandatory parameter 'timeInForce' was not sent, was empty/null, or malformed.")
        spend = _decimal(fields, "quoteOrderQty") if kind == "MARKET" and "quoteOrderQty" in fields else None
        window_s = int(fields.get("recvWindow", WINDOW_MS)) / 1000
        return Ticket(
            self._owner(call),
            market,
            is_buy=fields["side"] == "BUY",
            client_id=client_id,
            quantity=None if spend is not None else _decimal(fields, "quantity"),
            price=None if kind == "MARKET" else _decimal(fields, "price"),
            spend=spend,
            immediate=fields.get("timeInForce") in {"IOC", "FOK"},
            deadline_s=int(fields["timestamp"]) / 1000 + window_s,
            request=call.number,
            terms=fields.get("timeInForce", "GTC"),
        )

    def _owner(self, call: Call) -> str:
        key = self.keys.get(call.headers.get("x-mbx-apikey", ""))
        if key is None:
            raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        return key.account

    def _find(self, call: Call, orders: Iterable[Order]) -> Order | None:
        """Return the first of `orders` that the call names, by the venue's id if it gives one, else by the client's."""
        fields, market, account = call.fields(), _market(call), self._owner(call)
        for order in orders:
            named = (
                fields["orderId"] == self.order_id(order)
                if "orderId" in fields
                else fields.get("origClientOrderId") == order.ticket.client_id
            )
            if named and order.ticket.market == market and order.ticket.account == account:
                return order
        return None

    def _query(self, call: Call, now_s: float) -> object:
        order = self._find(call, self.ledger.seen(self._owner(call), now_s))
        if order is None:
            raise Refusal(-2013, "Order does not exist.")
        return forms.order(order)

    def _cancel(self, call: Call, now_s: float) -> object:
        # The matching engine knows its open orders at once; only reads lag.
        order = self._find(call, (order for order in self.ledger.orders if order.is_open))
        if order is None:
            raise Refusal(-2011, "Unknown order sent.")
        self.ledger.cancel(order, now_s)
        return forms.cancelled(order, f"venue-{call.number}", now_s)

    def _open_orders(self, call: Call, now_s: float) -> object:
        named = call.fields().get("symbol")
        seen = [o for o in self.ledger.seen(self._owner(call), now_s) if o.is_open]
        return [forms.order(o) for o in reversed(seen) if named in {None, o.ticket.market.binance_id}]

    def _all_orders(self, call: Call, now_s: float) -> object:
        fields, market = call.fields(), _market(call)
        since_ms, until_ms, limit = forms.span(fields, now_s)
        found = [
            order
            for order in self.ledger.seen(self._owner(call), now_s)
            if order.ticket.market == market and since_ms <= forms.ms(order.accepted_at_s) <= until_ms
        ]
        oldest_first = found[::-1]
        return [forms.order(o) for o in (oldest_first[:limit] if "startTime" in fields else oldest_first[-limit:])]

    def _trades(self, call: Call, now_s: float) -> object:
        fields, market = call.fields(), _market(call)
        since_ms, until_ms, limit = forms.span(fields, now_s)
        rows = [
            (fill.number, forms.own_trade(order, fill))
            for order in self.ledger.seen(self._owner(call), now_s)
            if order.ticket.market == market and fields.get("orderId", self.order_id(order)) == self.order_id(order)
            for fill in order.fills
            if since_ms <= forms.ms(fill.at_s) <= until_ms
        ]
        rows.sort(key=lambda row: row[0])
        return [row for _, row in (rows[:limit] if "startTime" in fields else rows[-limit:])]

    def _balance(self, call: Call, now_s: float) -> object:
        holdings = self.ledger.holdings(self._owner(call))
        rows = [{"asset": c, "free": forms.eight(h.free), "locked": forms.eight(h.held)} for c, h in holdings.items()]
        return {"canTrade": True, "accountType": "SPOT", "updateTime": forms.ms(now_s), "balances": rows}

    def _ticker(self, call: Call, now_s: float) -> object:
        return forms.ticker(self.ledger.tape, _market(call), now_s)

    def _klines(self, call: Call, now_s: float) -> object:
        return forms.klines(self.ledger.tape, _market(call), call.fields(), now_s)

    def _public_trades(self, call: Call, now_s: float) -> object:
        return forms.public_trades(self.ledger.tape, _market(call), call.fields(), now_s)


def _name(call: Call) -> str:
    return call.path.removeprefix("/api/v3/")


def _is_signed(kind: Kind, call: Call) -> bool:
    return kind in {Kind.CREATE, Kind.CANCEL, Kind.QUERY, Kind.LIST, Kind.TRADES, Kind.BALANCE} or "test" in call.path


def _check_window(fields: Mapping[str, str], now_s: float) -> None:
    """Refuse a request whose time is not in its window now, however long it has been on its way."""
    try:
        sent_ms, window_ms = int(fields["timestamp"]), float(fields.get("recvWindow", WINDOW_MS))
    except (KeyError, ValueError):
        raise Refusal(-1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.") from None
    if window_ms > WINDOW_MS_MAX:
        raise Refusal(-1131, "recvWindow must be less than 60000")
    if sent_ms >= forms.ms(now_s) + AHEAD_MS:
        raise Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if forms.ms(now_s) - sent_ms > window_ms:
        raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")


def _market(call: Call) -> Market:
    market = _BY_ID.get(call.fields().get("symbol", ""))
    if market is None:
        raise Refusal(-1121, "Invalid symbol.")
    return market


def _decimal(fields: Mapping[str, str], name: str) -> Decimal:
    try:
        value = Decimal(fields[name])
    except (KeyError, InvalidOperation):
        raise Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.") from None
    if not value.is_finite() or value <= 0:
        raise Refusal(-1100, f"Illegal characters found in parameter '{name}'.")
    return value
