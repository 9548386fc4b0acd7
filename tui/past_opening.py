"""How a dashboard of the past comes onto the screen: over the running one, or as the first of its own program."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.core.errors import SignalDeckError
from tui.app import SignalDeckApp
from tui.formatting import foreign
from tui.messages import Rewound
from tui.past import PastBridge, PastClock, Transport
from tui.screens.past import PastScreen

if TYPE_CHECKING:
    from engine.store.base import Reader
    from tui.screens.main import MainScreen, Surroundings


def past_of(db: Path) -> PastBridge:
    """Return a bridge to the past of this store; nothing is opened yet."""

    async def reader() -> Reader:
        from engine.store.sqlite.past.reader import PastReader  # with the first that is opened

        return PastReader(db)

    return PastBridge(reader, Transport(PastClock()))


async def open_past(app: SignalDeckApp, message: Rewound) -> None:
    """Show the moment that the message names: on the dashboard of the past that is open, else on one over the live one."""
    home = app.home
    if isinstance(home, PastScreen):
        for _ in app.screen_stack[app.screen_stack.index(home) + 1 :]:
            await app.pop_screen()
        await home.rewind(message)
        return
    if app.past is None:
        app.notify("this dashboard has no journal to go back in", title="Time", markup=False)
        return
    bridge = app.past()
    around = replace(home.around, clock=bridge.transport.clock, engine_trouble=lambda: "", silence=lambda: "")
    try:
        await bridge.open()
        screen = PastScreen(bridge, around)
        await screen.begin(message)
    except SignalDeckError as trouble:
        await bridge.close()
        app.notify(foreign(str(trouble)), title="Time", severity="error", markup=False)
        return
    await app.push_screen(screen)


class PastApp(SignalDeckApp):
    """The program whose only dashboard is one of the past. `beginning` is the time, as typed, at which it opens."""

    beginning: str = "last"

    def make_main(self, around: Surroundings) -> MainScreen:
        assert isinstance(self.bridge, PastBridge), "made for nothing else"
        return PastScreen(self.bridge, around, beginning=self.beginning)
