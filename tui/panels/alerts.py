"""The alerts: what is wrong now, and what was."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.content import Content

from engine.core.commands import CommandKind
from engine.core.events import Alert, AlertState
from tui.filters import ALERT_CHOICES
from tui.formatting import ago, alert_sign, foreign
from tui.messages import Kind, Rewound, Wish, Wished
from tui.panels.base import ACTS, PANELS, Entry, Place, Scene, Spot, TablePanel
from tui.widgets.cells import Cell, content
from tui.widgets.columns import Column
from tui.widgets.live_table import Row

SNOOZE_S: Final = 900


def alert_entry(alert: Alert, scene: Scene) -> Entry:
    """Return an alert's row; its age is the time since it was raised, or resolved."""
    sign = alert_sign(alert.severity, alert.state)
    doing = scene.pending.get(str(alert.id))
    quiet = alert.state is not AlertState.ACTIVE
    text, subject = foreign(alert.text), foreign(alert.subject, 60)
    since = alert.resolved_at or alert.raised_at
    cells = (
        Cell(f"… {doing}", "$accent") if doing else sign.cell,
        Cell(ago(since, scene.now, has_clock_times=scene.has_clock_times), "$muted"),
        Cell(text, "$muted" if quiet else ""),
    )
    facts = {"rule": alert.rule, "severity": alert.severity.value, "state": alert.state.value}
    return Entry(Row(str(alert.id), cells), {**facts, "subject": subject, "text": text})


@PANELS.add("alerts")
class AlertsPanel(TablePanel):
    """3: alerts, the most urgent first; in one line the most urgent alone."""

    number = 3
    label = "Alerts"
    place = Place(rank=4, brief=1, two=Spot(1, 38), three=Spot(2, 30))
    kind = Kind.ALERT
    empty = "all quiet: nothing has been raised"
    choices = ALERT_CHOICES
    columns = (
        Column("severity", "severity", 10),
        Column("age", "age", 4, align="right"),
        Column("text", "what", 20, grows=True),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "acknowledge", "Acknowledge", id="alerts.acknowledge", group=ACTS, tooltip="You have seen it"),
        Binding("z", "snooze", "Snooze", id="alerts.snooze", group=ACTS, tooltip="Quiet for 15 minutes"),
    ]

    def entries(self, scene: Scene) -> list[Entry]:
        return [alert_entry(alert, scene) for alert in sorted(scene.board.alerts, key=lambda alert: alert.urgency)]

    def moment(self, scene: Scene) -> Rewound:
        alert = self.alert()
        return Rewound(at=alert.raised_at) if alert else super().moment(scene)

    def counts(self, scene: Scene) -> Content:
        head = scene.board.headline
        if not head.alerts_open:
            return content([Cell("none open", "$muted")])
        loud = Cell(f"{head.alerts_active} unacknowledged", "bold $error" if head.alerts_active else "$muted")
        return content([loud, Cell(f" of {head.alerts_open} open", "$muted")])

    def title(self, scene: Scene) -> Content:
        title = super().title(scene)
        active = [alert for alert in scene.board.alerts if alert.state is AlertState.ACTIVE]
        if not self.is_brief or not active:
            return title
        gravest = min(active, key=lambda alert: alert.urgency)
        sign = alert_sign(gravest.severity, gravest.state)
        told = content([Cell("  "), Cell(sign.glyph, sign.style), Cell(" " + foreign(gravest.text))])
        return Content.assemble(title, told)

    def brief(self, scene: Scene, width: int) -> Content:  # noqa: ARG002 - all panels are asked alike
        return Content("")  # its title says it all

    def alert(self) -> Alert | None:
        """Return the alert under the cursor."""
        if self.scene is None or self.is_brief:
            return None
        return next((a for a in self.scene.board.alerts if str(a.id) == self.selected), None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action not in {"acknowledge", "snooze"}:
            return super().check_action(action, parameters)
        if self.read_only:
            return False
        alert = self.alert()
        if alert is None or self.scene is None or str(alert.id) in self.scene.pending:
            return None
        wanted = {AlertState.ACTIVE} if action == "acknowledge" else {AlertState.ACTIVE, AlertState.ACKNOWLEDGED}
        return True if alert.state in wanted else None

    def action_acknowledge(self) -> None:
        if (alert := self.alert()) is not None:
            self.post_message(Wished(Wish(CommandKind.ACKNOWLEDGE, str(alert.id), "noting", "Acknowledge")))

    def action_snooze(self) -> None:
        if (alert := self.alert()) is not None:
            args = {"seconds": str(SNOOZE_S)}
            self.post_message(Wished(Wish(CommandKind.SNOOZE, str(alert.id), "snoozing", "Snooze", args=args)))
