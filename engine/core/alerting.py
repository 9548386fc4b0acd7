"""How a condition becomes an alert, stays one, and stops being one; it knows no rule and no fact.

A condition must hold for its waiting time before it is raised, and be gone for its keep time before it is resolved.
One that comes and goes too often is raised once, as flapping, and held. What was raised goes on from its row after a
restart; only waiting times start again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from engine.core.events import Alert, AlertState, Severity
from engine.core.text import clean

FLAPPING: Final = "flapping: "  # how the text of such an alert begins; a restart knows it by that

_FLAPPED: Final = re.compile(rf"{FLAPPING}\d+ times since (\S+), the last at ([\d:]+): ")

Key = tuple[str, str]  # rule, subject


class Timing(BaseModel):
    """When alerts are resolved, held and refreshed. Durations are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep_state_s: float = Field(30.0, ge=0, allow_inf_nan=False, description="quiet time before a state is resolved")
    keep_rate_s: float = Field(300.0, ge=0, allow_inf_nan=False, description="the same for a rate")
    flap_changes_max: int = Field(4, ge=1, le=1000, description="more changes than this in flap_window_s are flapping")
    flap_window_s: float = Field(600.0, gt=0, allow_inf_nan=False)
    flap_hold_s: float = Field(900.0, ge=0, allow_inf_nan=False, description="quiet time before flapping is resolved")
    refresh_s: float = Field(60.0, gt=0, allow_inf_nan=False, description="how often a text follows its figures")


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong with `subject` now. `since` is when it began, if the facts know; else when it was seen.

    `not_before` restarts the waiting: what happened then proves that it was not wrong before.
    """

    subject: str
    text: str
    signal_id: str | None = None
    since: datetime | None = None
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A condition that holds, with what its rule says of all of its kind."""

    condition: Condition
    severity: Severity
    remedy: str
    raise_after_s: float


@dataclass(frozen=True, slots=True)
class Patience:
    """A rule's quiet time before it is resolved, and how long a gap does not restart the waiting, in seconds."""

    keep_s: float
    forgive_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Watch:
    """What is remembered of a condition between two looks: whether it held, since when, and when it changed lately.

    `saved_at` is when the alert was last written, or, while there is none yet, when the condition was last seen.
    """

    present: bool
    since: datetime
    saved_at: datetime
    changes: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """An alert to save: a raised one has id 0. `event` is the journal's sentence; empty for a mere refresh."""

    alert: Alert
    event: str = ""
    code: str = ""  # raised, flapping, resolved or refreshed


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to save, and what to remember for the next look."""

    changes: tuple[Change, ...]
    pending: Mapping[Key, Watch]


def settle(
    held: Mapping[Key, Held],
    patience: Mapping[str, Patience],
    known: Sequence[Alert],
    pending: Mapping[Key, Watch],
    at: Moment,
) -> Outcome:
    """Compare what holds with what is raised. `patience` has every rule; rows of others are left alone.

    `known` are the unresolved alerts, and those resolved lately if a restart is to remember how often they changed.
    """
    rows = {(a.rule, a.subject): a for a in known if a.state is not AlertState.RESOLVED and a.rule in patience}
    changes: list[Change] = []
    watches: dict[Key, Watch] = {}
    for key, item in held.items():
        row, watch = rows.get(key), pending.get(key)
        if row is None:
            change, watches[key] = _await(key, item, watch, known, at)
        else:
            change, watches[key] = _go_on(row, item, watch, at)
        changes += [change] if change is not None else []
    for key, row in rows.items():
        if key not in held:
            change, watches[key] = _fade(row, patience[row.rule].keep_s, pending.get(key), at)
            changes += [change] if change is not None else []
    for key, watch in pending.items():
        if key in watches or key[0] not in patience:
            continue
        forgiven = (at.now - watch.saved_at).total_seconds() <= patience[key[0]].forgive_s
        if watch.present and forgiven:
            watches[key] = watch
        elif _recent(watch.changes, at):
            watches[key] = replace(watch, present=False)
    return Outcome(tuple(changes), watches)


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, and the timing that applies."""

    now: datetime
    timing: Timing


def acknowledged(alert: Alert, by: str, at: datetime) -> Alert:
    """Return the alert as seen by an operator. It stays so until it is resolved."""
    return replace(alert, state=AlertState.ACKNOWLEDGED, ack_by=by, ack_at=at, changed_at=at)


def snoozed(alert: Alert, seconds: float, at: datetime) -> Alert:
    """Return the alert as quiet for `seconds` from `at` on."""
    return replace(alert, snoozed_until=at + timedelta(seconds=seconds), changed_at=at)


def _await(
    key: Key, item: Held, watch: Watch | None, known: Sequence[Alert], at: Moment
) -> tuple[Change | None, Watch]:
    condition, now = item.condition, at.now
    seen = watch.since if watch is not None and watch.present else now
    since = condition.since if condition.since is not None else seen
    if condition.not_before is not None:
        since = max(since, condition.not_before)
    lately = _recent(watch.changes if watch is not None else (), at)
    if (now - since).total_seconds() < item.raise_after_s:
        return None, Watch(present=True, since=seen, saved_at=now, changes=lately)
    lately = _recent((*_changes_of(key, known, lately), now), at)
    flaps = len(lately) > at.timing.flap_changes_max
    times = (len(lately) + 1) // 2  # it came and went in turn, and has come now
    text = clean((_flapped(times, lately[0], now) if flaps else "") + condition.text)
    rule, subject = key
    alert = Alert(
        id=0,
        rule=rule,
        subject=subject,
        severity=item.severity,
        state=AlertState.ACTIVE,
        text=text,
        remedy=item.remedy,
        raised_at=now,
        changed_at=now,
        signal_id=condition.signal_id,
        repeats=times if flaps else 1,
    )
    code = "flapping" if flaps else "raised"
    return Change(alert, f"{rule}: {text}", code), Watch(present=True, since=now, saved_at=now, changes=lately)


def _go_on(row: Alert, item: Held, watch: Watch | None, at: Moment) -> tuple[Change | None, Watch]:
    now = at.now
    watch = watch or Watch(present=True, since=row.raised_at, saved_at=row.changed_at)
    came_back = not watch.present
    text = clean(_lead(row, now if came_back else None) + item.condition.text)
    stale = text != row.text and (now - watch.saved_at).total_seconds() >= at.timing.refresh_s
    if not came_back and not stale:
        return None, watch
    fresh = replace(row, text=text, severity=item.severity, repeats=row.repeats + came_back)
    since = now if came_back else watch.since
    return Change(fresh, code="refreshed"), Watch(present=True, since=since, saved_at=now, changes=watch.changes)


def _flapped(times: int, first: datetime | str, last: datetime | str) -> str:
    """Return how the text of a flapping alert begins: it is true whether the condition holds now or not."""
    since, newest = (at if isinstance(at, str) else f"{at:%H:%M:%S}" for at in (first, last))
    return f"{FLAPPING}{times} times since {since}, the last at {newest}: "


def _lead(row: Alert, came_at: datetime | None) -> str:
    """Return what stands before the condition's text in a flapping alert, nothing in another; `came_at` is once more."""
    if not row.text.startswith(FLAPPING):
        return ""
    told = _FLAPPED.match(row.text)
    since, newest = told.groups() if told else (row.raised_at, row.raised_at)
    return _flapped(row.repeats + (came_at is not None), since, came_at or newest)


def _fade(row: Alert, keep_s: float, watch: Watch | None, at: Moment) -> tuple[Change | None, Watch]:
    now = at.now
    changes = watch.changes if watch is not None else ()
    gone_since = watch.since if watch is not None and not watch.present else now
    saved_at = watch.saved_at if watch is not None else now
    hold_s = at.timing.flap_hold_s if row.text.startswith(FLAPPING) else keep_s
    if (now - gone_since).total_seconds() < hold_s:
        return None, Watch(present=False, since=gone_since, saved_at=saved_at, changes=changes)
    over = replace(row, state=AlertState.RESOLVED, resolved_at=now, changed_at=now)
    lately = _recent((*changes, now), at)
    return Change(over, f"{row.rule} is over: {row.text}", "resolved"), Watch(
        present=False, since=gone_since, saved_at=now, changes=lately
    )


def _recent(changes: Sequence[datetime], at: Moment) -> tuple[datetime, ...]:
    if not changes:
        return ()
    return tuple(sorted({t for t in changes if (at.now - t).total_seconds() < at.timing.flap_window_s}))


def _changes_of(key: Key, known: Sequence[Alert], lately: Sequence[datetime]) -> tuple[datetime, ...]:
    kept = [a for a in known if (a.rule, a.subject) == key]
    return (*lately, *(a.raised_at for a in kept), *(a.resolved_at for a in kept if a.resolved_at is not None))
