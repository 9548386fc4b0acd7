"""The README's picture: the dashboard in its demo after two minutes, drawn by the program itself.

`python -m tests.bench.picture .github/dashboard.svg`
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from engine.clock import SystemClock
from engine.config import load
from engine.store.base import Reader
from engine.store.sqlite import SqliteReader
from engine.wiring import EngineThread, Plan
from tui.app import Dress, EngineInside, SignalDeckApp
from tui.bridge import Operator, OtherLoop, StoreBridge

WIDTH, HEIGHT, AFTER_S = 120, 40, 130.0


def main(target: Path, after_s: float = AFTER_S) -> None:
    """Run the demo and write what its dashboard shows to `target`."""
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "demo.sqlite"
        loaded = load(None, {})
        engine = EngineThread(Plan(loaded.settings, loaded.settings.mode, db))
        engine.start()
        engine.wait_ready()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(asyncio.run(_draw(engine, db, after_s)))
        finally:
            engine.request_stop()
            engine.join(30)


async def _draw(engine: EngineThread, db: Path, after_s: float) -> str:
    async def reader() -> Reader:
        return SqliteReader(db)

    service = OtherLoop(engine.service, engine.loop, SystemClock())
    bridge = StoreBridge(reader, Operator("operator"), service=service)
    app = SignalDeckApp(bridge, Dress("calm-dark", None, None), engine=EngineInside(is_there=True, trouble=lambda: ""))
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await pilot.pause(after_s)
        return app.export_screenshot(title="signaldeck")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
