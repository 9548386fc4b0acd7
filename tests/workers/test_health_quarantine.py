"""Breakers and quarantines: what keeps orders from a trader until time, proof or an operator lifts it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.core.breaker import BreakerSettings
from engine.core.errors import Unsent
from engine.core.lifecycle import AttemptState, AttemptStep, SignalStep
from engine.exchanges.guarded import GuardSettings
from engine.exchanges.paper.weather import Outage, WeatherSettings
from tests.support.builders import a_request, a_signal, an_attempt_move
from tests.support.world import World, a_world, at, live
from tests.workers.test_health import a_checker, at_work, turns


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


def test_an_operator_who_lifts_a_quarantine_has_seen_what_was_filled_too_much() -> None:
    async def story() -> None:
        async with a_world() as world:
            desk = world.desks["trader_a"]
            checker = a_checker(world)
            desk.account = desk.account.with_overfill("order v1 was filled 2, asked for were 1")
            assert checker.states()["trader_a"].account.overfills
            checker.lift("trader_a")
            assert checker.states()["trader_a"].account == replace(desk.account, overfills=())

    live(story())


def test_what_was_resolved_since_is_not_lifted_for_ever() -> None:
    async def story() -> None:
        async with a_world() as world:
            checker = a_checker(world)
            await checker.open()
            attempts = [await world.attempt("trader_a", AttemptStep.LOSE_ANSWER) for _ in range(2)]
            await checker.check_trader("trader_a")
            checker.lift("trader_a")
            await world.store.move_attempts(
                [an_attempt_move(attempts[0].request, AttemptState.UNKNOWN, AttemptStep.FIND)]
            )
            assert not (await checker.check_trader("trader_a")).quarantined
            await world.attempt("trader_a", AttemptStep.LOSE_ANSWER)
            assert (await checker.check_trader("trader_a")).quarantined

    live(story())


def test_an_outcome_that_waits_for_a_review_is_as_unresolved_as_an_unknown_one() -> None:
    async def story() -> None:
        async with a_world() as world:
            checker = a_checker(world)
            await checker.open()
            first = await world.attempt("trader_a", AttemptStep.LOSE_ANSWER)
            move = an_attempt_move(
                first.request, AttemptState.UNKNOWN, AttemptStep.ESCALATE, signal_step=SignalStep.ESCALATE
            )
            await world.store.move_attempts([move])
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


def test_an_open_breaker_is_probed_right_after_its_time() -> None:
    guard = GuardSettings(breaker=BreakerSettings(open_s=4.0))

    async def story() -> None:
        outage = WeatherSettings(outages=(Outage(after_s=100, for_s=2),))
        async with a_world({"trader_a": outage}, guard=guard) as world:
            checker = a_checker(world, time_every_s=101.5)
            async with at_work(checker):
                await world.clock.sleep(101)
                await fail_orders(world, 5)
                await world.clock.sleep(99)
            [half_open] = await world.events("breaker_half_open")
            assert 4 <= (half_open.at - at(101)).total_seconds() < 5

    live(story())


async def fail_orders(world: World, count: int) -> None:
    """Let trader_a's venue refuse that many connections."""
    for _ in range(count):
        request = a_request(a_signal(), send_by=world.clock.wall() + timedelta(seconds=5))
        with pytest.raises(Unsent):
            await world.desks["trader_a"].exchange.place(request)
