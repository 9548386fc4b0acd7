"""OrderExecutionPipeline: one signal's way through gate, route, intent, order and outcome.

Gather (book, traders), decide (pure: `plan`), act (commit, then hand to the trader). The order of commits is the whole
safety: the intent is on disk before the request is handed to a venue, and nothing is sent twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from engine.clock import Clock
from engine.core.backoff import full_jitter
from engine.core.board import ExecutionStatus, Totals
from engine.core.errors import NoSignalsAvailable, SignalExpired, TraderUnavailable
from engine.core.events import Answer, Considered, EventKind, Level, NewEvent, Route, Signal, Verdict
from engine.core.lifecycle import SignalState, SignalStep
from engine.core.order import Latency, OrderKind, OrderRequest, client_order_id
from engine.core.portfolio import Holdings
from engine.core.readiness import diagnose
from engine.core.risk import Book, error_for, judge, with_exit_marked, with_reference
from engine.core.routing import Candidate, Tried, route
from engine.core.sizing import Sized, Unsizable, limit_price, size
from engine.core.values import Reason
from engine.execution import Desk, ExecutionLogger, ExecutionResult, PipelineSettings, Plan, Surroundings, Ticket
from engine.store.base import Applied, Intent, SignalMove, Store

SEND_WITHIN_S: Final = 5.0  # send_by: the venue's clock now plus this, never after the signal's expiry
LOOK_AGAIN_S: Final = 30.0  # how long a refusal that time can lift waits, unless something nudges


class OrderExecutionPipeline:
    """See the module. One per engine; only the dispatcher and the facade call it, on the engine's loop."""

    def __init__(
        self,
        store: Store,
        desks: Mapping[str, Desk],
        around: Surroundings,
        settings: PipelineSettings,
        clock: Clock,
    ) -> None:
        self._store, self._desks, self._around = store, desks, around
        self._settings, self._clock = settings, clock
        self.logger = ExecutionLogger(Totals())

    async def gather(self, holdings: Holdings | None = None) -> Book:
        """Return everything that a round of decisions looks at, with what is held as `holdings` or as the store has it now."""
        return await self._around.book(self._clock.wall(), holdings)

    async def diagnose_execution_readiness(self) -> ExecutionStatus:
        """Ask every gate between a candle and a fill, now."""
        return diagnose(await self._around.readiness_facts(self._clock.wall()))

    async def execute_with_diagnostics(self, signal: Signal | None) -> ExecutionResult:
        """Take one signal as far as it goes now, and return everything that was asked on the way.

        None stands for an empty queue: the result carries NoSignalsAvailable.
        """
        if signal is None:
            return ExecutionResult("", Verdict(()), error=NoSignalsAvailable())
        book = await self.gather()
        plan = await self.plan(signal, book)
        applied = await self.commit([plan])
        result = (
            await self.send(plan, self._clock.elapsed())
            if applied == [Applied.APPLIED] and plan.intent
            else _told(plan)
        )
        self.log_execution_metrics(result)
        return result

    def log_execution_metrics(self, result: ExecutionResult) -> None:
        """Count one result into the figures that the diagnosis and `status` show."""
        self.logger.count(result, self._clock.wall())

    async def plan(self, signal: Signal, book: Book) -> Plan:
        """Decide what happens to one signal: gate, route, size, in that order. Changes nothing.

        A chosen trader's slot is reserved; `commit` gives it back if the intent does not apply.
        """
        began, now = self._clock.elapsed(), self._clock.wall()
        verdict = judge(signal, book, self._settings.limits, now)
        objection = verdict.objection
        if objection is not None:
            return self._held(signal, verdict, objection)
        signal = with_reference(with_exit_marked(signal, book.holdings), book.prices)
        tried = await self._tried(signal)
        way, sized = self._place(signal, book, tried, now)
        if isinstance(sized, Unsizable):
            answer = Answer(
                "is_sizable",
                ok=False,
                fact=sized.text,
                remedy="hand in another quantity, or fund the account",
                lifts=sized.code == "no_funds",  # money comes back with the next exit; a size stays as it is
                code=sized.code,
            )
            return self._held(signal, Verdict((*verdict.answers, answer)), answer, way)
        if way.trader is None or sized is None:
            return self._unrouted(signal, verdict, way)
        desk = self._desks[way.trader]
        # What an operator puts back hours later has not been slow.
        asked = signal.due_at if signal.reason.code == "retried" else signal.received_at
        waiting = max(0.0, (now - asked).total_seconds())
        intent = self._intent(
            signal, verdict, way, sized, Latency(waiting=waiting, gating=self._clock.elapsed() - began)
        )
        desk.reserve()
        return Plan(signal, verdict, way, sized, intent=intent)

    async def commit(self, plans: Sequence[Plan]) -> list[Applied]:
        """Write every decision, moves and intents each in one transaction; in the order of `plans`."""
        moves = [p.move for p in plans if p.move is not None]
        intents = [p.intent for p in plans if p.intent is not None]
        try:
            moved = iter(await self._store.move_signals(moves) if moves else [])
            committed = iter(await self._store.commit_intents(intents) if intents else [])
        except BaseException:
            for intent in intents:
                self._desks[intent.trader].release()
            raise
        applied = []
        for plan in plans:
            if plan.intent is not None:
                applied.append(next(committed))
                if applied[-1] is not Applied.APPLIED:
                    self._desks[plan.intent.trader].release()
            else:
                applied.append(next(moved) if plan.move is not None else Applied.HELD)
        return applied

    async def send(self, plan: Plan, committed_s: float) -> ExecutionResult:
        """Hand a committed intent to its trader, and wait for what becomes of it."""
        assert plan.intent is not None, "only a committed intent is sent"
        outcome = await self._desks[plan.intent.trader].place_order(Ticket(plan.signal, plan.intent, committed_s))
        return replace(_told(plan), attempt=outcome.state, error=outcome.error, latency=outcome.latency)

    def select(self, signal: Signal, book: Book) -> Route:
        """Return where `signal` would go now, with the reason for each trader passed over."""
        return route(signal, self._candidates(signal, book), (), self._settings.retry, self._clock.wall())

    def _place(
        self, signal: Signal, book: Book, tried: Sequence[Tried], now: datetime
    ) -> tuple[Route, Sized | Unsizable | None]:
        """Choose a trader and a size; a trader without the money is passed over like any other that cannot."""
        candidates = self._candidates(signal, book)
        poor: dict[str, Unsizable] = {}
        while True:
            way = route(signal, [c for c in candidates if c.name not in poor], tried, self._settings.retry, now)
            way = Route(
                way.trader,
                (*way.considered, *(Considered(n, chosen=False, why=r.text, code=r.code) for n, r in poor.items())),
            )
            if way.trader is None:
                return way, next(iter(poor.values()), None)
            try:
                return way, self._size(signal, self._desks[way.trader], book)
            except Unsizable as refusal:
                if refusal.code != "no_funds":
                    return way, refusal
                poor[way.trader] = refusal

    def _candidates(self, signal: Signal, book: Book) -> list[Candidate]:
        states = self._around.trader_states()
        found = []
        for name, desk in self._desks.items():
            held = book.holdings.position(name, signal.symbol)
            found.append(
                Candidate(
                    state=states[name],
                    symbols=frozenset(desk.rules) or None,
                    slots_free=desk.slots_free if desk.ready else 0,
                    shorting=desk.shorting,
                    holds=held.quantity if held else Decimal(0),
                    exit_under_way=(signal.symbol, name) in book.holdings.exits,
                )
            )
        return found

    async def _tried(self, signal: Signal) -> Sequence[Tried]:
        if signal.attempts == 0:
            return ()
        story = await self._store.story(signal.id)
        if story is None:
            return ()
        # An operator's retry starts afresh, whoever refused before.
        afresh = max((e.at for e in story.events if e.code == "retried"), default=signal.received_at)
        return tuple(Tried(a.trader, a.state, a.error_code) for a in story.attempts if a.intent_at >= afresh)

    def _size(self, signal: Signal, desk: Desk, book: Book) -> Sized:
        quote = book.prices.get(signal.symbol)
        held = book.holdings.position(desk.name, signal.symbol)
        # The gate lets an exit pass without a price; its size is what is held, whatever it is worth.
        market = quote.price if quote is not None else held.entry_price if held is not None else Decimal(0)
        price = signal.price or market
        funds = replace(desk.funds(signal.symbol, market), holding=held.quantity if held else Decimal(0))
        return size(signal, desk.rules[signal.symbol], price, funds, self._settings.limits)

    def _intent(self, signal: Signal, verdict: Verdict, way: Route, sized: Sized, latency: Latency) -> Intent:
        assert way.trader is not None, "routed"
        desk, now, n = self._desks[way.trader], self._clock.wall(), signal.attempts + 1
        send_by = min(desk.venue_now() + timedelta(seconds=SEND_WITHIN_S), signal.expires_at + (desk.venue_now() - now))
        request = OrderRequest(
            client_order_id=client_order_id(self._settings.tenure.store_uuid, signal.id, n),
            symbol=signal.symbol,
            side=signal.side,
            quantity=sized.quantity,
            kind=OrderKind.MARKET if signal.price is None else OrderKind.LIMIT,
            send_by=send_by,
            price=None if signal.price is None else limit_price(signal.price, signal.side, desk.rules[signal.symbol]),
            reduces=signal.reduces,
            reference_price=signal.reference_price,
            slippage_max=self._slippage_max(signal),
        )
        event = NewEvent(
            EventKind.INTENT,
            now,
            f"attempt {n}: {signal.side} {sized.quantity} {signal.symbol} by {way.trader}",
            signal_id=signal.id,
            attempt_n=n,
            trader=way.trader,
            code="intent",
            from_state=signal.state,
            to_state=SignalState.EXECUTING,
            detail={
                "answers": _answers(verdict),
                "considered": _considered(way),
                "sized": sized.fact,
                "request": {
                    "client_order_id": request.client_order_id,
                    "symbol": request.symbol,
                    "side": str(request.side),
                    "quantity": str(request.quantity),
                    "kind": str(request.kind),
                    "price": None if request.price is None else str(request.price),
                    "send_by": request.send_by.isoformat(),
                },
            },
        )
        return Intent(signal.id, signal.version, n, way.trader, request, now, latency, (event,))

    def _slippage_max(self, signal: Signal) -> Decimal | None:
        # An exit must come out at any price, and a limit order has its bound already.
        is_bounded = not signal.reduces and signal.price is None and signal.reference_price is not None
        return self._settings.limits.slippage_max if is_bounded else None

    def _held(self, signal: Signal, verdict: Verdict, objection: Answer, way: Route | None = None) -> Plan:
        error = error_for(objection, signal)
        if isinstance(error, SignalExpired):
            step = SignalStep.EXPIRE
        else:
            step = SignalStep.POSTPONE if objection.lifts else SignalStep.REJECT
        reason = Reason(objection.code or objection.rule, objection.fact)
        if step is SignalStep.EXPIRE and signal.state is SignalState.WAITING and signal.reason.text:
            reason = Reason(reason.code, f"{reason.text}; until then: {signal.reason.text}")
        return Plan(signal, verdict, way, move=self._move(signal, step, reason, verdict, way), error=error)

    def _unrouted(self, signal: Signal, verdict: Verdict, way: Route) -> Plan:
        passed = "; ".join(f"{c.trader}: {c.why}" for c in way.considered) or "no trader is configured"
        error = TraderUnavailable(None, passed)
        if way.considered and all(c.code == "no_slot" for c in way.considered):
            return Plan(signal, verdict, way, error=error)  # a slot is free again within moments, and nudges
        lifts = any(c.lifts for c in way.considered) or not way.considered
        only = {c.code for c in way.considered if not c.lifts}
        code = "trader_unavailable" if lifts else (only.pop() if len(only) == 1 else "no_trader")
        step = SignalStep.POSTPONE if lifts else SignalStep.REJECT
        if signal.attempts and not lifts:
            code = "attempts_used_up" if code == "no_trader" else code
        return Plan(
            signal, verdict, way, move=self._move(signal, step, Reason(code, passed), verdict, way), error=error
        )

    def _move(
        self, signal: Signal, step: SignalStep, reason: Reason, verdict: Verdict, way: Route | None
    ) -> SignalMove:
        now = self._clock.wall()
        again = None
        if step is SignalStep.POSTPONE:
            pause = (
                full_jitter(3, self._settings.retry.base_s, LOOK_AGAIN_S, self._settings.chance)
                if way
                else LOOK_AGAIN_S
            )
            again = min(now + timedelta(seconds=max(1.0, pause)), signal.expires_at)
        repeats = (
            step is SignalStep.POSTPONE and signal.state is SignalState.WAITING and signal.reason.code == reason.code
        )
        event = None
        if not repeats:
            event = NewEvent(
                EventKind.GATED,
                now,
                f"{_WORD[step]}: {reason.text or reason.code}",
                # That strategies vote too low is their daily bread; what somebody handed in is missed.
                level=Level.WARNING if step is SignalStep.REJECT and not signal.votes else Level.INFO,
                signal_id=signal.id,
                code=reason.code,
                from_state=signal.state,
                detail={"answers": _answers(verdict), "considered": _considered(way)},
            )
        return SignalMove(signal.id, signal.version, step, now, reason, event, due_at=again)


_WORD: Final = {SignalStep.POSTPONE: "waits", SignalStep.REJECT: "rejected", SignalStep.EXPIRE: "expired"}


def _told(plan: Plan) -> ExecutionResult:
    intent = plan.intent
    return ExecutionResult(
        plan.signal.id,
        plan.verdict,
        plan.route,
        plan.sized.quantity if plan.sized else None,
        intent.trader if intent else None,
        intent.request.client_order_id if intent else None,
        error=plan.error,
    )


def _answers(verdict: Verdict) -> list[dict[str, object]]:
    return [{"rule": a.rule, "ok": a.ok, "fact": a.fact, "remedy": a.remedy, "code": a.code} for a in verdict.answers]


def _considered(way: Route | None) -> list[dict[str, object]]:
    return [{"trader": c.trader, "chosen": c.chosen, "why": c.why} for c in way.considered] if way else []
