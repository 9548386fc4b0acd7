"""What the inbox answers: a status that a script can use, and a JSON object that says the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from engine.core.errors import CommandRefused, SignalDeckError, StoreError
from engine.core.intake import Taken

FAILED: Final = (
    "the engine failed on this request, and whether a signal was kept is not known: hand it in again with the same key"
)
_TAKEN: Final = frozenset({"stored", "repeated"})
AGAIN_S: Final = 5.0  # after which an engine that was away, or a store that was busy, may be asked again


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is answered with an error. `code` is stable and counted; `wait_s` above 0 says when to come again,
    `allow` which method is right.
    """

    status: HTTPStatus
    code: str
    text: str
    wait_s: float = 0.0
    allow: str = ""

    @property
    def headers(self) -> Mapping[str, str]:
        """Return what the answer's head says besides."""
        said = {}
        if self.wait_s > 0:
            said["Retry-After"] = str(math.ceil(self.wait_s))
        if self.allow:
            said["Allow"] = self.allow
        if self.status is HTTPStatus.UNAUTHORIZED:
            said["WWW-Authenticate"] = "Bearer"
        return said


class TurnedAway(Exception):
    """A request is not taken; `why` is its answer."""

    def __init__(self, why: Refusal) -> None:
        super().__init__(why.text)
        self.why = why


def status_of(taken: Sequence[Taken]) -> HTTPStatus:
    """Return 200 if every signal is kept (stored, or repeated), 207 if some are, else 422, or 409 if all are conflicts."""
    kept = sum(t.outcome in _TAKEN for t in taken)
    if kept == len(taken):
        return HTTPStatus.OK
    if kept:
        return HTTPStatus.MULTI_STATUS
    if all(t.outcome == "conflict" for t in taken):
        return HTTPStatus.CONFLICT
    return HTTPStatus.UNPROCESSABLE_ENTITY


def told(taken: Sequence[Taken]) -> dict[str, object]:
    """Return the answer's object: each signal's outcome, in order, and the first reason if one was not taken."""
    said: dict[str, object] = {"results": list(taken)}
    not_kept = [t for t in taken if t.outcome not in _TAKEN]
    if not_kept:
        more = f" (and {len(not_kept) - 1} more)" if len(not_kept) > 1 else ""
        said["error"] = f"{not_kept[0].outcome}: {not_kept[0].text}{more}"
    return said


def refusal_by(failure: SignalDeckError) -> Refusal:
    """Return the answer to a request at which the engine failed: it never says that nothing was kept."""
    if isinstance(failure, CommandRefused):
        return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "not_running", str(failure), wait_s=AGAIN_S)
    if isinstance(failure, StoreError):
        text = f"not acknowledged, the store failed: {failure}; hand it in again with the same key"
        return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "store", text, wait_s=AGAIN_S)
    return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "failed", FAILED)
