"""Screens that list something: filter, freeze, copying, and what a row leads to; the audit is the one they are shown on."""

from __future__ import annotations

import json
from datetime import timedelta

from textual.pilot import Pilot

from engine.clock import ManualClock
from engine.core.commands import CommandKind, CommandState, NewCommand
from engine.store.sqlite import SqliteStore
from tests.support.builders import NOW
from tests.support.screen_bridge import HOSTILE, RecordingBridge, Showing, is_clean, is_on, play_store, press, text_of
from tests.support.stories import at
from tui.screens.audit import AuditScreen
from tui.screens.story import StoryScreen
from tui.screens.trader import TraderScreen


def a_screen(bridge: RecordingBridge) -> AuditScreen:
    return AuditScreen(bridge, clock=ManualClock(at(12)))


async def wish(store: SqliteStore, n: int, kind: CommandKind, target: str, why: str = "") -> None:
    posted = await store.post(NewCommand(f"r{n}", kind, "maria", NOW + timedelta(seconds=n), target, why))
    state = CommandState.REFUSED if kind is CommandKind.RETRY else CommandState.DONE
    await store.finish(posted.id, state, f"answer {n}", [])


async def three_wishes(store: SqliteStore) -> None:
    await wish(store, 1, CommandKind.PAUSE, "trader_momentum", "lunch")
    await wish(store, 2, CommandKind.RETRY, "00ff12")
    await wish(store, 3, CommandKind.HALT, "", "it burns")


def test_the_audit_tells_who_did_what_when_why_and_what_came_of_it() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        text = text_of(app)
        assert "3 wishes  1 refused" in text
        first = next(line for line in text.splitlines() if "halt" in line)
        assert "maria" in first
        assert "● done" in first
        assert "answer 3; why: it burns" in first
        assert "12:00:03" in first
        assert text.index("halt") < text.index("retry") < text.index("pause"), "newest first"

    play_store(a_screen, three_wishes, script, (120, 40))


def test_what_is_less_needed_goes_first_on_a_narrow_screen() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        text = text_of(app)
        assert "✖ refused" in text
        assert f"{NOW + timedelta(seconds=3):%m-%d %H:%M:%S}" in text, "when is the first question"
        assert "answer 3" in text
        assert "took" not in text
        await pilot.resize_terminal(40, 24)
        await pilot.pause()
        assert f"{NOW + timedelta(seconds=3):%m-%d %H:%M:%S}" in text_of(app)

    play_store(a_screen, three_wishes, script, (80, 24))


def test_a_trader_that_is_none_is_told_in_full_and_never_looks_like_another() -> None:
    async def given(store: SqliteStore) -> None:
        await store.declare_traders({"trader_momentum": "paper"})
        for n, target in enumerate(("trader_momentum", "momentum", "trader_gone"), start=1):
            await wish(store, n, CommandKind.PAUSE, target)

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        rows = {line.split("answer")[1][1]: line for line in text_of(app).splitlines() if "answer" in line}
        assert " pause          momentum " in rows["1"]
        assert " pause          ? momentum " in rows["2"]
        assert " pause          ? trader_go… " in rows["3"]

    play_store(a_screen, given, script, (120, 40))


def test_nothing_done_yet_is_said() -> None:
    async def nothing(store: SqliteStore) -> None: ...

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        assert "no operator has done anything yet" in text_of(app)
        await press(app, pilot, "enter", "y", "Y")
        assert app.toasts == []

    play_store(a_screen, nothing, script)


def test_a_filter_shows_what_it_takes_and_escape_clears_it_before_it_goes_back() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "slash", *"state:refused", "enter")
        assert "1 shown" in text_of(app)
        assert "pause" not in text_of(app)
        await press(app, pilot, "escape")
        assert is_on(app, AuditScreen)
        assert "pause" in text_of(app)
        await press(app, pilot, "escape")
        assert not is_on(app, AuditScreen)

    play_store(a_screen, three_wishes, script)


def test_frozen_rows_stand_still_and_what_is_new_is_counted() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        screen = app.screen
        assert isinstance(screen, AuditScreen)
        await press(app, pilot, "full_stop")
        assert "FROZEN, 0 new" in text_of(app)
        store = bridge_of(screen).reader
        assert isinstance(store, SqliteStore)
        await wish(store, 4, CommandKind.RELEASE, "")
        bridge_of(screen).show(bridge_of(screen).picture)
        await screen.look()
        await pilot.pause()
        assert "FROZEN, 1 new" in text_of(app)
        assert "release" not in text_of(app)
        await press(app, pilot, "full_stop")
        assert "release" in text_of(app)

    play_store(a_screen, three_wishes, script)


def test_enter_leads_to_the_signal_or_the_trader_that_a_wish_is_about() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "j", "enter")
        assert is_on(app, StoryScreen)
        await press(app, pilot, "escape", "j", "enter")
        assert is_on(app, TraderScreen)
        await press(app, pilot, "escape", "g", "enter")
        assert is_on(app, AuditScreen), "the kill switch is about all"
        assert "Open" not in text_of(app).splitlines()[-1]
        await press(app, pilot, "j")
        assert "Open" in text_of(app).splitlines()[-1]

    play_store(a_screen, three_wishes, script)


def test_a_row_is_copied_as_json() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "Y")
        assert json.loads(app.clipboard)["kind"] == "halt"
        await press(app, pilot, "y")
        assert app.clipboard == "3"

    play_store(a_screen, three_wishes, script)


def test_hostile_words_are_drawn_as_they_are() -> None:
    async def fill(store: SqliteStore) -> None:
        for n, text in enumerate(HOSTILE[:-1], 1):
            await wish(store, n, CommandKind.PAUSE, text[:200], text[:500])

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        assert is_clean(text_of(app).replace("\n", ""))
        assert "[red]not markup[/red]" in text_of(app)

    play_store(a_screen, fill, script, (120, 40))


def bridge_of(screen: AuditScreen) -> RecordingBridge:
    assert isinstance(screen.bridge, RecordingBridge)
    return screen.bridge
