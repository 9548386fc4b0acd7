"""What operators of other dashboards complain of in what they see: views that move, cursors that jump, a focus that is stolen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from textual import events
from textual.pilot import Pilot

from engine.clock import ManualClock
from engine.core.events import EventKind, Level
from engine.store.sqlite import SqliteStore
from tests.support.builders import an_event
from tests.support.screen_bridge import RecordingBridge, Showing, play_store, press, text_of
from tests.support.stage import Stage, perform, select, table_of
from tests.support.stories import at
from tests.tui.test_live_table import TableApp, lines, rows
from tui.screens.confirm import Confirm
from tui.screens.journal import KEPT_MAX, PAGE, LogScreen
from tui.screens.story import StoryScreen


def the_log(bridge: RecordingBridge) -> LogScreen:
    return LogScreen(bridge, clock=ManualClock(at(90)))


async def forty_entries(store: SqliteStore) -> None:
    await write(store, "old", 40)


async def write(store: SqliteStore, name: str, count: int) -> None:
    loud = {"kind": EventKind.ATTEMPT, "level": Level.WARNING}
    for start in range(0, count, PAGE):
        texts = (f"{name} {n}" for n in range(start, min(start + PAGE, count)))
        await store.note([an_event(text, **loud) for text in texts])


async def looked_after(app: Showing, pilot: Pilot[None], name: str, count: int) -> LogScreen:
    """Write so many entries, let the log look, and return it."""
    screen = app.screen
    assert isinstance(screen, LogScreen)
    bridge = screen.bridge
    assert isinstance(bridge, RecordingBridge)
    assert isinstance(bridge.reader, SqliteStore)
    await write(bridge.reader, name, count)
    bridge.show(bridge.picture)
    await screen.look()
    await pilot.pause()
    return screen


def body_of(app: Showing) -> list[str]:
    """Return the rows that are seen, without the scrollbar beside them."""
    return [line[:-1].rstrip() for line in text_of(app).splitlines()[3:-1]]


HELD = {"frozen": ["full_stop"], "held": ["j", "j", "j"], "held at the end": ["G"]}
BURSTS = {"a few": [3], "a leap": [PAGE + 50], "more than is kept": [PAGE - 1] * (KEPT_MAX // PAGE + 2)}


@pytest.mark.parametrize("burst", BURSTS)
@pytest.mark.parametrize("held", HELD)
def test_a_log_that_is_held_or_frozen_shows_the_same_rows_whatever_comes(held: str, burst: str) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, *HELD[held])
        before = body_of(app)
        for count in BURSTS[burst]:
            await looked_after(app, pilot, "new", count)
            assert body_of(app) == before
        if burst != "a few":
            assert "FROZEN, " in text_of(app), "what stands still says so, and how much is new"

    play_store(the_log, forty_entries, script)


def test_the_way_from_a_log_that_stands_still_back_to_what_is_newest_is_two_keys_at_most() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "j", "j")
        await looked_after(app, pilot, "new", PAGE + 50)
        await press(app, pilot, "full_stop", "g")
        assert f"new {PAGE + 49}" in body_of(app)[0]
        await looked_after(app, pilot, "newer", 2)
        assert "newer 1" in body_of(app)[0], "and it follows again"

    play_store(the_log, forty_entries, script)


def test_a_burst_of_ten_thousand_leaves_the_log_neither_behind_nor_without_bounds() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        log = await looked_after(app, pilot, "burst", 10_000)
        assert "burst 9999" in body_of(app)[0], "one look is enough to be at the newest"
        assert len(log.table.rows) <= KEPT_MAX

    play_store(the_log, forty_entries, script)


# the mouse wheel


async def wheel(app: TableApp, pilot: Pilot[None], way: type[events.MouseEvent], times: int = 1) -> None:
    for _ in range(times):
        await pilot._post_mouse_events([way], app.table, offset=(2, 2))
    await pilot.pause()
    while app.animator.is_being_animated(app.table, "scroll_y"):
        await pilot.pause(0.01)
    await pilot.pause()


def with_forty_rows(scene: Callable[[TableApp, Pilot[None], list[str]], Awaitable[None]]) -> None:
    async def act() -> None:
        app = TableApp(follows=True)
        async with app.run_test(size=(40, 11)) as pilot:
            keys = [f"k{n}" for n in range(40)]
            app.table.set_rows(rows(keys))
            app.table.focus()
            await pilot.pause()
            await scene(app, pilot, keys)

    asyncio.run(act())


def test_a_turn_of_the_wheel_holds_the_view_where_it_was_put() -> None:
    async def scene(app: TableApp, pilot: Pilot[None], keys: list[str]) -> None:
        await wheel(app, pilot, events.MouseScrollDown, 4)
        before = lines(app)
        assert app.table.scroll_offset.y > 0
        assert app.table.is_held
        for n in range(30):
            keys.insert(0, f"n{n}")
            app.table.set_rows(rows(keys))
        await pilot.pause()
        assert lines(app) == before

    with_forty_rows(scene)


def test_a_key_after_the_wheel_goes_on_from_what_is_seen() -> None:
    async def scene(app: TableApp, pilot: Pilot[None], keys: list[str]) -> None:
        await wheel(app, pilot, events.MouseScrollDown, 4)
        top = app.table.scroll_offset.y
        await pilot.press("j")
        assert app.table.scroll_offset.y == top, "the cursor was left above and pulled the view back"
        assert app.table.cursor_key == f"k{top + 1}"

    with_forty_rows(scene)


def test_the_wheel_back_and_g_follow_again() -> None:
    async def scene(app: TableApp, pilot: Pilot[None], keys: list[str]) -> None:
        await wheel(app, pilot, events.MouseScrollDown, 4)
        await wheel(app, pilot, events.MouseScrollUp, 9)
        assert app.table.scroll_offset.y == 0
        await pilot.press("g")
        app.table.set_rows(rows(["new", *keys]))
        assert app.table.cursor_key == "new"

    with_forty_rows(scene)


# the focus, and what a filter hides

EXCURSIONS = {
    "a cancel that is not made": ["X", "n"],
    "a cancel that is made": ["X", "y"],
    "a pause of all": ["P", "y"],
    "a halt that is not typed": ["K", "escape"],
    "a screen behind": ["f2", "escape"],
    "a row and back": ["enter", "escape"],
    "the diagnosis": ["d", "escape"],
    "the help": ["question_mark", "escape"],
    "the palette": ["ctrl+p", "escape"],
    "the colon": ["colon", "escape"],
    "a theme": ["t", "escape"],
    "a filter": ["slash", *"waiting", "enter"],
}


@pytest.mark.parametrize("way", EXCURSIONS)
def test_focus_and_cursor_are_where_they_were_after(way: str) -> None:
    async def scene(stage: Stage) -> None:
        key = await select(stage, 1, "waiting")
        for pressed in EXCURSIONS[way]:
            await stage.press(pressed)
        await stage.until(lambda: stage.app.screen is stage.main and not stage.main.wishes.pending)
        assert stage.app.focused is table_of(stage, 1).table
        assert table_of(stage, 1).selected == key
        await stage.press("j")
        assert table_of(stage, 1).selected != key, "and the next key acts there"

    perform(scene, size=(120, 40))


def test_what_a_filter_hides_can_still_be_gone_to_and_acted_on() -> None:
    async def scene(stage: Stage) -> None:
        hidden = stage.bridge.shown.queue[3]
        await stage.press("slash", *"no such row", "enter")
        assert table_of(stage, 1).selected is None
        await stage.press("colon", *hidden.id[:8], "enter")
        await stage.until(lambda: isinstance(stage.app.screen, StoryScreen))
        story = stage.app.screen
        assert isinstance(story, StoryScreen)
        assert hidden.id.startswith(story.signal_id)

    perform(scene, size=(120, 40))


def test_a_question_names_what_it_is_about_though_the_row_has_gone_from_view() -> None:
    async def scene(stage: Stage) -> None:
        key = await select(stage, 1, "waiting")
        await stage.press("X")
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        stage.bridge.show(queue=())
        await stage.tick()
        assert key[:8] in stage.text

    perform(scene, size=(120, 40))
