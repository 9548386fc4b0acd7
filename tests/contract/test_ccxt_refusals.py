"""Which answers prove that there is no order, and which only seem to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.core.errors import Doubtful, RefusalKind, Refused, Unsent
from engine.exchanges.ccxt_live.outcome import order_error, read_error
from engine.exchanges.ccxt_live.refusals import BINANCE, COINBASE, KRAKEN, UNVERIFIED, Refusals
from engine.venues.guarding import LateToSign
from engine.venues.trip import Trip

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SEND_BY = NOW + timedelta(seconds=5)

PROVEN = [
    (BINANCE, 400, {"code": -2010, "msg": "Account has insufficient balance for requested action."}, RefusalKind.FUNDS),
    (BINANCE, 400, {"code": -1013, "msg": "Filter failure: NOTIONAL"}, RefusalKind.SIZE),
    (
        BINANCE,
        400,
        {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."},
        RefusalKind.CLOCK,
    ),
    (BINANCE, 401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}, RefusalKind.AUTH),
    (BINANCE, 429, None, RefusalKind.RATE),
    (BINANCE, 418, {"code": -1003, "msg": "Way too much request weight used; IP banned."}, RefusalKind.RATE),
    (KRAKEN, 200, {"error": ["EOrder:Insufficient funds"]}, RefusalKind.FUNDS),
    (KRAKEN, 200, {"error": ["EService:Deadline elapsed"]}, RefusalKind.DEADLINE),
    (KRAKEN, 200, {"error": ["EGeneral:Invalid arguments:volume minimum not met"]}, RefusalKind.OTHER),
    (COINBASE, 200, {"success": False, "error_response": {"error": "INSUFFICIENT_FUND"}}, RefusalKind.FUNDS),
    (
        COINBASE,
        200,
        {"error_response": {"error": "UNKNOWN_FAILURE_REASON", "preview_failure_reason": "PREVIEW_INSUFFICIENT_FUND"}},
        RefusalKind.FUNDS,
    ),
    (COINBASE, 401, None, RefusalKind.AUTH),
]

UNPROVEN = [
    (BINANCE, 400, {"code": -2010, "msg": "Duplicate order sent."}),
    (BINANCE, 500, {"code": -1006, "msg": "An unexpected response was received from the message bus."}),
    (BINANCE, 504, {"code": -1007, "msg": "Timeout waiting for response from backend server."}),
    (BINANCE, 400, {"code": -9999, "msg": "Something that nobody has heard of."}),
    (BINANCE, 403, None),
    (BINANCE, 400, None),
    (BINANCE, 200, {"code": 0}),
    (KRAKEN, 200, {"error": ["EService:Unavailable"]}),
    (KRAKEN, 200, {"error": ["EAPI:Invalid nonce"]}),
    (KRAKEN, 200, {"error": ["EService:Timeout"]}),
    (KRAKEN, 200, {"error": ["EOrder:Insufficient funds", "EGeneral:Internal error"]}),
    (KRAKEN, 200, {"error": "EOrder:Insufficient funds"}),
    (KRAKEN, 200, {"error": ["EGeneral:Invalid arguments:cl_ord_id not unique"]}),
    (COINBASE, 200, {"error_response": {"error": "INVALID_REQUEST_DUPLICATE_CLIENT_ORDER_ID"}}),
    (KRAKEN, 502, None),
    (COINBASE, 500, {"error": "INTERNAL"}),
    (COINBASE, 200, {"success": False, "error_response": {"error": "UNKNOWN_FAILURE_REASON"}}),
    (UNVERIFIED, 400, {"code": -2010, "msg": "Account has insufficient balance for requested action."}),
]


@pytest.mark.parametrize(("refusals", "status", "body", "kind"), PROVEN)
def test_a_wholly_read_reply_with_a_code_of_the_venues_own_is_a_refusal(
    refusals: Refusals, status: int, body: object, kind: RefusalKind
) -> None:
    trip = Trip(send_by=SEND_BY, wired_s=1.0, status=status, body=body)
    error = order_error("v", Exception("as ccxt has it"), trip, refusals, NOW)
    assert isinstance(error, Refused)
    assert error.kind is kind


@pytest.mark.parametrize(("refusals", "status", "body"), UNPROVEN)
def test_every_other_reply_proves_nothing(refusals: Refusals, status: int, body: object) -> None:
    trip = Trip(send_by=SEND_BY, wired_s=1.0, status=status, body=body)
    assert type(order_error("v", Exception("InsufficientFunds"), trip, refusals, NOW)) is Doubtful


def test_the_class_of_ccxts_error_is_never_asked_once_a_byte_has_left() -> None:
    class InsufficientFunds(Exception):
        pass

    class InvalidOrder(Exception):
        pass

    for error in (InsufficientFunds("no"), InvalidOrder("no"), KeyError("id"), TimeoutError()):
        trip = Trip(send_by=SEND_BY, handed_s=1.0, wired_s=1.0)
        assert type(order_error("v", error, trip, BINANCE, NOW)) is Doubtful


def test_a_request_of_which_no_byte_left_is_unsent_whatever_ended_it() -> None:
    for error in (TimeoutError("no connection was free"), OSError("refused"), KeyError("x")):
        assert type(order_error("v", error, Trip(send_by=SEND_BY, handed_s=1.0), BINANCE, NOW)) is Unsent


def test_what_ccxt_refuses_before_it_asks_the_session_is_the_orders_own_fault() -> None:
    class BadSymbol(Exception):
        pass

    error = order_error("v", BadSymbol("no such market"), Trip(send_by=SEND_BY), BINANCE, NOW)
    assert isinstance(error, Refused)
    assert error.kind is RefusalKind.SYMBOL


def test_an_order_found_too_late_when_it_was_to_be_signed_is_unsent() -> None:
    trip = Trip(send_by=SEND_BY, too_late_s=0.25)
    error = order_error("v", LateToSign(), trip, BINANCE, NOW)
    assert type(error) is Unsent
    assert "0.250 s too late" in str(error)


def test_a_token_that_was_over_is_a_missed_deadline_and_no_bad_key() -> None:
    trip = Trip(send_by=SEND_BY, wired_s=1.0, status=401)
    late = order_error("v", Exception(), trip, COINBASE, SEND_BY - timedelta(seconds=0.5))
    assert isinstance(late, Refused)
    assert late.kind is RefusalKind.DEADLINE


def test_a_failed_read_is_a_refusal_only_for_credentials_pace_and_a_closed_venue() -> None:
    banned = read_error("v", Exception(), Trip(status=429, retry_after_s=7.0), BINANCE)
    assert isinstance(banned, Refused)
    assert banned.retry_after_s == 7.0
    odd = read_error("v", Exception("x"), Trip(status=400, body={"code": -1121, "msg": "Invalid symbol."}), BINANCE)
    assert not isinstance(odd, Refused)
    assert not isinstance(read_error("v", Exception("x"), Trip(), BINANCE), Refused)
