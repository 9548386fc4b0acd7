"""The health checker: asks every trader how it is, listens to its breaker, and says who may take an order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from operator import itemgetter
from typing import Final, Protocol, TypeVar

from engine.clock import Chance, Clock, runs_free
from engine.core import health as pulses
from engine.core.account import AccountFacts
from engine.core.breaker import Guards
from engine.core.errors import ExchangeError, RefusalKind, Refused, TraderUnavailable, Withheld
from engine.core.events import BreakerState, EventKind, Health, Level, NewEvent, TraderState
from engine.core.health import HealthSettings, Pulse
from engine.core.lifecycle import AttemptState
from engine.core.values import SymbolRules
from engine.exchanges.guarded import Guarded
from engine.store.base import Store, TraderHealth

__all__ = ["HealthSettings", "TraderHealthChecker", "TraderPort"]

NOTE_EVERY_S: Final = 5.0  # real seconds between two writes of what is no transition: latencies, orders in flight
SETTLE_S: Final = 0.1  # after a wake-up: what caused it is written meanwhile, and others merge with it
GRACE_S: Final = 0.5
AFTER_OPEN_S: Final = 0.05
SAMPLES: Final = 20  # readings of a venue's clock: the one with the shortest round trip tells its offset best
SAMPLES_MIN: Final = 5  # below that no share of them is slow


_Answer = TypeVar("_Answer")


class TraderPort(Protocol):
    """What the checker needs of a trader; `engine.workers.trader.TraderActor` is the one there is."""

    name: str
    exchange: Guarded
    in_flight: int
    clock_offset_s: float
    rules: Mapping[str, SymbolRules]
    account: AccountFacts

    async def open(self) -> None: ...

    async def refresh_balances(self) -> None: ...


@dataclass(slots=True)
class _Chart:
    """What is known of one trader. `proof_broken` is lifted by an operator only; `pardoned` is how many unresolved
    outcomes an operator has lifted a quarantine for."""

    pulse: Pulse = field(default_factory=Pulse)
    row: TraderState | None = None
    written: TraderState | None = None
    written_at: float = float("-inf")
    private_at: float = float("-inf")
    clocks: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    is_clock_warned: bool = False
    unresolved: int = 0
    pardoned: int = 0
    proof_broken: bool = False
    alarm: asyncio.Event = field(default_factory=asyncio.Event)


class TraderHealthChecker:
    """Keeps one `TraderState` per trader, in memory at once and in the store on every transition."""

    def __init__(
        self, store: Store, traders: Mapping[str, TraderPort], settings: HealthSettings, clock: Clock, chance: Chance
    ) -> None:
        self._store, self._traders, self._settings, self._clock = store, traders, settings, clock
        self._jitter = chance.stream("health")
        self._charts = {name: _Chart() for name in traders}
        self._woken, self._writing = asyncio.Event(), asyncio.Lock()
        self._seen_change: int | None = None

    async def run(self) -> None:
        """Look after every trader for ever, each on its own: one that hangs holds up none of the others."""
        if any(chart.row is None for chart in self._charts.values()):
            await self.open()
        async with asyncio.TaskGroup() as group:
            for name in self._traders:
                group.create_task(self._attend(name))
            group.create_task(self._listen())

    async def open(self) -> None:
        """Take up what the last engine left: forced-open breakers and quarantines stay until an operator lifts them."""
        await self.refresh()
        await self._count_unresolved()
        for name, chart in self._charts.items():
            row = chart.row
            if row is None:
                continue
            if row.breaker is BreakerState.FORCED_OPEN:
                self._traders[name].exchange.force_open(row.breaker_fact)
            chart.proof_broken = row.proof_broken
            # Health is found out anew; what the last engine saw of it is no news.
            chart.written = replace(row, health=Health.UNCHECKED, health_since=None)

    async def refresh(self) -> None:
        """Read the operators' wishes again. Until then a change of them is not seen here, but the store keeps to it."""
        for row in await self._store.traders():
            if row.name in self._charts:
                self._charts[row.name].row = row
        self._woken.set()

    def states(self) -> Mapping[str, TraderState]:
        """Return every trader as it is at this moment, in the order configured."""
        return {name: self._state(name) for name in self._traders}

    def get_available_traders(self) -> list[str]:
        """Return the names of the traders that may take an order now, in the order configured."""
        return [name for name in self._traders if self._state(name).is_available]

    async def check_trader(self, trader_id: str) -> TraderState:
        """Ask one trader now, write what changed, and return its state. Raises TraderUnavailable for an unknown name."""
        port = self._traders.get(trader_id)
        if port is None:
            raise TraderUnavailable(trader_id, "no trader of that name is configured")
        chart = self._charts[trader_id]
        if self._may_ask(port) and await self._read_clock(port, chart) and self._is_account_due(port, chart):
            await self._read_account(port, chart)
        await self._note([trader_id])
        return self._state(trader_id)

    async def relearn(self) -> None:
        """Forget what was learnt of the venues' clocks and ask every trader again, all at once."""
        for chart in self._charts.values():
            chart.clocks.clear()
        async with asyncio.TaskGroup() as group:
            for name in self._traders:
                group.create_task(self.check_trader(name))

    def report_trader_failure(self, trader_id: str, error: ExchangeError) -> None:
        """Count a failed order as a silence, if it tells of the venue's health: a business refusal does not."""
        chart = self._charts.get(trader_id)
        if chart is None or not _is_illness(error):
            return
        chart.pulse = pulses.silent(chart.pulse, error.error, self._settings)
        self._woken.set()
        chart.alarm.set()

    def report_trader_answer(self, trader_id: str) -> None:
        """Count an order's answer: a venue that answers most orders is not silent, whatever it loses in between."""
        chart = self._charts[trader_id]
        if chart.pulse.silences and chart.pulse.health is not Health.DOWN:
            chart.pulse = replace(chart.pulse, silences=0)

    def quarantine(self, trader_id: str) -> None:
        """Give this trader no more orders until an operator resumes it: a proof was broken."""
        self._charts[trader_id].proof_broken = True
        self._woken.set()

    def lift(self, trader_id: str) -> None:
        """Close the breaker and lift the quarantine, as an operator wishes. More unresolved outcomes bring it back.

        What was filled beyond its order counts as seen.
        """
        chart = self._charts[trader_id]
        chart.proof_broken, chart.pardoned = False, chart.unresolved
        port = self._traders[trader_id]
        port.account = replace(port.account, overfills=())
        port.exchange.reset()
        self._woken.set()

    def nudge(self) -> None:
        """Say that a breaker changed. Safe to call often; wake-ups merge."""
        self._woken.set()
        for chart in self._charts.values():
            chart.alarm.set()

    async def _attend(self, name: str) -> None:
        chart = self._charts[name]
        while True:
            await self.check_trader(name)
            await self._clock.sleep(self._pause(name))
            if runs_free() and self._is_well(name):
                await self._nap(chart)

    async def _nap(self, chart: _Chart) -> None:
        chart.alarm.clear()
        try:
            async with self._clock.timeout(self._settings.nap_s):
                await chart.alarm.wait()
        except TimeoutError:
            return

    def _is_well(self, name: str) -> bool:
        pulse, exchange = self._charts[name].pulse, self._traders[name].exchange
        return pulse.health is Health.UP and pulse.silences == 0 and exchange.breaker_state is BreakerState.CLOSED

    async def _listen(self) -> None:
        while True:
            await self._woken.wait()
            await self._clock.sleep(SETTLE_S)
            self._woken.clear()
            await self._note(list(self._traders))

    def _pause(self, name: str) -> float:
        port = self._traders[name]
        spread = self._settings.jitter * (2.0 * self._jitter.random() - 1.0)
        pause = self._settings.time_every_s * (1.0 + spread)
        # A breaker turns half-open with the first good read after its time: so read then, not up to a whole turn later.
        breakers = [port.exchange.breaker(guards) for guards in Guards]
        left = [b.open_until - self._clock.elapsed() for b in breakers if b.open_until is not None]
        if left and max(left) > 0:
            pause = min(pause, max(left) + AFTER_OPEN_S)
        return pause

    def _may_ask(self, port: TraderPort) -> bool:
        # A read that its breaker would not let pass says nothing of the venue.
        return port.exchange.breaker(Guards.READS).would_permit(self._clock.elapsed())

    def _is_account_due(self, port: TraderPort, chart: _Chart) -> bool:
        # Asking for an account with refused credentials again and again gets an address banned.
        forced = port.exchange.breaker_state is BreakerState.FORCED_OPEN
        return not forced and self._clock.elapsed() >= chart.private_at

    async def _read_clock(self, port: TraderPort, chart: _Chart) -> bool:
        began, began_at = self._clock.elapsed(), self._clock.wall()
        venue = await self._ask(chart, port.exchange.venue_time)
        if venue is None:
            return False
        round_trip_s = self._clock.elapsed() - began
        step_s = port.exchange.capabilities.time_step_s  # what it does not say of its time it may have on top of it
        middle_s = (venue - began_at).total_seconds() + (step_s - round_trip_s) / 2
        chart.clocks.append((round_trip_s, middle_s))
        port.clock_offset_s = min(reversed(chart.clocks), key=itemgetter(0))[1]  # of equal ones the newest
        offset_s = pulses.offset_of(middle_s, round_trip_s + step_s)
        chart.pulse = pulses.clock_read(chart.pulse, offset_s, self._clock.elapsed(), self._settings)
        return True

    async def _read_account(self, port: TraderPort, chart: _Chart) -> None:
        # A trader that could not be opened at the start has no symbols: opening it reads rules and balances.
        call = port.refresh_balances if port.rules else port.open
        if await self._ask(chart, lambda: _true_after(call())):
            chart.private_at = self._clock.elapsed() + self._settings.private_every_s

    async def _ask(self, chart: _Chart, call: Callable[[], Awaitable[_Answer]]) -> _Answer | None:
        try:
            # The guard's own deadline comes first, because a call given up from here does not count for its breaker.
            async with self._clock.timeout(self._settings.timeout_s + GRACE_S):
                answer = await call()
        except TimeoutError:
            fact = f"no answer within {self._settings.timeout_s:g} s"
            chart.pulse = pulses.silent(chart.pulse, fact, self._settings)
            return None
        except ExchangeError as error:
            if _is_illness(error):
                chart.pulse = pulses.silent(chart.pulse, error.error, self._settings)
            return None
        chart.pulse = pulses.answered(chart.pulse, self._clock.elapsed(), _p95(chart.clocks), self._settings)
        return answer

    def _state(self, name: str) -> TraderState:
        port, chart = self._traders[name], self._charts[name]
        row = chart.row or TraderState(name, port.exchange.name)
        crowded = chart.unresolved >= self._settings.quarantine_after and chart.unresolved > chart.pardoned
        shown = chart.written
        same = shown is not None and shown.health is chart.pulse.health and shown.health_since is not None
        return replace(
            row,
            health=chart.pulse.health,
            health_since=shown.health_since if shown is not None and same else self._clock.wall(),
            health_fact=chart.pulse.fact,
            breaker=port.exchange.breaker_state,
            open_until=port.exchange.open_until,
            breaker_fact=port.exchange.breaker_fact,
            quarantined=chart.proof_broken or crowded,
            proof_broken=chart.proof_broken,
            in_flight=port.in_flight,
            latency_p50=port.exchange.latency(0.5),
            latency_p95=port.exchange.latency(0.95),
            account=replace(port.account, budget=port.exchange.budget),
        )

    async def _count_unresolved(self) -> None:
        change = await self._store.change()
        if change == self._seen_change:
            return
        counts = dict.fromkeys(self._charts, 0)
        for attempt in await self._store.live_attempts():
            if attempt.trader in counts and attempt.state in {AttemptState.UNKNOWN, AttemptState.REVIEW}:
                counts[attempt.trader] += 1
        for name, chart in self._charts.items():
            chart.unresolved = counts[name]
            chart.pardoned = min(chart.pardoned, chart.unresolved)
        self._seen_change = change

    async def _note(self, names: list[str]) -> None:
        # One at a time: two writers that both see a transition would journal it twice.
        async with self._writing:
            await self._count_unresolved()
            notes: list[TraderHealth] = []
            for name in names:
                chart, state = self._charts[name], self._state(name)
                events = pulses.transitions(chart.written, state, self._clock.wall())
                events += self._clock_news(name, chart)
                stale = self._clock.machine() - chart.written_at >= NOTE_EVERY_S and state != chart.written
                audited = chart.written is None or _lasting(state.account) != _lasting(chart.written.account)
                if events or stale or audited:
                    notes.append(TraderHealth(state, tuple(events)))
            if not notes:
                return
            await self._store.note_health(notes)
            for note in notes:
                chart = self._charts[note.state.name]
                chart.written, chart.written_at = note.state, self._clock.machine()

    def _clock_news(self, name: str, chart: _Chart) -> list[NewEvent]:
        off = abs(chart.pulse.offset_s)
        bound = self._settings.offset_warn_s
        if chart.is_clock_warned == (off > bound):
            return []
        chart.is_clock_warned = off > bound
        word = f"at least {off:.2f} s off ours" if off > bound else "near ours again"
        level = Level.WARNING if off > bound else Level.INFO
        text = f"{name}: the venue's clock is {word}"
        return [NewEvent(EventKind.TRADER, self._clock.wall(), text, level, trader=name, code="clock_offset")]


def _lasting(account: AccountFacts) -> AccountFacts:
    """Return the facts without what changes with every call: it is kept when the row is written anyway."""
    return replace(account, budget=None)


async def _true_after(call: Awaitable[None]) -> bool:
    await call
    return True


def _p95(clocks: Sequence[tuple[float, float]]) -> float | None:
    if len(clocks) < SAMPLES_MIN:
        return None
    trips = sorted(trip for trip, _ in clocks)
    return trips[ceil(0.95 * len(trips)) - 1]


def _is_illness(error: ExchangeError) -> bool:
    if isinstance(error, Refused):
        return error.kind is RefusalKind.MAINTENANCE
    return not isinstance(error, Withheld)
