"""Every key that changes something: about which row, after which question, and when it does nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from engine.core.board import EngineState
from engine.core.commands import Command, CommandKind
from engine.core.errors import CommandRefused, NotThere
from engine.core.events import Desired
from tests.support.boards import RecordingBridge, a_board, some_facts, some_traders
from tests.support.stage import Stage, perform, select, table_of
from tui.messages import Wish
from tui.screens.confirm import Confirm
from tui.widgets.hints import hints_of


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


def test_nothing_is_offered_for_all_traders_that_would_change_none() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("P")
        assert stage.app.screen is stage.main

    paused = tuple(replace(t, desired=Desired.PAUSE) for t in some_traders())
    perform(scene, bridge=RecordingBridge(a_board(traders=paused)))


def test_a_key_that_does_nothing_now_says_why_and_is_not_offered() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("L")
        assert stage.toasts == [": nothing is halted: there is nothing to lift"]
        board = stage.bridge.shown
        assert board.engine is not None
        stage.bridge.show(engine=replace(board.engine, state=EngineState.HALTED))
        await stage.tick()
        for number in "1234":
            await stage.press(number)
            assert "Halt" not in stage.lines[-1], "it is halted"
        await stage.press("K")
        assert stage.toasts[-1] == ": it is halted already; L lifts it"
        await select(stage, 1, "failed")
        await stage.press("X")
        assert stage.toasts[-1] == ": failed: nothing left to cancel"
        await select(stage, 1, "waiting")
        await stage.press("R")
        assert stage.toasts[-1] == ": waits already"
        assert stage.bridge.wishes == []

    perform(scene)
