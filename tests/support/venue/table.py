"""What the unmodified classes of ccxt make of each fault on `create_order`, with a timeout of 1 s: measured, as a table.

An outcome is a text: "ok" (an order with an id came back), "no id" (an order came back whose id is None), or the name
of the exception's class, followed by " < " and its cause's if it has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

VENUES: Final = ("binance", "kraken", "coinbase")
TIMEOUT_MS: Final = 1_000
OK: Final = "ok"
NO_ID: Final = "no id"
YES, NO = True, False


@dataclass(frozen=True, slots=True)
class Row:
    """One fault by its name in `faults.FAULTS`: whether an order exists after it, and what each venue's class does."""

    fault: str
    exists: Mapping[str, bool]
    outcomes: Mapping[str, str]

    @property
    def waits(self) -> bool:
        """Say whether the call takes its time: up to the timeout, or a part of it."""
        return "latency" in self.fault or "trickles" in self.fault or "TimeoutError" in "".join(self.outcomes.values())


def _row(fault: str, exists: bool | tuple[bool, ...], *outcomes: str) -> Row:
    each = exists if isinstance(exists, tuple) else (exists,) * len(VENUES)
    told = outcomes if len(outcomes) == len(VENUES) else outcomes * len(VENUES)
    return Row(fault, dict(zip(VENUES, each, strict=True)), dict(zip(VENUES, told, strict=True)))


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
    _row("latency within the timeout", YES, "ok"),
    _row("answer cut short", YES, "ExchangeError < ClientPayloadError"),
    _row("answer trickles past the timeout", YES, "RequestTimeout < TimeoutError"),
    _row("answer trickles, in time", YES, "ok"),
    _row("HTTP 400, not processed", NO, "ExchangeNotAvailable"),
    _row("HTTP 401, not processed", NO, "AuthenticationError"),
    _row("HTTP 403, not processed", NO, "ExchangeNotAvailable"),
    _row("HTTP 404, not processed", NO, "ExchangeNotAvailable"),
    _row("HTTP 408, not processed", NO, "RequestTimeout"),
    _row("HTTP 409, not processed", NO, "ExchangeNotAvailable"),
    _row("HTTP 418, not processed", NO, "DDoSProtection"),
    _row("HTTP 422, not processed", NO, "ExchangeError"),
    _row("HTTP 429, not processed", NO, "DDoSProtection", "RateLimitExceeded", "RateLimitExceeded"),
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
    _row("says clock skew", NO, "InvalidNonce", "InvalidNonce", "AuthenticationError"),
    _row("says insufficient balance", NO, "InsufficientFunds"),
    _row("says maintenance", NO, "OnMaintenance", "ExchangeNotAvailable", "ExchangeNotAvailable"),
    _row("says rate limit", NO, "DDoSProtection", "DDoSProtection", "RateLimitExceeded"),
    _row("says order rate limit", NO, "DDoSProtection", "DDoSProtection", "RateLimitExceeded"),
    _row("says banned", NO, "DDoSProtection", "DDoSProtection", "ExchangeNotAvailable"),
    _row("says overloaded", NO, "ExchangeError", "ExchangeNotAvailable", "ExchangeNotAvailable"),
    _row("says market closed", NO, "MarketClosed", "OnMaintenance", "ExchangeError"),
    _row("says status unknown, processed", YES, "OperationFailed", "ExchangeNotAvailable", "ExchangeError"),
    _row("says backend timeout, processed", YES, "RequestTimeout", "ExchangeError", "RequestTimeout"),
    _row("says internal error, processed", YES, "OperationFailed", "ExchangeNotAvailable", "ExchangeError"),
)
