"""What an exception out of a call proves. For orders: refused or unsent with proof, doubtful without."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from engine.core.errors import Doubtful, ExchangeError, RefusalKind, Refused, Unsent, Withheld
from engine.exchanges.ccxt_live.refusals import Refusals
from engine.venues.client import sentence
from engine.venues.guarding import LateToSign
from engine.venues.trip import Trip

# What ccxt itself says before a byte leaves, by the name of its error: the order is at fault, not the way.
_OWN_FAULT: Final = {
    "BadSymbol": RefusalKind.SYMBOL,
    "InvalidOrder": RefusalKind.SIZE,
    "ArgumentsRequired": RefusalKind.OTHER,
    "NotSupported": RefusalKind.OTHER,
    "BadRequest": RefusalKind.OTHER,
}
_EXPIRED_S: Final = 1.0  # a token that was about to end explains a refusal of the credentials
_READ_KINDS: Final = frozenset({RefusalKind.AUTH, RefusalKind.RATE, RefusalKind.MAINTENANCE})


def order_error(
    name: str, error: BaseException, trip: Trip, refusals: Refusals, answered_at: datetime
) -> Refused | Unsent | Doubtful:
    """Return what became of an order whose call ended in `error`; `answered_at` is the venue's time when it did.

    Refused only for a reply that was read to its end and whose code the venue uses for nothing but refusals. Unsent only
    if no byte left. Whatever else it was, the order may be there.
    """
    if trip.is_unsent:
        return _unsent(name, error, trip)
    refused = refusals.judge(trip.status, trip.body)
    if refused is None:
        return Doubtful(name, sentence(error))
    kind, words = refused
    assert trip.send_by is not None, "an order's trip"
    if kind is RefusalKind.AUTH and (trip.send_by - answered_at).total_seconds() < _EXPIRED_S:
        kind, words = RefusalKind.DEADLINE, f"it came when its token was over: {words}"
    return Refused(name, words, kind, retry_after_s=trip.retry_after_s)


def read_error(name: str, error: BaseException, trip: Trip, refusals: Refusals) -> ExchangeError:
    """Return what a failed read means: refused for its credentials, its pace or a closed venue, or simply not answered."""
    refused = refusals.judge(trip.status, trip.body) if trip.status is not None else None
    if refused is not None and refused[0] in _READ_KINDS:
        return Refused(name, refused[1], refused[0], retry_after_s=trip.retry_after_s)
    return ExchangeError(name, sentence(error))


def is_no_such_order(error: BaseException, trip: Trip) -> bool:
    """Say whether the venue answered, whole and in its own form, that it has no such order."""
    return type(error).__name__ == "OrderNotFound" and trip.body is not None


def _unsent(name: str, error: BaseException, trip: Trip) -> Refused | Unsent:
    if trip.withheld:
        return Withheld(name, f"{trip.withheld} before it could be sent")
    if isinstance(error, LateToSign):
        return Unsent(name, f"{trip.too_late_s or 0.0:.3f} s too late to be signed")
    kind = _OWN_FAULT.get(type(error).__name__)
    if kind is not None and trip.handed_s is None:
        return Refused(name, sentence(error), kind)
    return Unsent(name, sentence(error))
