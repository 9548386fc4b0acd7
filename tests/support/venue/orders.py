"""Orders and trades as the venue's ledger keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from tests.support.venue.markets import Market


class Status(StrEnum):
    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"  # by its owner
    EXPIRED = "expired"  # what an immediate order could not trade


class Denial(StrEnum):
    """Why the ledger takes no order."""

    DUPLICATE = "duplicate client id among open orders"
    FUNDS = "insufficient funds"
    QUANTITY_STEP = "quantity off its step"
    PRICE_STEP = "price off its step"
    QUANTITY_MIN = "quantity too small"
    COST_MIN = "cost too small"


@dataclass(frozen=True, slots=True)
class Ticket:
    """An order as it was asked for. `price` None is a market order; `spend` replaces `quantity` by an amount of quote.

    `deadline_s` is the time, in the venue's clock, after which the venue had to refuse it; None if it carried none.
    """

    account: str
    market: Market
    is_buy: bool
    client_id: str
    quantity: Decimal | None = None
    price: Decimal | None = None
    spend: Decimal | None = None
    immediate: bool = False
    deadline_s: float | None = None
    request: int = 0
    terms: str = ""


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade of an order. Fees are in `fee_code`."""

    number: int
    at_s: float
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_code: str

    @property
    def cost(self) -> Decimal:
        return self.price * self.quantity


@dataclass(slots=True)
class Order:
    """An accepted order: the truth. `number` counts orders from 1; the venues' own ids are made of it."""

    number: int
    ticket: Ticket
    quantity: Decimal
    accepted_at_s: float
    status: Status = Status.OPEN
    fills: list[Fill] = field(default_factory=list)
    closed_at_s: float | None = None

    @property
    def filled(self) -> Decimal:
        return sum((fill.quantity for fill in self.fills), Decimal(0))

    @property
    def left(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def cost(self) -> Decimal:
        return sum((fill.cost for fill in self.fills), Decimal(0))

    @property
    def fee(self) -> Decimal:
        return sum((fill.fee for fill in self.fills), Decimal(0))

    @property
    def average(self) -> Decimal | None:
        return self.cost / self.filled if self.filled else None

    @property
    def is_open(self) -> bool:
        return self.status is Status.OPEN

    @property
    def side(self) -> str:
        return "buy" if self.ticket.is_buy else "sell"

    @property
    def kind(self) -> str:
        return "market" if self.ticket.price is None else "limit"

    def made(self, fill: Fill) -> bool:
        """Say whether a trade found the order resting."""
        return self.kind == "limit" and fill.at_s > self.accepted_at_s

    @property
    def updated_at_s(self) -> float:
        return self.closed_at_s or (self.fills[-1].at_s if self.fills else self.accepted_at_s)


@dataclass(slots=True)
class Holding:
    """What an account has of one asset: free, and held for its open orders."""

    free: Decimal = Decimal(0)
    held: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        return self.free + self.held


def plain(value: Decimal) -> str:
    """Return a decimal as the venues write it: digits without an exponent or needless zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
