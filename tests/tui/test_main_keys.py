"""Every key of the dashboard: what it does, to which row, after which question, and when it does nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from textual.command import CommandPalette
from textual.screen import Screen

from engine.core.board import EngineState
from engine.core.commands import Command, CommandKind
from engine.core.errors import CommandRefused, NotThere
from engine.core.events import Desired
from tests.support.boards import RecordingBridge, a_board, some_facts, some_traders
from tests.support.stage import Stage, perform
from tui.app import EngineInside
from tui.deck import Arrangement
from tui.messages import Wish
from tui.palette import Commands
from tui.panels.base import TablePanel
from tui.screens.alert import AlertScreen
from tui.screens.confirm import Confirm
from tui.screens.error import ErrorScreen
from tui.screens.help import HelpScreen
from tui.screens.main import MainScreen
from tui.screens.readiness import ReadinessScreen
from tui.screens.story import StoryScreen
from tui.screens.trader import TraderScreen
from tui.widgets.hints import hints_of

SIZES = [(60, 15), (80, 24), (120, 40), (200, 60)]


def table_of(stage: Stage, number: int) -> TablePanel:
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


@pytest.mark.parametrize("size", SIZES)
def test_a_number_chooses_its_panel_and_again_gives_it_all_the_room(size: tuple[int, int]) -> None:
    async def scene(stage: Stage) -> None:
        deck = stage.main.deck
        for number in (2, 3, 4, 5, 1):
            await stage.press(str(number))
            assert deck.view.chosen == number
            assert stage.app.focused is deck.panels[number].body
            assert not deck.view.is_maximised
            await stage.press(str(number))
            assert [p.number for p in deck.panels.values() if p.display] == [number]
            await stage.press("escape")
            assert all(p.display for p in deck.panels.values())
            assert stage.app.focused is deck.panels[number].body

    perform(scene, size=size)


def test_tab_goes_round_the_panels_both_ways() -> None:
    async def scene(stage: Stage) -> None:
        seen = []
        for _ in range(5):
            await stage.press("tab")
            seen.append(stage.main.deck.view.chosen)
        assert seen == [2, 3, 4, 5, 1]
        await stage.press("shift+tab")
        assert stage.main.deck.view.chosen == 5

    perform(scene)


@pytest.mark.parametrize(("number", "opens"), [(1, StoryScreen), (2, TraderScreen), (3, AlertScreen), (4, ErrorScreen)])
def test_enter_opens_the_row_and_escape_returns_to_it(number: int, opens: type[Screen[None]]) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press(str(number))
        await stage.press("escape", "j", "j")
        key = table_of(stage, number).selected
        await stage.press("enter")
        await stage.until(lambda: isinstance(stage.app.screen, opens))
        await stage.press("escape")
        await stage.until(lambda: stage.app.screen is stage.main)
        assert table_of(stage, number).selected == key
        assert stage.app.focused is table_of(stage, number).table

    perform(scene)


def test_pause_and_resume_are_two_keys_for_the_selected_trader() -> None:
    async def scene(stage: Stage) -> None:
        await select(stage, 2, "trader_momentum")
        await stage.press("r")
        assert stage.bridge.wishes == [], "a trader that runs is not resumed"
        await stage.press("p")
        await stage.until(lambda: stage.bridge.wishes)
        await select(stage, 2, "trader_conservative")
        await stage.press("p")
        await stage.press("r")
        await stage.until(lambda: len(stage.bridge.wishes) == 2)
        assert stage.bridge.wishes == [
            (CommandKind.PAUSE, "trader_momentum", None),
            (CommandKind.RESUME, "trader_conservative", None),
        ]
        assert "Pause trader_momentum: done as asked" in stage.toasts

    perform(scene, size=(120, 40))


def test_retry_takes_only_what_has_ended_badly_and_says_which_version_was_seen() -> None:
    async def scene(stage: Stage) -> None:
        for word in ("waiting", "executing", "done", "review"):
            await select(stage, 1, word)
            await stage.press("R")
        assert stage.bridge.wishes == []
        key = await select(stage, 1, "failed")
        await stage.press("R")
        await stage.until(lambda: stage.bridge.wishes)
        row = next(r for r in stage.bridge.shown.queue if r.id == key)
        assert stage.bridge.wishes == [(CommandKind.RETRY, key, row.version)]

    perform(scene, size=(120, 40))


def test_cancel_asks_and_its_default_is_no() -> None:
    async def scene(stage: Stage) -> None:
        key = await select(stage, 1, "waiting")
        for answer, expected in (("enter", 0), ("escape", 0), ("n", 0), ("y", 1)):
            await stage.press("X")
            await stage.until(lambda: isinstance(stage.app.screen, Confirm))
            await stage.press(answer)
            await stage.until(lambda: stage.app.screen is stage.main)
            assert len(stage.bridge.wishes) == expected
        assert stage.bridge.wishes == [(CommandKind.CANCEL, key, None)]

    perform(scene)


def test_cancel_is_about_the_row_that_was_selected_when_the_key_was_pressed() -> None:
    async def scene(stage: Stage) -> None:
        key = await select(stage, 1, "waiting")
        await stage.press("X")
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        stage.bridge.show(queue=stage.bridge.shown.queue[5:])
        await stage.tick()
        await stage.press("y")
        await stage.until(lambda: stage.bridge.wishes)
        assert stage.bridge.wishes == [(CommandKind.CANCEL, key, None)]

    perform(scene)


@pytest.mark.parametrize(
    ("key", "kind"), [("P", CommandKind.PAUSE_ALL), ("U", CommandKind.RESUME_ALL)], ids=["pause all", "resume all"]
)
def test_pausing_and_resuming_all_ask_first(key: str, kind: CommandKind) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press(key)
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        await stage.press("y")
        await stage.until(lambda: stage.bridge.wishes)
        assert stage.bridge.wishes == [(kind, "", None)]

    perform(scene)


def test_the_kill_switch_wants_its_word() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("L")
        assert stage.app.screen is stage.main, "there is no halt to lift"
        await stage.press("K")
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        await stage.press(*"halt", "enter")
        assert stage.bridge.wishes == []
        await stage.press(*["backspace"] * 4, *"HALT", "enter")
        await stage.until(lambda: stage.bridge.wishes)
        assert stage.bridge.wishes == [(CommandKind.HALT, "", None)]

    perform(scene)


def test_a_halt_is_lifted_by_its_own_key() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("K")
        assert stage.app.screen is stage.main, "it is halted already"
        await stage.press("L")
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        await stage.press(*"RELEASE", "enter")
        await stage.until(lambda: stage.bridge.wishes)
        assert stage.bridge.wishes == [(CommandKind.RELEASE, "", None)]

    facts = replace(some_facts(), state=EngineState.HALTED)
    perform(scene, bridge=RecordingBridge(a_board(engine=facts)))


def test_an_alert_is_acknowledged_once_and_can_be_snoozed() -> None:
    async def scene(stage: Stage) -> None:
        await select(stage, 3, "seen")
        await stage.press("a")
        assert stage.bridge.wishes == [], "somebody has acknowledged it already"
        await select(stage, 3, "critical")
        await stage.press("a")
        await stage.until(lambda: len(stage.bridge.wishes) == 1)
        await stage.press("z")
        await stage.until(lambda: len(stage.bridge.wishes) == 2)
        assert stage.bridge.wishes == [(CommandKind.ACKNOWLEDGE, "7", None), (CommandKind.SNOOZE, "7", None)]

    perform(scene)


class SlowBridge(RecordingBridge):
    """Answers a wish when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = asyncio.Event()

    async def wish(self, kind: CommandKind, target: str = "", **rest: object) -> Command:
        done = await super().wish(kind, target)
        await self.answer.wait()
        return done


def test_a_wish_is_pending_until_the_engine_has_answered_and_is_made_once() -> None:
    bridge = SlowBridge()

    async def scene(stage: Stage) -> None:
        await select(stage, 2, "trader_momentum")
        await stage.press("p")
        await stage.until(lambda: "… pausing" in stage.text)
        await stage.press("p", "p")
        stage.main.wishes.make(Wish(CommandKind.PAUSE, "trader_momentum", "pausing", "Pause"))
        stage.bridge.show(traders=some_traders())
        await stage.tick()
        assert "… pausing" in stage.text
        bridge.answer.set()
        await stage.until(lambda: "… pausing" not in stage.text)
        row = next(r for r in table_of(stage, 2).table.rows if r.key == "trader_momentum")
        assert row.cells[1].text == "● up", "nothing is shown as done before the Board says so"
        assert len(stage.bridge.wishes) == 1

    perform(scene, size=(120, 40), bridge=bridge)


@pytest.mark.parametrize("refusal", [CommandRefused("no [/x]"), NotThere("no engine"), ConnectionResetError("gone")])
def test_a_refused_wish_is_told_and_nothing_breaks(refusal: Exception) -> None:
    async def scene(stage: Stage) -> None:
        stage.bridge.refuses = refusal
        await select(stage, 2, "trader_momentum")
        await stage.press("p")
        await stage.until(lambda: stage.toasts)
        assert stage.toasts == [f"Pause trader_momentum: not done: {refusal}"]
        assert "pausing" not in stage.text

    perform(scene, size=(120, 40))


def test_a_filter_narrows_the_table_while_it_is_typed_and_escape_clears_it() -> None:
    async def scene(stage: Stage) -> None:
        panel = table_of(stage, 1)
        await stage.press("slash", *"btc -done")
        assert stage.main.bar.has_focus
        assert {row.cells[1].text for row in panel.table.rows} == {"BTC/USDT"}
        assert stage.bridge.wishes == [], "typing acts on nothing"
        await stage.press("enter")
        assert stage.app.focused is panel.table
        assert "filter btc -done" in stage.text
        await stage.press("escape")
        assert panel.shown == 41
        await stage.press("slash", *"nobody")
        assert "nothing matches" in stage.text
        await stage.press("escape")
        assert panel.shown == 41
        assert stage.app.focused is panel.table

    perform(scene)


def test_each_panel_has_its_own_filter() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("4", "slash", *"level:err", "enter", "1")
        assert table_of(stage, 1).shown == 41
        assert table_of(stage, 4).filter.text == "level:err"
        await stage.press("5", "slash")
        assert not stage.main.bar.has_focus, "there is nothing to filter in a chart"

    perform(scene, size=(120, 40))


READ_ONLY_KEYS = ["P", "U", "K", "L", "R", "X", "p", "r", "a", "z"]


def test_a_read_only_screen_offers_nothing_that_changes_anything() -> None:
    async def scene(stage: Stage) -> None:
        assert "READ-ONLY" in stage.lines[0]
        for number, starts in ((1, "failed"), (2, "trader_momentum"), (3, "critical")):
            await select(stage, number, starts)
            said = {hint.says for hint in hints_of(stage.app.screen)}
            assert said.isdisjoint({"Retry", "Cancel", "Pause", "Resume", "Acknowledge", "Pause all", "Halt"})
            await stage.press(*READ_ONLY_KEYS)
            assert stage.app.screen is stage.main
        assert stage.bridge.wishes == []

    perform(scene, size=(120, 40), bridge=RecordingBridge(read_only=True))


def test_the_hints_follow_the_row_and_the_panel() -> None:
    async def scene(stage: Stage) -> None:
        def on(says: str) -> bool | None:
            return next((h.is_on for h in hints_of(stage.app.screen) if h.says == says), None)

        await select(stage, 1, "failed")
        assert (on("Retry"), on("Cancel"), on("Pause")) == (True, False, None)
        await select(stage, 1, "waiting")
        assert (on("Retry"), on("Cancel")) == (False, True)
        await select(stage, 2, "trader_conservative")
        assert (on("Pause"), on("Resume"), on("Retry")) == (False, True, None)

    perform(scene, size=(120, 40))


def test_help_lists_every_key_that_the_screen_takes() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("question_mark")
        await stage.until(lambda: isinstance(stage.app.screen, HelpScreen))
        await stage.pilot.resize_terminal(120, 90)
        await stage.pilot.pause()
        for words in ("Retry", "Cancel", "Pause", "Acknowledge", "Pause all", "Halt", "Lift halt", "Filter", "Theme"):
            assert words in stage.text
        for keys in ("j", "^f", "tab", "K", "?"):
            assert any(keys in line.split() for line in stage.lines), keys
        await stage.press("j", "k", "escape")
        assert stage.app.screen is stage.main

    perform(scene, size=(120, 40))


@pytest.mark.parametrize("closes", ["q", "question_mark", "escape"])
def test_help_is_closed_by_the_keys_that_one_tries(closes: str) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("question_mark")
        await stage.press(closes)
        assert stage.app.screen is stage.main

    perform(scene)


def test_the_diagnosis_opens_and_closes() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("d")
        await stage.until(lambda: isinstance(stage.app.screen, ReadinessScreen))
        await stage.press("escape")
        await stage.until(lambda: stage.app.screen is stage.main)

    perform(scene)


def test_the_palette_offers_what_can_be_done_now_and_does_it() -> None:
    async def scene(stage: Stage) -> None:
        await select(stage, 2, "trader_momentum")
        offered = {offer.words for offer in Commands(stage.app.screen).offers()}
        assert {"Pause", "Filter", "Diagnosis", "Halt", "Queue"} <= offered
        assert offered.isdisjoint({"Resume", "Down", "Page up"}), "what cannot be done, and what is only a move"
        await stage.press("ctrl+p")
        await stage.until(lambda: isinstance(stage.app.screen, CommandPalette))
        await stage.press(*"diagnosis")
        await stage.until(lambda: "Every gate" in stage.text)
        await stage.press("enter")
        await stage.until(lambda: isinstance(stage.app.screen, ReadinessScreen))

    perform(scene, size=(120, 40))


def test_a_theme_can_be_chosen() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("t")
        await stage.until(lambda: isinstance(stage.app.screen, CommandPalette))
        await stage.press(*"calm-light")
        await stage.until(lambda: "calm-light" in stage.text)
        await stage.press("enter")
        await stage.until(lambda: stage.app.theme == "calm-light")
        await stage.press("ctrl+r")

    perform(scene)


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
def test_leaving_asks_while_orders_are_in_flight(key: str) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press(key)
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        assert "3 orders are in flight" in stage.text
        await stage.press("n")
        await stage.until(lambda: stage.app.screen is stage.main)
        assert stage.app.return_value is None
        await stage.press(key)
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        await stage.press("y")
        await stage.until(lambda: stage.app.return_value == 0)

    perform(scene, engine=EngineInside(is_there=True))


def test_leaving_does_not_ask_when_the_engine_runs_elsewhere() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("q")
        await stage.until(lambda: stage.app.return_value == 0)

    perform(scene)


def test_a_habit_of_the_terminal_ends_and_stops_nothing() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("ctrl+c", "ctrl+z")
        stage.app.action_suspend_process()
        assert stage.app.return_value is None
        assert isinstance(stage.app.screen, MainScreen)

    perform(scene)


def test_a_click_chooses_a_panel() -> None:
    async def scene(stage: Stage) -> None:
        panel = stage.main.deck.panels[2]
        await stage.pilot.click(panel, offset=(5, 1))
        assert stage.main.deck.view.chosen == 2
        assert stage.app.focused is panel.body

    for size, arrangement in (((80, 24), Arrangement.STACK), ((120, 40), Arrangement.COLUMNS)):
        app = perform(scene, size=size)
        assert app.main is not None
        assert app.main.deck.view.arrangement is arrangement


def test_nothing_is_offered_for_all_traders_that_would_change_none() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("P")
        assert stage.app.screen is stage.main

    paused = tuple(replace(t, desired=Desired.PAUSE) for t in some_traders())
    perform(scene, bridge=RecordingBridge(a_board(traders=paused)))
