"""The venue's time, kept by the venue's own clock: no jump of this machine's wall time reaches a deadline."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Final

from engine.clock import Clock

READINGS: Final = 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class VenueClock:
    """Goes on by elapsed time, which never runs backwards, from what the last readings allow together.

    A venue that said `t` in steps of `step_s`, somewhere between a call's begin and its end, bounds how far its clock is
    ahead of elapsed time from both sides. All bounds hold at once, so their intersection does, and its middle is taken
    (K. Marzullo's intersection of clocks, with every reading trusted).
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._bounds: deque[tuple[float, float]] = deque(maxlen=READINGS)
        self._ahead_s: float | None = None
        self._doubt_s = 0.0

    @property
    def is_known(self) -> bool:
        """Say whether the venue has ever told its time."""
        return self._ahead_s is not None

    def note(self, venue: datetime, began_s: float, ended_s: float, step_s: float = 0.0) -> None:
        """Take a reading: what the venue said, and the elapsed times at which the call began and ended."""
        said_s = (venue - _EPOCH).total_seconds()
        reading = (said_s - ended_s, said_s + step_s - began_s)
        self._bounds.append(reading)
        low, high = self._allowed()
        if low > high:  # its clock was set anew: what it said before is no longer true
            self._bounds.clear()
            self._bounds.append(reading)
            low, high = reading
        self._ahead_s, self._doubt_s = (low + high) / 2, (high - low) / 2

    def now(self) -> datetime:
        """Return the venue's time; this machine's wall time where the venue was never heard."""
        if self._ahead_s is None:
            return self._clock.wall()
        return _EPOCH + timedelta(seconds=self._clock.elapsed() + self._ahead_s)

    def earliest(self) -> datetime:
        """Return the earliest time that it may be there: what is signed with it is never from the venue's future."""
        return self.now() - timedelta(seconds=self._doubt_s)

    def _allowed(self) -> tuple[float, float]:
        return max(low for low, _ in self._bounds), min(high for _, high in self._bounds)
