"""What is known of a trader's account beside its health: what its venue can promise, and what the last audit found there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

EXTERNAL_MAX: Final = 20  # orders of others that are kept one by one; the rest is only counted
OVERFILLS_MAX: Final = 20
_NAMED: Final = 3  # of them in one sentence
_NONE: Final = "none"


class Promises(Protocol):
    """The part of a venue's capabilities that an operator is told of."""

    @property
    def fence(self) -> str: ...

    @property
    def id_scope(self) -> str: ...

    @property
    def lookup_by_client_id(self) -> bool: ...

    @property
    def history_lag_s(self) -> float: ...

    @property
    def verified(self) -> bool: ...

    @property
    def note(self) -> str: ...


@dataclass(frozen=True, slots=True)
class VenueFacts:
    """A venue's capabilities as values. `fence` and `id_scope` are the words of `engine.exchanges.base`."""

    fence: str
    id_scope: str
    lookup_by_client_id: bool
    history_lag_s: float
    verified: bool
    note: str = ""

    @property
    def when_lost(self) -> str:
        """Return in one sentence what happens if the answer to an order is lost there."""
        resent = "sends again under the same id until the order's deadline, then "
        first = resent if self.id_scope == "forever" else ""
        if self.fence != _NONE:
            return f"{first}proves absence after the venue's own deadline"
        return f"{first}asks a person"

    @property
    def matrix(self) -> str:
        """Return the capabilities in a few words."""
        by_id = "orders are found by our id" if self.lookup_by_client_id else "orders are found in lists only"
        told = f"fence {self.fence}, ids unique {self.id_scope}, {by_id}, reads lag up to {self.history_lag_s:g} s"
        verified = "" if self.verified else ", not verified"
        return told + verified + (f" ({self.note})" if self.note else "")


def venue_facts(promises: Promises) -> VenueFacts:
    """Return a venue's capabilities as values to keep."""
    return VenueFacts(
        str(promises.fence),
        str(promises.id_scope),
        promises.lookup_by_client_id,
        promises.history_lag_s,
        promises.verified,
        promises.note,
    )


@dataclass(frozen=True, slots=True)
class ExternalOrder:
    """An order at the account that this store has not sent. Its texts are cleaned; `status` is the venue's word."""

    venue_order_id: str
    symbol: str
    side: str
    quantity: Decimal
    filled_quantity: Decimal
    status: str

    def __str__(self) -> str:
        return f"{self.side} {self.quantity:f} {self.symbol} ({self.status}, {self.venue_order_id})"


@dataclass(frozen=True, slots=True)
class Shortage:
    """An asset of which the account holds less than the store believes, beyond the tolerance."""

    asset: str
    held: Decimal
    believed: Decimal

    def __str__(self) -> str:
        return f"holds {self.held:f} {self.asset}, the store believes {self.believed:f}"


@dataclass(frozen=True, slots=True)
class CallBudget:
    """What the key may call: `calls_per_s` refill it up to `burst`, `left` are to be had now, `waiting` orders want one.

    For `quiet_s` seconds more nobody calls, because the venue wished it.
    """

    calls_per_s: float
    burst: float
    left: float
    waiting: int = 0
    quiet_s: float = 0.0


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """One account. `audited_at` is when it was last compared with the store; `audit_error` says why that failed since.

    `budget` None: its venue states no bound of calls. `settings` are the trader's own as (key, text), secrets masked.

    `external` names at most EXTERNAL_MAX of the `external_count` orders that are not ours. `overfills` are sentences,
    kept until an operator resumes the trader.
    """

    venue: VenueFacts | None = None
    audited_at: datetime | None = None
    audit_error: str = ""
    external: tuple[ExternalOrder, ...] = ()
    external_count: int = 0
    shortages: tuple[Shortage, ...] = ()
    overfills: tuple[str, ...] = ()
    budget: CallBudget | None = None
    settings: tuple[tuple[str, str], ...] = ()

    def with_overfill(self, text: str) -> AccountFacts:
        """Return the facts with one more sentence, unless it is there already."""
        if text in self.overfills:
            return self
        return replace(self, overfills=(*self.overfills, text)[-OVERFILLS_MAX:])

    @property
    def external_text(self) -> str:
        """Return how many orders of others there are and what the first of them are; empty if there are none."""
        if not self.external_count:
            return ""
        more = self.external_count - _NAMED
        named = ", ".join(str(order) for order in self.external[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        return f"{self.external_count} external order{'s' if self.external_count != 1 else ''}: {named}"

    @property
    def troubles(self) -> tuple[str, ...]:
        """Return a sentence for each thing about the account that is not as it should be."""
        return (*(str(shortage) for shortage in self.shortages), *self.overfills)
