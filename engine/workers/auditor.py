"""The Auditor: compares each account with the store, now and then, and shows every difference. It sends nothing.

An order that should not be there breaks a proof: a person decides, and its trader gets no more orders. Fills that the
store lacks are taken up. Orders of others are listed and never touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from engine.core.account import Shortage
from engine.core.audit import (
    Belief,
    Standing,
    Statement,
    external_orders,
    is_whole,
    lacking_fills,
    shortages,
    standing,
)
from engine.core.backoff import full_jitter
from engine.core.errors import ExchangeError
from engine.core.events import EventKind, Level, NewEvent
from engine.core.lifecycle import NO_ORDER, SIGNAL_LIFE, AttemptStep, SignalStep
from engine.core.order import Attempt, OrderReport
from engine.core.reconcile import Next
from engine.core.text import clean
from engine.core.values import Reason
from engine.log import logger
from engine.store.base import Applied
from engine.workers.booking import Booking, Finding, ReconcilerWorld
from engine.workers.inquiries import lookup_of
from engine.workers.trader import TraderActor

TRIES: Final = 4  # of one audit: the first, and three more
TIMEOUT_S: Final = 10.0  # for one try at all of its questions; what a guard repeats of them happens within it
FIRST_S: Final = 5.0  # after the start: what an earlier engine left open is looked up before
FIRST_SPAN_S: Final = 3600.0  # how far the first audit looks back
OVERLAP_S: Final = 600.0  # and each later one beyond the one before: what had just ended then is judged now
_PAUSE_BASE_S: Final = 0.5
_PAUSE_CAP_S: Final = 10.0

_log = logger("auditor")


@dataclass(frozen=True, slots=True)
class _Known:
    """An order at the venue, with the attempt of this store that it belongs to (None: of no store's)."""

    report: OrderReport
    attempt: Attempt | None
    standing: Standing


class Auditor:
    """See the module. `look` is asked to look at an open order that has moved on, `told` hears of each audit's end:
    the account's facts are to be kept. Times are seconds."""

    def __init__(
        self,
        world: ReconcilerWorld,
        look: Callable[[Attempt], Awaitable[None]],
        told: Callable[[], None],
        *,
        every_s: float = 300.0,
    ) -> None:
        self._world, self._look, self._told, self._every_s = world, look, told, every_s
        self._book = Booking(world, lambda _: None)
        self._audited: dict[str, datetime] = {}
        self._untold: set[str] = set()

    async def run(self) -> None:
        """Audit every trader for ever, each on its own: one that hangs holds up none of the others."""
        async with asyncio.TaskGroup() as group:
            for desk in self._world.desks.values():
                group.create_task(self._attend(desk))

    async def audit(self, desk: TraderActor) -> bool:
        """Compare one account with the store, and write down what differs. False if its venue did not answer."""
        before = await self._belief(desk)
        try:
            said = await self._ask(desk)
        except ExchangeError as failure:
            await self._note_silence(desk, failure.error)
            return False
        after = await self._belief(desk)
        if not desk.shorting:
            await self._compare_holdings(desk, shortages(before, after, said.balances, desk.rules))
        known = [await self._place(desk, said, report) for report in said.orders]
        for order in known:
            await self._settle(desk, order, said.began)
        others = [order.report for order in known if order.standing is Standing.EXTERNAL]
        desk.account = replace(
            desk.account,
            audited_at=self._world.clock.wall(),
            audit_error="",
            external=external_orders(others),
            external_count=len(others),
        )
        self._audited[desk.name] = said.began
        return True

    async def _attend(self, desk: TraderActor) -> None:
        await self._world.clock.sleep(FIRST_S)
        while True:
            # Until then its outcomes from an earlier start are open, or it could not even tell what it trades.
            if desk.ready and desk.rules:
                await self.audit(desk)
                self._told()
                await self._world.clock.sleep(self._every_s)
            else:
                await self._world.clock.sleep(FIRST_S)

    async def _belief(self, desk: TraderActor) -> Belief:
        store = self._world.store
        return Belief(
            [p for p in await store.positions() if p.trader == desk.name],
            [a for a in await store.live_attempts() if a.trader == desk.name],
        )

    async def _ask(self, desk: TraderActor) -> Statement:
        clock = self._world.clock
        for n in range(TRIES):
            try:
                async with clock.timeout(TIMEOUT_S):
                    return await self._statement(desk)
            except TimeoutError:
                failure = ExchangeError(desk.name, f"no answer within {TIMEOUT_S:g} s")
            except ExchangeError as error:
                failure = error
            if n + 1 < TRIES:
                await clock.sleep(full_jitter(n, _PAUSE_BASE_S, _PAUSE_CAP_S, self._world.chance))
        raise failure

    async def _statement(self, desk: TraderActor) -> Statement:
        began = self._world.clock.wall()
        last = self._audited.get(desk.name)
        since = began - timedelta(seconds=FIRST_SPAN_S) if last is None else last - timedelta(seconds=OVERLAP_S)
        exchange = desk.exchange
        return Statement(
            began, await exchange.balances(), await exchange.open_orders(), await exchange.recent_orders(since)
        )

    async def _place(self, desk: TraderActor, said: Statement, report: OrderReport) -> _Known:
        attempt = await self._world.store.attempt(report.client_order_id) if report.client_order_id else None
        if attempt is not None and attempt.trader != desk.name:
            return _Known(report, attempt, Standing.AGREES)  # two traders share an account: it is the other one's
        return _Known(report, attempt, standing(report, attempt, said.began))

    async def _settle(self, desk: TraderActor, order: _Known, began: datetime) -> None:
        attempt, report = order.attempt, order.report
        if attempt is None:
            return
        if order.standing is Standing.BEHIND:
            await self._look(attempt)
        elif order.standing in {Standing.BROKEN, Standing.LACKING}:
            await self._settle_ended(desk, attempt, report, began)

    async def _settle_ended(self, desk: TraderActor, attempt: Attempt, report: OrderReport, began: datetime) -> None:
        # Lists leave out the fills, and they lag: an order that ended is judged by itself, now or at the next audit. Where
        # none was to be, a list's word is enough.
        try:
            which = replace(lookup_of(attempt), venue_order_id=report.venue_order_id)
            found = report if report.fills and is_whole(report) else await desk.exchange.find(which)
        except ExchangeError as failure:
            _log.warning("an order that differs was not found", order=report.venue_order_id, why=failure.error)
            if attempt.state not in NO_ORDER:
                return
            found = None
        judged = standing(found or report, attempt, began)
        if judged is Standing.LACKING:
            await self._take_up(attempt, found or report)
        elif judged is Standing.BROKEN:
            await self._break_proof(desk, attempt, found or report)

    async def _take_up(self, attempt: Attempt, report: OrderReport) -> None:
        story = await self._world.store.story(attempt.signal_id)
        known = [fill.trade_id for n, fill in story.fills if n == attempt.n] if story is not None else []
        new = lacking_fills(report, attempt, known)
        if new is not None:
            text = f"{len(new)} fills of order {report.venue_order_id} were missing: filled {report.filled_quantity}"
            await self._book.move(attempt, AttemptStep.CATCH_UP, Finding(None, text, replace(report, fills=new)))
        elif attempt.client_order_id not in self._untold:
            self._untold.add(attempt.client_order_id)
            text = (
                f"order {report.venue_order_id} is filled {report.filled_quantity} at {attempt.trader}, the store has "
                f"{attempt.filled_quantity}, and the venue names no trades that make up the difference"
            )
            await self._note(EventKind.FILL, text, "fills_differ", attempt)

    async def _break_proof(self, desk: TraderActor, attempt: Attempt, report: OrderReport) -> None:
        signal = await self._book.signal(attempt)
        why = (
            f"order {report.venue_order_id} is {report.status}, filled {report.filled_quantity}, "
            f"although attempt {attempt.n} had ended as {attempt.state}"
        )
        can_step = (signal.state, SignalStep.BREAK_PROOF) in SIGNAL_LIFE
        nxt = Next(SignalStep.BREAK_PROOF, Reason("proof_broken", clean(why))) if can_step else None
        finding = Finding(nxt, f"proof broken: {why}", report)
        if await self._book.move(attempt, AttemptStep.BREAK_PROOF, finding) is Applied.APPLIED:
            self._world.quarantine(desk.name)

    async def _compare_holdings(self, desk: TraderActor, found: Sequence[Shortage]) -> None:
        told = {shortage.asset: shortage for shortage in desk.account.shortages}
        for shortage in found:
            if told.pop(shortage.asset, None) != shortage:
                await self._note(EventKind.POSITION, f"{desk.name} {shortage}", "position_differs", desk)
        for asset in told:
            text = f"{desk.name} holds as much {asset} as the store believes again"
            await self._note(EventKind.POSITION, text, "position_agrees", desk)
        desk.account = replace(desk.account, shortages=tuple(found))

    async def _note_silence(self, desk: TraderActor, why: str) -> None:
        if not desk.account.audit_error:
            text = f"{desk.name} could not be compared with the store: {why}; it is tried again in {self._every_s:g} s"
            await self._note(EventKind.TRADER, text, "audit_failed", desk)
        desk.account = replace(desk.account, audit_error=clean(why))

    async def _note(self, kind: EventKind, text: str, code: str, about: TraderActor | Attempt) -> None:
        attempt = about if isinstance(about, Attempt) else None
        event = NewEvent(
            kind,
            self._world.clock.wall(),
            clean(text),
            _LEVELS[code],
            signal_id=attempt.signal_id if attempt is not None else None,
            attempt_n=attempt.n if attempt is not None else None,
            trader=about.trader if isinstance(about, Attempt) else about.name,
            code=code,
        )
        await self._world.store.note([event])


_LEVELS: Final = {
    "position_differs": Level.ERROR,
    "position_agrees": Level.INFO,
    "fills_differ": Level.ERROR,
    "audit_failed": Level.WARNING,
}
