"""From a signal handed in to the paper venue having its order, at 100 signals a second, with and without a dashboard.

Both programs are the real ones, each in its own process with a fresh store; signals come over the control socket, one at
a time on their own schedule, so that a late answer does not slow the arrivals down (no coordinated omission). The begin
is taken before the signal is handed to the socket, the end is the venue's own acceptance time, on the same system clock.
"""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from engine.control import ControlClient
from engine.core.errors import SignalDeckError
from engine.places import socket_path
from tests.bench.figure import Figure
from tests.bench.terminal import Terminal

RATE: Final = 100
CONNECTIONS: Final = 16
CONFIG: Final = """
[engine]
signal_ttl_s = 60.0
in_flight_max = 64
[market]
source = "synthetic"
[market.synthetic]
symbols = ["BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT"]
seed = 7
[strategies.fast_scalping]
enabled = false
[strategies.momentum_scalping]
enabled = false
[strategies.conservative_scalping]
enabled = false
[limits]
positions_per_symbol_max = 10000
positions_max = 10000
trades_per_hour_max = 1000000
trades_per_day_max = 10000000
stop_loss = 0
take_profit = 0
[[traders]]
name = "north"
[traders.paper]
shorting = true
start_quote = "1000000000"
[[traders]]
name = "south"
[traders.paper]
shorting = true
start_quote = "1000000000"
"""
SYMBOLS: Final = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT")


def run(quick: bool) -> list[Figure]:
    """Run headless and with a dashboard in turn; medians over the rounds of each round's p50 and p99."""
    rounds, seconds = (2, 4.0) if quick else (5, 12.0)
    bare: list[tuple[float, float]] = []
    shown: list[tuple[float, float]] = []
    for _ in range(rounds):
        bare.append(_percentiles(_round(seconds, dashboard=False)))
        shown.append(_percentiles(_round(seconds, dashboard=True)))
    p50, p99 = (statistics.median(r[i] for r in bare) for i in (0, 1))
    p50_shown, p99_shown = (statistics.median(r[i] for r in shown) for i in (0, 1))
    detail = f"{rounds} rounds of {seconds:.0f} s each, in turn, {RATE} signals/s; medians"
    return [
        Figure("hand-in to order, headless, p50", p50 * 1000, "ms", "", None, detail),
        Figure("hand-in to order, headless, p99", p99 * 1000, "ms", "", None, detail),
        Figure("hand-in to order, dashboard 120x40, p50", p50_shown * 1000, "ms", "", None, detail),
        Figure("hand-in to order, dashboard 120x40, p99", p99_shown * 1000, "ms", "", None, detail),
        Figure("the dashboard adds, p50", (p50_shown - p50) * 1000, "ms", "<= 5 ms", p50_shown - p50 <= 0.005, detail),
        Figure("the dashboard adds, p99", (p99_shown - p99) * 1000, "ms", "<= 25 ms", p99_shown - p99 <= 0.025, detail),
    ]


def _percentiles(latencies: list[float]) -> tuple[float, float]:
    ordered = sorted(latencies)
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]


def _round(seconds: float, *, dashboard: bool) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        config, db = Path(folder) / "bench.toml", Path(folder) / "bench.sqlite"
        config.write_text(CONFIG)
        words = ["--config", str(config), "--db", str(db)]
        if dashboard:
            terminal = Terminal([sys.executable, "-m", "tui.cli", *words], 120, 40)
            try:
                given = asyncio.run(hand_in(db, seconds))
            finally:
                terminal.signal(signal.SIGTERM)
                if terminal.wait(20) is None:
                    terminal.end()
        else:
            child = subprocess.Popen(
                [sys.executable, "-m", "tui.cli", "run", "--headless", *words],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                given = asyncio.run(hand_in(db, seconds))
            finally:
                child.terminate()
                child.wait(20)
        return latencies(db, given)


async def hand_in(db: Path, seconds: float, rate: int = RATE) -> dict[str, float]:
    """Wait for the engine, hand in `rate` signals a second, and return when each was handed over, by signal id."""
    clients = [ControlClient(socket_path(db)) for _ in range(CONNECTIONS)]  # each answers one request at a time
    until = time.monotonic() + 30
    while True:
        try:
            await clients[0].ping()
            break
        except SignalDeckError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.1)
    await asyncio.sleep(3.0)  # prices, rules and the first paint
    given: dict[str, float] = {}
    sent: set[asyncio.Task[None]] = set()

    async def one(number: int) -> None:
        key = f"bench-{number}"
        began = time.time()
        side = "buy" if number % 2 else "sell"
        client = clients[number % CONNECTIONS]
        [taken] = await client.hand_in([{"symbol": SYMBOLS[number % 4], "side": side, "quantity": "1", "key": key}])
        if taken.outcome == "stored":
            given[taken.signal_id] = began

    begin = time.monotonic()
    for number in range(int(seconds * rate)):
        await asyncio.sleep(max(0.0, begin + number / rate - time.monotonic()))
        sent.add(asyncio.create_task(one(number)))
    await asyncio.gather(*sent)
    await asyncio.sleep(2.0)
    for client in clients:
        await client.close()
    return given


def latencies(db: Path, given: dict[str, float]) -> list[float]:
    """Return the seconds from each signal's handing over to the venue's acceptance of its order."""
    with closing(sqlite3.connect(db)) as store:
        signal_of = dict(store.execute("SELECT client_order_id, signal_id FROM attempt"))
    with closing(sqlite3.connect(f"{db}.paper")) as books:
        accepted = books.execute("SELECT client_order_id, accepted_at FROM paper_order").fetchall()
    found = [at / 1e6 - given[signal_of[cid]] for cid, at in accepted if signal_of.get(cid) in given]
    if len(found) < 0.98 * len(given) or not found:
        raise RuntimeError(f"{len(given)} signals were taken and {len(found)} orders found")
    return found
