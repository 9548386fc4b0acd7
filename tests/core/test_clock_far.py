"""A loop on virtual time keeps going however much time has passed on it."""

from __future__ import annotations

import asyncio

from engine.clock import LoopClock, run_on


def test_timers_run_after_years_of_market_time() -> None:
    async def far() -> float:
        clock = LoopClock()
        await clock.leap(55_191_911.37)
        for n in range(1, 2_000):
            await clock.sleep(n * 0.000_37)
        return clock.elapsed()

    with asyncio.Runner(loop_factory=run_on(None)) as runner:
        assert runner.run(far()) > 55_191_911.37 + 700


def test_a_recordings_far_future_is_reached_at_once() -> None:
    async def far() -> float:
        clock = LoopClock()
        await clock.leap(3e9)
        await clock.sleep(0.1)
        return clock.elapsed()

    with asyncio.Runner(loop_factory=run_on(None)) as runner:
        assert runner.run(far()) > 3e9
