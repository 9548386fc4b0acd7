"""What all screens that list something share: a table that keeps its row, a filter, a freeze, copying and export."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import ClassVar, Final

from textual import on
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from engine.clock import Clock
from tui.bridge import Bridge
from tui.filters import Filter
from tui.formatting import foreign
from tui.panels.base import Entry
from tui.screens.trail import TrailScreen
from tui.stories import plain
from tui.widgets.cells import Cell, content
from tui.widgets.columns import Column
from tui.widgets.filter_bar import FilterBar
from tui.widgets.live_table import LiveTable

LIST: Final = Binding.Group("List")


class ListScreen(TrailScreen):
    """A screen that lists things, the newest first. A subclass gathers, and says what the rows are in `entries`.

    `thing` gives what a row stands for, for copying it; `screen_of` what enter opens. Frozen, the table stands still
    while the counting goes on.
    """

    DEFAULT_CSS = """
    ListScreen > #counts { height: 1; padding: 0 1; background: $surface; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/", id="list.filter", group=LIST),
        Binding(
            "full_stop", "freeze", "Freeze", key_display=".", id="list.freeze", group=LIST, tooltip="Rows stand still"
        ),
        Binding("y", "copy_id", "Copy id", show=False, id="list.copy_id", group=LIST),
        Binding("Y", "copy_json", "Copy JSON", show=False, id="list.copy_json", group=LIST),
    ]
    columns: ClassVar[Sequence[Column]]
    empty: ClassVar[str]
    follows: ClassVar[bool] = True

    def __init__(self, bridge: Bridge, *, clock: Clock | None = None) -> None:
        super().__init__(bridge, clock)
        self.filter = Filter()
        self.is_frozen = False
        self._all: list[Entry] = []
        self._frozen_at: frozenset[str] = frozenset()

    def body(self) -> Iterator[Widget]:
        yield Static("", id="counts", markup=False)
        yield LiveTable(self.columns, empty=self.empty, follows=self.follows)
        bar = FilterBar()
        bar.display = False
        yield bar

    def on_mount(self) -> None:
        super().on_mount()
        self.table.focus()

    @property
    def table(self) -> LiveTable:
        return self.query_one(LiveTable)

    @property
    def bar(self) -> FilterBar:
        return self.query_one(FilterBar)

    @abstractmethod
    def entries(self, now: datetime) -> list[Entry]:
        """Return all rows, newest first."""

    def counts(self) -> list[Cell]:
        """Return what the line above the table says before the filter and the freeze."""
        return [Cell(f"{len(self._all)} rows", "$muted")]

    def thing(self, key: str) -> object | None:  # noqa: ARG002 - whoever overrides it needs the key
        """Return what the row called `key` stands for, as a value that JSON can tell; None if it is gone."""
        return None

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
        self._show_rows()
        self._show_counts()

    def action_filter(self) -> None:
        self.bar.value = self.filter.text
        self.bar.display = True
        self.bar.focus()

    def action_freeze(self) -> None:
        self.is_frozen = not self.is_frozen
        self._frozen_at = frozenset(entry.row.key for entry in self._all)
        if not self.is_frozen:
            self._show_rows()
        self._show_counts()

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
            self.copy(json.dumps(plain(thing), ensure_ascii=False, indent=2), "The row as JSON")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in {"copy_id", "copy_json"} and self.is_mounted and self.table.cursor_key is None:
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

    def _show_rows(self) -> None:
        taken = [entry.row for entry in self._all if not self.filter or self.filter.takes(entry.facts)]
        self.table.set_rows(taken, empty="nothing matches the filter; esc clears it" if self.filter else self.empty)

    def _show_counts(self) -> None:
        cells = self.counts()
        if self.filter:
            shown = len(self.table.rows)
            cells += [
                Cell("  filter ", "$muted"),
                Cell(foreign(self.filter.text, 40), "$accent"),
                Cell(f"  {shown} shown"),
            ]
        if self.is_frozen:
            fresh = sum(entry.row.key not in self._frozen_at for entry in self._all)
            cells.append(Cell(f"  FROZEN, {fresh} new; . goes on", "$stale"))
        elif self.follows and self.table.is_held:
            cells.append(Cell("  held, g follows", "$stale"))
        self.query_one("#counts", Static).update(content(cells), layout=False)
