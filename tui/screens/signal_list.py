"""The signals, as many as the store has of what the filter asks for: to be marked, retried, cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.screen import Screen

from engine.clock import Clock
from engine.core.board import LastTry, SignalRow
from engine.core.events import Signal
from engine.core.text import counted
from tui.bridge import Bridge, newest_signals
from tui.bulk import plan_cancel, plan_retry
from tui.filters import SIGNAL_CHOICES, states_in
from tui.panels.base import ACTS, Entry, Scene
from tui.panels.queue import Drawn, QueuePanel, draw_queue
from tui.screens.marking import MARK_COLUMN, MarkingScreen
from tui.widgets.cells import Cell

SHOWN_MAX: Final = 2_000


def row_of(signal: Signal, tried: LastTry | None) -> SignalRow:
    """Return a signal as a line of the queue. Who handed it in may have left its quantity to the engine: then the try has it."""
    return SignalRow(
        seq=signal.seq,
        id=signal.id,
        symbol=signal.symbol,
        side=signal.side.value,
        quantity=signal.quantity if signal.quantity is not None or tried is None else tried.quantity,
        state=signal.state.value,
        reason_code=signal.reason.code,
        reason=signal.reason.text,
        attempts=signal.attempts,
        source=signal.source,
        trader=signal.trader or "",
        confidence=signal.confidence,
        received_at=signal.received_at,
        expires_at=signal.expires_at,
        ended_at=signal.ended_at,
        latency_s=tried.latency_s if tried is not None else None,
        version=signal.version,
        cancel_requested=signal.cancel_requested,
    )


class SignalListScreen(MarkingScreen):
    """Lists signals, newest first, and acts on the marked ones: the button for after an outage."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "retry", "Retry", id="signals.retry", group=ACTS, tooltip="Put ended signals back in the queue"),
        Binding("X", "cancel", "Cancel", id="signals.cancel", group=ACTS, tooltip="Withdraw signals"),
        Binding("m", "market", "Market", id="signals.market", tooltip="The candles of its symbol"),
    ]
    WISHING: ClassVar[frozenset[str]] = frozenset({"retry", "cancel"})
    empty = "no signal yet"
    choices = SIGNAL_CHOICES
    columns = (MARK_COLUMN, *QueuePanel.columns)
    every_s: ClassVar[float] = 1.0

    def __init__(self, bridge: Bridge, *, clock: Clock | None = None) -> None:
        super().__init__(bridge, clock=clock)
        self._signals: dict[str, Signal] = {}
        self._tries: Mapping[int, LastTry] = {}
        self._drawn: dict[str, Drawn] = {}

    @property
    def trail(self) -> tuple[str, ...]:
        return ("Signals",)

    async def gather(self) -> None:
        found = await self.bridge.ask(newest_signals(states_in(self.filter.text), SHOWN_MAX))
        marked = {key: known for key in self.marks if (known := self._signals.get(key)) is not None}
        fresh = {signal.id: signal for signal in found}
        self._signals = fresh | {key: signal for key, signal in marked.items() if key not in fresh}
        seqs = [signal.seq for signal in self._signals.values() if signal.attempts]
        self._tries = await self.bridge.ask(lambda store: store.last_tries(seqs))

    def entries(self, now: datetime) -> list[Entry]:
        if self.picture is None:
            return []
        rows = [row_of(signal, self._tries.get(signal.seq)) for signal in self._signals.values()]
        self._drawn = draw_queue(rows, Scene(self.picture, now, has_clock_times=self.has_clock_times), self._drawn)
        return [drawn.entry for drawn in self._drawn.values()]

    def counts(self) -> list[Cell]:
        cells = super().counts()
        cells[0] = Cell(counted(len(self._signals), "signal"), "$muted")
        if len(self._signals) >= SHOWN_MAX:
            cells.insert(1, Cell("  the newest; / state:failed asks the store for those", "$stale"))
        return cells

    def set_filter(self, text: str) -> None:
        """Show only what the filter takes; a state in it is asked of the store, which has more than is shown."""
        before = states_in(self.filter.text)
        super().set_filter(text)
        if states_in(text) != before:
            self._change = None
            self.call_later(self.look)

    def thing(self, key: str) -> Signal | None:
        return self._signals.get(key)

    def screen_of(self, key: str) -> Screen[None] | None:
        from tui.screens.story import StoryScreen  # loaded with the first that is opened

        return StoryScreen(self.bridge, key, clock=self.clock)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "market" and self.is_mounted and self._at_cursor() is None:
            return None
        return super().check_action(action, parameters)

    async def action_market(self) -> None:
        from tui.screens.market import MarketScreen  # loaded with the first that is opened

        if (signal := self._at_cursor()) is not None:
            await self.app.push_screen(MarketScreen(self.bridge, signal.symbol, clock=self.clock))

    def _at_cursor(self) -> Signal | None:
        return self._signals.get(self.table.cursor_key or "")

    def action_retry(self) -> None:
        self.act(plan_retry(self._chosen()))

    def action_cancel(self) -> None:
        self.act(plan_cancel(self._chosen()))

    def _chosen(self) -> list[Signal]:
        return [self._signals[key] for key in self.scope if key in self._signals]
