"""The clock watch: notices when wall time jumps against the loop's own, as after a suspend or a corrected clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from engine.clock import Clock, runs_free
from engine.core.events import EventKind, Level, NewEvent
from engine.store.base import Store

JUMP_S: Final = 2.0  # between two looks; less is drift, which the venues' clock offsets follow
LOOK_EVERY_S: Final = 1.0
LOOK_EVERY_FREE_S: Final = 600.0  # where wall time is made from the loop's time there is nothing to find


class ClockWatch:
    """Compares wall time with elapsed time. From a jump until `relearn` is over the clock is not sane.

    `relearn` reads the venues' clocks again; it must not raise because one of them does not answer.
    """

    def __init__(self, store: Store, clock: Clock, relearn: Callable[[], Awaitable[None]]) -> None:
        self._store, self._clock, self._relearn = store, clock, relearn
        self._distance_s: float | None = None
        self.is_sane = True
        self.jumped_s = 0.0
        self.jumped_at: datetime | None = None

    @property
    def fact(self) -> str:
        """Return the sentence for the gate and the diagnosis."""
        if self.jumped_at is None:
            return "wall time has not jumped since the start"
        return f"wall time jumped by {self.jumped_s:+.1f} s at {self.jumped_at:%H:%M:%S} UTC" + (
            "" if self.is_sane else "; the venues' clocks are being read again"
        )

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.step()
            await self._clock.sleep(LOOK_EVERY_FREE_S if runs_free() else LOOK_EVERY_S)

    async def step(self) -> None:
        """Look once: a jump is journalled, and the venues' clocks are read again before orders go on."""
        wall = self._clock.wall()
        distance_s = wall.timestamp() - self._clock.elapsed()
        before, self._distance_s = self._distance_s, distance_s
        if before is None or abs(distance_s - before) <= JUMP_S:
            return
        self.is_sane, self.jumped_s, self.jumped_at = False, distance_s - before, wall
        text = f"wall time jumped by {self.jumped_s:+.1f} s: no entries until the venues' clocks are read again"
        event = NewEvent(
            EventKind.ENGINE, wall, text, Level.WARNING, code="clock_jump", detail={"jumped_s": self.jumped_s}
        )
        try:
            await self._store.note([event])
            await self._relearn()
        finally:
            self.is_sane = True
