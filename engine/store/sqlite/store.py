"""The store on SQLite: `engine.store.base.Store`, operation by operation."""

from __future__ import annotations

import json
import random  # noqa: TID251 - the type of what the caller brings
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from engine.clock import Clock
from engine.core.board import EngineFacts, ExecutionStatus
from engine.core.commands import Command, CommandState, NewCommand
from engine.core.events import Alert, Desired, NewEvent, Signal
from engine.core.order import Attempt
from engine.core.portfolio import EngineSwitches, Holdings, TradeCounts
from engine.core.values import Candle, NewSignal
from engine.sqlite import Lane
from engine.store.base import (
    Applied,
    AttemptMove,
    Intent,
    Opened,
    Probe,
    Put,
    Retention,
    SignalMove,
    StoreHealth,
    TraderHealth,
)
from engine.store.sqlite import attempts, operators, signals, upkeep
from engine.store.sqlite.candles import keep_candles
from engine.store.sqlite.codec import MINUTE_US, micros, moment_or_none
from engine.store.sqlite.operators import Word
from engine.store.sqlite.premises import Premises
from engine.store.sqlite.queries import named_queries
from engine.store.sqlite.reads import Reads
from engine.store.sqlite.rows import attempt_of, command_of, facts_text, position_of, signal_of, status_text

T = TypeVar("T")


class SqliteStore(Reads):
    """The one store of one file; ":memory:" keeps it nowhere. `inline` runs the SQL on the loop, for virtual time.

    `uuid_source` is asked once, when the file is made.
    """

    def __init__(self, path: Path, *, clock: Clock, inline: bool, uuid_source: random.Random) -> None:
        super().__init__()
        self.path = path
        self._clock, self._uuid_source = clock, uuid_source
        self._premises = Premises(path, clock, inline=inline)
        self._write = self._premises.write

    async def open(self, *, now: datetime) -> Opened:
        return await self._premises.open(now, self._uuid_source)

    async def close(self) -> None:
        await self._premises.close()

    # signals

    async def put_signals(self, batch: Sequence[NewSignal]) -> list[Put]:
        return await self._write(lambda desk: signals.put_signals(desk, batch), Lane.SIGNAL)

    async def open_signal(self, symbol: str, source: str) -> Signal | None:
        return await self._row("open_signal", (symbol, source), signal_of)

    async def due(self, now: datetime, limit: int) -> list[Signal]:
        return await self._ask(partial(_due, micros(now), limit))

    async def agenda(self, now: datetime, until: datetime, limit: int) -> tuple[list[Signal], Holdings]:
        return await self._ask(partial(_agenda, now, until, limit))

    async def next_due(self) -> datetime | None:
        return await self._row("next_due", (), lambda row: moment_or_none(row[0]))

    async def move_signals(self, moves: Sequence[SignalMove]) -> list[Applied]:
        return await self._write(lambda desk: signals.move_signals(desk, moves), Lane.SIGNAL)

    async def request_cancel(self, signal_id: str, event: NewEvent) -> Applied:
        return await self._write(lambda desk: signals.request_cancel(desk, signal_id, event), Lane.OUTCOME)

    # attempts

    async def commit_intents(self, intents: Sequence[Intent]) -> list[Applied]:
        return await self._write(lambda desk: attempts.commit_intents(desk, intents), Lane.INTENT)

    async def move_attempts(self, moves: Sequence[AttemptMove]) -> list[Applied]:
        return await self._write(lambda desk: attempts.move_attempts(desk, moves), Lane.OUTCOME)

    async def note_probes(self, probes: Sequence[Probe]) -> None:
        await self._write(lambda desk: attempts.note_probes(desk, probes), Lane.OUTCOME)

    async def attempt(self, client_order_id: str) -> Attempt | None:
        return await self._row("attempt", (client_order_id,), attempt_of)

    async def live_attempts(self) -> list[Attempt]:
        return await self._rows("live_attempts", (), attempt_of)

    async def due_probes(self, now: datetime, limit: int, traders: Collection[str]) -> list[Attempt]:
        return await self._rows("due_probes", (micros(now), json.dumps(list(traders)), limit), attempt_of)

    async def holdings(self, now: datetime) -> Holdings:
        return await self._ask(partial(_holdings, now))

    # operators

    async def post(self, command: NewCommand) -> Command:
        return await self._write(lambda desk: operators.post(desk, command), Lane.INTENT)

    async def finish(self, command_id: int, state: CommandState, result: str, events: Sequence[NewEvent]) -> None:
        outcome = (state, result, self._clock.wall())
        await self._write(lambda desk: operators.finish(desk, command_id, outcome, events), Lane.INTENT)

    async def posted(self) -> list[Command]:
        return await self._rows("posted_commands", (), command_of)

    async def set_desired(self, trader: str, desired: Desired, by: str, why: str, at: datetime) -> None:
        word = Word(by, why, at)
        await self._write(lambda desk: operators.set_desired(desk, trader, desired, word), Lane.OUTCOME)

    async def set_halted(self, halted: bool, by: str, why: str, at: datetime) -> None:  # noqa: FBT001 - the switch itself
        word = Word(by, why, at)
        await self._write(lambda desk: operators.set_halted(desk, word, halted=halted), Lane.OUTCOME)

    async def switches(self) -> EngineSwitches:
        found = await self._rows("switches", (), lambda row: (bool(row[0]), row[1], moment_or_none(row[2]), row[3]))
        return EngineSwitches(*found[0])

    # traders, alerts, telemetry

    async def declare_traders(self, traders: Mapping[str, str]) -> None:
        await self._write(lambda desk: operators.declare_traders(desk, traders), Lane.SIGNAL)

    async def note_health(self, notes: Sequence[TraderHealth]) -> None:
        await self._write(lambda desk: operators.note_health(desk, notes), Lane.TELEMETRY)

    async def save_alert(self, alert: Alert, event: NewEvent | None) -> Alert:
        return await self._write(lambda desk: operators.save_alert(desk, alert, event), Lane.SIGNAL)

    async def note(self, events: Sequence[NewEvent]) -> None:
        await self._write(lambda desk: operators.note(desk, events), Lane.SIGNAL)

    async def beat(self, facts: EngineFacts) -> None:
        body = facts_text(facts)
        await self._write(lambda desk: operators.keep_snapshot(desk, "engine", body), Lane.TELEMETRY)

    async def save_readiness(self, status: ExecutionStatus) -> None:
        body = status_text(status)
        await self._write(lambda desk: operators.keep_snapshot(desk, "readiness", body), Lane.TELEMETRY)

    async def keep_candles(self, candles: Sequence[Candle]) -> None:
        await self._write(lambda desk: keep_candles(desk, candles), Lane.TELEMETRY)

    # upkeep

    async def prune(self, now: datetime, keep: Retention, batch: int) -> int:
        return await self._write(lambda desk: upkeep.prune(desk, now, keep, batch), Lane.TELEMETRY)

    async def checkpoint(self) -> None:
        await self._premises.checkpoint()

    async def health(self) -> StoreHealth:
        return await self._premises.health()

    async def verify_chain(self) -> str | None:
        after: tuple[int, bytes] | None = None
        while True:
            bad, reached = await self._ask(partial(upkeep.bad_link, after))
            if bad is not None:
                return f"journal row {bad} is not what was written: it, or the row before it, was changed or removed"
            if reached == after:
                return None
            after = reached

    def hints(self) -> AsyncIterator[None]:
        return self._premises.hints()

    async def _ask(self, look: Callable[[sqlite3.Connection], T]) -> T:
        return await self._premises.read(look)


def _due(now: int, limit: int, connection: sqlite3.Connection) -> list[Signal]:
    query = named_queries()["due_signals"]
    exits = connection.execute(query, (1, now, limit)).fetchall()
    entries = connection.execute(query, (0, now, limit - len(exits))).fetchall()
    return [signal_of(row) for row in exits + entries]


def _agenda(
    now: datetime, until: datetime, limit: int, connection: sqlite3.Connection
) -> tuple[list[Signal], Holdings]:
    return _due(micros(until), limit, connection), _holdings(now, connection)


def _holdings(now: datetime, connection: sqlite3.Connection) -> Holdings:
    query = named_queries()
    under_way = connection.execute(query["under_way"]).fetchall()
    hour, day = (_entries_since(now - span, connection) for span in (timedelta(hours=1), timedelta(days=1)))
    return Holdings(
        positions=tuple(position_of(row) for row in connection.execute(query["positions"]).fetchall()),
        entries=tuple((symbol, trader) for symbol, trader, reduces in under_way if not reduces),
        exits=tuple((symbol, trader) for symbol, trader, reduces in under_way if reduces),
        trades=TradeCounts(hour, day),
    )


def _entries_since(since: datetime, connection: sqlite3.Connection) -> int:
    # Whole minutes are summed up already; only the one that the span begins in is counted row by row.
    begin = micros(since)
    whole = begin - begin % MINUTE_US + MINUTE_US
    query = named_queries()
    ((part,),) = connection.execute(query["entries_between"], (begin, whole)).fetchall()
    ((rest,),) = connection.execute(query["entries_of_minutes"], (whole,)).fetchall()
    return int(part) + int(rest)
