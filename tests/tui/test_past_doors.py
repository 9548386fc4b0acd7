"""The ways into the past: from errors, alerts, stories, the metrics, and from the dashboard itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.screen import Screen

from engine.clock import ManualClock
from engine.core.board import MinutePoint
from tests.support.boards import some_alerts
from tests.support.builders import NOW
from tests.support.screen_bridge import RecordingBridge
from tests.support.stage import Stage, perform
from tests.tui.test_past import Scene, over_the_live_one
from tui.screens.error_kinds import OneKindScreen
from tui.screens.main import MainScreen
from tui.screens.metrics import MetricsScreen
from tui.screens.past import PastScreen
from tui.screens.story import StoryScreen
from tui.screens.trail import TrailScreen

MINUTE = timedelta(minutes=1)


def test_one_of_the_errors_of_a_kind_leads_to_its_moment(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        await stage.press("escape", "f3", "enter")
        await stage.until(lambda: isinstance(stage.app.screen, OneKindScreen) and "the disk is full" in stage.text)
        kind = stage.app.screen
        await stage.press("T")
        await stage.until(lambda: isinstance(stage.app.screen, PastScreen) and "12:30:00Z" in stage.top)
        await stage.press("escape")
        await stage.until(lambda: stage.app.screen is kind)

    over_the_live_one(tmp_path / "x.db", scene)


def test_a_story_leads_to_the_last_thing_that_befell_its_signal(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        await stage.press("escape", "colon", *"0020", "enter")
        await stage.until(lambda: isinstance(stage.app.screen, StoryScreen) and "S20/USDT" in stage.text)
        await stage.press("T")
        await stage.until(lambda: isinstance(stage.app.screen, PastScreen) and "12:20:00Z" in stage.top)

    over_the_live_one(tmp_path / "x.db", scene)


def test_on_the_dashboard_the_row_of_an_error_leads_to_its_moment_and_any_other_panel_to_the_newest(
    tmp_path: Path,
) -> None:
    async def scene(stage: Scene) -> None:
        await stage.press("escape")
        await stage.until(lambda: stage.app.screen is stage.main)
        await stage.press("T")
        await stage.until(lambda: isinstance(stage.app.screen, PastScreen) and "12:30:00Z" in stage.top)
        await stage.press("escape", "1", "T")
        await stage.until(lambda: isinstance(stage.app.screen, PastScreen) and "12:50:00Z" in stage.top)

    over_the_live_one(tmp_path / "x.db", scene)


@pytest.mark.parametrize("keys", [("3",), ("3", "enter")], ids=["its row", "its screen"])
def test_an_alert_leads_to_when_it_was_raised(keys: tuple[str, ...]) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press(*keys)
        await stage.until(lambda: moment_on(stage.app.screen) == some_alerts()[0].raised_at)
        assert stage.app.screen.check_action("rewind", ())

    perform(scene, size=(120, 40))


def moment_on(screen: Screen[Any]) -> datetime | None:
    """Return the time that `T` would lead to from here."""
    if isinstance(screen, MainScreen):
        panel = screen.deck.chosen
        return panel.moment(panel.scene).at if panel.scene else None
    assert isinstance(screen, TrailScreen)
    moment = screen.moment()
    return moment.at if moment else None


def the_metrics(*points: MinutePoint) -> MetricsScreen:
    screen = MetricsScreen(RecordingBridge(), clock=ManualClock(NOW))
    screen._points = list(points)
    return screen


def test_the_metrics_lead_to_the_end_of_the_worst_minute_of_the_window() -> None:
    bad = MinutePoint(NOW - 30 * MINUTE, attempts=9, successes=5, failures=4)
    worse_but_too_long_ago = MinutePoint(NOW - 90 * MINUTE, attempts=9, failures=9)
    good = MinutePoint(NOW - 2 * MINUTE, attempts=90, successes=89, failures=1)
    moment = the_metrics(worse_but_too_long_ago, bad, good).moment()
    assert moment is not None
    assert bad.at < (moment.at or NOW) < bad.at + MINUTE


def test_where_nothing_failed_it_is_the_slowest_minute_and_where_nothing_was_tried_there_is_none() -> None:
    slow = MinutePoint(NOW - 3 * MINUTE, attempts=2, successes=2, latency_p95=4.0)
    quick = MinutePoint(NOW - 2 * MINUTE, attempts=2, successes=2, latency_p95=0.1)
    moment = the_metrics(slow, quick).moment()
    assert moment is not None
    assert slow.at < (moment.at or NOW) < slow.at + MINUTE
    assert the_metrics(MinutePoint(NOW - MINUTE, received=3)).moment() is None
    assert the_metrics().check_action("rewind", ()) is None
