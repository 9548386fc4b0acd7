"""A process whose files may not grow for a while: what is refused then is refused, what was kept is kept."""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
from pathlib import Path

from engine.clock import SystemChance, SystemClock
from engine.core.errors import StoreFull
from engine.store.sqlite import SqliteStore
from tests.support.builders import NOW, a_signal


async def main(path: str) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = SqliteStore(Path(path), clock=SystemClock(), inline=False, uuid_source=SystemChance().stream("store"))
    await store.open(now=NOW)
    await store.put_signals([a_signal("before")])
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    kept = []
    try:
        for n in range(1_000):
            await store.put_signals([a_signal(f"large{n}", note="x" * 20_000)])
            kept.append(f"large{n}")
    except StoreFull as full:
        print("full", str(full).count("free space"), flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
    assert not (await store.health()).writable
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await store.put_signals([a_signal("after")])
    for signal_id in ("before", *kept, "after"):
        assert await store.signal(signal_id) is not None, signal_id
    assert await store.signal(f"large{len(kept)}") is None
    assert await store.verify_chain() is None
    assert (await store.health()).writable
    await store.close()
    print("done", len(kept), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
