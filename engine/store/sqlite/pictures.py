"""What is read as a whole: the Board, the minutes, the totals. Nothing here grows with the history."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from engine.core.board import Board, Headline, MinutePoint, SignalRow, Totals
from engine.core.events import Alert, AlertState, Event, TraderState
from engine.core.lifecycle import FINAL_SIGNALS, OPEN_SIGNALS
from engine.core.metrics import (
    UNKNOWN_COUNTS_AS_FAILED_AFTER_S,
    availability,
    merged,
    percentile,
    window_of,
)
from engine.store.base import BoardLimits
from engine.store.sqlite.codec import MINUTE_US, micros, moment
from engine.store.sqlite.queries import named_queries
from engine.store.sqlite.rows import (
    alert_of,
    event_of,
    facts_of,
    position_of,
    signal_row_of,
    status_of,
    trader_of,
)

WINDOW: Final = timedelta(minutes=5)
_BEGUN: Final = timedelta(microseconds=1)  # a minute that begins now has begun


def change(connection: sqlite3.Connection) -> int:
    """Return a number that rises with every commit of another connection and every write of this one."""
    ((version,),) = connection.execute("PRAGMA data_version").fetchall()
    return int(version) + connection.total_changes


def board(now: datetime, limits: BoardLimits, told: dict[int, Event], connection: sqlite3.Connection) -> Board:
    """Return everything that the dashboard shows, as of one moment.

    `told` keeps the errors of the last Board for the next one: what is in the journal never changes.
    """
    number = change(connection)
    facts = _snapshot(connection, "engine", facts_of)
    traders = tuple(trader_of(row) for row in _rows(connection, "traders"))
    counted = totals(connection)
    return Board(
        change=number,
        engine=facts,
        headline=_headline(now, traders, counted, connection),
        queue=tuple(_queue(limits.queue, connection)),
        traders=traders,
        alerts=tuple(_alerts(limits.alerts, connection)),
        errors=tuple(_errors(limits.errors, told, connection)),
        minutes=tuple(minutes(now - timedelta(minutes=limits.minutes - 1), now + _BEGUN, connection)),
        positions=tuple(position_of(row) for row in _rows(connection, "positions")),
        readiness=_snapshot(connection, "readiness", status_of),
    )


def minutes(since: datetime, until: datetime, connection: sqlite3.Connection) -> list[MinutePoint]:
    """Return one point for each minute from the first that has figures on."""
    first, end = micros(since) // MINUTE_US * MINUTE_US, micros(until)
    rows = {row[0]: row for row in _rows(connection, "minutes", first, end)}
    if not rows:
        return []
    latencies: dict[int, dict[int, int]] = {}
    for at, bucket, count in _rows(connection, "minute_latencies", first, end):
        latencies.setdefault(at, {})[bucket] = count
    return [_point(at, rows.get(at), latencies.get(at, {})) for at in range(min(rows), end, MINUTE_US)]


def latencies(since: datetime, until: datetime, connection: sqlite3.Connection) -> dict[int, int]:
    """Return the histogram of the minutes from `since`'s on that begin before `until`."""
    first = micros(since) // MINUTE_US * MINUTE_US
    return merged({bucket: count} for _, bucket, count in _rows(connection, "minute_latencies", first, micros(until)))


def totals(connection: sqlite3.Connection) -> Totals:
    """Return the counts since the store was made."""
    sums: dict[str, dict[str, int]] = {}
    for name, key, count in _rows(connection, "totals"):
        if count:
            sums.setdefault(name, {})[key] = count
    counts = sums.get("count", {})
    by_state = sums.get("signal_state", {})
    last = sums.get("last_execution_at", {}).get("")
    return Totals(
        signals_by_state=by_state,
        signals_by_reason=sums.get("signal_reason", {}),
        attempts_by_state=sums.get("attempt_state", {}),
        attempts_by_trader=sums.get("trader_attempts", {}),
        successes_by_trader=sums.get("trader_successes", {}),
        received=counts.get("received", 0),
        repeated=counts.get("repeated", 0),
        attempts=counts.get("attempts", 0),
        successes=counts.get("successes", 0),
        executions=by_state.get("done", 0),
        last_execution_at=None if last is None else moment(last),
    )


def _point(at: int, row: Any, latencies: Mapping[int, int]) -> MinutePoint:
    if row is None:
        return MinutePoint(moment(at))
    _, received, attempts, successes, failures, done, _ = row
    p50, p95, p99 = (percentile(latencies, q) for q in (0.5, 0.95, 0.99))
    return MinutePoint(moment(at), received, attempts, successes, failures, done, p50, p95, p99)


def _headline(
    now: datetime, traders: tuple[TraderState, ...], counted: Totals, connection: sqlite3.Connection
) -> Headline:
    since = now - WINDOW
    first = micros(since) // MINUTE_US * MINUTE_US
    points = minutes(since, now + _BEGUN, connection)
    attempts, signals = counted.attempts_by_state, counted.signals_by_state
    overdue = 0
    if attempts.get("unknown"):
        late = micros(now - timedelta(seconds=UNKNOWN_COUNTS_AS_FAILED_AFTER_S))
        overdue = _number(connection, "overdue", late, first)
    window = window_of(points, since, overdue=overdue)
    span = min(5.0, max(1.0, (now - points[0].at).total_seconds() / 60)) if points else 1.0
    latencies = merged({bucket: count} for _, bucket, count in _rows(connection, "minute_latencies", first, 2**63 - 1))
    taken = sum(latencies.values())
    seconds = sum(row[6] for row in _rows(connection, "minutes", first, 2**63 - 1))
    ((active, unresolved),) = _rows(connection, "alert_counts")
    p50, p95, p99 = (percentile(latencies, q) for q in (0.5, 0.95, 0.99))
    return Headline(
        queue=signals.get("new", 0) + signals.get("waiting", 0),
        in_flight=attempts.get("intent", 0),
        unknown=attempts.get("unknown", 0),
        review=attempts.get("review", 0),
        success_rate=window.success_rate,
        attempts_5m=window.attempts,
        signals_per_min=window.received / span,
        attempts_per_min=window.attempts / span,
        latency_avg=seconds / taken if taken else None,
        latency_p50=p50,
        latency_p95=p95,
        latency_p99=p99,
        conversion=counted.executions / counted.received if counted.received else None,
        availability=availability(traders),
        errors_per_min=_number(connection, "errors_since", micros(now - timedelta(minutes=1))),
        alerts_active=active,
        alerts_open=unresolved,
        traders_available=sum(trader.is_available for trader in traders),
        traders_total=len(traders),
    )


def _queue(limit: int, connection: sqlite3.Connection) -> list[SignalRow]:
    lines: list[SignalRow] = []
    for states in (OPEN_SIGNALS, FINAL_SIGNALS):
        room = limit - len(lines)
        if room > 0:
            found = [
                signal_row_of(row)
                for state in sorted(states)
                for row in _rows(connection, "board_lines_of_state", state.value, room)
            ]
            lines += sorted(found, key=lambda line: -line.seq)[:room]
    return lines


def _alerts(limit: int, connection: sqlite3.Connection) -> Iterable[Alert]:
    unresolved = [alert_of(row) for row in _rows(connection, "open_alerts", limit)]
    shown = [alert for alert in unresolved if alert.state is not AlertState.PENDING]
    over = [alert_of(row) for row in _rows(connection, "resolved_alerts", limit - len(shown))]
    return shown + over


def _errors(limit: int, told: dict[int, Event], connection: sqlite3.Connection) -> list[Event]:
    shown = [seq for (seq,) in _rows(connection, "error_numbers", limit)]
    fresh = sum(seq not in told for seq in shown)  # the newest come first
    events = {event.seq: event for event in map(event_of, _rows(connection, "errors", 2**63 - 1, fresh))}
    known = {seq: events.get(seq) or told[seq] for seq in shown}
    told.clear()
    told.update(known)
    return list(known.values())


def _snapshot(connection: sqlite3.Connection, name: str, build: Any) -> Any:
    rows = _rows(connection, "snapshot", name)
    return build(rows[0][0]) if rows else None


def _number(connection: sqlite3.Connection, query: str, *given: Any) -> int:
    ((number,),) = _rows(connection, query, *given)
    return int(number)


def _rows(connection: sqlite3.Connection, query: str, *given: Any) -> list[Any]:
    return connection.execute(named_queries()[query], given).fetchall()
