"""What an outcome means: for the attempt, for its signal, and for what may be done next.

The rule behind all of it: nothing is sent again until the attempt before is proven to be no order. An answer that does
not match the request proves nothing; a venue's silence proves absence only after a deadline that the venue enforces.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from engine.core.backoff import Dice, RetryPolicy
from engine.core.errors import Refused
from engine.core.events import Signal
from engine.core.lifecycle import LIVE_ATTEMPTS, AttemptState, AttemptStep, SignalStep
from engine.core.order import Attempt, OrderReport, OrderRequest, OrderStatus
from engine.core.text import clean
from engine.core.values import Reason

FENCE_MARGIN_S: Final = 1.0  # venue time must be this far past send_by before silence counts
RESEND_MARGIN_S: Final = 1.0  # and so far before send_by a request may still be repeated
LOOKUPS_NEEDED: Final = 3
LOOKUPS_SPREAD_S: Final = 10.0  # allows for reads that lag behind an acceptance
REVIEW_AFTER_S: Final = 900.0
_MISSING_GAP_S: Final = LOOKUPS_SPREAD_S / (LOOKUPS_NEEDED - 1)
PROBE_GAPS_S: Final = (1.0, 2.0, 4.0, 8.0, 15.0)  # after the first, second... lookup; the last one repeats


@dataclass(frozen=True, slots=True)
class Next:
    """The signal's next step. `due_at` is set with REQUEUE only, and never lies after the signal's expiry."""

    step: SignalStep
    reason: Reason
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class End:
    """Where an attempt has come to, and the error behind it where there was one.

    A refusal without a cause is taken as the venue's judgement of the order itself, which no other trader would mend.
    """

    state: AttemptState
    cause: Exception | None = None


def after_attempt(signal: Signal, end: End, policy: RetryPolicy, now: datetime, chance: Dice) -> Next | None:
    """Return what the signal does once its attempt has come to `end`; None while that is a live state.

    `signal.attempts` counts the attempt that ended.
    """
    ended, cause = end.state, end.cause
    if ended in LIVE_ATTEMPTS:
        return None
    n, why = signal.attempts, f": {cause}" if cause is not None else ""
    told = f"attempt {n} {_ENDS[ended]}{why}"
    if ended in {AttemptState.FILLED, AttemptState.PARTIAL_CLOSED}:
        return Next(SignalStep.COMPLETE, Reason(str(ended), told))
    if signal.cancel_requested:
        return Next(SignalStep.CANCEL, Reason("cancelled", f"{told}; it was to be cancelled"))
    refused = cause if isinstance(cause, Refused) else None
    if ended is AttemptState.REJECTED and (refused is None or not refused.is_venue_side):
        code = f"refused_{refused.kind}" if refused is not None else "refused"
        return Next(SignalStep.REJECT, Reason(code, told))
    if now >= signal.expires_at:
        return Next(SignalStep.EXPIRE, Reason("expired", f"{told}; the signal's time ran out"))
    if n >= policy.attempts_max:
        return Next(
            SignalStep.FAIL, Reason("attempts_used_up", f"{told}; {n} of {policy.attempts_max} attempts are used")
        )
    pause = max(policy.delay(max(0, n - 1), chance), (refused.retry_after_s or 0.0) if refused is not None else 0.0)
    due_at = min(now + timedelta(seconds=pause), signal.expires_at)
    where = "by another trader " if ended is AttemptState.REJECTED else ""
    return Next(SignalStep.REQUEUE, Reason(str(ended), f"{told}; tried again {where}in {pause:.1f} s"), due_at)


_ENDS: Final = {
    AttemptState.FILLED: "was filled",
    AttemptState.PARTIAL_CLOSED: "was closed with a part filled",
    AttemptState.NOT_SENT: "was not sent",
    AttemptState.REJECTED: "was refused",
    AttemptState.ABSENT: "never reached the venue",
    AttemptState.CANCELED: "was closed by the venue with nothing filled",
}


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The venue's order is not the one that was asked for: only a person can say what happened."""

    text: str


def step_for_answer(report: OrderReport, request: OrderRequest) -> AttemptStep:
    """Return the step of an INTENT that was answered so. An answer about another order proves nothing.

    An order closed with nothing filled is acknowledged first: the next look at it closes it.
    """
    if mismatch(report, request) is not None:
        return AttemptStep.LOSE_ANSWER
    return _ANSWERED[_fate(report, request)]


def step_for_found(report: OrderReport, request: OrderRequest) -> AttemptStep | Mismatch:
    """Return the step of an UNKNOWN whose order a lookup found, or what does not match."""
    wrong = mismatch(report, request)
    return wrong if wrong is not None else _FOUND[_fate(report, request)]


def step_for_open(report: OrderReport, attempt: Attempt) -> AttemptStep | Mismatch | None:
    """Return the step of an ACCEPTED order that a look found so; None if there is nothing to tell.

    Reads lag: what is known to be filled stays filled, whatever a later answer says.
    """
    wrong = mismatch(report, attempt.request)
    if wrong is not None:
        return wrong
    fate = _fate(report, attempt.request)
    if fate is _Fate.OPEN:
        return AttemptStep.FILL_PART if report.filled_quantity > attempt.filled_quantity else None
    if fate in {_Fate.EMPTY, _Fate.REFUSED}:
        return AttemptStep.CLOSE_PART if attempt.filled_quantity > 0 else AttemptStep.CLOSE_EMPTY
    return AttemptStep.FILL if fate is _Fate.FILLED else AttemptStep.CLOSE_PART


def mismatch(report: OrderReport, request: OrderRequest) -> Mismatch | None:
    """Return in what the venue's order differs from the request, or None if it is that order."""
    if report.client_order_id and report.client_order_id != request.client_order_id:
        return Mismatch(f"the answer is about order {clean(report.client_order_id, 64)}")
    if report.symbol != request.symbol or report.side is not request.side:
        return Mismatch(
            f"the venue has {report.side} {clean(report.symbol, 48)}, asked for was {request.side} {request.symbol}"
        )
    if not report.quantity.is_finite() or report.quantity != request.quantity:
        return Mismatch(f"the venue has a quantity of {report.quantity}, asked for were {request.quantity}")
    if not report.filled_quantity.is_finite() or report.filled_quantity < 0:
        return Mismatch(f"the venue says that {report.filled_quantity} is filled")
    if report.status is OrderStatus.FILLED and report.filled_quantity < request.quantity:
        return Mismatch(f"the venue says filled, and that {report.filled_quantity} of {request.quantity} is")
    return None


class _Fate(StrEnum):
    OPEN = "open"
    FILLED = "filled"
    PART = "part"
    EMPTY = "empty"
    REFUSED = "refused"


def _fate(report: OrderReport, request: OrderRequest) -> _Fate:
    if report.filled_quantity >= request.quantity:
        return _Fate.FILLED
    if report.status is OrderStatus.OPEN:
        return _Fate.OPEN
    if report.filled_quantity > 0:
        return _Fate.PART
    return _Fate.REFUSED if report.status is OrderStatus.REFUSED else _Fate.EMPTY


_ANSWERED: Final = {
    _Fate.OPEN: AttemptStep.ACKNOWLEDGE,
    _Fate.FILLED: AttemptStep.FILL,
    _Fate.PART: AttemptStep.CLOSE_PART,
    _Fate.EMPTY: AttemptStep.ACKNOWLEDGE,
    _Fate.REFUSED: AttemptStep.REFUSE,
}
_FOUND: Final = {
    _Fate.OPEN: AttemptStep.FIND,
    _Fate.FILLED: AttemptStep.FIND_FILLED,
    _Fate.PART: AttemptStep.FIND_PART,
    _Fate.EMPTY: AttemptStep.FIND_EMPTY,
    _Fate.REFUSED: AttemptStep.FIND_REFUSED,
}


class Asked(StrEnum):
    """A way to look for an order."""

    CLIENT_ID = "client_id"
    OPEN = "open"  # the list of open orders
    RECENT = "recent"  # the list of orders since the intent, closed ones included


class Found(StrEnum):
    """What a lookup said."""

    NOTHING = "nothing"  # every question was answered, and none knows the order
    ORDER = "order"
    ERROR = "error"  # some question was not answered: never the same as nothing


@dataclass(frozen=True, slots=True)
class Evidence:
    """One lookup as it is kept on the attempt. `at` is the venue's time when it began (ours if that is unknown)."""

    at: datetime
    asked: frozenset[Asked]
    found: Found
    text: str = ""

    def encode(self) -> str:
        """Return it as compact JSON, the same for equal evidence."""
        kept = {"at": self.at.isoformat(), "asked": sorted(self.asked), "found": self.found, "text": clean(self.text)}
        return json.dumps(kept, separators=(",", ":"), ensure_ascii=False)

    @staticmethod
    def decode(kept: str) -> Evidence | None:
        """Return the evidence in `kept`, or None if that is some other note."""
        try:
            row = json.loads(kept)
            asked = frozenset(Asked(a) for a in row["asked"])
            return Evidence(datetime.fromisoformat(row["at"]), asked, Found(row["found"]), str(row.get("text", "")))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


def evidence_of(attempt: Attempt) -> list[Evidence]:
    """Return the lookups kept on an attempt, oldest first."""
    return [e for kept in attempt.evidence if (e := Evidence.decode(kept)) is not None]


class VenueAbilities(Protocol):
    """The part of a venue's capabilities on which the proof of absence rests."""

    @property
    def fence(self) -> str: ...

    @property
    def id_scope(self) -> str: ...

    @property
    def lookup_by_client_id(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Absence:
    """Whether the order is proven not to exist, and the sentence that says why or why not yet."""

    proven: bool
    why: str


def judge_absence(attempt: Attempt, lookups: Sequence[Evidence], venue: VenueAbilities, venue_now: datetime) -> Absence:
    """Say whether `lookups` prove that the venue never had the order and can never accept it.

    Needed: a deadline that the venue enforces, and three full lookups, all answered with nothing, begun later than
    send_by + 1 s on the venue's clock and spread over 10 s. One lookup that found an order undoes any number of them.
    """
    if venue.fence == "none":
        return Absence(proven=False, why="the venue enforces no deadline, so its silence proves nothing")
    if any(e.found is Found.ORDER for e in lookups):
        return Absence(proven=False, why="a lookup found the order")
    passes = _fence_passes(attempt)
    if venue_now <= passes:
        return Absence(proven=False, why=f"the venue may accept it until {passes.isoformat()}")
    counting = _counting(attempt, lookups, venue)
    spread = _spread_s(counting)
    if len(counting) < LOOKUPS_NEEDED or spread < LOOKUPS_SPREAD_S:
        why = f"{len(counting)} of {LOOKUPS_NEEDED} lookups after the deadline, over {spread:.1f} of {LOOKUPS_SPREAD_S:.0f} s"
        return Absence(proven=False, why=why)
    why = f"{len(counting)} lookups over {spread:.1f} s after the venue's own deadline found nothing"
    return Absence(proven=True, why=why)


def may_resend(attempt: Attempt, seen: Evidence, venue: VenueAbilities, venue_now: datetime | None) -> bool:
    """Say whether the very same request may be handed to the very same venue once more, after the lookup `seen`.

    Only where a client order id is refused for ever once it was taken, so that the venue itself keeps the two from being
    two orders; only after a full lookup that found nothing; and only while the order's deadline is still ahead.
    """
    if attempt.state is not AttemptState.UNKNOWN or venue.id_scope != "forever" or venue_now is None:
        return False
    in_time = venue_now + timedelta(seconds=RESEND_MARGIN_S) <= attempt.request.send_by
    return in_time and seen.found is Found.NOTHING and seen.asked >= _needed(venue)


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """What to do after a lookup: take `step` (PROVE_ABSENT, ESCALATE), or None and look again at `look_at`."""

    step: AttemptStep | None
    why: str
    look_at: datetime


def probe_plan(
    attempt: Attempt, lookups: Sequence[Evidence], venue: VenueAbilities, venue_now: datetime | None, now: datetime
) -> ProbePlan:
    """Return what follows from lookups that found no order; they include the one just made, oldest first.

    `venue_now` None means that the venue's time is not to be had: then nothing is proven. `now` is our own time, and so
    is `look_at`. An order that the venue once accepted is never taken for absent: it is looked for, then a person is.
    """
    if attempt.state is AttemptState.ACCEPTED:
        return _plan_open(attempt, lookups, now)
    since = attempt.unknown_since or attempt.intent_at
    absence = Absence(proven=False, why="the venue's time is not known")
    useful_at = None
    if venue_now is not None:
        absence = judge_absence(attempt, lookups, venue, venue_now)
        useful_at = _useful_at(attempt, lookups, venue) + (now - venue_now)
    if absence.proven:
        return ProbePlan(AttemptStep.PROVE_ABSENT, absence.why, now)
    if (now - since).total_seconds() >= REVIEW_AFTER_S:
        return ProbePlan(AttemptStep.ESCALATE, f"unknown for {REVIEW_AFTER_S / 60:.0f} min; {absence.why}", now)
    counting = _counting(attempt, lookups, venue)
    if venue.fence == "none" and len(counting) >= LOOKUPS_NEEDED and _spread_s(counting) >= LOOKUPS_SPREAD_S:
        return ProbePlan(AttemptStep.ESCALATE, absence.why, now)
    return ProbePlan(None, absence.why, next_probe(since, len(lookups), now, useful_at))


def next_probe(unknown_since: datetime, probes: int, now: datetime, useful_at: datetime | None = None) -> datetime:
    """Return when to look next: 1, 2, 4, 8 and then every 15 s after the lookup before, `probes` being made so far.

    `useful_at` is when a lookup would bring the proof forward: it is not missed by waiting longer.
    """
    gap = timedelta(seconds=PROBE_GAPS_S[min(probes, len(PROBE_GAPS_S) - 1)])
    if probes == 0:
        return max(now, unknown_since + gap)
    planned = now + gap
    return planned if useful_at is None or useful_at <= now else min(planned, useful_at)


def next_poll(accepted_at: datetime, now: datetime) -> datetime:
    """Return when to look at an open order again: soon while it is young, at least every 15 s."""
    age_s = max(0.0, (now - accepted_at).total_seconds())
    return now + timedelta(seconds=min(15.0, max(0.5, age_s / 4)))


def _plan_open(attempt: Attempt, lookups: Sequence[Evidence], now: datetime) -> ProbePlan:
    missing = _missing_in_a_row(lookups)
    if len(missing) >= LOOKUPS_NEEDED and _spread_s(missing) >= LOOKUPS_SPREAD_S:
        why = f"the venue accepted it as {attempt.venue_order_id} and now does not know it"
        return ProbePlan(AttemptStep.ESCALATE, why, now)
    look_at = now + timedelta(seconds=_MISSING_GAP_S) if missing else next_poll(attempt.intent_at, now)
    return ProbePlan(None, "the venue has not answered with the order", look_at)


def _missing_in_a_row(lookups: Sequence[Evidence]) -> list[Evidence]:
    """The latest looks that found nothing. A look that finds an open order leaves no evidence, so a gap ends the row."""
    row: list[Evidence] = []
    for evidence in reversed(lookups):
        if evidence.found is Found.ORDER or (row and (row[-1].at - evidence.at).total_seconds() > 2 * _MISSING_GAP_S):
            break
        if evidence.found is Found.NOTHING:
            row.append(evidence)
    return row


def _fence_passes(attempt: Attempt) -> datetime:
    return attempt.request.send_by + timedelta(seconds=FENCE_MARGIN_S)


def _needed(venue: VenueAbilities) -> frozenset[Asked]:
    by_id = frozenset({Asked.CLIENT_ID} if venue.lookup_by_client_id else ())
    return by_id | {Asked.OPEN, Asked.RECENT}


def _counting(attempt: Attempt, lookups: Sequence[Evidence], venue: VenueAbilities) -> list[Evidence]:
    needed, passes = _needed(venue), _fence_passes(attempt)
    return [e for e in lookups if e.found is Found.NOTHING and e.asked >= needed and e.at > passes]


def _spread_s(lookups: Sequence[Evidence]) -> float:
    times = [e.at for e in lookups]
    return (max(times) - min(times)).total_seconds() if times else 0.0


def _useful_at(attempt: Attempt, lookups: Sequence[Evidence], venue: VenueAbilities) -> datetime:
    """The venue's time at which the next lookup would count: the first, then the middle, then the last one needed."""
    counting = _counting(attempt, lookups, venue)
    # A little late, because a lookup begun exactly at a bound does not count.
    margin = timedelta(seconds=0.1)
    if not counting:
        return _fence_passes(attempt) + margin
    share = min(1.0, len(counting) / (LOOKUPS_NEEDED - 1))
    return min(e.at for e in counting) + timedelta(seconds=LOOKUPS_SPREAD_S * share) + margin
