"""The read side, shared by the reader and the store: each method is one short look at one moment."""

from __future__ import annotations

import json
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from heapq import merge
from itertools import islice
from typing import Any, Final, TypeVar

from engine.core.board import Board, EngineFacts, ExecutionStatus, LastTry, MinutePoint, Story, Totals
from engine.core.commands import Command
from engine.core.errors import BadInput
from engine.core.events import Alert, Event, Level, Signal, TraderState
from engine.core.order import Attempt, Fill, PlacedFill
from engine.core.values import Candle, Position
from engine.store.base import BoardLimits, SignalFilter
from engine.store.sqlite import candles, pictures
from engine.store.sqlite.queries import named_queries
from engine.store.sqlite.rows import (
    alert_of,
    attempt_of,
    command_of,
    event_of,
    facts_of,
    fill_of,
    position_of,
    signal_of,
    status_of,
    trader_of,
)

T = TypeVar("T")
V = TypeVar("V")
PREFIX_MIN: Final = 4
_LAST_SEQ: Final = 2**63 - 1


class Reads(ABC):
    """Every question of `engine.store.base.Reader`, asked through `_ask`."""

    def __init__(self) -> None:
        self._told: dict[int, Event] = {}

    @abstractmethod
    async def _ask(self, look: Callable[[sqlite3.Connection], T]) -> T:
        """Run `look` in one read transaction."""

    async def change(self) -> int:
        return await self._ask(pictures.change)

    async def board(self, now: datetime, limits: BoardLimits) -> Board:
        return await self._ask(partial(pictures.board, now, limits, self._told))

    async def story(self, signal_id: str) -> Story | None:
        return await self._ask(partial(_story, signal_id))

    async def signals(self, where: SignalFilter, before_seq: int | None, limit: int) -> list[Signal]:
        return await self._ask(partial(_page, where, _LAST_SEQ if before_seq is None else before_seq, limit))

    async def last_signals(self, limit: int) -> list[Signal]:
        return await self._rows("last_signals", (limit,), signal_of)

    async def signal(self, signal_id: str) -> Signal | None:
        return await self._row("signal", (signal_id,), signal_of)

    async def attempts(self, after_seq: int, limit: int) -> list[Attempt]:
        return await self._rows("attempts", (after_seq, limit), attempt_of)

    async def last_tries(self, signal_seqs: Sequence[int]) -> Mapping[int, LastTry]:
        rows = await self._rows("last_tries", (json.dumps(list(signal_seqs)),), lambda row: row)
        return {seq: LastTry(Decimal(quantity), latency_s) for seq, quantity, latency_s in rows}

    async def fills(self, after_seq: int, limit: int) -> list[tuple[int, str, str, Fill]]:
        return await self._rows("fills", (after_seq, limit), lambda row: (row[0], row[1], row[2], fill_of(row[3:])))

    async def symbol_fills(self, symbol: str, since: datetime, until: datetime, limit: int) -> list[PlacedFill]:
        return await self._ask(partial(candles.fills_between, symbol, since, until, limit))

    async def candles(self, symbol: str, since: datetime, until: datetime, limit: int) -> list[Candle]:
        return await self._ask(partial(candles.candles_between, symbol, since, until, limit))

    async def symbols(self) -> list[str]:
        return await self._rows("candle_symbols", (), lambda row: str(row[0]))

    async def events(self, after_seq: int, limit: int, level: Level = Level.INFO) -> list[Event]:
        if level <= Level.INFO:
            return await self._rows("events", (after_seq, limit), event_of)
        return await self._rows("loud_events", (level.value, after_seq, limit), event_of)

    async def errors(self, before_seq: int | None, limit: int) -> list[Event]:
        return await self._rows("errors", (_LAST_SEQ if before_seq is None else before_seq, limit), event_of)

    async def journal(self, before_seq: int | None, limit: int) -> list[Event]:
        return await self._rows("journal_before", (_LAST_SEQ if before_seq is None else before_seq, limit), event_of)

    async def turns(self, trader: str, limit: int) -> list[Event]:
        return await self._rows("turns", (trader, limit), event_of)

    async def event(self, seq: int) -> Event | None:
        return await self._row("event", (seq,), event_of)

    async def alerts(self, *, resolved: bool, limit: int) -> list[Alert]:
        return await self._rows("resolved_alerts" if resolved else "open_alerts", (limit,), alert_of)

    async def traders(self) -> list[TraderState]:
        return await self._rows("traders", (), trader_of)

    async def positions(self) -> list[Position]:
        return await self._rows("positions", (), position_of)

    async def commands(self, before_id: int | None, limit: int) -> list[Command]:
        return await self._rows("commands", (_LAST_SEQ if before_id is None else before_id, limit), command_of)

    async def minutes(self, since: datetime, until: datetime) -> list[MinutePoint]:
        """Return the minutes that begin from `since`'s minute on and before `until`, oldest first.

        Minutes between two with figures are there too, with none; those before the first one are not.
        """
        return await self._ask(partial(pictures.minutes, since, until))

    async def latencies(self, since: datetime, until: datetime) -> Mapping[int, int]:
        return await self._ask(partial(pictures.latencies, since, until))

    async def totals(self) -> Totals:
        return await self._ask(pictures.totals)

    async def engine_facts(self) -> EngineFacts | None:
        return await self._row("snapshot", ("engine",), lambda row: facts_of(row[0]))

    async def readiness(self) -> ExecutionStatus | None:
        return await self._row("snapshot", ("readiness",), lambda row: status_of(row[0]))

    async def _rows(self, query: str, given: tuple[Any, ...], build: Callable[[Any], V]) -> list[V]:
        return await self._ask(partial(_rows, query, given, build))

    async def _row(self, query: str, given: tuple[Any, ...], build: Callable[[Any], V]) -> V | None:
        found = await self._rows(query, given, build)
        return found[0] if found else None


def _rows(query: str, given: Any, build: Callable[[Any], V], connection: sqlite3.Connection) -> list[V]:
    return [build(row) for row in connection.execute(named_queries()[query], given).fetchall()]


def _page(where: SignalFilter, before: int, limit: int, connection: sqlite3.Connection) -> list[Signal]:
    given = {
        "symbol": where.symbol,
        "source": where.source,
        "trader": where.trader,
        "before": before,
        "limit": limit,
    }
    if where.states:
        pages: Sequence[list[Signal]] = [
            _rows("signals_of_state", {**given, "state": state.value}, signal_of, connection)
            for state in sorted(where.states)
        ]
        return list(islice(merge(*pages, key=lambda signal: -signal.seq), limit))
    for field in ("symbol", "trader", "source"):
        if given[field] is not None:
            return _rows(f"signals_of_{field}", given, signal_of, connection)
    return _rows("signals_of_any", given, signal_of, connection)


def _story(signal_id: str, connection: sqlite3.Connection) -> Story | None:
    found = _rows("signal", (signal_id,), signal_of, connection)
    if not found and len(signal_id) >= PREFIX_MIN:
        found = _rows("signals_by_prefix", (signal_id, signal_id + "\U0010ffff"), signal_of, connection)
        if len(found) > 1:
            raise BadInput("signal", f"more than one begins with {signal_id}", "give more of it")
    if not found:
        return None
    signal = found[0]
    of_it = (signal.seq,)
    return Story(
        signal=signal,
        attempts=tuple(_rows("attempts_of_signal", of_it, attempt_of, connection)),
        fills=tuple(_rows("fills_of_signal", of_it, lambda row: (row[0], fill_of(row[1:])), connection)),
        events=tuple(_rows("events_of_signal", of_it, event_of, connection)),
    )
