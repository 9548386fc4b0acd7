"""The log, the kinds of errors and all alerts, each over a real store."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.clock import ManualClock
from engine.core.commands import CommandKind
from engine.core.events import Alert, AlertState, EventKind, Level, Severity
from engine.store.sqlite import SqliteStore
from tests.support.builders import NOW, an_event
from tests.support.screen_bridge import HOSTILE, RecordingBridge, Showing, is_clean, is_on, play_store, press, text_of
from tests.support.stories import at
from tui.screens.alert import AlertScreen
from tui.screens.alert_list import AlertListScreen
from tui.screens.error import ErrorScreen
from tui.screens.error_kinds import ErrorKindsScreen, OneKindScreen
from tui.screens.journal import PAGE, LogScreen
from tui.screens.listing import ListScreen


def the_log(bridge: RecordingBridge) -> LogScreen:
    return LogScreen(bridge, clock=ManualClock(at(90)))


def the_kinds(bridge: RecordingBridge) -> ErrorKindsScreen:
    return ErrorKindsScreen(bridge, clock=ManualClock(at(90)))


def the_alerts(bridge: RecordingBridge) -> AlertListScreen:
    return AlertListScreen(bridge, clock=ManualClock(at(90)))


async def entries(store: SqliteStore, *texts: str, level: Level = Level.INFO, **fields: Any) -> None:
    await store.note([an_event(text, level=level, kind=EventKind.ATTEMPT, **fields) for text in texts])


async def a_little(store: SqliteStore) -> None:
    await entries(store, "all is well", "still well")
    await entries(store, "retry in 4s", "retry in 9s", level=Level.WARNING, code="rate", trader="trader_north")
    await entries(store, "no funds", level=Level.ERROR, code="funds", trader="trader_south")


async def again(screen: ListScreen, pilot: Pilot[None]) -> SqliteStore:
    """Return the store under the screen, which asks again as after a commit."""
    bridge = screen.bridge
    assert isinstance(bridge, RecordingBridge)
    assert isinstance(bridge.reader, SqliteStore)
    bridge.show(bridge.picture)
    await screen.look()
    await pilot.pause()
    return bridge.reader


def shown(app: Showing) -> ListScreen:
    assert isinstance(app.screen, ListScreen)
    return app.screen


def test_the_log_shows_every_level_newest_first_and_follows() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        text = text_of(app)
        assert text.index("no funds") < text.index("retry in 9s") < text.index("all is well")
        store = await again(shown(app), pilot)
        await entries(store, "hot off the press")
        await again(shown(app), pilot)
        assert text_of(app).index("hot off the press") < text_of(app).index("no funds")

    play_store(the_log, a_little, script)


def test_errors_only_leaves_the_loud_ones_and_turns_back() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "exclamation_mark")
        assert "still well" not in text_of(app)
        assert "no funds" in text_of(app)
        assert "errors and warnings" in text_of(app)
        await press(app, pilot, "exclamation_mark")
        assert "still well" in text_of(app)

    play_store(the_log, a_little, script)


def test_going_to_the_end_reads_the_page_before_until_the_first_entry() -> None:
    async def many(store: SqliteStore) -> None:
        await entries(store, *(f"entry {n}" for n in range(PAGE + 100)))

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        assert f"{PAGE} entries" in text_of(app)
        await press(app, pilot, "G")
        assert len(shown(app).table.rows) >= PAGE + 100
        await press(app, pilot, "G")
        assert "entry 0" in text_of(app)
        assert "older ones" not in text_of(app)

    play_store(the_log, many, script)


def test_a_leap_longer_than_a_page_starts_with_the_newest_page() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        store = await again(shown(app), pilot)
        await entries(store, *(f"burst {n}" for n in range(PAGE + 50)))
        await again(shown(app), pilot)
        assert f"burst {PAGE + 49}" in text_of(app)
        assert len(shown(app).table.rows) == PAGE

    play_store(the_log, a_little, script)


def test_in_context_the_matches_stand_among_the_others_and_n_goes_round_them() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "slash", *"retry", "enter")
        assert "no funds" not in text_of(app)
        await press(app, pilot, "c")
        assert "no funds" in text_of(app)
        assert "2 match" in text_of(app)
        places = []
        for key in ("n", "n", "n", "N"):
            await press(app, pilot, key)
            key_here = shown(app).table.cursor_key
            assert key_here is not None
            event = shown(app).thing(key_here)
            places.append(getattr(event, "text", None))
        assert places == ["retry in 9s", "retry in 4s", "retry in 9s", "retry in 4s"]

    play_store(the_log, a_little, script)


def test_a_filter_while_frozen_shows_only_what_stood_there() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "full_stop")
        store = await again(shown(app), pilot)
        await entries(store, "well, something new")
        await again(shown(app), pilot)
        await press(app, pilot, "slash", *"well", "enter")
        assert "all is well" in text_of(app)
        assert "something new" not in text_of(app)

    play_store(the_log, a_little, script)


def test_what_is_shown_is_exported_to_a_file_of_its_own(tmp_path: Path) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        shown(app).folder = tmp_path
        await press(app, pilot, "slash", *"retry", "enter", "e")
        [path] = tmp_path.glob("signaldeck-log-*.jsonl")
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert [row["text"] for row in rows] == ["retry in 9s", "retry in 4s"]
        assert path.stat().st_mode & 0o777 == 0o600
        assert any(path.name in str(toast) for toast in app.toasts)
        await press(app, pilot, "e")
        assert any("not exported" in str(toast) for toast in app.toasts), "no file is written over"

    play_store(the_log, a_little, script, (120, 40))


def test_an_entry_is_opened() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "enter")
        assert is_on(app, ErrorScreen)

    play_store(the_log, a_little, script)


def test_errors_are_counted_by_kind_and_lead_to_the_errors_of_a_kind() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        assert "2 kinds  of the newest 3 errors" in text_of(app)
        line = next(line for line in text_of(app).splitlines() if "retry in #" in line)
        assert line.split()[0] == "2"
        await press(app, pilot, "j", "enter")
        assert is_on(app, OneKindScreen)
        assert "2 of this kind" in text_of(app)
        assert "no funds" not in text_of(app)
        store = await again(shown(app), pilot)
        await entries(store, "retry in 11s", level=Level.WARNING, code="rate", trader="trader_north")
        await again(shown(app), pilot)
        assert "3 of this kind" in text_of(app)
        await press(app, pilot, "enter")
        assert is_on(app, ErrorScreen)

    play_store(the_kinds, a_little, script)


def test_more_errors_than_a_page_are_all_counted() -> None:
    async def many(store: SqliteStore) -> None:
        for begin in range(0, 2_500, 500):
            await entries(store, *(f"boom {n}" for n in range(begin, begin + 500)), level=Level.ERROR, code="x")

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        assert "1 kind  of the newest 2500 errors" in text_of(app)

    play_store(the_kinds, many, script)


def an_alert(n: int, state: AlertState, **fields: Any) -> Alert:
    raised = NOW + timedelta(seconds=n)
    alert = Alert(0, f"rule_{n}", "", Severity.CRITICAL, AlertState.ACTIVE, f"it is bad {n}", "look", raised, raised)
    over = raised + timedelta(seconds=30) if state is AlertState.RESOLVED else None
    return replace(alert, state=state, resolved_at=over, **fields)


async def three_alerts(store: SqliteStore) -> None:
    for n, state in enumerate((AlertState.RESOLVED, AlertState.ACTIVE, AlertState.ACKNOWLEDGED), 1):
        seen = {"ack_by": "ada", "ack_at": NOW} if state is AlertState.ACKNOWLEDGED else {}
        alert = an_alert(n, state, **seen)
        kept = await store.save_alert(replace(alert, state=AlertState.ACTIVE, resolved_at=None), None)
        await store.save_alert(replace(alert, id=kept.id), None)


def test_alerts_are_listed_active_then_seen_then_resolved() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        text = text_of(app)
        assert "1 active  1 seen  1 resolved" in text
        assert text.index("it is bad 2") < text.index("it is bad 3") < text.index("it is bad 1")
        assert "ada" in text
        listed = app.screen
        assert isinstance(listed, AlertListScreen)
        moment = listed.moment()
        assert moment is not None
        assert moment.at == NOW + timedelta(seconds=2), "the one under the cursor"
        await press(app, pilot, "enter")
        assert is_on(app, AlertScreen)

    play_store(the_alerts, three_alerts, script, (120, 40))


def test_only_what_is_active_can_be_acknowledged_and_what_is_over_not_snoozed() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "a", "j", "a", "z", "j", "a", "z")

    bridge = play_store(the_alerts, three_alerts, script)
    assert [(kind, args) for kind, _, _, args, _ in bridge.wishes] == [
        (CommandKind.ACKNOWLEDGE, {}),
        (CommandKind.SNOOZE, {"seconds": "900"}),
    ]


@pytest.mark.parametrize("make", [the_log, the_kinds])
def test_hostile_words_are_drawn_as_they_are(make: Any) -> None:
    async def fill(store: SqliteStore) -> None:
        for text in HOSTILE[:-1]:
            await entries(store, text, level=Level.ERROR, code=text[:40], trader=text[:60])

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        assert is_clean(text_of(app).replace("\n", ""))

    play_store(make, fill, script, (120, 40))
