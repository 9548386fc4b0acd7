"""The facts for the alert rules, from the store and from the workers that know."""

from __future__ import annotations

from datetime import timedelta

from engine.core.lifecycle import AttemptState, AttemptStep, SignalStep
from engine.core.metrics import UNKNOWN_COUNTS_AS_FAILED_AFTER_S
from engine.workers.alert_facts import AlertGatherer, AlertSources
from engine.workers.clock_watch import ClockWatch
from engine.workers.keeper import Keeper, KeeperSettings, Telling
from engine.workers.recorder import Recorder
from tests.support.builders import a_signal, an_attempt_move
from tests.support.world import World, a_world, live
from tests.workers.test_keeper import a_status, some_facts


class Scene:
    """A gatherer over a world; the feed's age is what a test says."""

    def __init__(self, world: World) -> None:
        async def relearned() -> None:
            pass

        async def status() -> object:
            return a_status()

        telling = Telling(some_facts, status)  # type: ignore[arg-type] # any diagnosis will do
        self.keeper = Keeper(world.store, telling, KeeperSettings(), world.clock, Recorder(world.store))
        self.watch = ClockWatch(world.store, world.clock, relearned)
        self.feed_age_s: float | None = None
        sources = AlertSources(dict, lambda: self.feed_age_s, self.keeper, self.watch)
        self.gather = AlertGatherer(world.store, sources, world.clock)


def test_an_empty_store_has_nothing_to_judge() -> None:
    async def story() -> None:
        async with a_world() as world:
            facts = await Scene(world).gather()
            assert (facts.success_rate, facts.judged, facts.due, facts.executions) == (None, 0, 0, 0)
            assert (facts.store_error, facts.clock_jump_s, facts.last_execution_at) == ("", 0.0, None)

    live(story())


def test_what_waits_is_counted_with_the_age_of_the_oldest() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world)
            assert (await scene.gather()).due == 0
            await world.store.put_signals([a_signal(received_at=world.clock.wall())])
            assert (await scene.gather()).due == 1
            await world.clock.sleep(40)
            await world.store.put_signals([a_signal(received_at=world.clock.wall())])
            facts = await scene.gather()
            assert (facts.due, facts.oldest_due_age_s) == (2, 40.0)

    live(story())


def test_the_queue_is_sampled_over_three_minutes_with_the_executions_in_them() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world)
            await world.hold("trader_a")
            for number in range(60):
                if number == 50:
                    await world.hold("trader_b")
                await world.store.put_signals([a_signal(received_at=world.clock.wall())])
                facts = await scene.gather()
                await world.clock.sleep(10)
            assert facts.queue[-1][1] - facts.queue[0][1] == len(facts.queue) - 1
            assert facts.queue[-1][0] - facts.queue[0][0] == timedelta(minutes=3)
            assert facts.executions == 1

    live(story())


def test_an_unknown_outcome_is_a_case_and_counts_as_failed_only_when_it_is_old() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world)
            await world.hold("trader_a")
            attempt = await world.attempt("trader_b", AttemptStep.LOSE_ANSWER)
            facts = await scene.gather()
            [case] = facts.unknown
            assert (case.signal_id, case.trader, case.since) == (attempt.signal_id, "trader_b", attempt.intent_at)
            assert (facts.judged, facts.success_rate) == (1, 1.0)
            await world.clock.sleep(UNKNOWN_COUNTS_AS_FAILED_AFTER_S + 1)
            facts = await scene.gather()
            assert (facts.judged, facts.success_rate) == (2, 0.5)
            await world.clock.sleep(300)
            facts = await scene.gather()
            assert (len(facts.unknown), facts.judged) == (1, 0), "it belongs to the minute of its intent"

    live(story())


def test_failures_leave_the_window_though_nothing_else_happens() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world)
            await world.clock.sleep(30)
            await world.attempt("trader_a", AttemptStep.REFUSE, signal_step=SignalStep.REJECT)
            assert (await scene.gather()).judged == 1
            await world.clock.sleep(290)
            assert (await scene.gather()).judged == 1, "4 min 50 s old, in a minute that began before the window"
            await world.clock.sleep(60)
            assert (await scene.gather()).judged == 0

    live(story())


def test_a_review_is_a_case_with_an_attempt_or_without() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world)
            attempt = await world.attempt("trader_a", AttemptStep.LOSE_ANSWER)
            await world.store.move_attempts(
                [
                    an_attempt_move(
                        attempt.request, AttemptState.UNKNOWN, AttemptStep.ESCALATE, signal_step=SignalStep.ESCALATE
                    )
                ]
            )
            poison = a_signal(received_at=world.clock.wall())
            await world.store.put_signals([poison])
            kept = await world.store.signal(poison.signal_id)
            assert kept is not None
            await world.step(kept, SignalStep.ESCALATE)
            facts = await scene.gather()
            assert {(case.signal_id, case.trader) for case in facts.reviews} == {
                (attempt.signal_id, "trader_a"),
                (poison.signal_id, ""),
            }

    live(story())


def test_a_jump_of_the_clock_is_told_for_half_a_minute() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world)
            scene.watch.jumped_s, scene.watch.jumped_at = 5.0, world.clock.wall()
            assert (await scene.gather()).clock_jump_s == 5.0
            await world.clock.sleep(31)
            assert (await scene.gather()).clock_jump_s == 0.0

    live(story())


def test_the_keeper_tells_of_the_store_and_the_feed_of_its_age() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world)
            scene.feed_age_s = 31.0
            scene.keeper.store_error = "the disk is full"
            facts = await scene.gather()
            assert (facts.feed_age_s, facts.store_error) == (31.0, "the disk is full")
            assert facts.disk_free_bytes is None
            await scene.keeper.step()
            facts = await scene.gather()
            assert facts.store_error == ""
            assert facts.disk_free_bytes is not None

    live(story())
