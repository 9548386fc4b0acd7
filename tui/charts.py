"""Charts as text. The only file that knows plotext, and which major version of it (6)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from rich.text import Text
from textual.content import Content
from textual.geometry import Size

BLOCKS: Final = "▁▂▃▄▅▆▇█"
WIDTH_MIN: Final = 16  # cells; below that a chart says nothing
HEIGHT_MIN: Final = 4

# plotext is told to paint in these colours of the 256; what comes back is painted in the theme's instead.
_LIMIT, _FRAME = 2, 3


@dataclass(frozen=True, slots=True)
class Palette:
    """Styles, as names that the theme resolves."""

    line: str = "$accent"
    threshold: str = "$error"
    frame: str = "$muted"


@dataclass(frozen=True, slots=True)
class Scale:
    """The upright axis: its bounds, what is written at it, and the line that must not be crossed."""

    low: float = 0.0
    high: float = 1.0
    ticks: tuple[tuple[float, str], ...] = ()
    threshold: float | None = None


def sparkline(
    values: Sequence[float | None], width: int, *, low: float | None = None, high: float | None = None
) -> str:
    """Return the newest `width` values as blocks, oldest first; a gap where there is no value.

    The bounds are those of the values unless given. Equal values make a flat line at the bottom, or at the top if
    they reach `high`.
    """
    shown = list(values[-width:]) if width > 0 else []
    known = [v for v in shown if _is_number(v)]
    if not known:
        return " " * len(shown)
    floor = min(known) if low is None else low
    half_span = (max(known) if high is None else high) / 2 - floor / 2
    return "".join(_block(v, floor, half_span) for v in shown)


def downsample(values: Sequence[float | None], columns: int) -> list[tuple[float, float]]:
    """Return at most two points (place, value) for each column: the lowest and the highest of its stretch, in order."""
    points = [(float(at), v) for at, v in enumerate(values) if _is_number(v)]
    if columns <= 0:
        return []
    if len(points) <= columns * 2:
        return points
    stretch = math.ceil(len(points) / columns)
    kept: list[tuple[float, float]] = []
    for begin in range(0, len(points), stretch):
        part = points[begin : begin + stretch]
        kept.extend(sorted({min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])}))
    return kept


def chart(
    values: Sequence[float | None],
    size: Size,
    *,
    scale: Scale,
    along: tuple[str, str] = ("", ""),
    palette: Palette = Palette(),
) -> Content:
    """Return a line chart of `size` cells, the oldest value on the left.

    `along` is written under its left and right ends. None and NaN are passed over. Too small a space or fewer than two values
    give a sentence instead.
    """
    width, height = size
    if width <= 0 or height <= 0:
        return Content("")
    points = downsample(values, width)
    if len(points) < 2:
        return _sentence("the chart needs two minutes with attempts", width, height, palette)
    if width < WIDTH_MIN or height < HEIGHT_MIN:
        return _sentence("no room for a chart", width, height, palette)
    figure = _figure(width, height, scale)
    _frame(figure, len(values), scale, along)
    places, heights = zip(*points, strict=True)
    bounded = [min(max(h, scale.low), scale.high) for h in heights]
    figure.draw(figure.signal(list(places), bounded, marker="braille").lines(True))
    return _painted(figure.build().string(), palette)


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _block(value: float | None, floor: float, half_span: float) -> str:
    if value is None or not math.isfinite(value):
        return " "
    if half_span <= 0:
        return BLOCKS[0]
    share = (value / 2 - floor / 2) / half_span  # halves, as the whole can be more than a float holds
    return BLOCKS[min(int(min(max(share, 0.0), 1.0) * len(BLOCKS)), len(BLOCKS) - 1)]


def _figure(width: int, height: int, scale: Scale) -> Any:
    import plotext  # a quarter of a second: not before the first picture

    figure: Any = plotext.figure
    plotext.terminal.limit(False, False)
    figure.clear.all()
    figure.plot_size(width, height)
    figure.canvas("default")  # unpainted: the theme's background stays
    figure.theme("colorless")
    figure.ruler("y").lim(scale.low, scale.high)
    return figure


def _frame(figure: Any, count: int, scale: Scale, along: tuple[str, str]) -> None:
    figure.axes(False)
    figure.axes(True, axis="y", side="left", pixel=_FRAME)
    figure.ruler("y").ticks([at for at, _ in scale.ticks], [text for _, text in scale.ticks])
    figure.ruler("y").pixel(_FRAME)
    figure.ruler("x").lim(0, max(1, count - 1))
    figure.ruler("x").ticks([0, max(1, count - 1)], list(along))
    figure.ruler("x").pixel(_FRAME)
    if scale.threshold is not None:
        figure.line(scale.threshold, "h", pixel=_LIMIT, style="dotted")


def _painted(drawn: str, palette: Palette) -> Content:
    styles: dict[int | None, str] = {_LIMIT: palette.threshold, _FRAME: palette.frame}
    text = Text.from_ansi(drawn.rstrip("\n"), no_wrap=True)
    content = Content.styled(text.plain, palette.line)
    for span in text.spans:
        colour = None if isinstance(span.style, str) else span.style.color
        if colour is not None and colour.number in styles:
            content = content.stylize(styles[colour.number], span.start, span.end)
    return content


def _sentence(text: str, width: int, height: int, palette: Palette) -> Content:
    lead = "\n" * max(0, (height - 1) // 2)
    return Content(lead).append_text(text[:width].center(width), palette.frame)
