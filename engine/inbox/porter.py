"""The porter: lets in whoever has the token, as often as is allowed, and answers strangers only now and then."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from engine.clock import Clock
from engine.core.inbox import InboxSettings
from engine.core.quota import MINUTE_S, Allowance, draw, remaining
from engine.inbox.answers import Refusal, TurnedAway
from engine.inbox.token import Token

CLIENTS_MAX: Final = 1_024  # whose allowances are remembered
FORGOTTEN_AT_ONCE: Final = 256
SMALL_BODY_BYTES: Final = 4_096
_ALL: Final = ""


class Allowances:
    """Everybody's allowance of one kind. Remembers a bounded number; who was asked of least is forgotten first."""

    def __init__(self, per_min: int, clock: Clock) -> None:
        self._per_min, self._clock = per_min, clock
        self._known: dict[str, Allowance] = {}

    def draw(self, client: str) -> float:
        """Take one; returns 0.0, or the seconds to wait for it if there is none left."""
        now = self._clock.elapsed()
        left, wait_s = draw(self._known.get(client), self._per_min, now)
        if client not in self._known and len(self._known) >= CLIENTS_MAX:
            self._forget(now)
        self._known[client] = left
        return wait_s

    def wait_s(self, client: str) -> float:
        """Return the seconds until one can be taken, 0.0 if it can be now; takes none."""
        return draw(self._known.get(client), self._per_min, self._clock.elapsed())[1]

    def _forget(self, now: float) -> None:
        # Many at once: each time costs a look at all, and a flood of addresses must not buy that with one request.
        left = {client: remaining(known, self._per_min, now) for client, known in self._known.items()}
        least_first = sorted((client for client in left if left[client] < self._per_min), key=left.__getitem__)
        self._known = {client: self._known[client] for client in least_first[: CLIENTS_MAX - FORGOTTEN_AT_ONCE]}


class Porter:
    """Asked once for each request. A client is who shares an allowance: see engine.core.quota.client_of."""

    def __init__(self, token: Token, settings: InboxSettings, clock: Clock) -> None:
        self._token = token
        self._strangers = Allowances(settings.strangers_per_min_max, clock)
        self._clients = Allowances(settings.client_requests_per_min_max, clock)
        self._total = Allowances(settings.requests_per_min_max, clock)

    def knows(self, given: str) -> bool:
        """Say whether this is the token. Strangers at the same address never stand in its holder's way."""
        return bool(given) and self._token.is_same(given)

    def admit(self, client: str) -> None:
        """Count a request of the token's holder. Raises TurnedAway when there are too many."""
        wait_s = self._clients.draw(client)
        if wait_s:
            raise _too_many("too_often", "too many requests from this address", wait_s)
        wait_s = self._total.draw(_ALL)
        if wait_s:
            raise _too_many("too_often_in_all", "too many requests in all", wait_s)

    def let_try(self, client: str, body_bytes: int | None) -> None:
        """Raise TurnedAway if a body of this size (None: not stated) is not even read for the token in it.

        While strangers ask too often from here only small ones are: they cost little, and an alert is small.
        """
        wait_s = self._strangers.wait_s(client)
        if wait_s and (body_bytes is None or body_bytes > SMALL_BODY_BYTES):
            raise _stranger_too_often(wait_s)

    def turn_away(self, client: str, why: Refusal) -> TurnedAway:
        """Return the answer to a stranger: `why`, or that it asks too often."""
        wait_s = self._strangers.draw(client)
        return _stranger_too_often(wait_s) if wait_s else TurnedAway(why)


def _too_many(code: str, text: str, wait_s: float) -> TurnedAway:
    return TurnedAway(Refusal(HTTPStatus.TOO_MANY_REQUESTS, code, text, wait_s=min(wait_s, MINUTE_S)))


def _stranger_too_often(wait_s: float) -> TurnedAway:
    return _too_many("strangers_too_often", "too many requests without the token from this address", wait_s)
