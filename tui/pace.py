"""How often the screen is drawn: as often as asked, and less often while drawing is slow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SLOW_S: Final = 0.1  # a tick that takes longer halves the rate
QUICK_S: Final = 0.05
QUICK_TICKS: Final = 20  # so many quick ticks in a row double it again
FACTOR_MAX: Final = 8
WISHED_MIN_S, WISHED_MAX_S = 0.125, 4.0  # what an operator can make of it: 8 times a second down to every 4 s

LOCAL_S: Final = 0.25
REMOTE_S: Final = 0.5


def base_interval(environ: Mapping[str, str]) -> float:
    """Return seconds between two ticks: fewer over ssh, where every cell travels."""
    return REMOTE_S if environ.get("SSH_CONNECTION") else LOCAL_S


class Pace:
    """The interval between ticks, from how long they take."""

    def __init__(self, base_s: float) -> None:
        self._base_s = base_s
        self._factor = 1
        self._quick = 0
        self.is_away = False  # the terminal has lost the focus: half the rate will do

    @property
    def interval_s(self) -> float:
        return self._base_s * self._factor * (2 if self.is_away else 1)

    @property
    def wished_s(self) -> float:
        """Return the interval that is wished for, whatever drawing takes."""
        return self._base_s

    @property
    def is_slowed(self) -> bool:
        return self._factor > 1

    def faster(self) -> None:
        """Draw twice as often as before, as far as that goes."""
        self._base_s = max(self._base_s / 2, min(self._base_s, WISHED_MIN_S))

    def slower(self) -> None:
        """Draw half as often as before, as far as that goes."""
        self._base_s = min(self._base_s * 2, max(self._base_s, WISHED_MAX_S))

    def note(self, took_s: float) -> None:
        """Learn how long the last tick took."""
        if took_s > SLOW_S:
            self._factor, self._quick = min(self._factor * 2, FACTOR_MAX), 0
            return
        self._quick = self._quick + 1 if took_s < QUICK_S else 0
        if self._quick >= QUICK_TICKS and self._factor > 1:
            self._factor, self._quick = self._factor // 2, 0
