"""The writer's desk: the open signals and attempts it works on, and what the transaction at hand will write.

Rows are read once and kept while they are open; every change is made here first and written in one go when the batch is
sealed, each table by one statement. That is sound because nobody else writes: should another connection have written
all the same, or should the transaction be rolled back, everything on the desk is dropped and read anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeVar

from engine.core.errors import BadInput, StoreLocked
from engine.core.events import NewEvent
from engine.core.values import Position
from engine.store.sqlite.codec import micros, moment
from engine.store.sqlite.counts import Counts
from engine.store.sqlite.journal import Journal
from engine.store.sqlite.queries import named_queries

T = TypeVar("T")
_ROWS_KEPT: Final = 20_000
_NOTHING: Final = Decimal(0)


@dataclass(slots=True)
class SignalRow:
    """What may change of a signal, and what its changes need to know."""

    seq: int
    id: str
    state: str
    version: int
    attempts: int
    due_at: int
    expires_at: int
    ended_at: int | None
    reason_code: str
    reason_text: str
    trader: str | None
    cancel_requested: int


@dataclass(slots=True)
class AttemptRow:
    """What may change of an attempt, and what its changes need to know."""

    seq: int
    signal_seq: int
    signal_id: str
    n: int
    client_order_id: str
    trader: str
    symbol: str
    side: str
    reduces: int
    intent_at: int
    state: str
    epoch: int
    ended_at: int | None = None
    unknown_since: int | None = None
    next_probe_at: int | None = None
    venue_order_id: str | None = None
    error_code: str | None = None
    error_text: str | None = None
    sent_at: int | None = None
    answered_at: int | None = None
    probes: int = 0
    evidence: str = "[]"
    tally: str = ""  # how it was counted: as a success, as a failure, or not yet
    broken: int = 0  # an order appeared after its end was proven
    average_price: str | None = None
    filled_quantity: Decimal = _NOTHING
    filled_cost: Decimal = _NOTHING
    fee: Decimal = _NOTHING
    latency: tuple[float | None, ...] = (None,) * 5
    trades: set[str] | None = None  # trade ids that are known; None: not read yet


@dataclass(slots=True)
class _Pending:
    signals: list[tuple[Any, ...]] = field(default_factory=list)
    keys: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    attempts: list[tuple[Any, ...]] = field(default_factory=list)
    fills: list[tuple[Any, ...]] = field(default_factory=list)
    changed_signals: dict[int, SignalRow] = field(default_factory=dict)
    dispatched_signals: dict[int, SignalRow] = field(default_factory=dict)
    changed_attempts: dict[int, AttemptRow] = field(default_factory=dict)
    touched_attempts: dict[int, AttemptRow] = field(default_factory=dict)
    positions: dict[tuple[str, str], Position | None] = field(default_factory=dict)


class Desk:
    """One writer's desk. It belongs to the connection's thread."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection
        self.epoch = 0
        self.journal, self.counts = Journal(), Counts()
        self.query = named_queries()
        self._data_version = -1
        self._owner, self._last_signal, self._last_attempt = 0, 0, 0
        self._has_seen_keys = False
        self._stale = True
        self._signals: dict[str, SignalRow] = {}
        self._attempts: dict[str, AttemptRow] = {}
        self._positions: dict[tuple[str, str], Position | None] = {}
        self._held_back: tuple[bool, frozenset[str]] | None = None
        self._pending = _Pending()

    # The ledger's part: see engine.sqlite.Ledger.

    def begin(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        if version != self._data_version:
            self._drop()
            self._data_version = version

    def seal(self, connection: sqlite3.Connection) -> None:
        if self._stale:
            return
        self.flush()
        self.journal.flush(connection)
        self.counts.flush(connection)
        if len(self._signals) + len(self._attempts) > _ROWS_KEPT:
            self._signals, self._attempts = {}, {}

    def forget(self) -> None:
        self._drop()

    # What the operations use.

    def work(self, operation: Callable[[Desk], T]) -> Callable[[sqlite3.Connection], T]:
        """Return the function for the writer that runs `operation` on this desk."""
        return partial(self._run, operation)

    def own(self, epoch: int) -> None:
        """Write under `epoch` from here on: the row of the writer says so too."""
        self.epoch = self._owner = epoch
        self.journal.resume(self.connection, epoch)

    def fenced(self) -> bool:
        """Say whether a later engine owns the store."""
        return self._owner != self.epoch

    def refuse_if_fenced(self) -> None:
        if self._owner != self.epoch:
            raise StoreLocked(f"engine start {self._owner} owns this store; this is start {self.epoch}: stop it")

    def signal(self, signal_id: str) -> SignalRow | None:
        row = self._signals.get(signal_id)
        if row is None:
            found = self.connection.execute(self.query["signal_row"], (signal_id,)).fetchone()
            if found is not None:
                row = self._signals[signal_id] = SignalRow(*found)
        return row

    def attempt(self, client_order_id: str) -> AttemptRow | None:
        row = self._attempts.get(client_order_id)
        if row is None:
            found = self.connection.execute(self.query["attempt_row"], (client_order_id,)).fetchone()
            if found is not None:
                row = self._attempts[client_order_id] = AttemptRow(*found[:25])
                row.filled_quantity, row.filled_cost, row.fee = map(Decimal, found[25:28])
                row.latency = tuple(found[28:])
        return row

    def has_other_live(self, row: AttemptRow) -> bool:
        """Say whether another attempt of the same signal is, or may be, a live order."""
        self.flush()
        given = (row.signal_seq, row.seq)
        return self.connection.execute(self.query["other_live_attempt"], given).fetchone() is not None

    def known_trades(self, row: AttemptRow) -> set[str]:
        """Return the ids of an attempt's trades; whoever adds a trade adds its id."""
        if row.trades is None:
            found = self.connection.execute(self.query["known_trades"], (row.seq,)).fetchall()
            row.trades = {trade_id for (trade_id,) in found}
        return row.trades

    def position(self, trader: str, symbol: str) -> Position | None:
        try:
            return self._positions[trader, symbol]
        except KeyError:
            found = self.connection.execute(self.query["position"], (trader, symbol)).fetchone()
            held = None
            if found is not None:
                quantity, entry_price, opened_at, opened_by = found
                held = Position(trader, symbol, Decimal(quantity), Decimal(entry_price), moment(opened_at), opened_by)
            self._positions[trader, symbol] = held
            return held

    def hold(self, trader: str, symbol: str, held: Position | None) -> None:
        """Keep what is held now; None removes it."""
        self._positions[trader, symbol] = self._pending.positions[trader, symbol] = held

    def is_held_back(self, trader: str) -> bool:
        """Say whether the kill switch is on or the operator paused this trader."""
        if self._held_back is None:
            rows = self.connection.execute(self.query["paused_traders"]).fetchall()
            ((halted,),) = self.connection.execute(self.query["is_halted"]).fetchall()
            self._held_back = (bool(halted), frozenset(name for (name,) in rows))
        halted, paused = self._held_back
        return halted or trader in paused

    def switches_changed(self) -> None:
        self._held_back = None

    def next_signal_seq(self) -> int:
        self._last_signal += 1
        return self._last_signal

    def next_attempt_seq(self) -> int:
        self._last_attempt += 1
        return self._last_attempt

    def known_key(self, source: str, key: str) -> tuple[str, bytes] | None:
        """Return id and payload hash of the first signal of this key, those long removed included."""
        place = (source, key)
        pending = self._pending.keys.get(place)
        if pending is not None:
            return pending
        found: tuple[str, bytes] | None = self.connection.execute(self.query["known_key"], place).fetchone()
        if found is None and self._has_seen_keys:
            found = self.connection.execute(self.query["seen_key"], place).fetchone()
        return found

    def add_signal(self, row: SignalRow, columns: tuple[Any, ...]) -> None:
        """Note a new signal; `columns` are those of the statement: source and key third and fourth, the payload last."""
        self._signals[row.id] = row
        self._pending.signals.append(columns)
        self._pending.keys[columns[2], columns[3]] = (row.id, columns[-1])

    def add_attempt(self, row: AttemptRow, columns: tuple[Any, ...]) -> None:
        self._attempts[row.client_order_id] = row
        self._pending.attempts.append(columns)

    def add_fill(self, columns: tuple[Any, ...]) -> None:
        self._pending.fills.append(columns)

    def change_signal(self, row: SignalRow, *, dispatched: bool = False) -> None:
        """Note that `row` is about to change. `dispatched` says that nothing but what a dispatch changes does.

        A row that changes twice in one batch is written twice: the database sees every move.
        """
        pending = self._pending
        if row.seq in pending.changed_signals or row.seq in pending.dispatched_signals:
            self.flush()
            pending = self._pending
        (pending.dispatched_signals if dispatched else pending.changed_signals)[row.seq] = row

    def change_attempt(self, row: AttemptRow, *, stays: bool = False) -> None:
        """Note that `row` is about to change; `stays` says that its state and its next probe do not.

        A row that changes twice in one batch is written twice: the database sees every move.
        """
        pending = self._pending
        if row.seq in pending.changed_attempts or row.seq in pending.touched_attempts:
            self.flush()
            pending = self._pending
        (pending.touched_attempts if stays else pending.changed_attempts)[row.seq] = row

    def note(self, events: Iterable[NewEvent]) -> None:
        """Write events that name their signal by its id alone."""
        for event in events:
            row = self.signal(event.signal_id) if event.signal_id is not None else None
            self.journal.note(event, (event.signal_id, None if row is None else row.seq, None, None))

    def flush(self) -> None:
        """Write the rows that were added and changed. What changes of them after this must be noted anew."""
        pending, self._pending = self._pending, _Pending()
        many, query = self.connection.executemany, self.query
        try:
            if pending.signals:
                many(query["insert_signal"], pending.signals)
        except sqlite3.IntegrityError as error:
            if "signal.id" in str(error):
                raise BadInput(
                    "signal_id", "another signal has this id", "give each signal an id of its own"
                ) from error
            raise
        if pending.changed_attempts:
            many(query["update_attempt"], [_attempt_columns(row) for row in pending.changed_attempts.values()])
        if pending.touched_attempts:
            many(query["touch_attempt"], [_touch_columns(row) for row in pending.touched_attempts.values()])
        if pending.attempts:
            many(query["insert_attempt"], pending.attempts)
        if pending.fills:
            many(query["insert_fill"], pending.fills)
        if pending.dispatched_signals:
            many(query["dispatch_signal"], [_dispatch_columns(row) for row in pending.dispatched_signals.values()])
        if pending.changed_signals:
            many(query["update_signal"], [_signal_columns(row) for row in pending.changed_signals.values()])
            self._let_go_ended(pending)
        if pending.positions:
            self._write_positions(pending.positions)

    def _let_go_ended(self, pending: _Pending) -> None:
        for signal in pending.changed_signals.values():
            if signal.ended_at is not None:
                self._signals.pop(signal.id, None)
        for attempt in pending.changed_attempts.values():
            if attempt.ended_at is not None:
                self._attempts.pop(attempt.client_order_id, None)

    def _write_positions(self, positions: dict[tuple[str, str], Position | None]) -> None:
        held = [
            (*key, str(p.quantity), str(p.entry_price), micros(p.opened_at), p.opened_by)
            for key, p in positions.items()
            if p is not None
        ]
        gone = [key for key, p in positions.items() if p is None]
        if held:
            self.connection.executemany(self.query["keep_position"], held)
        if gone:
            self.connection.executemany(self.query["drop_position"], gone)

    def _drop(self) -> None:
        self._stale = True
        self._signals, self._attempts, self._positions = {}, {}, {}
        self._held_back = None
        self._pending = _Pending()
        self.counts.forget()

    def _run(self, operation: Callable[[Desk], T], connection: sqlite3.Connection) -> T:
        if self._stale:
            self._resume(connection)
        return operation(self)

    def _resume(self, connection: sqlite3.Connection) -> None:
        ((self._owner,),) = connection.execute(self.query["owner"]).fetchall()
        ((self._last_signal, self._last_attempt, tombs),) = connection.execute(self.query["last_rows"]).fetchall()
        self._has_seen_keys = bool(tombs)
        self.journal.resume(connection, self.epoch)
        self._stale = False


def _signal_columns(row: SignalRow) -> tuple[Any, ...]:
    return (
        row.state,
        row.version,
        row.due_at,
        row.expires_at,
        row.ended_at,
        row.reason_code,
        row.reason_text,
        row.cancel_requested,
        row.seq,
    )


def _dispatch_columns(row: SignalRow) -> tuple[Any, ...]:
    return (row.state, row.version, row.attempts, row.reason_code, row.reason_text, row.trader, row.seq)


def _plain_columns(row: AttemptRow) -> tuple[Any, ...]:
    return (
        row.epoch,
        row.venue_order_id,
        row.error_code,
        row.error_text,
        row.sent_at,
        row.answered_at,
        row.probes,
        row.evidence,
        row.tally,
        row.average_price,
        str(row.filled_quantity),
        str(row.filled_cost),
        str(row.fee),
        *row.latency,
    )


def _attempt_columns(row: AttemptRow) -> tuple[Any, ...]:
    state = (row.state, row.ended_at, row.unknown_since, row.next_probe_at, row.broken, row.seq)
    return _plain_columns(row) + state


def _touch_columns(row: AttemptRow) -> tuple[Any, ...]:
    return (*_plain_columns(row), row.seq)
