"""Pause, drain, stop and halt on the screen: each question says which it is, and a drain is told wherever a trader stands."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from engine.core.commands import CommandKind
from engine.core.events import Desired, TraderState
from engine.core.lifecycle import SignalState
from tests.support.boards import RecordingBridge, a_board, some_traders
from tests.support.builders import NOW, a_signal, an_intent
from tests.support.command_line import a_shell
from tests.support.screen_bridge import RecordingBridge as StoreBridge
from tests.support.screen_bridge import Showing, press, text_of
from tests.support.stage import Stage, perform, select, table_of
from tests.support.store import an_open_store
from tests.support.stories import a_board as a_story_board
from tests.support.stories import a_signal as a_kept_signal
from tests.tui.test_trader_screen import NAME, use
from tui.app import EngineInside
from tui.bulk import plan_cancel
from tui.screens.confirm import Confirm

DRAINING = TraderState(NAME, "paper", desired=Desired.DRAIN, desired_by="ada", desired_why="maintenance", in_flight=2)
DRAINED = replace(DRAINING, in_flight=0)


def asked(stage: Stage) -> str:
    """Return what the question says, without what shows around it."""
    return " ".join(str(part.content) for part in stage.app.screen.query(Static))


def said(stage: Stage) -> str:
    """Return the screen as one line of words, however it was wrapped."""
    return " ".join(stage.text.split())


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("P", ["Pause: no trader takes a new signal", "Open orders stay open, and are looked after"]),
        (
            "K",
            [
                "Halt: nothing is sent",
                "open orders are cancelled",
                "outcome is not known is looked up, and cancelled if",
            ],
        ),
        (
            "q",
            ["Stop: the engine sends nothing more", "stay open at their venues", "nobody looks after them until the"],
        ),
    ],
)
def test_each_question_names_its_verb_and_what_becomes_of_open_orders(key: str, says: list[str]) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press(key)
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        for words in says:
            assert words in asked(stage)

    perform(scene, size=(120, 40), engine=EngineInside(is_there=True))


def test_leaving_asks_while_an_order_rests_open_though_none_is_in_flight() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("q")
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        assert "1 order is under way" in stage.text

    board = a_board(traders=(replace(DRAINING, in_flight=1),))
    board = replace(board, headline=replace(board.headline, in_flight=0))
    perform(scene, engine=EngineInside(is_there=True), bridge=RecordingBridge(board))


def test_cancelling_what_is_under_way_says_that_its_open_order_is_cancelled_at_the_venue() -> None:
    async def scene(stage: Stage) -> None:
        await select(stage, 1, "executing")
        await stage.press("X")
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        assert "open at the venue it is cancelled there" in asked(stage)
        assert "The order itself stays" not in asked(stage)

    perform(scene, size=(120, 40))
    assert "cancelled there" in plan_cancel([a_kept_signal(SignalState.EXECUTING)]).consequence


@pytest.mark.parametrize(("trader", "words"), [(DRAINING, "○ draining 2"), (DRAINED, "◐ drained")])
def test_a_drain_stands_in_the_panel_in_its_brief_line_and_on_the_traders_screen(
    trader: TraderState, words: str
) -> None:
    async def scene(stage: Stage) -> None:
        assert table_of(stage, 2).table.rows[0].cells[1].text == words
        assert words in stage.text

    for size in ((120, 40), (200, 60)):
        perform(scene, size=size, bridge=RecordingBridge(a_board(traders=(trader,))))

    async def brief(stage: Stage) -> None:
        glyph, word = words.split(" ", 1)
        assert f"{glyph} momentum {word}" in said(stage)

    perform(brief, size=(80, 24), bridge=RecordingBridge(a_board(traders=(trader,))))

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        assert words in text_of(app)
        assert "paused by ada: maintenance" in text_of(app)

    use(StoreBridge(board=a_story_board(traders=(trader,))), script)


def test_drain_is_a_key_of_its_own_in_panel_and_screen_and_done_once() -> None:
    async def scene(stage: Stage) -> None:
        await select(stage, 2, "trader_momentum")
        await stage.press("b")
        await stage.until(lambda: stage.bridge.wishes == [(CommandKind.DRAIN, "trader_momentum", None)])
        drained = replace(some_traders()[1], desired=Desired.DRAIN)
        stage.bridge.show(traders=(drained,))
        await stage.tick()
        await stage.press("b", "p")
        assert len(stage.bridge.wishes) == 1, "it drains already, and is paused so"
        await stage.press("r")
        await stage.until(lambda: len(stage.bridge.wishes) == 2)

    perform(scene, size=(120, 40))

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "b")

    bridge = use(StoreBridge(board=a_story_board(traders=(DRAINED,))), script)
    assert [(kind, target) for kind, target, *_ in bridge.wishes] == [(CommandKind.DRAIN, NAME)]


def test_who_may_only_look_drains_nothing() -> None:
    async def scene(stage: Stage) -> None:
        await select(stage, 2, "trader_momentum")
        await stage.press("b")
        assert stage.bridge.wishes == []

    perform(scene, size=(120, 40), bridge=RecordingBridge(read_only=True))


def test_status_and_trader_list_tell_a_drain_from_the_store_alone(tmp_path: Path) -> None:
    run, db = a_shell(tmp_path), tmp_path / "x.sqlite"

    async def fill() -> None:
        async with an_open_store(db) as store:
            [put] = await store.put_signals([signal := a_signal()])
            assert put.signal_id == signal.signal_id
            intent = an_intent(signal)
            await store.declare_traders({intent.trader: "paper"})
            await store.commit_intents([intent])
            await store.set_desired(intent.trader, Desired.DRAIN, "ada", "maintenance", NOW)

    asyncio.run(fill())
    told = "draining 1; paused by ada: maintenance"
    assert told in run("status", "--db", db).out
    assert told in run("trader", "list", "--db", db).out
    [listed] = run("trader", "list", "--json", "--db", db).json["traders"]
    assert (listed["desired"], listed["drain"], listed["available"]) == ("drain", "draining 1", False)
