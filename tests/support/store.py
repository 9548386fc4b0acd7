"""A store for tests: on SQLite, in a folder of its own or nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

from engine.clock import Clock, LoopClock, SeededChance, run_on
from engine.core.events import Signal
from engine.core.lifecycle import AttemptStep
from engine.core.order import Attempt
from engine.core.values import NewSignal
from engine.sqlite import MEMORY
from engine.store.base import Applied, Intent
from engine.store.sqlite import SqliteStore
from tests.support.builders import NOW, an_attempt_move, an_intent


def a_store(path: Path = Path(MEMORY), *, clock: Clock | None = None, inline: bool = True) -> SqliteStore:
    """Return a store that is not open yet. On a loop in virtual time its SQL must run inline."""
    clock = clock or LoopClock(NOW)
    return SqliteStore(path, clock=clock, inline=inline, uuid_source=SeededChance(1).stream("store"))


@asynccontextmanager
async def an_open_store(
    path: Path = Path(MEMORY), *, clock: Clock | None = None, inline: bool = True, now: datetime = NOW
) -> AsyncIterator[SqliteStore]:
    """Open a store for as long as the block runs."""
    store = a_store(path, clock=clock, inline=inline)
    await store.open(now=now)
    try:
        yield store
    finally:
        await store.close()


class Stage:
    """A store that a test works with; on a stage that reopens, each `turn` closes it and opens it anew."""

    def __init__(self, path: Path, *, inline: bool, reopens: bool) -> None:
        self.path, self.inline, self.reopens = path, inline, reopens
        self.clock = LoopClock(NOW)
        self.store: SqliteStore

    async def __aenter__(self) -> Stage:
        self.store = a_store(self.path, clock=self.clock, inline=self.inline)
        await self.store.open(now=NOW)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.store.close()

    async def turn(self) -> SqliteStore:
        """Return the store to go on with."""
        if self.reopens:
            await self.store.close()
            await self.__aenter__()
        return self.store

    async def put(self, signal: NewSignal) -> Signal:
        """Hand in a signal and return it as it is kept."""
        await self.store.put_signals([signal])
        return await self.signal(signal.signal_id)

    async def signal(self, signal_id: str) -> Signal:
        found = await self.store.signal(signal_id)
        assert found is not None
        return found

    async def attempt(self, intent: Intent) -> Attempt:
        found = await self.store.attempt(intent.request.client_order_id)
        assert found is not None
        return found

    async def commit(self, signal: NewSignal, **given: Any) -> Intent:
        """Hand in a signal and commit to its first order."""
        intent = an_intent(await self.put(signal), **given)
        assert await self.store.commit_intents([intent]) == [Applied.APPLIED]
        return intent

    async def step(self, intent: Intent, step: AttemptStep, **given: Any) -> Applied:
        """Let the attempt take a step from where it is."""
        attempt = await self.attempt(intent)
        (applied,) = await self.store.move_attempts([an_attempt_move(intent.request, attempt.state, step, **given)])
        return applied


def play(scenario: Coroutine[Any, Any, None], *, inline: bool = True) -> None:
    """Run a test's scenario on a loop that fits the store: virtual time if its SQL runs inline, else real time."""
    with asyncio.Runner(loop_factory=run_on(None if inline else 1.0)) as runner:
        runner.run(scenario)


STAGES: Final = {
    "in a thread": {"inline": False, "reopens": False},
    "on the loop": {"inline": True, "reopens": False},
    "reopened": {"inline": True, "reopens": True},
}

EVERY_STORE: Final = pytest.mark.parametrize("kind", list(STAGES))


def on_stage(kind: str, folder: Path, scenario: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
    """Play a scenario on one kind of store; the journal's chain must hold afterwards."""
    chosen = STAGES[kind]

    async def whole() -> None:
        async with Stage(folder / "deck.db", inline=chosen["inline"], reopens=chosen["reopens"]) as stage:
            await scenario(stage)
            assert await stage.store.verify_chain() is None

    play(whole(), inline=chosen["inline"])
