"""A store under load, in a process of its own: `python -m tests.bench.load DB QUEUED ERRORS CYCLES_PER_S`.

Five transitions make a cycle: signal new, executing, done; attempt intent, filled. It prints `filled` once the queue and the
errors are there, begins on a line of input, and ends on the next with its figures as JSON: how many transitions a second
there were, and how late its loop ran its timers.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from engine.clock import SystemChance, SystemClock
from engine.core.board import EngineFacts, EngineState
from engine.core.events import Level
from engine.core.lifecycle import AttemptState, AttemptStep, SignalStep
from engine.core.values import Mode
from engine.store.sqlite import SqliteStore
from tests.support.builders import a_fill, a_signal, an_attempt_move, an_event, an_intent

TRANSITIONS: Final = 5  # of one cycle
STEP_S: Final = 0.05
IN_FLIGHT_MAX: Final = 64


class Load:
    """Writes cycles at a rate, beats once a second, and watches its own loop."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.done = 0
        self.lags: list[float] = []
        self.errors = 0
        self._began = datetime.now(UTC)

    async def fill(self, queued: int, errors: int) -> None:
        """Put what waits and what went wrong there before anything moves."""
        now = datetime.now(UTC)
        late = now + timedelta(days=1)
        for begin in range(0, queued, 5_000):
            names = (f"q{n:08}" for n in range(begin, min(queued, begin + 5_000)))
            await self.store.put_signals([a_signal(name, received_at=now, expires_at=late) for name in names])
        for begin in range(0, errors, 1_000):
            texts = (f"error {n}" for n in range(begin, min(errors, begin + 1_000)))
            await self.store.note([an_event(text, at=now, level=Level.WARNING) for text in texts])
        await self.beat(now)

    async def run(self, rate: float) -> None:
        """Begin `rate` cycles a second until cancelled."""
        gate, began, begun = asyncio.Semaphore(IN_FLIGHT_MAX), time.perf_counter(), 0
        beat_at = 0.0
        async with asyncio.TaskGroup() as cycles:
            while True:
                wanted = int((time.perf_counter() - began) * rate)
                for n in range(begun, wanted):
                    await gate.acquire()
                    cycles.create_task(self._cycle(n, gate))
                begun = wanted
                if time.perf_counter() - beat_at > 1:
                    beat_at = time.perf_counter()
                    await self.beat(datetime.now(UTC))
                due = time.perf_counter() + STEP_S
                await asyncio.sleep(STEP_S)
                self.lags.append(time.perf_counter() - due)

    async def beat(self, now: datetime) -> None:
        """Say that an engine is there."""
        facts = EngineFacts(Mode.DEMO, EngineState.RUNNING, 1, os.getpid(), self._began, now, now)
        await self.store.beat(facts)

    async def _cycle(self, number: int, gate: asyncio.Semaphore) -> None:
        try:
            now = datetime.now(UTC)
            signal = a_signal(f"c{os.getpid()}-{number}", received_at=now, expires_at=now + timedelta(minutes=1))
            await self.store.put_signals([signal])
            intent = an_intent(signal)
            await self.store.commit_intents([intent])
            done = {"fills": (a_fill(),), "signal_step": SignalStep.COMPLETE, "at": datetime.now(UTC)}
            await self.store.move_attempts(
                [an_attempt_move(intent.request, AttemptState.INTENT, AttemptStep.FILL, **done)]
            )
            self.done += 1
        finally:
            gate.release()


async def main(path: Path, queued: int, errors: int, rate: float) -> None:
    """Fill, wait for a line, write until the next line, and print the figures."""
    store = SqliteStore(path, clock=SystemClock(), inline=False, uuid_source=SystemChance().stream("store"))
    await store.open(now=datetime.now(UTC))
    load = Load(store)
    await load.fill(queued, errors)
    print("filled", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    began = time.perf_counter()
    writing = asyncio.create_task(load.run(rate))
    await asyncio.to_thread(sys.stdin.readline)
    spent = time.perf_counter() - began
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    lags = sorted(load.lags) or [0.0]
    figures = {"transitions_per_s": load.done * TRANSITIONS / spent, "lag_p99_s": lags[int(len(lags) * 0.99) - 1]}
    print(json.dumps(figures), flush=True)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
