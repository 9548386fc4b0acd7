"""The keeper: upkeep by real seconds, whatever the market's time does."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

from engine.core.board import Check, EngineFacts, EngineState, ExecutionStatus
from engine.core.errors import StoreFull
from engine.core.lifecycle import SignalStep
from engine.core.values import Candle, Mode
from engine.workers.keeper import Keeper, KeeperSettings, Telling
from engine.workers.recorder import Recorder
from tests.support.builders import NOW, a_signal
from tests.support.world import World, WoundClock, a_world, live


def some_facts() -> EngineFacts:
    return EngineFacts(Mode.PAPER, EngineState.RUNNING, 1, 4242, NOW, NOW, NOW)


def a_status() -> ExecutionStatus:
    return ExecutionStatus(NOW, (Check("feed", ok=True, fact="fresh"),))


class HurriedClock(WoundClock):
    """A clock of a replay: a real second is a hundred of the market's."""

    def machine(self) -> float:
        return self.elapsed() / 100


class Tally:
    """A store that counts calls by name, and takes none of those named in `full`."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.calls: Counter[str] = Counter()
        self.full: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        async def call(*given: Any, **named: Any) -> Any:
            self.calls[name] += 1
            if name in self.full:
                raise StoreFull("the disk is full")
            return await getattr(self._store, name)(*given, **named)

        return call


class Scene:
    """A keeper over a counting store. `beats` numbers the heartbeats in the facts' speed."""

    def __init__(self, world: World, settings: KeeperSettings | None = None) -> None:
        self.store: Any = Tally(world.store)
        self.beats = 0
        self.recorder = Recorder(self.store, queue_max=3)
        telling = Telling(self._facts, self._status)
        self.keeper = Keeper(self.store, telling, settings or KeeperSettings(), world.clock, self.recorder)

    def _facts(self) -> EngineFacts:
        self.beats += 1
        return replace(some_facts(), speed=str(self.beats))

    async def _status(self) -> ExecutionStatus:
        return a_status()


def test_the_heartbeat_comes_each_second_and_the_diagnosis_each_fifth() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world)
            for _ in range(60):
                await scene.keeper.step()
                await world.clock.sleep(1)
            assert scene.store.calls["beat"] == 60
            assert scene.store.calls["save_readiness"] == 12
            assert (scene.store.calls["prune"], scene.store.calls["checkpoint"]) == (1, 1)
            facts = await world.store.engine_facts()
            assert facts is not None
            assert facts.speed == "60"
            assert await world.store.readiness() == a_status()

    live(story())


def test_a_replay_in_a_hurry_pays_only_for_real_seconds() -> None:
    async def story() -> None:
        async with a_world() as world:
            world.clock = HurriedClock()
            scene = Scene(world)
            running = asyncio.create_task(scene.keeper.run())
            await world.clock.sleep(10_000)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            assert 90 <= scene.store.calls["beat"] <= 101
            assert scene.store.calls["health"] <= 21

    live(story())


def test_a_full_store_is_noted_and_tried_again() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world)
            scene.store.full = {"beat"}
            await scene.keeper.step()
            assert scene.keeper.store_error == "the disk is full"
            assert scene.keeper.store_health is not None
            scene.store.full = set()
            await world.clock.sleep(1)
            await scene.keeper.step()
            assert scene.keeper.store_error == ""
            assert await world.store.engine_facts() is not None

    live(story())


def test_old_signals_go_in_small_batches_at_each_look() -> None:
    async def story() -> None:
        async with a_world() as world:
            old = [a_signal(received_at=NOW) for _ in range(25)]
            await world.store.put_signals(old)
            for signal in await world.signals():
                await world.step(signal, SignalStep.CANCEL)
            await world.clock.leap(timedelta(days=2).total_seconds())
            scene = Scene(world, KeeperSettings(signals_days=1, prune_batch=10))
            left = []
            for _ in range(4):
                await scene.keeper.step()
                left.append(len(await world.signals()))
                await world.clock.sleep(1)
            assert left == [15, 5, 1, 1], "one batch a look; the newest signal stays"

    live(story())


def test_a_long_write_ahead_log_is_folded_in_before_its_time() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world)
            folded = []
            for second in range(9):
                if second == 6:
                    assert scene.keeper.store_health is not None
                    scene.keeper.store_health = replace(scene.keeper.store_health, wal_bytes=1 << 30)
                await scene.keeper.step()
                folded.append(scene.store.calls["checkpoint"])
                await world.clock.sleep(1)
            assert folded == [1, 1, 1, 1, 1, 1, 2, 2, 2]

    live(story())


def test_the_last_words_are_written_even_right_after_others() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world)
            await scene.keeper.step()
            await scene.keeper.finish()
            facts = await world.store.engine_facts()
            assert facts is not None
            assert facts.speed == "2"
            scene.store.full = {"beat"}
            await scene.keeper.finish()
            assert scene.keeper.store_error == "the disk is full"

    live(story())


def test_a_loop_that_is_held_up_shows_in_the_heartbeat() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world)
            running = asyncio.create_task(scene.keeper.run())
            await world.clock.sleep(5)
            assert scene.keeper.loop_lag_s == 0.0
            await world.clock.leap(12.5)  # nobody gets a turn meanwhile
            await world.clock.sleep(1)
            assert scene.keeper.loop_lag_s > 2
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    live(story())


def test_closed_candles_are_written_each_second_and_with_the_last_words() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world)
            ages = NOW - timedelta(days=1), NOW + timedelta(days=1)
            begins = [int(NOW.timestamp()) * 1_000 + n * 10_000 for n in range(6)]
            candles = [Candle("X/Y", at, 10_000, 1.0, 1.0, 1.0, 1.0, 1.0) for at in begins]
            scene.recorder.take(candles[:1])
            await scene.keeper.step()
            assert await world.store.candles("X/Y", *ages, 9) == candles[:1]
            scene.recorder.take(candles[1:])
            assert scene.keeper.candles_lost == 2, "three wait at most"
            await scene.keeper.finish()
            assert await world.store.candles("X/Y", *ages, 9) == [candles[0], *candles[3:]]

    live(story())


def test_candles_that_a_full_store_does_not_take_hold_back_no_heartbeat() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world)
            scene.store.full = {"keep_candles"}
            scene.recorder.take([Candle("X/Y", 0, 10_000, 1.0, 1.0, 1.0, 1.0, 1.0)])
            for _ in range(5):
                await scene.keeper.step()
                await world.clock.sleep(1)
            assert scene.store.calls["beat"] == 5
            assert scene.keeper.store_error == "the disk is full"

    live(story())
