"""The log: the journal as it is written, every level, as far back as somebody scrolls."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, Final

from textual import on
from textual.binding import Binding, BindingType
from textual.screen import Screen

from engine.clock import Clock
from engine.core.errors import SignalDeckError
from engine.core.events import Event, Level
from tui.bridge import Bridge
from tui.filters import LEVEL_CHOICES
from tui.panels.base import Entry
from tui.panels.errors import ErrorsPanel, error_entry
from tui.screens.listing import LIST, ListScreen
from tui.widgets.cells import Cell
from tui.widgets.live_table import LiveTable

PAGE: Final = 500
KEPT_MAX: Final = 5_000  # entries; beyond that the oldest are let go, and read again when somebody scrolls there


class LogScreen(ListScreen):
    """Follows the journal, newest first. Whoever moves to the last row gets the page before it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("exclamation_mark", "loud", "Errors only", key_display="!", id="log.loud", group=LIST),
    ]
    empty = "the journal is empty"
    tells_a_moment = True
    columns = ErrorsPanel.columns
    choices = LEVEL_CHOICES

    def __init__(self, bridge: Bridge, *, clock: Clock | None = None) -> None:
        super().__init__(bridge, clock=clock)
        self.is_loud = False
        self._known: dict[int, tuple[Event, Entry]] = {}  # newest first
        self._is_whole = False  # the oldest entry of the journal is among them

    @property
    def trail(self) -> tuple[str, ...]:
        return ("Log", "errors and warnings" if self.is_loud else "everything in the journal")

    async def gather(self) -> None:
        """Read what is newer than what is known; after a leap that is too long, start with the newest page."""
        newest = next(iter(self._known), None)
        if newest is not None:
            fresh = await self.bridge.ask(lambda store: store.events(newest, PAGE, self._level))
            if len(fresh) < PAGE:
                self._keep([*reversed(fresh), *(event for event, _ in self._known.values())], KEPT_MAX)
                return
        self._keep(await self._page(None), PAGE)

    async def draw(self, now: datetime) -> None:
        """Draw what is known; what is held and no longer known in full is frozen as it stood."""
        is_whole = not self._all or int(self._all[-1].row.key) in self._known
        if not is_whole and not self.is_frozen and self.table.is_held:
            self.action_freeze()
        await super().draw(now)

    async def older(self) -> None:
        """Read the page before the oldest entry that is known."""
        if self._is_whole or not self._known or len(self._known) >= KEPT_MAX:
            return
        before = next(reversed(self._known))
        page = await self._page(before)
        self._is_whole = not page
        if page and before == next(reversed(self._known), None):
            self._keep([*(event for event, _ in self._known.values()), *page], KEPT_MAX)

    def entries(self, now: datetime) -> list[Entry]:  # noqa: ARG002 - what was written does not age
        return [entry for _, entry in self._known.values()]

    def counts(self) -> list[Cell]:
        loud = sum(event.level >= Level.WARNING for event, _ in self._known.values())
        cells = [
            Cell(f"{len(self._known)} entries", "$muted"),
            Cell(f"  {loud} loud", "$warning" if loud else "$muted"),
        ]
        if len(self._known) >= KEPT_MAX:
            cells.append(Cell("  no more fit here: signaldeck export events has all", "$muted"))
        elif not self._is_whole:
            cells.append(Cell("  older ones at the end (G)", "$muted"))
        return cells

    def thing(self, key: str) -> Event | None:
        known = self._known.get(int(key))
        return known[0] if known else None

    def screen_of(self, key: str) -> Screen[None] | None:
        from tui.screens.error import ErrorScreen  # loaded with the first that is opened

        event = self.thing(key)
        return None if event is None else ErrorScreen(self.bridge, event, clock=self.clock)

    async def action_loud(self) -> None:
        """Show warnings and errors only, or everything again."""
        self.is_loud = not self.is_loud
        self._known, self._all, self._is_whole, self._change = {}, [], False, None
        await self.look()

    @on(LiveTable.Moved)
    async def _at_the_end(self, message: LiveTable.Moved) -> None:
        if (
            message.key is None
            or self.filter
            or self.is_frozen
            or int(message.key) != next(reversed(self._known), None)
        ):
            return
        try:
            await self.older()
        except SignalDeckError as trouble:
            self.toast(str(trouble), "error")
        else:
            await self.draw(self.now)

    @property
    def _level(self) -> Level:
        return Level.WARNING if self.is_loud else Level.INFO

    async def _page(self, before: int | None) -> list[Event]:
        if self.is_loud:
            return await self.bridge.ask(lambda store: store.errors(before, PAGE))
        return await self.bridge.ask(lambda store: store.journal(before, PAGE))

    def _keep(self, events: Iterable[Event], count_max: int) -> None:
        kept: dict[int, tuple[Event, Entry]] = {}
        for event in events:
            if len(kept) == count_max:
                self._is_whole = False
                break
            kept[event.seq] = self._known.get(event.seq) or (event, error_entry(event))
        if len(kept) < PAGE:
            self._is_whole = True  # a page that is not full was the last
        self._known = kept
