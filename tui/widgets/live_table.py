"""A table for rows that change all the time.

It is drawn line by line: only lines that differ are painted again, whatever the number of rows. Cells are text, never
markup. The cursor belongs to a row's key, not to a line: rows may come and go around it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style as ThemeStyle

from tui.widgets.cells import Cell
from tui.widgets.columns import COLUMN_KEYS, GAP, Column, centred, fit, placed, spread, titled
from tui.widgets.sorting import Sorting, in_order

HEADER = 1  # lines above the rows
ZEBRA_ROWS_MIN = 12  # stripes only where there are more rows than the eye can keep apart
MOVES = Binding.Group("Move", compact=True)
SHIFT = 16  # cells that a wide table goes sideways at a time


class Row(NamedTuple):
    """One row: `key` is unique in the table, `style` lies under the cells' own styles."""

    key: str
    cells: tuple[Cell, ...]
    style: str = ""


class LiveTable(ScrollView, can_focus=True):
    """A table with a row cursor. `follows` keeps the cursor on the first row until somebody moves it or the view.

    From then on the view is held: rows that come in above push nothing that is seen off its line.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "live-table--header",
        "live-table--cursor",
        "live-table--zebra",
        "live-table--empty",
    }

    DEFAULT_CSS = """
    LiveTable {
        height: 1fr;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        & .live-table--header { color: $muted; }
        & .live-table--empty { color: $muted; }
        & .live-table--zebra { background: $foreground 3%; }
        & .live-table--cursor { background: $foreground 9%; }
        &:focus .live-table--cursor { background: $accent 28%; text-style: bold; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "step(1)", "Down", show=False, id="table.down", group=MOVES),
        Binding("k,up", "step(-1)", "Up", show=False, id="table.up", group=MOVES),
        Binding("g,home", "edge(-1)", "First row", show=False, id="table.first", group=MOVES),
        Binding("G,end", "edge(1)", "Last row", show=False, id="table.last", group=MOVES),
        Binding("ctrl+f,pagedown", "page(1)", "Page down", show=False, id="table.page_down", group=MOVES),
        Binding("ctrl+b,pageup", "page(-1)", "Page up", show=False, id="table.page_up", group=MOVES),
        Binding("enter", "select", "Open", id="table.select", group=MOVES),
        *COLUMN_KEYS,
    ]

    class Selected(Message):
        """Enter, or a click on the row that the cursor is on."""

        def __init__(self, table: LiveTable, key: str) -> None:
            super().__init__()
            self.table, self.key = table, key

        @property
        def control(self) -> LiveTable:
            return self.table

    class Moved(Message):
        """The cursor went to another row; `key` is None when there are no rows."""

        def __init__(self, table: LiveTable, key: str | None) -> None:
            super().__init__()
            self.table, self.key = table, key

        @property
        def control(self) -> LiveTable:
            return self.table

    class Rearranged(Message):
        """The operator wants the rows in another order, or other columns."""

        def __init__(self, table: LiveTable) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> LiveTable:
            return self.table

    def __init__(
        self, columns: Sequence[Column], *, name: str | None = None, empty: str = "", follows: bool = False
    ) -> None:
        super().__init__(name=name)
        self.columns = tuple(columns)
        self.empty = empty
        self.opens: Callable[[str], bool] = lambda _: True  # whether there is more to tell of a row
        self.follows = follows
        self.sorting = Sorting()
        self.is_wide = False
        self._shift = 0  # cells that are out of sight at the left of a wide table
        self._given: tuple[Row, ...] = ()
        self._rows: tuple[Row, ...] = ()
        self._places: dict[str, int] = {}
        self._cursor: int = 0
        self._cursor_key: str | None = None
        self._held = not follows
        self._width = -1
        self._layout: list[tuple[int, int]] = []
        self._styles_by_name: dict[str, Style] = {}
        self._bases: dict[tuple[str, bool, bool], Style] = {}
        self._strips: LRUCache[tuple[Row, bool, bool], Strip] = LRUCache(512)

    @property
    def rows(self) -> tuple[Row, ...]:
        return self._rows

    @property
    def cursor_key(self) -> str | None:
        """Return the key of the row that the cursor is on, or None without rows."""
        return self._cursor_key

    @property
    def is_held(self) -> bool:
        """Say whether the cursor stays with its row while others come in above."""
        return self._held and self._cursor > 0

    def set_rows(self, rows: Sequence[Row], *, empty: str | None = None) -> None:
        """Show these rows, in the order that the operator wants. Keys must be unique. Only changed lines are painted."""
        if empty is not None and empty != self.empty:
            self.empty = empty
            self.refresh()
        given = tuple(rows)
        if given != self._given:
            self._given = given
            self._order()

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show these columns, which have the same keys as those before."""
        if self.columns != tuple(columns):
            self.columns, self._width = tuple(columns), -1
            self.refresh()

    def set_order(self, sorting: Sorting, *, is_wide: bool = False) -> None:
        """Show the rows in this order, and every column in full if `is_wide`. A column that is not there is passed over."""
        known = sorting.column in {"", *(column.key for column in self.columns)}
        self.sorting, self.is_wide, self._shift = sorting if known else Sorting(), is_wide, 0
        self._width = -1  # the header says it, and the columns have other widths
        self._order()
        self.refresh()

    def _order(self) -> None:
        before, after = self._rows, self._given
        if self.sorting != Sorting():
            at = next((n for n, column in enumerate(self.columns) if column.key == self.sorting.column), 0)
            after = tuple(in_order(after, self.sorting, lambda row: row.cells[at].text if at < len(row.cells) else ""))
        if before == after:
            return
        self._rows = after
        self._places = {row.key: at for at, row in enumerate(after)}
        assert len(self._places) == len(after), "two rows have the same key"
        moved_by = self._place_cursor()
        if self.is_wide:
            self._width = -1
        if len(before) != len(after):
            size = Size(self.size.width, len(after) + HEADER)
            self.set_reactive(LiveTable.virtual_size, size)  # assigned, it would have the whole screen laid out again
            self._scroll_update(size)  # the scrollbar alone depends on it
        if not self._follow_cursor(moved_by):
            self._paint_changes(before, after)

    def move_to(self, key: str) -> bool:
        """Put the cursor on the row called `key`; says whether there is one."""
        if key not in self._places:
            return False
        self._held = True
        self._go(self._places[key])
        return True

    def _place_cursor(self) -> int:
        """Find the cursor's row again; returns by how many lines it moved."""
        was, was_key = self._cursor, self._cursor_key
        if not self._rows:
            self._cursor, self._cursor_key = 0, None
        elif not self._held:
            self._cursor, self._cursor_key = 0, self._rows[0].key
        else:
            at = self._places.get(was_key) if was_key is not None else None
            self._cursor = min(was, len(self._rows) - 1) if at is None else at
            self._cursor_key = self._rows[self._cursor].key
        if self._cursor_key != was_key:
            self.post_message(self.Moved(self, self._cursor_key))
        return self._cursor - was

    def _follow_cursor(self, moved_by: int) -> bool:
        """Keep the cursor's row on its line of the screen; says whether all lines have to be painted."""
        if not moved_by:
            return False
        top = self.scroll_offset.y
        wanted = top + moved_by if self._held and (top or self.follows) else top
        wanted = min(max(wanted, self._cursor - self._lines + 1), self._cursor)
        if wanted == top:
            return False
        self.scroll_to(y=wanted, animate=False, immediate=True, force=True)
        self.refresh()
        return True

    def _paint_changes(self, before: tuple[Row, ...], after: tuple[Row, ...]) -> None:
        if not before or not after or (len(before) > ZEBRA_ROWS_MIN) != (len(after) > ZEBRA_ROWS_MIN):
            self.refresh()
            return
        top = self.scroll_offset.y
        changed = [self._cursor]
        for at in range(top, top + self._lines):
            old = before[at] if at < len(before) else None
            if old is not (new := after[at] if at < len(after) else None) and old != new:
                changed.append(at)
        self._paint(*changed)

    def _paint(self, *places: int) -> None:
        """Have these rows painted again; all at once, since Textual measures the widget anew for each call."""
        first, width = HEADER - self.scroll_offset.y, self.size.width
        self.refresh(*(Region(0, first + at, width, 1) for at in places))

    @property
    def _lines(self) -> int:
        return max(1, self.size.height - HEADER)

    def _go(self, at: int) -> None:
        if not self._rows:
            return
        at = min(max(at, 0), len(self._rows) - 1)
        was, self._cursor, self._cursor_key = self._cursor, at, self._rows[at].key
        self._paint(was, at)
        top = self.scroll_offset.y
        wanted = min(max(top, at - self._lines + 1), at)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, immediate=True, force=True)
        self.post_message(self.Moved(self, self._cursor_key))

    def action_step(self, by: int) -> None:
        self._held = True
        self._go(self._cursor + by)

    def action_edge(self, towards: int) -> None:
        self._held = towards > 0 or not self.follows
        self._go(0 if towards < 0 else len(self._rows) - 1)

    def action_page(self, towards: int) -> None:
        self._held = True
        self._go(self._cursor + towards * self._lines)

    def action_select(self) -> None:
        if self._cursor_key is not None:
            self.post_message(self.Selected(self, self._cursor_key))

    def action_sort(self) -> None:
        shown = [self.columns[i].key for i, _ in self._layout if self.columns[i].title]
        self._rearrange(self.sorting.next(shown), is_wide=self.is_wide)

    def action_reverse(self) -> None:
        self._rearrange(self.sorting._replace(is_reversed=not self.sorting.is_reversed), is_wide=self.is_wide)

    def action_widen(self) -> None:
        self._rearrange(self.sorting, is_wide=not self.is_wide)

    def action_shift(self, towards: int) -> None:
        furthest = max(0, self._needed - self._width)
        self._shift = min(max(self._shift + towards * SHIFT, 0), furthest)
        self.refresh()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "shift" and not self.is_wide:
            return False
        if action == "select":
            return True if self._cursor_key is not None and self.opens(self._cursor_key) else None
        return super().check_action(action, parameters)

    def _rearrange(self, sorting: Sorting, *, is_wide: bool) -> None:
        self.set_order(sorting, is_wide=is_wide)
        self.post_message(self.Rearranged(self))

    def on_click(self, event: events.Click) -> None:
        at = event.y + self.scroll_offset.y - HEADER
        if event.y < HEADER or at >= len(self._rows):
            return
        again = at == self._cursor
        self._held = True
        self._go(at)
        if again and event.chain > 1:
            self.action_select()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Hold a view that the wheel or the scrollbar has moved, with the cursor on a row that is seen."""
        super().watch_scroll_y(old_value, new_value)
        top = self.scroll_offset.y
        at = min(max(self._cursor, top), top + self._lines - 1)
        if self._rows and at != self._cursor:
            self._held = True
            self._go(at)

    def on_resize(self, event: events.Resize) -> None:
        self.virtual_size = Size(event.size.width, len(self._rows) + HEADER)
        self.refresh()
        if self._rows and self._cursor >= self.scroll_offset.y + max(1, event.size.height - HEADER):
            self.call_after_refresh(self._go, self._cursor)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()
        self._bases.clear()
        self._styles_by_name.clear()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if width != self._width:  # the scrollbar has come or gone, too
            self._width, self._layout = width, self._laid(width)
            self._strips.clear()
        if y < HEADER:
            return self._header(width)
        at = y - HEADER + self.scroll_offset.y
        if at < len(self._rows):
            strip = self._row_strip(at)
            return strip.crop(self._shift, self._shift + width) if self.is_wide else strip
        if not self._rows and (at := y - HEADER - max(0, (self.size.height - HEADER) // 3)) >= 0:
            style = self.get_component_rich_style("live-table--empty")
            return Strip([Segment(centred(self.empty, at, width, width - 2 * GAP), style)])
        return Strip.blank(width, self.rich_style)

    def _laid(self, width: int) -> list[tuple[int, int]]:
        return spread(self.columns, [row.cells for row in self._rows]) if self.is_wide else fit(self.columns, width)

    @property
    def _needed(self) -> int:
        return sum(size + GAP for _, size in self._layout)

    def _header(self, width: int) -> Strip:
        style = self.get_component_rich_style("live-table--header")
        by, sign = self.sorting.column, "↓" if self.sorting.is_reversed else "↑"
        titles = ((self.columns[i], size) for i, size in self._layout)
        line = "".join(titled(column, size, sign if column.key == by else "") for column, size in titles)
        strip = Strip([Segment(line, style)]).adjust_cell_length(max(width, cell_len(line)), style)
        return strip.crop(self._shift, self._shift + width)

    def _row_strip(self, at: int) -> Strip:
        row, under_cursor = self._rows[at], at == self._cursor and (self._held or self.has_focus)
        striped = at % 2 == 1 and len(self._rows) > ZEBRA_ROWS_MIN
        cache_key = (row, under_cursor, striped)
        strip = self._strips.get(cache_key)
        if strip is None:
            strip = self._strips[cache_key] = self._draw(row, self._base((row.style, under_cursor, striped)))
        return strip

    def _base(self, kind: tuple[str, bool, bool]) -> Style:
        base = self._bases.get(kind)
        if base is None:
            name, under_cursor, striped = kind
            base = self.rich_style + self._style(name)
            if under_cursor or striped:
                part = "live-table--cursor" if under_cursor else "live-table--zebra"
                base += self.get_component_rich_style(part, partial=False)
            self._bases[kind] = base
        return base

    def _draw(self, row: Row, base: Style) -> Strip:
        segments = [
            Segment(placed(row.cells[i], self.columns[i], size), base + self._style(row.cells[i].style))
            for i, size in self._layout
            if i < len(row.cells)
        ]
        return Strip(segments).adjust_cell_length(max(self._width, self._needed if self.is_wide else 0), base)

    def _style(self, name: str) -> Style:
        style = self._styles_by_name.get(name)
        if style is None:
            parsed = ThemeStyle.parse(name, self.app.theme_variables) if name else ThemeStyle()
            style = self._styles_by_name[name] = parsed.rich_style
        return style
