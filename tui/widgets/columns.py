"""Columns of a table, and how many of them a width has room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from textwrap import wrap
from typing import Final, Literal

from rich.cells import cell_len, set_cell_size
from textual.binding import Binding, BindingType

from tui.widgets.cells import Cell

GAP: Final = 1  # cells between two columns, and before the first
TRIM: Final = "…"
TIME_WIDTH: Final = 8
SHOWS: Final = Binding.Group("Columns", compact=True)
COLUMN_KEYS: Final[list[BindingType]] = [
    Binding("s", "sort", "Sort", show=False, id="table.sort", group=SHOWS, tooltip="By the next column"),
    Binding("S", "reverse", "Reverse", show=False, id="table.reverse", group=SHOWS, tooltip="The other way round"),
    Binding("w", "widen", "Wide", show=False, id="table.wide", group=SHOWS, tooltip="All columns, all their text"),
    Binding("h,left", "shift(-1)", "Left", show=False, id="table.left", group=SHOWS),
    Binding("l,right", "shift(1)", "Right", show=False, id="table.right", group=SHOWS),
]
WIDE_MAX: Final = 160  # cells of one column of a wide table, however long its texts are


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `width` cells wide, or at least that if `grows`.

    `rank` says how soon it goes when there is no room: the highest first, 0 never. Of the growing columns that are left
    the last one takes the rest.
    """

    key: str
    title: str
    width: int
    align: Literal["left", "right"] = "left"
    rank: int = 0
    grows: bool = False


def timed(columns: Sequence[Column], *, has_clock_times: bool) -> tuple[Column, ...]:
    """Return the columns with room for a time of day in place of an age, if that is wanted."""
    if not has_clock_times:
        return tuple(columns)
    return tuple(replace(c, title="time", width=TIME_WIDTH) if c.key == "age" else c for c in columns)


def fit(columns: Sequence[Column], width: int) -> list[tuple[int, int]]:
    """Return (index, width) of the columns that fit into `width` cells, in order."""
    chosen = list(range(len(columns)))

    def needed() -> int:
        return sum(columns[i].width + GAP for i in chosen)

    while needed() > width:
        going = max(chosen, key=lambda i: (columns[i].rank, i))
        if columns[going].rank == 0:
            break
        chosen.remove(going)
    rest = max(0, width - needed())
    growing = [i for i in chosen if columns[i].grows]
    return [(i, columns[i].width + (rest if growing and i == growing[-1] else 0)) for i in chosen]


def spread(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> list[tuple[int, int]]:
    """Return (index, width) of all columns, each as wide as its longest text is, within `WIDE_MAX`."""
    widths = []
    for at, column in enumerate(columns):
        longest = max((cell_len(cells[at].text) for cells in rows if at < len(cells)), default=0)
        widths.append((at, max(column.width, min(longest, WIDE_MAX))))
    return widths


def centred(text: str, at: int, width: int, room: int) -> str:
    """Return line `at` of a text that is broken into lines of `room` cells and stands in the middle of `width`."""
    lines = wrap(text, max(1, room))
    line = trim(lines[at], room) if at < len(lines) else ""
    return set_cell_size(" " * max(0, (width - cell_len(line)) // 2) + line, width)


def trim(text: str, width: int) -> str:
    """Return `text` within `width` cells; what was cut is told by a sign."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + TRIM if width > 0 else ""


def placed(cell: Cell, column: Column, width: int) -> str:
    """Return a cell's text in its column: `width` cells, and the gap before them."""
    text = trim(cell.text, width)
    missing = " " * max(0, width - cell_len(text))
    return " " * GAP + (missing + text if column.align == "right" else text + missing)


def titled(column: Column, width: int, sign: str = "") -> str:
    """Return a column's title as `placed` has it, with `sign` in the gap before it: no title moves for one."""
    text = placed(Cell(column.title), column, width)
    at = len(text) - len(text.lstrip())
    return f"{text[: at - 1]}{sign}{text[at:]}" if sign else text
