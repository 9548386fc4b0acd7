"""The store as it was, in memory: the schema of the file, filled with what was true at one moment of its journal.

Bounds: the newest `SIGNALS_MAX` signals that had been received, those before them that are open today or that one of the
next `AHEAD_MAX` journal entries is about, a day of minutes, and `LOUD_MAX` errors. So a seek costs what these cost, and a
sum over what came after the moment; a step forward costs what its entries touched.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from operator import itemgetter
from typing import Final

from engine.core.lifecycle import OPEN_SIGNALS
from engine.core.values import Position
from engine.sqlite import MEMORY, connect_writer
from engine.store.base import BoardLimits
from engine.store.sqlite import pictures
from engine.store.sqlite.codec import MINUTE_US, micros, moment
from engine.store.sqlite.counts import Figure
from engine.store.sqlite.past import sums
from engine.store.sqlite.past.alerts import alert_rows, command_rows
from engine.store.sqlite.past.engine import engine_at
from engine.store.sqlite.past.lives import Life, Row, Told, as_of, told_of
from engine.store.sqlite.past.moments import Columns, Past, last_where, past_at
from engine.store.sqlite.past.positions import held, last_fill, traded_after
from engine.store.sqlite.past.switches import Switches
from engine.store.sqlite.past.traders import trader_rows
from engine.store.sqlite.queries import named_queries
from engine.store.sqlite.rows import facts_text
from engine.store.sqlite.schema import migrate

SIGNALS_MAX: Final = 5_000
AHEAD_MAX: Final = 50_000
LOUD_MAX: Final = 1_000
AT_ONCE: Final = 200
MINUTES_US: Final = 25 * 60 * MINUTE_US
LAST: Final = 2**63 - 1
STEP_MAX: Final = 2_000  # entries: a longer way forward is sought like any other moment

_OF_ATTEMPTS: Final = ("remove_fills", "remove_attempts", "remove_signal")


class Picture:
    """Everything that was true at `seq`. It belongs to the thread of the connection to the file."""

    def __init__(self, signals_max: int = SIGNALS_MAX) -> None:
        self._signals_max = signals_max
        self.connection: sqlite3.Connection | None = None
        self.seq, self.at, self.newest = 0, 0, 0
        self._query = named_queries()
        self._switches = Switches()

    def close(self) -> None:
        connection, self.connection, self.seq = self.connection, None, 0
        if connection is not None:
            connection.close()

    def go(self, kept: sqlite3.Connection, seq: int) -> None:
        """Be what was true at entry `seq`: step there, or begin anew. What cannot be made leaves it what it was."""
        if self.connection is None or not self.seq <= seq <= self.seq + STEP_MAX:
            self._seek(past_at(kept, seq))
        elif seq > self.seq:
            self._step(past_at(kept, seq))

    def bring(self, kept: sqlite3.Connection, signal_seq: int) -> None:
        """Take in one more signal, an older one, unless it came after the moment or is here already."""
        found = self._here.execute(self._query["signal_from"], (signal_seq,)).fetchone()
        if signal_seq > self.newest or found == (signal_seq,):
            return
        past = past_at(kept, self.seq)
        lives = self._lives(past, signal_seq - 1, signal_seq)
        with self._whole():
            self._put(as_of(life, self._events(past, life), past.seq) for life in lives)

    # going somewhere

    def _seek(self, past: Past) -> None:
        before, newest = self.connection, self.newest
        self.connection = fresh = connect_writer(MEMORY, busy_s=0.0)
        try:
            migrate(fresh, MEMORY, moment(past.at))
            with self._whole():
                self._fill(past)
                self._prove(past)
        except BaseException:
            self.connection, self.newest = before, newest
            fresh.close()
            raise
        self.seq, self.at = past.seq, past.at
        if before is not None:
            before.close()

    def _fill(self, past: Past) -> None:
        self.newest = _newest_signal(past)
        edge = max(0, self.newest - self._signals_max)
        total = self._sums_now(past)
        total.subtract(self._sums_after(past))
        touched = {seq for (seq,) in past.rows("touched_signals", edge, self.newest, past.seq)}
        lives = self._lives(past, edge, self.newest)
        older = (life for seq in sorted(self._older(past, edge)) for life in self._lives(past, seq - 1, seq))
        self._put(life for life in lives if life.signal["seq"] not in touched)
        for now in chain((life for life in lives if life.signal["seq"] in touched), older):
            events = self._events(past, now)
            then = as_of(now, events, past.seq)
            total.subtract(sums.of(as_of(now, events, LAST)))
            total.update(sums.of(then))
            self._put([then])
        sums.write(self._here, _begun(total, past.at))
        loud = past.rows("errors", past.seq + 1, LOUD_MAX)
        self._many("put_event_row", reversed(loud))
        traders = trader_rows(past)
        self._many("put_trader_row", traders)
        self._hold(past, None)
        self._stand(past, traders)

    def _step(self, past: Past) -> None:
        newest = self.newest
        try:
            with self._whole():
                self._go_on(past)
                self._prove(past)
        except BaseException:
            self.newest = newest
            raise
        self.seq, self.at = past.seq, past.at

    def _go_on(self, past: Past) -> None:
        entries = past.rows("events_within", self.seq, past.seq, STEP_MAX)
        seqs = {row[6] for row in entries if row[6] is not None}
        total = sums.Sums()
        for seq in sorted(seqs):
            for now in self._lives(past, seq - 1, seq):
                events = self._events(past, now)
                then = as_of(now, events, past.seq)
                if seq <= self.newest:
                    total.subtract(sums.of(as_of(now, events, self.seq)))
                total.update(sums.of(then))
                for name in _OF_ATTEMPTS:
                    self._here.execute(self._query[name], (seq,))
                self._put([then])
        self.newest = max(self.newest, *seqs, 0)
        sums.write(self._here, _begun(total, past.at))
        self._many("put_event_row", [row for row in entries if row[3] >= 30])
        turned = frozenset(row[8] for row in entries if row[1] == "trader")
        self._many("put_trader_row", trader_rows(past, turned) if turned else [])
        self._hold(past, {row[6] for row in entries if row[1] == "position"})
        self._stand(past, self._here.execute(self._query["all_traders"]).fetchall())

    # the signals

    def _lives(self, past: Past, after: int, upto: int) -> list[Life]:
        """Return the signals above `after` and up to `upto` with all that hangs on them, as the file has them today."""
        tried, traded = defaultdict[int, list[Row]](list), defaultdict[int, list[Row]](list)
        for row in self._named(past, "attempts_within", after, upto):
            tried[row["signal_seq"]].append(row)
        for row in sorted(self._named(past, "fills_within", after, upto), key=itemgetter("seq")):
            traded[row["signal_seq"]].append(row)
        signals = self._named(past, "signals_within", after, upto)
        return [Life(row, tuple(tried[row["seq"]]), tuple(traded[row["seq"]])) for row in signals]

    def _named(self, past: Past, query: str, *given: int) -> list[Row]:
        """Return rows with their columns by name, as the file has them."""
        cursor = past.kept.execute(self._query[query], given)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def _events(self, past: Past, life: Life) -> list[Told]:
        return [told_of(row) for row in past.rows("events_of_signal", life.signal["seq"])]

    def _older(self, past: Past, edge: int) -> set[int]:
        """Return the signals before the newest ones that may have been open: they are now, or something befell them."""
        if not edge:
            return set()
        still = (past.rows("newest_of_state", state.value, edge, SIGNALS_MAX) for state in sorted(OPEN_SIGNALS))
        found = {seq for rows in still for (seq,) in rows}
        return found | {seq for (seq,) in past.rows("touched_by_next", past.seq, AHEAD_MAX, edge)}

    def _put(self, lives: Iterable[Life]) -> None:
        whole = list(lives)
        self._many("put_signal_row", [tuple(life.signal.values()) for life in whole])
        self._many("put_attempt_row", [tuple(row.values()) for life in whole for row in life.attempts])
        self._many("put_fill_row", [tuple(row.values())[:-1] for life in whole for row in life.fills])

    # sums

    def _sums_now(self, past: Past) -> sums.Sums:
        first, end = past.at - MINUTES_US, past.at - past.at % MINUTE_US + MINUTE_US
        now: sums.Sums = sums.Sums()
        for name, key, count in past.rows("totals"):
            if name != "last_execution_at" and (name, key) != ("count", "repeated"):  # of these no row tells
                now["total", name, key] = count
        for at, *figures in past.rows("whole_minutes", first, end):
            now.update(
                {("minute", at, place): figure for place, figure in enumerate(figures) if place != Figure.ENTRIES}
            )
        for at, bucket, count in past.rows("minute_latencies", first, end):
            now["latency", at, bucket] = count
        return now

    def _sums_after(self, past: Past) -> sums.Sums:
        """Return what signals add that came after the moment; to the minutes those of its own minute alone."""
        after: sums.Sums = sums.Sums()
        for state, code, count in past.rows("sums_of_signals_after", self.newest):
            after.update(sums.of_signal(state, code, count))
        for state, trader, tally, count in past.rows("sums_of_attempts_after", self.newest):
            after.update(sums.of_attempt(state, trader, tally, count))
        end = past.at - past.at % MINUTE_US + MINUTE_US
        for life in self._until(past, end):
            after.update(sums.minutes_of(as_of(life, self._events(past, life), LAST)))
        return after

    def _until(self, past: Past, end: int) -> Iterator[Life]:
        """Yield the signals after the moment that were received before `end`, at most `SIGNALS_MAX`."""
        for after in range(self.newest, self.newest + SIGNALS_MAX, AT_ONCE):
            lives = self._lives(past, after, after + AT_ONCE)
            yield from (life for life in lives if life.signal["received_at"] < end)
            if not lives or lives[-1].signal["received_at"] >= end:
                return

    # the rest

    def _hold(self, past: Past, touched: set[int] | None) -> None:
        """Bring the positions up to date: all of them, or those that these signals traded."""
        last = last_fill(past)
        if touched is None:
            pairs = traded_after(past, last)
            for row in past.rows("positions"):
                if (row[0], row[1]) not in pairs:
                    self._here.execute(self._query["keep_position"], row)
        else:
            pairs = {
                (row["trader"], row["symbol"])
                for seq in touched
                for life in self._lives(past, seq - 1, seq)
                for row in life.attempts
            }
            self._many("drop_position", pairs)
        self._many("keep_position", [_position_columns(position) for position in held(past, pairs, last)])

    def _stand(self, past: Past, traders: Sequence[Columns]) -> None:
        self._here.execute(self._query["clear_alerts"])
        self._many("put_alert_row", alert_rows(past))
        self._here.execute(self._query["clear_commands"])
        self._many("put_command_row", command_rows(past))
        facts = engine_at(past, self._switches.halt(past), traders)
        if facts is not None:
            self._here.execute(self._query["keep_snapshot"], ("engine", facts_text(facts)))

    @property
    def _here(self) -> sqlite3.Connection:
        assert self.connection is not None, "asked after the first seek"
        return self.connection

    def _many(self, query: str, rows: Iterable[Columns]) -> None:
        self._here.executemany(self._query[query], rows)

    def _prove(self, past: Past) -> None:
        """Make the Board once: a moment that cannot be shown is not gone to."""
        pictures.board(moment(past.at), BoardLimits(), {}, self._here)

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Do what is within, or nothing of it: half a step is no moment."""
        self._here.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._here.execute("ROLLBACK")
            raise
        self._here.execute("COMMIT")


def _newest_signal(past: Past) -> int:
    """Return the number of the last signal that had been received, 0 if none had."""

    def first_from(number: int) -> int | None:
        found = past.rows("signal_from", number)
        return int(found[0][0]) if found else None

    def was_born(number: int) -> bool:
        born = past.rows("birth_of_signal", number)
        return not born or born[0][0] <= past.seq  # its entry is too old to be kept

    return last_where(1, past.number("newest_signal"), first_from, was_born) or 0


def _begun(total: sums.Sums, at: int) -> sums.Sums:
    """Return the sums without those of minutes that had not begun, or that are too long ago to be shown."""
    first, end = at - MINUTES_US, at - at % MINUTE_US + MINUTE_US
    return sums.Sums({key: by for key, by in total.items() if key[0] == "total" or first <= key[1] < end})


def _position_columns(position: Position) -> Columns:
    opened_at = micros(position.opened_at)
    quantity, price = str(position.quantity), str(position.entry_price)
    return (position.trader, position.symbol, quantity, price, opened_at, position.opened_by)
