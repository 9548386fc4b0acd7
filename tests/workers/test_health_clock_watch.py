"""The clock watch: a jump of wall time is noticed once, and lifted when the venues' clocks were read again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.core.events import Level
from engine.workers.clock_watch import ClockWatch
from tests.support.world import World, WoundClock, a_world, live


class Scene:
    """A watch that a test lets look; `seen` is whether the clock counted as sane while the venues were asked."""

    def __init__(self, world: World) -> None:
        self.world, self.clock = world, WoundClock()
        self.seen: list[bool] = []
        self.watch = ClockWatch(world.store, self.clock, self._relearn)

    async def _relearn(self) -> None:
        self.seen.append(self.watch.is_sane)

    def jump(self, seconds: float) -> None:
        self.clock.begin(self.clock.wall() + timedelta(seconds=seconds))

    async def look(self) -> None:
        await self.watch.step()
        await self.world.clock.sleep(1)


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 2.5])
def test_a_jump_is_journalled_once_and_the_venues_are_asked_before_entries_go_on(jump: float) -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world)
            await scene.look()
            scene.jump(jump)
            for _ in range(5):
                await scene.look()
            [event] = await world.events("clock_jump")
            assert event.level is Level.WARNING
            assert event.detail["jumped_s"] == pytest.approx(jump)
            assert scene.seen == [False]
            assert scene.watch.is_sane
            assert scene.watch.jumped_s == pytest.approx(jump)

    live(story())


def test_drift_is_no_jump() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world)
            for _ in range(60):
                await scene.look()
                scene.jump(0.5)
            assert await world.events("clock_jump") == []
            assert scene.watch.fact == "wall time has not jumped since the start"

    live(story())


def test_the_first_look_only_takes_the_measure() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world)
            scene.jump(1e6)
            await scene.look()
            assert scene.seen == []

    live(story())
