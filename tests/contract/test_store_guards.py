"""The database's own guards: its moves are the lifecycle tables', its journal only grows, its queries use their indexes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest

from engine.core.lifecycle import (
    ATTEMPT_LIFE,
    FINAL_ATTEMPTS,
    FINAL_SIGNALS,
    LIVE_OR_DONE_ATTEMPTS,
    SIGNAL_LIFE,
    AttemptState,
    AttemptStep,
    SignalState,
    SignalStep,
)
from engine.store.sqlite.queries import named_queries
from tests.support.builders import NOW, a_fill, a_signal, an_event
from tests.support.store import Stage, play

GROWING = ("signal", "attempt", "fill", "event", "seen_key", "command", "alert", "minute", "minute_latency", "candle")
# These read a whole table, and may: it is small for ever, or they say how much of it they look at.
WHOLE = {
    "totals": "total",
    "traders": "trader",
    "paused_traders": "trader",
    "unlist_traders": "trader",
    "positions": "position",
    "live_attempts": "attempt USING INDEX attempt_live",
    "under_way": "attempt USING INDEX attempt_live",
    "signals_with_orders": "attempt USING INDEX attempt_live",
    "orphans": "attempt USING INDEX attempt_live",
    "overdue": "attempt USING INDEX attempt_live",
    "posted_commands": "command USING INDEX command_posted",
    "alert_counts": "alert USING INDEX alert_open",
    "open_alerts": "alert USING INDEX alert_open",
    "resolved_alerts": "alert USING INDEX alert_resolved",
    "error_numbers": "event USING COVERING INDEX event_error",
    "errors_since": "event USING COVERING INDEX event_error",
    "oldest_events": "event",
    "last_link": "event",
    "last_rows": "seen_key USING COVERING INDEX seen_key_age",
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A store with one signal, filled, as raw SQL sees it."""

    async def scenario() -> None:
        async with Stage(tmp_path / "deck.db", inline=True, reopens=False) as stage:
            intent = await stage.commit(a_signal("one"))
            await stage.step(intent, AttemptStep.FILL, fills=(a_fill(),), signal_step=SignalStep.COMPLETE)
            await stage.store.note([an_event("first"), an_event("second")])

    play(scenario())
    with closing(sqlite3.connect(tmp_path / "deck.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys=ON")
        yield connection


def _force(connection: sqlite3.Connection, table: str, changes: dict[str, object]) -> None:
    guards = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?", (table,)
    ).fetchall()
    drops = [f"DROP TRIGGER {name}" for name, _ in guards]
    for drop in drops:
        connection.execute(drop)
    update = f"UPDATE {table} SET " + ", ".join(f"{column} = ?" for column in changes)
    connection.execute(update, tuple(changes.values()))
    for _, sql in guards:
        connection.execute(sql)


def _accepts(connection: sqlite3.Connection, sql: str, given: tuple[object, ...]) -> bool:
    try:
        connection.execute(sql, given)
    except sqlite3.IntegrityError:
        return False
    return True


def test_the_database_allows_a_signal_the_moves_of_its_life_and_no_other(database: sqlite3.Connection) -> None:
    legal = {(before, after) for (before, _), after in SIGNAL_LIFE.items()}
    database.execute("DELETE FROM fill")
    database.execute("DELETE FROM attempt")
    for before, after in product(SignalState, SignalState):
        _force(database, "signal", {"state": before, "ended_at": 1 if before in FINAL_SIGNALS else None})
        ended_at = 1 if after in FINAL_SIGNALS else None
        done = _accepts(database, "UPDATE signal SET state = ?, ended_at = ?", (after, ended_at))
        assert done == (before is after or (before, after) in legal), f"{before} to {after}"


def test_the_database_allows_an_attempt_the_moves_of_its_life_and_no_other(database: sqlite3.Connection) -> None:
    legal = {(before, after) for (before, _), after in ATTEMPT_LIFE.items()}

    def columns(state: AttemptState) -> dict[str, object]:
        unknown_since = 1 if state is AttemptState.UNKNOWN else None
        return {
            "state": state,
            "ended_at": 1 if state in FINAL_ATTEMPTS else None,
            "unknown_since": unknown_since,
            "next_probe_at": unknown_since,
        }

    sql = "UPDATE attempt SET state = ?, ended_at = ?, unknown_since = ?, next_probe_at = ?"
    for before, after in product(AttemptState, AttemptState):
        _force(database, "attempt", columns(before))
        done = _accepts(database, sql, tuple(columns(after).values()))
        assert done == (before is after or (before, after) in legal), f"{before} to {after}"


@pytest.mark.parametrize("state", AttemptState)
def test_one_signal_has_at_most_one_attempt_that_is_or_may_be_an_order(
    database: sqlite3.Connection, state: AttemptState
) -> None:
    unknown_since = 1 if state is AttemptState.UNKNOWN else None
    ended_at = 1 if state in FINAL_ATTEMPTS else None
    _force(database, "attempt", {"state": state, "ended_at": ended_at, "unknown_since": unknown_since})
    names = [row[1] for row in database.execute("PRAGMA table_info(attempt)")]
    copied = ", ".join(name for name in names if name not in ("seq", "n", "client_order_id", "state", "ended_at"))
    copied = copied.replace("unknown_since", "NULL AS unknown_since")
    kept = copied.replace("NULL AS ", "")
    sql = f"INSERT INTO attempt (n, client_order_id, state, ended_at, {kept}) SELECT 2, 'x', 'intent', NULL, {copied} FROM attempt"
    assert _accepts(database, sql, ()) == (state not in LIVE_OR_DONE_ATTEMPTS)


def test_names_that_are_no_states_are_refused(database: sqlite3.Connection) -> None:
    for table in ("signal", "attempt"):
        assert not _accepts(database, f"UPDATE {table} SET state = ?", ("sold",))


def test_the_journal_is_only_ever_added_to(database: sqlite3.Connection) -> None:
    before = database.execute("SELECT * FROM event").fetchall()
    for sql in ("UPDATE event SET text = 'nothing happened'", "DELETE FROM event", "DELETE FROM event WHERE seq = 1"):
        assert not _accepts(database, sql, ())
    assert database.execute("SELECT * FROM event").fetchall() == before


def test_numbers_and_texts_keep_to_their_columns(database: sqlite3.Connection) -> None:
    assert not _accepts(database, "UPDATE signal SET due_at = 'soon'", ())
    assert not _accepts(database, "UPDATE attempt SET quantity = NULL", ())
    assert not _accepts(database, "DELETE FROM signal", ()), "its attempts would hang in the air"


@pytest.mark.parametrize("name", sorted(named_queries()))
def test_no_query_reads_more_of_a_growing_table_than_it_must(database: sqlite3.Connection, name: str) -> None:
    sql = named_queries()[name]
    question = f"EXPLAIN QUERY PLAN {sql}"
    plan = [row[3] for row in database.execute(question, _anything(sql))]
    scans = [step.removeprefix("SCAN ") for step in plan if step.startswith("SCAN ")]
    for scan in scans:
        if scan.split(" ")[0] in GROWING and name in WHOLE:
            assert scan == WHOLE[name]
        elif scan.split(" ")[0] in GROWING:
            pytest.fail(f"{name} reads all of {scan}: {plan}")
    if "ORDER BY" in sql and name not in ("live_attempts", "under_way", "orphans"):
        sorted_late = [step for step in plan if "TEMP B-TREE" in step and "LAST TERM" not in step]
        assert not sorted_late or name in ("last_link", "last_signals", "fills_of_signal"), plan


def _anything(sql: str) -> dict[str, object] | tuple[object, ...]:
    if ":limit" in sql:
        return {"state": "new", "symbol": "x", "source": "x", "trader": "x", "before": 1, "limit": 1}
    return (1,) * sql.count("?")


def test_what_the_store_marks_as_now_is_in_microseconds(database: sqlite3.Connection) -> None:
    ((at,),) = database.execute("SELECT received_at FROM signal").fetchall()
    assert at == int(NOW.timestamp()) * 1_000_000
