"""Exits: a position that reached its bound is closed by one signal at a time, however often that fails."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from engine.core.lifecycle import AttemptStep, SignalState, SignalStep
from engine.core.risk import Limits, Quote
from engine.core.values import Action, NewSignal, Side
from engine.workers.analyst import Analyst, AnalystSettings
from engine.workers.exits import EXIT_SOURCE, ExitSettings, ExitWatch
from engine.workers.floor import Floor
from engine.workers.panel import Panel, Seat
from tests.support.builders import a_fill
from tests.support.world import SYMBOL, World, a_world, live, saying


def a_watch(world: World) -> ExitWatch:
    return ExitWatch(Floor(world.store, world.market, world.clock), Limits(), ExitSettings())


def quote(world: World, price: str, symbol: str = SYMBOL) -> None:
    world.market.quotes[symbol] = Quote(Decimal(price), world.clock.wall())


async def hand_in(world: World, watch: ExitWatch) -> list[NewSignal]:
    """Do with the exits that are due what the analyst does."""
    due = await watch.due()
    if due:
        await world.store.put_signals(due)
        watch.note_stored(due)
    return due


def test_a_loss_of_five_percent_closes_the_position_at_its_own_trader() -> None:
    async def story() -> None:
        async with a_world() as world:
            opened = await world.hold("trader_b", price="100")
            watch = a_watch(world)
            quote(world, "95.01")
            assert await watch.due() == []
            quote(world, "95")
            [exit_] = await hand_in(world, watch)
            assert (exit_.side, exit_.reduces, exit_.confidence) == (Side.SELL, True, 1.0)
            assert (exit_.source, exit_.preferred_trader, exit_.quantity) == (EXIT_SOURCE, "trader_b", None)
            assert exit_.key == f"exit|trader_b|{SYMBOL}|{opened.id}|1"
            assert exit_.note.startswith("stop_loss: ")
            assert exit_.reference_price == Decimal(95)
            assert (exit_.expires_at - exit_.received_at).total_seconds() == 60

    live(story())


def test_a_gain_of_ten_percent_takes_the_profit() -> None:
    async def story() -> None:
        async with a_world() as world:
            await world.hold("trader_a", price="100")
            quote(world, "110")
            [exit_] = await a_watch(world).due()
            assert exit_.note.startswith("take_profit: ")

    live(story())


def test_while_an_exit_is_open_there_is_no_other_for_that_position() -> None:
    async def story() -> None:
        async with a_world() as world:
            await world.hold("trader_a", price="100")
            watch = a_watch(world)
            quote(world, "90")
            assert len(await hand_in(world, watch)) == 1
            for _ in range(5):
                await world.clock.sleep(10)
                quote(world, "80")
                assert await hand_in(world, watch) == []

    live(story())


def test_two_traders_with_the_same_symbol_have_an_exit_each() -> None:
    async def story() -> None:
        async with a_world() as world:
            await world.hold("trader_a", price="100")
            await world.hold("trader_b", price="100")
            quote(world, "90")
            due = await hand_in(world, a_watch(world))
            assert {exit_.preferred_trader for exit_ in due} == {"trader_a", "trader_b"}
            assert {signal.state for signal in await world.signals(source=EXIT_SOURCE)} == {SignalState.NEW}

    live(story())


def test_an_exit_that_ended_without_an_order_is_made_again_after_a_growing_wait() -> None:
    async def story() -> None:
        async with a_world() as world:
            await world.hold("trader_a", price="100")
            watch = a_watch(world)
            waits = []
            for _ in range(5):
                quote(world, "90")
                while not (due := await hand_in(world, watch)):
                    await world.clock.sleep(1)
                kept = await world.store.signal(due[0].signal_id)
                assert kept is not None
                waits.append((due[0].key.rpartition("|")[2], world.clock.elapsed()))
                await world.step(kept, SignalStep.EXPIRE)
            assert [n for n, _ in waits] == ["1", "2", "3", "4", "5"]
            gaps = [round(later - earlier) for (_, earlier), (_, later) in pairwise(waits)]
            assert gaps == [10, 20, 40, 60]

    live(story())


def test_after_a_restart_an_open_exit_stands_and_an_ended_one_is_counted_on() -> None:
    async def story() -> None:
        async with a_world() as world:
            await world.hold("trader_a", price="100")
            quote(world, "90")
            [first] = await hand_in(world, a_watch(world))
            assert await hand_in(world, a_watch(world)) == []
            kept = await world.store.signal(first.signal_id)
            assert kept is not None
            await world.step(kept, SignalStep.EXPIRE)
            await world.clock.sleep(10)
            [second] = await hand_in(world, a_watch(world))
            assert second.key == first.key[:-1] + "2"

    live(story())


def test_after_a_restart_another_traders_exit_is_not_taken_for_ones_own() -> None:
    async def story() -> None:
        async with a_world() as world:
            await world.hold("trader_a", price="100")
            quote(world, "90")
            await hand_in(world, a_watch(world))
            await world.hold("trader_b", price="100")
            [exit_] = await hand_in(world, a_watch(world))
            assert exit_.preferred_trader == "trader_b"
            assert exit_.key.endswith("|1")

    live(story())


def test_an_exit_whose_outcome_is_unknown_holds_back_every_other() -> None:
    async def story() -> None:
        async with a_world() as world:
            await world.hold("trader_a", price="100")
            watch = a_watch(world)
            quote(world, "90")
            [first] = await hand_in(world, watch)
            kept = await world.store.signal(first.signal_id)
            assert kept is not None
            await world.attempt_of(kept, "trader_a", AttemptStep.LOSE_ANSWER)
            await world.clock.sleep(1000)
            assert await hand_in(world, watch) == []

    live(story())


def test_a_closed_position_needs_no_exit() -> None:
    async def story() -> None:
        async with a_world() as world:
            await world.hold("trader_a", price="100")
            watch = a_watch(world)
            quote(world, "90")
            [first] = await hand_in(world, watch)
            kept = await world.store.signal(first.signal_id)
            assert kept is not None
            fill = a_fill("the way out", price=Decimal(90), quantity=Decimal(1))
            await world.attempt_of(kept, "trader_a", AttemptStep.FILL, fills=(fill,), signal_step=SignalStep.COMPLETE)
            await world.clock.sleep(1000)
            assert await hand_in(world, watch) == []

    live(story())


def test_the_analyst_hands_in_exits_with_the_signals_of_the_round() -> None:
    async def story() -> None:
        async with a_world() as world:
            await world.hold("trader_a", price="100")
            world.market.close_candles(5, price=90.0)
            floor = Floor(world.store, world.market, world.clock)
            panel = Panel([Seat("told", saying(Action.BUY), 1.0)])
            analyst = Analyst(floor, panel, ExitWatch(floor, Limits(), ExitSettings()), AnalystSettings())
            assert len(await analyst.step()) == 2
            assert await analyst.step() == []
            assert {signal.source for signal in await world.signals(states=frozenset({SignalState.NEW}))} == {
                "told",
                EXIT_SOURCE,
            }

    live(story())
