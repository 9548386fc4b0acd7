"""The store beside raw sqlite3, and what a long history costs.

A cycle is a signal handed in, its intent, the acknowledgement, a part filled, the rest filled: five durable writes, each
awaited. Raw sqlite3 does five single commits of one small row with the same settings, and nothing else. Both run in turn,
round by round, so that a busy disk slows both alike; the ratios are medians over the rounds.
"""

from __future__ import annotations

import asyncio
import gc
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from engine.clock import SystemClock, run_on
from engine.core.events import EventKind, Level
from engine.core.lifecycle import AttemptState, AttemptStep, SignalStep
from engine.core.order import Latency
from engine.core.values import NewSignal
from engine.sqlite import connect_writer
from engine.store.base import Applied, AttemptMove, BoardLimits, Intent
from engine.store.sqlite import SqliteStore
from tests.bench.figure import Figure
from tests.support.builders import NOW, a_fill, a_signal, an_attempt_move, an_event, an_intent

TARGETS: Final = {1: 0.5, 32: 5.0, 128: 9.0}
FLAT: Final = 1.2
BOARD_MS: Final = 5.0
SHORT, LONG = 10_000, 1_000_000
HALF: Final = Decimal("0.0005")


def run(quick: bool) -> list[Figure]:
    """Return the ratios to raw sqlite3 by cycles in flight, and what a claim and a Board cost on a long history."""
    figures = []
    for width, measured in durable_cycle(rounds=3 if quick else 9).items():
        target = TARGETS[width]
        ratio = measured["ratio"]
        detail = f"{measured['store']:,.0f} cycles/s, raw sqlite3 {measured['raw']:,.0f}"
        figures.append(
            Figure(f"durable cycles, {width} in flight / raw", ratio, "x", f">= {target:g}x", ratio >= target, detail)
        )
    flat = claim_flatness(short=SHORT, long=SHORT * 10 if quick else LONG)
    detail = (
        f"{flat['long_us']:.0f} us with {flat['rows']:,.0f} finished signals, {flat['short_us']:.0f} us with {SHORT:,}"
    )
    figures.append(
        Figure("claim, long / short history", flat["ratio"], "x", f"<= {FLAT:g}x", flat["ratio"] <= FLAT, detail)
    )
    queued = 10_000 if quick else 100_000
    board = board_cost(signals=queued, errors=10_000)
    detail = f"{queued:,} queued, 10,000 errors"
    figures.append(Figure("board of a full store", board, "ms", f"<= {BOARD_MS:g} ms", board <= BOARD_MS, detail))
    return figures


def durable_cycle(*, rounds: int) -> dict[int, dict[str, float]]:
    """Return cycles/s of the store and of raw sqlite3, and the median ratio, by cycles in flight."""
    found = {}
    for width in TARGETS:
        cycles = 150 if width == 1 else 20 * width
        pairs = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                raw = _raw(Path(folder) / "raw.db", 150)
                gc.collect()
                kept = asyncio.Runner(loop_factory=run_on(1.0)).run(_kept(Path(folder) / "deck.db", width, cycles))
            pairs.append((kept, raw))
        found[width] = {
            "store": statistics.median(kept for kept, _ in pairs),
            "raw": statistics.median(raw for _, raw in pairs),
            "ratio": statistics.median(kept / raw for kept, raw in pairs),
        }
    return found


def claim_flatness(*, short: int, long: int) -> dict[str, float]:
    """Return the time of one claim with few and with many finished signals in the store, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {rows: Path(folder) / f"{rows}.db" for rows in (short, long)}
        times = asyncio.Runner(loop_factory=run_on(1.0)).run(_claims(paths))
    return {
        "rows": long,
        "short_us": times[short] * 1e6,
        "long_us": times[long] * 1e6,
        "ratio": times[long] / times[short],
    }


def board_cost(*, signals: int, errors: int) -> float:
    """Return milliseconds for one Board, the median of several, with so many signals queued and errors kept."""

    async def measure(path: Path) -> float:
        store = _store(path, inline=True)
        await store.open(now=NOW)
        for begin in range(0, signals, 5_000):
            await store.put_signals([a_signal(f"q{n:08}") for n in range(begin, min(signals, begin + 5_000))])
        await store.note([an_event(f"error {n}", level=Level.WARNING) for n in range(errors)])
        times = []
        for _ in range(15):
            began = time.perf_counter()
            await store.board(NOW, BoardLimits())
            times.append(time.perf_counter() - began)
        await store.close()
        return statistics.median(times) * 1000

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(measure(Path(folder) / "deck.db"))


@dataclass(frozen=True)
class _Cycle:
    """What one cycle writes; built before the clock runs."""

    signal: NewSignal
    intent: Intent
    moves: tuple[AttemptMove, ...]


def _cycle(number: int, source: random.Random) -> _Cycle:
    signal = a_signal(f"{source.getrandbits(128):032x}", symbol=f"S{number % 20}/USDT")
    intent = an_intent(signal)
    acknowledged = an_event("acknowledged", kind=EventKind.ATTEMPT, signal_id=signal.signal_id)
    accept = an_attempt_move(
        intent.request,
        AttemptState.INTENT,
        AttemptStep.ACKNOWLEDGE,
        epoch=1,
        venue_order_id=f"v{number}",
        latency=Latency(0.1, 0.01, 0.001, 0.2),
        events=(acknowledged,),
    )
    part = an_attempt_move(
        intent.request,
        AttemptState.ACCEPTED,
        AttemptStep.FILL_PART,
        epoch=1,
        fills=(a_fill("a", quantity=HALF),),
        events=(),  # the store tells the trade and the position
    )
    rest = an_attempt_move(
        intent.request,
        AttemptState.ACCEPTED,
        AttemptStep.FILL,
        epoch=1,
        fills=(a_fill("b", quantity=HALF),),
        signal_step=SignalStep.COMPLETE,
        events=(),
    )
    return _Cycle(signal, intent, (accept, part, rest))


def _store(path: Path, *, inline: bool = False) -> SqliteStore:
    return SqliteStore(path, clock=SystemClock(), inline=inline, uuid_source=random.Random(1))


async def _kept(path: Path, width: int, count: int) -> float:
    store = _store(path)
    await store.open(now=NOW)
    source = random.Random(2)
    cycles = iter([_cycle(n, source) for n in range(count)])
    gc.collect()
    gc.freeze()
    began = time.perf_counter()
    await asyncio.gather(*(_work(store, cycles) for _ in range(width)))
    took = time.perf_counter() - began
    gc.unfreeze()
    totals = await store.totals()
    assert totals.executions == count
    await store.close()
    return count / took


async def _work(store: SqliteStore, cycles: Iterator[_Cycle]) -> None:
    for cycle in cycles:
        await store.put_signals((cycle.signal,))
        (applied,) = await store.commit_intents((cycle.intent,))
        assert applied is Applied.APPLIED
        for move in cycle.moves:
            (applied,) = await store.move_attempts((move,))
            assert applied is Applied.APPLIED


def _raw(path: Path, count: int) -> float:
    with closing(connect_writer(str(path), busy_s=0)) as connection:
        connection.execute("CREATE TABLE job (id INTEGER PRIMARY KEY, state TEXT, payload TEXT, due INTEGER)")
        connection.execute("CREATE INDEX job_due ON job (due) WHERE state = 'new'")
        began = time.perf_counter()
        for n in range(count):
            _commit(connection, "INSERT INTO job VALUES (?, 'new', ?, ?)", (n, "x" * 200, n))
            for state in ("claimed", "sent", "part", "done"):
                _commit(connection, "UPDATE job SET state = ? WHERE id = ?", (state, n))
        return count / (time.perf_counter() - began)


def _commit(connection: sqlite3.Connection, sql: str, given: tuple[object, ...]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(sql, given)
    connection.execute("COMMIT")


async def _claims(paths: dict[int, Path]) -> dict[int, float]:
    stores = {}
    for rows, path in paths.items():
        store = stores[rows] = _store(path, inline=True)
        await store.open(now=NOW)
        await store.close()
        _finish_many(path, rows)
        store = stores[rows] = _store(path, inline=True)
        await store.open(now=NOW)
        await store.put_signals([a_signal(f"due{n}", received_at=NOW) for n in range(100)])
    times: dict[int, list[float]] = {rows: [] for rows in paths}
    now = NOW + timedelta(seconds=1)
    for _ in range(400):
        for rows, store in stores.items():
            began = time.perf_counter()
            await store.due(now, 10)
            times[rows].append(time.perf_counter() - began)
    for store in stores.values():
        await store.close()
    return {rows: statistics.median(taken) for rows, taken in times.items()}


def _finish_many(path: Path, rows: int) -> None:
    # Rows of signals long done, as so many cycles would leave them.
    at = int(NOW.timestamp() * 1e6) - 10**12
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO signal (seq, id, source, key, symbol, side, state, version, attempts, reduces, due_at, "
            "expires_at, received_at, ended_at, reason_code, reason_text, trader, cancel_requested, confidence, "
            "quantity, note, votes, payload) VALUES (?, ?, 'fastscalping', ?, ?, 'buy', 'done', 3, 1, 0, ?, ?, ?, ?, "
            "'complete', '', 'north', 0, 0.9, '0.001', '', '[]', x'00')",
            ((n, f"old{n}", f"old{n}", f"S{n % 20}/USDT", at + n, at + n, at + n, at + n) for n in range(1, rows + 1)),
        )
        connection.execute("COMMIT")
