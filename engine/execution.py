"""What one signal's execution hands around: tickets, outcomes, results, plans, and who is asked on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from engine.core.backoff import Dice, RetryPolicy
from engine.core.board import Totals
from engine.core.errors import ExecutionError
from engine.core.events import Route, Signal, TraderState, Verdict
from engine.core.lifecycle import AttemptState
from engine.core.order import Latency
from engine.core.portfolio import Holdings
from engine.core.readiness import ReadinessFacts
from engine.core.risk import Book, Limits
from engine.core.sizing import Funds, Sized
from engine.core.values import SymbolRules
from engine.store.base import Intent, SignalMove


@dataclass(frozen=True, slots=True)
class Ticket:
    """A committed intent on its way to the venue. Times ending in _s are the loop's elapsed seconds."""

    signal: Signal
    intent: Intent
    committed_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one placed order: the attempt's state now, and the error if there was one."""

    state: AttemptState
    error: ExecutionError | None = None
    latency: Latency = field(default_factory=Latency)


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """One run of one signal through the pipeline, with everything that was asked and answered."""

    signal_id: str
    verdict: Verdict
    route: Route | None = None
    quantity: Decimal | None = None
    trader: str | None = None
    client_order_id: str | None = None
    attempt: AttemptState | None = None
    error: ExecutionError | None = None
    latency: Latency = field(default_factory=Latency)

    @property
    def succeeded(self) -> bool:
        return self.attempt in {AttemptState.ACCEPTED, AttemptState.FILLED, AttemptState.PARTIAL_CLOSED}


class Desk(Protocol):
    """What the pipeline needs of a trader; `engine.workers.trader.TraderActor` is the one there is."""

    name: str
    rules: Mapping[str, SymbolRules]

    @property
    def slots_free(self) -> int: ...

    @property
    def shorting(self) -> bool: ...

    @property
    def ready(self) -> bool:
        """Say whether outcomes left open by an earlier engine were looked up once."""

    def venue_now(self) -> datetime: ...

    def reserve(self) -> None:
        """Take one slot for an intent that is about to be committed."""

    def release(self) -> None:
        """Give the slot back: the intent was not committed."""

    def funds(self, symbol: str, price: Decimal) -> Funds: ...

    async def place_order(self, ticket: Ticket) -> Outcome: ...


class Surroundings(Protocol):
    """What the pipeline asks of the engine around it: the facts for the gate and for the diagnosis."""

    async def book(self, now: datetime, holdings: Holdings | None = None) -> Book: ...

    def trader_states(self) -> Mapping[str, TraderState]: ...

    async def readiness_facts(self, now: datetime) -> ReadinessFacts: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """A decision, not yet acted on: a move, an intent, or neither (wait for a free slot, quietly)."""

    signal: Signal
    verdict: Verdict
    route: Route | None = None
    sized: Sized | None = None
    move: SignalMove | None = None
    intent: Intent | None = None
    error: ExecutionError | None = None


class Tenure:
    """Which start of the engine this is, known once the store is open: the epoch that fences, the uuid behind ids."""

    def __init__(self) -> None:
        self.epoch = 0
        self.store_uuid = ""

    def begin(self, epoch: int, store_uuid: str) -> None:
        """Take what opening the store gave."""
        self.epoch, self.store_uuid = epoch, store_uuid


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """Limits of the gate, the retry policy, the tenure from which client order ids are derived, and jitter's chance."""

    limits: Limits
    retry: RetryPolicy
    tenure: Tenure
    chance: Dice


class ExecutionLogger:
    """Counts that survive a restart: they start from the store's totals and go on from there."""

    def __init__(self, totals: Totals) -> None:
        self.signal_count = totals.received
        self.execution_attempts = totals.attempts
        self.execution_successes = totals.successes
        self.last_execution_time: datetime | None = totals.last_execution_at

    def count(self, result: ExecutionResult, at: datetime) -> None:
        """Count one run. Gate refusals are no attempts."""
        if result.attempt is None:
            return
        self.execution_attempts += 1
        if result.succeeded:
            self.execution_successes += 1
            self.last_execution_time = at
