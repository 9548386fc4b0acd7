"""A whole engine with an inbox, on the world's time: what comes in over HTTP is kept, traded once, and told."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from engine.clock import LoopClock
from engine.core.errors import ConfigError
from engine.core.events import EventKind, Level
from engine.core.lifecycle import SignalState
from engine.core.values import Mode
from engine.engine import ExitCode
from engine.wiring import Deck, Plan, build
from tests.support.decks import settings_of
from tests.support.inbox_client import TOKEN, Caller, on_a_loop

VARIABLE = "A_TOKEN_FOR_THIS_TEST"


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, TOKEN)
    return tmp_path / "deck.sqlite"


def a_deck(db: Path, pace: float | None = 1.0, mode: Mode = Mode.DEMO, **inbox: Any) -> Deck:
    usual = {"enabled": True, "port": 0, "token_env": VARIABLE}
    return build(Plan(settings_of(inbox={**usual, **inbox}), mode, db, pace=pace, seed=1))


@asynccontextmanager
async def running(deck: Deck) -> AsyncIterator[Callable[..., Awaitable[Caller]]]:
    """Run a deck until the block ends; gives what opens a connection to its inbox."""
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(deck.run(stop, ready.set))
    await asyncio.wait({task, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    callers: list[Caller] = []

    async def caller(token: str | None = TOKEN) -> Caller:
        assert deck.inbox is not None
        callers.append(await Caller(int(deck.inbox.address.rpartition(":")[2]), token).open())
        return callers[-1]

    try:
        yield caller
    finally:
        stop.set()
        assert await task is ExitCode.DONE
        for opened in callers:
            opened.close()


def kept(db: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as store:
        return store.execute(sql).fetchall()


def test_a_signal_posted_is_in_the_store_when_it_is_answered_and_becomes_one_order(db: Path) -> None:
    async def body() -> None:
        deck = a_deck(db)
        async with running(deck) as connect:
            caller = await connect()
            said = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.01", "key": "k"}
            first = await caller.post("/signals", said)
            [(signal_id,)] = kept(db, "SELECT id FROM signal")
            assert first.json["results"][0]["signal_id"] == signal_id
            again = await caller.post("/signals", said)
            other = await caller.post("/signals", {**said, "quantity": "0.02"})
            assert [a.status for a in (first, again, other)] == [200, 200, 409]
            assert {a.json["results"][0]["signal_id"] for a in (first, again, other)} == {signal_id}
            while True:
                story = await deck.engine.store.story(signal_id)
                assert story is not None
                if story.signal.state is SignalState.DONE:
                    break
                await LoopClock().sleep(0.01)
        assert kept(Path(f"{db}.paper"), "SELECT count(*) FROM paper_order") == [(1,)]

    on_a_loop(body)


def test_what_was_turned_away_is_in_the_error_log_also_what_came_last(db: Path) -> None:
    async def body() -> None:
        async with running(a_deck(db)) as connect:
            stranger, friend = await connect("wrong-wrong-wrong-wrong"), await connect()
            for _ in range(5):
                assert (await stranger.post("/signals", {})).status == 401
            reserved = {"symbol": "BTC/USDT", "side": "buy", "source": "exit"}
            assert (await friend.post("/signals", reserved)).status == 422
            assert (await friend.post("/signals", {"symbol": "BTC/USDT", "side": "up"})).status == 422
        rows = kept(
            db, f"SELECT code, text FROM event WHERE kind = '{EventKind.INTAKE_REFUSED}' AND level = {Level.WARNING:d}"
        )
        assert sorted(code for code, _ in rows) == ["bad_input", "bad_input", "wrong_token", "wrong_token"]
        assert any("4 more like this" in text for _, text in rows)
        assert kept(db, f"SELECT count(*) FROM event WHERE text || detail LIKE '%{TOKEN}%'") == [(0,)]

    on_a_loop(body)


def test_the_diagnosis_says_where_the_inbox_listens(db: Path) -> None:
    async def body() -> None:
        deck = a_deck(db)
        async with running(deck):
            assert deck.inbox is not None
            [check] = [c for c in (await deck.engine.diagnose()).checks if c.gate == "inbox"]
            assert (check.ok, check.fact) == (True, f"it listens on {deck.inbox.address}")

    on_a_loop(body)


def test_an_engine_that_stops_says_so_and_keeps_nothing(db: Path) -> None:
    async def body() -> None:
        deck = a_deck(db)
        async with running(deck) as connect:
            caller = await connect()
            stopping = asyncio.create_task(deck.engine.stop())
            while deck.engine.state == "running":
                await LoopClock().sleep(0)
            answer = await caller.post("/signals", {"symbol": "BTC/USDT", "side": "buy", "key": "late"})
            assert answer.status == 503
            assert answer.json["code"] == "not_running"
            await stopping
        assert kept(db, "SELECT count(*) FROM signal") == [(0,)]

    on_a_loop(body)


def test_an_inbox_without_its_token_or_its_port_ends_the_start(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        async with running(a_deck(db)) as connect:
            taken = (await connect()).port
            other = a_deck(db.with_name("other.sqlite"), port=taken)
            with pytest.raises(ConfigError, match=r"inbox\.port"):
                await other.run(asyncio.Event())
            assert not other.control.path.exists()

    on_a_loop(body)
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(ConfigError, match=r"inbox\.token_env"):
        a_deck(db)


@pytest.mark.parametrize(("pace", "mode"), [(None, Mode.DEMO), (60.0, Mode.DEMO), (1.0, Mode.REPLAY)])
def test_an_engine_whose_time_is_not_the_world_s_has_no_inbox(db: Path, pace: float | None, mode: Mode) -> None:
    assert a_deck(db, pace, mode).inbox is None
    assert a_deck(db).inbox is not None


def test_who_has_no_inbox_does_not_wait_for_its_library(db: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from engine.core.values import Mode; from engine.settings import Settings\n"
        "from engine.wiring import Plan, build\n"
        "build(Plan(Settings(), Mode.DEMO, Path(sys.argv[1])))\n"
        "print('aiohttp' in sys.modules, 'engine.inbox' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program, str(db)], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]
