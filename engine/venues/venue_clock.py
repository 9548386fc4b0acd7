"""The venue's time, kept by the venue's own clock: no jump of this machine's wall time reaches a deadline."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from engine.clock import Clock

READINGS: Final = 20
STEP_S: Final = 1.0  # a reading that lies this far beyond its own doubt says that the venue's clock was set anew


@dataclass(frozen=True, slots=True)
class _Reading:
    venue: datetime
    elapsed_s: float
    round_trip_s: float


class VenueClock:
    """Goes on from the best of the last readings by elapsed time, which never runs backwards.

    The best reading is the one with the shortest round trip: it may be wrong by half of that at most.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._readings: deque[_Reading] = deque(maxlen=READINGS)
        self._best: _Reading | None = None

    @property
    def is_known(self) -> bool:
        """Say whether the venue has ever told its time."""
        return self._best is not None

    def note(self, venue: datetime, began_s: float, ended_s: float) -> None:
        """Take a reading: what the venue said, and the elapsed times at which the call began and ended."""
        round_trip_s = ended_s - began_s
        reading = _Reading(venue + timedelta(seconds=round_trip_s / 2), ended_s, round_trip_s)
        if self._best is not None:
            expected = self._at(self._best, ended_s)
            doubt_s = (round_trip_s + self._best.round_trip_s) / 2
            if abs((reading.venue - expected).total_seconds()) > doubt_s + STEP_S:
                self._readings.clear()
        self._readings.append(reading)
        self._best = min(reversed(self._readings), key=lambda r: r.round_trip_s)

    def now(self) -> datetime:
        """Return the venue's time; this machine's wall time where the venue was never heard."""
        return self._clock.wall() if self._best is None else self._at(self._best, self._clock.elapsed())

    @staticmethod
    def _at(reading: _Reading, elapsed_s: float) -> datetime:
        return reading.venue + timedelta(seconds=elapsed_s - reading.elapsed_s)
