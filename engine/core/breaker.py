"""The circuit breaker: when a venue keeps failing, stop calling it for a while, then find out with one call.

Pure: a frozen `Breaker` goes in with the time, another comes out. Times are elapsed seconds, which never run backwards.

    CLOSED      --too many calls failed or were slow-->  OPEN for a while
    OPEN        --its time is over, and for orders a read went well since-->  HALF_OPEN
    HALF_OPEN   --the one probe was answered-->  CLOSED
    HALF_OPEN   --the one probe failed-->  OPEN for twice as long
    any         --force_open-->  FORCED_OPEN, until `reset`
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.core.events import BreakerState

_DOUBLINGS_MAX = 32


class BreakerSettings(BaseModel):
    """When a breaker opens, and for how long. Durations are seconds, ratios are 0 to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    window_calls: int = Field(20, ge=1, le=1000)
    window_s: float = Field(60.0, gt=0, allow_inf_nan=False)
    calls_min: int = Field(5, ge=1, le=1000)
    failed_ratio: float = Field(0.5, gt=0, le=1)
    slow_ratio: float = Field(0.8, gt=0, le=1)
    slow_s: float = Field(5.0, gt=0, allow_inf_nan=False)
    open_s: float = Field(30.0, gt=0, allow_inf_nan=False)
    open_s_max: float = Field(300.0, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.calls_min > self.window_calls:
            raise ValueError("calls_min must not be above window_calls: the breaker could never open")
        if self.open_s > self.open_s_max:
            raise ValueError("open_s must not be above open_s_max")
        return self


class Guards(StrEnum):
    """Which calls a breaker stands before."""

    ORDERS = "orders"  # half-open only after a read went well: a read costs nothing if it fails
    READS = "reads"


class Outcome(StrEnum):
    """What a call says about the venue's well-being."""

    OK = "ok"
    FAILED = "failed"  # unknown outcome, timeout, server error, no connection: the only one that counts against it
    REFUSED = "refused"  # it answered, with a business no: left out of the window, but a probe that it ends went well
    SILENT = "silent"  # says nothing: it never went out, or we gave it up ourselves


@dataclass(frozen=True, slots=True)
class Call:
    """One counted call: when it ended, and how."""

    at: float
    failed: bool
    slow: bool


@dataclass(frozen=True, slots=True)
class Breaker:
    """One breaker at one moment. `fact` says why it is not closed.

    `term` rises with every change of state, so that a call that began in an earlier term cannot pass for the probe.
    `openings` counts how often in a row it opened without closing; `probing` says that the one probe is out.
    """

    guards: Guards
    settings: BreakerSettings = field(default_factory=BreakerSettings)
    state: BreakerState = BreakerState.CLOSED
    calls: tuple[Call, ...] = ()
    open_until: float | None = None
    openings: int = 0
    probing: bool = False
    term: int = 0
    fact: str = ""

    def would_permit(self, now: float) -> bool:
        """Say whether `permit` would let a call pass at `now`."""
        return permit(self, now)[1]


def permit(breaker: Breaker, now: float) -> tuple[Breaker, bool]:
    """Return the breaker after a call asked to pass, and whether it may. A call that passes must be recorded."""
    current = _after_wait(breaker, now) if breaker.guards is Guards.READS else breaker
    if current.state is BreakerState.CLOSED:
        return current, True
    if current.state is BreakerState.HALF_OPEN and not current.probing:
        return replace(current, probing=True), True
    return current, False


def record(breaker: Breaker, outcome: Outcome, duration_s: float, now: float, term: int | None = None) -> Breaker:
    """Return the breaker after a permitted call ended. `term` is the breaker's at the permit; None means its own.

    A call from an earlier term changes nothing: what it found out is older than what the breaker knows.
    """
    if term is not None and term != breaker.term:
        return breaker
    if breaker.state is BreakerState.HALF_OPEN:
        return _probed(breaker, outcome, now)
    if breaker.state is not BreakerState.CLOSED or outcome in {Outcome.REFUSED, Outcome.SILENT}:
        return breaker
    call = Call(now, failed=outcome is Outcome.FAILED, slow=duration_s > breaker.settings.slow_s)
    counted = replace(breaker, calls=_window(breaker.settings, (*breaker.calls, call), now))
    fact = _objection(counted) if call.failed or call.slow else ""
    return _opened(counted, now, fact) if fact else counted


def note_read(breaker: Breaker, now: float) -> Breaker:
    """Return an order breaker after a read of the same venue went well: once its time is over it turns half-open."""
    return _after_wait(breaker, now)


def hold(breaker: Breaker, seconds: float, now: float, fact: str) -> Breaker:
    """Return the breaker open for at least `seconds`, because the venue said for how long it wants no calls."""
    if breaker.state is BreakerState.FORCED_OPEN:
        return breaker
    until = max(now + seconds, breaker.open_until or now)
    return _turned(breaker, BreakerState.OPEN, open_until=until, fact=fact)


def force_open(breaker: Breaker, reason: str) -> Breaker:
    """Return the breaker open until `reset`, for a reason that time does not lift."""
    return _turned(breaker, BreakerState.FORCED_OPEN, fact=reason)


def reset(breaker: Breaker) -> Breaker:
    """Return the breaker closed, as an operator wishes it, whatever it was."""
    return _turned(breaker, BreakerState.CLOSED, openings=0)


def _window(settings: BreakerSettings, calls: tuple[Call, ...], now: float) -> tuple[Call, ...]:
    # At most the last 20 of the last 60 s, but never fewer than it takes to judge: with tens of orders a day a window
    # of seconds alone would always be empty.
    recent = sum(1 for call in calls if now - call.at <= settings.window_s)
    return calls[-min(settings.window_calls, max(recent, settings.calls_min)) :]


def _objection(breaker: Breaker) -> str:
    settings, count = breaker.settings, len(breaker.calls)
    if count < settings.calls_min:
        return ""
    failed = sum(1 for call in breaker.calls if call.failed)
    if failed >= settings.failed_ratio * count:
        return f"{failed} of the last {count} {breaker.guards} failed"
    slow = sum(1 for call in breaker.calls if call.slow)
    if slow >= settings.slow_ratio * count:
        return f"{slow} of the last {count} {breaker.guards} took over {settings.slow_s:g} s"
    return ""


def _probed(breaker: Breaker, outcome: Outcome, now: float) -> Breaker:
    if outcome in {Outcome.OK, Outcome.REFUSED}:
        return _turned(breaker, BreakerState.CLOSED, openings=0)
    if outcome is Outcome.FAILED:
        return _opened(breaker, now, breaker.fact)
    return replace(breaker, probing=False)


def _opened(breaker: Breaker, now: float, fact: str) -> Breaker:
    settings = breaker.settings
    span = min(settings.open_s_max, settings.open_s * 2.0 ** min(breaker.openings, _DOUBLINGS_MAX))
    return _turned(breaker, BreakerState.OPEN, open_until=now + span, openings=breaker.openings + 1, fact=fact)


def _after_wait(breaker: Breaker, now: float) -> Breaker:
    if breaker.state is not BreakerState.OPEN or breaker.open_until is None or now < breaker.open_until:
        return breaker
    return _turned(breaker, BreakerState.HALF_OPEN, fact=breaker.fact)


def _turned(
    breaker: Breaker,
    state: BreakerState,
    *,
    open_until: float | None = None,
    openings: int | None = None,
    fact: str = "",
) -> Breaker:
    return Breaker(
        guards=breaker.guards,
        settings=breaker.settings,
        state=state,
        open_until=open_until,
        openings=breaker.openings if openings is None else openings,
        term=breaker.term + 1,
        fact=fact,
    )
