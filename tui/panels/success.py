"""The execution success rate: the last hour as a chart, the last five minutes as a number, and the latency beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget
from textual.widgets import Static

from engine.core.board import MinutePoint
from tui.charts import Scale, chart, sparkline
from tui.formatting import NOTHING, duration, per_minute, percent, rate_style
from tui.panels.base import PANELS, Panel, Place, Scene, Spot
from tui.widgets.cells import Cell, content

THRESHOLD: Final = 0.9  # where the alert is raised
SETTLING_S: Final = 120.0  # a minute and the minute after which an unknown outcome counts as failed
FACT_LINES: Final = 2  # numbers come before the picture
TWO_CHARTS_MIN: Final = 24  # lines; below that the second chart would take the first one's room


class ChartView(Static, can_focus=True):
    """Text that can have the focus, so that the panel can be chosen and made big."""


def rates(minutes: Sequence[MinutePoint], now: datetime) -> list[float | None]:
    """Return each minute's success rate, None where nothing was attempted.

    What is still under way counts neither way while its minute is young; after that, no answer is no success.
    """
    return [_rate(point, (now - point.at).total_seconds()) for point in minutes]


def _rate(point: MinutePoint, age_s: float) -> float | None:
    settled = point.successes + point.failures
    counted = settled if age_s < SETTLING_S else max(settled, point.attempts)
    return point.successes / counted if counted else None


def scale_for(values: Sequence[float | None]) -> Scale:
    """Return an axis from 50 % or, when a rate is below that, from 0 to 100 %."""
    low = 0.5 if all(v is None or v >= 0.5 for v in values) else 0.0
    middle = (0.7, "70%") if low else (0.5, "50%")
    return Scale(low, 1.0, ((low, f"{low:.0%}"), middle, (THRESHOLD, "90%"), (1.0, "100%")), THRESHOLD)


@lru_cache(maxsize=8)  # asked for every second, and the minutes seldom say anything else than a second before
def _picture(values: tuple[float | None, ...], size: Size) -> Content:
    return chart(values, size, scale=scale_for(values), along=(f"{len(values)} min ago", "now"))


@lru_cache(maxsize=8)
def _slow_picture(values: tuple[float | None, ...], size: Size) -> Content:
    from tui.figures import latency_scale

    head = content([Cell(" Latency p95", "bold"), Cell("  signal to acknowledgement", "$muted")])
    along = (f"{len(values)} min ago", "now")
    picture = chart(values, Size(size.width, size.height - 1), scale=latency_scale(values), along=along)
    return Content("\n").join([head.truncate(size.width, ellipsis=True), picture])


def trend(values: Sequence[float | None]) -> Cell:
    """Return whether the newest minute was better than the ones before it."""
    known = [v for v in values if v is not None]
    if len(known) < 4:
        return Cell(" ")
    step = known[-1] - sum(known[-4:-1]) / 3
    if abs(step) < 0.01:
        return Cell("=", "$muted")
    return Cell("▲", "$ok") if step > 0 else Cell("▼", "$warning")


@PANELS.add("success")
class SuccessPanel(Panel):
    """5: how many attempts succeed, and how fast."""

    number = 5
    label = "Success rate"
    place = Place(rank=0, brief=1, two=Spot(1, 31), three=Spot(1, 54), height_max=32)

    def __init__(self) -> None:
        super().__init__()
        self._drawn: object = None

    def make_body(self) -> Widget:
        return ChartView("", markup=False)

    def title(self, scene: Scene) -> Content:
        head = scene.board.headline
        return content([Cell(percent(head.success_rate), rate_style(head.success_rate)), Cell(" in 5 min", "$muted")])

    def draw(self, scene: Scene) -> None:
        width, height = self.content_size.width - 1, self.content_size.height
        wanted = (int(scene.now.timestamp()), width, height)
        if wanted == self._drawn:
            return  # a picture a second is enough
        self._drawn = wanted
        parts = [line.truncate(width, ellipsis=True) for line in self._facts(scene)]
        room = height - FACT_LINES
        slow_room = room // 2 if height >= TWO_CHARTS_MIN else 0
        parts.append(_picture(tuple(rates(scene.board.minutes, scene.now)), Size(width, room - slow_room)))
        if slow_room:
            slow = tuple(point.latency_p95 for point in scene.board.minutes)
            parts.append(_slow_picture(slow, Size(width, slow_room)))
        self.query_one(ChartView).update(Content("\n").join(parts), layout=False)

    def brief(self, scene: Scene, width: int) -> Content:
        head, values = scene.board.headline, rates(scene.board.minutes, scene.now)
        received = [float(point.received) for point in scene.board.minutes]
        parts = [
            Cell(" ok 5m ", "$muted"),
            Cell(sparkline(values, 14, low=0.6, high=1.1), "$muted"),
            Cell(" "),
            Cell(percent(head.success_rate), rate_style(head.success_rate)),
            Cell(" "),
            trend(values),
            Cell("  p50 ", "$muted"),
            Cell(duration(head.latency_p50)),
            Cell(" p95 ", "$muted"),
            Cell(duration(head.latency_p95)),
            Cell("  signals ", "$muted"),
            Cell(sparkline(received, 8, low=0), "$muted"),
            Cell(f" {per_minute(head.signals_per_min)}/m"),
        ]
        return content(parts).truncate(width, ellipsis=True)

    def _facts(self, scene: Scene) -> list[Content]:
        head = scene.board.headline
        latency = (("p50", head.latency_p50), ("p95", head.latency_p95), ("p99", head.latency_p99))
        first = [
            part for name, value in latency for part in (Cell(f" {name} ", "$muted"), Cell(duration(value), "bold"))
        ]
        done = percent(head.conversion, 0) if head.conversion is not None else NOTHING
        second = [
            Cell(f" {per_minute(head.signals_per_min)}", "bold"),
            Cell(" signals/m ", "$muted"),
            Cell(f" {per_minute(head.attempts_per_min)}", "bold"),
            Cell(" attempts/m ", "$muted"),
            Cell(f" {done}", "bold"),
            Cell(" converted", "$muted"),
        ]
        return [content(first), content(second)]
