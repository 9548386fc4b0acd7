"""The errors by kind: how many of each, since when, how they came in the last hour; and the errors of one kind."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from textual.screen import Screen

from engine.clock import Clock
from engine.core.events import Event
from engine.core.text import counted
from tui.bridge import Bridge
from tui.charts import sparkline
from tui.filters import LEVEL_CHOICES
from tui.fingerprints import ErrorKind, Fingerprint, fingerprint, with_errors
from tui.formatting import beside, clock_time, foreign, level_cell, level_words, since
from tui.panels.base import Entry
from tui.panels.errors import ErrorsPanel, error_entry
from tui.screens.listing import ListScreen
from tui.widgets.cells import Cell
from tui.widgets.columns import Column
from tui.widgets.live_table import Row

PAGE: Final = 1_000
COUNTED_MAX: Final = 10_000  # errors that are read when the screen opens, the newest ones
LISTED_MAX: Final = 2_000  # of one kind
SPARK_WIDTH: Final = 30  # two minutes a cell


def key_of(mark: Fingerprint) -> str:
    """Return a kind's key in the table."""
    return "\n".join(mark)


def kind_entry(kind: ErrorKind, now: datetime) -> Entry:
    """Return a kind's row."""
    mark = kind.mark
    pairs = kind.per_minute(now)
    two_each = [a + b for a, b in zip(pairs[::2], pairs[1::2], strict=True)]
    spark = sparkline([n or None for n in two_each], SPARK_WIDTH, low=0)
    trader, code, words = foreign(mark.trader, 60), foreign(mark.code, 40), foreign(mark.words)
    level = level_cell(kind.level)
    cells = (
        Cell(str(kind.count), "bold"),
        level,
        Cell(spark, "$muted"),
        Cell(since(kind.newest.at, now)),
        Cell(since(kind.first_at, now), "$muted"),
        Cell(trader.removeprefix("trader_")),
        Cell(code, "$muted"),
        Cell(beside(trader, words)),
    )
    return Entry(
        Row(key_of(mark), cells), {"level": level_words(kind.level), "trader": trader, "code": code, "text": words}
    )


class ErrorKindsScreen(ListScreen):
    """Lists the kinds of errors, those that came last on top."""

    empty = "no errors yet"
    choices = LEVEL_CHOICES
    columns = (
        Column("count", "count", 6, align="right"),
        Column("level", "", 4),
        Column("hour", "the last hour", SPARK_WIDTH, rank=3),
        Column("newest", "last", 4, align="right"),
        Column("first", "first", 5, align="right", rank=2),
        Column("trader", "trader", 12, rank=1),
        Column("code", "code", 12, rank=4),
        Column("words", "what, with # for numbers and ids", 36, grows=True),
    )
    follows = False

    def __init__(self, bridge: Bridge, *, clock: Clock | None = None) -> None:
        super().__init__(bridge, clock=clock)
        self._kinds: dict[Fingerprint, ErrorKind] = {}
        self._newest: int | None = None
        self._counted = 0

    @property
    def trail(self) -> tuple[str, ...]:
        return ("Errors by kind",)

    async def gather(self) -> None:
        """Count in what came since; the first time, what there is, back to a bound."""
        fresh: list[Event] = []
        before: int | None = None
        known = self._newest or 0
        while len(fresh) < COUNTED_MAX:
            start = before
            page = await self.bridge.ask(lambda store: store.errors(start, PAGE))  # noqa: B023 - asked before it turns
            fresh += [event for event in page if event.seq > known]
            if len(page) < PAGE or page[-1].seq <= known:
                break
            before = page[-1].seq
        if fresh:
            self._newest = fresh[0].seq
            self._counted += len(fresh)
            self._kinds = with_errors(self._kinds, reversed(fresh))

    def entries(self, now: datetime) -> list[Entry]:
        kinds = sorted(self._kinds.values(), key=lambda kind: -kind.newest.seq)
        return [kind_entry(kind, now) for kind in kinds]

    def counts(self) -> list[Cell]:
        kinds = counted(len(self._kinds), "kind")
        return [Cell(kinds, "bold"), Cell(f"  of the newest {self._counted} errors", "$muted")]

    def thing(self, key: str) -> ErrorKind | None:
        code, trader, words = key.split("\n", 2)
        return self._kinds.get(Fingerprint(code, trader, words))

    def screen_of(self, key: str) -> Screen[None] | None:
        kind = self.thing(key)
        return None if kind is None else OneKindScreen(self.bridge, kind.mark, clock=self.clock)


class OneKindScreen(ListScreen):
    """Lists the errors of one kind, newest first."""

    empty = "none of this kind is among the newest errors"
    tells_a_moment = True
    columns = ErrorsPanel.columns
    choices = LEVEL_CHOICES

    def __init__(self, bridge: Bridge, mark: Fingerprint, *, clock: Clock | None = None) -> None:
        super().__init__(bridge, clock=clock)
        self.mark = mark
        self._events: dict[str, Event] = {}
        self._newest = 0

    @property
    def trail(self) -> tuple[str, ...]:
        return ("Errors by kind", " ".join(part for part in (self.mark.code, self.mark.trader) if part))

    async def gather(self) -> None:
        before: int | None = None
        found: list[Event] = []
        looked, newest = 0, self._newest
        while looked < COUNTED_MAX and len(found) < LISTED_MAX:
            start = before
            page = await self.bridge.ask(lambda store: store.errors(start, PAGE))  # noqa: B023 - asked before it turns
            fresh = [event for event in page if event.seq > newest]
            found += [event for event in fresh if fingerprint(event) == self.mark]
            self._newest = max(self._newest, page[0].seq if page else 0)
            looked += len(page)
            if len(fresh) < PAGE:
                break
            before = page[-1].seq
        fresh_first = [*found, *self._events.values()][:LISTED_MAX]
        self._events = {str(event.seq): event for event in fresh_first}

    def entries(self, now: datetime) -> list[Entry]:  # noqa: ARG002 - what happened does not age
        return [error_entry(event) for event in self._events.values()]

    def counts(self) -> list[Cell]:
        span = ""
        if self._events:
            events = list(self._events.values())
            span = f"  from {clock_time(events[-1].at)} to {clock_time(events[0].at)}"
        return [Cell(f"{len(self._events)} of this kind", "bold"), Cell(span, "$muted")]

    def thing(self, key: str) -> Event | None:
        return self._events.get(key)

    def screen_of(self, key: str) -> Screen[None] | None:
        from tui.screens.error import ErrorScreen  # loaded with the first that is opened

        event = self.thing(key)
        return None if event is None else ErrorScreen(self.bridge, event, clock=self.clock)
