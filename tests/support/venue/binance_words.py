"""What binance says when it does not do as it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.support.venue.orders import Denial
from tests.support.venue.wire import Saying, answer


class Refusal(Exception):
    """What the venue answers instead."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.reply = answer({"code": code, "msg": message}, status)


DENIALS: Final[Mapping[Denial, tuple[int, str]]] = {
    Denial.DUPLICATE: (-2010, "Duplicate order sent."),
    Denial.FUNDS: (-2010, "Account has insufficient balance for requested action."),
    Denial.QUANTITY_STEP: (-1013, "Filter failure: LOT_SIZE"),
    Denial.QUANTITY_MIN: (-1013, "Filter failure: LOT_SIZE"),
    Denial.PRICE_STEP: (-1013, "Filter failure: PRICE_FILTER"),
    Denial.COST_MIN: (-1013, "Filter failure: NOTIONAL"),
}
SAYINGS: Final[Mapping[Saying, tuple[int, int, str]]] = {
    Saying.CLOCK_SKEW: (400, -1021, "Timestamp for this request is outside of the recvWindow."),
    Saying.FUNDS: (400, *DENIALS[Denial.FUNDS]),
    Saying.MAINTENANCE: (503, 1, "System is under maintenance."),
    Saying.RATE_LIMIT: (429, -1003, "Too much request weight used; current limit is 6000 request weight per 1 MINUTE."),
    Saying.ORDER_RATE_LIMIT: (429, -1015, "Too many new orders; current limit is 100 orders per 10 SECOND."),
    Saying.BANNED: (418, -1003, "Way too much request weight used; IP banned until 1893456000000."),
    Saying.OVERLOADED: (
        503,
        -1008,
        "Server is currently overloaded with other requests. Please try again in a few minutes.",
    ),
    Saying.MARKET_CLOSED: (400, -1013, "Market is closed."),
    Saying.STATUS_UNKNOWN: (
        500,
        -1006,
        "An unexpected response was received from the message bus. Execution status unknown.",
    ),
    Saying.BACKEND_TIMEOUT: (
        504,
        -1007,
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    ),
    Saying.INTERNAL_ERROR: (500, -1001, "Internal error; unable to process your request. Please try again."),
    Saying.KEY_REVOKED: (401, -2015, "Invalid API-key, IP, or permissions for action."),
    Saying.PERMISSION_DENIED: (401, -1002, "You are not authorized to execute this request."),
    Saying.MIN_NOTIONAL: (400, *DENIALS[Denial.COST_MIN]),
    Saying.PRECISION: (400, -1111, "Parameter 'quantity' has too much precision."),
    Saying.DUPLICATE: (400, *DENIALS[Denial.DUPLICATE]),
}
RETRY_AFTER_S: Final = {Saying.RATE_LIMIT: "2", Saying.ORDER_RATE_LIMIT: "2", Saying.BANNED: "120"}
