"""A price feed's pulse: what a run of answers, silences and nonsense says about where prices come from.

Pure: a frozen `FeedPulse` goes in with what was seen, another comes out. Times are elapsed seconds.

    CONNECTING --answered-->                              LIVE
    CONNECTING, LIVE --DOWN_AFTER failures in a row-->    DEAD or GARBAGE, by the last of them
    DEAD <--DOWN_AFTER failures of the other kind-->      GARBAGE
    DEAD, GARBAGE --UP_AFTER answers in a row-->          LIVE
    LIVE --no trade for longer than is usual-->           STALE, until UP_AFTER answers with trades, close together
    LIVE, STALE --its clock is too far off-->             CLOCK_OFF, until it is near again
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from engine.core.events import EventKind, Level, NewEvent

DOWN_AFTER: Final = 2
UP_AFTER: Final = 2
RECOVERED: Final = 0.75  # a clock that was too far off must come below this share of the bound


class FeedState(StrEnum):
    CONNECTING = "connecting"  # it has not answered yet
    LIVE = "live"
    DEAD = "dead"  # no connection, no answer in time, or a venue that says it is down
    STALE = "stale"  # it answers, but nothing is traded for longer than is usual
    GARBAGE = "garbage"  # it answers what is no market data
    CLOCK_OFF = "clock_off"  # it is live by a clock that is too far off ours; its times are shifted


# What an operator does about each.
REMEDIES: Final[Mapping[FeedState, str]] = {
    FeedState.CONNECTING: "wait: it takes some seconds",
    FeedState.LIVE: "",
    FeedState.DEAD: "look at the network and the venue's status page; it is asked again by itself",
    FeedState.STALE: "look whether its symbols are traded at the venue; for quiet ones raise stale_after_s of the feed",
    FeedState.GARBAGE: "look at the venue's status page, and at proxies and urls in the feed's ccxt table",
    FeedState.CLOCK_OFF: "set this machine's clock (NTP); if it is right, wait for the venue",
}
FLOWING: Final = frozenset({FeedState.LIVE, FeedState.CLOCK_OFF})


@dataclass(frozen=True, slots=True)
class FeedBounds:
    """What is usual, in seconds: the longest time without a trade, and how far a venue's clock may be off ours."""

    stale_after_s: float = 60.0
    clock_off_s: float = 2.0


@dataclass(frozen=True, slots=True)
class FeedStanding:
    """A feed at one moment: its state, the fact behind it, whose prices it brings, and what it counted."""

    name: str
    state: FeedState
    fact: str = ""
    symbols: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_flowing(self) -> bool:
        """Say whether its prices are of this moment."""
        return self.state in FLOWING

    @property
    def shown(self) -> str:
        return self.state.replace("_", " ")

    @property
    def remedy(self) -> str:
        return REMEDIES[self.state]


@dataclass(frozen=True, slots=True)
class FeedPulse:
    """One feed's condition. `contact` leaves staleness and the clock out of account.

    `failures` and `answers` count in a row, `alike` the failures of the last one's kind. `quiet_since` is when a trade was
    last seen, or when the feed came up without one. `offset_s` is the venue's clock minus ours, as far as it can be proven.
    """

    contact: FeedState = FeedState.CONNECTING
    why: str = ""
    failures: int = 0
    alike: int = 0
    last_failure: FeedState | None = None
    answers: int = 0
    quiet_since: float = 0.0
    is_stale: bool = False
    with_news: int = 0
    offset_s: float = 0.0
    is_clock_off: bool = False

    @property
    def state(self) -> FeedState:
        if self.contact is not FeedState.LIVE:
            return self.contact
        if self.is_clock_off:
            return FeedState.CLOCK_OFF
        return FeedState.STALE if self.is_stale else FeedState.LIVE


def failed(pulse: FeedPulse, kind: FeedState, why: str) -> FeedPulse:
    """Return the pulse after a round without a good answer. `kind` is DEAD or GARBAGE, `why` a cleaned sentence."""
    alike = pulse.alike + 1 if pulse.last_failure is kind else 1
    failures = pulse.failures + 1
    is_down = pulse.contact in {FeedState.DEAD, FeedState.GARBAGE}
    is_due = alike >= DOWN_AFTER if is_down else failures >= DOWN_AFTER
    contact = kind if is_due else pulse.contact
    told = why if contact in {kind, FeedState.CONNECTING} else pulse.why
    return replace(
        pulse, contact=contact, why=told, failures=failures, alike=alike, last_failure=kind, answers=0, with_news=0
    )


def heard(pulse: FeedPulse, now: float, bounds: FeedBounds, *, has_news: bool) -> FeedPulse:
    """Return the pulse after a good answer; `has_news` says that a trade was in it that was not known before."""
    answers = pulse.answers + 1
    was_live = pulse.contact is FeedState.LIVE
    if not was_live and pulse.contact is not FeedState.CONNECTING and answers < UP_AFTER:
        return replace(pulse, failures=0, alike=0, last_failure=None, answers=answers)
    quiet_since = pulse.quiet_since if was_live else now
    quiet_s = now - quiet_since
    is_close = quiet_s <= bounds.stale_after_s
    with_news = pulse.with_news + 1 if has_news and is_close else 1 if has_news else pulse.with_news
    is_stale = with_news < UP_AFTER if pulse.is_stale else not has_news and not is_close
    return replace(
        pulse,
        contact=FeedState.LIVE,
        why="",
        failures=0,
        alike=0,
        last_failure=None,
        answers=answers,
        quiet_since=now if has_news else quiet_since,
        is_stale=is_stale,
        with_news=0 if is_stale and not pulse.is_stale else with_news,
    )


def clock_read(pulse: FeedPulse, offset_s: float, bounds: FeedBounds) -> FeedPulse:
    """Return the pulse after the venue's clock was read, `offset_s` (venue minus ours) off at the least."""
    most = bounds.clock_off_s * (RECOVERED if pulse.is_clock_off else 1.0)
    return replace(pulse, offset_s=offset_s, is_clock_off=abs(offset_s) > most)


def fact_of(pulse: FeedPulse, now: float, bounds: FeedBounds) -> str:
    """Return the sentence behind the pulse's state."""
    match pulse.state:
        case FeedState.DEAD:
            return f"{pulse.failures} times in a row: {pulse.why}" if pulse.failures > 1 else pulse.why
        case FeedState.GARBAGE:
            return f"it answers what is no market data: {pulse.why}"
        case FeedState.STALE:
            return f"it answers, but there was no trade for {now - pulse.quiet_since:.0f} s; up to {bounds.stale_after_s:g} s is usual"
        case FeedState.CLOCK_OFF:
            way = "ahead of" if pulse.offset_s > 0 else "behind"
            return f"its clock is {abs(pulse.offset_s):.1f} s {way} ours; the times of its trades are shifted by that"
        case FeedState.CONNECTING:
            return f"no answer yet: {pulse.why}" if pulse.why else "no answer yet"
        case _:
            return f"the last trade came {now - pulse.quiet_since:.0f} s ago"


def turned(before: FeedState, after: FeedStanding, at: datetime) -> NewEvent:
    """Return the journal entry for a feed that went from `before` to another state."""
    is_good = after.state is FeedState.LIVE
    return NewEvent(
        EventKind.FEED,
        at,
        f"feed {after.name} is {after.shown}" + ("" if is_good else f": {after.fact}"),
        Level.INFO if is_good else Level.WARNING,
        code=f"feed_{after.state}",
        from_state=before,
        to_state=after.state,
        detail={"symbols": list(after.symbols), **({"remedy": after.remedy} if after.remedy else {})},
    )
