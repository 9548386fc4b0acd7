"""What operators of other dashboards complain of in what they do: keys that slip, scopes that surprise, an order that is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from textual.binding import Binding
from textual.pilot import Pilot

from engine.core.commands import CommandKind, CommandState
from engine.core.lifecycle import RETRYABLE_SIGNALS, SignalState, SignalStep
from engine.store.base import Applied, SignalFilter
from engine.store.sqlite import SqliteStore
from tests.support.builders import a_signal, a_signal_move
from tests.support.decks import a_running, a_trader, settings_of
from tests.support.screen_bridge import Showing, is_on, play_store, press, text_of
from tests.support.stage import Stage, perform, select
from tests.support.world import live
from tests.tui.test_bulk import a_screen, bridge_of, shown
from tui.bulk import plan_retry
from tui.directory import DOORS
from tui.screens.alert import AlertScreen
from tui.screens.confirm import AskText, Confirm
from tui.screens.error import ErrorScreen
from tui.screens.error_kinds import OneKindScreen
from tui.screens.help import HelpScreen
from tui.screens.jump import Jump
from tui.screens.main import MainScreen
from tui.screens.signal_list import SignalListScreen
from tui.screens.story import StoryScreen
from tui.screens.trader import TraderScreen
from tui.widgets.live_table import LiveTable

# keys

SAFE_KEY: Final = re.compile(
    r"[a-zA-Z0-9]|f([1-9]|1[0-2])|enter|escape|space|(shift\+)?tab|up|down|left|right|home|end|page(up|down)"
)
SIGNS: Final = frozenset(
    {"slash", "colon", "question_mark", "plus", "minus", "asterisk", "full_stop", "exclamation_mark"}
)
SWALLOWED: Final = frozenset({"ctrl+i", "ctrl+m", "ctrl+h", "ctrl+j", "ctrl+s", "ctrl+z", "ctrl+a"})
OPENED: Final = (StoryScreen, TraderScreen, AlertScreen, ErrorScreen, OneKindScreen, Confirm, AskText, HelpScreen, Jump)


def bindings() -> Iterator[tuple[str, Binding]]:
    """Yield every binding of the program's own, with the name of what it belongs to."""

    async def gather(stage: Stage) -> None:
        found.append(stage.app)
        found.extend(stage.main.deck.panels.values())

    found: list[Any] = [MainScreen, LiveTable, *(door.kind() for door in DOORS), *OPENED]
    perform(gather)
    for one in found:
        kind = one if isinstance(one, type) else type(one)
        for parent in kind.__mro__:
            if parent.__module__.startswith("tui."):
                for binding in Binding.make_bindings(parent.__dict__.get("BINDINGS", ())):
                    yield kind.__name__, binding


def test_no_key_is_one_that_terminals_swallow_or_send_as_another() -> None:
    keys = {key for _, binding in bindings() for key in binding.key.split(",")}
    assert len(keys) > 40
    lost = {k for k in keys if not SAFE_KEY.fullmatch(k) and k not in SIGNS and not re.fullmatch(r"ctrl\+[a-z]", k)}
    assert not lost
    assert not keys & SWALLOWED


def test_a_letter_beside_control_is_never_the_only_way_where_a_multiplexer_has_it() -> None:
    ways: dict[tuple[str, str], set[str]] = {}
    for owner, binding in bindings():
        ways.setdefault((owner, binding.action), set()).add(binding.key)
    assert {"ctrl+b", "pageup"} in ways.values()
    assert [one for one, keys in ways.items() if keys <= {"ctrl+a", "ctrl+b"}] == []


def test_a_key_that_acts_means_one_thing_wherever_it_is() -> None:
    meanings: dict[str, set[str]] = {}
    for _, binding in bindings():
        for key in binding.key.split(","):
            meanings.setdefault(key, set()).add(binding.description)
    acting = {key: meanings[key] for key in ("p", "b", "r", "P", "U", "R", "X", "A", "B", "K", "L", "a", "z")}
    assert {key: words for key, words in acting.items() if len(words) != 1} == {}


CAPS: Final = "JKGHLYDOCNEVUQTSFW"


@pytest.mark.parametrize(("number", "starts"), [(1, "failed"), (1, "waiting"), (2, "trader_momentum"), (3, "critical")])
def test_with_caps_lock_on_no_key_that_reads_or_moves_changes_anything(number: int, starts: str) -> None:
    async def scene(stage: Stage) -> None:
        for key in CAPS:
            await select(stage, number, starts)
            await stage.press(key)
            while not isinstance(stage.app.screen, MainScreen):
                await stage.press("escape")
        assert stage.bridge.wishes == []

    perform(scene, size=(120, 40))


@pytest.mark.parametrize(("starts", "key"), [("trader_conservative", "p"), ("trader_momentum", "r")])
def test_a_key_pressed_on_a_stale_row_never_does_the_opposite(starts: str, key: str) -> None:
    async def scene(stage: Stage) -> None:
        await select(stage, 2, starts)
        await stage.press(key, key)
        assert stage.bridge.wishes == [], "it is so already"

    perform(scene, size=(120, 40))


def test_one_trader_is_paused_at_one_key_and_all_of_them_only_after_a_question() -> None:
    async def scene(stage: Stage) -> None:
        await select(stage, 2, "trader_momentum")
        await stage.press("p")
        await stage.until(lambda: stage.bridge.wishes == [(CommandKind.PAUSE, "trader_momentum", None)])
        await stage.press("P")
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        assert len(stage.bridge.wishes) == 1

    perform(scene, size=(120, 40))


# scopes


async def sixty_expired(store: SqliteStore) -> None:
    await store.put_signals([a_signal(f"k{n:02}", symbol=f"S{n % 6}/USDT", source=f"voice{n}") for n in range(60)])
    waiting = await store.signals(SignalFilter(), None, 100)
    moved = await store.move_signals([a_signal_move(signal, SignalStep.EXPIRE) for signal in waiting])
    assert set(moved) == {Applied.APPLIED}


def test_everything_that_the_filter_takes_is_acted_on_and_not_the_visible_page_alone() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "slash", *"S3", "enter", "asterisk")
        assert "10 marked" in text_of(app)
        await press(app, pilot, "u", "escape", "asterisk")
        seen = sum("expired" in line for line in text_of(app).splitlines())
        assert seen < 60
        assert "60 marked" in text_of(app)
        await press(app, pilot, "R")
        assert "Retry 60 signals?" in text_of(app)
        assert "60 of 60 marked." in text_of(app)
        await press(app, pilot, "y")
        wished = [target for kind, target, *_ in bridge_of(app).wishes if kind is CommandKind.RETRY]
        assert wished == [f"k{n:02}" for n in range(60)], "each once, the oldest first"

    play_store(a_screen, sixty_expired, script)


def test_what_a_filter_hides_of_the_marked_is_named_before_it_is_acted_on() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "slash", *"S1", "enter", "asterisk", "escape")
        await press(app, pilot, "slash", *"S2", "enter", "asterisk")
        assert "20 marked (10 not shown)" in text_of(app)
        await press(app, pilot, "R")
        assert "Retry 20 signals?" in text_of(app)
        assert "10 of the marked are hidden by the filter" in text_of(app)
        await press(app, pilot, "enter")
        assert is_on(app, SignalListScreen)
        assert bridge_of(app).wishes == []

    play_store(a_screen, sixty_expired, script)


def test_a_filter_alone_marks_nothing_and_a_wish_is_about_the_row_under_the_cursor() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "slash", *"S4", "enter")
        key = shown(app).table.cursor_key
        await press(app, pilot, "R")
        assert [target for _, target, *_ in bridge_of(app).wishes] == [key]

    play_store(a_screen, sixty_expired, script)


# order


def test_signals_retried_together_go_out_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    async def play() -> None:
        async with a_running(tmp_path / "x.sqlite", settings_of(a_trader("north"))) as running:
            await running.wish(CommandKind.PAUSE, "north")
            taken = [await running.hand_in(ttl=5, key=f"k{n}", side=side) for n, side in enumerate(SIDES)]
            for one in taken:
                await running.until(one.signal_id, SignalState.EXPIRED)
            lost = await running.engine.store.signals(SignalFilter(states=RETRYABLE_SIGNALS), None, 100)
            plan = plan_retry(reversed(lost))
            assert [item.key for item in plan.eligible] == [one.signal_id for one in taken]
            for item in plan.eligible:
                answer = await running.wish(CommandKind.RETRY, item.key, expected_version=item.version)
                assert answer.state is CommandState.DONE, answer.result
            await running.wish(CommandKind.RESUME, "north")
            for one in taken:
                await running.until(one.signal_id, SignalState.DONE)
            attempts = await running.engine.store.attempts(0, 100)
            assert [a.signal_id for a in attempts] == [one.signal_id for one in taken]
            sent = [a.sent_at for a in attempts]
            assert sent == sorted(sent, key=lambda at: at or attempts[0].intent_at)

    live(play())


SIDES: Final = ("buy", "sell", "sell", "buy", "sell", "buy")
