"""The Dispatcher: woken when a signal arrives, and sweeping behind the wake-ups, it sends due signals on their way."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from engine.clock import Clock
from engine.core.events import Signal
from engine.core.risk import Book
from engine.pipeline import OrderExecutionPipeline, Plan, Surroundings
from engine.store.base import Applied, Store

BATCH: Final = 128


class Crew(Protocol):
    """Who keeps tasks that outlive a sweep: the engine, which awaits them when it drains."""

    def start(self, plan: Plan, committed_s: float) -> None: ...


class Dispatcher:
    """Gathers due signals and the book, lets the pipeline decide, commits, and hands over.

    Nothing is dispatched while `open_for_business` is False: before recovery is over, and while the engine drains.
    """

    def __init__(
        self,
        store: Store,
        pipeline: OrderExecutionPipeline,
        around: Surroundings,
        crew: Crew,
        clock: Clock,
        *,
        sweep_s: float = 30.0,
    ) -> None:
        self._store, self._pipeline, self._around, self._crew, self._clock = store, pipeline, around, crew, clock
        self._sweep_s = sweep_s
        self._woken = asyncio.Event()
        self.open_for_business = False

    def nudge(self) -> None:
        """Say that something may be due. Safe to call often; wake-ups merge."""
        self._woken.set()

    async def run(self) -> None:
        """Sweep for ever: at each nudge, when the next signal falls due, and every `sweep_s` seconds behind that."""
        while True:
            handled = await self.step() if self.open_for_business else 0
            if handled >= BATCH:
                continue
            await self._rest()

    async def step(self) -> int:
        """Send what is due; returns how many signals were looked at and moved."""
        self._woken.clear()
        now = self._clock.wall()
        signals = await self._store.due(now, BATCH)
        if not signals:
            return 0
        plans = await self._decide(signals, await self._around.book(now))
        applied = await self._pipeline.commit(plans)
        committed_s = self._clock.elapsed()
        for plan, result in zip(plans, applied, strict=True):
            if plan.intent is not None and result is Applied.APPLIED:
                self._crew.start(plan, committed_s)
        return sum(1 for result in applied if result is Applied.APPLIED)

    async def _decide(self, signals: list[Signal], book: Book) -> list[Plan]:
        plans = []
        for signal in signals:
            plan = await self._pipeline.plan(signal, book)
            if plan.intent is not None:
                reserve = book.with_exit if plan.signal.reduces else book.with_entry
                book = reserve(signal.symbol, plan.intent.trader)
            plans.append(plan)
        return plans

    async def _rest(self) -> None:
        pause = self._sweep_s
        upcoming = await self._store.next_due() if self.open_for_business else None
        if upcoming is not None:
            until = (upcoming - self._clock.wall()).total_seconds()
            # Something due already that the last step left alone waits for a slot: its release nudges.
            pause = min(pause, until) if until > 0 else min(pause, 1.0)
        try:
            async with self._clock.timeout(pause):
                await self._woken.wait()
        except TimeoutError:
            return
