"""The Reconciler: finds out what became of orders, by asking, never by guessing and never by sending again.

Unknown outcomes are looked up until they are found, proven absent, or beyond proof and a person's to decide. Open orders
are looked up until they are closed. Reads are free: what cannot be committed is asked again.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from engine.core.errors import CommandRefused, ExchangeError, Unsent
from engine.core.events import EventKind, Level, NewEvent
from engine.core.lifecycle import AttemptState, AttemptStep, SignalStep, advance_attempt
from engine.core.order import Attempt, OrderReport, OrderStatus
from engine.core.reconcile import (
    Asked,
    Evidence,
    Found,
    Mismatch,
    Next,
    evidence_of,
    may_resend,
    next_poll,
    probe_plan,
    step_for_found,
    step_for_open,
)
from engine.core.text import clean
from engine.core.values import Reason
from engine.workers.booking import Booking, Finding, ReconcilerWorld
from engine.workers.inquiries import Inquiries, lookup_of
from engine.workers.trader import TraderActor

BATCH: Final = 64
SWEEP_S: Final = 15.0  # behind the wake-ups


class Reconciler:
    """See the module. It must be told when to look (`expect`), or finds it by a slow sweep."""

    def __init__(self, world: ReconcilerWorld) -> None:
        self._world, self._book = world, Booking(world, self.expect)
        self._inquiries = {name: Inquiries(desk.exchange) for name, desk in world.desks.items()}
        self._woken = asyncio.Event()
        self._due: list[datetime] = []
        self._has_told = False

    async def run(self) -> None:
        """First every order that an earlier engine left, then whatever falls due, for ever."""
        await self.first_pass()
        while True:
            self._woken.clear()
            looked = await self.step()
            if looked < BATCH:
                await self._rest()

    async def first_pass(self) -> None:
        """Look up once everything left open; each trader is ready when its own orders were asked for."""
        left: dict[str, list[Attempt]] = {name: [] for name in self._world.desks}
        unattended: dict[str, list[Attempt]] = {}
        for attempt in await self._world.store.live_attempts():
            if attempt.state in {AttemptState.UNKNOWN, AttemptState.ACCEPTED}:
                (left if attempt.trader in left else unattended).setdefault(attempt.trader, []).append(attempt)
        await self._tell_of(unattended)
        await asyncio.gather(*(self._first_of(self._world.desks[name], attempts) for name, attempts in left.items()))
        self._world.freed()

    async def _tell_of(self, unattended: Mapping[str, Sequence[Attempt]]) -> None:
        """Say once which orders nobody looks after, because their trader is not there any more."""
        if self._has_told:
            return
        now, events = self._world.clock.wall(), []
        for name, attempts in unattended.items():
            unknown = sum(a.state is AttemptState.UNKNOWN for a in attempts)
            orders = f"{len(attempts) - unknown} open, {unknown} without a known outcome"
            text = (
                f"{name} is not among the enabled traders any more, and nobody looks after its orders ({orders}): "
                "put it back under [[traders]], or settle them by hand at the venue"
            )
            events.append(NewEvent(EventKind.TRADER, now, clean(text), Level.ERROR, trader=name, code="unattended"))
        if events:
            await self._world.store.note(events)
        self._has_told = True

    async def _first_of(self, desk: TraderActor, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            await self._look(attempt)
        desk.ready = True

    async def step(self) -> int:
        """Look up what is due; returns how many orders were asked for."""
        due = await self._world.store.due_probes(self._world.clock.wall(), BATCH, self._world.desks.keys())
        if due:
            await asyncio.gather(*(self._look(a) for a in due))
        await self._refresh_balances()
        return len(due)

    async def look_now(self, attempt: Attempt) -> None:
        """Look up one order at once, because somebody asked."""
        await self._look(attempt)

    async def cancel_order(self, attempt: Attempt) -> str:
        """Ask the venue to close an open order, and say what came of it. A fill that was faster wins."""
        desk = self._book.desk(attempt)
        try:
            report = await desk.exchange.cancel(lookup_of(attempt))
        except ExchangeError as failure:
            # In its time, as any look: a venue that is down must not be asked without a pause.
            await self._book.look_again(attempt, next_poll(attempt.intent_at, self._world.clock.wall()), None)
            return f"the venue has not confirmed the cancel of {attempt.venue_order_id}: {failure}; it is asked again"
        await self._settle_open(attempt, report)
        return f"order {report.venue_order_id} at {desk.name} is {report.status}, filled {report.filled_quantity}"

    async def attach(self, attempt: Attempt, venue_order_id: str, by: str, why: str) -> str:
        """Take an operator's word on which order it was, after the venue confirmed that it has it and that it fits."""
        desk = self._book.desk(attempt)
        try:
            report = await desk.exchange.find(replace(lookup_of(attempt), venue_order_id=venue_order_id))
        except ExchangeError as failure:
            raise CommandRefused(
                f"{desk.name} does not say whether it has that order: {failure}; ask again"
            ) from failure
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
        await self._book.move(attempt, step, Finding(nxt, text, report))
        return f"signal {attempt.signal_id} is attached to order {report.venue_order_id}"

    async def declare_absent(self, attempt: Attempt, by: str, why: str) -> str:
        """Take an operator's word that there is no order. The signal may then go out again."""
        nxt = await self._book.after(attempt, AttemptState.ABSENT)
        await self._book.move(
            attempt, AttemptStep.DECLARE_ABSENT, Finding(nxt, f"declared absent by {by}: {why}", None)
        )
        return f"attempt {attempt.n} of signal {attempt.signal_id} is declared absent"

    # looking

    async def _look(self, attempt: Attempt) -> None:
        desk = self._book.desk(attempt)
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
            await self._book.escalate(attempt, f"the order found does not fit: {step.text}")
            return
        nxt = await self._book.after(attempt, advance_attempt(attempt.state, step))
        text = f"found at {desk.name}: {report.status} as {report.venue_order_id}"
        await self._book.move(attempt, step, Finding(nxt, text, report, seen))

    async def _ask(self, desk: TraderActor, attempt: Attempt) -> tuple[Evidence, OrderReport | None, datetime | None]:
        """Ask everywhere that the order could be. The venue's time is None where it did not tell it."""
        began: datetime | None = None
        try:
            began = await self._inquiries[desk.name].venue_time()
            report = await self._inquiries[desk.name].find(lookup_of(attempt))
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
            nxt = await self._book.after(attempt, AttemptState.ABSENT)
            text = f"proven absent at {desk.name}: {plan.why}"
            await self._book.move(attempt, plan.step, Finding(nxt, text, None, seen))
        elif plan.step is not None:
            await self._book.escalate(attempt, plan.why, seen)
        elif await self._may_resend(desk, attempt, seen, venue_now):
            await self._resend(desk, attempt, seen, plan.look_at)
        else:
            await self._book.look_again(
                attempt, plan.look_at, Finding(None, f"{_looked(attempt, seen)}; {plan.why}", None, seen)
            )

    async def _may_resend(
        self, desk: TraderActor, attempt: Attempt, seen: Evidence, venue_now: datetime | None
    ) -> bool:
        # The lookup itself took its time, which the guard has followed.
        now = venue_now and max(venue_now, desk.exchange.venue_now())
        if not may_resend(attempt, seen, desk.exchange.capabilities, now) or not self._world.may_send(desk.name):
            return False
        return not (await self._book.signal(attempt)).cancel_requested

    async def _resend(self, desk: TraderActor, attempt: Attempt, seen: Evidence, look_at: datetime) -> None:
        """Hand over the committed request once more: the same attempt, under the same id. No refusal proves anything."""
        text = f"{_looked(attempt, seen)}; sent again under the same id, which the venue takes only once"
        await self._book.look_again(attempt, look_at, Finding(None, text, None, seen), "resent")
        try:
            report = await desk.exchange.place(attempt.request)
        except ExchangeError as failure:
            unsent = isinstance(failure, Unsent)
            await self._note_resend(attempt, f"{'it did not leave' if unsent else 'no proof in the answer'}: {failure}")
            return
        step = step_for_found(report, attempt.request)
        if isinstance(step, Mismatch) or step is AttemptStep.FIND_REFUSED:
            why = step.text if isinstance(step, Mismatch) else "refused"
            await self._note_resend(attempt, f"no proof in the answer: {why}")
            return
        nxt = await self._book.after(attempt, advance_attempt(attempt.state, step))
        text = f"sent again under the same id and taken: {report.status} as {report.venue_order_id}"
        await self._book.move(attempt, step, Finding(nxt, text, report))

    async def _note_resend(self, attempt: Attempt, text: str) -> None:
        told = f"attempt {attempt.n} by {attempt.trader}, sent again under the same id: {text}; it is looked up"
        await self._world.store.note([self._book.probe_event(attempt, told, "resend_unproven", {})])

    async def _look_after_open(self, desk: TraderActor, attempt: Attempt) -> None:
        signal = await self._book.signal(attempt)
        if signal.cancel_requested:
            await self.cancel_order(attempt)
            return
        try:
            report = await desk.exchange.find(lookup_of(attempt))
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
            await self._book.escalate(attempt, f"the order does not fit any more: {step.text}")
            return
        if step is None:
            now = self._world.clock.wall()
            await self._book.look_again(attempt, next_poll(attempt.intent_at, now), None)
            return
        nxt = None
        if step is not AttemptStep.FILL_PART:
            nxt = await self._book.after(attempt, advance_attempt(attempt.state, step))
        text = f"order {report.venue_order_id}: {report.status}, filled {report.filled_quantity} of {report.quantity}"
        await self._book.move(attempt, step, Finding(nxt, text, report))

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


_EVERYWHERE: Final = frozenset(Asked)
_FOUND: Final = {Found.NOTHING: "not found", Found.ERROR: "no answer", Found.ORDER: "found"}


def _looked(attempt: Attempt, seen: Evidence) -> str:
    return f"lookup {attempt.probes + 1} of attempt {attempt.n} at {attempt.trader}: {_FOUND[seen.found]}"
