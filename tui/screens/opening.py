"""Which screen tells of a row of the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import Screen

from engine.clock import Clock
from engine.core.board import Board
from tui.messages import Kind

if TYPE_CHECKING:
    from tui.bridge import Bridge


def screen_for(kind: Kind, key: str, bridge: Bridge, board: Board | None, clock: Clock) -> Screen[None] | None:
    """Return a new screen that tells of the row called `key`; None if the board does not have it any more."""
    from tui.screens.alert import AlertScreen  # detail screens load when the first is opened
    from tui.screens.error import ErrorScreen
    from tui.screens.market import MarketScreen
    from tui.screens.story import StoryScreen
    from tui.screens.trader import TraderScreen

    if kind is Kind.SIGNAL:
        return StoryScreen(bridge, key, clock=clock)
    if kind is Kind.TRADER:
        return TraderScreen(bridge, key, clock=clock)
    if kind is Kind.MARKET:
        return MarketScreen(bridge, key, clock=clock)
    if kind is Kind.ERROR:
        event = next((e for e in board.errors if str(e.seq) == key), None) if board else None
        return ErrorScreen(bridge, event, clock=clock) if event else None
    alert = next((a for a in board.alerts if str(a.id) == key), None) if board else None
    return AlertScreen(bridge, alert, clock=clock) if alert else None
