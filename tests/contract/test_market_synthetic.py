"""The made-up market: the same for the same seed, lively enough for every strategy, and never absurd."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from pydantic import ValidationError

from engine.clock import LoopClock, SeededChance, run_on
from engine.core.combine import combine
from engine.core.values import Action, Side
from engine.market.base import Tick
from engine.market.candles import CandleBuilder
from engine.market.synthetic import SyntheticSettings, SyntheticSource
from engine.strategies.base import STRATEGIES

T0 = datetime(2026, 3, 1, 12, 0, 3, tzinfo=UTC)
Answer = TypeVar("Answer")


def on_virtual_time(steps: Coroutine[Any, Any, Answer]) -> Answer:
    with asyncio.Runner(loop_factory=run_on(None)) as runner:
        return runner.run(steps)


def told(settings: SyntheticSettings, minutes: float, chance_seed: int = 1) -> list[Tick]:
    """Return the back-fill, as a first tick, and the ticks of `minutes`."""

    async def steps() -> list[Tick]:
        clock = LoopClock()
        clock.begin(T0)
        source = SyntheticSource(settings, clock, SeededChance(chance_seed))
        history = await source.history(100)
        found = [Tick(history[-1].closed_ms, (), history)]
        async for tick in source.ticks():
            found.append(tick)
            if tick.at_ms >= T0.timestamp() * 1000 + minutes * 60_000:
                break
        return found

    return on_virtual_time(steps())


def test_the_seed_decides_and_another_seed_decides_otherwise() -> None:
    one, other = SyntheticSettings(seed=1), SyntheticSettings(seed=2)
    assert told(one, 2, chance_seed=1) == told(one, 2, chance_seed=99)
    assert told(one, 2) != told(other, 2)


def test_without_a_seed_the_engines_chance_decides() -> None:
    settings = SyntheticSettings(symbols=("BTC/USDT",))
    assert told(settings, 1, chance_seed=1) == told(settings, 1, chance_seed=1)
    assert told(settings, 1, chance_seed=1) != told(settings, 1, chance_seed=2)


def test_a_symbol_moves_alike_whatever_others_are_beside_it() -> None:
    alone = told(SyntheticSettings(symbols=("ETH/USDT",), seed=4), 1)
    beside = told(SyntheticSettings(symbols=("BTC/USDT", "ETH/USDT"), seed=4), 1)
    assert [trade for tick in alone for trade in tick.trades] == [
        trade for tick in beside for trade in tick.trades if trade.symbol == "ETH/USDT"
    ]


def test_every_strategy_votes_both_ways_within_minutes_and_first_signals_come_at_once() -> None:
    builder = CandleBuilder()
    panel = [kind(kind.Parameters()) for _, kind in STRATEGIES]
    said: dict[str, set[Action]] = {strategy.name: set() for strategy in panel}
    sides: set[Side] = set()
    first_ms = 0
    for tick in told(SyntheticSettings(seed=11), 8):
        for candle in builder.advance(tick):
            window = builder.window(candle.symbol)
            if window is None or len(window) < 100:
                continue
            votes = [strategy.vote(window) for strategy in panel]
            for vote in votes:
                said[vote.strategy].add(vote.action)
            combined = combine(votes)
            if combined is not None and combined.confidence >= 0.7:
                sides.add(combined.side)
                first_ms = first_ms or tick.at_ms
    assert all(actions == set(Action) for actions in said.values()), said
    assert sides == set(Side)
    assert first_ms - T0.timestamp() * 1000 <= 30_000


def test_trades_come_at_the_stated_rate() -> None:
    settings = SyntheticSettings(symbols=("BTC/USDT",), seed=3, trades_per_s=4.0)
    count = sum(len(tick.trades) for tick in told(settings, 10))
    assert 0.9 * 2_400 < count < 1.1 * 2_400


def test_the_first_trade_follows_the_back_fill_without_a_jump() -> None:
    ticks = told(SyntheticSettings(symbols=("BTC/USDT",), seed=3), 1)
    last = ticks[0].candles[-1].close
    first = next(trade.price for tick in ticks for trade in tick.trades)
    assert abs(first / last - 1.0) < 0.01


def test_a_day_of_it_stays_within_reason_and_is_all_sound() -> None:
    settings = SyntheticSettings(symbols=("BTC/USDT", "DOGE/USDT", "NEW/USDT"), seed=8, trades_per_s=0.2, tick_s=10)
    builder = CandleBuilder()
    ticks = told(settings, 24 * 60)
    for tick in ticks:
        builder.advance(tick)
    counters = builder.counters
    assert (counters.bad, counters.late, counters.repeated, counters.breaks) == (0, 0, 0, 0)
    for symbol in settings.symbols:
        prices = [trade.price for tick in ticks for trade in tick.trades if trade.symbol == symbol]
        assert 1.0 < max(prices) / min(prices) < 2.0


def test_a_trend_is_held_back_by_where_the_price_began() -> None:
    settings = SyntheticSettings(symbols=("BTC/USDT",), seed=8, trades_per_s=0.1, tick_s=60, regime_s=86_400)
    prices = [trade.price for tick in told(settings, 24 * 60) for trade in tick.trades]
    # A mood lasts for hours here, and its drift alone would double the price within three.
    assert max(max(prices) / 64_000, 64_000 / min(prices)) < 2.0


def test_the_wildest_settings_still_give_prices() -> None:
    settings = SyntheticSettings(symbols=("DOGE/USDT",), seed=8, tick_s=60, volatility=0.05, trend=5, trades_per_s=0.1)
    prices = [trade.price for tick in told(settings, 6 * 60) for trade in tick.trades]
    assert 0.0012 < min(prices) < max(prices) < 13.1


def test_a_closed_lid_is_skipped_and_not_made_up_for() -> None:
    async def steps() -> tuple[list[Tick], float]:
        clock = LoopClock()
        clock.begin(T0)
        source = SyntheticSource(SyntheticSettings(symbols=("BTC/USDT",), seed=1, tick_s=1), clock, SeededChance(1))
        found = []
        async for tick in source.ticks():
            found.append(tick)
            if len(found) == 10:
                await clock.sleep(6 * 3_600)
            if len(found) == 20:
                break
        return found, clock.wall().timestamp()

    found, wall_s = on_virtual_time(steps())
    assert found[10].at_ms - found[9].at_ms > 6 * 3_600_000 - 2_000
    assert abs(wall_s - found[-1].at_ms / 1000) < 1.1
    assert sum(len(tick.trades) for tick in found) < 100


@pytest.mark.parametrize(
    ("wrong", "told_"),
    [
        ({"symbols": ()}, "at least one symbol"),
        ({"symbols": ("btc",)}, "write it like BTC/USDT"),
        ({"symbols": ("A/B", "A/B")}, "named twice"),
        ({"trades_per_s": 0}, "trades_per_s"),
        ({"sed": 1}, "sed"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_the_fix(wrong: dict[str, Any], told_: str) -> None:
    with pytest.raises(ValidationError, match=told_):
        SyntheticSettings.model_validate(wrong)
