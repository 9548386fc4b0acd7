"""What all screens that list something share: a table that keeps its row, a filter, a freeze, copying and export."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Final

from textual import on
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from engine.clock import Clock
from engine.core.events import Alert, Event
from tui.bridge import Bridge
from tui.filters import Choices, Filter, hint_of
from tui.formatting import foreign
from tui.memory import memory_of
from tui.messages import Rewound
from tui.panels.base import Entry
from tui.saving import save_lines
from tui.screens.trail import TrailScreen
from tui.stories import plain
from tui.widgets.cells import Cell, content
from tui.widgets.columns import Column, timed
from tui.widgets.filter_bar import FilterBar
from tui.widgets.live_table import LiveTable, Row

LIST: Final = Binding.Group("List")


class ListScreen(TrailScreen):
    """A screen that lists things, the newest first. A subclass gathers, and says what the rows are in `entries`.

    `thing` gives what a row stands for, for copying and export; `screen_of` what enter opens. Frozen, the table stands
    still while the counting goes on. In context, rows that the filter does not take stay, and `n` goes to those it takes.
    """

    DEFAULT_CSS = """
    ListScreen > #counts { height: 1; padding: 0 1; background: $surface; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/", id="list.filter", group=LIST),
        Binding(
            "full_stop", "freeze", "Freeze", key_display=".", id="list.freeze", group=LIST, tooltip="Rows stand still"
        ),
        Binding(
            "C", "times", "Ages or clock", show=False, id="list.times", group=LIST, tooltip="How long ago, or when"
        ),
        Binding("c", "context", "Context", show=False, id="list.context", group=LIST, tooltip="Matches among all rows"),
        Binding("n", "match(1)", "Next match", show=False, id="list.next", group=LIST),
        Binding("N", "match(-1)", "Match before", show=False, id="list.before", group=LIST),
        Binding("e", "export", "Export", show=False, id="list.export", group=LIST, tooltip="The rows shown, as a file"),
        Binding("y", "copy_id", "Copy id", show=False, id="list.copy_id", group=LIST),
        Binding("Y", "copy_json", "Copy JSON", show=False, id="list.copy_json", group=LIST),
    ]
    columns: ClassVar[Sequence[Column]]
    empty: ClassVar[str]
    choices: ClassVar[Choices] = {}
    follows: ClassVar[bool] = True

    def __init__(self, bridge: Bridge, *, clock: Clock | None = None) -> None:
        super().__init__(bridge, clock)
        self.filter = Filter()
        self.is_frozen = False
        self.is_in_context = False
        self.has_clock_times = False
        self.folder = Path()  # where exports go
        self._all: list[Entry] = []
        self._still: list[Entry] = []  # what a frozen table shows

    def body(self) -> Iterator[Widget]:
        yield Static("", id="counts", markup=False)
        table = LiveTable(self.columns, name=self.known_as, empty=self.empty, follows=self.follows)
        table.opens = self.opens
        yield table
        bar = FilterBar()
        bar.display = False
        yield bar

    def on_mount(self) -> None:
        super().on_mount()
        memory = memory_of(self.app)
        habit = memory.table(self.known_as)
        self.filter, self.has_clock_times = Filter(habit.filter), memory.habits.has_clock_times
        self.table.set_order(habit.sorting, is_wide=habit.is_wide)
        self.table.focus()

    @property
    def known_as(self) -> str:
        """Return the name under which the operator's choices for this table are kept."""
        return type(self).__name__.removesuffix("Screen").lower()

    @property
    def table(self) -> LiveTable:
        return self.query_one(LiveTable)

    @property
    def bar(self) -> FilterBar:
        return self.query_one(FilterBar)

    @abstractmethod
    def entries(self, now: datetime) -> list[Entry]:
        """Return all rows, newest first."""

    def decorated(self, row: Row) -> Row:
        """Return a row as it is shown, whatever the list adds to each of them."""
        return row

    def counts(self) -> list[Cell]:
        """Return what the line above the table says before the filter and the freeze."""
        return [Cell(f"{len(self._all)} rows", "$muted")]

    def thing(self, key: str) -> object | None:  # noqa: ARG002 - whoever overrides it needs the key
        """Return what the row called `key` stands for, as a value that JSON can tell; None if it is gone."""
        return None

    def opens(self, key: str) -> bool:  # noqa: ARG002 - whoever overrides it needs the key
        """Say whether there is more to tell of the row called `key`."""
        return True

    def screen_of(self, key: str) -> Screen[None] | None:  # noqa: ARG002 - whoever overrides it needs the key
        """Return the screen that tells of the row called `key`, or None if there is no more to tell."""
        return None

    async def draw(self, now: datetime) -> None:
        self._all = self.entries(now)
        if not self.is_frozen:
            self._show_rows()
        self._show_counts()

    def set_filter(self, text: str) -> None:
        """Show only rows that the filter takes; the empty text shows all."""
        self.filter = Filter(text)
        memory_of(self.app).note_table(self.known_as, filter=text)
        self._show_rows()
        self._show_counts()

    def action_filter(self) -> None:
        self.bar.ask(self.filter.text, hint_of(entry.facts for entry in self._entries()))

    def action_freeze(self) -> None:
        self.is_frozen = not self.is_frozen
        self._still = list(self._all) if self.is_frozen else []
        self._show_rows()
        self._show_counts()

    async def action_times(self) -> None:
        """Tell how long ago things were, or when, on every screen."""
        self.has_clock_times = not self.has_clock_times
        memory_of(self.app).note(has_clock_times=self.has_clock_times)
        await self.look()

    def action_context(self) -> None:
        """Show what the filter takes among all the others, or alone again."""
        self.is_in_context = not self.is_in_context
        self._show_rows()
        self._show_counts()

    def action_match(self, step: int) -> None:
        """Go to the next row (1) or the one before (-1) that the filter takes, round the end."""
        entries = self._entries()
        keys = [entry.row.key for entry in entries]
        here = keys.index(self.table.cursor_key) if self.table.cursor_key in keys else 0
        for way in range(1, len(entries) + 1):
            at = (here + step * way) % len(entries)
            if self.filter.takes(entries[at].facts):
                self.table.move_to(keys[at])
                return

    async def action_export(self) -> None:
        """Write the rows shown to a new file beside where the program was started."""
        things = ((row.key, self.thing(row.key)) for row in self.table.rows)
        lines = [plain(thing) for _, thing in things if thing is not None]
        name = self.trail[0].lower().replace(" ", "-")
        try:
            path = await asyncio.to_thread(save_lines, name, lines, self.clock.wall(), self.folder)
        except OSError as trouble:
            self.toast(f"not exported: {trouble.strerror or trouble}: {trouble.filename or self.folder}", "error")
        else:
            self.toast(f"{len(lines)} rows exported to {path.resolve()}")

    def action_back(self) -> None:
        """Clear the filter if there is one, else go back."""
        if self.filter:
            self.set_filter("")
        else:
            super().action_back()

    def action_copy_id(self) -> None:
        if (key := self.table.cursor_key) is not None:
            self.copy(key, "The id")

    def action_copy_json(self) -> None:
        key = self.table.cursor_key
        if key is not None and (thing := self.thing(key)) is not None:
            self.copy_as_json(thing, "The row")

    def moment(self) -> Rewound | None:
        """Return the moment of the row that the cursor is on: a journal entry, or when an alert was raised."""
        thing = self.thing(self.table.cursor_key) if self.is_mounted and self.table.cursor_key is not None else None
        if isinstance(thing, Alert):
            return Rewound(at=thing.raised_at)
        return Rewound(seq=thing.seq) if isinstance(thing, Event) else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "export" and self.app.is_web:
            return False  # the file would lie where the server runs, not where the visitor sits
        if action in {"copy_id", "copy_json", "export"} and self.is_mounted and self.table.cursor_key is None:
            return None
        if action in {"context", "match"} and not self.filter:
            return None
        return super().check_action(action, parameters)

    @on(Input.Changed)
    def _filter_typed(self, message: Input.Changed) -> None:
        if message.input is self.bar and self.bar.display:
            self.set_filter(message.value)

    @on(Input.Submitted)
    def _filter_taken(self) -> None:
        self.bar.display = False
        self.table.focus()

    @on(LiveTable.Selected)
    async def _open(self, message: LiveTable.Selected) -> None:
        message.stop()
        screen = self.screen_of(message.key)
        if screen is not None:
            await self.app.push_screen(screen)

    @on(LiveTable.Moved)
    def _moved(self, message: LiveTable.Moved) -> None:
        message.stop()
        self.refresh_bindings()

    def _entries(self) -> list[Entry]:
        return self._still if self.is_frozen else self._all

    def _show_rows(self) -> None:
        entries, is_met = self._entries(), self.filter.takes
        if self.filter and self.is_in_context:
            taken = [e.row._replace(style="bold $accent") if is_met(e.facts) else e.row for e in entries]
        else:
            taken = [e.row for e in entries if not self.filter or is_met(e.facts)]
        self.table.set_columns(timed(self.columns, has_clock_times=self.has_clock_times))
        is_told = self.filter and not taken
        excuse = self.filter.excuse((e.facts for e in entries), self.choices) if is_told else self.empty
        self.table.set_rows([self.decorated(row) for row in taken], empty=excuse)

    def _show_counts(self) -> None:
        cells = self._stillness() + self.counts()
        if self.filter:
            shown = sum(self.filter.takes(entry.facts) for entry in self._entries())
            cells += [
                Cell("  filter ", "$muted"),
                Cell(foreign(self.filter.text, 40), "$accent"),
                Cell(f"  {shown} match, n and N go there" if self.is_in_context else f"  {shown} shown"),
            ]
        self.query_one("#counts", Static).update(content(cells), layout=False)

    def _stillness(self) -> list[Cell]:
        """Say first, where no narrow screen cuts it off, that what is seen is not the newest."""
        if self.is_frozen:
            known = {entry.row.key for entry in self._still}
            fresh = sum(entry.row.key not in known for entry in self._all)
            return [Cell(f"FROZEN, {fresh} new; . goes on  ", "$stale")]
        return [Cell("held, g follows  ", "$stale")] if self.follows and self.table.is_held else []
