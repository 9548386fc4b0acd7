"""One call's way to the venue and back: what is known of it whatever exception comes out at the end."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Final


@dataclass(slots=True)
class Trip:
    """Filled in by the session and the client while the call goes on; belongs to one call of one task.

    `send_by` makes it an order's trip: only requests other than GET count then, and none is signed later than that time
    of the venue's, nor when less than `lead_s` is left until then. `objection` is asked before the first byte: unless it
    returns the empty text, none leaves, and `withheld` keeps what it said. `handed_s` is the elapsed time when the session was given the request, `wired_s` when its first byte
    was written, `status` and `body` what was read of the reply, whole and as JSON (None: it was no JSON).
    `retry_after_s` is the venue's wish to be left alone, if it stated one.
    """

    send_by: datetime | None = None
    lead_s: float = 0.0
    too_late_s: float | None = None
    objection: Callable[[], str] | None = None
    withheld: str = ""
    handed_s: float | None = None
    wired_s: float | None = None
    status: int | None = None
    body: object = None
    retry_after_s: float | None = None

    @property
    def is_order(self) -> bool:
        return self.send_by is not None

    @property
    def is_unsent(self) -> bool:
        """Say whether it is proven that no byte of the request left: the session tells of the first one before writing it."""
        return self.wired_s is None

    def counts(self, method: str) -> bool:
        """Say whether a request of this method is the one that the trip is about."""
        return not self.is_order or method.upper() != "GET"


TRIP: Final[ContextVar[Trip | None]] = ContextVar("trip", default=None)
