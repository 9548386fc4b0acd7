"""The route: which trader a signal goes to, and why each of the others was passed over.

A second order is only ever sent after proof that the first is none, so a fallback is asked for only when no attempt of
the signal is live. What can never change about a trader is said before what may: a paused trader that holds nothing to
sell is not worth waiting for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

from engine.core.errors import RefusalKind
from engine.core.events import BreakerState, Considered, Desired, Route, Signal, TraderState
from engine.core.lifecycle import LIVE_OR_DONE_ATTEMPTS, AttemptState
from engine.core.order import Attempt
from engine.core.values import Side

# Refusals that say nothing about the order itself: the same trader may take it a little later.
_PASSING: Final = (RefusalKind.RATE, RefusalKind.MAINTENANCE, RefusalKind.CLOCK, RefusalKind.DEADLINE)
PASSING_REFUSALS: Final = frozenset({f"refused_{kind}" for kind in _PASSING})  # as attempts keep them


@dataclass(frozen=True, slots=True)
class Candidate:
    """One trader as the routing sees it, in the order in which traders are configured.

    `symbols` None means that they are not known yet, so that nothing can be sent there. `slots_free` counts orders that
    it may take beside those in flight. `holds` is its signed position in the signal's symbol.
    """

    state: TraderState
    symbols: frozenset[str] | None
    slots_free: int
    shorting: bool
    holds: Decimal = Decimal(0)
    exit_under_way: bool = False

    @property
    def name(self) -> str:
        return self.state.name


@dataclass(frozen=True, slots=True)
class Tried:
    """An earlier attempt of the same signal, since it came in or an operator put it back.

    `error_code` is the attempt's own: after a refusal that will pass, the same trader may try again.
    """

    trader: str
    state: AttemptState
    error_code: str | None = None


class TraderBound(Protocol):
    """The part of the retry policy that routing needs."""

    @property
    def traders_max(self) -> int: ...


def route(
    signal: Signal,
    candidates: Sequence[Candidate],
    tried: Sequence[Tried],
    policy: TraderBound,
    now: datetime | None = None,
) -> Route:
    """Choose the first trader that may take the signal: least tried, then preferred, then as configured.

    `now` adds to an open breaker how long it stays open. Exits go to the trader that holds the position, and only there.
    """
    exiting = signal.reduces or any(_can_lower(signal, c) for c in candidates)
    ordered = sorted(candidates, key=lambda c: (_tries(c, tried), c.name != signal.preferred_trader))
    chosen: str | None = None
    considered = []
    for candidate in ordered:
        verdict = (
            _why_never(signal, candidate, exiting=exiting)
            or _why_not_again(candidate, tried, policy)
            or _why_not_yet(candidate, now, exiting=exiting)
        )
        if verdict is None and chosen is None:
            chosen = candidate.name
            why = _why_chosen(signal, candidate, tried)
            verdict = Considered(candidate.name, chosen=True, why=why, code="chosen")
        elif verdict is None:
            before = _proven_before(candidate, tried)
            why = f"{before}could take it, after {chosen}"
            verdict = Considered(candidate.name, chosen=False, why=why, code="not_needed")
        considered.append(verdict)
    return Route(chosen, tuple(considered))


def _why_chosen(signal: Signal, candidate: Candidate, tried: Sequence[Tried]) -> str:
    why = "preferred" if candidate.name == signal.preferred_trader else "the first that may take it"
    others = {t.trader: t.state for t in tried if t.trader != candidate.name}
    if not others or any(t.trader == candidate.name for t in tried):
        return why
    proofs = ", ".join(f"the attempt at {name} {_PROOFS.get(state, f'is {state}')}" for name, state in others.items())
    return f"fallback after proof: {proofs}"


def _proven_before(candidate: Candidate, tried: Sequence[Tried]) -> str:
    last = next((t for t in reversed(tried) if t.trader == candidate.name), None)
    return f"its attempt {_PROOFS.get(last.state, f'is {last.state}')}; " if last is not None else ""


_PROOFS: Final = {
    AttemptState.NOT_SENT: "never left this machine",
    AttemptState.REJECTED: "was refused",
    AttemptState.ABSENT: "is proven never to have reached the venue",
    AttemptState.CANCELED: "was closed with nothing traded",
}


def no_fallback(attempts: Sequence[Attempt]) -> str:
    """Return why no other trader may be used for a signal now; empty if none of its attempts stands in the way."""
    doubtful = next((a for a in reversed(attempts) if a.state in _DOUBTFUL), None)
    if doubtful is None:
        return ""
    what = f"the outcome of attempt {doubtful.n} at {doubtful.trader} is {_DOUBTFUL[doubtful.state]}"
    return f"{what}, and a second order might double it"


_DOUBTFUL: Final = {AttemptState.UNKNOWN: "unknown", AttemptState.REVIEW: "beyond proof"}


def _can_lower(signal: Signal, candidate: Candidate) -> bool:
    """Whether the order would only lower what this trader holds."""
    held = -candidate.holds * signal.side.sign
    return held > 0 and (signal.quantity is None or signal.quantity <= held)


def _tries(candidate: Candidate, tried: Sequence[Tried]) -> int:
    return sum(t.trader == candidate.name for t in tried)


def _why_never(signal: Signal, candidate: Candidate, *, exiting: bool) -> Considered | None:
    if candidate.symbols is not None and signal.symbol not in candidate.symbols:
        return _passed(candidate, f"does not trade {signal.symbol}", "unknown_symbol", lifts=False)
    held = -candidate.holds * signal.side.sign
    selling = signal.side is Side.SELL
    if exiting or (selling and not candidate.shorting):
        if held <= 0:
            why = "holds nothing to sell" if selling else "holds no short position to buy back"
            return _passed(candidate, why, "nothing_to_sell", lifts=False)
        if not signal.reduces and signal.quantity is not None and signal.quantity > held:
            return _passed(candidate, f"holds only {held} of it", "nothing_to_sell", lifts=False)
    if signal.reduces and signal.preferred_trader not in (None, candidate.name):
        why = f"the position to close is {signal.preferred_trader}'s"
        return _passed(candidate, why, "nothing_to_sell", lifts=False)
    return None


def _why_not_again(candidate: Candidate, tried: Sequence[Tried], policy: TraderBound) -> Considered | None:
    here = [t for t in tried if t.trader == candidate.name]
    live = next((t for t in tried if t.state in LIVE_OR_DONE_ATTEMPTS), None)
    if live is not None:
        why = f"waits for the attempt at {live.trader}, which is {live.state}"
        return _passed(candidate, why, "live_attempt", lifts=True)
    if any(t.state is AttemptState.REJECTED and t.error_code not in PASSING_REFUSALS for t in here):
        return _passed(candidate, "already tried and refused there", "already_tried", lifts=False)
    traders = {t.trader for t in tried}
    if not here and len(traders) >= policy.traders_max:
        why = f"trader limit reached: {len(traders)} of {policy.traders_max} were tried"
        return _passed(candidate, why, "trader_limit", lifts=False)
    return None


def _why_not_yet(candidate: Candidate, now: datetime | None, *, exiting: bool) -> Considered | None:
    state = candidate.state
    if state.why_not:
        return _passed(candidate, state.why_not + _for_how_long(state, now), _code(state), lifts=True)
    if candidate.symbols is None:
        return _passed(candidate, "has not told its symbols yet", "symbols_unknown", lifts=True)
    if exiting and candidate.exit_under_way:
        return _passed(candidate, "an exit of this position is under way there", "exit_under_way", lifts=True)
    if candidate.slots_free <= 0:
        return _passed(candidate, "no free slot", "no_slot", lifts=True)
    return None


def _passed(candidate: Candidate, why: str, code: str, *, lifts: bool) -> Considered:
    return Considered(candidate.name, chosen=False, why=why, lifts=lifts, code=code)


def _code(state: TraderState) -> str:
    if state.desired is not Desired.RUN:
        return "paused"
    if state.quarantined:
        return "quarantined"
    return "breaker_open" if state.breaker in {BreakerState.OPEN, BreakerState.FORCED_OPEN} else "down"


def _for_how_long(state: TraderState, now: datetime | None) -> str:
    if now is None or state.open_until is None or _code(state) != "breaker_open":
        return ""
    left = (state.open_until - now).total_seconds()
    return f", {left:.0f} s more" if left > 0 and state.breaker is BreakerState.OPEN else ""
