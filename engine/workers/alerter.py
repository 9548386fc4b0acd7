"""The Alerter: lets the alert rules look at the facts, keeps what they say, and obeys operators about it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from engine.clock import Clock, runs_free
from engine.core.alerting import Key, Watch, acknowledged, snoozed
from engine.core.alerts import AlertFacts, AlertSettings, evaluate
from engine.core.errors import CommandRefused
from engine.core.events import Alert, AlertState, EventKind, NewEvent
from engine.store.base import Store

LOOK_EVERY_S: Final = 5.0
LOOK_EVERY_FREE_S: Final = 60.0
ALERTS_MAX: Final = 1_000  # unresolved ones taken up from an earlier engine
RESOLVED_MAX: Final = 200  # resolved ones read with them, so that flapping is known across a restart


class Alerter:
    """Looks every few seconds. What it raised is in the store, so a restart goes on from there."""

    def __init__(
        self, store: Store, facts: Callable[[], Awaitable[AlertFacts]], settings: AlertSettings, clock: Clock
    ) -> None:
        self._store, self._facts, self._settings, self._clock = store, facts, settings, clock
        self._known: dict[int, Alert] | None = None
        self._pending: Mapping[Key, Watch] = {}
        self._turn = asyncio.Lock()  # an operator's word must not be lost to a look that began before it

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.step()
            await self._clock.sleep(LOOK_EVERY_FREE_S if runs_free() else LOOK_EVERY_S)

    async def step(self) -> int:
        """Look once; returns how many alerts were saved."""
        async with self._turn:
            known = await self._rows()
            facts = await self._facts()
            outcome = evaluate(list(known.values()), self._pending, facts, self._settings)
            for change in outcome.changes:
                news = _told(change.alert, change.event, change.code) if change.event else None
                await self._save(change.alert, news)
            self._pending = outcome.pending
            self._forget(facts)
            return len(outcome.changes)

    async def acknowledge(self, alert_id: int, by: str) -> str:
        """Note that an operator has seen it; returns the sentence to show. Raises CommandRefused, with the reason."""
        async with self._turn:
            alert = await self._unresolved(alert_id)
            if alert.state is AlertState.ACKNOWLEDGED:
                return f"alert {alert_id} was acknowledged before, by {alert.ack_by}"
            seen = acknowledged(alert, by, self._clock.wall())
            await self._save(seen, _told(seen, f"{by} has seen {alert.rule}: {alert.text}", "acknowledged"))
            return f"alert {alert_id} is acknowledged"

    async def snooze(self, alert_id: int, seconds: float, by: str) -> str:
        """Keep it quiet for `seconds`; returns the sentence to show. Raises CommandRefused, with the reason."""
        async with self._turn:
            alert = await self._unresolved(alert_id)
            quiet = snoozed(alert, seconds, self._clock.wall())
            text = f"alert {alert_id} is quiet until {quiet.snoozed_until:%H:%M:%S} UTC"
            await self._save(quiet, _told(quiet, f"{by} snoozed {alert.rule}: {alert.text}", "snoozed"))
            return text

    async def _rows(self) -> dict[int, Alert]:
        if self._known is None:
            # From here on this is the only writer, so memory is as good as the rows.
            left = await self._store.alerts(resolved=False, limit=ALERTS_MAX)
            over = await self._store.alerts(resolved=True, limit=RESOLVED_MAX)
            self._known = {alert.id: alert for alert in (*over, *left)}
        return self._known

    async def _unresolved(self, alert_id: int) -> Alert:
        alert = (await self._rows()).get(alert_id)
        if alert is None:
            raise CommandRefused(f"no alert {alert_id} is open; `signaldeck alert list` shows them")
        if alert.state is AlertState.RESOLVED:
            raise CommandRefused(f"alert {alert_id} is resolved already")
        return alert

    async def _save(self, alert: Alert, event: NewEvent | None) -> None:
        saved = await self._store.save_alert(alert, event)
        (await self._rows())[saved.id] = saved

    def _forget(self, facts: AlertFacts) -> None:
        # Resolved ones are of use for as long as flapping is counted.
        span_s = self._settings.flap_window_s
        self._known = {
            alert.id: alert
            for alert in (self._known or {}).values()
            if alert.resolved_at is None or (facts.now - alert.resolved_at).total_seconds() < span_s
        }


def _told(alert: Alert, text: str, code: str) -> NewEvent:
    # What is wrong is in the journal by itself, at its own level; that an alert came of it is only worth telling.
    return NewEvent(
        EventKind.ALERT,
        alert.changed_at,
        text,
        signal_id=alert.signal_id,
        code=f"alert_{code}",
        detail={"rule": alert.rule, "subject": alert.subject, "severity": str(alert.severity)},
    )
