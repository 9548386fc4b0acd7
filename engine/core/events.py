"""What the store keeps beside orders: the stored signal, the journal's events, gate verdicts, routes, traders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Final

from engine.core.account import AccountFacts
from engine.core.lifecycle import SignalState
from engine.core.values import Reason, Side, Vote


class Level(IntEnum):
    """How loud an event is. WARNING and ERROR make the error log."""

    INFO = 20
    WARNING = 30
    ERROR = 40


class EventKind(StrEnum):
    RECEIVED = "received"  # a signal became durable
    REPEATED = "repeated"  # the same key and payload came again; the first signal stands
    INTAKE_REFUSED = "intake_refused"  # handed in, not taken: the text says why
    GATED = "gated"  # the gate answered; detail has every answer
    SIGNAL = "signal"  # a signal took another step
    INTENT = "intent"  # an attempt was committed; detail has the request and the traders considered
    ATTEMPT = "attempt"  # an attempt took a step
    PROBE = "probe"  # a lookup of an unknown outcome that proved nothing yet
    FILL = "fill"
    POSITION = "position"
    COMMAND = "command"  # an operator's wish and its result
    TRADER = "trader"  # health, breaker, pause
    ALERT = "alert"
    ENGINE = "engine"  # start, stop, recovery, clock jump
    FEED = "feed"
    STORE = "store"


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A journal entry on its way into a transaction. `detail` must be JSON-ready (text, numbers, lists, objects)."""

    kind: EventKind
    at: datetime
    text: str
    level: Level = Level.INFO
    signal_id: str | None = None
    attempt_n: int | None = None
    trader: str | None = None
    code: str = ""
    from_state: str = ""
    to_state: str = ""
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """A journal entry as kept: `seq` orders events, never `at`."""

    seq: int
    kind: EventKind
    at: datetime
    text: str
    level: Level
    signal_id: str | None
    attempt_n: int | None
    trader: str | None
    code: str
    from_state: str
    to_state: str
    detail: Mapping[str, object]
    epoch: int


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal as the store has it. `version` rises with every change: the compare-and-set of every move.

    `attempts` counts committed intents. `due_at` is when the dispatcher looks again (never after expires_at).
    `reason` says why it is where it is. `trader` is the last trader that it was given to.
    """

    seq: int
    id: str
    key: str
    symbol: str
    side: Side
    confidence: float
    source: str
    received_at: datetime
    expires_at: datetime
    state: SignalState
    due_at: datetime
    version: int
    attempts: int
    reason: Reason
    quantity: Decimal | None = None
    price: Decimal | None = None
    note: str = ""
    votes: tuple[Vote, ...] = ()
    preferred_trader: str | None = None
    reduces: bool = False
    reference_price: Decimal | None = None
    parent_id: str | None = None
    cancel_requested: bool = False
    trader: str | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One rule's answer at the gate. `lifts` says that time or an operator may change a no.

    `figures` are what the rule found and what it allows, where it compares two numbers.
    """

    rule: str
    ok: bool
    fact: str
    remedy: str = ""
    lifts: bool = True
    code: str = ""
    figures: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Every rule's answer; the first objection decides."""

    answers: tuple[Answer, ...]

    @property
    def objection(self) -> Answer | None:
        return next((a for a in self.answers if not a.ok), None)


@dataclass(frozen=True, slots=True)
class Considered:
    """One trader at the routing: chosen, or passed over and why.

    `lifts` says that time or an operator may change that; `code` is stable and counted.
    """

    trader: str
    chosen: bool
    why: str
    lifts: bool = True
    code: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a signal goes; `trader` None means that every trader was passed over."""

    trader: str | None
    considered: tuple[Considered, ...]

    @property
    def lifts(self) -> bool:
        """Say whether a route without a trader may find one later: so wait. Else the signal is to be rejected."""
        return not self.considered or any(c.lifts for c in self.considered)

    @property
    def objection(self) -> Considered | None:
        """Return the passed-over trader that explains best why there is none: one for whom waiting is worth it."""
        if self.trader is not None:
            return None
        return next((c for c in self.considered if c.lifts), next(iter(self.considered), None))


class Desired(StrEnum):
    """What the operator wants of a trader. Durable: it survives a restart with who, when and why."""

    RUN = "run"
    PAUSE = "pause"  # takes no new signals; open orders are looked after
    DRAIN = "drain"  # a pause of which the operator wants to know when the last order has ended


class Health(StrEnum):
    UNCHECKED = "unchecked"
    UP = "up"
    DEGRADED = "degraded"  # it answers, slowly
    DOWN = "down"


class BreakerState(StrEnum):
    CLOSED = "closed"  # calls pass
    OPEN = "open"  # calls wait until open_until
    HALF_OPEN = "half_open"  # one probe passes
    FORCED_OPEN = "forced_open"  # until an operator resumes the trader: the venue refused the credentials


@dataclass(frozen=True, slots=True)
class TraderState:
    """One trader as the store has it: the operator's wish, what health and breaker last said, and its account."""

    name: str
    exchange: str
    desired: Desired = Desired.RUN
    desired_by: str = ""
    desired_at: datetime | None = None
    desired_why: str = ""
    health: Health = Health.UNCHECKED
    health_since: datetime | None = None
    health_fact: str = ""
    breaker: BreakerState = BreakerState.CLOSED
    open_until: datetime | None = None
    breaker_fact: str = ""
    quarantined: bool = False
    proof_broken: bool = False  # the quarantine is for an order that should not be: only an operator lifts it
    in_flight: int = 0  # live orders as the store counts them; of an engine's own states, those whose answer is awaited
    latency_p50: float | None = None
    latency_p95: float | None = None
    attempts: int = 0
    successes: int = 0
    account: AccountFacts = field(default_factory=AccountFacts)

    @property
    def drain(self) -> str:
        """Return how far the drain is that was asked for: "draining 2" while orders live, then "drained"; else ""."""
        if self.desired is not Desired.DRAIN:
            return ""
        return f"draining {self.in_flight}" if self.in_flight else "drained"

    @property
    def told(self) -> str:
        """Return how far its drain is and why it takes no order; the empty text if it may take one."""
        return "; ".join(part for part in (self.drain, self.why_not) if part)

    @property
    def is_available(self) -> bool:
        """Say whether this trader may take a new order, half-open probes included."""
        return self.why_not == ""

    @property
    def why_not(self) -> str:
        """Return why this trader may not take a new order, or the empty text if it may."""
        if self.desired is not Desired.RUN:
            return f"paused by {self.desired_by or 'an operator'}" + (
                f": {self.desired_why}" if self.desired_why else ""
            )
        if self.quarantined:
            return "quarantined: outcomes are unresolved or a proof was broken"
        if self.breaker is BreakerState.FORCED_OPEN:
            return f"breaker forced open: {self.breaker_fact}"
        if self.breaker is BreakerState.OPEN:
            return f"breaker open: {self.breaker_fact}"
        if self.health is Health.DOWN:
            return f"down: {self.health_fact}"
        return ""


class AlertState(StrEnum):
    PENDING = "pending"  # the condition holds, not yet for long enough; never shown
    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"  # still true, an operator has seen it
    RESOLVED = "resolved"


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as kept. `subject` is the trader, symbol or signal it is about, or the empty text.

    (rule, subject) is unique among the unresolved ones. `clears_at` is when it will resolve if it stays quiet.
    """

    id: int
    rule: str
    subject: str
    severity: Severity
    state: AlertState
    text: str
    remedy: str
    raised_at: datetime
    changed_at: datetime
    signal_id: str | None = None
    ack_by: str = ""
    ack_at: datetime | None = None
    snoozed_until: datetime | None = None
    resolved_at: datetime | None = None
    repeats: int = 1

    @property
    def urgency(self) -> tuple[int, int, float, int]:
        """Return what alerts are sorted by: active, seen, resolved; the grave before the mild unless over; newest first."""
        standing = _STANDINGS.index(self.state) if self.state in _STANDINGS else len(_STANDINGS)
        is_over = self.state is AlertState.RESOLVED
        return standing, 0 if is_over else _GRAVEST.index(self.severity), -self.raised_at.timestamp(), -self.id


_STANDINGS: Final = (AlertState.ACTIVE, AlertState.ACKNOWLEDGED, AlertState.RESOLVED)
_GRAVEST: Final = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
