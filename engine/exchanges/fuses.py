"""The two breakers of one account, one for orders and one for reads, and who hears of their changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.clock import Clock
from engine.core import breaker as breakers
from engine.core.breaker import Breaker, BreakerSettings, Guards, Outcome
from engine.core.events import BreakerState


@dataclass(frozen=True, slots=True)
class BreakerChange:
    """A breaker of the exchange `name` went from one state to another, for the reason in `fact`."""

    name: str
    guards: Guards
    before: BreakerState
    after: BreakerState
    open_until: datetime | None
    fact: str


@dataclass(slots=True)
class Call:
    """One call under way: which breaker let it pass in which of its terms, when it began, whether it was handed over."""

    guards: Guards
    term: int
    began_s: float
    handed: bool = False


class Fuses:
    """Keeps both breakers in time, and tells of every change of state."""

    def __init__(
        self, name: str, settings: BreakerSettings, clock: Clock, on_change: Callable[[BreakerChange], None]
    ) -> None:
        self._name, self._slow_s, self._clock, self._on_change = name, settings.slow_s, clock, on_change
        self._breakers = {guards: Breaker(guards, settings) for guards in Guards}

    def __getitem__(self, guards: Guards) -> Breaker:
        return self._breakers[guards]

    def admit(self, guards: Guards) -> Call | str:
        """Return the call that may go, which must be ended, or why none may."""
        before, now = self._breakers[guards], self._clock.elapsed()
        permitted, passes = breakers.permit(before, now)
        self._turn(permitted)
        if passes:
            return Call(guards, permitted.term, now)
        why = "the one probe is under way" if before.state is BreakerState.HALF_OPEN else before.fact
        return f"breaker for {guards} {before.state}: {why}"

    def would_admit(self, guards: Guards) -> bool:
        return self._breakers[guards].would_permit(self._clock.elapsed())

    def end(self, call: Call, outcome: Outcome) -> float:
        """Count a call that ended; returns the seconds that it took. What was never handed over says nothing."""
        now = self._clock.elapsed()
        took_s = now - call.began_s
        said = outcome if call.handed else Outcome.SILENT
        self._turn(breakers.record(self._breakers[call.guards], said, took_s, now, call.term))
        if call.guards is Guards.READS and said is Outcome.OK:
            self._turn(breakers.note_read(self._breakers[Guards.ORDERS], now))
        return took_s

    def end_given_up(self, call: Call) -> None:
        """Count a call whose caller did not wait: after a slow call's time the venue was silent, before it nobody knows."""
        waited_s = self._clock.elapsed() - call.began_s
        self.end(call, Outcome.FAILED if waited_s >= self._slow_s else Outcome.SILENT)

    def hold(self, seconds: float, fact: str) -> None:
        """Open both for at least so long."""
        for guards in Guards:
            self._turn(breakers.hold(self._breakers[guards], seconds, self._clock.elapsed(), fact))

    def force_open(self, reason: str) -> None:
        """Let no order pass until `reset`; reads go on, for orders that are still to be looked up."""
        self._turn(breakers.force_open(self._breakers[Guards.ORDERS], reason))

    def reset(self) -> None:
        for guards in Guards:
            self._turn(breakers.reset(self._breakers[guards]))

    def open_until(self, guards: Guards) -> datetime | None:
        """Return the wall time until which a breaker is open; None if it is not open for a time."""
        until_s = self._breakers[guards].open_until
        return None if until_s is None else self._clock.wall() + timedelta(seconds=until_s - self._clock.elapsed())

    def _turn(self, after: Breaker) -> None:
        before = self._breakers[after.guards]
        self._breakers[after.guards] = after
        if before.state is not after.state:
            until = self.open_until(after.guards)
            self._on_change(BreakerChange(self._name, after.guards, before.state, after.state, until, after.fact))
