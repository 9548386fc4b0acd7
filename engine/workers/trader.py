"""TraderActor: one trading account. It sends a committed order once and writes down what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

from engine.clock import Clock
from engine.core.account import AccountFacts, venue_facts
from engine.core.audit import overfill
from engine.core.backoff import Dice, RetryPolicy
from engine.core.errors import Doubtful, ExchangeError, ExecutionError, Refused, StoreBusy, StoreFull, Unsent
from engine.core.events import EventKind, Level, NewEvent
from engine.core.lifecycle import AttemptState, AttemptStep, advance_attempt
from engine.core.order import Attempt, Latency, OrderReport
from engine.core.reconcile import End, after_attempt, step_for_answer
from engine.core.rest import rest_of
from engine.core.sizing import Funds
from engine.core.text import figure
from engine.core.values import Balance, SymbolRules
from engine.exchanges.base import PriceTaker
from engine.exchanges.guarded import Guarded
from engine.execution import Outcome, Tenure, Ticket
from engine.log import logger
from engine.store.base import AttemptMove, Intent, Store

_log = logger("trader")

POLL_FIRST_S: Final = 0.5  # an open order's first look for fills
KEEP_TRYING_S: Final = 1.0  # between tries to write an outcome that the store could not take


@dataclass(frozen=True, slots=True)
class TraderWorld:
    """What every trader shares. `freed` is called when a slot is free again; `failed` hears of each venue failure, `answered` of each answer.
    `left` is told when to look at an order that is left open or unknown."""

    store: Store
    clock: Clock
    chance: Dice
    retry: RetryPolicy
    tenure: Tenure
    freed: Callable[[], None]
    failed: Callable[[str, ExchangeError], None]
    answered: Callable[[str], None]
    left: Callable[[datetime], None]


@dataclass(frozen=True, slots=True)
class _Reply:
    """What came back: the venue's word, or the error; exactly one of them."""

    report: OrderReport | None
    error: ExchangeError | None


class TraderActor:
    """See the module. `in_flight` counts orders whose answer is awaited, `reserve`d slots included.

    `account` is what the audit and whoever books fills found; the health checker keeps it with the trader's row, and with it
    `settings`, which only a person reads.
    """

    def __init__(
        self,
        name: str,
        exchange: Guarded,
        world: TraderWorld,
        *,
        in_flight_max: int = 16,
        settings: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.name, self.exchange = name, exchange
        self._world, self._slots = world, in_flight_max
        self.in_flight = 0
        self.ready = False
        self.rules: Mapping[str, SymbolRules] = {}
        self.balances: Mapping[str, Balance] = {}
        self.clock_offset_s = 0.0
        self.account = AccountFacts(venue_facts(exchange.capabilities), settings=settings)
        self.balances_stale = False
        self._priced = -1
        self._learning: asyncio.Task[None] | None = None

    @property
    def slots_free(self) -> int:
        """Return how many orders may be added now; a half-open breaker lets exactly one through."""
        limit = 1 if self.exchange.is_half_open else self._slots
        return max(0, limit - self.in_flight)

    @property
    def shorting(self) -> bool:
        return self.exchange.capabilities.shorting

    def venue_now(self) -> datetime:
        """Return the venue's time as far as it is known."""
        return self._world.clock.wall() + timedelta(seconds=self.clock_offset_s)

    def reserve(self) -> None:
        self.in_flight += 1

    def release(self) -> None:
        self.in_flight -= 1
        self._world.freed()

    def funds(self, symbol: str, price: Decimal) -> Funds:
        """Return what can be spent on `symbol`, in its quote, from the balances last read; None where unknown."""
        rules = self.rules.get(symbol)
        if rules is None or not self.balances:
            return Funds(None, None)
        quote, base = self.balances.get(rules.quote), self.balances.get(rules.base)
        if quote is None:
            return Funds(Decimal(0), None)
        held = (base.free + base.used) * price if base else Decimal(0)
        return Funds(quote.free, quote.free + quote.used + held)

    async def open(self) -> None:
        """Read rules and balances. Raises ExchangeError; safe to call again."""
        await self.exchange.open()
        self.rules = await self.exchange.symbols()
        self.balances = await self.exchange.balances()

    def learn(self, priced: int) -> None:
        """Read the rules again if the venue, having no market of its own, has been told more symbols' prices since.

        `priced` is how many symbols have a price now. It happens beside everything else: nobody waits for a slow venue.
        """
        if priced == self._priced or self._learning is not None or not isinstance(self.exchange.adapter, PriceTaker):
            return
        self._learning = asyncio.get_running_loop().create_task(self._learn(priced), name=f"{self.name} learns")

    async def _learn(self, priced: int) -> None:
        try:
            await self.open()
            self._priced = priced
        except ExchangeError as failure:
            _log.info("the venue's rules could not be read", trader=self.name, error=str(failure))
        finally:
            self._learning = None
            self._world.freed()

    async def close(self) -> None:
        """Let go of the venue. Orders in flight must have been awaited before."""
        if self._learning is not None:
            self._learning.cancel()
            await asyncio.gather(self._learning, return_exceptions=True)
        await self.exchange.close()

    async def refresh_balances(self) -> None:
        """Read the balances. Raises ExchangeError; the old ones stand then."""
        self.balances = await self.exchange.balances()

    def overfilled(self, attempt: Attempt | Intent, report: OrderReport) -> tuple[NewEvent, ...]:
        """Return the journal's entry if the venue traded more than was asked for, and keep it with the account."""
        text = overfill(report, attempt.request)
        if not text:
            return ()
        self.account = self.account.with_overfill(text)
        now = self._world.clock.wall()
        return (
            NewEvent(
                EventKind.FILL,
                now,
                f"{self.name}: {text}",
                Level.ERROR,
                signal_id=attempt.signal_id,
                attempt_n=attempt.n,
                trader=self.name,
                code="overfill",
            ),
        )

    async def place_order(self, ticket: Ticket) -> Outcome:
        """Send the committed order, once, and commit what became of it before anything is shown or tried again.

        The slot was reserved before the intent was committed; it is given back here. Cancellation while the answer is
        awaited leaves the outcome unknown, which is written before the cancellation goes on.
        """
        clock = self._world.clock
        handed_s, sent_at = clock.elapsed(), clock.wall()
        try:
            reply = _Reply(await self.exchange.place(ticket.intent.request), None)
        except ExchangeError as failure:
            reply = _Reply(None, failure)
        except asyncio.CancelledError:
            reply = _Reply(None, Doubtful(self.name, "the engine stopped while the answer was awaited"))
            await asyncio.shield(self._settle(ticket, reply, handed_s, sent_at))
            raise
        finally:
            self.release()
        return await asyncio.shield(self._settle(ticket, reply, handed_s, sent_at))

    async def _settle(self, ticket: Ticket, reply: _Reply, handed_s: float, sent_at: datetime) -> Outcome:
        report, error = reply.report, reply.error
        clock, intent = self._world.clock, ticket.intent
        step = step_for_answer(report, intent.request) if report is not None else _step_for(error)
        acknowledged = clock.elapsed() - handed_s if report is not None else None
        latency = replace(
            intent.latency,
            submitting=handed_s - ticket.committed_s,
            acknowledged=acknowledged,
            filled=0.0 if step is AttemptStep.FILL else None,
        )
        if error is not None:
            self._world.failed(self.name, error)
        else:
            self._world.answered(self.name)
        move = self._move(ticket, step, reply, latency, sent_at)
        await self._write(move)
        if move.next_probe_at is not None:
            self._world.left(move.next_probe_at)
        if move.signal_step is not None:
            self._world.freed()
        if report is not None and step is AttemptStep.CLOSE_PART and self._world.retry.child_for_rest:
            await hand_in_rest(self._world, intent, report.filled_quantity)
        return Outcome(move_to(step), error, latency)

    def _move(
        self, ticket: Ticket, step: AttemptStep, reply: _Reply, latency: Latency, sent_at: datetime
    ) -> AttemptMove:
        report, error = reply.report, reply.error
        world, intent = self._world, ticket.intent
        now, state = world.clock.wall(), move_to(step)
        nxt = after_attempt(
            replace(ticket.signal, attempts=intent.n), End(state, error), world.retry, now, world.chance
        )
        text = _sentence(self.name, intent.n, state, report, error)
        event = NewEvent(
            EventKind.ATTEMPT,
            now,
            text,
            level=Level.INFO if error is None else Level.ERROR if state is AttemptState.UNKNOWN else Level.WARNING,
            signal_id=intent.signal_id,
            attempt_n=intent.n,
            trader=self.name,
            code=_code(error) if error else str(step),
            from_state=AttemptState.INTENT,
            to_state=state,
            detail={"error": str(error)} if error else {},
        )
        return AttemptMove(
            intent.request.client_order_id,
            AttemptState.INTENT,
            step,
            now,
            world.tenure.epoch,
            (event, *(self.overfilled(intent, report) if report else ())),
            venue_order_id=report.venue_order_id if report else None,
            fills=report.fills if report else (),
            error_code=_code(error) if error else None,
            error_text=str(error) if error else None,
            sent_at=None if state is AttemptState.NOT_SENT else sent_at,
            answered_at=now if not isinstance(error, Doubtful) else None,
            next_probe_at=_look_at(state, now),
            latency=latency,
            signal_step=nxt.step if nxt else None,
            signal_reason=nxt.reason if nxt else None,
            due_at=nxt.due_at if nxt else None,
        )

    async def _write(self, move: AttemptMove) -> None:
        # The truth is known and the venue has acted: it is kept in memory until the store takes it. A later truth wins
        # (compare-and-set), so writing late is safe.
        while True:
            try:
                await self._world.store.move_attempts([move])
            except (StoreBusy, StoreFull):
                await self._world.clock.sleep(KEEP_TRYING_S)
            else:
                return


class RestWorld(Protocol):
    """Where the rest of an order goes."""

    @property
    def store(self) -> Store: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def freed(self) -> Callable[[], None]: ...


async def hand_in_rest(world: RestWorld, attempt: Attempt | Intent, filled: Decimal) -> None:
    """Hand in what a venue left unfilled as a signal of its own, unless it was withdrawn by now. Safe to repeat."""
    now, signal = world.clock.wall(), await world.store.signal(attempt.signal_id)
    assert signal is not None, "an attempt's signal is never removed before it"
    rest = rest_of(signal, attempt, filled, now)
    if rest is None:
        return
    [put] = await world.store.put_signals([rest])
    text = f"the rest of {rest.quantity} goes on as signal {put.signal_id}"
    await world.store.note([NewEvent(EventKind.SIGNAL, now, text, signal_id=signal.id, code="rest")])
    world.freed()


def move_to(step: AttemptStep) -> AttemptState:
    """Return where `step` takes an attempt from INTENT."""
    return advance_attempt(AttemptState.INTENT, step)


def _step_for(error: ExchangeError | None) -> AttemptStep:
    if isinstance(error, Unsent):
        return AttemptStep.STAY
    if isinstance(error, Refused):
        return AttemptStep.REFUSE
    return AttemptStep.LOSE_ANSWER


def _code(error: ExecutionError) -> str:
    return f"refused_{error.kind}" if isinstance(error, Refused) else error.code


def _look_at(state: AttemptState, now: datetime) -> datetime | None:
    if state is AttemptState.ACCEPTED:
        return now + timedelta(seconds=POLL_FIRST_S)
    return now + timedelta(seconds=1) if state is AttemptState.UNKNOWN else None


def _sentence(name: str, n: int, state: AttemptState, report: OrderReport | None, error: ExecutionError | None) -> str:
    if error is not None:
        alone = "; no other trader is used before it is proven" if state is AttemptState.UNKNOWN else ""
        said = error.error if isinstance(error, ExchangeError) and error.exchange == name else error  # named already
        return f"attempt {n} by {name}: {_WORDS[state]}: {said}{alone}"
    assert report is not None, "no error means an answer"
    price = f" at {figure(report.average_price)}" if report.average_price is not None else ""
    return f"attempt {n} by {name}: {state} as {report.venue_order_id}, filled {report.filled_quantity} of {report.quantity}{price}"


_WORDS: Final = {
    AttemptState.NOT_SENT: "not sent",
    AttemptState.REJECTED: "refused",
    AttemptState.UNKNOWN: "outcome unknown",
}
