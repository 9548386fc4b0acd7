"""What the transaction at hand will write: each table by as few statements, and each row by as few columns, as will do."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeAlias

from engine.core.errors import BadInput
from engine.core.values import Position
from engine.store.sqlite.codec import micros
from engine.store.sqlite.queries import insert_rows, named_queries

_NOTHING: Final = Decimal(0)
Columns: TypeAlias = tuple[Any, ...]


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


class Extent(StrEnum):
    """How much of an attempt changes; each value names its statement.

    Naming a column costs as much as changing it, and a column that an index rests on a good deal more.
    """

    TRADES = "trade_attempt"  # trades and evidence; the state and what follows from it stay
    ANSWER = "answer_attempt"  # it was live and known, and is; no trades
    END = "end_attempt"  # it was live and known, and ended; trades and evidence
    ALL = "update_attempt"


@dataclass(slots=True)
class Pending:
    """Rows that were added and changed since the last flush. A changed row is written as it stands when flushed."""

    signals: list[Columns] = field(default_factory=list)
    keys: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    attempts: list[Columns] = field(default_factory=list)
    fills: list[Columns] = field(default_factory=list)
    changed_signals: dict[int, SignalRow] = field(default_factory=dict)
    dispatched_signals: dict[int, SignalRow] = field(default_factory=dict)
    changed_attempts: dict[int, tuple[Extent, AttemptRow]] = field(default_factory=dict)
    positions: dict[tuple[str, str], Position | None] = field(default_factory=dict)

    def write(self, connection: sqlite3.Connection) -> None:
        """Write everything, in the order that the database's guards ask for."""
        many, query = connection.executemany, named_queries()
        try:
            insert_rows(connection, "insert_signal", self.signals)
        except sqlite3.IntegrityError as error:
            if "signal.id" in str(error):
                raise BadInput(
                    "signal_id", "another signal has this id", "give each signal an id of its own"
                ) from error
            raise
        if self.changed_attempts:
            self._write_changed_attempts(connection)
        insert_rows(connection, "insert_attempt", self.attempts)
        insert_rows(connection, "insert_fill", self.fills)
        if self.dispatched_signals:
            many(query["dispatch_signal"], [_dispatch_columns(row) for row in self.dispatched_signals.values()])
        if self.changed_signals:
            many(query["update_signal"], [_signal_columns(row) for row in self.changed_signals.values()])
        if self.positions:
            self._write_positions(connection)

    def _write_changed_attempts(self, connection: sqlite3.Connection) -> None:
        rows: defaultdict[Extent, list[Columns]] = defaultdict(list)
        for extent, row in self.changed_attempts.values():
            rows[extent].append(_ATTEMPT_COLUMNS[extent](row))
        query = named_queries()
        for extent, columns in rows.items():
            connection.executemany(query[extent], columns)

    def _write_positions(self, connection: sqlite3.Connection) -> None:
        held = [
            (*key, str(p.quantity), str(p.entry_price), micros(p.opened_at), p.opened_by)
            for key, p in self.positions.items()
            if p is not None
        ]
        gone = [key for key, p in self.positions.items() if p is None]
        query = named_queries()
        if held:
            connection.executemany(query["keep_position"], held)
        if gone:
            connection.executemany(query["drop_position"], gone)


def _signal_columns(row: SignalRow) -> Columns:
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


def _dispatch_columns(row: SignalRow) -> Columns:
    return (row.state, row.version, row.attempts, row.reason_code, row.reason_text, row.trader, row.seq)


def _trades(row: AttemptRow) -> Columns:
    return (row.average_price, str(row.filled_quantity), str(row.filled_cost), str(row.fee), row.evidence)


def _told(row: AttemptRow) -> Columns:
    return (row.venue_order_id, row.error_code, row.error_text, row.sent_at, row.answered_at, *row.latency)


def _trade_columns(row: AttemptRow) -> Columns:
    return (row.epoch, row.tally, *_trades(row), row.seq)


def _answer_columns(row: AttemptRow) -> Columns:
    return (row.epoch, row.tally, *_told(row), row.state, row.next_probe_at, row.seq)


def _end_columns(row: AttemptRow) -> Columns:
    return (row.epoch, row.tally, *_trades(row), row.state, row.ended_at, row.next_probe_at, row.seq)


def _attempt_columns(row: AttemptRow) -> Columns:
    rare = (row.unknown_since, row.probes, row.broken)
    state = (row.state, row.ended_at, row.next_probe_at, *rare, row.seq)
    return (row.epoch, row.tally, *_trades(row), *_told(row), *state)


_ATTEMPT_COLUMNS: Final[Mapping[Extent, Callable[[AttemptRow], Columns]]] = {
    Extent.TRADES: _trade_columns,
    Extent.ANSWER: _answer_columns,
    Extent.END: _end_columns,
    Extent.ALL: _attempt_columns,
}
