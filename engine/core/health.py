"""A trader's pulse: what a run of answers and silences says about a venue, without haste in either direction.

Pure: a frozen `Pulse` goes in with what was seen, another comes out. Times are elapsed seconds.

    UNCHECKED --answered-->                             UP
    UNCHECKED, UP, DEGRADED --`down_after` silences-->  DOWN
    DOWN --`up_after` answers, and `dwell_s` of them--> UP
    UP <--slow, quick again-->                          DEGRADED
    any --its clock is too far off-->                   DOWN, until it is near again
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from engine.core.events import BreakerState, EventKind, Health, Level, NewEvent, TraderState

RECOVERED: Final = 0.75  # what was too much (slowness, clock offset) must fall below this share of its bound

LOUD: Final = frozenset(
    {str(Health.DOWN), str(Health.DEGRADED), str(BreakerState.OPEN), str(BreakerState.FORCED_OPEN), "quarantined"}
)


class HealthSettings(BaseModel):
    """How often traders are asked how they are, and what their answers mean. Durations and offsets are seconds.

    `jitter` is the share by which each wait varies, so that traders are not all asked at once. `dwell_s` is how long a
    trader that was down must answer before it is up. `quarantine_after` is how many unresolved outcomes one trader may
    have before it gets no more orders. `nap_s` is how much longer a trader that is well is left alone where the loop never
    waits: in a replay at full speed the questions would cost more than all the rest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_every_s: float = Field(15.0, gt=0, allow_inf_nan=False)
    private_every_s: float = Field(60.0, gt=0, allow_inf_nan=False)
    jitter: float = Field(0.2, ge=0, lt=1)
    timeout_s: float = Field(5.0, gt=0, allow_inf_nan=False)
    down_after: int = Field(3, ge=1, le=100)
    up_after: int = Field(2, ge=1, le=100)
    dwell_s: float = Field(30.0, ge=0, allow_inf_nan=False)
    degraded_p95_s: float = Field(2.0, gt=0, allow_inf_nan=False)
    offset_warn_s: float = Field(0.25, gt=0, allow_inf_nan=False)
    offset_block_s: float = Field(0.75, gt=0, allow_inf_nan=False)
    quarantine_after: int = Field(2, ge=1, le=100)
    nap_s: float = Field(300.0, ge=0, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Pulse:
    """One trader's health at one moment. `fact` is the sentence behind it; empty while all is well.

    `silences` and `answers` count in a row; `answering_since` is when the present row of answers began.
    `offset_s` is the least by which the venue's clock is off ours (venue minus ours), as far as it can be proven.
    """

    health: Health = Health.UNCHECKED
    fact: str = ""
    silences: int = 0
    answers: int = 0
    answering_since: float | None = None
    offset_s: float = 0.0
    clock_blocked: bool = False


def offset_of(venue_minus_middle_s: float, round_trip_s: float) -> float:
    """Return the proven part of a clock offset: the middle of the call may be half a round trip from the reading."""
    doubt = round_trip_s / 2
    if abs(venue_minus_middle_s) <= doubt:
        return 0.0
    return venue_minus_middle_s - doubt if venue_minus_middle_s > 0 else venue_minus_middle_s + doubt


def answered(pulse: Pulse, now: float, p95_s: float | None, settings: HealthSettings) -> Pulse:
    """Return the pulse after an answer. `p95_s` is how long the venue's slower answers took lately, if known."""
    since = now if pulse.answering_since is None else pulse.answering_since
    heard = replace(pulse, silences=0, answers=pulse.answers + 1, answering_since=since)
    if heard.clock_blocked:
        return heard
    if heard.health is Health.DOWN:
        left = settings.dwell_s - (now - since)
        if heard.answers < settings.up_after or left > 0:
            return replace(heard, fact=f"answers again; counts as up after {settings.dwell_s:g} s of answers")
    return _paced(heard, p95_s, settings)


def silent(pulse: Pulse, fact: str, settings: HealthSettings) -> Pulse:
    """Return the pulse after a call that should have been answered was not; `fact` is a cleaned sentence."""
    heard = replace(pulse, silences=pulse.silences + 1, answers=0, answering_since=None)
    if heard.silences >= settings.down_after:
        fact = f"{heard.silences} times in a row: {fact}"
    elif heard.health is not Health.DOWN:
        return heard
    return replace(heard, health=Health.DOWN, fact=heard.fact if heard.clock_blocked else fact)


def clock_read(pulse: Pulse, offset_s: float, now: float, settings: HealthSettings) -> Pulse:
    """Return the pulse after the venue's clock was read, `offset_s` off at the least.

    Past the bound the trader is down at once: a venue refuses what is signed with a clock so far off.
    """
    off = abs(offset_s)
    way = "ahead of" if offset_s > 0 else "behind"
    if off > settings.offset_block_s:
        fact = f"its clock is at least {off:.2f} s {way} ours; at most {settings.offset_block_s:g} s is safe"
        return replace(pulse, health=Health.DOWN, fact=fact, offset_s=offset_s, clock_blocked=True)
    if pulse.clock_blocked and off <= settings.offset_block_s * RECOVERED:
        # A right clock is proof enough by itself: no dwell, but the trader must have answered to tell it.
        return replace(
            pulse,
            health=Health.UP,
            fact="",
            offset_s=offset_s,
            clock_blocked=False,
            answering_since=pulse.answering_since or now,
        )
    return replace(pulse, offset_s=offset_s)


def transitions(before: TraderState | None, after: TraderState, at: datetime) -> list[NewEvent]:
    """Return a journal entry for each thing about a trader that turned: health, breaker, quarantine."""
    old = before or TraderState(after.name, after.exchange)
    turns = (
        ("health", old.health, after.health, after.health_fact),
        ("breaker", old.breaker, after.breaker, after.breaker_fact),
        ("quarantine", _standing(old), _standing(after), "outcomes are unresolved or a proof was broken"),
    )
    return [_told(after, at, *turn) for turn in turns if turn[1] != turn[2]]


_QUARANTINE: Final = {"quarantined": "quarantined", "free": "out of quarantine"}


def _standing(state: TraderState) -> str:
    return "quarantined" if state.quarantined else "free"


def _told(state: TraderState, at: datetime, *turn: str) -> NewEvent:
    what, old, new, fact = turn
    loud = new in LOUD
    words = _QUARANTINE[new] if what == "quarantine" else f"{what} {new.replace('_', ' ')}"
    return NewEvent(
        EventKind.TRADER,
        at,
        f"{state.name}: {words}" + (f": {fact}" if fact and loud else ""),
        Level.WARNING if loud else Level.INFO,
        trader=state.name,
        code=f"{what}_{new}",
        from_state=old,
        to_state=new,
        detail=_beside(state, what, fact if loud else ""),
    )


def _beside(state: TraderState, what: str, fact: str) -> dict[str, object]:
    """Return what the row keeps of such a turn beside the state itself."""
    kept: dict[str, object] = {"fact": fact} if fact and what != "quarantine" else {}
    if what == "breaker" and state.open_until is not None:
        kept["open_until"] = state.open_until.isoformat()
    if what == "quarantine" and state.proof_broken:
        kept["proof_broken"] = True
    return kept


def _paced(pulse: Pulse, p95_s: float | None, settings: HealthSettings) -> Pulse:
    bound = settings.degraded_p95_s * (RECOVERED if pulse.health is Health.DEGRADED else 1.0)
    if p95_s is not None and p95_s > bound:
        return replace(pulse, health=Health.DEGRADED, fact=f"1 in 20 answers takes over {p95_s:.1f} s")
    return replace(pulse, health=Health.UP, fact="")
