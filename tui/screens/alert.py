"""One alert: what is wrong, since when, who has seen it, what to do, and the rule that raised it."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final

from textual.binding import Binding, BindingType

from engine.clock import Clock
from engine.core.commands import CommandKind
from engine.core.events import Alert, AlertState
from tui.bridge import Bridge
from tui.dossiers import alert_sections
from tui.messages import Rewound
from tui.screens.detail import DetailScreen
from tui.screens.story import StoryScreen
from tui.screens.trader import TraderScreen
from tui.screens.trail import COPY, Errand
from tui.sections import Section

SNOOZE_S: Final = 900


class AlertScreen(DetailScreen):
    """Tells one alert as the board has it by now; one that the board no longer holds stays as it was last seen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open_subject", "Subject", id="alert.open", tooltip="What it is about"),
        Binding("a", "acknowledge", "Acknowledge", id="alert.acknowledge"),
        Binding("z", "snooze", "Snooze", id="alert.snooze", tooltip="Quiet for 15 minutes"),
        Binding("y", "copy_text", "Copy text", id="alert.copy", group=COPY),
        Binding("Y", "copy_json", "Copy JSON", id="alert.copy_json", group=COPY),
    ]
    WISHING: ClassVar[frozenset[str]] = frozenset({"acknowledge", "snooze"})
    tells_a_moment: ClassVar[bool] = True

    def __init__(self, bridge: Bridge, alert: Alert, *, clock: Clock | None = None) -> None:
        super().__init__(bridge, clock)
        self.alert = alert

    @property
    def trail(self) -> tuple[str, ...]:
        return ("Alerts", self.alert.rule.replace("_", " "))

    async def gather(self) -> None:
        alerts = self.picture.alerts if self.picture else ()
        self.alert = next((a for a in alerts if a.id == self.alert.id), self.alert)

    def tell(self, now: datetime) -> tuple[Section, ...]:
        return alert_sections(self.alert, now)

    def moment(self) -> Rewound:
        return Rewound(at=self.alert.raised_at)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        allowed = super().check_action(action, parameters)
        if not allowed:
            return allowed
        applies = {
            "open_subject": bool(self.alert.signal_id) or self._trader != "",
            "acknowledge": self.alert.state is AlertState.ACTIVE,
            "snooze": self.alert.state is not AlertState.RESOLVED,
        }
        return True if applies.get(action, True) else None

    def action_open_subject(self) -> None:
        if self.alert.signal_id:
            self.app.push_screen(StoryScreen(self.bridge, self.alert.signal_id, clock=self.clock))
        elif self._trader:
            self.app.push_screen(TraderScreen(self.bridge, self._trader, clock=self.clock))

    def action_acknowledge(self) -> None:
        self.post(Errand(CommandKind.ACKNOWLEDGE, str(self.alert.id), "acknowledging"))

    def action_snooze(self) -> None:
        self.post(Errand(CommandKind.SNOOZE, str(self.alert.id), "snoozing", args={"seconds": str(SNOOZE_S)}))

    def action_copy_text(self) -> None:
        self.copy(self.alert.text, "The alert's text")

    def action_copy_json(self) -> None:
        self.copy_as_json(self.alert, "The alert")

    @property
    def _trader(self) -> str:
        traders = self.picture.traders if self.picture else ()
        return next((t.name for t in traders if t.name == self.alert.subject), "")
