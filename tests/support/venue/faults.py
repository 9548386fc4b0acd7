"""What can go wrong with one request, as values; every fault that the tests name stands in FAULTS.

A fault acts in the order of a request's way: it arrives late or not at all, is processed never, once, twice or later,
and its answer is replaced, mangled or lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from tests.support.venue.wire import Saying


class Processing(StrEnum):
    NEVER = "never"
    ONCE = "once"
    TWICE = "twice"  # the same bytes arrive twice
    LATE = "late"  # it is admitted, and processed `late_s` after that


class Answer(StrEnum):
    GIVEN = "given"  # the venue's own, or `saying`
    FIRST = "first"  # of two answers the first, where GIVEN is the last
    CLOSED = "closed"  # the connection, without an answer
    RESET = "reset"
    NONE = "none"  # the connection stays open and silent
    CUT = "cut"  # closed in the middle of the body
    TRICKLED = "trickled"  # over `back_s`
    REPLACED = "replaced"  # by `status`, `content_type` and `body`
    BINARY = "binary"
    VAST = "vast"  # 50 MB of JSON
    DEEP = "deep"  # 1,000,000 brackets
    SPOILT = "spoilt"  # every price and quantity in it is `body`, a JSON token
    REDIRECTED = "redirected"  # 302, to another host name


@dataclass(frozen=True, slots=True)
class Fault:
    """One request's fate. Seconds are real ones. The default is no fault."""

    way_s: float = 0.0
    processing: Processing = Processing.ONCE
    late_s: float = 0.0
    saying: Saying | None = None
    answer: Answer = Answer.GIVEN
    back_s: float = 0.0
    status: int = 200
    content_type: str = "text/html"
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


PAGE: Final = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in</body></html>"
WAF_PAGE: Final = "<html><head><title>403 Forbidden</title></head><body>Request blocked. Reference 18.2f.</body></html>"
STATUSES_REFUSED: Final = (400, 401, 403, 404, 408, 409, 418, 422, 429, 451, 500, 502, 503, 504, 520, 505, 524, 529)
STATUSES_KEPT: Final = (500, 502, 503, 504, 524)
LATE_S: Final = (1, 2, 5, 10, 15, 20, 30)
_STATUS_UNKNOWN: Final = (Saying.STATUS_UNKNOWN, Saying.BACKEND_TIMEOUT, Saying.INTERNAL_ERROR)


def status_fault(status: int, processing: Processing, headers: Mapping[str, str] | None = None) -> Fault:
    """Return an answer of this status with a page of HTML, as a proxy before the venue gives."""
    body = f"<html><title>{status}</title></html>"
    return Fault(processing=processing, answer=Answer.REPLACED, status=status, body=body, headers=headers or {})


def _replaced(body: str, content_type: str, processing: Processing = Processing.ONCE) -> Fault:
    return Fault(processing=processing, answer=Answer.REPLACED, body=body, content_type=content_type)


def _lost(processing: Processing, answer: Answer) -> Fault:
    return Fault(processing=processing, answer=answer)


_LOST: Final = {
    "connection closed before processing": _lost(Processing.NEVER, Answer.CLOSED),
    "connection reset before processing": _lost(Processing.NEVER, Answer.RESET),
    "no answer, not processed": _lost(Processing.NEVER, Answer.NONE),
    "processed, then connection closed": _lost(Processing.ONCE, Answer.CLOSED),
    "processed, then connection reset": _lost(Processing.ONCE, Answer.RESET),
    "processed, never answered": _lost(Processing.ONCE, Answer.NONE),
    "closed now, processed 0.3 s later": Fault(processing=Processing.LATE, late_s=0.3, answer=Answer.CLOSED),
    **{
        f"closed now, processed {late_s} s later": Fault(
            processing=Processing.LATE, late_s=float(late_s), answer=Answer.CLOSED
        )
        for late_s in LATE_S
    },
    **{
        f"never answered, processed {late_s} s later": Fault(
            processing=Processing.LATE, late_s=float(late_s), answer=Answer.NONE
        )
        for late_s in LATE_S
    },
}
_SLOW: Final = {
    "slow request (latency > timeout)": Fault(way_s=1.5),
    "slow answer (latency > timeout)": Fault(back_s=1.5),
    "latency within the timeout": Fault(way_s=0.15, back_s=0.15),
    "answer cut short": Fault(answer=Answer.CUT),
    "answer trickles past the timeout": Fault(answer=Answer.TRICKLED, back_s=2.0),
    "answer trickles, in time": Fault(answer=Answer.TRICKLED, back_s=0.4),
}
_STATUSES: Final = {
    **{f"HTTP {status}, not processed": status_fault(status, Processing.NEVER) for status in STATUSES_REFUSED},
    **{f"HTTP {status}, processed": status_fault(status, Processing.ONCE) for status in STATUSES_KEPT},
    "HTTP 429 with Retry-After": status_fault(429, Processing.NEVER, {"Retry-After": "2"}),
    "HTTP 418 with Retry-After": status_fault(418, Processing.NEVER, {"Retry-After": "120"}),
    "WAF page": Fault(processing=Processing.NEVER, answer=Answer.REPLACED, status=403, body=WAF_PAGE),
}
_GARBAGE: Final = {
    "HTTP 200 with HTML, processed": _replaced(PAGE, "text/html"),
    "HTTP 200 with HTML, not processed": _replaced(PAGE, "text/html", Processing.NEVER),
    "HTTP 200 empty, processed": _replaced("", "application/json"),
    "HTTP 200 malformed JSON, processed": _replaced('{"orderId": 28', "application/json"),
    "HTTP 200 {}, processed": _replaced("{}", "application/json"),
    "HTTP 200 binary body, processed": Fault(answer=Answer.BINARY, content_type="application/octet-stream"),
    "50 MB body, processed": Fault(answer=Answer.VAST),
    "JSON nested 1,000,000 deep, processed": Fault(answer=Answer.DEEP),
    **{
        f"numbers are {token}, processed": Fault(answer=Answer.SPOILT, body=token)
        for token in ("NaN", "Infinity", "1e400", "null", '"NaN"', '"1e400"')
    },
    "redirected to another host": Fault(processing=Processing.NEVER, answer=Answer.REDIRECTED),
    "delivered twice": Fault(processing=Processing.TWICE, answer=Answer.FIRST),
    "delivered twice, the last answer": Fault(processing=Processing.TWICE),
}
_SAYINGS: Final = {
    (f"says {saying}, processed" if saying in _STATUS_UNKNOWN else f"says {saying}"): Fault(
        processing=Processing.ONCE if saying in _STATUS_UNKNOWN else Processing.NEVER, saying=saying
    )
    for saying in Saying
}
FAULTS: Final[Mapping[str, Fault]] = {**_LOST, **_SLOW, **_STATUSES, **_GARBAGE, **_SAYINGS}


def fault_of(given: str | Mapping[str, Any]) -> tuple[str, Fault]:
    """Return a fault by its name in FAULTS or by its fields, and what to call it. Raises KeyError, TypeError, ValueError."""
    if isinstance(given, str):
        return given, FAULTS[given]
    fields = dict(given)
    name = str(fields.pop("name", "custom"))
    for key, kind in (("processing", Processing), ("answer", Answer), ("saying", Saying)):
        if fields.get(key) is not None:
            fields[key] = kind(fields[key])
    return name, Fault(**fields)
