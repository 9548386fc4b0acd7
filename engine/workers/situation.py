"""The Situation: gathers, from store, feed and traders, the facts that the gate, the diagnosis, the alerts and the
heartbeat are decided on. It decides nothing itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from engine.clock import Clock
from engine.core.board import EngineFacts, EngineState, Totals
from engine.core.events import Desired, TraderState
from engine.core.lifecycle import AttemptState, SignalState
from engine.core.order import Attempt
from engine.core.portfolio import EngineSwitches, Holdings
from engine.core.readiness import ReadinessFacts
from engine.core.risk import Book, Limits
from engine.core.values import Mode
from engine.market.settings import CandleSettings
from engine.store.base import Store
from engine.workers.analyst import Analyst
from engine.workers.clock_watch import ClockWatch
from engine.workers.feed import Feed
from engine.workers.health import TraderHealthChecker
from engine.workers.keeper import Keeper
from engine.workers.trader import TraderActor

PRICE_AGE_INTERVALS: Final = 6  # a price may be this many candle intervals old, and at least PRICE_AGE_S_MIN
PRICE_AGE_S_MIN: Final = 30.0
WAITS_MAX: Final = timedelta(days=1)  # no signal waits longer for its next look
OLDEST_AMONG: Final = 128
DISK_STOP_BYTES: Final = 64 * 1024 * 1024  # below it nothing is sent


@dataclass(frozen=True, slots=True)
class SituationParts:
    """Whom the situation asks. `speed` is what the screen says: 1, 10, max."""

    store: Store
    clock: Clock
    desks: Mapping[str, TraderActor]
    feed: Feed
    analyst: Analyst
    health: TraderHealthChecker
    watch: ClockWatch
    limits: Limits
    mode: Mode
    speed: str
    candles: CandleSettings


class Situation:
    """See the module. `state`, `epoch` and `started_at` are set by the engine, `keeper` and `inbox` by the wiring."""

    def __init__(self, parts: SituationParts) -> None:
        self._parts = parts
        self.keeper: Keeper | None = None
        self.state = EngineState.STARTING
        self.epoch = 0
        self.started_at: datetime | None = None
        self.switches = EngineSwitches()
        self.inbox: Callable[[], str | None] = lambda: None

    async def refresh(self) -> None:
        """Read operators' durable wishes again."""
        self.switches = await self._parts.store.switches()
        await self._parts.health.refresh()

    async def book(self, now: datetime, holdings: Holdings | None = None) -> Book:
        """Return everything that the gate looks at; `holdings` spares reading them again."""
        parts = self._parts
        quotes = parts.feed.quotes
        for desk in parts.desks.values():
            desk.learn(len(quotes))
        return Book(
            switches=self.switches,
            holdings=holdings or await parts.store.holdings(now),
            known_symbols=frozenset(symbol for desk in parts.desks.values() for symbol in desk.rules) | self._awaited(),
            untold=tuple(name for name, desk in parts.desks.items() if not desk.rules),
            prices=quotes,
            feed_age_s_max=self._price_age_s_max(),
            store_writable=self._store_writable(),
            clock_sane=parts.watch.is_sane,
            disk_ok=self._disk_ok(),
            store_fact=self._store_fact(),
            clock_fact=parts.watch.fact,
        )

    def _awaited(self) -> frozenset[str]:
        # A paper venue knows no symbol before its first price: one that is only waited for must not be rejected for good.
        feed = self._parts.feed
        return frozenset(symbol for symbol in feed.symbols() if symbol not in feed.quotes)

    def trader_states(self) -> Mapping[str, TraderState]:
        """Return every trader as it is now."""
        return self._parts.health.states()

    def may_send(self, trader: str) -> bool:
        """Say whether engine and operators let this trader send an order that is under way already once more."""
        return not self.objection(trader)

    def objection(self, trader: str) -> str:
        """Return what holds back an order of this trader that was committed and has not left yet: "halted" and the like.

        The empty text lets it go. It is asked at the last moment, for exits and entries alike.
        """
        if self.switches.halted:
            return "halted"
        if self.state is not EngineState.RUNNING:
            return "the engine was stopped"
        state = self.trader_states()[trader]
        if state.desired is not Desired.RUN:
            return "set to drain" if state.desired is Desired.DRAIN else "paused"
        return "quarantined for a broken proof" if state.proof_broken else ""

    async def readiness_facts(self, now: datetime) -> ReadinessFacts:
        """Return what the diagnosis looks at."""
        parts, store, feed = self._parts, self._parts.store, self._parts.feed.facts()
        totals, live = await store.totals(), await store.live_attempts()
        queue = await store.due(now + WAITS_MAX, OLDEST_AMONG)
        last = await store.last_signals(1)
        windows = {symbol: parts.feed.window(symbol) for symbol in parts.feed.symbols()}
        panel = parts.analyst.panel
        waiting = {
            code: count
            for key, count in totals.signals_by_reason.items()
            for state, _, code in [key.partition("/")]
            if state in {SignalState.NEW, SignalState.WAITING}
        }
        return ReadinessFacts(
            now=now,
            engine=self._shown_state(),
            feed=feed.source,
            feeds=feed.venues,
            feed_age_s=parts.feed.age_s(),
            feed_age_s_max=self._price_age_s_max(),
            feed_finished=parts.feed.finished.is_set(),
            candles={symbol: len(window) if window is not None else 0 for symbol, window in windows.items()},
            candles_min=parts.candles.minimum,
            strategies=tuple(seat.name for seat in panel.seats),
            votes=panel.last_words,
            voting_errors=panel.faults,
            last_signal_at=last[0].received_at if last else None,
            waiting=waiting,
            oldest_waiting_s=max(((now - signal.received_at).total_seconds() for signal in queue), default=0.0),
            automated=parts.limits.automated_trading,
            switches=self.switches,
            limits=parts.limits,
            holdings=await store.holdings(now),
            traders=tuple(_with_counts(state, totals, live) for state in self.trader_states().values()),
            traders_ready=frozenset(name for name, desk in parts.desks.items() if desk.ready),
            unknown=sum(a.state is AttemptState.UNKNOWN for a in live),
            reviews=sum(a.state is AttemptState.REVIEW for a in live),
            store_writable=self._store_writable(),
            store_fact=self._store_fact(),
            disk_ok=self._disk_ok(),
            clock_sane=parts.watch.is_sane,
            clock_offset_s=max((desk.clock_offset_s for desk in parts.desks.values()), key=abs, default=0.0),
            clock_fact=parts.watch.fact,
            inbox=self.inbox(),
        )

    def feed_age_s(self) -> float | None:
        """Return the feed's age in seconds, None where there is nothing to judge: a recording that has ended."""
        return None if self._parts.feed.finished.is_set() else self._parts.feed.age_s()

    def facts(self) -> EngineFacts:
        """Return the engine as its heartbeat describes it."""
        parts, feed, now = self._parts, self._parts.feed.facts(), self._parts.clock.wall()
        return EngineFacts(
            mode=parts.mode,
            state=self._shown_state(),
            epoch=self.epoch,
            pid=os.getpid(),
            started_at=self.started_at or now,
            beat_at=parts.clock.today(),
            market_at=now,
            speed=parts.speed,
            automated=parts.limits.automated_trading,
            halted_by=self.switches.halted_by if self.switches.halted else "",
            halted_at=self.switches.halted_at if self.switches.halted else None,
            feed=feed.source,
            feed_symbols=feed.symbols,
            feed_last_at=feed.last_at,
            feed_finished=feed.finished,
            candles=feed.candles,
            candles_late=feed.late,
            candles_repeated=feed.repeated,
            candles_flat=feed.flat,
            candles_lost=self.keeper.candles_lost if self.keeper else 0,
            feeds=feed.venues,
        )

    def _shown_state(self) -> EngineState:
        if self.state is not EngineState.RUNNING:
            return self.state
        if self.switches.halted:
            return EngineState.HALTED
        states = self.trader_states().values()
        paused = bool(states) and all(t.desired is not Desired.RUN for t in states)
        return EngineState.PAUSED if paused else EngineState.RUNNING

    def _price_age_s_max(self) -> float:
        # A recording of longer candles than ours speaks once per candle of its own.
        longest = max(self._parts.candles.interval_s, self._parts.feed.longest_interval_s())
        return max(PRICE_AGE_S_MIN, PRICE_AGE_INTERVALS * longest)

    def _store_writable(self) -> bool:
        return self.keeper is None or (
            not self.keeper.store_error and (self.keeper.store_health is None or self.keeper.store_health.writable)
        )

    def _store_fact(self) -> str:
        if self.keeper is None or self.keeper.store_health is None:
            return ""
        return self.keeper.store_error or self.keeper.store_health.fact

    def _disk_ok(self) -> bool:
        health = self.keeper.store_health if self.keeper else None
        return health is None or health.disk_free_bytes >= DISK_STOP_BYTES


def _with_counts(state: TraderState, totals: Totals, live: Sequence[Attempt]) -> TraderState:
    """Return the state with the trader's attempts as the store counts them: on every screen they are the same."""
    attempts, successes = (by.get(state.name, 0) for by in (totals.attempts_by_trader, totals.successes_by_trader))
    alive = sum(attempt.trader == state.name for attempt in live)
    return replace(state, attempts=attempts, successes=successes, in_flight=alive)
