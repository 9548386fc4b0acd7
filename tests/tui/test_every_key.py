"""Every key of every screen behind the dashboard, pressed one after the other, at four sizes, over a store with something in it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from textual.pilot import Pilot

from engine.clock import ManualClock
from engine.core.commands import CommandKind, CommandState, NewCommand
from engine.core.events import Alert, AlertState, EventKind, Level, Severity
from engine.store.sqlite import SqliteStore
from tests.support.builders import NOW, a_signal, an_event
from tests.support.markets import a_market
from tests.support.screen_bridge import RecordingBridge, Showing, play_store, settled, text_of
from tests.support.stories import at
from tui.directory import DOORS, Door
from tui.screens.listing import ListScreen
from tui.screens.trail import TrailScreen

SIZES: Final = [(60, 15), (80, 24), (120, 40), (200, 60)]
LEAVES: Final = frozenset({"escape", "q", "ctrl+q", "ctrl+c"})


async def a_bit_of_everything(store: SqliteStore) -> None:
    await a_market(store)
    await store.put_signals([a_signal(symbol=f"S{n}/USDT") for n in range(30)])
    loud = {"level": Level.ERROR, "kind": EventKind.ATTEMPT, "code": "rate", "trader": "trader_momentum"}
    await store.note([an_event(f"retry in {n} s", **loud) for n in range(30)])
    await store.declare_traders({"trader_momentum": "paper"})
    for n in range(3):
        alert = Alert(0, f"rule_{n}", "", Severity.WARNING, AlertState.ACTIVE, "it is bad", "look", NOW, NOW)
        await store.save_alert(alert, None)
        posted = await store.post(NewCommand(f"r{n}", CommandKind.PAUSE, "maria", NOW, "trader_momentum"))
        await store.finish(posted.id, CommandState.DONE, "paused", [])


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_every_key_of_every_screen_leaves_it_standing(door: Door, size: tuple[int, int], tmp_path: Path) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        screen = app.screen
        if isinstance(screen, ListScreen):
            screen.folder = tmp_path  # where e exports to
        keys = sorted(set(screen.active_bindings) - LEAVES)
        assert len(keys) > 5
        for key in keys:
            await pilot.press(key)
            await settled(app, pilot)
            for _ in range(5):
                if app.screen is screen:
                    break
                await pilot.press("escape")
                await settled(app, pilot)
            assert app.screen is screen, f"{key} led to where escape does not come back from"
            assert "a defect" not in text_of(app), key

    play_store(lambda bridge: door.open(bridge, ManualClock(at(10))), a_bit_of_everything, script, size)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_who_may_only_look_can_press_every_key_and_wishes_nothing(door: Door, tmp_path: Path) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        screen = app.screen
        if isinstance(screen, ListScreen):
            screen.folder = tmp_path  # where e exports to
        for key in sorted(set(screen.active_bindings) - LEAVES):
            await pilot.press(key)
            await settled(app, pilot)
            while app.screen is not screen:
                await pilot.press("escape")
                await settled(app, pilot)

    def open_read_only(bridge: RecordingBridge) -> TrailScreen:
        bridge.read_only = True
        return door.open(bridge, ManualClock(at(10)))

    bridge = play_store(open_read_only, a_bit_of_everything, script)
    assert bridge.wishes == []
