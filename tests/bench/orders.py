"""What the engine adds to an order at a real venue's protocol, beside ccxt's own class alone at the same local venue.

The engine is the real program in a process of its own, the venue another. A path begins when a signal is handed to the
control socket and ends when the venue's answer is there: intake, gate, intent, each durable, pace, signature, request,
reply. Beside it ccxt's unmodified class sends the same order with nothing around it. Both take turns, round by round, at the
same venue; what is added is the difference of their medians, the median of it over the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import ccxt.async_support as ccxt

from engine.control import ControlClient
from engine.core.errors import SignalDeckError
from engine.places import socket_path
from tests.bench.figure import Figure
from tests.faults.venue_storm import environment_for, settings_for
from tests.support.venue.child import a_venue_child
from tests.support.venue.control import Control
from tests.support.venue.urls import ccxt_table, credentials

SYMBOL: Final = "BTC/USDT"
QUANTITY: Final = "0.01"
VENUES: Final = ("binance", "coinbase")  # kraken's key has a pace of one call a second
WIDTHS: Final = (1, 32)
ADDED_MS: Final = 3.0
PACE: Final = {1: 0.06, 32: 3.0}  # seconds from one burst to the next, for both: a key's pace is 20 calls a second


@dataclass(frozen=True, slots=True)
class Paths:
    """Seconds of each order: `whole` from hand-in to the venue's answer, `wire` from the committed intent to the venue."""

    whole: list[float]
    wire: list[float]


def run(quick: bool) -> list[Figure]:
    """Return, per venue and number of orders in flight, what is added to ccxt's own time, and the way to the wire."""
    rounds = 2 if quick else 3
    return [figure for venue in VENUES for figure in _at(venue, rounds, quick=quick)]


def _at(venue: str, rounds: int, *, quick: bool) -> list[Figure]:
    figures = []
    with tempfile.TemporaryDirectory() as folder, a_venue_child(venue, state=Path(folder) / "venue.json") as control:
        control.balance("main", "USDT", "1000000000")
        for width in WIDTHS:
            bursts = {1: 20 if quick else 60, 32: 3 if quick else 5}[width]
            pairs = [
                (_alone(control, width, bursts), _engine(control, Path(folder) / f"{width}-{n}", width, bursts))
                for n in range(rounds)
            ]
            alone = statistics.median(_p50(bare) for bare, _ in pairs)
            whole = statistics.median(_p50(paths.whole) for _, paths in pairs)
            added = statistics.median(_p50(paths.whole) - _p50(bare) for bare, paths in pairs) * 1000
            ratio = statistics.median(_p50(paths.whole) / _p50(bare) for bare, paths in pairs)
            detail = f"{rounds} rounds of {bursts * width} orders, in turn; ccxt alone {alone * 1000:.2f} ms, the whole path {whole * 1000:.2f} ms"
            with closing(_raw(Path(folder) / f"raw-{width}.sqlite")) as raw:
                flushes = 2 * _p50([_flush(raw, PACE[width]) for _ in range(bursts)]) * 1000
            wire = [path for _, paths in pairs for path in paths.wire]
            told = f"{venue}, {width} in flight"
            figures += [
                _added(f"{told}: added at p50", added, width, detail),
                Figure(f"{told}: two bare flushes", flushes, "ms", "", None, "raw sqlite3, one row a commit, at the same pace: what keeping the signal and the intent takes of the disk"),
                Figure(f"{told}: path / ccxt alone", ratio, "x", "", None, detail),
                Figure(f"{told}: intent to the wire, p50", _p50(wire) * 1000, "ms", "", None, f"p99 {_p99(wire) * 1000:.2f} ms, {len(wire)} orders; the venue's own reading of the head is in it"),
            ]  # fmt: skip
    return figures


def _raw(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for setting in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {setting}")
    connection.execute("CREATE TABLE kept (text TEXT)")
    return connection


def _flush(connection: sqlite3.Connection, pause_s: float) -> float:
    time.sleep(pause_s)
    began = time.perf_counter()
    connection.execute("INSERT INTO kept VALUES (?)", ("x" * 200,))
    return time.perf_counter() - began


def _added(name: str, added: float, width: int, detail: str) -> Figure:
    # Many at once stand in line before one core for both; there the ratio says more.
    target = f"<= {ADDED_MS:g} ms" if width == 1 else ""
    return Figure(name, added, "ms", target, added <= ADDED_MS if target else None, detail)


def _p50(values: list[float]) -> float:
    return statistics.median(values)


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def _engine(control: Control, folder: Path, width: int, bursts: int) -> Paths:
    folder.mkdir()
    config, db = folder / "bench.toml", folder / "bench.sqlite"
    config.write_text(settings_for(control.about, timeout_ms=8_000).replace('level = "debug"', 'level = "info"'))
    since = len(control.log())
    child = subprocess.Popen(
        [sys.executable, "-m", "tui.cli", "run", "--headless", "--config", str(config), "--db", str(db)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment_for(control.about),
    )  # fmt: skip
    try:
        given = asyncio.run(_hand_in(db, width, bursts))
    finally:
        child.terminate()
        child.wait(30)
    return _paths(db, given, control.log("create", since))


async def _hand_in(db: Path, width: int, bursts: int) -> dict[str, float]:
    client = ControlClient(socket_path(db))
    until = time.monotonic() + 30
    while True:
        try:
            await client.ping()
            break
        except SignalDeckError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.1)
    await asyncio.sleep(5.0)  # prices, rules, the venue's clock
    given = {}
    for burst in range(bursts + 1):
        began = time.time()
        # One source each, or a newer signal of the same one takes the older one's place.
        asked: list[Mapping[str, object]] = [
            {"symbol": SYMBOL, "side": "buy", "quantity": QUANTITY, "key": f"{burst}-{n}", "source": f"bench{n}"}
            for n in range(width)
        ]
        taken = await client.hand_in(asked)
        if burst:  # the first one opens connections, for both
            given.update({one.signal_id: began for one in taken if one.outcome == "stored"})
        await asyncio.sleep(PACE[width])
    await asyncio.sleep(1.0)
    await client.close()
    return given


def _paths(db: Path, given: Mapping[str, float], arrivals: list[dict[str, Any]]) -> Paths:
    arrived = {}
    for entry in arrivals:
        fields = entry["fields"]
        arrived[str(fields.get("newClientOrderId") or fields.get("client_order_id"))] = entry["at_s"]
    with closing(sqlite3.connect(db)) as store:
        rows = store.execute(
            "SELECT signal_id, client_order_id, sent_at, answered_at, submitting_s FROM attempt"
            " WHERE answered_at IS NOT NULL AND error_code IS NULL"
        ).fetchall()
    rows = [row for row in rows if row[0] in given]
    if len(rows) < 0.98 * len(given) or not rows:
        raise RuntimeError(f"{len(given)} signals were taken and {len(rows)} answered")
    whole = [answered / 1e6 - given[signal_id] for signal_id, _, _, answered, _ in rows]
    wire = [arrived[cid] - (sent / 1e6 - submitting) for _, cid, sent, _, submitting in rows if cid in arrived]
    return Paths(whole, wire)


def _alone(control: Control, width: int, bursts: int) -> list[float]:
    words = [sys.executable, "-m", "tests.bench.orders", json.dumps(dict(control.about)), str(width), str(bursts)]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True, env=dict(os.environ))
    return [float(value) for value in json.loads(done.stdout)]


async def alone(about: Mapping[str, Any], width: int, bursts: int) -> list[float]:
    """Return the seconds of each `create_order` of ccxt's own class, `width` at once, `bursts` times."""
    venue = str(about["venue"])
    exchange = getattr(ccxt, venue)({**ccxt_table(about), **credentials(about), "enableRateLimit": False})
    found = []
    try:
        await exchange.load_markets()
        price = Decimal(str((await exchange.fetch_ticker(SYMBOL))["last"])) * Decimal("1.01")
        limit = float(exchange.price_to_precision(SYMBOL, price))
        named = "client_order_id" if venue == "coinbase" else "newClientOrderId"

        async def one(burst: int) -> None:
            began = time.perf_counter()
            name = os.urandom(16).hex()
            await exchange.create_order(
                SYMBOL, "limit", "buy", float(QUANTITY), limit, {"timeInForce": "IOC", named: name}
            )
            if burst:
                found.append(time.perf_counter() - began)

        for burst in range(bursts + 1):
            await asyncio.gather(*(one(burst) for _ in range(width)))
            await asyncio.sleep(PACE[width])
    finally:
        await exchange.close()
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("about", type=json.loads)
    parser.add_argument("width", type=int)
    parser.add_argument("bursts", type=int)
    wanted = parser.parse_args()
    print(json.dumps(asyncio.run(alone(wanted.about, wanted.width, wanted.bursts))))
