"""A stage for the dashboard: the program in a terminal of any size, over a bridge that shows sample boards."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from textual.geometry import Size
from textual.pilot import Pilot

from engine.clock import SystemClock
from tests.support.boards import NOON, RecordingBridge
from tui.app import Dress, EngineElsewhere, EngineInside, SignalDeckApp
from tui.panels.base import TablePanel
from tui.screens.main import MainScreen

NEVER_S = 3_600.0  # the stage ticks when it is told to
ROUNDS_MAX = 200


class StillClock(SystemClock):
    """Wall time stands where it is put, and no draw takes long however busy the machine is; waiting is real."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def wall(self) -> datetime:
        return self.at

    def machine(self) -> float:
        return 0.0


class Stage:
    """The program under a pilot."""

    def __init__(self, app: SignalDeckApp, pilot: Pilot[int], bridge: RecordingBridge, clock: StillClock) -> None:
        self.app, self.pilot, self.bridge, self.clock = app, pilot, bridge, clock

    @property
    def main(self) -> MainScreen:
        assert self.app.main is not None
        return self.app.main

    @property
    def lines(self) -> list[str]:
        """Return what stands on the screen, line by line."""
        return ["".join(s.text for s in strip) for strip in self.app.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def toasts(self) -> list[str]:
        """Return what the passing messages say, titles included."""
        return [f"{note.title}: {note.message}" for note in self.app._notifications]

    async def tick(self) -> None:
        """Let the main screen look and draw."""
        await self.main.tick()
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until `condition` holds."""
        for _ in range(ROUNDS_MAX):
            if condition():
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"it never came to hold; the screen says\n{self.text}")


def perform(
    scene: Callable[[Stage], Awaitable[None]],
    *,
    size: tuple[int, int] = (80, 24),
    bridge: RecordingBridge | None = None,
    dress: Dress | None = None,
    engine: EngineInside | EngineElsewhere | None = None,
) -> SignalDeckApp:
    """Play `scene` on a terminal of `size` and return the program as it was left."""

    async def act() -> SignalDeckApp:
        shown = bridge or RecordingBridge()
        clock = StillClock()
        app = SignalDeckApp(shown, dress or Dress(refresh_s=NEVER_S), engine=engine, clock=clock)
        async with app.run_test(size=size, notifications=True) as pilot:
            stage = Stage(app, pilot, shown, clock)
            await stage.until(lambda: app.main is not None and app.main.is_mounted and app.main.board is not None)
            await pilot.pause()
            assert app.size == Size(*size)
            await scene(stage)
        return app

    return asyncio.run(act())


def table_of(stage: Stage, number: int) -> TablePanel:
    """Return the table panel with this number."""
    panel = stage.main.deck.panels[number]
    assert isinstance(panel, TablePanel)
    return panel


async def select(stage: Stage, number: int, starts: str) -> str:
    """Put the cursor of a panel on the first row whose cells hold `starts`."""
    await stage.press(str(number))
    if stage.main.deck.view.is_maximised:
        await stage.press("escape")
    table = table_of(stage, number).table
    row = next(r for r in table.rows if any(starts in cell.text for cell in r.cells))
    table.move_to(row.key)
    await stage.pilot.pause()
    return row.key
