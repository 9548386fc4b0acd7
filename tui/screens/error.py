"""One error: all that is known of it, and what to do next."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.clock import Clock
from engine.core.events import Event
from tui.bridge import Bridge
from tui.dossiers import error_sections
from tui.formatting import clock_time
from tui.messages import Rewound
from tui.screens.detail import DetailScreen
from tui.screens.story import StoryScreen
from tui.screens.trader import TraderScreen
from tui.screens.trail import COPY
from tui.sections import Section


class ErrorScreen(DetailScreen):
    """Tells one journal entry. Journal entries never change, so nothing is asked again but the engine's state."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open_story", "Its signal", id="error.story"),
        Binding("o", "open_trader", "Trader", id="error.trader"),
        Binding("y", "copy_text", "Copy text", id="error.copy_text", group=COPY),
        Binding("Y", "copy_json", "Copy JSON", id="error.copy_json", group=COPY),
    ]

    tells_a_moment: ClassVar[bool] = True

    def __init__(self, bridge: Bridge, event: Event, *, clock: Clock | None = None) -> None:
        super().__init__(bridge, clock)
        self.event = event

    @property
    def trail(self) -> tuple[str, ...]:
        return ("Errors", f"{clock_time(self.event.at)} {self.event.code or self.event.kind.value}")

    def tell(self, now: datetime) -> tuple[Section, ...]:  # noqa: ARG002 - what happened does not age
        return error_sections(self.event)

    def moment(self) -> Rewound:
        return Rewound(seq=self.event.seq)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if (action == "open_story" and not self.event.signal_id) or (action == "open_trader" and not self.event.trader):
            return None
        return super().check_action(action, parameters)

    def action_open_story(self) -> None:
        if self.event.signal_id:
            self.app.push_screen(StoryScreen(self.bridge, self.event.signal_id, clock=self.clock))

    def action_open_trader(self) -> None:
        if self.event.trader:
            self.app.push_screen(TraderScreen(self.bridge, self.event.trader, clock=self.clock))

    def action_copy_text(self) -> None:
        self.copy(self.event.text, "The error's text")

    def action_copy_json(self) -> None:
        self.copy_as_json(self.event, "The error")
