"""Booking: writes down what was found out about orders, and what follows from it for their signals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from engine.clock import Clock
from engine.core.backoff import Dice, RetryPolicy
from engine.core.errors import CommandRefused
from engine.core.events import EventKind, Level, NewEvent, Signal
from engine.core.lifecycle import AttemptState, AttemptStep, SignalStep, advance_attempt
from engine.core.order import Attempt, Latency, OrderReport
from engine.core.reconcile import End, Evidence, Next, after_attempt, next_poll
from engine.core.text import clean
from engine.core.values import Reason
from engine.execution import Tenure
from engine.store.base import Applied, AttemptMove, Probe, Store
from engine.workers.trader import TraderActor, hand_in_rest

_TRADED = frozenset({AttemptState.FILLED, AttemptState.PARTIAL_CLOSED})


@dataclass(frozen=True, slots=True)
class ReconcilerWorld:
    """What reconciler and auditor share. `freed` is called when a signal may be dispatched again, `quarantine` with a
    trader whose venue has another order than the one that was sent. `may_send` says whether an operator lets anything be
    sent by a trader now."""

    store: Store
    clock: Clock
    chance: Dice
    retry: RetryPolicy
    tenure: Tenure
    desks: Mapping[str, TraderActor]
    freed: Callable[[], None]
    quarantine: Callable[[str], None]
    may_send: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look brought: the signal's next step if it ends the attempt, a sentence, the venue's word, the evidence."""

    next: Next | None
    text: str
    report: OrderReport | None
    seen: Evidence | None = None


class Booking:
    """See the module. `expect` is told when an order is to be looked at again."""

    def __init__(self, world: ReconcilerWorld, expect: Callable[[datetime], None]) -> None:
        self._world, self._expect = world, expect

    async def move(self, attempt: Attempt, step: AttemptStep, finding: Finding) -> Applied:
        """Take the attempt's step, and its signal's with it, unless the attempt moved on meanwhile."""
        world, now, report, nxt = self._world, self._world.clock.wall(), finding.report, finding.next
        state = advance_attempt(attempt.state, step)
        again = next_poll(now, now) if state is AttemptState.ACCEPTED else None
        desk = world.desks.get(attempt.trader)
        over = desk.overfilled(attempt, report) if desk is not None and report is not None else ()
        move = AttemptMove(
            attempt.client_order_id,
            attempt.state,
            step,
            now,
            None,
            (_event(attempt, step, finding, now), *over),
            venue_order_id=report.venue_order_id if report else None,
            fills=report.fills if report else (),
            answered_at=now if attempt.answered_at is None and report is not None else None,
            next_probe_at=again,
            evidence=finding.seen.encode() if finding.seen else None,
            latency=_filled(attempt, state, now),
            signal_step=nxt.step if nxt else None,
            signal_reason=nxt.reason if nxt else None,
            due_at=nxt.due_at if nxt else None,
        )
        [applied] = await world.store.move_attempts([move])
        if again is not None:
            self._expect(again)
        if applied is Applied.APPLIED and state is AttemptState.PARTIAL_CLOSED and report is not None:
            await self._hand_in_rest(attempt, report)
        if applied is Applied.APPLIED and nxt is not None:
            world.freed()
        if report is not None and report.fills and desk is not None:
            desk.balances_stale = True
        return applied

    async def escalate(self, attempt: Attempt, why: str, seen: Evidence | None = None) -> None:
        """Leave the attempt to a person."""
        nxt = Next(SignalStep.ESCALATE, Reason("needs_review", why))
        await self.move(attempt, AttemptStep.ESCALATE, Finding(nxt, f"needs a review: {why}", None, seen))

    async def look_again(self, attempt: Attempt, at: datetime, finding: Finding | None, code: str = "") -> None:
        """Count a look that moved nothing; with a `finding` its evidence is kept and journalled."""
        event = kept = None
        if finding is not None and finding.seen is not None:
            kept = finding.seen.encode()
            event = self.probe_event(attempt, finding.text, code or f"probe_{finding.seen.found}", {"evidence": kept})
        await self._world.store.note_probes([Probe(attempt.client_order_id, at, kept or "", event)])
        self._expect(at)

    def probe_event(self, attempt: Attempt, text: str, code: str, detail: Mapping[str, object]) -> NewEvent:
        """Return the journal's entry of something that proved nothing."""
        return NewEvent(
            EventKind.PROBE,
            self._world.clock.wall(),
            clean(text),
            signal_id=attempt.signal_id,
            attempt_n=attempt.n,
            trader=attempt.trader,
            code=code,
            detail=detail,
        )

    async def after(self, attempt: Attempt, state: AttemptState) -> Next | None:
        """Return what the signal does once `attempt` has come to `state`.

        An order that came back from a proven end may stand beside another one that traded: then the signal is done.
        """
        world, signal = self._world, await self.signal(attempt)
        nxt = after_attempt(signal, End(state), world.retry, world.clock.wall(), world.chance)
        if nxt is None or nxt.step is SignalStep.COMPLETE or signal.attempts < 2:
            return nxt
        story = await world.store.story(signal.id)
        others = [a for a in story.attempts if a.n != attempt.n] if story else []
        traded = next((a for a in others if a.state in _TRADED), None)
        if traded is None:
            return nxt
        return Next(SignalStep.COMPLETE, Reason(str(traded.state), f"attempt {traded.n} traded; {nxt.reason.text}"))

    async def signal(self, attempt: Attempt) -> Signal:
        """Return the attempt's signal as it is now."""
        signal = await self._world.store.signal(attempt.signal_id)
        assert signal is not None, "an attempt's signal is never removed before it"
        return signal

    def desk(self, attempt: Attempt) -> TraderActor:
        """Return whose order it is. Raises CommandRefused if that trader is not configured any more."""
        desk = self._world.desks.get(attempt.trader)
        if desk is None:
            raise CommandRefused(
                f"trader {attempt.trader} is not configured any more; add it back to look after its orders"
            )
        return desk

    async def _hand_in_rest(self, attempt: Attempt, report: OrderReport) -> None:
        if self._world.retry.child_for_rest:
            filled = max(report.filled_quantity, attempt.filled_quantity)
            await hand_in_rest(self._world, attempt, filled)


def _event(attempt: Attempt, step: AttemptStep, finding: Finding, now: datetime) -> NewEvent:
    state = advance_attempt(attempt.state, step)
    seen = finding.seen.encode() if finding.seen else None
    return NewEvent(
        EventKind.ATTEMPT,
        now,
        clean(f"attempt {attempt.n} by {attempt.trader}: {finding.text}"),
        level=Level.ERROR if state is AttemptState.REVIEW else Level.INFO,
        signal_id=attempt.signal_id,
        attempt_n=attempt.n,
        trader=attempt.trader,
        code=str(step),
        from_state=attempt.state,
        to_state=state,
        detail={"evidence": [*attempt.evidence, *([seen] if seen else [])]} if state is AttemptState.ABSENT else {},
    )


def _filled(attempt: Attempt, state: AttemptState, now: datetime) -> Latency | None:
    is_news = state is AttemptState.FILLED and attempt.state is not AttemptState.FILLED
    if not is_news or attempt.answered_at is None or attempt.latency.acknowledged is None:
        return None
    return replace(attempt.latency, filled=max(0.0, (now - attempt.answered_at).total_seconds()))
