"""Kraken spot: signed forms with a rising nonce, a deadline for orders, errors in a list under status 200."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from tests.support.venue import kraken_forms as forms
from tests.support.venue.keys import Keyring
from tests.support.venue.ledger import Ledger
from tests.support.venue.markets import MARKETS, Market, kraken_asset
from tests.support.venue.orders import Denial, Order, Ticket, plain
from tests.support.venue.wire import Call, Kind, Reply, Saying, answer

DEADLINE_AHEAD_S_MAX: Final = 60.0
NONCES_KEPT: Final = 10_000
PAGE: Final = 50
# A uuid, 32 hex digits, or a short text.
_CLIENT_ID: Final = re.compile(r"([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|[ -~]{1,18})\Z")
_BY_NAME: Final = {name: m for m in MARKETS for name in (m.kraken_id, m.kraken_altname)}

DENIALS: Final[Mapping[Denial, str]] = {
    Denial.DUPLICATE: "EGeneral:Invalid arguments:cl_ord_id not unique",
    Denial.FUNDS: "EOrder:Insufficient funds",
    Denial.QUANTITY_STEP: "EGeneral:Invalid arguments:volume",
    Denial.QUANTITY_MIN: "EOrder:Order minimum not met",
    Denial.PRICE_STEP: "EOrder:Invalid price:Invalid price argument",
    Denial.COST_MIN: "EOrder:Order minimum not met",
}
SAYINGS: Final[Mapping[Saying, str]] = {
    Saying.CLOCK_SKEW: "EAPI:Invalid nonce",
    Saying.FUNDS: DENIALS[Denial.FUNDS],
    Saying.MAINTENANCE: "EService:Unavailable",
    Saying.RATE_LIMIT: "EAPI:Rate limit exceeded",
    Saying.ORDER_RATE_LIMIT: "EOrder:Rate limit exceeded",
    Saying.BANNED: "EGeneral:Temporary lockout",
    Saying.OVERLOADED: "EService:Busy",
    Saying.MARKET_CLOSED: "EService:Market in cancel_only mode",
    Saying.STATUS_UNKNOWN: "EGeneral:Internal error",
    Saying.BACKEND_TIMEOUT: "EService:Timeout",
    Saying.INTERNAL_ERROR: "EDatabase:Internal error",
    Saying.KEY_REVOKED: "EAPI:Invalid key",
    Saying.PERMISSION_DENIED: "EGeneral:Permission denied",
    Saying.MIN_NOTIONAL: DENIALS[Denial.COST_MIN],
    Saying.PRECISION: DENIALS[Denial.QUANTITY_STEP],
    Saying.DUPLICATE: DENIALS[Denial.DUPLICATE],
}


class Refusal(Exception):
    """The venue's error text."""

    @property
    def reply(self) -> Reply:
        return answer({"error": [str(self)]})


class Nonces:
    """What a key has used. One may lie up to `window` below the highest, but none comes twice."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._highest = 0
        self._used: set[int] = set()
        self._order: deque[int] = deque()

    def take(self, nonce: int) -> bool:
        """Say whether this nonce is good, and use it up."""
        if nonce in self._used or nonce <= self._highest - max(1, self._window):
            return False
        self._highest = max(self._highest, nonce)
        self._used.add(nonce)
        self._order.append(nonce)
        if len(self._order) > NONCES_KEPT:
            self._used.discard(self._order.popleft())
        return True


class Kraken:
    """Speaks as api.kraken.com does. `nonce_window` is the key's setting, in units of its nonce (ccxt: ms).

    `deadline_ahead_s_min` is how far ahead a deadline must lie when its request arrives, as the documents say.
    """

    name = "kraken"
    hosts = ("api.kraken.com",)

    def __init__(
        self, ledger: Ledger, keys: Keyring, *, nonce_window: int = 5_000, deadline_ahead_s_min: float = 2.0
    ) -> None:
        self.ledger, self.keys = ledger, keys
        self.nonce_window, self.deadline_ahead_s_min = nonce_window, deadline_ahead_s_min
        self._nonces: dict[str, Nonces] = {}
        self._routes: Mapping[str, tuple[Kind, Callable[[Call, float], object]]] = {
            "public/Time": (Kind.TIME, lambda call, now_s: {"unixtime": int(now_s), "rfc1123": _rfc1123(now_s)}),
            "public/SystemStatus": (Kind.OTHER, lambda call, now_s: {"status": "online", "timestamp": _iso(now_s)}),
            "public/Assets": (Kind.MARKETS, lambda call, now_s: forms.assets()),
            "public/AssetPairs": (Kind.MARKETS, lambda call, now_s: forms.pairs()),
            "public/Ticker": (Kind.PRICES, self._ticker),
            "public/OHLC": (Kind.PRICES, self._candles),
            "public/Trades": (Kind.PRICES, self._public_trades),
            "private/AddOrder": (Kind.CREATE, self._create),
            "private/CancelOrder": (Kind.CANCEL, self._cancel),
            "private/QueryOrders": (Kind.QUERY, self._query),
            "private/OpenOrders": (Kind.LIST, self._open_orders),
            "private/ClosedOrders": (Kind.LIST, self._closed_orders),
            "private/TradesHistory": (Kind.TRADES, self._trades),
            "private/QueryTrades": (Kind.TRADES, self._query_trades),
            "private/Balance": (Kind.BALANCE, self._balance),
            "private/BalanceEx": (Kind.BALANCE, self._balance_with_holds),
        }

    def kind(self, call: Call) -> Kind:
        route = self._routes.get(_name(call))
        return route[0] if route else Kind.OTHER

    def admit(self, call: Call, now_s: float) -> Reply | None:
        if not _name(call).startswith("private/"):
            return None
        key, nonce = self.keys.get(call.headers.get("api-key", "")), call.fields().get("nonce", "")
        if key is None:
            return Refusal("EAPI:Invalid key").reply
        digest = hashlib.sha256((nonce + call.body).encode()).digest()
        made = hmac.new(base64.b64decode(key.secret), call.path.encode() + digest, hashlib.sha512).digest()
        if not hmac.compare_digest(base64.b64encode(made).decode(), call.headers.get("api-sign", "")):
            return Refusal("EAPI:Invalid signature").reply
        nonces = self._nonces.setdefault(key.name, Nonces(self.nonce_window))
        if not nonce.isdigit() or not nonces.take(int(nonce)):
            return Refusal("EAPI:Invalid nonce").reply
        try:
            self._check_deadline_is_sane(call, now_s)
        except Refusal as refusal:
            return refusal.reply
        return None

    def obey(self, call: Call, now_s: float) -> Reply:
        route = self._routes.get(_name(call))
        if route is None:
            return Refusal("EGeneral:Unknown method").reply
        try:
            return answer({"error": [], "result": route[1](call, now_s)})
        except Refusal as refusal:
            return refusal.reply

    def say(self, saying: Saying, now_s: float) -> Reply:
        return answer({"error": [SAYINGS[saying]]})

    def order_id(self, order: Order) -> str:
        return forms.order_id(order)

    def revoke(self, *, revoked: bool) -> None:
        self.keys.revoked = revoked

    def _check_deadline_is_sane(self, call: Call, now_s: float) -> None:
        deadline_s = _deadline_s(call.fields())
        if deadline_s is None or now_s >= deadline_s:
            return  # one that is over is refused where the order would trade
        if not self.deadline_ahead_s_min <= deadline_s - now_s <= DEADLINE_AHEAD_S_MAX:
            raise Refusal("EGeneral:Invalid arguments:deadline")

    def _owner(self, call: Call) -> str:
        key = self.keys.get(call.headers.get("api-key", ""))
        if key is None:
            raise Refusal("EAPI:Invalid key")
        return key.account

    def _create(self, call: Call, now_s: float) -> object:
        ticket = self._ticket(call)
        if ticket.deadline_s is not None and now_s > ticket.deadline_s:
            raise Refusal("EService:Deadline elapsed")
        order = self.ledger.place(ticket, now_s)
        if isinstance(order, Denial):
            raise Refusal(DENIALS[order])
        return {
            "descr": {"order": forms.described(order)},
            "txid": [forms.order_id(order)],
        }  # the client id is not told

    def _ticket(self, call: Call) -> Ticket:
        fields = call.fields()
        if fields.get("ordertype") not in {"market", "limit"} or fields.get("type") not in {"buy", "sell"}:
            raise Refusal("EGeneral:Invalid arguments:ordertype")
        client_id = fields.get("cl_ord_id", "")
        if client_id and (not _CLIENT_ID.match(client_id) or "userref" in fields):
            raise Refusal("EGeneral:Invalid arguments:cl_ord_id")
        spends = "viqc" in fields.get("oflags", "")
        volume = _decimal(fields, "volume")
        return Ticket(
            self._owner(call),
            _market(fields),
            is_buy=fields["type"] == "buy",
            client_id=client_id,
            quantity=None if spends else volume,
            price=_decimal(fields, "price") if fields["ordertype"] == "limit" else None,
            spend=volume if spends else None,
            immediate=fields.get("timeinforce") == "IOC",
            deadline_s=_deadline_s(fields),
            request=call.number,
            terms=fields.get("timeinforce", "GTC"),
        )

    def _cancel(self, call: Call, now_s: float) -> object:
        fields, account, count = call.fields(), self._owner(call), 0
        for order in self.ledger.orders:
            named = (
                fields["txid"] == forms.order_id(order)
                if "txid" in fields
                else ("cl_ord_id" in fields and fields["cl_ord_id"] == order.ticket.client_id)
            )
            if named and order.ticket.account == account and self.ledger.cancel(order, now_s):
                count += 1
        if not count:
            raise Refusal("EOrder:Unknown order")
        return {"count": count}

    def _query(self, call: Call, now_s: float) -> object:
        named = call.fields().get("txid", "").split(",")
        found = {forms.order_id(o): forms.order(o) for o in self.ledger.seen(self._owner(call), now_s)}
        if not set(named) <= set(found):
            raise Refusal("EOrder:Unknown order")
        return {txid: found[txid] for txid in named}

    def _listed(self, call: Call, now_s: float) -> Iterable[Order]:
        client_id = call.fields().get("cl_ord_id")
        for order in self.ledger.seen(self._owner(call), now_s):
            if client_id in {None, order.ticket.client_id}:
                yield order

    def _open_orders(self, call: Call, now_s: float) -> object:
        return {"open": {forms.order_id(o): forms.order(o) for o in self._listed(call, now_s) if o.is_open}}

    def _closed_orders(self, call: Call, now_s: float) -> object:
        fields = call.fields()
        start_s, end_s = float(fields.get("start", 0)), float(fields.get("end", now_s))
        closed = [o for o in self._listed(call, now_s) if not o.is_open and start_s <= o.updated_at_s <= end_s]
        closed.sort(key=lambda order: order.updated_at_s, reverse=True)
        return {"closed": {forms.order_id(o): forms.order(o) for o in _page(closed, fields)}, "count": len(closed)}

    def _trades(self, call: Call, now_s: float) -> object:
        fields = call.fields()
        start_s, end_s = float(fields.get("start", 0)), float(fields.get("end", now_s))
        rows = [
            (forms.trade_id(fill), forms.own_trade(order, fill))
            for order in self.ledger.seen(self._owner(call), now_s)
            for fill in reversed(order.fills)
            if start_s <= fill.at_s <= end_s
        ]
        rows.sort(key=lambda row: float(row[1]["time"]), reverse=True)
        return {"trades": dict(_page(rows, fields)), "count": len(rows)}

    def _query_trades(self, call: Call, now_s: float) -> object:
        named = call.fields().get("txid", "").split(",")
        return {
            forms.trade_id(fill): forms.own_trade(order, fill)
            for order in self.ledger.seen(self._owner(call), now_s)
            for fill in order.fills
            if forms.trade_id(fill) in named
        }

    def _balance(self, call: Call, now_s: float) -> object:
        return {kraken_asset(c): plain(h.total) for c, h in self.ledger.holdings(self._owner(call)).items()}

    def _balance_with_holds(self, call: Call, now_s: float) -> object:
        holdings = self.ledger.holdings(self._owner(call))
        return {kraken_asset(c): {"balance": plain(h.total), "hold_trade": plain(h.held)} for c, h in holdings.items()}

    def _ticker(self, call: Call, now_s: float) -> object:
        named = call.fields().get("pair")
        markets = MARKETS if named is None else [_market({"pair": name}) for name in named.split(",")]
        return {market.kraken_id: forms.ticker(self.ledger.tape, market, now_s) for market in markets}

    def _candles(self, call: Call, now_s: float) -> object:
        fields = call.fields()
        span_s = int(fields.get("interval", "1")) * 60
        return forms.candles(self.ledger.tape, _market(fields), span_s, float(fields.get("since", 0)), now_s)

    def _public_trades(self, call: Call, now_s: float) -> object:
        fields, count = call.fields(), int(call.fields().get("count", 1000))
        since = float(fields.get("since", now_s - count))
        since_s = since / 1e9 if since > 1e12 else since  # nanoseconds are taken too
        return forms.trades(self.ledger.tape, _market(fields), since_s, count, now_s)


def _name(call: Call) -> str:
    return call.path.removeprefix("/0/")


def _page(rows: list[Any], fields: Mapping[str, str]) -> list[Any]:
    first = int(fields.get("ofs", 0))
    return rows[first : first + PAGE]


def _market(fields: Mapping[str, str]) -> Market:
    market = _BY_NAME.get(fields.get("pair", ""))
    if market is None:
        raise Refusal("EQuery:Unknown asset pair")
    return market


def _decimal(fields: Mapping[str, str], name: str) -> Decimal:
    try:
        value = Decimal(fields[name])
    except (KeyError, InvalidOperation):
        raise Refusal(f"EGeneral:Invalid arguments:{name}") from None
    if not value.is_finite() or value <= 0:
        raise Refusal(f"EGeneral:Invalid arguments:{name}")
    return value


def _deadline_s(fields: Mapping[str, str]) -> float | None:
    text = fields.get("deadline")
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal("EGeneral:Invalid arguments:deadline") from None
    if at.tzinfo is None:
        raise Refusal("EGeneral:Invalid arguments:deadline")
    return at.timestamp()


def _iso(now_s: float) -> str:
    return datetime.fromtimestamp(now_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _rfc1123(now_s: float) -> str:
    return datetime.fromtimestamp(now_s, UTC).strftime("%a, %d %b %y %H:%M:%S +0000")
