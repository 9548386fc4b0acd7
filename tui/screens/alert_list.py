"""The alerts, all of them: what is wrong now, what somebody has seen, what is over."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.screen import Screen

from engine.clock import Clock
from engine.core.commands import CommandKind
from engine.core.events import Alert, AlertState
from tui.bridge import Bridge
from tui.bulk import plan_acknowledge
from tui.filters import ALERT_CHOICES, Choices
from tui.formatting import alert_sign, clock_time, duration, foreign, since
from tui.panels.alerts import SNOOZE_S
from tui.panels.base import ACTS, Entry
from tui.screens.marking import MARK_COLUMN, MarkingScreen
from tui.screens.trail import Errand
from tui.widgets.cells import Cell
from tui.widgets.columns import Column
from tui.widgets.live_table import Row

SHOWN_MAX: Final = 500
RANK: Final = {AlertState.ACTIVE: 0, AlertState.ACKNOWLEDGED: 1, AlertState.PENDING: 1, AlertState.RESOLVED: 2}


def alert_line(alert: Alert, now: datetime) -> Entry:
    """Return an alert's row as it stands at `now` (the market's time)."""
    sign = alert_sign(alert.severity, alert.state)
    over = alert.state is AlertState.RESOLVED
    lasted = max(0.0, ((alert.resolved_at or now) - alert.raised_at).total_seconds())
    seen = foreign(alert.ack_by or "", 24)
    snoozed = alert.snoozed_until is not None and alert.snoozed_until > now and not over
    text = foreign(alert.text)
    quiet = "$muted" if over or snoozed else ""
    cells = (
        sign.cell,
        Cell(clock_time(alert.raised_at), "$muted"),
        Cell(duration(lasted), "$muted"),
        Cell(f"×{alert.repeats}" if alert.repeats > 1 else "", "$muted"),  # noqa: RUF001 - a times sign is meant
        Cell(alert.rule.replace("_", " "), quiet),
        Cell(text, quiet),
        Cell(f"snoozed {since(now, alert.snoozed_until)}" if snoozed and alert.snoozed_until else seen, "$muted"),
    )
    word = "snoozed" if snoozed else alert.state.value
    facts = {"rule": alert.rule, "severity": alert.severity.value, "state": word, "text": text, "by": seen}
    return Entry(Row(str(alert.id), cells), {**facts, "subject": foreign(alert.subject, 60)})


class AlertListScreen(MarkingScreen):
    """Lists alerts: active, then seen, then resolved; within each the grave first, then the newest."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "acknowledge", "Acknowledge", id="alerts_all.acknowledge", group=ACTS, tooltip="You have seen it"),
        Binding("z", "snooze", "Snooze", id="alerts_all.snooze", group=ACTS, tooltip="Quiet for 15 minutes"),
    ]
    WISHING: ClassVar[frozenset[str]] = frozenset({"acknowledge", "snooze"})
    empty = "all quiet: nothing has ever been raised"
    choices: ClassVar[Choices] = {**ALERT_CHOICES, "state": (*ALERT_CHOICES["state"], "snoozed")}
    columns = (
        MARK_COLUMN,
        Column("severity", "state", 10),
        Column("at", "raised", 8),
        Column("lasted", "for", 6, align="right", rank=1),
        Column("times", "", 4, align="right", rank=3),
        Column("rule", "rule", 18, rank=2),
        Column("text", "what", 44, grows=True),
        Column("by", "seen by", 12, rank=1),
    )
    follows = False
    tells_a_moment = True

    def __init__(self, bridge: Bridge, *, clock: Clock | None = None) -> None:
        super().__init__(bridge, clock=clock)
        self._alerts: list[Alert] = []

    @property
    def trail(self) -> tuple[str, ...]:
        return ("Alerts", "active, seen, resolved")

    async def gather(self) -> None:
        open_now = await self.bridge.ask(lambda store: store.alerts(resolved=False, limit=SHOWN_MAX))
        over = await self.bridge.ask(lambda store: store.alerts(resolved=True, limit=SHOWN_MAX))
        told = {alert.id: alert for alert in (*over, *open_now)}.values()
        self._alerts = sorted(told, key=lambda alert: alert.urgency)

    def entries(self, now: datetime) -> list[Entry]:
        return [alert_line(alert, now) for alert in self._alerts]

    def counts(self) -> list[Cell]:
        by = [sum(RANK[alert.state] == rank for alert in self._alerts) for rank in range(3)]
        marked = super().counts()[1:]
        active = Cell(f"{by[0]} active", "bold $error" if by[0] else "$muted")
        return [active, Cell(f"  {by[1]} seen  {by[2]} resolved", "$muted"), *marked]

    def thing(self, key: str) -> Alert | None:
        return next((alert for alert in self._alerts if str(alert.id) == key), None)

    def screen_of(self, key: str) -> Screen[None] | None:
        from tui.screens.alert import AlertScreen  # loaded with the first that is opened

        alert = self.thing(key)
        return None if alert is None else AlertScreen(self.bridge, alert, clock=self.clock)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        allowed = super().check_action(action, parameters)
        if not allowed or action not in self.WISHING:
            return allowed
        if action == "acknowledge" and self.marks:
            return True
        alert = self._under_cursor()
        if alert is None:
            return None
        wanted = {AlertState.ACTIVE} if action == "acknowledge" else {AlertState.ACTIVE, AlertState.ACKNOWLEDGED}
        return True if alert.state in wanted else None

    def action_acknowledge(self) -> None:
        chosen = (self.thing(key) for key in self.scope)
        self.act(plan_acknowledge(alert for alert in chosen if alert is not None))

    def action_snooze(self) -> None:
        if (alert := self._under_cursor()) is not None:
            self.post(Errand(CommandKind.SNOOZE, str(alert.id), "snoozing", args={"seconds": str(SNOOZE_S)}))

    def _under_cursor(self) -> Alert | None:
        key = self.table.cursor_key if self.is_mounted else None
        return None if key is None else self.thing(key)
