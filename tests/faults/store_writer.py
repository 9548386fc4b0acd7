"""A process that writes to a store until it is killed; it prints what the store has acknowledged."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from engine.clock import SystemChance, SystemClock
from engine.core.lifecycle import AttemptState, AttemptStep, SignalStep
from engine.store.base import Applied
from engine.store.sqlite import SqliteStore
from tests.support.builders import NOW, a_fill, a_signal, an_attempt_move, an_intent


async def _cycles(store: SqliteStore, name: str) -> None:
    for n in range(1_000_000):
        signal = a_signal(f"{name}-{n}")
        await store.put_signals([signal])
        print("signal", signal.signal_id, flush=True)
        intent = an_intent(signal)
        assert await store.commit_intents([intent]) == [Applied.APPLIED]
        print("intent", intent.request.client_order_id, flush=True)
        done = {"fills": (a_fill(),), "signal_step": SignalStep.COMPLETE}
        filled = an_attempt_move(intent.request, AttemptState.INTENT, AttemptStep.FILL, **done)
        assert await store.move_attempts([filled]) == [Applied.APPLIED]
        print("filled", intent.request.client_order_id, flush=True)


async def main(path: str, name: str) -> None:
    store = SqliteStore(Path(path), clock=SystemClock(), inline=False, uuid_source=SystemChance().stream("store"))
    await store.open(now=NOW)
    print("open", flush=True)
    await asyncio.gather(*(_cycles(store, f"{name}-{n}") for n in range(8)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
