"""What a venue's own class does otherwise here: what its requests carry, and which replies it takes for answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from engine.venues.trip import TRIP
from engine.venues.venue_clock import VenueClock

RETRY_AFTER_S_MAX: Final = 3 * 86_400.0
WINDOW_S_MAX: Final = 60.0  # binance takes no longer recvWindow


class LateToSign(Exception):
    """The order's time was over before its request was signed: nothing was sent."""


def guarded(parent: Any, time: VenueClock, bad_response: Any) -> Any:
    """Return a class below the venue's own. `bad_response` is ccxt's error for a reply that is no answer.

    Time is the venue's wherever the class asks for it, so nonces and timestamps follow no clock of this machine. Nothing
    is ever sent a second time by the class itself.
    """

    def no_retries(self: Any, params: Any, path: Any, option: str, default: Any = None) -> Any:
        found = parent.handle_option_integer_and_params(self, params, path, option, default)
        return [0, found[1]] if option == "maxRetriesOnFailure" else found

    return type(
        parent.__name__,
        (parent,),
        {
            **_replies(parent, bad_response),
            "sign": _signing(parent, time),
            "jwt": staticmethod(_token(parent)),
            "handle_option_integer_and_params": no_retries,
            "milliseconds": staticmethod(lambda: int(time.earliest().timestamp() * 1000)),
            "seconds": staticmethod(lambda: int(time.earliest().timestamp())),
        },
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a Retry-After header asks for, None where there is none that can be read as seconds."""
    for name, value in headers.items():
        if name.lower() == "retry-after" and value.strip().isdecimal():
            return min(float(value), RETRY_AFTER_S_MAX)
    return None


def _signing(parent: Any, time: VenueClock) -> Callable[..., Any]:
    """Signing comes after every wait for a turn: the last moment at which an order can be found too late."""

    def sign(self: Any, path: Any, api: Any = "public", method: str = "GET", params: Any = None, *rest: Any) -> Any:
        trip, carried = TRIP.get(), dict(params) if isinstance(params, Mapping) else params
        if trip is not None and trip.send_by is not None and method != "GET":
            now = time.now()
            left_s = (trip.send_by - now).total_seconds()
            if left_s <= trip.lead_s:
                trip.too_late_s = trip.lead_s - left_s
                raise LateToSign
            if parent.__name__ == "binance":
                carried = {**carried, **_window(time.earliest(), trip.send_by)}
        return parent.sign(self, path, api, method, {} if carried is None else carried, *rest)

    return sign


def _window(now: datetime, send_by: datetime) -> dict[str, int]:
    # Refused once the server's time is past timestamp + recvWindow, whenever the request arrives there.
    begin_ms = int(max(now, send_by - timedelta(seconds=WINDOW_S_MAX)).timestamp() * 1000)
    return {"timestamp": begin_ms, "recvWindow": max(1, int(send_by.timestamp() * 1000) - begin_ms)}


def _token(parent: Any) -> Callable[..., Any]:
    """A signed token ends with the order's time: what arrives later is not let in."""

    def jwt(request: Any, *rest: Any, **named: Any) -> Any:
        trip = TRIP.get()
        if trip is not None and trip.send_by is not None and "exp" in request:
            request = {**request, "exp": min(request["exp"], int(trip.send_by.timestamp()))}
        return parent.jwt(request, *rest, **named)

    return jwt


def _replies(parent: Any, bad_response: Any) -> dict[str, Callable[..., Any]]:
    """A page, an empty body and half an answer are errors before the class's own parsers make "nothing there" of them."""
    pending: list[tuple[int, bool]] = []  # status, and whether the trip is about it: put and taken within one step

    def on_rest_response(_: Any, code: int, *given: Any) -> str:
        _, _, method, headers, body, *_ = given
        trip = TRIP.get()
        is_counted = trip is not None and trip.counts(method)
        if trip is not None and is_counted:
            trip.status, trip.body, trip.retry_after_s = code, None, retry_after_s(headers)
        pending[:] = [(code, is_counted)]
        return str(body).strip()

    def parse_json(self: Any, text: str) -> Any:
        value = parent.parse_json(self, text)
        if not pending:
            return value  # the class reads some text within an answer
        status, is_counted = pending.pop()
        if not _is_answer(value) and (200 <= status < 300 or str(status) not in self.httpExceptions):
            raise bad_response(f"HTTP {status} with {_described(text)} instead of an answer")
        trip = TRIP.get()
        if trip is not None and is_counted:
            trip.body = value
        return value

    return {"on_rest_response": on_rest_response, "parse_json": parse_json}


def _is_answer(value: object) -> bool:
    return isinstance(value, list) or (isinstance(value, dict) and bool(value))


def _described(text: str) -> str:
    if not text:
        return "an empty body"
    kind = "a page" if text[:1] == "<" else "a body"
    return f"{kind} of {len(text):,} characters"
