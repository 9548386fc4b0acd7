"""Whole engines on virtual time: real SQLite, real paper venues, a seeded market, signals handed in by the test."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.core.board import Story
from engine.core.commands import Command, CommandKind, NewCommand
from engine.core.events import Signal
from engine.core.intake import Taken
from engine.core.lifecycle import AttemptState, SignalState
from engine.core.values import Mode
from engine.engine import Engine
from engine.exchanges.paper.settings import PaperSettings
from engine.exchanges.paper.weather import WeatherSettings
from engine.settings import Settings, TraderSettings
from engine.wiring import Deck, Plan, build

QUIET = {
    "fast_scalping": {"enabled": False},
    "momentum_scalping": {"enabled": False},
    "conservative_scalping": {"enabled": False},
}
WIDE = {
    "positions_per_symbol_max": 1000,
    "positions_max": 1000,
    "trades_per_hour_max": 100_000,
    "trades_per_day_max": 100_000,
}


def a_trader(
    name: str = "north", *, weather: Mapping[str, Any] | None = None, shorting: bool = True, **paper: Any
) -> TraderSettings:
    """Return a paper trader under a clear sky, unless the test wants other weather."""
    return TraderSettings(
        name=name,
        paper=PaperSettings(shorting=shorting, **paper),
        weather=WeatherSettings(**(weather or {})),
    )


def settings_of(*traders: TraderSettings, limits: Mapping[str, Any] | None = None, **sections: Any) -> Settings:
    """Return settings in which no strategy speaks, limits are wide, and nothing exits by itself."""
    usual: dict[str, Any] = {
        "strategies": QUIET,
        "limits": {**WIDE, "stop_loss": 0, "take_profit": 0, **(limits or {})},
        "market": {"source": "synthetic", "synthetic": {"symbols": ["BTC/USDT", "ETH/USDT"], "seed": 7}},
        "traders": traders or (a_trader(),),
    }
    return Settings.model_validate({**usual, **sections})


@dataclass
class Running:
    """A started engine with what tests ask of it. Times are market time, which passes without waiting."""

    deck: Deck
    wishes: int = 0

    @property
    def engine(self) -> Engine:
        return self.deck.engine

    def venue_rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Read the paper venues' own books, which the engine does not touch."""
        with closing(sqlite3.connect(f"file:{self.deck.plan.db}.paper?mode=ro", uri=True)) as books:
            return books.execute(sql).fetchall()

    async def pass_time(self, seconds: float) -> None:
        await self.deck.clock.sleep(seconds)

    async def hand_in(self, **given: Any) -> Taken:
        """Hand in one signal: by default, to buy 0.01 BTC/USDT."""
        [taken] = await self.engine.hand_in([{"symbol": "BTC/USDT", "side": "buy", "quantity": "0.01", **given}])
        return taken

    async def wish(self, kind: CommandKind, target: str = "", **given: Any) -> Command:
        self.wishes += 1
        wish = NewCommand(f"{kind}/{self.wishes}", kind, "tester", self.deck.clock.wall(), target, **given)
        return await self.engine.submit(wish)

    async def story(self, signal_id: str) -> Story:
        story = await self.engine.store.story(signal_id)
        assert story is not None, signal_id
        return story

    async def signal(self, signal_id: str) -> Signal:
        return (await self.story(signal_id)).signal

    async def until(self, signal_id: str, *states: SignalState, within_s: float = 120.0) -> Story:
        """Let time pass until the signal is in one of `states`; fails if that does not come."""
        until = self.deck.clock.elapsed() + within_s
        while (story := await self.story(signal_id)).signal.state not in states:
            assert self.deck.clock.elapsed() < until, f"still {story.signal.state}: {story.signal.reason}"
            await self.pass_time(0.05)
        return story

    async def until_attempt(self, signal_id: str, *states: AttemptState, within_s: float = 120.0) -> Story:
        """Let time pass until the signal's last attempt is in one of `states`."""
        until = self.deck.clock.elapsed() + within_s
        while not (story := await self.story(signal_id)).attempts or story.attempts[-1].state not in states:
            assert self.deck.clock.elapsed() < until, f"still {[a.state for a in story.attempts]}"
            await self.pass_time(0.05)
        return story


@asynccontextmanager
async def a_running(db: Path, settings: Settings | None = None, *, seed: int = 1) -> AsyncIterator[Running]:
    """Start an engine on `db`, and stop it in order. Must run on a loop without a pace."""
    deck = build(Plan(settings or settings_of(), Mode.DEMO, db, pace=None, seed=seed))
    try:
        await deck.engine.start()
        yield Running(deck)
    finally:
        await deck.engine.stop()


async def an_open_order(running: Running, **given: Any) -> str:
    """Hand in what nobody fills at that price for a while, wait until the venue has it, and return the signal's id."""
    taken = await running.hand_in(price="56000", **given)
    await running.until_attempt(taken.signal_id, AttemptState.ACCEPTED)
    return taken.signal_id


def open_at_the_venue(running: Running) -> int:
    """Return how many orders the paper venues' own books have open."""
    [(count,)] = running.venue_rows("SELECT count(*) FROM paper_order WHERE status = 'open'")
    return int(count)
