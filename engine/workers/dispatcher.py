"""The Dispatcher: woken when a signal arrives, and sweeping behind the wake-ups, it sends due signals on their way."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final, Protocol

from engine.clock import Clock
from engine.core.errors import StoreError
from engine.core.events import EventKind, Level, NewEvent, Signal, Verdict
from engine.core.lifecycle import SignalState, SignalStep
from engine.core.risk import Book
from engine.core.text import clean
from engine.core.values import Reason
from engine.execution import Plan
from engine.log import logger
from engine.pipeline import OrderExecutionPipeline
from engine.store.base import Applied, SignalMove, Store

BATCH: Final = 128
RECONSIDER_AHEAD: Final = timedelta(days=1)
CRASHES_MAX: Final = 3  # of deciding on one signal, until a person is asked

_log = logger("dispatcher")


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
        crew: Crew,
        clock: Clock,
        *,
        sweep_s: float = 30.0,
    ) -> None:
        self._store, self._pipeline, self._crew, self._clock = store, pipeline, crew, clock
        self._sweep_s = sweep_s
        self._woken = asyncio.Event()
        self._crashes: dict[str, int] = {}
        self._reconsidered: set[str] | None = None
        self._turn = asyncio.Lock()
        self.open_for_business = False

    def reconsider(self) -> None:
        """Say that what held signals back may be over: all that wait at the gate are looked at again, at once."""
        self._reconsidered = set()
        self._woken.set()

    def nudge(self) -> None:
        """Say that something may be due. Safe to call often; wake-ups merge."""
        self._woken.set()

    async def run(self) -> None:
        """Sweep for ever: at each nudge, when the next signal falls due, and every `sweep_s` seconds behind that."""
        while True:
            self._woken.clear()
            handled = await self.step()
            if handled >= BATCH or self._reconsidered is not None:
                continue
            await self._rest()

    async def step(self) -> int:
        """Send what is due; returns how many signals were looked at and moved."""
        async with self._turn:
            return await self._step() if self.open_for_business else 0

    async def close(self) -> None:
        """Dispatch nothing more. Returns once what was being committed is on its way: nothing is left between the two."""
        self.open_for_business = False
        async with self._turn:
            return

    async def _step(self) -> int:
        now, seen = self._clock.wall(), self._reconsidered
        until = now if seen is None else now + RECONSIDER_AHEAD
        signals, holdings = await self._store.agenda(now, until, BATCH)
        if seen is not None:
            signals = self._reconsider(signals, seen, now)
        if not signals:
            return 0
        signals.sort(key=_turn)  # each waited for a time of its own; what is sent together goes in the order it came
        plans = await self._decide(signals, await self._pipeline.gather(holdings))
        applied = await self._pipeline.commit(plans)
        committed_s = self._clock.elapsed()
        for plan, result in zip(plans, applied, strict=True):
            if plan.intent is not None and result is Applied.APPLIED:
                self._crew.start(plan, committed_s)
        return sum(1 for result in applied if result is Applied.APPLIED)

    def _reconsider(self, page: list[Signal], seen: set[str], now: datetime) -> list[Signal]:
        """Return whom to look at of a page of the queue, and note whether the queue has more of them."""
        # One that waits after an attempt has its own time.
        again = {s.id for s in page if s.attempts == 0} - seen
        is_last = len(page) < BATCH or not again
        if is_last and self._reconsidered is seen:  # else something more was lifted meanwhile
            self._reconsidered = None
        seen |= again
        return [s for s in page if s.due_at <= now or s.id in again]

    async def _decide(self, signals: list[Signal], book: Book) -> list[Plan]:
        plans = []
        for signal in signals:
            if signal.cancel_requested:
                plans.append(self._withdrawn(signal))
                continue
            try:
                plan = await self._pipeline.plan(signal, book)
            except StoreError:
                raise
            except Exception as crash:  # noqa: BLE001 - one poisonous signal must not hold up all the others
                plan = self._poisoned(signal, crash)
            if plan.intent is not None:
                reserve = book.with_exit if plan.signal.reduces else book.with_entry
                book = reserve(signal.symbol, plan.intent.trader)
            plans.append(plan)
        return plans

    def _withdrawn(self, signal: Signal) -> Plan:
        """Return the end of a signal that waits although an operator withdrew it."""
        now, reason = self._clock.wall(), Reason("cancelled", "it was to be cancelled")
        event = NewEvent(
            EventKind.SIGNAL,
            now,
            reason.text,
            signal_id=signal.id,
            code=reason.code,
            from_state=signal.state,
            to_state=SignalState.CANCELLED,
        )
        move = SignalMove(signal.id, signal.version, SignalStep.CANCEL, now, reason, event)
        return Plan(signal, Verdict(()), move=move)

    def _poisoned(self, signal: Signal, crash: Exception) -> Plan:
        crashes = self._crashes[signal.id] = self._crashes.get(signal.id, 0) + 1
        text = clean(f"deciding on it crashed {crashes} times: {type(crash).__name__}: {crash}")
        _log.error("a decision crashed", signal=signal.id, error=repr(crash), exc_info=True)
        if crashes < CRASHES_MAX:
            return Plan(signal, Verdict(()))
        del self._crashes[signal.id]
        now = self._clock.wall()
        event = NewEvent(
            EventKind.SIGNAL,
            now,
            text,
            Level.ERROR,
            signal_id=signal.id,
            code="poison",
            from_state=signal.state,
            to_state=SignalState.NEEDS_REVIEW,
        )
        move = SignalMove(signal.id, signal.version, SignalStep.ESCALATE, now, Reason("poison", text), event)
        return Plan(signal, Verdict(()), move=move)

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


def _turn(signal: Signal) -> tuple[bool, int]:
    """Return a signal's place among those sent together: a way out before a way in, then the one that came first."""
    return not signal.reduces, signal.seq
