"""The facts that the alert rules look at, gathered from the store and from the workers that know."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from engine.clock import Clock
from engine.core.alerts import AlertFacts, OpenCase
from engine.core.events import TraderState
from engine.core.feeds import FeedStanding
from engine.core.lifecycle import AttemptState, SignalState
from engine.core.metrics import Window, is_overdue, window_of
from engine.core.order import Attempt
from engine.store.base import SignalFilter, Store, StoreHealth
from engine.workers.clock_watch import ClockWatch
from engine.workers.keeper import Keeper

RATE_SPAN: Final = timedelta(minutes=5)
MINUTE: Final = timedelta(minutes=1)
QUEUE_SPAN: Final = timedelta(minutes=3)
REREAD_AFTER: Final = timedelta(seconds=30)  # a window of minutes moves on even while nothing changes
JUMP_TOLD_S: Final = 30.0  # for how long after a jump of the clock it counts as a condition
CASES_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class AlertSources:
    """Who knows what the store does not: the traders' states, the feed's age in seconds (None: not to be judged), and how the
    exchanges behind it stand.
    """

    states: Callable[[], Mapping[str, TraderState]]
    feed_age_s: Callable[[], float | None]
    keeper: Keeper
    watch: ClockWatch
    feeds: Callable[[], tuple[FeedStanding, ...]] = tuple


@dataclass(frozen=True, slots=True)
class _Read:
    """What one look into the store found."""

    at: datetime
    change: int
    window: Window
    queue: int
    executions: int
    last_execution_at: datetime | None
    oldest_at: datetime | None
    unknown: tuple[OpenCase, ...]
    reviews: tuple[OpenCase, ...]


class AlertGatherer:
    """Callable: returns the facts of this moment. Reads the store only where it changed, or half a minute passed."""

    def __init__(self, store: Store, sources: AlertSources, clock: Clock) -> None:
        self._store, self._sources, self._clock = store, sources, clock
        self._read: _Read | None = None
        self._queue: deque[tuple[datetime, int, int]] = deque()

    async def __call__(self) -> AlertFacts:
        """Return the facts of this moment."""
        now = self._clock.wall()
        read = await self._look(now)
        self._queue.append((now, read.queue, read.executions))
        while len(self._queue) > 1 and now - self._queue[0][0] > QUEUE_SPAN:
            self._queue.popleft()
        health = self._sources.keeper.store_health
        return AlertFacts(
            now=now,
            success_rate=read.window.success_rate,
            judged=read.window.judged,
            last_execution_at=read.last_execution_at,
            due=read.queue,
            oldest_due_age_s=(now - read.oldest_at).total_seconds() if read.oldest_at else 0.0,
            queue=tuple((at, depth) for at, depth, _ in self._queue),
            executions=read.executions - self._queue[0][2],
            traders=tuple(self._sources.states().values()),
            unknown=read.unknown,
            reviews=read.reviews,
            feed_age_s=self._sources.feed_age_s(),
            feeds=self._sources.feeds(),
            clock_jump_s=self._jump_s(now),
            store_error=_store_error(self._sources.keeper.store_error, health),
            disk_free_bytes=health.disk_free_bytes if health else None,
        )

    async def _look(self, now: datetime) -> _Read:
        change, known = await self._store.change(), self._read
        if known is None or change != known.change or now - known.at >= REREAD_AFTER:
            known = self._read = await self._read_store(now, change)
        return known

    async def _read_store(self, now: datetime, change: int) -> _Read:
        totals = await self._store.totals()
        live = await self._store.live_attempts()
        since = now - RATE_SPAN
        overdue = sum(is_overdue(attempt.unknown_since, now) for attempt in live if attempt.intent_at > since)
        minutes = await self._store.minutes(since, now + MINUTE)  # with the one that has just begun
        queue = sum(totals.signals_by_state.get(state, 0) for state in (SignalState.NEW, SignalState.WAITING))
        return _Read(
            at=now,
            change=change,
            window=window_of(minutes, since, overdue=overdue),
            queue=queue,
            executions=totals.executions,
            last_execution_at=totals.last_execution_at,
            oldest_at=await self._oldest(now) if queue else None,
            unknown=_cases(live, AttemptState.UNKNOWN),
            reviews=await self._reviews(live),
        )

    async def _oldest(self, now: datetime) -> datetime | None:
        waiting = await self._store.due(now + timedelta(days=1), CASES_MAX)
        return min((signal.received_at for signal in waiting), default=None)

    async def _reviews(self, live: Sequence[Attempt]) -> tuple[OpenCase, ...]:
        cases = {case.signal_id: case for case in _cases(live, AttemptState.REVIEW)}
        where = SignalFilter(states=frozenset({SignalState.NEEDS_REVIEW}))
        for signal in await self._store.signals(where, None, CASES_MAX):
            # A signal that kept crashing its worker needs a review although it has no attempt.
            cases.setdefault(signal.id, OpenCase(signal.id, signal.trader or "", signal.received_at))
        return tuple(cases.values())

    def _jump_s(self, now: datetime) -> float:
        watch = self._sources.watch
        if watch.jumped_at is None or abs((now - watch.jumped_at).total_seconds()) > JUMP_TOLD_S:
            return 0.0
        return watch.jumped_s


def _cases(live: Sequence[Attempt], state: AttemptState) -> tuple[OpenCase, ...]:
    found = (attempt for attempt in live if attempt.state is state)
    return tuple(OpenCase(a.signal_id, a.trader, a.unknown_since or a.intent_at) for a in found)


def _store_error(error: str, health: StoreHealth | None) -> str:
    return error or ("" if health is None or health.writable else health.fact)
