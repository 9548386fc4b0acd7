"""What a signal adds to the sums that are kept beside the rows: totals, the minutes' figures, latencies in buckets."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from typing import Any, Final, TypeAlias

from engine.core.metrics import bucket_of
from engine.core.order import Latency
from engine.store.sqlite.codec import MINUTE_US
from engine.store.sqlite.counts import Figure
from engine.store.sqlite.past.lives import Life, Row
from engine.store.sqlite.queries import named_queries

Sums: TypeAlias = Counter[tuple[Any, ...]]
EXPLAINED: Final = frozenset({"waiting", "done", "expired", "cancelled", "rejected", "failed"})
LEAST: Final = 1e-9  # what is smaller is what floats leave of a sum that was taken back
_SECONDS: Final = 6  # the place of the latencies' sum in a row of the minute
_PARTS: Final = ("waiting_s", "gating_s", "submitting_s", "acknowledged_s", "filled_s")


def of_signal(state: str, code: str, by: int = 1) -> Sums:
    """Return what `by` signals in this state, for this reason, add to the totals."""
    sums: Sums = Counter({("total", "count", "received"): by, ("total", "signal_state", state): by})
    if state in EXPLAINED:
        sums["total", "signal_reason", f"{state}/{code}"] += by
    return sums


def of_attempt(state: str, trader: str, tally: str, by: int = 1) -> Sums:
    """Return what `by` attempts of this trader add to the totals."""
    sums: Sums = Counter(
        {
            ("total", "count", "attempts"): by,
            ("total", "attempt_state", state): by,
            ("total", "trader_attempts", trader): by,
        }
    )
    if tally == "success":
        sums["total", "count", "successes"] += by
        sums["total", "trader_successes", trader] += by
    return sums


def totals_of(life: Life) -> Sums:
    """Return what a signal and its attempts add to the totals."""
    sums = of_signal(life.signal["state"], life.signal["reason_code"])
    for row in life.attempts:
        sums.update(of_attempt(row["state"], row["trader"], row["tally"]))
    return sums


def minutes_of(life: Life) -> Sums:
    """Return what a signal and its attempts add to the minutes: an outcome counts in the minute of its intent."""
    sums: Sums = Counter({("minute", _minute(life.signal["received_at"]), Figure.RECEIVED.value): 1})
    for row in life.attempts:
        at = _minute(row["intent_at"])
        sums["minute", at, Figure.ATTEMPTS.value] += 1
        if row["tally"] == "success":
            sums["minute", at, Figure.SUCCESSES.value] += 1
            _add_latency(sums, at, row)
        elif row["tally"]:
            sums["minute", at, Figure.FAILURES.value] += 1
    for at in life.done_at:
        sums["minute", _minute(at), Figure.DONE.value] += 1
    return sums


def of(life: Life) -> Sums:
    """Return all that a signal and its attempts add."""
    return totals_of(life) + minutes_of(life)


def _add_latency(sums: Sums, at: int, row: Row) -> None:
    total = Latency(*(row[part] for part in _PARTS)).total
    if total is not None:
        sums["latency", at, bucket_of(total)] += 1
        sums["minute", at, _SECONDS] += total  # type: ignore[assignment] # seconds among counts


def _minute(at: int) -> int:
    return at - at % MINUTE_US


def write(connection: sqlite3.Connection, sums: Sums) -> None:
    """Add the sums, those below zero included, to the rows that keep them."""
    query = named_queries()
    minutes: defaultdict[int, list[float]] = defaultdict(lambda: [0, 0, 0, 0, 0, 0, 0.0])
    totals, latencies = [], []
    for key, by in sums.items():
        if abs(by) < LEAST:
            continue
        match key:
            case ("total", name, which):
                totals.append((name, which, by))
            case ("minute", at, figure):
                minutes[at][figure] += by
            case ("latency", at, bucket):
                latencies.append((at, bucket, by))
    connection.executemany(query["add_total"], totals)
    connection.executemany(query["add_minute"], [(at, *figures) for at, figures in minutes.items()])
    connection.executemany(query["add_latency"], latencies)
