"""The readiness diagnosis: could a signal made now be sent, and if not, which gate says no and what to do."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.clock import Clock
from engine.core.board import ExecutionStatus
from tui.bridge import Bridge
from tui.dossiers import readiness_sections
from tui.past import PastClock
from tui.screens.detail import DetailScreen
from tui.sections import Section, empty
from tui.widgets.cells import Cell


class ReadinessScreen(DetailScreen):
    """Asks every gate between a candle and a fill, again each two seconds."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+r", "ask_again", "Ask again", id="readiness.ask")]
    every_s: ClassVar[float] = 2.0
    is_asking_always: ClassVar[bool] = True

    def __init__(self, bridge: Bridge, *, clock: Clock | None = None) -> None:
        super().__init__(bridge, clock)
        self.status: ExecutionStatus | None = None

    @property
    def trail(self) -> tuple[str, ...]:
        return ("Diagnosis", "Could a signal be sent now?")

    async def gather(self) -> None:
        self.status = await self.bridge.readiness()

    def tell(self, now: datetime) -> tuple[Section, ...]:
        if self.status is None and isinstance(self.clock, PastClock):
            rows = empty("A diagnosis is made when it is asked for, and the journal does not keep it.")
            return (Section("lead", Cell("NOT KEPT", "bold $muted"), rows, tone="$muted"),)
        if self.status is None:
            rows = empty("No engine answers, and none has left a diagnosis. Start one: signaldeck run")
            return (Section("lead", Cell("NOBODY TO ASK", "bold $warning"), rows, tone="$warning"),)
        return readiness_sections(self.status, now, self.unheard)

    async def action_ask_again(self) -> None:
        await self.look()
        if why := self._why_not_asked():
            self.toast(why, "warning")

    def _why_not_asked(self) -> str:
        if isinstance(self.clock, PastClock):
            return "the past cannot be asked"
        if self.trouble:
            return f"nothing could be asked: {self.trouble}"
        if self.unheard:
            return f"nobody can be asked: {self.unheard}. Start one: signaldeck run"
        return "" if self.status is not None else "nobody can be asked: no engine answers"
