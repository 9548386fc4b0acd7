"""Operators' wishes. Each is a row before it is obeyed, and its result is an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class CommandKind(StrEnum):
    PAUSE = "pause"  # target: trader. Takes no more signals; open orders are still looked after
    DRAIN = "drain"  # target: trader. A pause, and every screen says when its last order has ended
    RESUME = "resume"  # target: trader. Also lifts a forced-open breaker and a quarantine
    PAUSE_ALL = "pause_all"
    RESUME_ALL = "resume_all"
    RETRY = "retry"  # target: signal. FAILED, EXPIRED, REJECTED only; an unknown outcome is reconciled instead
    CANCEL = "cancel"  # target: signal
    HALT = "halt"  # the kill switch: nothing is sent, open orders are cancelled; durable
    RELEASE = "release"  # lifts the kill switch
    ACKNOWLEDGE = "acknowledge"  # target: alert id
    SNOOZE = "snooze"  # target: alert id; args: seconds
    ATTACH = "attach"  # target: signal; args: venue_order_id. Answers a review
    DECLARE_ABSENT = "declare_absent"  # target: signal. Answers a review


class CommandState(StrEnum):
    POSTED = "posted"  # durable, not yet obeyed
    DONE = "done"
    REFUSED = "refused"  # obeyed as far as possible: `result` says why not


@dataclass(frozen=True, slots=True)
class NewCommand:
    """A wish. `request_id` makes posting safe to repeat. `expected_version` guards against a stale screen."""

    request_id: str
    kind: CommandKind
    operator: str
    at: datetime
    target: str = ""
    why: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """A wish as kept, and what became of it."""

    id: int
    request_id: str
    kind: CommandKind
    operator: str
    at: datetime
    target: str
    why: str
    args: Mapping[str, str]
    expected_version: int | None
    state: CommandState
    result: str = ""
    finished_at: datetime | None = None
