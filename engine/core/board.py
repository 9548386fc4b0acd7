"""The Board: one frozen picture of the engine, read from the store, drawn by the screen and printed by `status`.

Every section carries only what a screen shows; foreign text in it was cleaned when it entered the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from engine.core.events import Alert, Event, Signal, TraderState
from engine.core.feeds import FeedStanding
from engine.core.order import Attempt, Fill
from engine.core.values import Mode, Position


class EngineState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"  # every trader is paused by an operator
    HALTED = "halted"  # the kill switch is on
    DRAINING = "draining"  # stopping: nothing new, orders in flight are awaited
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """The engine as its heartbeat last described it. `beat_at` is wall time, `market_at` the market's own time."""

    mode: Mode
    state: EngineState
    epoch: int
    pid: int
    started_at: datetime
    beat_at: datetime
    market_at: datetime
    speed: str = "1"
    automated: bool = True
    halted_by: str = ""
    halted_at: datetime | None = None
    loop_lag_s: float = 0.0
    commit_p50_s: float = 0.0
    feed: str = ""
    feed_symbols: int = 0
    feed_last_at: datetime | None = None
    feed_finished: bool = False
    candles: int = 0
    candles_late: int = 0
    candles_repeated: int = 0
    candles_flat: int = 0
    candles_lost: int = 0  # closed, but never written: the store was too slow for them
    feeds: tuple[FeedStanding, ...] = ()  # the exchanges that prices come from


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the readiness diagnosis: ok or not, the fact behind it, and what to do.

    `decides` False marks a no that alone stops nothing, such as one trader's of several.
    """

    gate: str
    ok: bool
    fact: str
    remedy: str = ""
    decides: bool = True


@dataclass(frozen=True, slots=True)
class ExecutionStatus:
    """Every gate between a candle and a fill, in that order. `ready` says that a signal made now could be sent."""

    at: datetime
    checks: tuple[Check, ...]

    @property
    def ready(self) -> bool:
        return all(c.ok or not c.decides for c in self.checks)


@dataclass(frozen=True, slots=True)
class MinutePoint:
    """One minute's figures. `at` is the minute's begin. Rates are None where nothing was attempted."""

    at: datetime
    received: int = 0
    attempts: int = 0
    successes: int = 0
    failures: int = 0
    done: int = 0
    latency_p50: float | None = None
    latency_p95: float | None = None
    latency_p99: float | None = None

    @property
    def success_rate(self) -> float | None:
        """Return successes over attempts, 0 to 1, or None without attempts."""
        return self.successes / self.attempts if self.attempts else None


@dataclass(frozen=True, slots=True)
class Headline:
    """The numbers of the status line. Rates are 0 to 1, None where there is nothing to count."""

    queue: int = 0  # NEW, WAITING
    queue_capped: bool = False  # there are more than `queue`
    in_flight: int = 0  # INTENT
    unknown: int = 0
    review: int = 0
    success_rate: float | None = None  # last 5 min
    attempts_5m: int = 0
    signals_per_min: float = 0.0
    attempts_per_min: float = 0.0
    latency_avg: float | None = None
    latency_p50: float | None = None
    latency_p95: float | None = None
    latency_p99: float | None = None
    conversion: float | None = None
    availability: float | None = None  # share of traders that are available
    errors_per_min: int = 0
    alerts_active: int = 0  # unacknowledged
    alerts_open: int = 0  # unacknowledged or acknowledged
    traders_available: int = 0
    traders_total: int = 0


@dataclass(frozen=True, slots=True)
class SignalRow:
    """One row of the queue panel."""

    seq: int
    id: str
    symbol: str
    side: str
    quantity: Decimal | None
    state: str
    reason_code: str
    reason: str
    attempts: int
    source: str
    trader: str
    confidence: float
    received_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    latency_s: float | None
    version: int
    cancel_requested: bool = False


class LastTry(NamedTuple):
    """What a list shows of a signal's newest attempt: its quantity, and the seconds from receipt to acknowledgement."""

    quantity: Decimal
    latency_s: float | None


@dataclass(frozen=True, slots=True)
class Board:
    """`change` rises when anything in the store changed: equal numbers mean an equal Board."""

    change: int
    engine: EngineFacts | None  # None: no engine has ever run on this store
    headline: Headline
    queue: tuple[SignalRow, ...] = ()  # open ones first, newest first, then the latest ended ones
    traders: tuple[TraderState, ...] = ()
    alerts: tuple[Alert, ...] = ()  # unresolved first, then the latest resolved
    errors: tuple[Event, ...] = ()  # newest first
    minutes: tuple[MinutePoint, ...] = ()  # oldest first
    positions: tuple[Position, ...] = ()
    readiness: ExecutionStatus | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """Everything about one signal. `events` are in order; gate answers and routes are in their details."""

    signal: Signal
    attempts: tuple[Attempt, ...]
    fills: tuple[tuple[int, Fill], ...]  # (attempt n, fill)
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts since the store was made, exact, kept in the transactions that change them."""

    signals_by_state: Mapping[str, int] = field(default_factory=dict)
    signals_by_reason: Mapping[str, int] = field(default_factory=dict)  # "state/code" of ended and waiting ones
    attempts_by_state: Mapping[str, int] = field(default_factory=dict)
    attempts_by_trader: Mapping[str, int] = field(default_factory=dict)
    successes_by_trader: Mapping[str, int] = field(default_factory=dict)
    received: int = 0
    repeated: int = 0
    attempts: int = 0
    successes: int = 0
    executions: int = 0  # signals DONE
    last_execution_at: datetime | None = None
