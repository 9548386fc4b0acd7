"""The metrics: every figure over five windows, and two charts over the chosen one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Final, NamedTuple

from textual import events
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget
from textual.widgets import Static

from engine.clock import Clock
from engine.core.board import MinutePoint
from tui.bridge import Bridge
from tui.charts import Scale, chart
from tui.figures import SPANS, Figures, figures_of, latency_scale, table
from tui.messages import Rewound
from tui.panels.success import THRESHOLD, rates, scale_for
from tui.screens.trail import TrailScreen
from tui.widgets.cells import Cell, content

SIDE_BY_SIDE_MIN: Final = 100  # cells of width from which the charts stand beside each other
BEGUN: Final = timedelta(microseconds=1)  # a minute that begins now has begun
MINUTE: Final = timedelta(minutes=1)
FIRST_CHOSEN: Final = 3  # the hour


class Drawing(NamedTuple):
    """One chart: what it is called, what is said beside that, its values and their axis."""

    name: str
    note: str
    values: Sequence[float | None]
    scale: Scale


class MetricsScreen(TrailScreen):
    """Tells how many, how fast and how well, over a minute up to a day."""

    DEFAULT_CSS = """
    MetricsScreen > #figures { height: auto; padding: 1 0 0 0; text-wrap: nowrap; text-overflow: ellipsis; }
    MetricsScreen > #charts { height: 1fr; padding: 1 1 0 1; layout: vertical; }
    MetricsScreen > #charts.beside { layout: horizontal; }
    MetricsScreen > #charts > Static { height: 1fr; width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l,right", "window(1)", "Longer window", key_display="l", id="metrics.longer"),
        Binding("h,left", "window(-1)", "Shorter window", key_display="h", id="metrics.shorter"),
    ]
    tells_a_moment: ClassVar[bool] = True
    every_s: ClassVar[float] = 1.0

    def __init__(self, bridge: Bridge, *, clock: Clock | None = None) -> None:
        super().__init__(bridge, clock)
        self.chosen = FIRST_CHOSEN
        self._points: list[MinutePoint] = []
        self._figures: list[Figures] = []

    @property
    def trail(self) -> tuple[str, ...]:
        return ("Metrics", f"the last {SPANS[self.chosen].name}")

    def body(self) -> Iterator[Widget]:
        yield Static("", id="figures", markup=False)
        with Container(id="charts"):
            yield Static("", id="success", markup=False)
            yield Static("", id="latency", markup=False)

    async def gather(self) -> None:
        now = self.now
        until = now + BEGUN
        day = now - timedelta(minutes=SPANS[-1].minutes)
        self._points = await self.bridge.ask(lambda store: store.minutes(day, until))
        figures = []
        for span in SPANS:
            since = now - timedelta(minutes=span.minutes)
            spread = await self.bridge.ask(lambda store: store.latencies(since, until))  # noqa: B023 - asked before it turns
            figures.append(figures_of(span, self._points, spread, now))
        self._figures = figures

    async def draw(self, now: datetime) -> None:
        if self.picture is None:
            return
        view = self.query_one("#figures", Static)
        lines = table(self._figures, self.picture.headline, self.chosen, view.content_size.width or self.app.size.width)
        view.update(Content("\n").join(content(line) for line in lines))
        span = SPANS[self.chosen]
        shown = [p for p in self._points if p.at > now - timedelta(minutes=span.minutes)]
        along = (f"{len(shown)} min ago", "now")
        success = rates(shown, now)
        note = f"alert below {THRESHOLD:.0%}"
        self._chart("#success", Drawing("Success rate", note, success, scale_for(success)), along)
        slow = [p.latency_p95 for p in shown]
        self._chart("#latency", Drawing("Latency p95", "signal to acknowledgement", slow, latency_scale(slow)), along)

    def moment(self) -> Rewound | None:
        """Return the end of the worst minute of the window: the one with the most failures, else the slowest one."""
        since = self.now - timedelta(minutes=SPANS[self.chosen].minutes)
        tried = [point for point in self._points if point.at > since and point.attempts]
        if not tried:
            return None
        worst = max(tried, key=lambda point: (point.failures, point.latency_p95 or 0.0, point.at))
        return Rewound(at=min(worst.at + MINUTE - BEGUN, self.now))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "window" and not 0 <= self.chosen + int(str(parameters[0])) < len(SPANS):
            return None
        return super().check_action(action, parameters)

    async def action_window(self, step: int) -> None:
        self.chosen = min(max(self.chosen + step, 0), len(SPANS) - 1)
        await self.look()

    def on_resize(self, event: events.Resize) -> None:
        self.query_one("#charts").set_class(event.size.width >= SIDE_BY_SIDE_MIN, "beside")
        self.call_after_refresh(self.look)

    def _chart(self, at: str, drawing: Drawing, along: tuple[str, str]) -> None:
        view = self.query_one(at, Static)
        width, height = view.content_size
        head = [Cell(drawing.name, "bold"), Cell(f"  {drawing.note}", "$muted")]
        size = Size(max(width - 1, 0), max(height - 1, 0))
        picture = chart(drawing.values, size, scale=drawing.scale, along=along)
        view.update(Content("\n").join([content(head).truncate(max(width, 1), ellipsis=True), picture]), layout=False)
