"""The health checker: who may take an order, and how that is found out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from engine.core.breaker import BreakerSettings
from engine.core.errors import Doubtful, RefusalKind, Refused, TraderUnavailable, Unsent
from engine.core.events import Desired, Event, Health
from engine.core.health import HealthSettings
from engine.core.lifecycle import AttemptState, AttemptStep
from engine.exchanges.guarded import GuardSettings
from engine.exchanges.paper.weather import Outage, WeatherSettings
from engine.workers.health import TraderHealthChecker
from tests.support.builders import a_request, a_signal, an_attempt_move
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


def test_a_forced_open_breaker_survives_a_restart_until_an_operator_lifts_it() -> None:
    async def story() -> None:
        async with a_world() as world:
            checker = a_checker(world)
            await checker.open()
            world.desks["trader_a"].exchange.force_open("the key was revoked")
            await checker.check_trader("trader_a")
            world.desks["trader_a"].exchange.reset()  # as a new process begins
            after = a_checker(world)
            await after.open()
            assert after.get_available_traders() == ["trader_b"]
            assert "the key was revoked" in after.states()["trader_a"].why_not
            after.lift("trader_a")
            assert after.get_available_traders() == ["trader_a", "trader_b"]
            assert turns(await world.events(), "breaker") == [("trader_a", "closed", "forced_open")]

    live(story())


def test_refused_credentials_are_not_tried_again_by_the_checker() -> None:
    async def story() -> None:
        async with a_world() as world:
            checker = a_checker(world)
            async with at_work(checker):
                await world.clock.sleep(1)
                world.desks["trader_a"].exchange.force_open("the key was revoked")
                before = {name: desk.looks for name, desk in world.desks.items()}
                await world.clock.sleep(1000)
                looks = {name: desk.looks - before[name] for name, desk in world.desks.items()}
            assert looks["trader_a"] == 0
            assert looks["trader_b"] > 10

    live(story())


def test_two_unknown_outcomes_quarantine_a_trader_until_they_are_resolved() -> None:
    async def story() -> None:
        async with a_world() as world:
            checker = a_checker(world)
            await checker.open()
            first = await world.attempt("trader_a", AttemptStep.LOSE_ANSWER)
            assert not (await checker.check_trader("trader_a")).quarantined
            await world.attempt("trader_a", AttemptStep.LOSE_ANSWER)
            assert (await checker.check_trader("trader_a")).quarantined
            assert checker.get_available_traders() == ["trader_b"]
            move = an_attempt_move(first.request, AttemptState.UNKNOWN, AttemptStep.FIND)
            await world.store.move_attempts([move])
            assert not (await checker.check_trader("trader_a")).quarantined
            assert [to for _, _, to in turns(await world.events(), "quarantine")] == ["quarantined", "free"]

    live(story())


def test_an_operator_lifts_a_quarantine_and_one_more_unknown_brings_it_back() -> None:
    async def story() -> None:
        async with a_world() as world:
            checker = a_checker(world)
            await checker.open()
            for _ in range(2):
                await world.attempt("trader_a", AttemptStep.LOSE_ANSWER)
            await checker.check_trader("trader_a")
            checker.lift("trader_a")
            assert not (await checker.check_trader("trader_a")).quarantined
            await world.attempt("trader_a", AttemptStep.LOSE_ANSWER)
            assert (await checker.check_trader("trader_a")).quarantined

    live(story())


def test_a_broken_proof_quarantines_across_a_restart() -> None:
    async def story() -> None:
        async with a_world() as world:
            checker = a_checker(world)
            await checker.open()
            checker.quarantine("trader_a")
            await checker.check_trader("trader_a")
            after = a_checker(world)
            await after.open()
            assert after.states()["trader_a"].quarantined
            after.lift("trader_a")
            assert not after.states()["trader_a"].quarantined

    live(story())


def test_a_quarantine_for_unknown_outcomes_ends_with_them_after_a_restart_too() -> None:
    async def story() -> None:
        async with a_world() as world:
            checker = a_checker(world)
            await checker.open()
            attempts = [await world.attempt("trader_a", AttemptStep.LOSE_ANSWER) for _ in range(2)]
            await checker.check_trader("trader_a")
            after = a_checker(world)
            await after.open()
            assert after.states()["trader_a"].quarantined
            for attempt in attempts:
                move = an_attempt_move(attempt.request, AttemptState.UNKNOWN, AttemptStep.FIND)
                await world.store.move_attempts([move])
            assert not (await after.check_trader("trader_a")).quarantined

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


def test_an_open_breaker_is_probed_right_after_its_time() -> None:
    guard = GuardSettings(breaker=BreakerSettings(open_s=4.0))

    async def story() -> None:
        outage = WeatherSettings(outages=(Outage(after_s=100, for_s=50),))
        async with a_world({"trader_a": outage}, guard=guard) as world:
            checker = a_checker(world)
            async with at_work(checker):
                await world.clock.sleep(101)
                exchange = world.desks["trader_a"].exchange
                await fail_orders(world, 5)
                await world.clock.sleep(600)
                assert exchange.is_half_open
            states = [to for _, _, to in turns(await world.events(), "breaker")]
            assert states == ["open", "half_open"]

    live(story())


async def fail_orders(world: World, count: int) -> None:
    """Let trader_a's venue refuse that many connections."""
    for _ in range(count):
        request = a_request(a_signal(), send_by=world.clock.wall() + timedelta(seconds=5))
        with pytest.raises(Unsent):
            await world.desks["trader_a"].exchange.place(request)


def test_learning_the_clocks_anew_asks_everyone_at_once() -> None:
    async def story() -> None:
        skies = {"trader_a": WeatherSettings(latency_s=1.0, latency_spread=0.0), "trader_b": CLEAR}
        async with a_world(skies) as world:
            checker = a_checker(world)
            await checker.open()
            await checker.relearn()
            assert checker.get_available_traders() == ["trader_a", "trader_b"]

    live(story())
