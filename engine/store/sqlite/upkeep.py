"""What is written to keep the store itself in order: the take-over at the start, the removal of what is too old."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random  # noqa: TID251 - the type of what the caller brings

from engine.clock import hex_id
from engine.core.events import EventKind, Level, NewEvent
from engine.core.lifecycle import FINAL_SIGNALS, AttemptState, AttemptStep
from engine.store.base import AttemptMove, Opened, Retention
from engine.store.sqlite.attempts import move_attempts
from engine.store.sqlite.candles import prune_candles
from engine.store.sqlite.codec import micros
from engine.store.sqlite.custody import Mark
from engine.store.sqlite.desk import Desk
from engine.store.sqlite.journal import first_bad_row
from engine.store.sqlite.queries import named_queries

_CHAIN_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Found:
    """What lay in the file before this engine took it over; `clean` says that the last one stopped in order."""

    mark: Mark
    epoch: int
    clean: bool


def look(connection: sqlite3.Connection, uuid_source: Random) -> Found:
    """Read who was here last; a store that was just made gets its uuid from `uuid_source`."""
    query = named_queries()
    names = ("uuid", "generation")
    uuid, generation = (connection.execute(query["meta"], (name,)).fetchone() for name in names)
    ((event,),) = connection.execute(query["last_event"]).fetchall()
    ((epoch, clean),) = connection.execute(query["last_writer"]).fetchall()
    store = uuid[0] if uuid else _new_uuid(uuid_source)
    return Found(Mark(store, int(generation[0]) if generation else 0, event), epoch, bool(clean))


def _new_uuid(source: Random) -> str:
    digits = hex_id(source, 32)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


def take_over(desk: Desk, found: Found, now: datetime) -> Opened:
    """Raise the epoch, which fences off whoever wrote before, and move intents without an owner to UNKNOWN."""
    epoch, connection, query = found.epoch + 1, desk.connection, desk.query
    connection.execute(query["take_over"], (epoch, os.getpid(), socket.gethostname(), micros(now)))
    rows = (("uuid", found.mark.store), ("generation", str(found.mark.generation + 1)))
    connection.executemany(query["keep_meta"], rows)
    desk.own(epoch)
    how = "after a clean stop" if found.clean else "after an unclean stop"
    level = Level.INFO if found.clean else Level.WARNING
    desk.note([NewEvent(EventKind.STORE, now, f"engine start {epoch}, {how}", level, code="opened")])
    orphans = [row[0] for row in connection.execute(query["orphans"]).fetchall()]
    move_attempts(desk, [_orphaned(client_order_id, now) for client_order_id in orphans])
    return Opened(epoch, found.mark.store, found.clean, len(orphans))


def _orphaned(client_order_id: str, now: datetime) -> AttemptMove:
    text = "the engine that meant to send this order stopped: its outcome is unknown until it is looked up"
    event = NewEvent(EventKind.ATTEMPT, now, text, Level.WARNING, code="orphan")
    return AttemptMove(client_order_id, AttemptState.INTENT, AttemptStep.ORPHAN, now, None, (event,))


def prune(desk: Desk, now: datetime, keep: Retention, batch: int) -> int:
    """Remove at most `batch` rows that are too old: signals with all that hangs on them, then the rest."""
    desk.refuse_if_fenced()
    desk.seal(desk.connection)  # what others of this batch noted
    gone = 0
    for state in sorted(FINAL_SIGNALS):
        gone += _prune_signals(desk, state.value, _before(now, keep.signals_days), batch - gone)
    gone += _prune_events(desk, _before(now, keep.events_days), batch - gone)
    if gone < batch:
        old = _before(now, keep.minutes_days)
        gone += desk.connection.execute(desk.query["remove_minutes"], (old, batch - gone)).rowcount
        desk.connection.execute(desk.query["remove_latencies"], (old,))
    if gone < batch:
        given = (_before(now, keep.keys_days), batch - gone)
        gone += desk.connection.execute(desk.query["remove_keys"], given).rowcount
    if gone < batch:
        gone += prune_candles(desk, now, keep, batch - gone)
    desk.forget()  # what was read may be gone
    return gone


def _before(now: datetime, days: int) -> int:
    return micros(now - timedelta(days=days))


def _prune_signals(desk: Desk, state: str, before: int, batch: int) -> int:
    if batch <= 0:
        return 0
    old = desk.connection.execute(desk.query["old_signals"], (state, batch, before)).fetchall()
    for name in ("entomb_key", "remove_fills", "remove_attempts", "remove_signal"):
        desk.connection.executemany(desk.query[name], old)
    return len(old)


def _prune_events(desk: Desk, before: int, batch: int) -> int:
    floor, gone = None, 0
    for seq, at, chained in desk.connection.execute(desk.query["oldest_events"], (max(0, batch),)).fetchall():
        if at >= before or seq == desk.journal.last_seq:
            break
        floor, gone = (seq, chained), gone + 1
    if floor is not None:
        desk.connection.execute(desk.query["raise_floor"], floor)
        desk.connection.execute(desk.query["remove_events"], floor[:1])
    return gone


def bad_link(after: tuple[int, bytes] | None, connection: sqlite3.Connection) -> tuple[int | None, tuple[int, bytes]]:
    """Check the next rows of the chain; returns the first bad row's number, if any, and where to go on.

    `after` is the row that was checked last, None to begin at the oldest that is kept.
    """
    query = named_queries()
    floor: tuple[int, bytes] = connection.execute(query["journal_floor"]).fetchone()
    start = floor if after is None or after[0] < floor[0] else after
    rows = connection.execute(query["chain"], (start[0], _CHAIN_ROWS)).fetchall()
    bad = first_bad_row(iter(rows), *start)
    return bad, (rows[-1][0], rows[-1][-1]) if rows else start


def facts(path: str, found: Found) -> Mapping[str, str]:
    """Return what an operator may want to know of the store that was opened."""
    return {"path": path, "sqlite": sqlite3.sqlite_version, "generation": str(found.mark.generation + 1)}
