"""The Keeper: heartbeat, the diagnosis kept for others, the store's health, retention and checkpoints.

Its waits are the loop's seconds and its intervals are real ones: a replay at full speed passes millions of the first in
minutes of the second, and must not pay for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from engine.clock import Clock, runs_free
from engine.core.board import EngineFacts, ExecutionStatus
from engine.core.errors import StoreBusy, StoreFull
from engine.store.base import Retention, Store, StoreHealth
from engine.workers.recorder import Recorder

LOOK_EVERY_S: Final = 1.0
LOOK_EVERY_FREE_S: Final = 10.0


class KeeperSettings(BaseModel):
    """How often what is kept, in real seconds. Days are of market time.

    The write-ahead log is folded in every `checkpoint_every_s`, and as soon as it is larger than `wal_bytes_max`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    beat_every_s: float = Field(1.0, gt=0, allow_inf_nan=False)
    readiness_every_s: float = Field(5.0, gt=0, allow_inf_nan=False)
    health_every_s: float = Field(5.0, gt=0, allow_inf_nan=False)
    candles_every_s: float = Field(1.0, gt=0, allow_inf_nan=False)
    prune_every_s: float = Field(60.0, gt=0, allow_inf_nan=False)
    prune_batch: int = Field(500, ge=1, le=100_000)
    checkpoint_every_s: float = Field(300.0, gt=0, allow_inf_nan=False)
    wal_bytes_max: int = Field(32 * 1024 * 1024, ge=0)
    signals_days: int = Field(90, ge=1)
    events_days: int = Field(30, ge=1)
    minutes_days: int = Field(7, ge=1)
    keys_days: int = Field(400, ge=1)
    candles_days: int = Field(7, ge=1)

    @property
    def retention(self) -> Retention:
        return Retention(self.signals_days, self.events_days, self.minutes_days, self.keys_days, self.candles_days)


@dataclass(frozen=True, slots=True)
class Telling:
    """Who says how the engine is: its facts now (heartbeat time included), and the diagnosis."""

    facts: Callable[[], EngineFacts]
    readiness: Callable[[], Awaitable[ExecutionStatus]]


class Keeper:
    """Writes what may be lost, so a store that is busy or full stops none of it for longer than that lasts."""

    def __init__(
        self, store: Store, telling: Telling, settings: KeeperSettings, clock: Clock, recorder: Recorder
    ) -> None:
        self._store, self._telling, self._settings, self._clock = store, telling, settings, clock
        self._recorder = recorder
        self._done_at: dict[str, float] = {}
        self._lags: deque[float] = deque([0.0], maxlen=10)
        self.store_health: StoreHealth | None = None
        self.store_error = ""

    @property
    def loop_lag_s(self) -> float:
        """Return by how much the loop came late at worst in the last ten looks, in its own seconds."""
        return max(self._lags)

    @property
    def candles_lost(self) -> int:
        """Return how many closed candles were never written, since the start."""
        return self._recorder.lost

    async def run(self) -> None:
        """Look for ever; each look does what is due by the machine's clock."""
        while True:
            await self.step()
            pause = LOOK_EVERY_FREE_S if runs_free() else LOOK_EVERY_S
            slept_from = self._clock.elapsed()
            await self._clock.sleep(pause)
            self._lags.append(max(0.0, self._clock.elapsed() - slept_from - pause))

    async def step(self) -> None:
        """Do what is due. A store that cannot write now is noted in `store_error`, and tried again at the next look."""
        settings = self._settings
        try:
            if self._is_due("health", settings.health_every_s):
                self.store_health = await self._store.health()
            if self._is_due("beat", settings.beat_every_s):
                await self._beat()
            if self._is_due("readiness", settings.readiness_every_s):
                await self._store.save_readiness(await self._telling.readiness())
            if self._is_due("prune", settings.prune_every_s):
                await self._prune()
            if self._is_due("checkpoint", settings.checkpoint_every_s) or self._is_wal_long():
                await self._store.checkpoint()
                self._done_at["checkpoint"] = self._clock.machine()
            if self._is_due("candles", settings.candles_every_s):  # last: nothing else waits for them
                await self._recorder.flush()
        except (StoreBusy, StoreFull) as error:
            self.store_error = str(error)
        else:
            self.store_error = ""

    async def finish(self) -> None:
        """Write the last candles, the last heartbeat and the last diagnosis. A store that takes no more writes is left as it is."""
        try:
            await self._recorder.flush()
            await self._beat()
            await self._store.save_readiness(await self._telling.readiness())
        except (StoreBusy, StoreFull) as error:
            self.store_error = str(error)

    async def _beat(self) -> None:
        known = self.store_health
        commit_p50_s = known.commit_p50_s if known else 0.0
        await self._store.beat(replace(self._telling.facts(), loop_lag_s=self.loop_lag_s, commit_p50_s=commit_p50_s))

    async def _prune(self) -> None:
        removed = await self._store.prune(self._clock.wall(), self._settings.retention, self._settings.prune_batch)
        if removed >= self._settings.prune_batch:
            del self._done_at["prune"]  # there may be more: a small batch at each look, never a long one

    def _is_wal_long(self) -> bool:
        known = self.store_health
        if known is None or known.wal_bytes <= self._settings.wal_bytes_max:
            return False
        return self._since("checkpoint") >= self._settings.health_every_s

    def _since(self, what: str) -> float:
        done_at = self._done_at.get(what)
        return float("inf") if done_at is None else self._clock.machine() - done_at

    def _is_due(self, what: str, every_s: float) -> bool:
        if self._since(what) < every_s:
            return False
        self._done_at[what] = self._clock.machine()
        return True
