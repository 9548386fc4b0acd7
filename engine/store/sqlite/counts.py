"""Sums that are kept beside the rows: totals, the figures of each minute, latencies in buckets. Written once per batch."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from enum import IntEnum

from engine.core.metrics import bucket_of
from engine.store.sqlite.codec import MINUTE_US
from engine.store.sqlite.queries import named_queries


class Figure(IntEnum):
    """A column of the minute table, as it stands in a row of sums."""

    RECEIVED = 0
    ATTEMPTS = 1
    SUCCESSES = 2
    FAILURES = 3
    DONE = 4
    ENTRIES = 5


class Counts:
    """Sums of the transaction that is being made."""

    def __init__(self) -> None:
        queries = named_queries()
        self._add_total, self._raise_total = queries["add_total"], queries["raise_total"]
        self._add_minute, self._add_latency = queries["add_minute"], queries["add_latency"]
        self.forget()

    def forget(self) -> None:
        self._totals: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._last_execution_at = 0
        self._minutes: defaultdict[int, list[float]] = defaultdict(lambda: [0, 0, 0, 0, 0, 0, 0.0])
        self._latencies: defaultdict[tuple[int, int], int] = defaultdict(int)

    def total(self, name: str, key: str, by: int = 1) -> None:
        """Add to a count since the store was made."""
        self._totals[name, key] += by

    def executed(self, at: int) -> None:
        """Note the time of a signal that is DONE."""
        self._last_execution_at = max(at, self._last_execution_at)

    def minute(self, at: int, figure: Figure, by: int = 1) -> None:
        """Add to a figure of the minute that `at` (microseconds) lies in."""
        self._minutes[at - at % MINUTE_US][figure] += by

    def latency(self, at: int, seconds: float) -> None:
        """Count a latency in the minute that `at` lies in."""
        begin = at - at % MINUTE_US
        self._latencies[begin, bucket_of(seconds)] += 1
        self._minutes[begin][6] += seconds

    def flush(self, connection: sqlite3.Connection) -> None:
        if self._totals:
            connection.executemany(self._add_total, [(*key, by) for key, by in self._totals.items() if by])
        if self._last_execution_at:
            connection.execute(self._raise_total, ("last_execution_at", "", self._last_execution_at))
        if self._minutes:
            connection.executemany(self._add_minute, [(at, *sums) for at, sums in self._minutes.items()])
        if self._latencies:
            connection.executemany(self._add_latency, [(*key, count) for key, count in self._latencies.items()])
        self.forget()
