"""The Analyst: each round it asks the strategies about every symbol with a new candle, and hands in what they agree on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from engine.core.combine import Combined, combine
from engine.core.lifecycle import OPEN_SIGNALS
from engine.core.text import clean
from engine.core.values import NewSignal, Side
from engine.store.base import Put, PutOutcome
from engine.workers.exits import EXIT_SOURCE, ExitWatch
from engine.workers.floor import Floor, signal_id_of
from engine.workers.panel import Panel

BREATH: Final = 16  # symbols between two pauses for breath, so that a round of thousands holds nobody up


class AnalystSettings(BaseModel):
    """When signals are made. `cooldown_s` is the pause after a signal ended before the same one is made again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    generate_every_s: float = Field(10.0, gt=0, allow_inf_nan=False)
    candles_min: int = Field(5, ge=1, le=10_000)
    ttl_s: float = Field(120.0, gt=0, allow_inf_nan=False)
    cooldown_s: float = Field(30.0, ge=0, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class _Standing:
    """The newest signal of one symbol, source and side. `ended_at` is None while it is not known to have ended."""

    signal_id: str
    made_at: datetime
    ended_at: datetime | None = None


class Analyst:
    """Makes signals from candles, and exits from positions; all of a round are durable at once.

    A repeated vote makes no second signal of the same symbol, source and side until the first has ended and its cooldown
    is over. A vote for the other side does, and takes the place of the first if that was not yet dispatched.
    """

    def __init__(self, floor: Floor, panel: Panel, exits: ExitWatch, settings: AnalystSettings) -> None:
        self._floor, self._panel, self._exits, self._settings = floor, panel, exits, settings
        self._woken = asyncio.Event()
        self._seen: dict[str, int] = {}
        self._standing: dict[tuple[str, str, Side], _Standing] = {}
        self._recalled: set[tuple[str, str]] = set()
        self.rounds = 0
        self.signals = 0
        self.last_round_at: datetime | None = None

    @property
    def panel(self) -> Panel:
        return self._panel

    def nudge(self) -> None:
        """Say that candles have closed. Safe to call often; wake-ups merge."""
        self._woken.set()

    async def run(self) -> None:
        """Hold a round when candles have closed, and not more often than every `generate_every_s` seconds."""
        clock = self._floor.clock
        while True:
            await self._woken.wait()
            began = clock.elapsed()
            await self.step()
            await clock.sleep(self._settings.generate_every_s - (clock.elapsed() - began))

    async def step(self) -> list[Put]:
        """Hold one round; returns what became of each signal handed in, exits last."""
        self._woken.clear()
        made: list[NewSignal] = []
        for count, symbol in enumerate(self._symbols_with_news(), start=1):
            agreed = self._agree(symbol)
            if agreed is not None and not await self._stands(symbol, agreed):
                made.append(self._signal(symbol, agreed))
            if count % BREATH == 0:
                await self._floor.clock.sleep(0)
        made.extend(await self._exits.due())
        now = self._floor.clock.wall()
        news = self._panel.news(now)
        if news:
            await self._floor.store.note(news)
        self.rounds += 1
        self.last_round_at = now
        return await self._hand_in(made)

    def generate_signal_for_symbol(self, symbol: str) -> NewSignal | None:
        """Return the signal that the strategies agree on now, or None: too few candles, or no agreement.

        Nothing is stored, and it may repeat one that stands; a round hands in only what does not.
        """
        agreed = self._agree(symbol)
        return None if agreed is None else self._signal(symbol, agreed)

    async def store_signal(self, signal: NewSignal) -> Put:
        """Keep one signal; it is durable once this returns."""
        [put] = await self._hand_in([signal])
        return put

    def _symbols_with_news(self) -> list[str]:
        fresh = []
        for symbol in self._floor.market.symbols():
            closed_ms = self._floor.market.last_closed_ms(symbol)
            if closed_ms is not None and self._seen.get(symbol) != closed_ms:
                self._seen[symbol] = closed_ms
                fresh.append(symbol)
        return fresh

    async def _hand_in(self, signals: list[NewSignal]) -> list[Put]:
        if not signals:
            return []
        puts = await self._floor.store.put_signals(signals)
        self._floor.stored()
        self._exits.note_stored([signal for signal in signals if signal.source == EXIT_SOURCE])
        for signal, put in zip(signals, puts, strict=True):
            if signal.source != EXIT_SOURCE:
                self._standing[signal.symbol, signal.source, signal.side] = _Standing(put.signal_id, signal.received_at)
            self.signals += put.outcome is PutOutcome.STORED
        return puts

    def _agree(self, symbol: str) -> Combined | None:
        window = self._floor.market.window(symbol)
        if window is None or len(window) < self._settings.candles_min:
            return None
        return combine(self._panel.ask(symbol, window))

    def _signal(self, symbol: str, agreed: Combined) -> NewSignal:
        now = self._floor.clock.wall()
        quote = self._floor.market.quotes.get(symbol)
        key = f"{symbol}|{agreed.leading}|{self._floor.market.last_closed_ms(symbol)}"
        return NewSignal(
            signal_id=signal_id_of(agreed.leading, key),
            key=key,
            symbol=symbol,
            side=agreed.side,
            confidence=agreed.confidence,
            source=agreed.leading,
            received_at=now,
            expires_at=now + timedelta(seconds=self._settings.ttl_s),
            votes=tuple(replace(vote, why=clean(vote.why, 300)) for vote in agreed.votes),
            preferred_trader=self._panel.trader_of(agreed.leading),
            supersedes=True,
            reference_price=quote.price if quote else None,
        )

    async def _stands(self, symbol: str, agreed: Combined) -> bool:
        if (symbol, agreed.leading) not in self._recalled:
            await self._recall(symbol, agreed.leading)
        key = (symbol, agreed.leading, agreed.side)
        standing = self._standing.get(key)
        if standing is None:
            return False
        now, pause = self._floor.clock.wall(), timedelta(seconds=self._settings.cooldown_s)
        if now < standing.made_at + pause:
            return True  # it cannot have ended a whole cooldown ago: no need to ask the store
        if standing.ended_at is None:
            signal = await self._floor.store.signal(standing.signal_id)
            if signal is not None and signal.state in OPEN_SIGNALS:
                return True
            ended_at = signal.ended_at if signal is not None else None
            standing = replace(standing, ended_at=ended_at or standing.made_at)
            self._standing[key] = standing
        assert standing.ended_at is not None, "an open one was returned above"
        if now < standing.ended_at + pause:
            return True
        del self._standing[key]
        return False

    async def _recall(self, symbol: str, source: str) -> None:
        # Once for each symbol and source: what an earlier engine left open stands.
        self._recalled.add((symbol, source))
        left = await self._floor.store.open_signal(symbol, source)
        if left is not None:
            self._standing.setdefault((symbol, source, left.side), _Standing(left.id, left.received_at))
