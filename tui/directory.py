"""The directory: every screen that can be gone to from anywhere, by its key or by its name after a colon.

A screen is one file in `tui/screens/` and one door here. The doors' keys, the help, the palette and the colon all read
this list. A screen's file is loaded when it is first gone to.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.clock import Clock
    from tui.bridge import Bridge
    from tui.screens.trail import TrailScreen


class Door(NamedTuple):
    """The way to a screen: its `name` as it is typed, the key that opens it, what it shows, and the class to be loaded."""

    name: str
    key: str
    label: str
    tells: str
    place: str  # module:class; the class takes the bridge, and the clock by its name

    def kind(self) -> type[TrailScreen]:
        """Return the screen's class."""
        module, _, name = self.place.partition(":")
        return cast("type[TrailScreen]", getattr(import_module(module), name))

    def open(self, bridge: Bridge, clock: Clock) -> TrailScreen:
        """Return a new screen."""
        make = cast("Callable[..., TrailScreen]", self.kind())
        return make(bridge, clock=clock)


DOORS: Final = (
    Door("diagnosis", "d", "Diagnosis", "Every gate between candle and fill", "tui.screens.readiness:ReadinessScreen"),
    Door("log", "f2", "Log", "The whole journal as it is written", "tui.screens.journal:LogScreen"),
    Door("errors", "f3", "Errors by kind", "How many of each kind", "tui.screens.error_kinds:ErrorKindsScreen"),
    Door("alerts", "f4", "All alerts", "Active, seen and resolved", "tui.screens.alert_list:AlertListScreen"),
    Door("metrics", "f5", "Metrics", "Every figure over five windows", "tui.screens.metrics:MetricsScreen"),
    Door("signals", "f6", "All signals", "Mark, retry, cancel many", "tui.screens.signal_list:SignalListScreen"),
    Door("audit", "f7", "Audit", "What operators did, and what came of it", "tui.screens.audit:AuditScreen"),
    Door("market", "f8", "Market", "Candles with signals and fills", "tui.screens.market:MarketScreen"),
)


def door(name: str) -> Door:
    """Return the door called `name`. Raises KeyError if there is none."""
    return {one.name: one for one in DOORS}[name]


def doors_like(text: str) -> list[Door]:
    """Return the doors whose names begin with `text`, then those that hold it elsewhere; all for the empty text."""
    wanted = text.strip().casefold()
    begins = [one for one in DOORS if one.name.startswith(wanted)]
    return begins + [one for one in DOORS if one not in begins and wanted in one.name]
