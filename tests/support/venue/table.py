"""What the unmodified classes of ccxt make of each fault on `create_order`, with a timeout of 1 s: measured, as a table.

An outcome is a text: "ok" (an order with an id came back), "no id" (an order came back whose id is None), or the name
of the exception's class, followed by " < " and its cause's if it has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

VENUES: Final = ("binance", "kraken", "coinbase")
TIMEOUT_MS: Final = 1_000
OK: Final = "ok"
NO_ID: Final = "no id"
YES, NO = 1, 0
_Told = TypeVar("_Told", int, str)


@dataclass(frozen=True, slots=True)
class Row:
    """One fault by its name in `faults.FAULTS`. By venue: how many orders exist after it, what its class makes of it, and
    what the product takes that for: "accepted", "refused", or "doubtful", which is looked up and never sent again.
    """

    fault: str
    orders: Mapping[str, int]
    outcomes: Mapping[str, str]
    taken: Mapping[str, str]

    @property
    def waits(self) -> bool:
        """Say whether the call takes its time: up to the timeout, or a part of it."""
        return "latency" in self.fault or "trickles" in self.fault or "TimeoutError" in "".join(self.outcomes.values())


def _row(fault: str, orders: int | tuple[int, ...], *outcomes: str, taken: str | tuple[str, ...] = "doubtful") -> Row:
    return Row(fault, _each(orders), _each(outcomes if len(outcomes) > 1 else outcomes[0]), _each(taken))


def _each(told: _Told | tuple[_Told, ...]) -> Mapping[str, _Told]:
    each = told if isinstance(told, tuple) else (told,) * len(VENUES)
    return dict(zip(VENUES, each, strict=True))


def outcome_of(result: Mapping[str, Any] | BaseException) -> str:
    """Return the outcome's text for what a call returned or raised."""
    if not isinstance(result, BaseException):
        return OK if result.get("id") else NO_ID
    cause = f" < {type(result.__cause__).__name__}" if result.__cause__ else ""
    return type(result).__name__ + cause


TABLE: Final = (
    _row("connection closed before processing", NO, "ExchangeNotAvailable < ServerDisconnectedError"),
    _row("connection reset before processing", NO, "ExchangeNotAvailable < ClientOSError"),
    _row("no answer, not processed", NO, "RequestTimeout < TimeoutError"),
    _row("processed, then connection closed", YES, "ExchangeNotAvailable < ServerDisconnectedError"),
    _row("processed, then connection reset", YES, "ExchangeNotAvailable < ClientOSError"),
    _row("processed, never answered", YES, "RequestTimeout < TimeoutError"),
    _row("closed now, processed 0.3 s later", YES, "ExchangeNotAvailable < ServerDisconnectedError"),
    _row("slow request (latency > timeout)", YES, "RequestTimeout < TimeoutError"),
    _row("slow answer (latency > timeout)", YES, "RequestTimeout < TimeoutError"),
    _row("latency within the timeout", YES, "ok", taken="accepted"),
    _row("answer cut short", YES, "ExchangeError < ClientPayloadError"),
    _row("answer trickles past the timeout", YES, "RequestTimeout < TimeoutError"),
    _row("answer trickles, in time", YES, "ok", taken="accepted"),
    _row("HTTP 400, not processed", NO, "ExchangeNotAvailable"),
    _row("HTTP 401, not processed", NO, "AuthenticationError", taken=("doubtful", "doubtful", "refused")),
    _row("HTTP 403, not processed", NO, "ExchangeNotAvailable"),
    _row("HTTP 404, not processed", NO, "ExchangeNotAvailable"),
    _row("HTTP 408, not processed", NO, "RequestTimeout"),
    _row("HTTP 409, not processed", NO, "ExchangeNotAvailable"),
    _row("HTTP 418, not processed", NO, "DDoSProtection", taken=("refused", "doubtful", "doubtful")),
    _row("HTTP 422, not processed", NO, "ExchangeError"),
    _row("HTTP 429, not processed", NO, "DDoSProtection", "RateLimitExceeded", "RateLimitExceeded", taken="refused"),
    _row("HTTP 451, not processed", NO, "ExchangeNotAvailable"),
    _row("HTTP 500, not processed", NO, "ExchangeNotAvailable"),
    _row("HTTP 502, not processed", NO, "ExchangeNotAvailable"),
    _row("HTTP 503, not processed", NO, "ExchangeNotAvailable"),
    _row("HTTP 504, not processed", NO, "RequestTimeout"),
    _row("HTTP 520, not processed", NO, "ExchangeNotAvailable"),
    _row("HTTP 505, not processed", NO, "no id"),
    _row("HTTP 524, not processed", NO, "no id"),
    _row("HTTP 529, not processed", NO, "no id"),
    _row("HTTP 500, processed", YES, "ExchangeNotAvailable"),
    _row("HTTP 502, processed", YES, "ExchangeNotAvailable"),
    _row("HTTP 503, processed", YES, "ExchangeNotAvailable"),
    _row("HTTP 504, processed", YES, "RequestTimeout"),
    _row("HTTP 524, processed", YES, "no id"),
    _row("HTTP 200 with HTML, processed", YES, "no id"),
    _row("HTTP 200 with HTML, not processed", NO, "no id"),
    _row("HTTP 200 empty, processed", YES, "no id"),
    _row("HTTP 200 malformed JSON, processed", YES, "no id"),
    _row("HTTP 200 {}, processed", YES, "no id"),
    _row("HTTP 200 binary body, processed", YES, "TypeError", "no id", "no id"),
    _row(
        "says clock skew",
        NO,
        "InvalidNonce",
        "InvalidNonce",
        "AuthenticationError",
        taken=("refused", "doubtful", "refused"),
    ),
    _row("says insufficient balance", NO, "InsufficientFunds", taken="refused"),
    _row("says maintenance", NO, "OnMaintenance", "ExchangeNotAvailable", "ExchangeNotAvailable"),
    _row("says rate limit", NO, "DDoSProtection", "DDoSProtection", "RateLimitExceeded", taken="refused"),
    _row("says order rate limit", NO, "DDoSProtection", "DDoSProtection", "RateLimitExceeded", taken="refused"),
    _row(
        "says banned",
        NO,
        "DDoSProtection",
        "DDoSProtection",
        "ExchangeNotAvailable",
        taken=("refused", "refused", "doubtful"),
    ),
    _row("says overloaded", NO, "ExchangeError", "ExchangeNotAvailable", "ExchangeNotAvailable"),
    _row(
        "says market closed",
        NO,
        "MarketClosed",
        "OnMaintenance",
        "ExchangeError",
        taken=("refused", "refused", "doubtful"),
    ),
    _row("says status unknown, processed", YES, "OperationFailed", "ExchangeNotAvailable", "ExchangeError"),
    _row("says backend timeout, processed", YES, "RequestTimeout", "ExchangeError", "RequestTimeout"),
    _row("says internal error, processed", YES, "OperationFailed", "ExchangeNotAvailable", "ExchangeError"),
)
# Beyond the well-known ones. "ok" with numbers that are none means that only reading the order's fields shows it.
BEYOND: Final = (
    _row("HTTP 429 with Retry-After", NO, "DDoSProtection", "RateLimitExceeded", "RateLimitExceeded", taken="refused"),
    _row("HTTP 418 with Retry-After", NO, "DDoSProtection", taken=("refused", "doubtful", "doubtful")),
    _row("WAF page", NO, "ExchangeNotAvailable"),
    _row("answer drips for two minutes", YES, "RequestTimeout < TimeoutError"),
    _row("JSON nested 1,000,000 deep, processed", YES, "no id"),
    _row("numbers are NaN, processed", YES, "no id", "ok", "no id", taken=("doubtful", "accepted", "doubtful")),
    _row("numbers are Infinity, processed", YES, "no id", "ok", "no id", taken=("doubtful", "accepted", "doubtful")),
    _row("numbers are 1e400, processed", YES, "no id", "ok", "no id", taken=("doubtful", "accepted", "doubtful")),
    _row("numbers are null, processed", YES, "ok", taken=("doubtful", "accepted", "accepted")),
    _row('numbers are "NaN", processed', YES, "ValueError", "ok", "ok", taken=("doubtful", "accepted", "accepted")),
    _row('numbers are "1e400", processed', YES, "ok", taken=("doubtful", "accepted", "accepted")),
    _row("redirected to another host", NO, "no id"),
    _row("redirected to another host, body and all", NO, "no id"),
    _row("processed, then redirected to another host", YES, "no id"),
    _row("delivered twice", (2, 1, 1), "ok", taken="accepted"),
    _row(
        "delivered twice, the last answer",
        (2, 1, 1),
        "ok",
        "InvalidNonce",
        "ok",
        taken=("accepted", "doubtful", "accepted"),
    ),
    _row("says key revoked", NO, "DDoSProtection", "AuthenticationError", "AuthenticationError", taken="refused"),
    _row("says permission denied", NO, "AuthenticationError", "PermissionDenied", "PermissionDenied", taken="refused"),
    _row("says order too small", NO, "BadRequest", "InvalidOrder", "ExchangeError", taken="refused"),
    _row("says too many digits", NO, "BadRequest", "InvalidOrder", "ExchangeError", taken="refused"),
    _row(
        "says duplicate client id",
        NO,
        "InvalidOrder",
        "ExchangeError",
        "ExchangeError",
        taken="doubtful",
    ),
)
ROWS: Final = (*TABLE, *BEYOND)
# Where binance's class reads a code by the address that it came from: the outcome under the real address.
UNDER_THE_REAL_ADDRESS: Final[Mapping[str, str]] = {"says overloaded": "OperationFailed"}
