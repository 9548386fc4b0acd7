"""The six metrics and the latency over several windows, as rows of a table; and the series that are charted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from engine.core.board import Headline, MinutePoint
from engine.core.metrics import Window, percentile, window_of
from tui.charts import Scale
from tui.formatting import NOTHING, duration, per_minute, percent, rate_style
from tui.widgets.cells import Cell

LABEL_WIDTH: Final = 16
FIGURE_WIDTH: Final = 10
TICKS: Final = 4


class Span(NamedTuple):
    """A window as it is named, and how many minutes it has."""

    name: str
    minutes: int


SPANS: Final = (Span("1m", 1), Span("5m", 5), Span("15m", 15), Span("1h", 60), Span("1d", 1_440))


@dataclass(frozen=True, slots=True)
class Figures:
    """What happened in one span: its counts, its latencies by bucket, and how many minutes of it there were."""

    window: Window
    latencies: Mapping[int, int]
    minutes: float

    @property
    def signals_per_min(self) -> float:
        return self.window.received / self.minutes

    @property
    def attempts_per_min(self) -> float:
        return self.window.attempts / self.minutes


def figures_of(span: Span, points: Sequence[MinutePoint], latencies: Mapping[int, int], now: datetime) -> Figures:
    """Return the figures of the span that ends at `now`. What began later than the span counts from its beginning."""
    since = now - timedelta(minutes=span.minutes)
    first = points[0].at if points else now
    covered = (now - max(first, since)).total_seconds() / 60
    return Figures(window_of(points, since), latencies, min(max(covered, 1.0), span.minutes))


def table(by_span: Sequence[Figures], head: Headline, chosen: int, width: int = 80) -> list[list[Cell]]:
    """Return the lines of the table. `chosen` is the span whose charts are shown; it stays where not all fit `width`."""
    room = min(max(1, (width - LABEL_WIDTH - 2) // FIGURE_WIDTH), len(SPANS))
    first = max(0, chosen - room + 1)
    by_span = by_span[first : first + room]
    rows: list[tuple[str, list[Cell]]] = [
        ("signals a minute", [Cell(per_minute(f.signals_per_min)) for f in by_span]),
        ("attempts a minute", [Cell(per_minute(f.attempts_per_min)) for f in by_span]),
        ("success rate", [_rate(f.window.success_rate) for f in by_span]),
        ("conversion", [Cell(_share(f.window.conversion)) for f in by_span]),
        *((f"latency {name}", [_latency(f, q) for f in by_span]) for name, q in _PERCENTILES),
    ]
    names = [Cell(_placed(s.name), "bold $accent" if at == chosen else "$muted") for at, s in enumerate(SPANS)][
        first : first + room
    ]
    lines = [[Cell(" " * (LABEL_WIDTH + 2)), *names]]
    for label, cells in rows:
        lines.append(
            [Cell(f" {label:<{LABEL_WIDTH + 1}}", "$muted"), *(c._replace(text=_placed(c.text)) for c in cells)]
        )
    available = f"{head.traders_available} of {head.traders_total} ({_share(head.availability)})"
    lines.append([Cell(f" {'traders now':<{LABEL_WIDTH + 1}}", "$muted"), Cell(f"  {available} take orders")])
    return lines


def latency_scale(values: Sequence[float | None]) -> Scale:
    """Return an axis from 0 to a round number of seconds (1, 2 or 5 times a power of ten) that holds every value."""
    top = max((v for v in values if v is not None and math.isfinite(v)), default=0.0)
    high = _round_up(top) if top > 0 else 1.0
    return Scale(0.0, high, tuple((high * n / TICKS, duration(high * n / TICKS)) for n in range(TICKS + 1)))


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in (1.0, 2.0, 5.0) if value <= step * power), 10 * power)


_PERCENTILES: Final = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))


def _latency(figures: Figures, q: float) -> Cell:
    return Cell(duration(percentile(figures.latencies, q)))


def _rate(rate: float | None) -> Cell:
    return Cell(_share(rate), rate_style(rate))


def _share(share: float | None) -> str:
    return NOTHING if share is None else percent(share)


def _placed(text: str) -> str:
    return text.rjust(FIGURE_WIDTH)
