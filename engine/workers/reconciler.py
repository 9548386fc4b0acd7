"""The Reconciler: finds out what became of orders, by asking, never by guessing and never by sending again.

Unknown outcomes are looked up until they are found, proven absent, or beyond proof and a person's to decide. Open orders
are looked up until they are closed. Reads are free: what cannot be committed is asked again.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from engine.clock import Clock
from engine.core.backoff import Dice, RetryPolicy
from engine.core.errors import CommandRefused, ExchangeError
from engine.core.events import EventKind, Level, NewEvent, Signal
from engine.core.lifecycle import AttemptState, AttemptStep, SignalStep, advance_attempt
from engine.core.order import Attempt, Latency, OrderReport, OrderStatus
from engine.core.reconcile import (
    Asked,
    End,
    Evidence,
    Found,
    Mismatch,
    Next,
    after_attempt,
    evidence_of,
    next_poll,
    probe_plan,
    step_for_found,
    step_for_open,
)
from engine.core.text import clean
from engine.core.values import Reason
from engine.exchanges.base import Exchange, Lookup
from engine.execution import Tenure
from engine.store.base import Applied, AttemptMove, Probe, Store
from engine.workers.trader import TraderActor

BATCH: Final = 64
SWEEP_S: Final = 15.0  # behind the wake-ups


@dataclass(frozen=True, slots=True)
class ReconcilerWorld:
    """What the reconciler shares. `freed` is called when a signal may be dispatched again, `quarantine` with a
    trader whose venue has another order than the one that was sent."""

    store: Store
    clock: Clock
    chance: Dice
    retry: RetryPolicy
    tenure: Tenure
    desks: Mapping[str, TraderActor]
    freed: Callable[[], None]
    quarantine: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look brought: the signal's next step if it ends the attempt, a sentence, the venue's word, the evidence."""

    next: Next | None
    text: str
    report: OrderReport | None
    seen: Evidence | None = None


class Reconciler:
    """See the module. It must be told when to look (`expect`), or finds it by a slow sweep."""

    def __init__(self, world: ReconcilerWorld, *, audit_every_s: float = 300.0) -> None:
        self._world, self._audit_every_s = world, audit_every_s
        self._woken = asyncio.Event()
        self._due: list[datetime] = []
        self._audited_s = 0.0

    async def run(self) -> None:
        """First every order that an earlier engine left, then whatever falls due, for ever."""
        await self.first_pass()
        while True:
            self._woken.clear()
            looked = await self.step()
            await self._audit()
            if looked < BATCH:
                await self._rest()

    async def first_pass(self) -> None:
        """Look up once everything left open; each trader is ready when its own orders were asked for."""
        left: dict[str, list[Attempt]] = {name: [] for name in self._world.desks}
        for attempt in await self._world.store.live_attempts():
            if attempt.state in {AttemptState.UNKNOWN, AttemptState.ACCEPTED} and attempt.trader in left:
                left[attempt.trader].append(attempt)
        await asyncio.gather(*(self._first_of(self._world.desks[name], attempts) for name, attempts in left.items()))
        self._world.freed()

    async def _first_of(self, desk: TraderActor, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            await self._look(attempt)
        desk.ready = True

    async def step(self) -> int:
        """Look up what is due; returns how many orders were asked for."""
        due = await self._world.store.due_probes(self._world.clock.wall(), BATCH)
        known = [a for a in due if a.trader in self._world.desks]
        if known:
            await asyncio.gather(*(self._look(a) for a in known))
        await self._refresh_balances()
        return len(known)

    async def look_now(self, attempt: Attempt) -> None:
        """Look up one order at once, because somebody asked."""
        await self._look(attempt)

    async def cancel_order(self, attempt: Attempt) -> str:
        """Ask the venue to close an open order, and say what came of it. A fill that was faster wins."""
        desk = self._desk(attempt)
        try:
            report = await desk.exchange.cancel(_lookup(attempt))
        except ExchangeError as failure:
            self.expect(self._world.clock.wall())
            return f"the venue has not confirmed the cancel of {attempt.venue_order_id}: {failure}; it is asked again"
        await self._settle_open(attempt, report)
        return f"order {report.venue_order_id} at {desk.name} is {report.status}, filled {report.filled_quantity}"

    async def attach(self, attempt: Attempt, venue_order_id: str, by: str, why: str) -> str:
        """Take an operator's word on which order it was, after the venue confirmed that it has it and that it fits."""
        desk = self._desk(attempt)
        report = await desk.exchange.find(replace(_lookup(attempt), venue_order_id=venue_order_id))
        if report is None:
            raise CommandRefused(f"{desk.name} knows no order {clean(venue_order_id, 64)!r}")
        if report.symbol != attempt.request.symbol or report.side is not attempt.request.side:
            raise CommandRefused(
                f"order {report.venue_order_id} is {report.side} {report.symbol}, not what this signal asked for"
            )
        filled = report.status is not OrderStatus.OPEN and report.filled_quantity > 0
        if not filled and report.status is not OrderStatus.OPEN:
            raise CommandRefused(
                f"order {report.venue_order_id} is closed with nothing filled; declare it absent instead"
            )
        step = AttemptStep.ATTACH_FILLED if filled else AttemptStep.ATTACH
        nxt = Next(
            SignalStep.COMPLETE if filled else SignalStep.ATTACH,
            Reason("attached", f"{by} says it is {report.venue_order_id}"),
        )
        text = f"attached to {report.venue_order_id} by {by}: {why}"
        await self._move(attempt, step, Finding(nxt, text, report))
        return f"signal {attempt.signal_id} is attached to order {report.venue_order_id}"

    async def declare_absent(self, attempt: Attempt, by: str, why: str) -> str:
        """Take an operator's word that there is no order. The signal may then go out again."""
        signal = await self._signal(attempt)
        nxt = self._after(signal, AttemptState.ABSENT)
        await self._move(attempt, AttemptStep.DECLARE_ABSENT, Finding(nxt, f"declared absent by {by}: {why}", None))
        return f"attempt {attempt.n} of signal {attempt.signal_id} is declared absent"

    # looking

    async def _look(self, attempt: Attempt) -> None:
        desk = self._desk(attempt)
        if attempt.state is AttemptState.UNKNOWN:
            await self._look_for_unknown(desk, attempt)
        else:
            await self._look_after_open(desk, attempt)

    async def _look_for_unknown(self, desk: TraderActor, attempt: Attempt) -> None:
        seen, report, venue_now = await self._ask(desk, attempt)
        if report is None:
            await self._conclude(desk, attempt, seen, venue_now)
            return
        step = step_for_found(report, attempt.request)
        if isinstance(step, Mismatch):
            self._world.quarantine(attempt.trader)
            await self._escalate(attempt, f"the order found does not fit: {step.text}")
            return
        nxt = self._after(await self._signal(attempt), advance_attempt(attempt.state, step))
        text = f"found at {desk.name}: {report.status} as {report.venue_order_id}"
        await self._move(attempt, step, Finding(nxt, text, report, seen))

    async def _ask(self, desk: TraderActor, attempt: Attempt) -> tuple[Evidence, OrderReport | None, datetime | None]:
        """Ask everywhere that the order could be. The venue's time is None where it did not tell it."""
        began: datetime | None = None
        try:
            began = await desk.exchange.venue_time()
            report = await _find_everywhere(desk.exchange, attempt)
        except ExchangeError as failure:
            return Evidence(began or desk.venue_now(), frozenset(), Found.ERROR, str(failure)), None, began
        if report is None:
            return Evidence(began, _EVERYWHERE, Found.NOTHING), None, began
        return Evidence(began, _EVERYWHERE, Found.ORDER, report.venue_order_id), report, began

    async def _conclude(self, desk: TraderActor, attempt: Attempt, seen: Evidence, venue_now: datetime | None) -> None:
        """Draw what follows from a lookup that found no order."""
        now = self._world.clock.wall()
        plan = probe_plan(attempt, [*evidence_of(attempt), seen], desk.exchange.capabilities, venue_now, now)
        if plan.step is AttemptStep.PROVE_ABSENT:
            nxt = self._after(await self._signal(attempt), AttemptState.ABSENT)
            await self._move(attempt, plan.step, Finding(nxt, f"proven absent at {desk.name}: {plan.why}", None, seen))
        elif plan.step is not None:
            await self._escalate(attempt, plan.why, seen)
        else:
            text = f"lookup {attempt.probes + 1} of attempt {attempt.n} at {attempt.trader}: {_FOUND[seen.found]}; {plan.why}"
            await self._look_again(attempt, plan.look_at, seen, text)

    async def _look_after_open(self, desk: TraderActor, attempt: Attempt) -> None:
        signal = await self._signal(attempt)
        if signal.cancel_requested:
            await self.cancel_order(attempt)
            return
        try:
            report = await desk.exchange.find(_lookup(attempt))
        except ExchangeError as failure:
            seen = Evidence(desk.venue_now(), frozenset(), Found.ERROR, str(failure))
        else:
            if report is not None:
                await self._settle_open(attempt, report)
                return
            seen = Evidence(desk.venue_now(), frozenset({Asked.CLIENT_ID}), Found.NOTHING)
        await self._conclude(desk, attempt, seen, desk.venue_now())

    async def _settle_open(self, attempt: Attempt, report: OrderReport) -> None:
        step = step_for_open(report, attempt)
        if isinstance(step, Mismatch):
            self._world.quarantine(attempt.trader)
            await self._escalate(attempt, f"the order does not fit any more: {step.text}")
            return
        if step is None:
            now = self._world.clock.wall()
            await self._look_again(attempt, next_poll(attempt.intent_at, now), None, "")
            return
        nxt = None
        if step is not AttemptStep.FILL_PART:
            nxt = self._after(await self._signal(attempt), advance_attempt(attempt.state, step))
        text = f"order {report.venue_order_id}: {report.status}, filled {report.filled_quantity} of {report.quantity}"
        await self._move(attempt, step, Finding(nxt, text, report))

    async def _look_again(self, attempt: Attempt, at: datetime, seen: Evidence | None, text: str) -> None:
        event = None
        if seen is not None:
            event = NewEvent(
                EventKind.PROBE,
                self._world.clock.wall(),
                clean(text),
                signal_id=attempt.signal_id,
                attempt_n=attempt.n,
                trader=attempt.trader,
                code=f"probe_{seen.found}",
                detail={"evidence": seen.encode()},
            )
        kept = seen.encode() if seen is not None else ""
        await self._world.store.note_probes([Probe(attempt.client_order_id, at, kept, event)])
        self.expect(at)

    # acting

    async def _escalate(self, attempt: Attempt, why: str, seen: Evidence | None = None) -> None:
        nxt = Next(SignalStep.ESCALATE, Reason("needs_review", why))
        await self._move(attempt, AttemptStep.ESCALATE, Finding(nxt, f"needs a review: {why}", None, seen))

    async def _move(self, attempt: Attempt, step: AttemptStep, finding: Finding) -> None:
        world, now, report, nxt = self._world, self._world.clock.wall(), finding.report, finding.next
        state = advance_attempt(attempt.state, step)
        seen = finding.seen.encode() if finding.seen else None
        event = NewEvent(
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
        again = next_poll(now, now) if state is AttemptState.ACCEPTED else None
        move = AttemptMove(
            attempt.client_order_id,
            attempt.state,
            step,
            now,
            None,
            (event,),
            venue_order_id=report.venue_order_id if report else None,
            fills=report.fills if report else (),
            answered_at=now if attempt.answered_at is None and report is not None else None,
            next_probe_at=again,
            evidence=seen,
            latency=_filled(attempt, state, now),
            signal_step=nxt.step if nxt else None,
            signal_reason=nxt.reason if nxt else None,
            due_at=nxt.due_at if nxt else None,
        )
        [applied] = await world.store.move_attempts([move])
        if again is not None:
            self.expect(again)
        if applied is Applied.APPLIED and nxt is not None:
            world.freed()
        if report is not None and report.fills and (desk := world.desks.get(attempt.trader)) is not None:
            desk.balances_stale = True

    def _after(self, signal: Signal, state: AttemptState) -> Next | None:
        world = self._world
        return after_attempt(signal, End(state), world.retry, world.clock.wall(), world.chance)

    async def _signal(self, attempt: Attempt) -> Signal:
        signal = await self._world.store.signal(attempt.signal_id)
        assert signal is not None, "an attempt's signal is never removed before it"
        return signal

    def _desk(self, attempt: Attempt) -> TraderActor:
        desk = self._world.desks.get(attempt.trader)
        if desk is None:
            raise CommandRefused(
                f"trader {attempt.trader} is not configured any more; add it back to look after its orders"
            )
        return desk

    # pacing

    def expect(self, at: datetime) -> None:
        """Say when there is something to look at: an order was left open or unknown."""
        heapq.heappush(self._due, at)
        self._woken.set()

    async def _rest(self) -> None:
        now = self._world.clock.wall()
        while self._due and self._due[0] <= now:
            heapq.heappop(self._due)
        pause = min(SWEEP_S, (self._due[0] - now).total_seconds()) if self._due else SWEEP_S
        try:
            async with self._world.clock.timeout(max(0.01, pause)):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _refresh_balances(self) -> None:
        for desk in self._world.desks.values():
            if desk.balances_stale:
                desk.balances_stale = False
                try:
                    await desk.refresh_balances()
                except ExchangeError:
                    desk.balances_stale = True

    async def _audit(self) -> None:
        """Compare what is held with what the account has: less than the store believes is an error to be seen."""
        clock = self._world.clock
        if clock.elapsed() - self._audited_s < self._audit_every_s:
            return
        self._audited_s = clock.elapsed()
        for position in await self._world.store.positions():
            desk = self._world.desks.get(position.trader)
            rules = desk.rules.get(position.symbol) if desk else None
            if desk is None or rules is None or desk.shorting or not desk.balances:
                continue
            balance = desk.balances.get(rules.base)
            held = balance.free + balance.used if balance else Decimal(0)
            if held < position.quantity * (1 - _AUDIT_TOLERANCE):
                text = f"{desk.name} holds {held} {rules.base}, the store believes {position.quantity}"
                event = NewEvent(
                    EventKind.POSITION, clock.wall(), text, Level.ERROR, trader=desk.name, code="position_differs"
                )
                await self._world.store.note([event])


_EVERYWHERE: Final = frozenset(Asked)
_FOUND: Final = {Found.NOTHING: "not found", Found.ERROR: "no answer", Found.ORDER: "found"}
_AUDIT_TOLERANCE: Final = Decimal("0.01")


def _filled(attempt: Attempt, state: AttemptState, now: datetime) -> Latency | None:
    if state is not AttemptState.FILLED or attempt.answered_at is None or attempt.latency.acknowledged is None:
        return None
    return replace(attempt.latency, filled=max(0.0, (now - attempt.answered_at).total_seconds()))


def _lookup(attempt: Attempt) -> Lookup:
    request = attempt.request
    since = attempt.intent_at - timedelta(seconds=60)
    return Lookup(request.client_order_id, request.symbol, request.side, since, attempt.venue_order_id)


async def _find_everywhere(exchange: Exchange, attempt: Attempt) -> OrderReport | None:
    which = _lookup(attempt)
    found = await exchange.find(which)
    if found is not None:
        return found
    listed = [*await exchange.open_orders(which.symbol), *await exchange.recent_orders(which.since)]
    return next((report for report in listed if report.client_order_id == which.client_order_id), None)
