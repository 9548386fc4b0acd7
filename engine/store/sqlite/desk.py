"""The writer's desk: the open signals and attempts it works on, and what the transaction at hand will write.

Rows are read once and kept while they are open; every change is made here first and written in one go when the batch is
sealed, each table by one statement. That is sound because nobody else writes: should another connection have written
all the same, or should the transaction be rolled back, everything on the desk is dropped and read anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeVar

from engine.core.errors import StoreLocked
from engine.core.events import NewEvent
from engine.core.values import Position
from engine.store.sqlite.codec import moment
from engine.store.sqlite.counts import Counts
from engine.store.sqlite.journal import Journal
from engine.store.sqlite.pending import AttemptRow, Extent, Pending, SignalRow
from engine.store.sqlite.queries import named_queries

T = TypeVar("T")
_ROWS_KEPT: Final = 20_000


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
        self._pending = Pending()

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

    def change_attempt(self, row: AttemptRow, extent: Extent) -> None:
        """Note that `row` is about to change, and how much of it.

        A row that changes twice in one batch is written twice: the database sees every move.
        """
        if row.seq in self._pending.changed_attempts:
            self.flush()
        self._pending.changed_attempts[row.seq] = (extent, row)

    def note(self, events: Iterable[NewEvent]) -> None:
        """Write events that name their signal by its id alone."""
        for event in events:
            row = self.signal(event.signal_id) if event.signal_id is not None else None
            self.journal.note(event, (event.signal_id, None if row is None else row.seq, None, None))

    def flush(self) -> None:
        """Write the rows that were added and changed. What changes of them after this must be noted anew."""
        pending, self._pending = self._pending, Pending()
        pending.write(self.connection)
        for signal in pending.changed_signals.values():
            if signal.ended_at is not None:
                self._signals.pop(signal.id, None)
        for _, attempt in pending.changed_attempts.values():
            if attempt.ended_at is not None:
                self._attempts.pop(attempt.client_order_id, None)

    def _drop(self) -> None:
        self._stale = True
        self._signals, self._attempts, self._positions = {}, {}, {}
        self._held_back = None
        self._pending = Pending()
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
