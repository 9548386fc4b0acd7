"""A replay is the same program with the same steps: one seed, one story, down to the ids."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.clock import run_on
from engine.core.values import Mode
from engine.engine import ExitCode
from engine.settings import Settings
from engine.wiring import Plan, build
from tests.support.market_files import market_file

WHAT_HAPPENED = (
    "SELECT id, key, symbol, side, confidence, source, state, reason_code, received_at, expires_at FROM signal ORDER BY seq",
    "SELECT signal_id, n, trader, client_order_id, state, venue_order_id, filled_quantity, filled_cost, intent_at FROM attempt ORDER BY seq",
    "SELECT kind, at, text FROM event ORDER BY seq",
)
ORDERS = (
    "SELECT venue_order_id, client_order_id, side, quantity, accepted_at, status, filled FROM paper_order ORDER BY seq",
    "SELECT trade_id, price, quantity, at FROM trade ORDER BY trade_id",
)


def replay(paths: tuple[Path, ...], db: Path, *, seed: int = 5) -> ExitCode:
    """Run recordings to their end at full speed, as `signaldeck run --headless --replay` does."""
    weather = {"latency_s": 0.1, "lost_after_rate": 0.1, "lost_before_rate": 0.1, "refusal_rate": 0.1}
    settings = Settings.model_validate(
        {
            "market": {"source": "replay", "replay": {"paths": paths}},
            "limits": {"confidence_min": 0.5, "trades_per_hour_max": 1000, "trades_per_day_max": 10_000},
            "traders": [
                {"name": "north", "strategies": ["fast_scalping"], "weather": weather, "paper": {"shorting": True}},
                {"name": "south", "weather": weather, "paper": {"shorting": True}},
            ],
        }
    )
    deck = build(Plan(settings, Mode.REPLAY, db, pace=None, seed=seed, until_finished=True))
    with asyncio.Runner(loop_factory=run_on(None)) as runner:
        return runner.run(_run(deck.engine))


async def _run(engine: Any) -> ExitCode:
    code: ExitCode = await engine.run(asyncio.Event())
    return code


def everything(db: Path) -> list[list[tuple[Any, ...]]]:
    found = []
    for path, queries in ((db, WHAT_HAPPENED), (Path(f"{db}.paper"), ORDERS)):
        with closing(sqlite3.connect(path)) as connection:
            found += [connection.execute(query).fetchall() for query in queries]
    return found


def a_recording(path: Path, minutes: int = 400) -> Path:
    """Write candles of one minute that rise and fall."""
    lines = ["timestamp_ms,open,high,low,close,volume"]
    last = 100.0
    for n in range(minutes):
        price = 100 * (1 + 0.04 * math.sin(n / 9) + 0.02 * math.sin(n / 31))
        lines.append(
            f"{1_600_000_000_000 + n * 60_000},{last:.4f},{max(last, price) * 1.001:.4f},{min(last, price) * 0.999:.4f},{price:.4f},5"
        )
        last = price
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_same_seed_gives_the_same_signals_attempts_orders_and_journal(tmp_path: Path) -> None:
    recording = a_recording(tmp_path / "ABC-USDT.csv")
    for name in ("one", "two"):
        assert replay((recording,), tmp_path / f"{name}.sqlite") is ExitCode.DONE
    first, second = everything(tmp_path / "one.sqlite"), everything(tmp_path / "two.sqlite")
    assert first == second
    assert all(first), "signals, attempts, events, orders and trades were all made"


def test_another_seed_gives_other_order_ids(tmp_path: Path) -> None:
    recording = a_recording(tmp_path / "ABC-USDT.csv", 100)
    replay((recording,), tmp_path / "one.sqlite", seed=1)
    replay((recording,), tmp_path / "two.sqlite", seed=2)
    ids = [{row[3] for row in everything(tmp_path / f"{name}.sqlite")[1]} for name in ("one", "two")]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_at_the_end_of_a_recording_no_signal_is_left_under_way(tmp_path: Path) -> None:
    replay((a_recording(tmp_path / "ABC-USDT.csv"),), tmp_path / "one.sqlite")
    states = {row[6] for row in everything(tmp_path / "one.sqlite")[0]}
    assert not states & {"new", "waiting", "executing"}


def test_real_trades_replay_to_their_end_with_at_most_one_order_per_signal(tmp_path: Path) -> None:
    db = tmp_path / "real.sqlite"
    assert replay((market_file("XRP-ETH.trades.csv.gz"),), db) is ExitCode.DONE
    _, attempts, _, orders, _ = everything(db)
    signal_of = {row[3]: row[0] for row in attempts}
    placed = [signal_of[order[1]] for order in orders]
    assert placed
    assert len(placed) == len(set(placed))


@pytest.mark.parametrize("bad", ["", "what,ever\n1,2\n", "timestamp_ms,open,high,low,close,volume\nx,y,z,a,b,c\n"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "BAD-USDT.csv"
    path.write_text(bad)
    with pytest.raises(Exception, match="BAD-USDT"):
        replay((path,), tmp_path / "one.sqlite")
