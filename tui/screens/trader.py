"""One trader: whether it takes orders, why not, and what it did last."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final

from textual.binding import Binding, BindingType

from engine.clock import Clock
from engine.core.commands import CommandKind
from engine.core.events import Event, TraderState
from tui.availability import availability_section
from tui.bridge import Bridge
from tui.dossiers import trader_sections
from tui.past import PastClock
from tui.screens.detail import DetailScreen
from tui.screens.trail import COPY, Errand
from tui.sections import Section, empty
from tui.widgets.cells import Cell

TURNS_MAX: Final = 500  # of the last hour; what turned more often than that shows the newest


class TraderScreen(DetailScreen):
    """Tells how one trader stands. Pause, drain and resume are keys of their own, so that a stale screen cannot do the opposite."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "Pause", id="trader.pause"),
        Binding("b", "drain", "Drain", id="trader.drain"),
        Binding("r", "resume", "Resume", id="trader.resume"),
        Binding("y", "copy_name", "Copy name", id="trader.copy", group=COPY),
        Binding("Y", "copy_json", "Copy JSON", id="trader.copy_json", group=COPY),
    ]
    WISHING: ClassVar[frozenset[str]] = frozenset({"pause", "drain", "resume"})

    def __init__(self, bridge: Bridge, name: str, *, clock: Clock | None = None) -> None:
        super().__init__(bridge, clock)
        self.trader_name = name
        self._turns: list[Event] = []

    @property
    def trail(self) -> tuple[str, ...]:
        return ("Traders", self.trader_name)

    @property
    def trader(self) -> TraderState | None:
        """Return the trader as the board has it, or None if there is none of that name."""
        traders = self.picture.traders if self.picture else ()
        return next((t for t in traders if t.name == self.trader_name), None)

    async def gather(self) -> None:
        if self.trader is not None:
            self._turns = await self.bridge.ask(lambda store: store.turns(self.trader_name, TURNS_MAX))

    def tell(self, now: datetime) -> tuple[Section, ...]:
        trader = self.trader
        if trader is None or self.picture is None:
            return (Section("lead", Cell("Not there", "bold $error"), empty("The board has no trader of this name.")),)
        lead, *others = trader_sections(trader, self.picture, now, self.unheard)
        if isinstance(self.clock, PastClock):
            unkept = empty("Latencies and the account: the journal does not hold them, so they are empty here.")
            others.append(Section("unkept", Cell("Not kept", "bold $muted"), unkept))
        heard_at = self.picture.engine.market_at if self.picture.engine and self.unheard else None
        return (lead, availability_section(trader, self._turns, now, heard_at), *others)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        allowed = super().check_action(action, parameters)
        return None if allowed and action in {*self.WISHING, "copy_json"} and self.trader is None else allowed

    def action_pause(self) -> None:
        self.post(Errand(CommandKind.PAUSE, self.trader_name, "pausing"))

    def action_drain(self) -> None:
        self.post(Errand(CommandKind.DRAIN, self.trader_name, "draining"))

    def action_resume(self) -> None:
        self.post(Errand(CommandKind.RESUME, self.trader_name, "resuming"))

    def action_copy_name(self) -> None:
        self.copy(self.trader_name, "The trader's name")

    def action_copy_json(self) -> None:
        if self.trader is not None:
            self.copy_as_json(self.trader, "The trader")
