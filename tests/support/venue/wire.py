"""What passes between the venue and its callers, and what each venue's dialect must be able to say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import parse_qsl

from tests.support.venue.ledger import Ledger
from tests.support.venue.orders import Order


class Kind(StrEnum):
    """What a request is for; faults are aimed by it."""

    CREATE = "create"
    CANCEL = "cancel"
    QUERY = "query"  # one order
    LIST = "list"  # orders, open or closed
    TRADES = "trades"  # the account's own
    BALANCE = "balance"
    TIME = "time"
    MARKETS = "markets"  # symbols, currencies, fees
    PRICES = "prices"  # public trades, tickers, candles
    OTHER = "other"


class Saying(StrEnum):
    """What a venue may say instead of an answer; each dialect has its own form of it."""

    CLOCK_SKEW = "clock skew"
    FUNDS = "insufficient balance"
    MAINTENANCE = "maintenance"
    RATE_LIMIT = "rate limit"
    ORDER_RATE_LIMIT = "order rate limit"
    BANNED = "banned"
    OVERLOADED = "overloaded"
    MARKET_CLOSED = "market closed"
    STATUS_UNKNOWN = "status unknown"
    BACKEND_TIMEOUT = "backend timeout"
    INTERNAL_ERROR = "internal error"
    KEY_REVOKED = "key revoked"
    PERMISSION_DENIED = "permission denied"
    MIN_NOTIONAL = "order too small"
    PRECISION = "too many digits"
    DUPLICATE = "duplicate client id"


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it lay on the wire. `target` is the raw path with its query; header names are in lower case."""

    number: int
    method: str
    target: str
    headers: Mapping[str, str]
    body: str

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def fields(self) -> dict[str, str]:
        """Return the parameters of the query and of a form in the body."""
        form = "" if self.body.startswith(("{", "[")) else self.body
        return dict(parse_qsl(self.query, keep_blank_values=True) + parse_qsl(form, keep_blank_values=True))

    def document(self) -> dict[str, Any]:
        """Return the JSON object in the body; none is an empty one."""
        try:
            found = json.loads(self.body) if self.body else {}
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back. `body` is sent as it is; a JSON payload is made into one by `answer`."""

    body: str
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(payload: object, status: int = 200) -> Reply:
    """Return a payload as JSON."""
    return Reply(json.dumps(payload), status)


class Dialect(Protocol):
    """One venue's protocol over the ledger. `now_s` is always the venue's own clock.

    `admit` is asked when a request arrives: credentials, signature, nonce. `obey` is asked when it is processed, which
    may be later: deadlines of that moment, then the ledger. None from `admit` means that the request may go on.
    """

    name: str
    hosts: tuple[str, ...]
    ledger: Ledger

    def kind(self, call: Call) -> Kind: ...

    def admit(self, call: Call, now_s: float) -> Reply | None: ...

    def obey(self, call: Call, now_s: float) -> Reply: ...

    def say(self, saying: Saying, now_s: float) -> Reply: ...

    def order_id(self, order: Order) -> str: ...

    def revoke(self, *, revoked: bool) -> None:
        """Refuse every credential from here on, or take them again."""
