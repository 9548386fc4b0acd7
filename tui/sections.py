"""Sections: how the detail screens tell something. A title, and rows with a label beside a text of any length."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from textual.content import Content

from engine.core.text import clean, figure
from tui.formatting import NOTHING, duration
from tui.widgets.cells import Cell, content

LABEL_WIDTH_MAX: Final = 34
PAIRED_WIDTH_MIN: Final = 68  # below that two columns of facts would each be too narrow to read
COLUMN_GAP: Final = 2
SENTENCE_LENGTH_MAX: Final = 2_000


Line = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A label and what it says. `wide` rows never share their line with another one."""

    label: Cell
    body: Line
    wide: bool = False

    @property
    def plain(self) -> str:
        """Return the row as text, for whoever reads it without colours."""
        return f"{self.label.text} {''.join(cell.text for cell in self.body)}".strip()


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a screen. `key` is stable between refreshes; `note` stands dim beside the title.

    `paired` sets rows in two columns where the width allows; `tone` is a style for a bar along the section's side.
    """

    key: str
    title: Cell
    rows: tuple[Row, ...]
    note: str = ""
    paired: bool = False
    tone: str = ""

    @property
    def plain(self) -> str:
        """Return the section as lines of text."""
        return "\n".join((self.title.text, *(row.plain for row in self.rows)))


def said(text: object, length_max: int = SENTENCE_LENGTH_MAX) -> str:
    """Return anything from outside as text that is safe to draw."""
    return clean(text if isinstance(text, str) else str(text), length_max)


def row(label: str, *body: Cell | str, wide: bool = False) -> Row:
    """Return a row with a dim label; its texts are cleaned here."""
    cells = tuple(Cell(said(c)) if isinstance(c, str) else Cell(said(c.text), c.style) for c in body)
    return Row(Cell(said(label, 80), "$muted"), cells, wide)


def empty(text: str) -> tuple[Row, ...]:
    """Return the rows of a section that has nothing to tell, and says so."""
    return (Row(Cell(""), (Cell(text, "$muted"),), wide=True),)


def offset(at: datetime, start: datetime) -> str:
    """Return how long after `start` something was: +84ms, +2m05s; a minus where clocks disagreed."""
    gap = at - start
    return f"-{duration(-gap.total_seconds())}" if gap < timedelta() else f"+{duration(gap.total_seconds())}"


def price(value: Decimal | None) -> str:
    """Return a price as read, see `figure`; a dash for none."""
    return NOTHING if value is None or not value.is_finite() else figure(value)


def mappings(value: object) -> list[Mapping[str, object]]:
    """Return the objects of a JSON list, whatever else may be in it or it may be."""
    items = value if isinstance(value, list | tuple) else ()
    return [item for item in items if isinstance(item, Mapping)]


def lay(section: Section, width: int) -> list[Content]:
    """Return the section's lines, without its title, for `width` cells. Long texts hang beside their label."""
    width = max(width, 10)
    if not section.paired or width < PAIRED_WIDTH_MIN:
        return _column(section.rows, width)
    half = (width - COLUMN_GAP) // 2
    label_width = _label_width(section.rows, half)
    lines: list[Content] = []
    narrow: list[Row] = []
    for item in (*section.rows, None):
        if item is not None and not item.wide:
            narrow.append(item)
            continue
        lines += _two_columns(narrow, half, label_width)
        narrow = []
        if item is not None:
            lines += _column((item,), width, label_width)
    return lines


def _two_columns(rows: list[Row], half: int, label_width: int) -> list[Content]:
    split = (len(rows) + 1) // 2
    columns = [_column(part, half, label_width) for part in (rows[:split], rows[split:])]
    height = max(len(column) for column in columns)
    left, right = (column + [Content("")] * (height - len(column)) for column in columns)
    return [Content.assemble(a.truncate(half, pad=True), " " * COLUMN_GAP, b) for a, b in zip(left, right, strict=True)]


def _column(rows: Iterable[Row], width: int, label_width: int | None = None) -> list[Content]:
    rows = list(rows)
    label_width = _label_width(rows, width) if label_width is None else label_width
    gap = COLUMN_GAP if label_width else 0
    lines = []
    for item in rows:
        body = content(item.body).wrap(max(width - label_width - gap, 1)) or [Content("")]
        label = content((item.label,)).truncate(label_width, ellipsis=True, pad=True)
        for n, line in enumerate(body):
            lines.append(Content.assemble(label if n == 0 else " " * label_width, " " * gap, line))
    return lines


def _label_width(rows: Iterable[Row], width: int) -> int:
    widest = max((content((item.label,)).cell_length for item in rows), default=0)
    return min(widest, LABEL_WIDTH_MAX, width * 2 // 5)
