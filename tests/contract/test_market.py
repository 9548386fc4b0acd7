"""The market source's contract, over every source."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import pytest

from engine.clock import Clock, LoopClock, SeededChance, run_on
from engine.core.values import Candle
from engine.market.base import MarketSource, Tick, Trade
from engine.market.replay import ReplaySource
from engine.market.synthetic import SyntheticSettings, SyntheticSource

T0_MS: Final = 1_700_000_000_000
T0: Final = datetime.fromtimestamp(T0_MS / 1000, UTC)
SourceMaker: TypeAlias = Callable[[Clock, Path], MarketSource]
Answer = TypeVar("Answer")


def a_synthetic_source(clock: Clock, folder: Path) -> MarketSource:
    settings = SyntheticSettings(symbols=("BTC/USDT", "ETH/USDT"), seed=5)
    return SyntheticSource(settings, clock, SeededChance(1))


def a_replay_source(clock: Clock, folder: Path) -> MarketSource:
    trades = [f"{T0_MS + 700 * n + n % 3},buy,{100 + n % 7},{1 + n % 2}" for n in range(300)]
    candles = [f"{T0_MS + 60_000 * n},100,102,99,{100 + n % 2},5" for n in range(10) if n != 4]
    with gzip.open(folder / "BTC-USDT.trades.csv.gz", "wt") as file:
        file.write("\n".join(["timestamp_ms,side,price,amount", *trades]))
    (folder / "ETH-USDT.1m.csv").write_text("\n".join(["timestamp_ms,open,high,low,close,volume", *candles]))
    return ReplaySource([folder], clock)


each_source = pytest.mark.parametrize("make", [a_synthetic_source, a_replay_source])


def on_virtual_time(steps: Coroutine[Any, Any, Answer]) -> Answer:
    with asyncio.Runner(loop_factory=run_on(None)) as runner:
        return runner.run(steps)


async def opened(make: SourceMaker, folder: Path) -> tuple[MarketSource, LoopClock]:
    clock = LoopClock()
    clock.begin(T0)
    source = make(clock, folder)
    await source.open()
    clock.begin(source.begins_at() or T0)
    return source, clock


async def heard(source: MarketSource, clock: Clock, count: int = 400) -> list[tuple[Tick, float]]:
    """Return up to `count` ticks, each with the clock's time when it came."""
    found = []
    async for tick in source.ticks():
        found.append((tick, clock.wall().timestamp()))
        if len(found) == count:
            break
    await source.close()
    return found


def times_of(rows: Sequence[Trade]) -> list[int]:
    return [row.at_ms for row in rows]


@each_source
def test_a_tick_comes_when_the_clock_has_reached_it_and_not_much_later(make: SourceMaker, tmp_path: Path) -> None:
    async def steps() -> None:
        source, clock = await opened(make, tmp_path)
        for tick, wall_s in await heard(source, clock):
            assert 0.0 <= wall_s - tick.at_ms / 1000 < 0.01

    on_virtual_time(steps())


@each_source
def test_time_only_goes_forward_and_every_row_comes_once_in_its_order(make: SourceMaker, tmp_path: Path) -> None:
    async def steps() -> None:
        source, clock = await opened(make, tmp_path)
        ticks = [tick for tick, _ in await heard(source, clock)]
        moments = [tick.at_ms for tick in ticks]
        assert moments == sorted(set(moments))
        assert any(tick.trades for tick in ticks)
        known_until = 0
        for tick in ticks:
            assert times_of(tick.trades) == sorted(times_of(tick.trades))
            assert all(known_until < trade.at_ms <= tick.at_ms for trade in tick.trades)
            assert all(known_until < candle.closed_ms <= tick.at_ms for candle in tick.candles)
            known_until = tick.at_ms

    on_virtual_time(steps())


@each_source
def test_a_candle_can_close_every_ten_seconds_whatever_is_traded(make: SourceMaker, tmp_path: Path) -> None:
    async def steps() -> None:
        source, clock = await opened(make, tmp_path)
        moments = [tick.at_ms for tick, _ in await heard(source, clock)]
        boundaries = range(moments[0] // 10_000 * 10_000 + 10_000, moments[-1], 10_000)
        assert len(boundaries) > 10
        assert set(boundaries) <= set(moments)

    on_virtual_time(steps())


@each_source
def test_symbols_are_known_before_the_first_tick_and_rows_have_no_others(make: SourceMaker, tmp_path: Path) -> None:
    async def steps() -> None:
        source, clock = await opened(make, tmp_path)
        symbols = set(source.symbols())
        assert symbols == {"BTC/USDT", "ETH/USDT"}
        ticks = [tick for tick, _ in await heard(source, clock)]
        traded = {trade.symbol for tick in ticks for trade in tick.trades}
        assert traded | {candle.symbol for tick in ticks for candle in tick.candles} == symbols

    on_virtual_time(steps())


@each_source
def test_history_is_closed_before_the_first_tick_and_in_order(make: SourceMaker, tmp_path: Path) -> None:
    async def steps() -> None:
        source, clock = await opened(make, tmp_path)
        history = await source.history(40)
        now_ms = clock.wall().timestamp() * 1000
        for symbol in source.symbols():
            candles: list[Candle] = [candle for candle in history if candle.symbol == symbol]
            assert len(candles) <= 40
            assert all(candle.closed_ms <= now_ms for candle in candles)
            assert [candle.opened_ms for candle in candles] == sorted({candle.opened_ms for candle in candles})
        await source.close()

    on_virtual_time(steps())


@each_source
def test_two_sources_made_alike_tell_the_same(make: SourceMaker, tmp_path: Path) -> None:
    async def steps() -> list[Tick]:
        source, clock = await opened(make, tmp_path)
        return [tick for tick, _ in await heard(source, clock)]

    assert on_virtual_time(steps()) == on_virtual_time(steps())


@each_source
def test_closing_is_safe_twice_and_before_opening_and_leaks_no_file(make: SourceMaker, tmp_path: Path) -> None:
    async def steps() -> None:
        clock = LoopClock()
        clock.begin(T0)
        unopened = make(clock, tmp_path)
        await unopened.close()
        before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
        source, clock = await opened(make, tmp_path)
        await heard(source, clock, count=5)
        await source.close()
        await source.close()
        after = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
        assert after == before

    on_virtual_time(steps())
