"""News of alerts for whoever looks elsewhere: a passing message and the terminal's bell, both within a rate."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from textual.notifications import Notification

from engine.core.events import Alert, AlertState, Severity
from engine.core.text import counted
from tui.formatting import foreign

WINDOW: Final = timedelta(minutes=1)
WAITING_MAX: Final = 5  # more of them at once would fill a small screen
BELL_PAUSE: Final = timedelta(seconds=10)  # who has heard it need not hear it again at once


class Bell(StrEnum):
    """For which alerts the terminal's bell rings."""

    NEVER = "never"
    CRITICAL = "critical"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Volume:
    """How loud alerts are. `toasts_per_minute` 0 shows none."""

    bell: Bell = Bell.CRITICAL
    toasts_per_minute: int = 6


class Patience:
    """Keeps the passing messages that come while something is asked: the newest few, and a count of the others."""

    def __init__(self) -> None:
        self._waiting: deque[Notification] = deque()
        self._dropped = 0

    def hold(self, message: Notification) -> None:
        """Keep a message until `release`."""
        self._waiting.append(message)
        if len(self._waiting) > WAITING_MAX:
            self._waiting.popleft()
            self._dropped += 1

    def release(self) -> list[Notification]:
        """Return what has waited, the oldest first, and forget it."""
        waiting, dropped = list(self._waiting), self._dropped
        self._waiting.clear()
        self._dropped = 0
        if dropped:
            more = counted(dropped, "message more", "messages more")
            waiting.insert(
                0, Notification(f"{more} came while you were asked; f4 lists the alerts", severity="warning")
            )
        return waiting


class News(NamedTuple):
    """One passing message: its text, and how bad it is."""

    text: str
    severity: Severity


class Herald:
    """Tells of each alert once, when it becomes active. What was active at the first look is on the screen anyway."""

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._known: set[int] | None = None
        self._told: deque[datetime] = deque()
        self._held_back = 0
        self._rang_at: datetime | None = None

    def hear(self, alerts: Iterable[Alert], now: datetime) -> tuple[list[News], bool]:
        """Return what is to be shown `now`, and whether the bell is to ring."""
        active = {alert.id: alert for alert in alerts if alert.state is AlertState.ACTIVE}
        known, self._known = self._known, set(active)
        if known is None:
            return [], False
        fresh = [alert for number, alert in sorted(active.items()) if number not in known]
        return self._toasts(fresh, now), self._rings(fresh, now)

    def _toasts(self, fresh: list[Alert], now: datetime) -> list[News]:
        while self._told and now - self._told[0] >= WINDOW:
            self._told.popleft()
        if not self._volume.toasts_per_minute:
            return []
        news = []
        for alert in fresh:
            if len(self._told) >= self._volume.toasts_per_minute:
                self._held_back += 1
                continue
            self._told.append(now)
            news.append(News(foreign(alert.text), alert.severity))
        if self._held_back and len(self._told) < self._volume.toasts_per_minute:
            self._told.append(now)
            more = counted(self._held_back, "more alert was raised", "more alerts were raised")
            news.append(News(f"{more}; f4 lists all", Severity.WARNING))
            self._held_back = 0
        return news

    def _rings(self, fresh: list[Alert], now: datetime) -> bool:
        bell = self._volume.bell
        if bell is Bell.NEVER or not any(bell is Bell.ALL or alert.severity is Severity.CRITICAL for alert in fresh):
            return False
        if self._rang_at is not None and now - self._rang_at < BELL_PAUSE:
            return False
        self._rang_at = now
        return True
