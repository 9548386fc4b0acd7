"""The exchange's contract, and what each venue can and cannot promise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, runtime_checkable

from engine.clock import Chance, Clock
from engine.core.account import CallBudget
from engine.core.order import OrderReport, OrderRequest
from engine.core.values import Balance, Side, SymbolRules
from engine.registry import Registry


class Fence(StrEnum):
    """How a venue enforces a request's deadline. Only a fence makes absence provable."""

    ABSOLUTE = "absolute"  # the request carries a time after which it is refused
    RECV_WINDOW = "recv_window"  # the same, as a signed time and a span
    NONE = "none"


class IdScope(StrEnum):
    """Among which orders a venue refuses a repeated client order id."""

    FOREVER = "forever"
    OPEN = "open"  # a filled order's id is taken again: never an idempotency key
    WINDOW = "window"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a venue can do.

    `history_lag_s` is how long a read may lag behind an acceptance, `time_step_s` the step in which it tells its time;
    both are seconds.
    """

    fence: Fence
    id_scope: IdScope
    lookup_by_client_id: bool
    history_lag_s: float = 2.0
    time_step_s: float = 0.0
    shorting: bool = False
    verified: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Which order to look for. `since` bounds the search through lists."""

    client_order_id: str
    symbol: str
    side: Side
    since: datetime
    venue_order_id: str | None = None


def no_objection() -> str:
    """Let every order go: what is asked where nobody was named who might hold orders back."""
    return ""


class Exchange(Protocol):
    """One account at one venue.

    Errors: `place` raises Refused only with proof of refusal, Unsent only with proof that no byte left, and Doubtful for
    everything else. It sends at most one request per call and never repeats one. Reads raise ExchangeError (Refused for
    bad credentials and rate limits); an error is never "not found". Cancellation of a call in flight leaves its outcome
    unknown. All texts in errors are cleaned and free of secrets.
    """

    name: str
    capabilities: Capabilities

    async def open(self) -> None: ...

    async def close(self) -> None:
        """Release everything. Safe to call twice and before `open`."""

    async def symbols(self) -> Mapping[str, SymbolRules]:
        """Return the rules of every symbol that can be traded here."""

    async def place(self, request: OrderRequest) -> OrderReport:
        """Send the order, once."""

    async def cancel(self, which: Lookup) -> OrderReport:
        """Ask for the order to be closed; returns the venue's last word on it. Raises Refused(OTHER) if it is not there."""

    async def find(self, which: Lookup) -> OrderReport | None:
        """Return the order, or None only if a valid answer says that there is none."""

    async def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        """Return what is open, of one symbol or of all. Lists may leave out the fills; their quantities count."""

    async def recent_orders(self, since: datetime, symbol: str | None = None) -> Sequence[OrderReport]:
        """Return orders placed since then, open and closed; with `symbol` those in it alone. As lists, see above."""

    async def balances(self) -> Mapping[str, Balance]: ...

    async def venue_time(self) -> datetime: ...


@runtime_checkable
class PriceTaker(Protocol):
    """An exchange that must be told the market's prices, because it has no market of its own."""

    def observe(self, symbol: str, price: Decimal, at: datetime) -> None:
        """Take note of the last price. Cheap and immediate; called on the engine's loop for every price."""


@runtime_checkable
class Withholding(Protocol):
    """An exchange that may wait, for a turn or a connection, before an order's first byte leaves.

    `objection` is asked when there is nothing left to wait for; unless it returns the empty text, the order is Withheld for
    that reason. Cancels and reads never ask.
    """

    objection: Callable[[], str]


@runtime_checkable
class Budgeted(Protocol):
    """An exchange whose key may make only so many calls."""

    @property
    def budget(self) -> CallBudget | None:
        """Return how much may be called now; None while that is not known."""


class Shared(Protocol):
    """Something that several accounts of one kind use together; closed after all of them."""

    async def close(self) -> None: ...


class Keys(Protocol):
    """An account's credentials. `fingerprint` tells keys apart without showing them."""

    @property
    def fingerprint(self) -> str: ...

    def as_ccxt(self) -> Mapping[str, str]:
        """Return them by the names that ccxt has for them."""


@dataclass(frozen=True, slots=True)
class Account:
    """What the configuration says of one trader's account.

    `exchange` is the kind or the venue's id; `options` are the kind's own tables by name, each a validated model.
    `credentials` reads the keys, when the exchange is opened and not before; None where there are none.
    """

    trader: str
    exchange: str
    options: Mapping[str, object] = field(default_factory=dict)
    credentials: Callable[[], Keys] | None = None
    sandbox: bool = False


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an exchange is made in. `db_path` is the engine's database: files of an exchange's own lie beside it.

    `inline` says that the loop's time is virtual, so that nothing may wait for a thread. `shared` is filled by the kinds
    and closed by whoever made it.
    """

    clock: Clock
    chance: Chance
    db_path: str
    inline: bool = False
    shared: dict[str, Shared] = field(default_factory=dict)


class ExchangeKind(Protocol):
    """What the register holds: makes an exchange, without touching network or disk before its `open`."""

    def __call__(self, account: Account, around: Surroundings) -> Exchange: ...


EXCHANGES: Registry[ExchangeKind] = Registry("exchange", "engine.exchanges")
