"""Every error that the engine raises by name, in one tree; the names say what the caller must do.

SignalDeckError
 ├ ConfigError                  fix the configuration, then start again (exit 2)
 ├ BadInput                     fix the value that it names, then hand it in again (exit 2)
 ├ NotThere                     start an engine, or name another store (exit 3)
 ├ CommandRefused               the engine will not do that, and says why (exit 4)
 ├ IllegalStep                  a defect: no life has such a move
 ├ StoreError
 │   ├ StoreBusy                wait, then try again
 │   ├ StoreFull                free space; nothing is sent until then
 │   ├ StoreReadOnly            look, but do not act
 │   ├ StoreLocked              another engine has this store
 │   └ StoreBroken              stop; keep the file; restore
 └ ExecutionError               why a signal was not executed
     ├ NoSignalsAvailable
     ├ TraderUnavailable        use another trader, or wait
     ├ SignalExpired            too late
     ├ ConfidenceTooLow
     ├ PositionLimitsExceeded
     ├ TradingLimitsExceeded
     └ ExchangeError
         ├ Refused              proven: the venue did not take the order
         ├ Unsent               proven: no byte left; safe to send elsewhere
         │   └ Withheld         held back on this side; says nothing of the venue
         └ Doubtful             proves nothing: reconcile, never resend
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum


class SignalDeckError(Exception):
    """Root of the tree."""


class ConfigError(SignalDeckError):
    """A setting is wrong; the text names file, key and fix."""


class BadInput(SignalDeckError):
    """A value handed in is wrong: `field` names it, `problem` says what is wrong, `fix` what would be right.

    `field` is empty where it is no single value.
    """

    def __init__(self, field: str, problem: str, fix: str = "") -> None:
        super().__init__((f"{field}: " if field else "") + problem + (f" ({fix})" if fix else ""))
        self.field, self.problem, self.fix = field, problem, fix


class NotThere(SignalDeckError):
    """No engine answers, or no store is there."""


class CommandRefused(SignalDeckError):
    """The engine refuses a wish; the text is the reason."""


class IllegalStep(SignalDeckError):
    """A move that the lifecycle table does not have."""

    def __init__(self, life: str, state: StrEnum, step: StrEnum) -> None:
        super().__init__(f"a {life} that is {state} has no step {step}")
        self.life, self.state, self.step = life, state, step


class StoreError(SignalDeckError):
    """The store could not do what was asked."""


class StoreBusy(StoreError):
    """Another connection holds the write lock."""


class StoreFull(StoreError):
    """The disk or the quota is full."""


class StoreReadOnly(StoreError):
    """The file or its folder cannot be written."""


class StoreLocked(StoreError):
    """Another engine has this store open."""


class StoreBroken(StoreError):
    """The file is damaged, foreign, newer than this program, or gone."""


class ExecutionError(SignalDeckError):
    """Why a signal was not executed. `code` is stable and counted."""

    code = "execution_error"


class NoSignalsAvailable(ExecutionError):
    code = "no_signals"

    def __init__(self) -> None:
        super().__init__("no signal is due")


class TraderUnavailable(ExecutionError):
    """`trader_id` None means that every trader was passed over."""

    code = "trader_unavailable"

    def __init__(self, trader_id: str | None, why: str = "") -> None:
        who = trader_id or "every trader"
        super().__init__(f"{who} is unavailable" + (f": {why}" if why else ""))
        self.trader_id, self.why = trader_id, why


class SignalExpired(ExecutionError):
    code = "expired"

    def __init__(self, signal_id: str) -> None:
        super().__init__(f"signal {signal_id} has expired")
        self.signal_id = signal_id


class ConfidenceTooLow(ExecutionError):
    code = "confidence_too_low"

    def __init__(self, confidence: float, threshold: float) -> None:
        super().__init__(f"confidence {confidence:.2f} is below {threshold:.2f}")
        self.confidence, self.threshold = confidence, threshold


class PositionLimitsExceeded(ExecutionError):
    code = "position_limit"

    def __init__(self, current: int, max: int) -> None:  # noqa: A002 - the field's name is part of the interface
        super().__init__(f"{current} positions of {max} allowed")
        self.current, self.max = current, max


class TradingLimitsExceeded(ExecutionError):
    code = "trading_limit"

    def __init__(self, limit_type: str, fact: str = "") -> None:
        super().__init__(f"the {limit_type} limit is reached" + (f": {fact}" if fact else ""))
        self.limit_type = limit_type


class RefusalKind(StrEnum):
    """Why a venue refused. It decides whether another trader may try."""

    FUNDS = "funds"  # not enough money
    SYMBOL = "symbol"  # unknown or closed
    SIZE = "size"  # below a minimum, off a step
    AUTH = "auth"  # the key is wrong or lacks a right
    RATE = "rate"  # too many calls
    MAINTENANCE = "maintenance"  # the venue is closed
    CLOCK = "clock"  # our time is off
    DEADLINE = "deadline"  # it came after send_by
    OTHER = "other"


class ExchangeError(ExecutionError):
    """An exchange call went wrong; `error` is a cleaned sentence without keys or URLs."""

    code = "exchange_error"

    def __init__(self, exchange: str, error: str) -> None:
        super().__init__(f"{exchange}: {error}")
        self.exchange, self.error = exchange, error


class Refused(ExchangeError):
    """Proven: the venue did not take the order. `retry_after_s` is the venue's own wish, if it stated one."""

    code = "refused"

    def __init__(
        self, exchange: str, error: str, kind: RefusalKind = RefusalKind.OTHER, *, retry_after_s: float | None = None
    ) -> None:
        super().__init__(exchange, error)
        self.kind, self.retry_after_s = kind, retry_after_s

    @property
    def is_venue_side(self) -> bool:
        """Say whether the reason lies with the venue or the account, so that another trader may try."""
        return self.kind in {
            RefusalKind.FUNDS,
            RefusalKind.AUTH,
            RefusalKind.RATE,
            RefusalKind.MAINTENANCE,
            RefusalKind.CLOCK,
            RefusalKind.DEADLINE,
        }


class Unsent(ExchangeError):
    """Proven: no byte left this machine."""

    code = "unsent"


class Withheld(Unsent):
    """Proven: no byte left, because an operator or the engine's own state held the order back at the last moment."""

    code = "withheld"


class Doubtful(ExchangeError):
    """The answer, or its lack, proves nothing. Reconcile; never resend."""

    code = "doubtful"


def minimum_not_met(quantity: Decimal, minimum: Decimal) -> str:
    """Return the sentence for a quantity below a minimum."""
    return f"quantity {quantity} is below the minimum {minimum}"
