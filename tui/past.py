"""The past on the screen: a clock that stands at a moment, a bridge that refuses wishes, and the transport that moves both."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from engine.clock import Clock, SystemClock
from engine.core.board import Board, ExecutionStatus
from engine.core.errors import BadInput
from engine.core.text import clean
from tui.bridge import Operator, StoreBridge
from tui.formatting import date_time
from tui.widgets.cells import Cell

if TYPE_CHECKING:
    from engine.store.base import Reader

SPEEDS: Final = (1, 10, 60)
MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)
PAST_STYLE: Final = "bold reverse $accent"
THE_PAST: Final = "this is the past: nothing can be done there"
FORMS: Final = "give 14:02, 14:02:11, 2026-11-27 14:02, -15m, first or last"

_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?(Z|[+-]\d{2}:?\d{2})?")
_BACK: Final = re.compile(r"-(\d{1,6})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
FIRST: Final = "first"
LAST: Final = "last"


class Placed(Protocol):
    """A journal entry and when it was written."""

    @property
    def seq(self) -> int: ...

    @property
    def at(self) -> datetime: ...


class Ends(Protocol):
    """The first and the last journal entry that are kept."""

    @property
    def first(self) -> Placed: ...

    @property
    def last(self) -> Placed: ...


class Journey(Protocol):
    """What moves a reader of the past about; see `engine.store.sqlite.past.reader`."""

    async def span(self) -> Ends: ...

    async def find(self, at: datetime) -> Placed | None: ...

    async def go(self, seq: int) -> Placed: ...


class PastClock(SystemClock):
    """A clock whose market's time stands where it is put. Waiting is real."""

    def __init__(self, at: datetime | None = None) -> None:
        self.at = at or SystemClock().wall()

    def wall(self) -> datetime:
        return self.at


def past_cells(clock: Clock) -> list[Cell]:
    """Return the block that stands in place of the mode while `clock` stands in the past, else nothing."""
    return [Cell(f" PAST {date_time(clock.at)} ", PAST_STYLE)] if isinstance(clock, PastClock) else []


def moment_of(text: str, around: datetime, end: datetime) -> datetime | str:
    """Return the moment that `text` names, or `FIRST` or `LAST`. Times without an offset are UTC, as on the screens.

    A time of day is that of `around`'s day, or of the day before where that comes after `end`; -15m is counted back from
    `around`. Raises BadInput.
    """
    words = text.strip()
    if words in (FIRST, LAST):
        return words
    try:
        if back := _BACK.fullmatch(words):
            return around - timedelta(**{_UNITS[back[2]]: int(back[1])})
        if clock := _CLOCK.fullmatch(words):
            hour, minute, second, offset = clock.groups()
            at = _aware(f"{around:%Y-%m-%d}T{int(hour):02}:{minute}:{second or '00'}{offset or ''}")
            return at - DAY if at > end else at
        return _aware(words)
    except (ValueError, OverflowError):
        raise BadInput("time", f"{clean(words, 40)!r} is none", FORMS) from None


def _aware(stated: str) -> datetime:
    at = datetime.fromisoformat(stated)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a move ended; `note` says why it is not where it was meant to go, or is empty."""

    at: datetime
    note: str = ""


class Transport:
    """Moves a reader and a clock through the journal: by entries, by minutes, to a time, or as time went by."""

    def __init__(self, clock: PastClock) -> None:
        self.clock = clock
        self.seq = 0
        self.speed = SPEEDS[0]
        self.is_playing = False
        self.moves = 0  # rises whenever what is shown may differ
        self._journey: Journey | None = None
        self._played_at = 0.0

    def take(self, journey: Journey) -> None:
        """Move this reader from here on."""
        self._journey = journey

    @property
    def journey(self) -> Journey:
        assert self._journey is not None, "the bridge opens it first"
        return self._journey

    async def seek(self, text: str) -> Arrival:
        """Go to a time as it is typed. Raises BadInput."""
        span = await self.journey.span()
        around = self.clock.at if self.seq else span.last.at
        wanted = moment_of(text, around, span.last.at)
        if isinstance(wanted, datetime):
            return await self.to_time(wanted)
        return await self.to_entry(span.first.seq if wanted == FIRST else span.last.seq)

    async def to_time(self, at: datetime) -> Arrival:
        """Stand at this time; before the first entry that is kept and after the last one there is nothing to show."""
        self.pause()
        span = await self.journey.span()
        found = await self.journey.find(at)
        if found is None:
            await self.to_entry(span.first.seq)
            return Arrival(
                self.clock.at, f"the journal is kept from {date_time(span.first.at)} on: this is its first entry"
            )
        if found.seq == span.last.seq and at > span.last.at:
            await self.to_entry(span.last.seq)
            return Arrival(self.clock.at, f"the journal ends at {date_time(span.last.at)}: this is its last entry")
        await self.journey.go(found.seq)
        self._stand(found.seq, at)
        return Arrival(at)

    async def to_entry(self, seq: int) -> Arrival:
        """Stand at this entry, at the time when it was written; one that is not there is the nearest end."""
        self.pause()
        there = await self.journey.go(seq)
        self._stand(there.seq, there.at)
        if there.seq == seq:
            return Arrival(there.at)
        return Arrival(there.at, "there is no entry before this one" if there.seq > seq else "this is the last entry")

    async def step(self, by: int) -> Arrival:
        """Go by so many entries."""
        return await self.to_entry(self.seq + by)

    async def minutes(self, by: int) -> Arrival:
        """Go by so many minutes."""
        try:
            at = self.clock.at + by * MINUTE
        except OverflowError:  # a damaged entry can say that it is of the last year that there is
            raise BadInput("time", "there is none beyond this one", FORMS) from None
        return await self.to_time(at)

    def play(self) -> None:
        """Let time go by from here, at `speed` times its pace."""
        self.is_playing, self._played_at = True, self.clock.machine()

    def pause(self) -> None:
        """Stand still."""
        self.is_playing = False

    def faster(self) -> None:
        """Take the next speed, after the last one the first."""
        self.speed = SPEEDS[(SPEEDS.index(self.speed) + 1) % len(SPEEDS)]

    async def tick(self) -> bool:
        """Go on as far as time went by while playing; says whether the end of the journal was come to."""
        if not self.is_playing:
            return False
        now, moves = self.clock.machine(), self.moves
        at = self.clock.at + timedelta(seconds=(now - self._played_at) * self.speed)
        self._played_at = now
        found, span = await self.journey.find(at), await self.journey.span()
        if moves != self.moves:
            return False  # it was sent elsewhere while the file was asked
        is_over = at >= span.last.at
        seq = span.last.seq if is_over else max(self.seq, found.seq if found else 0)
        await self.journey.go(seq)
        self._stand(seq, span.last.at if is_over else at)
        if is_over:
            self.pause()
        return is_over

    def _stand(self, seq: int, at: datetime) -> None:
        self.seq, self.clock.at = seq, at
        self.moves += 1

    @property
    def cell(self) -> Cell:
        """Return whether it plays, and how fast."""
        return Cell(f"▶ {self.speed}x", "bold $accent") if self.is_playing else Cell("‖", "bold $accent")


class PastBridge(StoreBridge):
    """The bridge to a store as it was where its transport stands. It takes no wishes."""

    refusal = THE_PAST

    def __init__(self, reader: Callable[[], Awaitable[Reader]], transport: Transport) -> None:
        super().__init__(reader, Operator("", read_only=True), clock=transport.clock)
        self.transport = transport

    async def open(self) -> None:
        await super().open()
        self.transport.take(self._reader)  # type: ignore[arg-type] # whoever makes this bridge gives it a reader of the past

    async def change(self) -> int:
        return self.transport.moves

    async def board(self) -> Board:
        return await self._reader.board(self.transport.clock.wall(), self._limits)

    async def readiness(self) -> ExecutionStatus | None:
        return None  # a diagnosis is made and shown, not kept
