"""The journal: an append-only list of events, each chained to the one before it by its hash."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, Final, TypeAlias

from orjson import dumps

from engine.core.events import NewEvent
from engine.store.sqlite.codec import detail_text, micros, told, told_json
from engine.store.sqlite.queries import insert_rows, named_queries

# The columns that the hash covers, in the order of the row.
CHAINED: Final = (
    "seq, kind, at, level, text, signal_id, signal_seq, attempt_n, trader, code, from_state, to_state, detail, epoch"
)
Row: TypeAlias = tuple[Any, ...]
About: TypeAlias = tuple[str | None, int | None, int | None, str | None]  # signal id, signal seq, attempt, trader


def chained_hash(before: bytes, row: Sequence[Any]) -> bytes:
    """Return the hash of a row: SHA-256 of the previous row's hash and this row's columns, as `CHAINED` orders them.

    The columns stand as one JSON array in UTF-8 without spaces, so that anything that reads JSON can follow the chain.
    """
    return sha256(before + dumps(tuple(row))).digest()


def first_bad_row(rows: Iterator[Sequence[Any]], floor_seq: int, floor_hash: bytes) -> int | None:
    """Return the number of the first row that was changed, added or lost, or None. Rows end with their kept hash."""
    before, expected = floor_hash, floor_seq + 1
    for row in rows:
        if row[0] != expected:
            return expected
        before = chained_hash(before, row[:-1])
        if before != row[-1]:
            return expected
        expected += 1
    return None


class Journal:
    """Events on their way into the transaction that is being made."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._seq, self._hash = 0, b""
        self._epoch = 0

    @property
    def last_seq(self) -> int:
        """Return the number of the newest event, those not yet written included."""
        return self._seq

    def resume(self, connection: sqlite3.Connection, epoch: int) -> None:
        """Forget what was noted and go on from the last event that is kept; `epoch` goes into each event."""
        self._rows = []
        self._epoch = epoch
        self._seq, self._hash = connection.execute(named_queries()["last_link"]).fetchone()

    def note(self, event: NewEvent, about: About, states: tuple[str, str] = ("", "")) -> None:
        """Note an event; what it leaves out of `about` and of the states it moved between is taken from here."""
        signal_id, signal_seq, attempt_n, trader = about
        before, after = states
        self.tell(
            event.kind.value,
            micros(event.at),
            event.text,
            (signal_id, signal_seq, event.attempt_n or attempt_n, event.trader or trader),
            (event.code, event.from_state or before, event.to_state or after),
            event.level.value,
            detail_text(event.detail),
        )

    def tell(  # noqa: PLR0913 - one event's columns; values for them would be made and dropped at each row
        self,
        kind: str,
        at: int,
        text: str,
        about: About,
        change: tuple[str, str, str] = ("", "", ""),
        level: int = 20,
        detail: str = "{}",
    ) -> None:
        """Note an event; `change` is its code and the states it moved from and to."""
        self._seq = seq = self._seq + 1
        self._rows.append((seq, kind, at, level, told(text), *about, *change, told_json(detail), self._epoch))

    def flush(self, connection: sqlite3.Connection) -> None:
        """Chain and write what was noted."""
        rows, self._rows = self._rows, []
        before, chained = self._hash, []
        for row in rows:
            before = sha256(before + dumps(row)).digest()  # as `chained_hash` has it; a call for each row would tell
            chained.append((*row, before))
        self._hash = before
        insert_rows(connection, "insert_event", chained)
