"""The health checker: who may take an order, and how that is found out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from engine.core.breaker import BreakerSettings, Guards
from engine.core.errors import Doubtful, RefusalKind, Refused, TraderUnavailable, Unsent, Withheld
from engine.core.events import BreakerState, Desired, Event, Health
from engine.core.health import HealthSettings
from engine.exchanges.guarded import GuardSettings
from engine.exchanges.paper.weather import Outage, WeatherSettings
from engine.workers.health import TraderHealthChecker
from tests.support.world import World, a_world, live

CLEAR = WeatherSettings()


def a_checker(world: World, **settings: float) -> TraderHealthChecker:
    chosen = HealthSettings.model_validate({"jitter": 0.0, "nap_s": 0.0, **settings})
    return TraderHealthChecker(world.store, world.desks, chosen, world.clock, world.chance)


@asynccontextmanager
async def at_work(checker: TraderHealthChecker) -> AsyncIterator[None]:
    """Let the checker run on its own meanwhile."""
    task = asyncio.create_task(checker.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def turns(events: list[Event], what: str) -> list[tuple[str | None, str, str]]:
    return [(e.trader, e.from_state, e.to_state) for e in events if e.code.startswith(what)]


def test_traders_that_answer_are_up_and_available() -> None:
    async def story() -> None:
        async with a_world() as world:
            checker = a_checker(world)
            assert {state.health for state in checker.states().values()} == {Health.UNCHECKED}
            await checker.open()
            for name in world.desks:
                assert (await checker.check_trader(name)).health is Health.UP
            assert checker.get_available_traders() == ["trader_a", "trader_b"]
            assert turns(await world.events(), "health") == [
                ("trader_a", "unchecked", "up"),
                ("trader_b", "unchecked", "up"),
            ]
            assert [row.health for row in await world.store.traders()] == [Health.UP, Health.UP]
            assert all(desk.rules for desk in world.desks.values()), "one that was not open yet is opened"

    live(story())


def test_a_trader_nobody_configured_is_unavailable() -> None:
    async def story() -> None:
        async with a_world() as world:
            with pytest.raises(TraderUnavailable):
                await a_checker(world).check_trader("nobody")

    live(story())


def test_a_paused_trader_is_not_unavailable_to_its_venue() -> None:
    async def story() -> None:
        async with a_world() as world:
            checker = a_checker(world)
            await checker.open()
            await world.store.set_desired("trader_a", Desired.PAUSE, "ada", "lunch", world.clock.wall())
            await checker.refresh()
            state = await checker.check_trader("trader_a")
            assert state.health is Health.UP
            assert state.why_not == "paused by ada: lunch"
            assert checker.get_available_traders() == ["trader_b"]
            await world.store.set_desired("trader_a", Desired.RUN, "ada", "", world.clock.wall())
            await checker.refresh()
            assert checker.get_available_traders() == ["trader_a", "trader_b"]

    live(story())


@pytest.mark.parametrize("hangs", [False, True])
def test_an_outage_takes_a_trader_down_and_answers_bring_it_back(hangs: bool) -> None:
    # The read breaker is kept out of it here: it would open before the third silence.
    guard = GuardSettings(breaker=BreakerSettings(calls_min=20))

    async def story() -> None:
        outage = WeatherSettings(outages=(Outage(after_s=40, for_s=100, hangs=hangs),))
        async with a_world({"trader_a": outage, "trader_b": CLEAR}, guard=guard) as world:
            checker = a_checker(world)
            async with at_work(checker):
                await world.clock.sleep(300)
            health = [(trader, to) for trader, _, to in turns(await world.events(), "health")]
            assert health == [("trader_a", "up"), ("trader_b", "up"), ("trader_a", "down"), ("trader_a", "up")]
            down, up = await world.events("health_down"), await world.events("health_up")
            assert "3 times in a row" in down[0].text
            back_s = (up[-1].at - down[0].at).total_seconds()
            assert back_s >= 30, "it must have answered for the dwell"

    live(story())


def test_in_a_replay_a_trader_that_is_well_is_asked_rarely_and_one_that_fails_at_once_more_often() -> None:
    async def story() -> None:
        async with a_world() as world:
            checker = a_checker(world, nap_s=300.0)
            async with at_work(checker):
                await world.clock.sleep(3000)
                assert all(8 <= desk.looks <= 11 for desk in world.desks.values())
                checker.report_trader_failure("trader_a", Doubtful("v", "reset"))
                before = {name: desk.looks for name, desk in world.desks.items()}
                await world.clock.sleep(30)
                looks = {name: desk.looks - before[name] for name, desk in world.desks.items()}
            assert looks == {"trader_a": 1, "trader_b": 0}

    live(story())


def test_a_trader_that_hangs_holds_up_no_other() -> None:
    async def story() -> None:
        hanging = WeatherSettings(outages=(Outage(after_s=0, for_s=10_000, hangs=True),))
        async with a_world({"trader_a": hanging, "trader_b": CLEAR}) as world:
            checker = a_checker(world)
            async with at_work(checker):
                await world.clock.sleep(1)
                assert checker.states()["trader_b"].health is Health.UP

    live(story())


def test_lost_orders_count_as_silence_and_business_refusals_do_not() -> None:
    async def story() -> None:
        async with a_world() as world:
            checker = a_checker(world)
            await checker.open()
            for name in world.desks:
                await checker.check_trader(name)
            for _ in range(10):
                checker.report_trader_failure("trader_a", Refused("trader_a", "no money", RefusalKind.FUNDS))
                checker.report_trader_failure("trader_a", Withheld("trader_a", "halted"))
            assert checker.states()["trader_a"].health is Health.UP
            for error in (
                Doubtful("v", "reset"),
                Unsent("v", "refused"),
                Refused("v", "shut", RefusalKind.MAINTENANCE),
            ):
                checker.report_trader_failure("trader_a", error)
            assert checker.states()["trader_a"].health is Health.DOWN
            checker.report_trader_failure("nobody", Doubtful("v", "reset"))

    live(story())


def test_a_venue_whose_clock_is_off_by_more_than_is_safe_gets_no_orders() -> None:
    async def story() -> None:
        skies = {"trader_a": WeatherSettings(clock_offset_s=-1.0), "trader_b": CLEAR}
        async with a_world(skies) as world:
            checker = a_checker(world)
            await checker.open()
            state = await checker.check_trader("trader_a")
            assert "clock" in state.why_not
            assert world.desks["trader_a"].clock_offset_s == pytest.approx(-1.0)

    live(story())


def test_a_venue_whose_clock_is_a_little_off_is_told_of_once() -> None:
    async def story() -> None:
        skies = {"trader_a": WeatherSettings(clock_offset_s=0.4), "trader_b": CLEAR}
        async with a_world(skies) as world:
            checker = a_checker(world)
            async with at_work(checker):
                await world.clock.sleep(600)
            assert checker.get_available_traders() == ["trader_a", "trader_b"]
            [event] = await world.events("clock_offset")
            assert event.trader == "trader_a"

    live(story())


def test_a_slow_answer_proves_no_offset() -> None:
    async def story() -> None:
        skies = {"trader_a": WeatherSettings(latency_s=1.5, latency_spread=0.0), "trader_b": CLEAR}
        async with a_world(skies) as world:
            checker = a_checker(world)
            await checker.open()
            assert (await checker.check_trader("trader_a")).health is Health.UP
            assert abs(world.desks["trader_a"].clock_offset_s) < 0.1

    live(story())


def test_a_slow_venue_is_degraded_and_may_still_take_orders() -> None:
    async def story() -> None:
        skies = {"trader_a": WeatherSettings(latency_s=2.5, latency_spread=0.0), "trader_b": CLEAR}
        async with a_world(skies) as world:
            checker = a_checker(world)
            async with at_work(checker):
                await world.clock.sleep(600)
            assert checker.states()["trader_a"].health is Health.DEGRADED
            assert "trader_a" in checker.get_available_traders()

    live(story())


def test_a_restart_finds_health_out_anew_and_calls_that_no_news() -> None:
    async def story() -> None:
        async with a_world({"trader_a": CLEAR}) as world:
            for _ in range(2):
                checker = a_checker(world)
                await checker.open()
                await checker.check_trader("trader_a")
            assert turns(await world.events(), "health") == [("trader_a", "unchecked", "up")] * 2

    live(story())


def test_a_transition_is_journalled_once_however_many_look_at_it() -> None:
    async def story() -> None:
        async with a_world() as world:
            checker = a_checker(world)
            await checker.open()
            await checker.check_trader("trader_a")
            for _ in range(3):
                checker.report_trader_failure("trader_a", Doubtful("v", "reset"))
            await asyncio.gather(*(checker.check_trader("trader_a") for _ in range(3)))
            assert len(await world.events("health_down")) == 1

    live(story())


def test_quiet_that_a_venue_asked_for_is_no_illness() -> None:
    guard = GuardSettings(hold_from_s=0.1)

    async def story() -> None:
        async with a_world({"trader_a": WeatherSettings(rate_limit=3)}, guard=guard) as world:
            checker = a_checker(world)
            await checker.open()
            await checker.check_trader("trader_a")
            await world.clock.sleep(5)
            exchange = world.desks["trader_a"].exchange
            for _ in range(3):
                await exchange.venue_time()
            with pytest.raises(Refused):
                await exchange.venue_time()
            assert exchange.breaker(Guards.READS).state is BreakerState.OPEN
            for _ in range(5):
                await checker.check_trader("trader_a")
            assert checker.states()["trader_a"].health is Health.UP

    live(story())


def test_a_reported_failure_is_noted_without_waiting_for_the_next_question() -> None:
    async def story() -> None:
        async with a_world() as world:
            checker = a_checker(world, time_every_s=1000.0)
            async with at_work(checker):
                await world.clock.sleep(1)
                for _ in range(3):
                    checker.report_trader_failure("trader_a", Doubtful("v", "reset"))
                await world.clock.sleep(1)
                assert len(await world.events("health_down")) == 1

    live(story())


def test_what_does_not_change_is_written_at_most_every_five_seconds() -> None:
    async def story() -> None:
        async with a_world() as world:
            checker = a_checker(world, time_every_s=1.0)
            await checker.open()
            await checker.check_trader("trader_a")
            changes = set()
            for number in range(20):
                world.desks["trader_a"].in_flight = number % 2
                await checker.check_trader("trader_a")
                changes.add(await world.store.change())
                await world.clock.sleep(1)
            assert len(changes) <= 5

    live(story())


def test_learning_the_clocks_anew_forgets_what_was_read_before() -> None:
    async def story() -> None:
        skies = {"trader_a": WeatherSettings(latency_s=0.1, latency_spread=0.0), "trader_b": CLEAR}
        async with a_world(skies) as world:
            checker = a_checker(world)
            await checker.open()
            await checker.relearn()
            world.skies["trader_a"].settings = WeatherSettings(latency_s=0.2, latency_spread=0.0, clock_offset_s=-0.2)
            await checker.check_trader("trader_a")
            assert world.desks["trader_a"].clock_offset_s == pytest.approx(0.0), "the quickest answer tells best"
            await checker.relearn()
            assert world.desks["trader_a"].clock_offset_s == pytest.approx(-0.2)

    live(story())


def test_a_venue_that_answers_orders_is_not_silent_for_the_few_it_loses() -> None:
    async def story() -> None:
        async with a_world() as world:
            health = a_checker(world)
            await health.check_trader("trader_a")
            for _ in range(10):
                health.report_trader_failure("trader_a", Doubtful("paper", "no answer"))
                health.report_trader_failure("trader_a", Doubtful("paper", "no answer"))
                health.report_trader_answer("trader_a")
            assert health.states()["trader_a"].health is Health.UP
            for _ in range(3):
                health.report_trader_failure("trader_a", Doubtful("paper", "no answer"))
            assert health.states()["trader_a"].health is Health.DOWN

    live(story())
