"""The attached dashboard: an engine in another process, seen and asked from here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.core.commands import CommandKind, CommandState
from engine.core.errors import CommandRefused, NotThere
from engine.core.events import Desired
from engine.places import socket_path
from engine.store.sqlite import SqliteReader
from tests.support.boards import RecordingBridge
from tests.support.command_line import a_shell
from tests.support.stage import Stage, perform
from tests.tui.test_cli_running import an_engine
from tui.app import EngineElsewhere
from tui.bridge import AttachedBridge, Operator, SocketEngine
from tui.palette import Commands
from tui.screens.confirm import Confirm
from tui.screens.help import keys_of, nodes_of

LATE_S = 30.0
DANGEROUS = {"Pause", "Resume", "Pause all", "Resume all", "Halt", "Lift halt", "Retry", "Cancel", "Acknowledge"}


def an_attached_bridge(db: Path, *, read_only: bool = False) -> tuple[AttachedBridge, SocketEngine]:
    async def reader() -> SqliteReader:
        return SqliteReader(db)

    engine = SocketEngine(socket_path(db))
    return AttachedBridge(reader, Operator("ann", read_only=read_only), engine), engine


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    clock = SystemClock()
    async with clock.timeout(LATE_S):
        while not await condition():
            await clock.sleep(0.02)


def test_one_attached_dashboard_sees_what_another_did_and_both_outlive_the_engine(tmp_path: Path) -> None:
    run, db = a_shell(tmp_path), tmp_path / "x.sqlite"

    async def scene() -> None:
        acting, engine = an_attached_bridge(db)
        looking, _ = an_attached_bridge(db, read_only=True)

        async def answers() -> bool:
            return engine.silence == ""

        async def is_silent() -> bool:
            return engine.silence != ""

        async def is_paused_there() -> bool:
            return all(trader.desired is Desired.PAUSE for trader in (await looking.board()).traders)

        with an_engine(run, db) as child:
            await acting.open()
            await looking.open()
            assert (await acting.wish(CommandKind.PAUSE_ALL)).state is CommandState.DONE
            await until(is_paused_there)
            with pytest.raises(CommandRefused, match="read-only"):
                await looking.wish(CommandKind.RESUME_ALL)
            child.kill()
            child.wait(LATE_S)
        await until(is_silent)
        with pytest.raises(NotThere, match="no engine listens"):
            await acting.wish(CommandKind.RESUME_ALL)
        with an_engine(run, db) as child:
            await until(answers)
            assert (await acting.wish(CommandKind.RESUME_ALL)).state is CommandState.DONE
            board = await looking.board()
            assert board.engine is not None
            assert board.engine.pid == child.pid
            await acting.close()
            await looking.close()

    asyncio.run(scene())


def test_attaching_where_no_store_is_tells_so(tmp_path: Path) -> None:
    ran = a_shell(tmp_path)("attach", "--db", tmp_path / "none.sqlite")
    assert ran.code == 3
    assert "no store is at" in ran.err


def test_a_second_engine_without_a_screen_is_told_of_attach(tmp_path: Path) -> None:
    run, db = a_shell(tmp_path), tmp_path / "x.sqlite"
    with an_engine(run, db):
        second = run.as_child("run", "--headless", "--for", "1", "--db", db)
    assert second.code == 4
    assert "signaldeck attach" in second.err


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_an_engine_that_does_not_answer_stands_in_the_status_line_until_it_does(size: tuple[int, int]) -> None:
    said = ["no engine listens [/x]"]

    async def scene(stage: Stage) -> None:
        await stage.tick()
        assert "NO ANSWER" in stage.lines[0]
        assert "No engine answers" in stage.text
        assert stage.main.deck.has_class("-stale")
        said[0] = ""
        await stage.tick()
        assert "NO ANSWER" not in stage.lines[0]
        assert not stage.main.deck.has_class("-stale")

    perform(scene, size=size, engine=EngineElsewhere(lambda: said[0]))


def test_closing_an_attached_dashboard_says_that_the_engine_runs_on() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("q")
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        assert "left running" in stage.text
        await stage.press("n")
        assert stage.app.screen is stage.main

    perform(scene, engine=EngineElsewhere(lambda: ""))


def test_help_and_palette_of_a_read_only_dashboard_name_nothing_dangerous() -> None:
    async def scene(stage: Stage) -> None:
        screen = stage.app.screen
        helped = {key.says for key in keys_of(screen.app, nodes_of(screen))}
        offered = {offer.words for offer in Commands(stage.main).offers()}
        assert "Diagnosis" in helped & offered
        assert helped.isdisjoint(DANGEROUS)
        assert offered.isdisjoint(DANGEROUS)

    perform(scene, size=(120, 40), bridge=RecordingBridge(read_only=True), engine=EngineElsewhere(lambda: ""))
