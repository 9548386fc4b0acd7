"""Waiting for market time."""

from __future__ import annotations

from typing import Final

from engine.clock import Clock

WAIT_S_MIN: Final = 0.0001  # so that rounding of times never makes a wait of nothing, again and again


async def reach(clock: Clock, at_ms: int) -> None:
    """Return once the clock's wall time is `at_ms` or later. Whoever else is ready runs at least once in between."""
    if at_ms / 1000 <= clock.wall().timestamp():
        await clock.sleep(0)
    while (wait_s := at_ms / 1000 - clock.wall().timestamp()) > 0:
        await clock.sleep(max(wait_s, WAIT_S_MIN))
