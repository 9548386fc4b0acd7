"""The feed: prices first, then candles, then the analyst."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import pytest

from engine.core.values import Candle
from engine.market.base import Tick
from engine.market.candles import CandleBuilder
from engine.workers.feed import Feed, Listeners
from tests.support.world import BEGIN, BEGIN_MS, SYMBOL, ScriptedSource, WoundClock, a_candle, a_tick, at, live, ms

Heard = list[tuple[str, Decimal, datetime]]


class Stage:
    """A feed over a script, with everything that it said."""

    def __init__(self, lines: Sequence[Tick], past: Sequence[Candle] = ()) -> None:
        self.clock = WoundClock()
        self.source = ScriptedSource(self.clock, lines, past)
        self.heard: Heard = []
        self.nudges: list[tuple[datetime, int]] = []
        self.returns: list[datetime] = []
        self.feed = Feed(
            self.source, CandleBuilder(), self.clock, Listeners([self._hear], self._nudged, self._returned)
        )

    def _hear(self, symbol: str, price: Decimal, when: datetime) -> None:
        self.heard.append((symbol, price, when))

    def _returned(self) -> None:
        self.returns.append(self.clock.wall())

    def _nudged(self) -> None:
        self.nudges.append((self.clock.wall(), len(self.heard)))


def test_prices_are_told_as_the_market_wrote_them() -> None:
    stage = Stage([a_tick(1, 0.1), a_tick(2, 1e-7), a_tick(3, 52_341.55)])
    live(stage.feed.run())
    assert [price for _, price, _ in stage.heard] == [Decimal("0.1"), Decimal("1E-7"), Decimal("52341.55")]
    assert stage.feed.quotes[SYMBOL].price == Decimal("52341.55")
    assert stage.feed.quotes[SYMBOL].at == at(3)


def test_the_newest_price_of_a_tick_is_told_once() -> None:
    stage = Stage([a_tick(1, 10.0, 11.0, 12.0), a_tick(2), a_tick(3, 12.0)])
    live(stage.feed.run())
    assert [price for _, price, _ in stage.heard] == [Decimal("12.0"), Decimal("12.0")]


def test_a_first_price_is_announced_and_one_after_a_long_silence() -> None:
    stage = Stage([a_tick(1), a_tick(2, 10.0), a_tick(3, 11.0), a_tick(33, 12.0), a_tick(64, 12.0)])
    live(stage.feed.run())
    assert stage.returns == [at(2), at(64)]


@pytest.mark.parametrize("price", [float("nan"), float("inf"), -1.0, 0.0])
def test_an_impossible_price_is_told_to_nobody(price: float) -> None:
    stage = Stage([a_tick(1, 10.0), a_tick(2, price)])
    live(stage.feed.run())
    assert [told for _, told, _ in stage.heard] == [Decimal("10.0")]
    assert stage.feed.facts().bad == 1


def test_the_analyst_is_woken_when_candles_have_closed_and_finds_the_price_there() -> None:
    stage = Stage([a_tick(1, 10.0), a_tick(9, 11.0), a_tick(12, 12.0), a_tick(13, 13.0)])
    live(stage.feed.run())
    assert stage.nudges == [(at(12), 3)]
    assert stage.feed.last_closed_ms(SYMBOL) == ms(10)


def test_history_makes_windows_and_quotes_before_the_first_tick() -> None:
    async def story() -> tuple[int, Heard, int]:
        stage = Stage([a_tick(1, 10.0)], past=[a_candle(number, 100.0 + number) for number in range(-30, 0)])
        await stage.feed.open(history_max=20)
        window = stage.feed.window(SYMBOL)
        return len(window or ()), stage.heard, len(stage.nudges)

    length, heard, nudges = live(story())
    assert length >= 19
    assert heard == [(SYMBOL, Decimal("99.0"), BEGIN)]
    assert nudges == 1


def test_a_recording_that_ends_is_finished_and_nothing_runs_on() -> None:
    async def story() -> tuple[bool, bool, int]:
        stage = Stage([a_tick(1, 10.0)])
        await stage.feed.run()
        finished = stage.feed.finished.is_set()
        await stage.feed.run()
        return finished, stage.feed.facts().finished, stage.source.read

    assert live(story()) == (True, True, 1)


def test_silence_ages_the_feed_and_a_word_without_rows_makes_it_young() -> None:
    async def story() -> list[float | None]:
        stage = Stage([a_tick(5, 10.0), a_tick(30)])
        ages = [stage.feed.age_s()]
        reading = asyncio.create_task(stage.feed.run())
        await stage.clock.sleep(25)
        ages.append(stage.feed.age_s())
        await reading
        ages.append(stage.feed.age_s())
        return ages

    before, silent, spoken = live(story())
    assert before is None
    assert silent == pytest.approx(20)
    assert spoken == pytest.approx(0)


def test_the_longest_rhythm_of_the_market_is_known() -> None:
    minute = Candle(SYMBOL, BEGIN_MS, 60_000, 1.0, 1.0, 1.0, 1.0, 1.0)
    stage = Stage([a_tick(1, 10.0, symbol="ETH/USDT"), Tick(ms(60), candles=(minute,))])
    assert stage.feed.longest_interval_s() == 0.0
    live(stage.feed.run())
    assert stage.feed.longest_interval_s() == 60.0


def test_the_facts_count_what_the_builder_dropped() -> None:
    stage = Stage([a_tick(1, 10.0), a_tick(12, 11.0), Tick(ms(13), trades=a_tick(3, 9.0).trades)])
    live(stage.feed.run())
    facts = stage.feed.facts()
    assert (facts.source, facts.symbols, facts.candles, facts.late) == ("script", 1, 1, 1)
    assert facts.last_at == at(13)


def test_a_source_is_opened_once_and_closed() -> None:
    async def story() -> tuple[int, int]:
        stage = Stage([])
        await stage.feed.open()
        await stage.feed.run()
        await stage.feed.close()
        return stage.source.opened, stage.source.closed

    assert live(story()) == (1, 1)
