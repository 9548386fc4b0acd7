"""The store's contract: what every implementation must keep, whoever asks.

1. A call that returned is on disk. 2. A move applies only if version, state and epoch match; a stale item never holds
back the rest. 3. A repeated key returns the first signal, also under concurrent callers. 4. Each event is written in the
transaction of the change that it tells of. 5. Once `set_desired(PAUSE)` or `set_halted(True)` returned, no intent is
applied. 6. A higher epoch fences off every write of a lower one. 7. Hints may be lost; polling finds everything.
8. A caller that is cancelled while it waits does not undo its write.

Every method is one transaction (batches: one transaction, item by item) and has no effect outside the store.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from engine.core.board import Board, EngineFacts, ExecutionStatus, LastTry, MinutePoint, Story, Totals
from engine.core.commands import Command, CommandState, NewCommand
from engine.core.events import Alert, Desired, Event, Level, NewEvent, Signal, TraderState
from engine.core.lifecycle import AttemptState, AttemptStep, SignalState, SignalStep
from engine.core.order import Attempt, Fill, Latency, OrderRequest, PlacedFill
from engine.core.portfolio import EngineSwitches, Holdings
from engine.core.values import Candle, NewSignal, Position, Reason


class PutOutcome(StrEnum):
    STORED = "stored"
    REPEATED = "repeated"  # same source, key and payload: `signal_id` is the first one's
    CONFLICT = "conflict"  # same source and key, another payload: refused, the first one stands


@dataclass(frozen=True, slots=True)
class Put:
    signal_id: str
    outcome: PutOutcome


class Applied(StrEnum):
    APPLIED = "applied"
    STALE = "stale"  # version or state moved on meanwhile
    FENCED = "fenced"  # a later engine owns the store
    HELD = "held"  # the trader is paused, or the kill switch is on


@dataclass(frozen=True, slots=True)
class SignalMove:
    """A signal's step. `due_at` is needed by POSTPONE, REQUEUE and RETRY; `expires_at` is set anew by RETRY only.

    `event` None writes no journal entry: only for a POSTPONE that repeats the reason which the signal already has.
    """

    signal_id: str
    version: int
    step: SignalStep
    at: datetime
    reason: Reason
    event: NewEvent | None
    due_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """Step 2 of the protocol: signal to EXECUTING, attempt n in INTENT, both or neither.

    `events` are written with it: the gate's answers, the route, the request. Refused (HELD) while the trader is paused
    or the engine is halted, whatever the caller believed.
    """

    signal_id: str
    version: int
    n: int
    trader: str
    request: OrderRequest
    at: datetime
    latency: Latency
    events: tuple[NewEvent, ...]


@dataclass(frozen=True, slots=True)
class AttemptMove:
    """An attempt's step, and with it the signal's, in one transaction.

    Applies only while the attempt is in `state` and belongs to `epoch` (None: whoever owns it now; the mover becomes
    the owner). `fills` already known by trade id are skipped; filled quantity, average price, fee and the position are
    recomputed from the fills that are new. Fields left None keep what the row has. `signal_step` None leaves the signal.
    With `signal_step` REQUEUE, `due_at` is required. A signal that needs a review is left alone while another attempt of
    it is live; where its life has no such step from there, it fails.
    """

    client_order_id: str
    state: AttemptState
    step: AttemptStep
    at: datetime
    epoch: int | None
    events: tuple[NewEvent, ...]
    venue_order_id: str | None = None
    fills: tuple[Fill, ...] = ()
    error_code: str | None = None
    error_text: str | None = None
    sent_at: datetime | None = None
    answered_at: datetime | None = None
    next_probe_at: datetime | None = None
    evidence: str | None = None
    latency: Latency | None = None
    signal_step: SignalStep | None = None
    signal_reason: Reason | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """A lookup that moved nothing: counted, its evidence kept, the next one set. `event` may be None to stay quiet."""

    client_order_id: str
    next_probe_at: datetime
    evidence: str
    event: NewEvent | None = None


@dataclass(frozen=True, slots=True)
class TraderHealth:
    """What the health worker and the breaker know of a trader; written often, journalled only on change (`events`)."""

    state: TraderState
    events: tuple[NewEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class SignalFilter:
    """Conditions of a signal list, joined by and. None and empty mean no condition."""

    states: frozenset[SignalState] = frozenset()
    symbol: str | None = None
    source: str | None = None
    trader: str | None = None


@dataclass(frozen=True, slots=True)
class BoardLimits:
    """How many rows of each section a Board carries, and how many minutes of history."""

    queue: int = 200
    alerts: int = 50
    errors: int = 200
    minutes: int = 60


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """`writable` is the outcome of a real write. Sizes in bytes, times in seconds, None where unmeasured."""

    writable: bool
    fact: str
    commit_p50_s: float
    commit_p99_s: float
    commits: int
    queue_depth: int
    wal_bytes: int
    file_bytes: int
    disk_free_bytes: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days of what is kept. Only ended signals and their attempts are ever removed; their keys stay known.

    Of a symbol's candles there are no more than `candles_max`, however many days that is.
    """

    signals_days: int = 90
    events_days: int = 30
    minutes_days: int = 7
    keys_days: int = 400
    candles_days: int = 7
    candles_max: int = 10_000


@dataclass(frozen=True, slots=True)
class Opened:
    """What opening for writing found: this engine's epoch, and whether the last one stopped in order."""

    epoch: int
    store_uuid: str
    clean: bool
    orphans: int  # INTENT rows of older epochs, moved to UNKNOWN
    facts: Mapping[str, str] = field(default_factory=dict)


class Reader(Protocol):
    """The read side: own read-only connection, short transactions, safe beside a running engine in any process."""

    async def close(self) -> None: ...

    async def change(self) -> int:
        """Return a number that differs from the last one if anything was committed since. Cheap: ask it often."""

    async def board(self, now: datetime, limits: BoardLimits) -> Board: ...

    async def story(self, signal_id: str) -> Story | None:
        """Return the whole story by full id or unique prefix of 4 or more; raises BadInput if several match."""

    async def signals(self, where: SignalFilter, before_seq: int | None, limit: int) -> list[Signal]:
        """Return signals newest first, those with seq below `before_seq` (None: from the newest)."""

    async def last_signals(self, limit: int) -> list[Signal]:
        """Return the newest signal of each symbol, newest first."""

    async def attempts(self, after_seq: int, limit: int) -> list[Attempt]: ...

    async def last_tries(self, signal_seqs: Sequence[int]) -> Mapping[int, LastTry]:
        """Return what a list shows of the newest attempt of each of these signals; one that has none is left out."""

    async def fills(self, after_seq: int, limit: int) -> list[tuple[int, str, str, Fill]]:
        """Return (seq, trader, client order id, fill), oldest first."""

    async def symbol_fills(self, symbol: str, since: datetime, until: datetime, limit: int) -> list[PlacedFill]:
        """Return the newest `limit` fills of this symbol from `since` on and before `until`, newest first."""

    async def candles(self, symbol: str, since: datetime, until: datetime, limit: int) -> list[Candle]:
        """Return the newest `limit` closed candles that begin from `since` on and before `until`, oldest first."""

    async def symbols(self) -> list[str]:
        """Return every symbol that has a candle, in the order of their names."""

    async def events(self, after_seq: int, limit: int, level: Level = Level.INFO) -> list[Event]: ...

    async def errors(self, before_seq: int | None, limit: int) -> list[Event]:
        """Return events of level WARNING and above, newest first."""

    async def journal(self, before_seq: int | None, limit: int) -> list[Event]:
        """Return events of every level, newest first, those with seq below `before_seq` (None: from the newest)."""

    async def turns(self, trader: str, limit: int) -> list[Event]:
        """Return what turned about a trader itself (health, breaker, quarantine, pause), newest first."""

    async def event(self, seq: int) -> Event | None: ...

    async def alerts(self, *, resolved: bool, limit: int) -> list[Alert]: ...

    async def traders(self) -> list[TraderState]: ...

    async def positions(self) -> list[Position]: ...

    async def commands(self, before_id: int | None, limit: int) -> list[Command]: ...

    async def minutes(self, since: datetime, until: datetime) -> list[MinutePoint]: ...

    async def latencies(self, since: datetime, until: datetime) -> Mapping[int, int]:
        """Return how many executions of these minutes fell into each bucket of `engine.core.metrics`."""

    async def totals(self) -> Totals: ...

    async def engine_facts(self) -> EngineFacts | None: ...

    async def readiness(self) -> ExecutionStatus | None: ...


class Store(Reader, Protocol):
    """The write side; exactly one process holds it. It reads its own writes."""

    async def open(self, *, now: datetime) -> Opened:
        """Lock, check, migrate, raise the epoch, move orphaned intents to UNKNOWN.

        Raises StoreLocked, StoreBroken, StoreReadOnly, StoreFull.
        """

    async def close(self) -> None:
        """Finish what was submitted, note a clean stop, release the lock. Safe to call twice."""

    # signals
    async def put_signals(self, batch: Sequence[NewSignal]) -> list[Put]: ...

    async def open_signal(self, symbol: str, source: str) -> Signal | None:
        """Return the newest signal of this symbol and source that has not ended, or None."""

    async def due(self, now: datetime, limit: int) -> list[Signal]:
        """Return NEW and WAITING signals whose due_at has come, exits first, then by (due_at, seq)."""

    async def agenda(self, now: datetime, until: datetime, limit: int) -> tuple[list[Signal], Holdings]:
        """Return what falls due until `until`, see `due`, and what is held `now`: both of one moment."""

    async def next_due(self) -> datetime | None: ...

    async def signal(self, signal_id: str) -> Signal | None: ...

    async def move_signals(self, moves: Sequence[SignalMove]) -> list[Applied]: ...

    async def request_cancel(self, signal_id: str, event: NewEvent) -> Applied:
        """Set the flag that acts when the live attempt ends."""

    # attempts
    async def commit_intents(self, intents: Sequence[Intent]) -> list[Applied]: ...

    async def move_attempts(self, moves: Sequence[AttemptMove]) -> list[Applied]: ...

    async def note_probes(self, probes: Sequence[Probe]) -> None: ...

    async def attempt(self, client_order_id: str) -> Attempt | None: ...

    async def live_attempts(self) -> list[Attempt]:
        """Return every attempt in INTENT, UNKNOWN, ACCEPTED or REVIEW, oldest first."""

    async def due_probes(self, now: datetime, limit: int, traders: Collection[str]) -> list[Attempt]:
        """Return UNKNOWN and ACCEPTED attempts of these traders whose next_probe_at has come, the longest due first.

        Nobody asks for the others: however many they are, they take no place within `limit`.
        """

    async def holdings(self, now: datetime) -> Holdings: ...

    # operators
    async def post(self, command: NewCommand) -> Command:
        """Keep a wish. A repeated request_id returns the first row."""

    async def finish(self, command_id: int, state: CommandState, result: str, events: Sequence[NewEvent]) -> None: ...

    async def posted(self) -> list[Command]:
        """Return wishes that were kept and not yet obeyed, oldest first."""

    async def set_desired(self, trader: str, desired: Desired, by: str, why: str, at: datetime) -> None:
        """Keep what the operator wants of a trader. To the store a drain is a pause, and is told apart when read."""

    async def set_halted(self, halted: bool, by: str, why: str, at: datetime) -> None:  # noqa: FBT001 - the switch itself
        """Turn the kill switch; on, it also sets the flag of `request_cancel` for every live order, in one transaction."""

    async def switches(self) -> EngineSwitches: ...

    # traders, alerts, telemetry
    async def declare_traders(self, traders: Mapping[str, str]) -> None:
        """Make the rows of the configured traders (name to exchange); others are kept but not listed."""

    async def note_health(self, notes: Sequence[TraderHealth]) -> None: ...

    async def save_alert(self, alert: Alert, event: NewEvent | None) -> Alert:
        """Insert (id 0) or update; returns it with its id."""

    async def note(self, events: Sequence[NewEvent]) -> None:
        """Write journal entries that belong to no other change."""

    async def beat(self, facts: EngineFacts) -> None: ...

    async def save_readiness(self, status: ExecutionStatus) -> None: ...

    async def keep_candles(self, candles: Sequence[Candle]) -> None:
        """Keep closed candles. A repeated symbol and begin takes the place of the first."""

    # upkeep
    async def prune(self, now: datetime, keep: Retention, batch: int) -> int:
        """Remove at most `batch` rows that are too old; returns how many went."""

    async def checkpoint(self) -> None: ...

    async def health(self) -> StoreHealth: ...

    async def verify_chain(self) -> str | None:
        """Return None if the journal's hash chain holds, else a sentence that names the first bad row."""

    def hints(self) -> AsyncIterator[None]:
        """Yield after commits; may merge or drop."""
