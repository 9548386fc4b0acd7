"""The recorder: closed candles reach the store with the keeper's looks, and hold nobody up."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import StoreBusy
from engine.core.values import Candle
from engine.market.candles import CandleBuilder
from engine.workers.feed import Feed, Listeners
from engine.workers.recorder import ROWS_AT_ONCE, Recorder
from tests.support.store import an_open_store
from tests.support.world import SYMBOL, ScriptedSource, WoundClock, a_candle, a_tick, a_world, live

AGES = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def some(count: int, first: int = 0) -> list[Candle]:
    return [Candle("X/Y", n * 10_000, 10_000, 1.0, 2.0, 1.0, 2.0, 1.0) for n in range(first, first + count)]


class Shelf:
    """A store that keeps batches in a list; `trouble` is raised instead where it is set, `gate` is waited for."""

    def __init__(self) -> None:
        self.batches: list[list[Candle]] = []
        self.trouble: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def keep_candles(self, candles: list[Candle]) -> None:
        await self.gate.wait()
        if self.trouble is not None:
            raise self.trouble
        self.batches.append(list(candles))

    @property
    def begins(self) -> list[int]:
        return [candle.opened_ms // 10_000 for batch in self.batches for candle in batch]


def a_recorder(queue_max: int = 5_000) -> tuple[Recorder, Any]:
    shelf: Any = Shelf()
    return Recorder(shelf, queue_max=queue_max), shelf


def test_what_waits_is_written_in_order_and_in_small_batches() -> None:
    async def story() -> None:
        recorder, shelf = a_recorder()
        recorder.take(some(1_200))
        await recorder.flush()
        assert [len(batch) for batch in shelf.batches] == [ROWS_AT_ONCE, ROWS_AT_ONCE, 1_200 - 2 * ROWS_AT_ONCE]
        assert shelf.begins == list(range(1_200))
        await recorder.flush()
        assert len(shelf.batches) == 3, "nothing waits, nothing is written"
        assert recorder.lost == 0

    live(story())


def test_a_full_queue_lets_the_oldest_go_and_counts_them() -> None:
    async def story() -> None:
        recorder, shelf = a_recorder(queue_max=10)
        recorder.take(some(7))
        recorder.take(some(6, first=7))
        assert recorder.lost == 3
        recorder.take(some(25, first=13))
        assert recorder.lost == 28
        await recorder.flush()
        assert shelf.begins == list(range(28, 38))

    live(story())


def test_what_the_store_did_not_take_waits_for_the_next_time() -> None:
    async def story() -> None:
        recorder, shelf = a_recorder(queue_max=10)
        recorder.take(some(8))
        shelf.trouble = StoreBusy("somebody else writes")
        for _ in range(3):
            with pytest.raises(StoreBusy):
                await recorder.flush()
        shelf.trouble = None
        recorder.take(some(1, first=8))
        await recorder.flush()
        assert shelf.begins == list(range(9))
        assert recorder.lost == 0

    live(story())


def test_a_store_that_stands_still_costs_candles_and_never_a_wait() -> None:
    async def story() -> None:
        recorder, shelf = a_recorder(queue_max=10)
        shelf.gate.clear()
        recorder.take(some(10))
        flushing = asyncio.create_task(recorder.flush())
        await asyncio.sleep(0)  # noqa: TID251 - the flush begins, and stands still
        recorder.take(some(4, first=10))
        flushing.cancel()
        await asyncio.gather(flushing, return_exceptions=True)
        assert recorder.lost == 4, "there was room for six of the ten that came back"
        shelf.gate.set()
        await recorder.flush()
        assert shelf.begins == list(range(4, 14))

    live(story())


def test_every_closed_candle_of_the_feed_is_kept_its_past_too() -> None:
    async def story() -> None:
        async with a_world() as world:
            recorder = Recorder(world.store)
            past = [a_candle(-2, 5.0), a_candle(-1, 6.0)]
            clock = WoundClock()
            lines = [a_tick(second, 10.0 + second) for second in range(1, 60, 3)]
            source = ScriptedSource(clock, lines, past)
            builder = CandleBuilder()
            feed = Feed(source, builder, clock, Listeners(on_closed=recorder.take))
            await feed.run()
            await recorder.flush()
            kept = await world.store.candles(SYMBOL, *AGES, 100)
            assert len(kept) == feed.facts().candles == builder.count(SYMBOL) > 5
            window = builder.window(SYMBOL)
            assert window is not None
            assert [candle.close for candle in kept] == window.close.tolist()

    live(story())


def test_a_candle_that_no_store_can_take_is_lost_alone_and_told(tmp_path: Path) -> None:
    async def story() -> None:
        async with an_open_store(tmp_path / "deck.sqlite") as store:
            recorder = Recorder(store)
            good = some(20)
            bad = [
                replace(good[3], symbol="\ud800"),
                replace(good[5], opened_ms=2**62),
                replace(good[7], close=math.nan),
                replace(good[9], interval_ms=0),
            ]
            recorder.take([*good[:8], *bad, *good[8:]])
            await recorder.flush()
            assert recorder.lost == len(bad)
            assert await store.candles("X/Y", *AGES, 100) == good
            await recorder.flush()
            assert recorder.lost == len(bad)

    live(story())
