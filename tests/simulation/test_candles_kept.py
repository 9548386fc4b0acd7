"""A whole engine keeps the candles that it saw, and says of what it did."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from engine.clock import run_on
from engine.core.lifecycle import SignalState
from engine.store.sqlite import SqliteReader
from tests.support.decks import a_running

AGES = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def test_after_a_stop_every_candle_and_each_fill_is_there_for_whoever_looks(tmp_path: Path) -> None:
    async def scenario() -> None:
        db = tmp_path / "deck.db"
        async with a_running(db) as running:
            await running.pass_time(120)
            taken = await running.hand_in()
            await running.until(taken.signal_id, SignalState.DONE)
            await running.pass_time(60)
        reader = SqliteReader(db, inline=True)
        try:
            facts = await reader.engine_facts()
            assert facts is not None
            symbols = await reader.symbols()
            assert symbols == ["BTC/USDT", "ETH/USDT"]
            kept = [await reader.candles(symbol, *AGES, 100_000) for symbol in symbols]
            assert sum(map(len, kept)) == facts.candles > 20
            assert facts.candles_lost == 0
            for candles in kept:
                begins = [candle.opened_ms for candle in candles]
                assert begins == list(range(begins[0], begins[-1] + 1, candles[0].interval_ms)), "none is missing"
            fills = await reader.symbol_fills("BTC/USDT", *AGES, 100)
            assert {fill.signal_id for fill in fills} == {taken.signal_id}
            assert await reader.symbol_fills("ETH/USDT", *AGES, 100) == []
        finally:
            await reader.close()

    with asyncio.Runner(loop_factory=run_on(None)) as runner:
        runner.run(scenario())
