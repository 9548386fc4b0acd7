"""A moment of the journal, and how one is found."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from engine.store.sqlite.past.damage import missing_entry
from engine.store.sqlite.past.lives import Told, told_of
from engine.store.sqlite.queries import named_queries

NEAR: Final = 500  # entries before and after the moment that decide in which order things of one instant came

Columns: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """A moment of the journal: its entry `seq`, written at `at`; `kept` is the file, read in one transaction.

    `near` are the entries around the moment that tell of alerts and of the engine, in order.
    """

    kept: sqlite3.Connection
    seq: int
    at: int
    epoch: int
    near: tuple[Told, ...]

    @property
    def latest(self) -> int:
        """Return the latest time that had been written by then: later than `at` if a clock was set back nearby."""
        return max((told.at for told in self.near if told.seq <= self.seq), default=self.at)

    def rows(self, query: str, *given: Any) -> list[Any]:
        return self.kept.execute(named_queries()[query], given).fetchall()

    def number(self, query: str, *given: Any) -> int:
        ((found,),) = self.rows(query, *given)
        return int(found)


def past_at(kept: sqlite3.Connection, seq: int) -> Past:
    """Return the moment of entry `seq`. Raises StoreBroken if it is gone from between others."""
    query = named_queries()
    row = kept.execute(query["event"], (seq,)).fetchone()
    if row is None:
        raise missing_entry(seq)
    around = kept.execute(query["events_within"], (seq - NEAR, seq + NEAR, 2 * NEAR)).fetchall()
    near = [told_of(r) for r in around if r[1] in ("alert", "engine", "store")]
    return Past(kept, seq, row[2], row[13], tuple(near))


def last_where(
    first: int, last: int, row_from: Callable[[int], int | None], holds: Callable[[int], bool]
) -> int | None:
    """Return the greatest number from `first` to `last` that exists and for which `holds`, or None.

    What holds for a number holds for every smaller one. `row_from` returns the first number that exists from one on.
    """
    found = None
    while first <= last:
        middle = (first + last) // 2
        number = row_from(middle)
        if number is None or number > last or not holds(number):
            last = middle - 1
        else:
            found, first = number, number + 1
    return found


def last_row(past: Past, newest: str, row_from: str) -> int:
    """Return the number of the last row of a table whose time, its second column, had come; 0 if there was none."""
    times: dict[int, int] = {}
    until = max(past.at, past.latest)

    def first_from(number: int) -> int | None:
        found = past.rows(row_from, number)
        if not found:
            return None
        times[found[0][0]] = found[0][1]
        return int(found[0][0])

    return last_where(1, past.number(newest), first_from, lambda number: times[number] <= until) or 0


def position_of_time(kept: sqlite3.Connection, at: int) -> int | None:
    """Return the last journal entry written at `at` or before, None if none is kept. A clock set back may mislead it."""
    query = named_queries()
    ((first, last),) = kept.execute(query["journal_ends"]).fetchall()
    if first is None:
        return None
    times: dict[int, int] = {}

    def first_from(number: int) -> int | None:
        found = kept.execute(query["event_from"], (number,)).fetchone()
        if found is None:
            return None
        times[found[0]] = found[1]
        return int(found[0])

    return last_where(first, last, first_from, lambda number: times[number] <= at)
