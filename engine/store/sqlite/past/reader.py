"""A reader of the past: every question of `Reader`, answered as of one entry of the journal.

What is true there is made in memory, in the schema of the file and within the bounds that `picture` states; the file is
read, never written and never locked, and an engine may be running on it. Of what neither a row nor the journal holds
(diagnoses, traders' latencies and accounts, repeated hand-ins, what retention has removed) there is nothing in it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from engine.core.board import Board, Story
from engine.core.errors import NotThere
from engine.core.events import Event, Level
from engine.core.values import Candle
from engine.store.base import BoardLimits
from engine.store.sqlite.codec import micros, moment
from engine.store.sqlite.past.damage import DAMAGE, broken_entry, broken_moment
from engine.store.sqlite.past.moments import position_of_time
from engine.store.sqlite.past.picture import SIGNALS_MAX, Picture
from engine.store.sqlite.queries import named_queries
from engine.store.sqlite.reader import SqliteReader
from engine.store.sqlite.reads import PREFIX_MIN, Reads
from engine.store.sqlite.rows import event_of

T = TypeVar("T")
_LAST_SEQ: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Moment:
    """An entry of the journal and when it was written."""

    seq: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """The first and the last entry that are kept."""

    first: Moment
    last: Moment


class PastReader(Reads):
    """Reads `path` as it was. It stands at the journal's last entry until it is told to go elsewhere.

    `signals_max` is how many of the newest signals it holds; a story of an older one is fetched when it is asked for.
    Raises NotThere if no store is there, or if its journal is empty.
    """

    def __init__(self, path: Path, *, inline: bool = False, signals_max: int = SIGNALS_MAX) -> None:
        super().__init__()
        self._file = SqliteReader(path, inline=inline)
        self._picture = Picture(signals_max)
        self._moved = 0

    async def close(self) -> None:
        """Let the file and what was made of it go. Safe to call twice."""
        if self._picture.connection is not None:
            await self._file._ask(lambda _: self._picture.close())
        await self._file.close()

    async def span(self) -> Span:
        """Return the ends of the journal as they are now: an engine may be adding to it."""
        return await self._file._ask(self._span)

    async def find(self, at: datetime) -> Moment | None:
        """Return the last entry that was written at `at` or before, None if the first that is kept came later."""
        return await self._file._ask(lambda kept: _moment(kept, position_of_time(kept, micros(at))))

    async def go(self, seq: int) -> Moment:
        """Stand at entry `seq`; one beyond an end of the journal is that end.

        Raises StoreBroken, and stays where it was, if what was true there cannot be told.
        """

        def there(kept: sqlite3.Connection) -> Moment:
            span = self._span(kept)
            wanted = min(max(seq, span.first.seq), span.last.seq)
            if wanted != self._picture.seq:
                try:
                    self._picture.go(kept, wanted)
                except DAMAGE as trouble:
                    raise broken_moment(wanted, trouble) from trouble
                self._told.clear()
                self._moved += 1
            return Moment(self._picture.seq, moment(self._picture.at))

        return await self._file._ask(there)

    # what is asked of a Reader

    async def change(self) -> int:
        return self._moved

    async def board(self, now: datetime, limits: BoardLimits) -> Board:
        board = await super().board(now, limits)
        engine = board.engine and replace(board.engine, beat_at=now, market_at=now)
        return replace(board, change=self._moved, engine=engine)

    async def story(self, signal_id: str) -> Story | None:
        await self._bring(signal_id)
        story = await super().story(signal_id)
        if story is None:
            return None
        events = await self._file.story(story.signal.id)
        until = tuple(e for e in events.events if e.seq <= self._picture.seq) if events else ()
        return replace(story, events=until)

    async def events(self, after_seq: int, limit: int, level: Level = Level.INFO) -> list[Event]:
        if level <= Level.INFO:
            return await self._journal("events_within", after_seq, self._picture.seq, limit)
        return await self._journal("loud_within", level.value, after_seq, self._picture.seq, limit)

    async def errors(self, before_seq: int | None, limit: int) -> list[Event]:
        return await self._file.errors(self._before(before_seq), limit)

    async def journal(self, before_seq: int | None, limit: int) -> list[Event]:
        return await self._file.journal(self._before(before_seq), limit)

    async def turns(self, trader: str, limit: int) -> list[Event]:
        return await self._journal("turns_until", trader, self._picture.seq, limit)

    async def event(self, seq: int) -> Event | None:
        return await self._file.event(seq) if seq <= self._picture.seq else None

    async def candles(self, symbol: str, since: datetime, until: datetime, limit: int) -> list[Candle]:
        """Return the candles that had closed; what is kept of them never changes."""
        await self._ask(lambda _: None)
        now_ms = self._picture.at // 1_000
        # One more than is asked for: the newest that had begun had most often not closed.
        found = await self._file.candles(symbol, since, min(until, moment(self._picture.at)), limit + 1)
        return [candle for candle in found if candle.closed_ms <= now_ms][-limit:]

    async def symbols(self) -> list[str]:
        return await self._file.symbols()

    async def _ask(self, look: Callable[[sqlite3.Connection], T]) -> T:
        if not self._picture.seq:
            await self.go(_LAST_SEQ)
        return await self._file._ask(lambda _: look(self._made))

    async def _journal(self, query: str, *given: Any) -> list[Event]:
        return await self._file._ask(lambda kept: [event_of(r) for r in kept.execute(named_queries()[query], given)])

    async def _bring(self, signal_id: str) -> None:
        def find(kept: sqlite3.Connection) -> None:
            query = named_queries()
            found = kept.execute(query["signal"], (signal_id,)).fetchall()
            if not found and len(signal_id) >= PREFIX_MIN:
                found = kept.execute(query["signals_by_prefix"], (signal_id, signal_id + "\U0010ffff")).fetchall()
            for row in found:
                self._picture.bring(kept, row[0])

        await self._ask(lambda _: None)
        await self._file._ask(find)

    def _before(self, seq: int | None) -> int:
        end = self._picture.seq + 1
        return end if seq is None else min(seq, end)

    def _span(self, kept: sqlite3.Connection) -> Span:
        first, last = kept.execute(named_queries()["journal_ends"]).fetchone()
        begin, end = _moment(kept, first), _moment(kept, last)
        if begin is None or end is None:
            raise NotThere(f"the journal of {self._file.path} is empty: nothing has happened there yet")
        return Span(begin, end)

    @property
    def _made(self) -> sqlite3.Connection:
        assert self._picture.connection is not None, "it has gone somewhere"
        return self._picture.connection


def _moment(kept: sqlite3.Connection, seq: int | None) -> Moment | None:
    if seq is None:
        return None
    ((found, at),) = kept.execute(named_queries()["event_from"], (seq,)).fetchall()
    try:
        return Moment(found, moment(at))
    except OverflowError:
        raise broken_entry(found, f"{at} is no time") from None
