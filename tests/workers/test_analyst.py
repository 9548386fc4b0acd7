"""The analyst: what makes a signal, and what makes none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from engine.core.lifecycle import AttemptStep, SignalState, SignalStep
from engine.core.risk import Limits
from engine.core.values import Action, Side, Vote
from engine.core.window import Window
from engine.store.base import Put, PutOutcome
from engine.workers.analyst import Analyst, AnalystSettings
from engine.workers.exits import ExitSettings, ExitWatch
from engine.workers.floor import Floor
from engine.workers.panel import Panel, Seat
from tests.support.world import SYMBOL, ToldStrategy, World, a_vote, a_world, at, live, ms, saying


class Opinion:
    """A strategy whose next words a test sets."""

    def __init__(self, action: Action = Action.BUY) -> None:
        self.action = action
        self.asked = 0
        self.strategy = ToldStrategy(self._say)

    def _say(self, window: Window) -> Vote:
        self.asked += 1
        return a_vote(self.action)


def an_analyst(world: World, *seats: Seat, settings: AnalystSettings | None = None) -> Analyst:
    floor = Floor(world.store, world.market, world.clock)
    exits = ExitWatch(floor, Limits(), ExitSettings())
    return Analyst(floor, Panel(seats), exits, settings or AnalystSettings())


async def rounds(world: World, analyst: Analyst, count: int, symbols: Sequence[str] = (SYMBOL,)) -> list[Put]:
    """Hold a round after each of `count` candles, 10 s apart."""
    puts = []
    for _ in range(count):
        world.market.close_candles(symbols=symbols)
        await world.clock.sleep(10)
        puts.extend(await analyst.step())
    return puts


def test_agreement_becomes_a_durable_signal_with_its_votes() -> None:
    async def story() -> None:
        async with a_world() as world:
            world.market.close_candles(4)
            fast = Seat("FastScalping", saying(Action.BUY, 0.9), 0.4, "trader_a")
            analyst = an_analyst(world, fast, Seat("Momentum", saying(Action.HOLD), 0.4, "trader_b"))
            [put] = await rounds(world, analyst, 1)
            kept = await world.store.signal(put.signal_id)
            assert kept is not None
            assert (kept.symbol, kept.side, kept.source, kept.confidence) == (SYMBOL, Side.BUY, "FastScalping", 0.9)
            assert kept.preferred_trader == "trader_a"
            assert kept.reference_price == Decimal("100.0")
            assert kept.key == f"{SYMBOL}|FastScalping|{ms(50)}"
            assert kept.received_at == at(10)
            assert kept.expires_at == at(10) + timedelta(seconds=120)
            assert [(vote.strategy, vote.action) for vote in kept.votes] == [
                ("FastScalping", Action.BUY),
                ("Momentum", Action.HOLD),
            ]
            assert (analyst.rounds, analyst.signals, analyst.last_round_at) == (1, 1, at(10))

    live(story())


def test_too_few_candles_make_no_signal() -> None:
    async def story() -> None:
        async with a_world() as world:
            opinion = Opinion()
            analyst = an_analyst(world, Seat("told", opinion.strategy, 1.0))
            assert await rounds(world, analyst, 4) == []
            assert opinion.asked == 0
            assert len(await rounds(world, analyst, 1)) == 1

    live(story())


def test_without_a_candle_that_closed_since_nobody_is_asked_again() -> None:
    async def story() -> None:
        async with a_world() as world:
            opinion = Opinion(Action.HOLD)
            world.market.close_candles(5)
            analyst = an_analyst(world, Seat("told", opinion.strategy, 1.0))
            for _ in range(3):
                await analyst.step()
            assert opinion.asked == 1

    live(story())


def test_a_repeated_vote_does_not_flood_the_queue() -> None:
    async def story() -> None:
        async with a_world() as world:
            world.market.close_candles(5)
            analyst = an_analyst(world, Seat("told", saying(), 1.0))
            assert len(await rounds(world, analyst, 30)) == 1
            assert len(await world.signals()) == 1

    live(story())


def test_once_it_has_ended_and_cooled_down_the_same_vote_counts_again() -> None:
    async def story() -> None:
        async with a_world() as world:
            world.market.close_candles(5)
            analyst = an_analyst(world, Seat("told", saying(), 1.0))
            await rounds(world, analyst, 6)
            [first] = await world.signals()
            await world.step(first, SignalStep.CANCEL)  # at 60 s: the cooldown ends at 90 s
            assert await rounds(world, analyst, 2) == []
            [again] = await rounds(world, analyst, 1)
            assert again.outcome is PutOutcome.STORED

    live(story())


def test_a_vote_for_the_other_side_takes_the_place_of_a_signal_that_waits() -> None:
    async def story() -> None:
        async with a_world() as world:
            world.market.close_candles(5)
            opinion = Opinion(Action.BUY)
            analyst = an_analyst(world, Seat("told", opinion.strategy, 1.0))
            await rounds(world, analyst, 1)
            opinion.action = Action.SELL
            await rounds(world, analyst, 1)
            first, second = await world.signals()
            assert (first.side, first.state, first.reason.code) == (Side.BUY, SignalState.CANCELLED, "superseded")
            assert (second.side, second.state) == (Side.SELL, SignalState.NEW)

    live(story())


def test_a_strategy_that_wavers_makes_no_signal_with_every_change_of_mind() -> None:
    async def story() -> None:
        async with a_world() as world:
            world.market.close_candles(5)
            opinion = Opinion(Action.BUY)
            analyst = an_analyst(world, Seat("told", opinion.strategy, 1.0))
            for _ in range(6):
                await rounds(world, analyst, 1)
                opinion.action = Action.SELL if opinion.action is Action.BUY else Action.BUY
            made = await world.signals()
            assert [signal.received_at for signal in made] == [at(10), at(20), at(50)]

    live(story())


def test_what_an_earlier_engine_left_open_stands() -> None:
    async def story() -> None:
        async with a_world() as world:
            world.market.close_candles(5)
            await rounds(world, an_analyst(world, Seat("told", saying(), 1.0)), 1)
            next_one = an_analyst(world, Seat("told", saying(), 1.0))
            assert await rounds(world, next_one, 10) == []

    live(story())


def test_a_signal_with_an_order_out_stands_however_old_it_is() -> None:
    async def story() -> None:
        async with a_world() as world:
            world.market.close_candles(5)
            analyst = an_analyst(world, Seat("told", saying(), 1.0))
            await rounds(world, analyst, 1)
            [signal] = await world.signals()
            await world.attempt_of(signal, "trader_a", AttemptStep.LOSE_ANSWER)
            assert await rounds(world, analyst, 100) == []

    live(story())


def test_each_symbol_and_each_leader_has_its_own_signal() -> None:
    async def story() -> None:
        async with a_world() as world:
            symbols = ["BTC/USDT", "ETH/USDT"]
            world.market.close_candles(5, symbols=symbols)
            first, second = Opinion(Action.BUY), Opinion(Action.HOLD)
            analyst = an_analyst(world, Seat("one", first.strategy, 0.5), Seat("two", second.strategy, 0.5))
            await rounds(world, analyst, 1, symbols)
            first.action, second.action = Action.HOLD, Action.BUY
            await rounds(world, analyst, 1, symbols)
            made = {(signal.symbol, signal.source) for signal in await world.signals()}
            assert made == {(symbol, source) for symbol in symbols for source in ("one", "two")}

    live(story())


def test_a_broken_strategy_is_journalled_once_and_the_others_make_the_signal() -> None:
    async def story() -> None:
        async with a_world() as world:
            world.market.close_candles(5)
            broken = ToldStrategy(lambda window: 1 / 0)
            analyst = an_analyst(world, Seat("broken", broken, 0.4), Seat("told", saying(), 0.2))
            puts = await rounds(world, analyst, 5)
            assert len(puts) == 1
            [event] = await world.events("strategy_failed")
            assert "ZeroDivisionError" in event.text

    live(story())


def test_a_round_for_one_symbol_shows_the_signal_and_keeps_nothing() -> None:
    async def story() -> None:
        async with a_world() as world:
            world.market.close_candles(5)
            analyst = an_analyst(world, Seat("told", saying(), 1.0, "trader_b"))
            signal = analyst.generate_signal_for_symbol(SYMBOL)
            assert signal is not None
            assert analyst.generate_signal_for_symbol("NO/WHERE") is None
            assert await world.signals() == []
            put = await analyst.store_signal(signal)
            assert (put.signal_id, put.outcome) == (signal.signal_id, PutOutcome.STORED)
            assert await rounds(world, analyst, 3) == []

    live(story())


def test_rounds_follow_closed_candles_and_keep_their_distance() -> None:
    async def story() -> None:
        async with a_world() as world:
            opinion = Opinion(Action.HOLD)
            world.market.close_candles(5)
            analyst = an_analyst(world, Seat("told", opinion.strategy, 1.0))
            running = asyncio.create_task(analyst.run())
            await world.clock.sleep(100)
            assert analyst.rounds == 0, "nothing closed"
            for _ in range(8):
                world.market.close_candles()
                analyst.nudge()
                await world.clock.sleep(5)
            assert analyst.rounds == 5  # at 100, 110, 120, 130 and 140 s
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    live(story())


def test_a_replay_on_the_same_store_repeats_its_signals_and_adds_none() -> None:
    async def story() -> None:
        async with a_world() as world:
            world.market.close_candles(5)
            await rounds(world, an_analyst(world, Seat("told", saying(), 1.0)), 1)
            [first] = await world.signals()
            await world.step(first, SignalStep.CANCEL)
            again = an_analyst(world, Seat("told", saying(), 1.0))
            [put] = await again.step()
            assert put.signal_id == first.id
            assert put.outcome is not PutOutcome.STORED
            assert len(await world.signals()) == 1

    live(story())
