"""The store's contract for what a chart shows: closed candles, and fills by symbol and time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.lifecycle import AttemptStep, SignalStep
from engine.core.values import Candle, Side
from engine.store.base import Retention
from tests.support.builders import NOW, a_fill, a_signal
from tests.support.store import EVERY_STORE, Stage, an_open_store, on_stage, play

NOW_MS = int(NOW.timestamp()) * 1_000
AGES = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def candles_of(symbol: str, count: int, *, interval_ms: int = 10_000, last_ms: int = NOW_MS) -> list[Candle]:
    """Return `count` candles in a row, the last of which begins at `last_ms`, oldest first."""
    begins = (last_ms - interval_ms * back for back in reversed(range(count)))
    return [Candle(symbol, at, interval_ms, 0.1 + n, 0.3 + n, 1e-7, 0.2 + n, 3.5) for n, at in enumerate(begins)]


@EVERY_STORE
def test_candles_come_back_bit_by_bit_oldest_first(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        kept = candles_of("BTC/USDT", 30)
        flat = Candle("BTC/USDT", NOW_MS + 10_000, 10_000, 7.0, 7.0, 7.0, 7.0, 0.0, flat=True)
        await stage.store.keep_candles([*reversed(kept), flat])
        store = await stage.turn()
        assert await store.candles("BTC/USDT", *AGES, 100) == [*kept, flat]
        assert await store.candles("ETH/USDT", *AGES, 100) == []

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_stretch_of_candles_has_its_begin_and_not_its_end(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        kept = candles_of("BTC/USDT", 6)
        await stage.store.keep_candles(kept)
        store = await stage.turn()
        since, until = NOW - timedelta(seconds=30), NOW
        assert await store.candles("BTC/USDT", since, until, 100) == kept[2:5]
        assert await store.candles("BTC/USDT", since, until, 2) == kept[3:5], "the newest of more than the limit"

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_candle_that_comes_again_takes_the_place_of_the_first(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        first, again = Candle("X/Y", 0, 10_000, 1, 2, 1, 2, 1), Candle("X/Y", 0, 60_000, 1, 3, 1, 3, 2)
        await stage.store.keep_candles([first])
        store = await stage.turn()
        await store.keep_candles([again])
        assert await store.candles("X/Y", *AGES, 9) == [again]

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_symbols_are_those_with_a_candle_each_once_by_name(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        assert await stage.store.symbols() == []
        for symbol in ("ETH/USDT", "BTC/USDT", "SOL/USDT"):
            await stage.store.keep_candles(candles_of(symbol, 9))
        await stage.store.put_signals([a_signal(symbol="ADA/USDT")])
        store = await stage.turn()
        assert await store.symbols() == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_fills_are_found_by_their_symbol_and_time_newest_first(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        for n, symbol in enumerate(("BTC/USDT", "ETH/USDT", "BTC/USDT", "BTC/USDT")):
            signal = a_signal(f"of {n}", symbol=symbol, side=Side.SELL if n == 2 else Side.BUY)
            intent = await stage.commit(signal, trader=f"trader_{n}")
            fill = a_fill(f"trade {n}", price=Decimal(100 + n), at=NOW + timedelta(seconds=n))
            await stage.step(intent, AttemptStep.FILL, fills=(fill,), signal_step=SignalStep.COMPLETE)
        store = await stage.turn()

        async def found(begin_s: int, end_s: int, limit: int = 9) -> list[tuple[str, str, str, str]]:
            since, until = NOW + timedelta(seconds=begin_s), NOW + timedelta(seconds=end_s)
            fills = await store.symbol_fills("BTC/USDT", since, until, limit)
            return [(f.signal_id, f.trader, f.side.value, f.fill.trade_id) for f in fills]

        first, second, third = (
            ("of 0", "trader_0", "buy", "trade 0"),
            ("of 2", "trader_2", "sell", "trade 2"),
            ("of 3", "trader_3", "buy", "trade 3"),
        )
        assert await found(0, 4) == [third, second, first]
        assert await found(0, 3) == [second, first], "the end is not in it"
        assert await found(1, 4, limit=1) == [third]
        assert await found(4, 9) == []

    on_stage(kind, tmp_path, scenario)


def test_old_candles_go_in_small_batches_by_days_and_by_count() -> None:
    async def scenario() -> None:
        async with an_open_store() as store:
            day_ms = 86_400_000
            await store.keep_candles(candles_of("DAY/USDT", 12, interval_ms=day_ms))
            await store.keep_candles(candles_of("TEN/USDT", 40))
            keep = Retention(candles_days=7, candles_max=25)
            gone = [await store.prune(NOW, keep, 8) for _ in range(5)]
            assert gone == [8, 8, 2, 0, 0], "never more than a batch; 4 and 14 in all"
            days = await store.candles("DAY/USDT", *AGES, 99)
            assert len(days) == 8, "seven days back from now, and the one that begins now"
            assert len(await store.candles("TEN/USDT", *AGES, 99)) == 26

    play(scenario())


def test_a_store_from_before_there_were_candles_takes_them_from_the_next_start_on(tmp_path: Path) -> None:
    path = tmp_path / "deck.db"

    async def before() -> None:
        async with an_open_store(path) as store:
            await store.put_signals([a_signal("one")])

    async def after() -> None:
        async with an_open_store(path) as store:
            await store.keep_candles(candles_of("BTC/USDT", 1))
            assert await store.symbols() == ["BTC/USDT"]
            assert await store.signal("one") is not None

    play(before())
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ALTER TABLE trader DROP COLUMN drain")
        connection.execute("DROP TABLE candle")
        connection.execute("DROP INDEX fill_at")
        connection.execute("DELETE FROM migration WHERE number >= 4")
        connection.execute("PRAGMA user_version = 3")
    play(after())


def test_a_candle_that_says_no_price_is_refused_and_harms_nothing_beside_it() -> None:
    async def scenario() -> None:
        async with an_open_store() as store:
            with pytest.raises(Exception, match="NOT NULL"):
                await store.keep_candles([Candle("X/Y", 0, 10_000, float("nan"), 1, 1, 1, 1)])
            assert await store.symbols() == []
            await store.put_signals([a_signal("one")])
            assert await store.signal("one") is not None

    play(scenario())


@settings(max_examples=30)
@given(st.lists(st.floats(1e-12, 1e15), min_size=5, max_size=5), st.integers(0, 4_000_000_000_000))
def test_no_figure_loses_a_bit_on_the_way(figures: list[float], at_ms: int) -> None:
    first, high, low, last, volume = figures
    candle = Candle("X/Y", at_ms, 60_000, first, high, low, last, volume)

    async def scenario() -> None:
        async with an_open_store() as store:
            await store.keep_candles([candle])
            assert await store.candles("X/Y", *AGES, 1) == [candle]

    play(scenario())
