"""Candles as text: a pure presenter. Prices stand upright, half a cell each; times along, one column a bar.

Up and down differ in shape as well as in colour: the body of a rising bar is a slim line, that of a falling one fills its
cells. What is missing stays empty and is dotted as missing: nothing is ever drawn in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from itertools import groupby, pairwise
from math import isfinite
from typing import Final, NamedTuple

from textual.content import Content
from textual.geometry import Size

from engine.core.values import Candle
from tui.axes import Ladder, price_text, time_labels
from tui.widgets.cells import Cell, content

AXIS: Final = 12  # cells of the price axis on the right
VOLUME_FROM: Final = 20  # lines from which one of them shows the volume
MARGIN_FROM: Final = 6  # lines of prices from which the first and the last are kept free for marks
HEIGHT_MIN: Final = 3
WIDTH_MIN: Final = AXIS + 8
DOTS_NAMED_FROM: Final = 14  # columns of a gap from which it is named
FIGURE_MAX: Final = 1e300  # what is larger, or no number, cannot be drawn to scale
LEVEL_STRETCH: Final = 1.0  # how much wider, in shares of their own span, prices may get to hold a level
VOLUME_BLOCKS: Final = "▁▂▃▄▅▆▇█"

# By what a cell's upper and lower half hold: nothing, the wick, the body.
_RISING: Final[Mapping[tuple[int, int], str]] = {
    (1, 1): "│", (2, 2): "┃", (0, 1): "╷", (1, 0): "╵", (0, 2): "╻", (2, 0): "╹", (1, 2): "╽", (2, 1): "╿",
}  # fmt: skip
_FALLING: Final[Mapping[tuple[int, int], str]] = {
    (1, 1): "│", (2, 2): "█", (0, 1): "╷", (1, 0): "╵", (0, 2): "▄", (2, 0): "▀", (1, 2): "▄", (2, 1): "▀",
}  # fmt: skip
_WICK, _BODY = 1, 2
_DASH: Final = Cell("╌", "$stale")


class Bar(NamedTuple):
    """What one column shows. `flat` says that nothing was traded in it."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    flat: bool = False

    @property
    def is_rising(self) -> bool:
        return self.close >= self.open


@dataclass(frozen=True, slots=True)
class Frame:
    """The stretch of time that is drawn: `columns` of `step_ms` each, the first from `start_ms` on (since 1970)."""

    start_ms: int
    step_ms: int
    columns: int

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.step_ms * self.columns

    @property
    def since(self) -> datetime:
        return _moment(self.start_ms)

    @property
    def until(self) -> datetime:
        return _moment(self.end_ms)

    def column(self, at: datetime) -> int | None:
        """Return the column that a time falls into, None if it is outside."""
        column = (int(at.timestamp() * 1000) - self.start_ms) // self.step_ms
        return column if 0 <= column < self.columns else None


def frame_until(until: datetime, step_ms: int, columns: int) -> Frame:
    """Return the frame whose last column holds `until`. Columns begin at whole multiples of the step."""
    last = int(until.timestamp() * 1000) // step_ms * step_ms
    return Frame(last - step_ms * (columns - 1), step_ms, columns)


class Spot(Enum):
    """Where a mark stands in its column."""

    ABOVE = auto()  # over the bar
    BELOW = auto()  # under it
    AT = auto()  # at its own price


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened. `price` is needed where it stands AT its price."""

    key: str
    at: datetime
    spot: Spot
    glyph: str
    style: str
    price: float | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """A price that a line is drawn at, and what is written on it."""

    price: float
    label: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """All that a chart shows. `chosen` is the time whose column is lit."""

    frame: Frame
    candles: Sequence[Candle]
    marks: Sequence[Mark] = ()
    levels: Sequence[Level] = ()
    chosen: datetime | None = None


def bars_of(candles: Sequence[Candle], frame: Frame) -> list[Bar | None]:
    """Return each column's bar, of all candles that begin in it; None where none does. Candles are in order of time."""
    bars: list[Bar | None] = [None] * frame.columns
    for candle in candles:
        column = (candle.opened_ms - frame.start_ms) // frame.step_ms
        figures = (candle.open, candle.high, candle.low, candle.close, candle.volume)
        if not 0 <= column < frame.columns or not all(_can_be_drawn(figure) for figure in figures):
            continue
        high, low = max(figures[:4]), min(figures[:4])  # the wick holds the body, whatever was recorded
        bar, held = Bar(candle.open, high, low, candle.close, candle.volume, candle.flat), bars[column]
        bars[column] = bar if held is None else _merged(held, bar)
    return bars


def gaps_of(candles: Sequence[Candle], frame: Frame) -> list[tuple[int, int]]:
    """Return (first, last) column of each stretch between two candles that no candle covers."""
    gaps = []
    for before, after in pairwise(candles):
        first = -(-(before.closed_ms - frame.start_ms) // frame.step_ms)
        last = (after.opened_ms - frame.start_ms) // frame.step_ms - 1
        if first <= last and last >= 0 and first < frame.columns:
            gaps.append((max(first, 0), min(last, frame.columns - 1)))
    return gaps


_Cell = tuple[int, int]  # row and column of a chart


def draw(drawing: Drawing, size: Size) -> Content:
    """Return the chart in exactly `size` cells; nothing where that is too small. The frame's columns must fit beside AXIS."""
    width, height = size
    if width < WIDTH_MIN or height < HEIGHT_MIN:
        return Content("")
    bars = bars_of(drawing.candles, drawing.frame)
    has_volume = height >= VOLUME_FROM
    rows = height - 1 - has_volume
    ladder = _ladder(drawing, bars, rows)
    grid = _Grid(rows, drawing.frame.columns)
    _draw_gaps(grid, gaps_of(drawing.candles, drawing.frame))
    for column, bar in enumerate(bars):
        if bar is not None:
            _draw_bar(grid, ladder, column, bar)
    lit = drawing.frame.column(drawing.chosen) if drawing.chosen else None
    marks = _placed(grid, ladder, drawing, bars)
    labels = _draw_levels(grid, ladder, [level for level in drawing.levels if _can_be_drawn(level.price)], set(marks))
    _draw_marks(grid, {cell: found for cell, found in marks.items() if cell not in labels})
    last = next((bar.close for bar in reversed(bars) if bar is not None), None)
    lines = grid.lines(lit, _axis(ladder, rows, last))
    if has_volume:
        lines.append(_volume(bars, lit))
    lines.append(
        content([Cell(time_labels(drawing.frame.start_ms, drawing.frame.step_ms, drawing.frame.columns), "$muted")])
    )
    return Content("\n").join(lines)


@dataclass(slots=True)
class _Grid:
    """Cells of the plot, as they are filled."""

    rows: int
    columns: int
    cells: dict[tuple[int, int], Cell] = field(default_factory=dict)

    def put(self, row: int, column: int, glyph: str, style: str) -> None:
        if 0 <= row < self.rows and 0 <= column < self.columns:
            self.cells[row, column] = Cell(glyph, style)

    def hidden(self, row: int, columns: Iterable[int]) -> int:
        """Return how many cells of bars a text there would hide."""
        return sum(self.cells.get((row, column), _DASH).text != _DASH.text for column in columns)

    def lines(self, lit: int | None, axis: Sequence[list[Cell]]) -> list[Content]:
        blank = Cell(" ")
        return [
            _line([*(_lit(self.cells.get((row, c), blank), c == lit) for c in range(self.columns)), *axis[row]])
            for row in range(self.rows)
        ]


def _lit(cell: Cell, is_lit: bool) -> Cell:  # noqa: FBT001 - private, and read at its two callers
    return Cell(cell.text, f"{cell.style} on $accent 35%".strip()) if is_lit else cell


def _line(cells: Iterable[Cell]) -> Content:
    """Return cells as one line; neighbours of one style are one piece: a line has hundreds of cells and few styles."""
    runs = groupby(cells, key=lambda cell: cell.style)
    return content(Cell("".join(cell.text for cell in run), style) for style, run in runs)


def _merged(first: Bar, then: Bar) -> Bar:
    return Bar(
        first.open,
        max(first.high, then.high),
        min(first.low, then.low),
        then.close,
        first.volume + then.volume,
        first.flat and then.flat,
    )


def _ladder(drawing: Drawing, bars: Sequence[Bar | None], rows: int) -> Ladder:
    prices = [price for bar in bars if bar is not None for price in (bar.low, bar.high)]
    prices += [
        m.price for m in drawing.marks if m.price is not None and m.spot is Spot.AT and _stands(m, drawing.frame)
    ]
    low, high = min(prices, default=0.0), max(prices, default=1.0)
    reach = (high - low) * LEVEL_STRETCH
    near = [level.price for level in drawing.levels if low - reach <= level.price <= high + reach]
    return Ladder.over(min([low, *near]), max([high, *near]), rows, margin=rows >= MARGIN_FROM)


def _stands(mark: Mark, frame: Frame) -> bool:
    if frame.column(mark.at) is None:
        return False
    return mark.spot is not Spot.AT or (mark.price is not None and _can_be_drawn(mark.price))


def _can_be_drawn(figure: float) -> bool:
    return isfinite(figure) and abs(figure) < FIGURE_MAX


def _draw_gaps(grid: _Grid, gaps: Sequence[tuple[int, int]]) -> None:
    row, name = grid.rows // 2, " no candles "
    for first, last in gaps:
        width = last - first + 1
        text = "·" * width
        if width >= DOTS_NAMED_FROM:
            text = name.center(width, "·")
        for column, glyph in enumerate(text, start=first):
            grid.put(row, column, glyph, "$muted")


def _draw_bar(grid: _Grid, ladder: Ladder, column: int, bar: Bar) -> None:
    if bar.flat:
        grid.put(ladder.half(bar.close) // 2, column, "─", "$muted")
        return
    wick = range(ladder.half(bar.high), ladder.half(bar.low) + 1)
    body = range(ladder.half(max(bar.open, bar.close)), ladder.half(min(bar.open, bar.close)) + 1)
    shapes, style = (_RISING, "$buy") if bar.is_rising else (_FALLING, "$sell")
    for row in range(min(wick[0], body[0]) // 2, max(wick[-1], body[-1]) // 2 + 1):
        halves = tuple(_BODY if half in body else _WICK if half in wick else 0 for half in (row * 2, row * 2 + 1))
        grid.put(row, column, shapes[halves[0], halves[1]], style)


def _draw_levels(grid: _Grid, ladder: Ladder, levels: Sequence[Level], marks: set[_Cell]) -> set[_Cell]:
    """Draw the lines, and their labels where no mark is if there is such a place; returns the cells of the labels."""
    texts: dict[int, str] = {}
    for level in levels:
        row = ladder.row(level.price)
        arrow = "↑ " if row < 0 else "↓ " if row >= grid.rows else ""
        row = min(max(row, 0), grid.rows - 1)
        if not arrow:
            for column in range(grid.columns):
                if (row, column) not in grid.cells:
                    grid.put(row, column, _DASH.text, _DASH.style)
        texts[row] = f"{texts.get(row, '')} {arrow}{level.label} "
    labels: set[_Cell] = set()
    for row, text in texts.items():
        shown = text[: grid.columns]
        for column, glyph in zip(_room(grid, row, len(shown), marks), shown, strict=True):
            grid.put(row, column, glyph, "$stale")
            labels.add((row, column))
    return labels


def _room(grid: _Grid, row: int, length: int, marks: set[_Cell]) -> range:
    """Return where a label hides the fewest marks, then stands at an edge, then hides the least."""
    last = grid.columns - length

    def cost(place: range) -> tuple[int, bool, int]:
        hidden = sum((row, column) in marks for column in place)
        return hidden, place.start not in (0, last), grid.hidden(row, place)

    return min((range(start, start + length) for start in range(last + 1)), key=cost)


def _placed(grid: _Grid, ladder: Ladder, drawing: Drawing, bars: Sequence[Bar | None]) -> dict[_Cell, list[Mark]]:
    found: dict[_Cell, list[Mark]] = {}
    for mark in drawing.marks:
        column = drawing.frame.column(mark.at)
        if column is None or not _stands(mark, drawing.frame):
            continue
        row = _row_of(mark, ladder, _bar_near(bars, column))
        found.setdefault((min(max(row, 0), grid.rows - 1), column), []).append(mark)
    return found


def _draw_marks(grid: _Grid, found: Mapping[_Cell, Sequence[Mark]]) -> None:
    for (row, column), marks in found.items():
        if len(marks) == 1:
            grid.put(row, column, marks[0].glyph, marks[0].style)
        else:
            grid.put(row, column, str(len(marks)) if len(marks) < 10 else "+", "bold $accent")


def _row_of(mark: Mark, ladder: Ladder, bar: Bar | None) -> int:
    if mark.spot is Spot.AT and mark.price is not None:
        return ladder.row(mark.price)
    if bar is None:
        return ladder.rows // 2 + (1 if mark.spot is Spot.BELOW else -1)
    return ladder.row(bar.low) + 1 if mark.spot is Spot.BELOW else ladder.row(bar.high) - 1


def _bar_near(bars: Sequence[Bar | None], column: int) -> Bar | None:
    """Return the column's bar, else the last one before it: a signal is made of what has closed."""
    return next((bar for bar in reversed(bars[: column + 1]) if bar is not None), None)


def _axis(ladder: Ladder, rows: int, last: float | None) -> list[list[Cell]]:
    lines = [[Cell("│", "$rule"), Cell(" " * (AXIS - 1))] for _ in range(rows)]
    for price in ladder.ticks():
        row = ladder.row(price)
        if 0 <= row < rows:
            lines[row] = [
                Cell("┤", "$rule"),
                Cell(f" {price_text(price, ladder.tick, AXIS - 2)}".ljust(AXIS - 1), "$muted"),
            ]
    if last is not None:
        text = price_text(last, ladder.tick / 10, AXIS - 2)
        lines[min(max(ladder.row(last), 0), rows - 1)] = [Cell("◂", "bold"), Cell(f" {text}".ljust(AXIS - 1), "bold")]
    return lines


def _volume(bars: Sequence[Bar | None], lit: int | None) -> Content:
    top = max((bar.volume for bar in bars if bar is not None), default=0.0)
    cells = []
    for column, bar in enumerate(bars):
        glyph = " "
        if bar is not None and bar.volume > 0 and top > 0:
            glyph = VOLUME_BLOCKS[min(int(bar.volume / top * len(VOLUME_BLOCKS)), len(VOLUME_BLOCKS) - 1)]
        cells.append(_lit(Cell(glyph, "$muted"), column == lit))
    return _line([*cells, Cell("│", "$rule"), Cell(f" vol {compact(top)}"[: AXIS - 1].ljust(AXIS - 1), "$muted")])


def compact(value: float) -> str:
    """Return a count in a few cells: 0.0123, 4.2, 12.3k, 4.5M; larger ones as a power of ten."""
    for bound, unit, name in ((1e3, 1.0, ""), (1e6, 1e3, "k"), (1e9, 1e6, "M"), (1e12, 1e9, "G")):
        if value < bound:
            return f"{value / unit:.3g}{name}"
    return f"{value:.1e}"


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
