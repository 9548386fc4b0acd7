"""The words of the trade: sides, modes, symbols, prices, votes and signals.

Inside the program money and quantities are `Decimal`, times are aware UTC, durations are seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

SYMBOL_FORM: Final = re.compile(r"[A-Z0-9][A-Z0-9.]{0,19}[/-][A-Z0-9][A-Z0-9.]{0,19}(:[A-Z0-9.-]{1,24})?")


class Side(StrEnum):
    """Which way an order or a signal goes."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """Return +1 for a buy and -1 for a sell."""
        return 1 if self is Side.BUY else -1


class Mode(StrEnum):
    """What the prices and the money are. The screen says it all the time."""

    DEMO = "demo"  # synthetic prices, paper money, weather
    PAPER = "paper"  # real prices, paper money
    REPLAY = "replay"  # recorded prices, paper money
    LIVE = "live"  # real prices, real money


class Action(StrEnum):
    """What a strategy says of a symbol. HOLD abstains."""

    BUY = "buy"
    SELL = "sell"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Candle:
    """Prices of one symbol over one interval that begins at `opened_ms` (milliseconds since 1970, UTC).

    `flat` says that nothing was traded: open, high, low and close repeat the last close and the volume is 0.
    """

    symbol: str
    opened_ms: int
    interval_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    flat: bool = False

    @property
    def closed_ms(self) -> int:
        return self.opened_ms + self.interval_ms


@dataclass(frozen=True, slots=True)
class Vote:
    """One strategy's word on one symbol: confidence is 0 to 1, `why` a sentence with the figures it saw."""

    strategy: str
    action: Action
    confidence: float
    why: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is as it is: a stable code for counting, a sentence for reading."""

    code: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class NewSignal:
    """A signal on its way to the store: everything that its producer decides.

    `key` makes handing in safe to repeat: the store keeps one signal per (source, key) for ever.
    `quantity` None lets the engine size the order; `price` None is a market order, else the limit.
    `reduces` marks an exit, which lowers a position and which no rule but staleness may hold back.
    `supersedes` cancels an older signal of the same symbol and source that was not yet dispatched.
    `reference_price` is the market's last price when the signal was made (None where unknown).
    """

    signal_id: str
    key: str
    symbol: str
    side: Side
    confidence: float
    source: str
    received_at: datetime
    expires_at: datetime
    quantity: Decimal | None = None
    price: Decimal | None = None
    note: str = ""
    votes: tuple[Vote, ...] = ()
    preferred_trader: str | None = None
    reduces: bool = False
    supersedes: bool = False
    reference_price: Decimal | None = None
    parent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """What one trader holds of one symbol. `quantity` is signed: below zero is short; zero is never stored."""

    trader: str
    symbol: str
    quantity: Decimal
    entry_price: Decimal
    opened_at: datetime
    opened_by: str  # signal id

    @property
    def exit_side(self) -> Side:
        return Side.SELL if self.quantity > 0 else Side.BUY


@dataclass(frozen=True, slots=True)
class SymbolRules:
    """What a venue demands of an order in one symbol. None means that the venue states no such bound."""

    symbol: str
    quantity_step: Decimal
    price_step: Decimal
    quantity_min: Decimal
    cost_min: Decimal | None = None
    base: str = ""
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Balance:
    """One asset of one account: `free` can be spent, `used` is held by open orders."""

    asset: str
    free: Decimal
    used: Decimal = field(default_factory=Decimal)


def is_symbol(text: str) -> bool:
    """Say whether `text` has the form of a symbol, such as BTC/USDT or BTC/USDT:USDT."""
    return SYMBOL_FORM.fullmatch(text) is not None
