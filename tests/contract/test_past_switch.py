"""The kill switch in the past: on where it was on, however long ago it was turned and whatever became of the wish."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from engine.clock import run_on
from engine.core.board import EngineFacts, EngineState
from engine.core.commands import CommandKind, CommandState, NewCommand
from engine.core.values import Mode
from engine.store.base import BoardLimits, Retention
from engine.store.sqlite import SqliteStore
from engine.store.sqlite.past.alerts import COMMANDS_MAX
from engine.store.sqlite.past.moments import NEAR
from engine.store.sqlite.past.reader import PastReader
from tests.support.builders import NOW, an_event
from tests.support.store import an_open_store

LAST = 2**63 - 1
LATER = NOW + timedelta(minutes=1)


def on_a_store(db: Path, scene: Callable[[SqliteStore], Awaitable[None]]) -> None:
    async def play() -> None:
        async with an_open_store(db) as store:
            await store.beat(EngineFacts(Mode.PAPER, EngineState.RUNNING, 1, 1, NOW, NOW, NOW))
            await scene(store)

    with asyncio.Runner(loop_factory=run_on(None)) as runner:
        runner.run(play())


async def engine_at(past: PastReader, seq: int = LAST) -> tuple[str, str, datetime | None]:
    moment = await past.go(seq)
    engine = (await past.board(moment.at, BoardLimits())).engine
    assert engine is not None
    return engine.state.value, engine.halted_by, engine.halted_at


async def seen_at(db: Path, seq: int = LAST) -> tuple[str, str, datetime | None]:
    """Return how the engine stood, who had halted it and when, as one who opens the past at this entry sees it."""
    past = PastReader(db, inline=True)
    try:
        return await engine_at(past, seq)
    finally:
        await past.close()


async def wish(store: SqliteStore, kind: CommandKind, state: CommandState, name: str) -> None:
    kept = await store.post(NewCommand(name, kind, "ada", NOW))
    await store.finish(kept.id, state, "", ())


async def go_by(store: SqliteStore, at: datetime = LATER) -> None:
    """Let more entries come than are looked at around a moment."""
    await store.note([an_event(str(n), at=at) for n in range(NEAR + 50)])


async def newest(store: SqliteStore) -> int:
    (event,) = await store.journal(None, 1)
    return event.seq


def test_a_halt_whose_wish_was_refused_is_a_halt(tmp_path: Path) -> None:
    async def scene(store: SqliteStore) -> None:
        await store.set_halted(True, "ada", "smoke", NOW)
        await wish(store, CommandKind.HALT, CommandState.REFUSED, "w")
        await go_by(store)
        assert await seen_at(tmp_path / "x.db") == ("halted", "ada", NOW)

    on_a_store(tmp_path / "x.db", scene)


def test_a_halt_lasts_though_the_clock_was_set_back(tmp_path: Path) -> None:
    async def scene(store: SqliteStore) -> None:
        await store.set_halted(True, "ada", "smoke", NOW)
        await wish(store, CommandKind.HALT, CommandState.DONE, "w")
        await go_by(store, NOW - timedelta(hours=1))
        assert await seen_at(tmp_path / "x.db") == ("halted", "ada", NOW)

    on_a_store(tmp_path / "x.db", scene)


def test_a_halt_lasts_however_many_wishes_come_after_it(tmp_path: Path) -> None:
    async def scene(store: SqliteStore) -> None:
        await store.set_halted(True, "ada", "smoke", NOW)
        await wish(store, CommandKind.HALT, CommandState.DONE, "w")
        for number in range(COMMANDS_MAX + 1):
            await store.post(NewCommand(f"{number}", CommandKind.CANCEL, "ada", NOW, "nosuch"))
        await go_by(store)
        assert await seen_at(tmp_path / "x.db") == ("halted", "ada", NOW)

    on_a_store(tmp_path / "x.db", scene)


def test_a_release_that_was_granted_but_turned_nothing_lifts_no_halt(tmp_path: Path) -> None:
    async def scene(store: SqliteStore) -> None:
        await wish(store, CommandKind.RELEASE, CommandState.DONE, "w")
        await store.set_halted(True, "bob", "", LATER)
        await wish(store, CommandKind.RELEASE, CommandState.DONE, "v")
        await go_by(store)
        assert await seen_at(tmp_path / "x.db") == ("halted", "bob", LATER)

    on_a_store(tmp_path / "x.db", scene)


def test_each_turn_is_seen_at_its_own_entry_also_one_that_comes_while_the_past_is_open(tmp_path: Path) -> None:
    async def scene(store: SqliteStore) -> None:
        told, past = {}, PastReader(tmp_path / "x.db", inline=True)
        try:
            for number in range(3):
                for is_on, says in ((True, "halted"), (False, "running")):
                    await store.set_halted(is_on, f"ada{number}", "", NOW)
                    who = (f"ada{number}", NOW) if is_on else ("", None)
                    told[await newest(store)] = (says, *who)
                    await go_by(store)
                    told[await newest(store)] = (says, *who)
                    assert await engine_at(past) == (says, *who), "it steps there"
            for seq in (*sorted(told, reverse=True), *sorted(told)):
                assert await engine_at(past, seq) == told[seq]
        finally:
            await past.close()

    on_a_store(tmp_path / "x.db", scene)


@pytest.mark.parametrize(("is_on", "says"), [(True, "halted"), (False, "running")])
def test_a_turn_too_old_to_be_kept_is_told_by_the_next_one(tmp_path: Path, is_on: bool, says: str) -> None:
    async def scene(store: SqliteStore) -> None:
        await store.set_halted(True, "ada", "", NOW)
        if not is_on:
            await store.set_halted(False, "ada", "", NOW)
        later = NOW + timedelta(days=40)
        await store.note([an_event(at=later)])
        await store.prune(later + timedelta(days=1), Retention(events_days=30), 9)
        moment = await newest(store)
        await store.set_halted(not is_on, "bob", "", later)
        assert await seen_at(tmp_path / "x.db", moment) == (says, "", None)

    on_a_store(tmp_path / "x.db", scene)


def test_where_the_journal_tells_of_no_turn_the_switch_itself_does(tmp_path: Path) -> None:
    async def scene(store: SqliteStore) -> None:
        await store.set_halted(True, "ada", "", NOW)
        later = NOW + timedelta(days=40)
        await store.note([an_event(at=later)])
        await store.prune(later + timedelta(days=1), Retention(events_days=30), 9)
        assert await seen_at(tmp_path / "x.db") == ("halted", "ada", NOW)
        await store.set_halted(True, "bob", "again", later + timedelta(minutes=1))
        assert await seen_at(tmp_path / "x.db") == ("halted", "", None), "who had halted it by then is not kept"

    on_a_store(tmp_path / "x.db", scene)
