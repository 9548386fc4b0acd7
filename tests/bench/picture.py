"""The README's pictures: the dashboard and its screens in the demo after two minutes, drawn by the program itself.

`python -m tests.bench.picture .github` draws one of each screen; with THEME and WIDTHxHEIGHT after that, so that every
screen can be looked at in every theme and size: `python -m tests.bench.picture /tmp/pictures calm-light 80x24`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from textual.geometry import Size

from engine.clock import SystemClock
from engine.config import load
from engine.store.base import Reader
from engine.store.sqlite import SqliteReader
from engine.wiring import EngineThread, Plan
from tui.app import Dress, EngineInside, SignalDeckApp
from tui.bridge import Operator, OtherLoop, StoreBridge
from tui.past_opening import past_of
from tui.themes import DEFAULT

AFTER_S: Final = 130.0
SIZE: Final = Size(120, 40)
# What is drawn, and the keys that lead there from the dashboard.
WAYS: Final = {
    "dashboard": (),
    "story": ("1", "j", "j", "j", "j", "enter"),
    "trader": ("2", "enter"),
    "error": ("4", "enter"),
    "alert": ("3", "enter"),
    "diagnosis": ("d",),
    "log": ("f2",),
    "errors": ("f3",),
    "alerts": ("f4",),
    "metrics": ("f5",),
    "signals": ("f6", "asterisk", "X"),
    # an alert seen, a trader paused and, some moments later, resumed
    "audit": ("3", "a", "2", "p", "k", "k", "k", "k", "r", "k", "k", "f7"),
    "market": ("f8", "j"),
    "inspector": ("1", "j", "6"),
    "past": ("T", "less_than_sign"),
    "halt": ("K",),
    "palette": ("ctrl+p",),
    "help": ("question_mark",),
}


def main(folder: Path, themes: Sequence[str], sizes: Sequence[Size], after_s: float = AFTER_S) -> None:
    """Run the demo, and write every screen in these themes and sizes to `folder`."""
    with tempfile.TemporaryDirectory() as home:
        db = Path(home) / "demo.sqlite"
        loaded = load(None, {})
        engine = EngineThread(Plan(loaded.settings, loaded.settings.mode, db))
        engine.start()
        engine.wait_ready()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            asyncio.run(_draw_all(engine, db, folder, after_s, [(theme, size) for theme in themes for size in sizes]))
        finally:
            engine.request_stop()
            engine.join(30)


async def _draw_all(
    engine: EngineThread, db: Path, folder: Path, after_s: float, dresses: Sequence[tuple[str, Size]]
) -> None:
    await SystemClock().sleep(after_s)
    await _draw(engine, db, dresses[0], ())  # the first one loads what all others find loaded, and is slow
    for theme, size in dresses:
        is_usual = (theme, size) == (DEFAULT, SIZE)
        for name, keys in WAYS.items():
            told = name if is_usual else f"{name}-{theme}-{size.width}x{size.height}"
            (folder / f"{told}.svg").write_text(await _draw(engine, db, (theme, size), keys))


async def _draw(engine: EngineThread, db: Path, dress: tuple[str, Size], keys: Sequence[str]) -> str:
    async def reader() -> Reader:
        return SqliteReader(db)

    service = OtherLoop(engine.service, engine.loop, SystemClock())
    bridge = StoreBridge(reader, Operator("operator"), service=service)
    app = SignalDeckApp(bridge, Dress(dress[0], None, None), engine=EngineInside(is_there=True, trouble=lambda: ""))
    app.past = lambda: past_of(db)
    async with app.run_test(size=(dress[1].width, dress[1].height)) as pilot:
        await pilot.pause(1.5)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.2)
        await pilot.pause(1.0)
        return app.export_screenshot(title="signaldeck")


def _size(text: str) -> Size:
    width, _, height = text.partition("x")
    return Size(int(width), int(height))


if __name__ == "__main__":
    folder, *rest = sys.argv[1:]
    chosen = [word for word in rest if "x" not in word or not word[0].isdigit()]
    main(Path(folder), chosen or [DEFAULT], [_size(word) for word in rest if word[0].isdigit()] or [SIZE])
