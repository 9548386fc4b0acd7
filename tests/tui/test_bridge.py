"""The bridge: reads from the store, wishes to an engine on another thread's loop, and never a blocked screen."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import datetime

import pytest

from engine.clock import LoopClock, SeededChance, SystemClock
from engine.core.board import Board, ExecutionStatus
from engine.core.commands import Command, CommandKind, CommandState, NewCommand
from engine.core.errors import CommandRefused, NotThere
from engine.core.intake import Taken
from tests.support.boards import NOON, a_board, before, some_facts
from tests.support.stage import StillClock
from tui.bridge import Operator, OtherLoop, StoreBridge


class Shelf:
    """The part of a reader that the bridge asks, over one board."""

    def __init__(self, board: Board) -> None:
        self.shown, self.asked_at, self.is_closed = board, list[datetime](), False

    async def close(self) -> None:
        self.is_closed = True

    async def change(self) -> int:
        return self.shown.change

    async def engine_facts(self) -> object:
        return self.shown.engine

    async def board(self, now: datetime, limits: object) -> Board:
        self.asked_at.append(now)
        return self.shown

    async def story(self, signal_id: str) -> None:
        return None

    async def event(self, seq: int) -> object:
        return next((e for e in self.shown.errors if e.seq == seq), None)

    async def readiness(self) -> ExecutionStatus | None:
        return self.shown.readiness


class Engine:
    """Obeys wishes on whatever loop it is called on, and notes the thread."""

    def __init__(self) -> None:
        self.obeyed: list[NewCommand] = []
        self.threads: set[int] = set()
        self.pause = asyncio.Event()
        self.pause.set()

    async def hand_in(self, requests: list[Mapping[str, object]]) -> list[Taken]:
        self.threads.add(threading.get_ident())
        return [Taken("stored", "abcd", str(r.get("key"))) for r in requests]

    async def submit(self, command: NewCommand) -> Command:
        self.threads.add(threading.get_ident())
        await self.pause.wait()
        self.obeyed.append(command)
        if command.target == "nobody":
            raise CommandRefused("no trader is called nobody")
        kept = (command.operator, command.at, command.target, command.why, command.args, command.expected_version)
        return Command(1, command.request_id, command.kind, *kept, CommandState.DONE, "paused")

    async def diagnose(self) -> ExecutionStatus:
        return ExecutionStatus(before(-1), ())


@contextmanager
def another_thread() -> Iterator[asyncio.AbstractEventLoop]:
    """Give a running loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


@asynccontextmanager
async def a_bridge(shelf: Shelf, service: object = None, **operator: bool) -> AsyncIterator[StoreBridge]:
    async def reader() -> Shelf:
        return shelf

    bridge = StoreBridge(
        reader,  # type: ignore[arg-type]  # the part of a reader that the bridge asks
        Operator("ada", **operator),
        service=service,  # type: ignore[arg-type]  # any of the services above
        clock=StillClock(),
        chance=SeededChance(1),
    )
    await bridge.open()
    await bridge.open()
    yield bridge
    await bridge.close()
    await bridge.close()


def test_reading_goes_to_the_store_and_ends_with_the_bridge() -> None:
    async def scene() -> None:
        shelf = Shelf(a_board(change=7))
        async with a_bridge(shelf) as bridge:
            assert await bridge.change() == 7
            assert await bridge.board() is shelf.shown
            assert await bridge.story("abcd") is None
            assert await bridge.event(3) == next(e for e in shelf.shown.errors if e.seq == 3)
            assert await bridge.readiness() == shelf.shown.readiness
        assert shelf.is_closed
        with pytest.raises(NotThere):
            await bridge.change()

    asyncio.run(scene())


def test_a_board_is_asked_for_at_the_markets_time() -> None:
    async def scene() -> None:
        past = replace(some_facts(), market_at=before(86_400), beat_at=NOON)
        shelf = Shelf(a_board(engine=past))
        async with a_bridge(shelf) as bridge:
            await bridge.board()
            shelf.shown = a_board()
            await bridge.board()
        assert shelf.asked_at == [before(86_400), NOON]

    asyncio.run(scene())


def test_a_wish_is_obeyed_on_the_engines_thread_and_answered_on_the_screens() -> None:
    async def scene() -> None:
        engine = Engine()
        with another_thread() as loop:
            async with a_bridge(Shelf(a_board()), OtherLoop(engine, loop, SystemClock())) as bridge:
                answer = await bridge.wish(CommandKind.RETRY, "abcd", why="tried", args={"a": "1"}, expected_version=3)
                await bridge.wish(CommandKind.PAUSE, "one")
                assert (await bridge.readiness()) == ExecutionStatus(before(-1), ())
                with pytest.raises(CommandRefused, match="nobody"):
                    await bridge.wish(CommandKind.PAUSE, "nobody")
                taken = await OtherLoop(engine, loop, SystemClock()).hand_in([{"key": "k"}])
        first, second, _ = engine.obeyed
        assert (answer.state, answer.result) == (CommandState.DONE, "paused")
        assert (first.operator, first.at, first.why, first.args) == ("ada", NOON, "tried", {"a": "1"})
        assert first.expected_version == 3
        assert first.request_id != second.request_id
        assert len(first.request_id) == 32
        assert taken == [Taken("stored", "abcd", "k")]
        assert engine.threads.isdisjoint({threading.get_ident()})

    asyncio.run(scene())


def test_an_engine_that_is_gone_is_said_and_the_last_diagnosis_is_shown() -> None:
    async def scene() -> None:
        with another_thread() as loop:
            pass
        shelf = Shelf(a_board())
        async with a_bridge(shelf, OtherLoop(Engine(), loop, SystemClock())) as bridge:
            with pytest.raises(NotThere, match="stopped"):
                await bridge.wish(CommandKind.PAUSE, "one")
            assert await bridge.readiness() == shelf.shown.readiness

    asyncio.run(scene())


def test_whoever_stops_waiting_does_not_undo_the_wish() -> None:
    async def scene() -> None:
        with another_thread() as loop:
            engine = Engine()
            loop.call_soon_threadsafe(engine.pause.clear)
            there = OtherLoop(engine, loop, LoopClock(), answer_s_max=0.05)
            async with a_bridge(Shelf(a_board()), there) as bridge:
                with pytest.raises(NotThere, match="may still obey"):
                    await bridge.wish(CommandKind.HALT)
            assert engine.obeyed == []
            loop.call_soon_threadsafe(engine.pause.set)
            assert len(await there.hand_in([{}])) == 1
        assert [command.kind for command in engine.obeyed] == [CommandKind.HALT]

    asyncio.run(scene())


def test_a_reader_and_a_screen_without_an_engine_make_no_wishes() -> None:
    async def scene() -> None:
        engine = Engine()
        async with a_bridge(Shelf(a_board()), engine, read_only=True) as bridge:
            with pytest.raises(CommandRefused, match="read-only"):
                await bridge.wish(CommandKind.HALT)
        assert engine.obeyed == []
        async with a_bridge(Shelf(a_board())) as bridge:
            with pytest.raises(NotThere, match="no engine"):
                await bridge.wish(CommandKind.HALT)

    asyncio.run(scene())
