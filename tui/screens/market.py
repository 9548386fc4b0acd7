"""The market: one symbol's candles, with its signals and fills among them and in a list below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from textual import events, on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from engine.clock import Clock
from engine.core.events import Signal
from engine.core.order import PlacedFill
from engine.core.text import counted
from engine.core.values import Candle
from tui.bridge import Bridge, signals_of
from tui.candles import AXIS, Drawing, Frame, bars_of, draw, frame_until
from tui.filters import SIGNAL_CHOICES
from tui.formatting import clock_time, foreign
from tui.markets import (
    COLUMNS,
    Happening,
    entry_of,
    happenings,
    headline,
    levels_of,
    mark_of,
    nothing_in_view,
    nothing_to_see,
    span_text,
    steps_of,
)
from tui.panels.base import Entry
from tui.screens.listing import ListScreen
from tui.widgets.cells import Cell, content
from tui.widgets.live_table import LiveTable

CHART: Final = Binding.Group("Chart")
CANDLES_MAX: Final = 12_000  # more than the store keeps of a symbol
PAGE: Final = 500
PAGES_MAX: Final = 4
FILLS_MAX: Final = 500
INTERVAL_MS: Final = 10_000  # of a symbol that has no candle to tell its own
AGES_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
BEGUN: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the store said of one symbol and one stretch of time."""

    symbol: str | None = None
    newest: Candle | None = None
    candles: tuple[Candle, ...] = ()
    happenings: tuple[Happening, ...] = ()
    is_cut: bool = False  # there are more signals in it than were asked for


class MarketScreen(ListScreen):
    """Draws candles of `symbol` (None: that of the newest signal), and lists what happened in the time that is in view."""

    DEFAULT_CSS = """
    MarketScreen > #market { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    MarketScreen > #chart { height: 5fr; padding: 0 0 0 1; text-wrap: nowrap; }
    MarketScreen > LiveTable { height: 3fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h,left", "pan(-1)", "Earlier", key_display="h", id="market.earlier", group=CHART),
        Binding("l,right", "pan(1)", "Later", key_display="l", id="market.later", group=CHART),
        Binding("f", "follow", "Follow", id="market.follow", group=CHART, tooltip="The newest candle stays in view"),
        Binding("i", "zoom(-1)", "In", id="market.closer", group=CHART, tooltip="A column is a shorter time"),
        Binding("I", "zoom(1)", "Out", id="market.wider", group=CHART, tooltip="A column is a longer time"),
        Binding("m", "turn(1)", "Next market", id="market.next", group=CHART, tooltip="The symbol after this one"),
        Binding("M", "turn(-1)", "Market before", show=False, id="market.before", group=CHART),
    ]
    empty = "no signal and no fill in the time that is in view"
    columns = COLUMNS
    choices = SIGNAL_CHOICES
    every_s: ClassVar[float] = 1.0

    def __init__(self, bridge: Bridge, symbol: str | None = None, *, clock: Clock | None = None) -> None:
        super().__init__(bridge, clock=clock)
        self.symbol = symbol
        self.zoom = 0
        self.until: datetime | None = None  # the end of what is in view; None follows the newest
        self._symbols: list[str] = []
        self._seen = Seen()
        self._shown = Seen()  # what is drawn: frozen, it is not what was seen last
        self._frozen_at: datetime | None = None
        self._columns = 1

    @property
    def trail(self) -> tuple[str, ...]:
        place = f"{foreign(self.symbol, 40)}  {span_text(self.step_ms)} a column" if self.symbol else "no symbol"
        if self.symbol in self._symbols and len(self._symbols) > 1:
            place += f"  {self._symbols.index(self.symbol) + 1} of {len(self._symbols)}"
        return ("Market", place)

    @property
    def steps(self) -> list[int]:
        """Return what a column may stand for, in milliseconds."""
        return steps_of(self._seen.newest.interval_ms if self._seen.newest else INTERVAL_MS)

    @property
    def step_ms(self) -> int:
        """Return what a column stands for, in milliseconds."""
        return self.steps[min(self.zoom, len(self.steps) - 1)]

    def body(self) -> Iterator[Widget]:
        yield Static("", id="market", markup=False)
        yield Static("", id="chart", markup=False)
        yield from super().body()

    # what is asked

    async def gather(self) -> None:
        self._symbols = await self.bridge.ask(lambda store: store.symbols())
        if self.symbol is None:
            self.symbol = await self._first_symbol()
        self._seen = await self._look_at(self.symbol) if self.symbol else Seen()

    async def _look_at(self, symbol: str) -> Seen:
        ends = self.now + BEGUN
        last = await self.bridge.ask(lambda store: store.candles(symbol, AGES_AGO, ends, 1))
        newest = last[-1] if last else None
        self._seen = Seen(symbol, newest)  # its interval decides what a column is
        frame = self._frame(self._end(self.now))
        since, until = frame.since, frame.until
        candles = await self.bridge.ask(lambda store: store.candles(symbol, since, until, CANDLES_MAX))
        fills = await self.bridge.ask(lambda store: store.symbol_fills(symbol, since, until, FILLS_MAX))
        signals, is_cut = await self._signals(symbol, frame)
        return Seen(symbol, newest, tuple(candles), tuple(happenings(signals, fills)), is_cut)

    async def _signals(self, symbol: str, frame: Frame) -> tuple[list[Signal], bool]:
        """Return the signals in view, and whether pages enough were read to know all of them."""
        found: list[Signal] = []
        before: int | None = None
        for _ in range(PAGES_MAX):
            page = await self.bridge.ask(signals_of(symbol, before, PAGE))
            found += [signal for signal in page if frame.since <= signal.received_at < frame.until]
            if len(page) < PAGE or page[-1].received_at < frame.since:
                return found, False
            before = page[-1].seq
        return found, True

    async def _first_symbol(self) -> str | None:
        newest = [signal.symbol for signal in await self.bridge.ask(lambda store: store.last_signals(PAGE))]
        with_candles = [symbol for symbol in newest if symbol in set(self._symbols)]
        return next(iter([*with_candles, *self._symbols, *newest]), None)

    # what is drawn

    async def draw(self, now: datetime) -> None:
        if not self.is_frozen:
            self._shown = self._seen
        await super().draw(now)
        self._draw_chart()

    def entries(self, now: datetime) -> list[Entry]:
        return [entry_of(happening, now) for happening in self._seen.happenings]

    def counts(self) -> list[Cell]:
        fills = sum(isinstance(happening.thing, PlacedFill) for happening in self._seen.happenings)
        signals = len(self._seen.happenings) - fills
        cells = [Cell(counted(signals, "signal"), "$muted"), Cell(f"  {counted(fills, 'fill')}", "$muted")]
        if self._seen.is_cut:
            cells.append(Cell(f"  only the newest {PAGE * PAGES_MAX} signals are looked through", "$stale"))
        if self.until is not None:
            cells.append(Cell(f"  up to {clock_time(self.until)}, f follows", "$stale"))
        return cells

    def thing(self, key: str) -> Signal | PlacedFill | None:
        happening = self._happening(key)
        return happening.thing if happening else None

    def screen_of(self, key: str) -> Screen[None] | None:
        from tui.screens.story import StoryScreen  # loaded with the first that is opened

        happening = self._happening(key)
        return StoryScreen(self.bridge, happening.signal_id, clock=self.clock) if happening else None

    def _happening(self, key: str | None) -> Happening | None:
        known = (*self._shown.happenings, *self._seen.happenings)
        return next((happening for happening in known if happening.key == key), None)

    def _end(self, now: datetime) -> datetime:
        """Return the time that is drawn last."""
        return self.until or self._newest_end(now)

    def _newest_end(self, now: datetime) -> datetime:
        """Return the time that is drawn last when it follows: of a symbol long silent the newest candles stay in view."""
        if self._seen.newest is None:
            return now
        closed = datetime.fromtimestamp(self._seen.newest.closed_ms / 1000, UTC)
        return min(now, closed + timedelta(milliseconds=self.step_ms * (self._columns // 2)))

    def _frame(self, until: datetime) -> Frame:
        return frame_until(until, self.step_ms, self._columns)

    def _draw_chart(self) -> None:
        chart, engine, now = self.query_one("#chart", Static), self.picture.engine if self.picture else None, self.now
        size, seen = chart.content_size, self._shown
        self.query_one("#market", Static).update(content(self._headline(now)), layout=False)
        frame = self._frame(self._frozen_at or self._end(now))
        if seen.newest is None or not any(bars_of(seen.candles, frame)):
            lines = nothing_in_view(frame, seen.newest) if seen.newest else nothing_to_see(self.symbol, engine, now)
            chart.update(_centred(lines, size), layout=False)
            return
        at_cursor = self._happening(self.table.cursor_key)
        drawing = Drawing(
            frame,
            seen.candles,
            [mark_of(happening) for happening in seen.happenings],
            levels_of(self.picture.positions if self.picture else (), seen.newest.symbol),
            at_cursor.at if at_cursor else None,
        )
        chart.update(draw(drawing, size), layout=False)

    def _headline(self, now: datetime) -> list[Cell]:
        seen, engine = self._shown, self.picture.engine if self.picture else None
        if seen.newest is None:
            return [Cell("no price yet", "$muted")]
        cells = headline(seen.candles, seen.newest, now, engine)
        if engine is not None and engine.candles_lost:
            cells.append(Cell(f"  {engine.candles_lost} candles lost: the store is too slow for them", "$warning"))
        return cells

    # what is chosen

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "follow" or (action == "pan" and parameters == (1,)):
            return None if self.until is None else True
        if action == "zoom" and not 0 <= self.zoom + int(str(parameters[0])) < len(self.steps):
            return None
        if action == "turn" and not self._others():
            return None
        return super().check_action(action, parameters)

    async def action_pan(self, way: int) -> None:
        """Go half a screen to earlier (-1) or later (1) times; at the newest candle it follows again."""
        newest = self._newest_end(self.now)
        until = (self.until or newest) + way * timedelta(milliseconds=self.step_ms * max(1, self._columns // 2))
        self.until = None if until >= newest else max(until, AGES_AGO + timedelta(days=1))
        await self._look_again()

    async def action_follow(self) -> None:
        self.until = None
        await self._look_again()

    async def action_zoom(self, way: int) -> None:
        """Let a column stand for a longer (1) or a shorter (-1) time."""
        self.zoom = min(max(self.zoom + way, 0), len(self.steps) - 1)
        await self._look_again()

    async def action_turn(self, way: int) -> None:
        """Go to the next symbol (1) or the one before (-1), round the end."""
        others = self._others()
        if others:
            self.symbol = others[0 if way > 0 else -1]
            await self._look_again()

    def _others(self) -> list[str]:
        """Return the other symbols, the next one first."""
        after = [symbol for symbol in self._symbols if symbol > (self.symbol or "")]
        return [*after, *(symbol for symbol in self._symbols if symbol < (self.symbol or ""))]

    def action_freeze(self) -> None:
        self._frozen_at = None if self.is_frozen else self._end(self.now)
        super().action_freeze()
        self._shown = self._seen
        self._draw_chart()

    def action_copy_id(self) -> None:
        if (happening := self._happening(self.table.cursor_key)) is not None:
            self.copy(happening.signal_id, "The signal's id")

    async def _look_again(self) -> None:
        """Ask anew. Whoever goes elsewhere does not stand still any more."""
        if self.is_frozen:
            self.action_freeze()
        self._change = None
        await self.look()

    def on_resize(self, event: events.Resize) -> None:  # noqa: ARG002 - the chart knows its own size
        self.call_after_refresh(self._fit)

    async def _fit(self) -> None:
        columns = max(1, self.query_one("#chart", Static).content_size.width - AXIS)
        if columns != self._columns:
            self._columns, self._change = columns, None
        await self.look()

    @on(LiveTable.Moved)
    def _lit(self) -> None:
        if self.is_told:
            self._draw_chart()


def _centred(lines: Sequence[Sequence[Cell]], size: Size) -> Content:
    texts = [content(line).truncate(max(size.width, 1), ellipsis=True) for line in lines]
    lead = Content("\n" * max(0, (size.height - len(lines)) // 2))
    return lead + Content("\n").join(Content(" " * ((size.width - len(text)) // 2)) + text for text in texts)
