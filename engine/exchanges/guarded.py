"""Guarded: what stands between a trader and any exchange. Deadlines, turns, breakers; it never sends an order twice."""

from __future__ import annotations

import asyncio
import math
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from engine.clock import Chance, Clock
from engine.core.account import CallBudget
from engine.core.backoff import RetryBudget, full_jitter
from engine.core.breaker import Breaker, BreakerSettings, Guards, Outcome
from engine.core.errors import ConfigError, Doubtful, ExchangeError, RefusalKind, Refused, Unsent, Withheld
from engine.core.events import BreakerState
from engine.core.order import OrderReport, OrderRequest
from engine.core.values import Balance, SymbolRules
from engine.exchanges.base import Budgeted, Exchange, Lookup, Withholding, no_objection
from engine.exchanges.fuses import BreakerChange, Call, Fuses
from engine.exchanges.turns import Turns
from engine.redaction import REDACT

T = TypeVar("T")

CLOCK_JUMP_S: Final = 2.0  # wall time that moved this far against elapsed time makes the venue's time unknown
_QUERY: Final = re.compile(r"\?[^\s'\"]*")


class GuardSettings(BaseModel):
    """How long calls may take, in seconds, and how often reads are tried. `calls_per_s` None leaves it to the adapter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order_s: float = Field(8.0, gt=0, le=300, allow_inf_nan=False)
    read_s: float = Field(5.0, gt=0, le=300, allow_inf_nan=False)
    open_s: float = Field(30.0, gt=0, le=600, allow_inf_nan=False)
    read_tries: int = Field(4, ge=1, le=10)
    read_base_s: float = Field(0.25, gt=0, le=60, allow_inf_nan=False)
    read_cap_s: float = Field(10.0, gt=0, le=600, allow_inf_nan=False)
    calls_per_s: float | None = Field(None, gt=0, allow_inf_nan=False)
    hold_from_s: float = Field(5.0, gt=0, allow_inf_nan=False)  # a longer wish for quiet opens the breakers
    latencies: int = Field(256, ge=8, le=100_000)
    breaker: BreakerSettings = BreakerSettings()


@dataclass(frozen=True, slots=True)
class _VenueTime:
    """The venue's clock as last read, beside ours."""

    venue: datetime
    elapsed_s: float
    wall: datetime


class Guarded:
    """An exchange that keeps the contract of `Exchange` whatever the one inside does.

    Orders: one attempt within a total deadline; what proves nothing is Doubtful; an open breaker or a passed `send_by` is
    Unsent, because nothing was handed over. What an operator held back while it waited for its turn is Withheld. Reads: several tries, each with its own timeout. A cancel is a way out: no
    breaker holds it back. A refusal of the credentials forces the order breaker open until `reset`.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        clock: Clock,
        chance: Chance,
        settings: GuardSettings,
        on_breaker: Callable[[BreakerChange], None],
    ) -> None:
        self.name, self.capabilities = exchange.name, exchange.capabilities
        self._exchange, self._clock, self._settings = exchange, clock, settings
        self._dice = chance.stream(f"guard/{exchange.name}")
        self._fuses = Fuses(exchange.name, settings.breaker, clock, on_breaker)
        self._turns = Turns(settings.calls_per_s, clock)
        self._budget = RetryBudget()
        self._latencies: deque[float] = deque(maxlen=settings.latencies)
        self._venue_time: _VenueTime | None = None
        self._objection: Callable[[], str] = no_objection

    def heed(self, objection: Callable[[], str]) -> None:
        """Ask `objection` directly before an order leaves, here and in an adapter that waits as well: unless it returns
        the empty text, the order is not sent, for that reason.
        """
        self._objection = objection
        if isinstance(self._exchange, Withholding):
            self._exchange.objection = objection

    @property
    def adapter(self) -> Exchange:
        """Return the exchange inside, for what only its own kind has."""
        return self._exchange

    # what the operator sees

    @property
    def budget(self) -> CallBudget | None:
        """Return how much may be called now; None where the venue states no bound."""
        return self._exchange.budget if isinstance(self._exchange, Budgeted) else None

    @property
    def breaker_state(self) -> BreakerState:
        """Return the order breaker's state; OPEN until a read went well after its time."""
        return self._fuses[Guards.ORDERS].state

    @property
    def is_half_open(self) -> bool:
        """Say whether exactly one order may go out, to find out how the venue is."""
        return self.breaker_state is BreakerState.HALF_OPEN

    @property
    def open_until(self) -> datetime | None:
        """Return the wall time until which the order breaker stays open; None if it is not open for a time."""
        return self._fuses.open_until(Guards.ORDERS)

    @property
    def breaker_fact(self) -> str:
        return self._fuses[Guards.ORDERS].fact

    @property
    def accepts_orders(self) -> bool:
        """Say whether the breaker would let an order pass now."""
        return self._fuses.would_admit(Guards.ORDERS)

    def breaker(self, guards: Guards) -> Breaker:
        """Return one of the two breakers as it is."""
        return self._fuses[guards]

    def latency(self, share: float) -> float | None:
        """Return the seconds within which `share` (0 to 1) of the last answered orders were answered; None before any."""
        if not self._latencies:
            return None
        ordered = sorted(self._latencies)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    def force_open(self, reason: str) -> None:
        """Let no order pass until `reset`."""
        self._fuses.force_open(reason)

    def reset(self) -> None:
        """Close both breakers, as an operator wishes."""
        self._fuses.reset()

    def venue_now(self) -> datetime:
        """Return the venue's time: as last read and gone on since, or wall time where it was not read or is in doubt."""
        known = self._venue_time
        if known is None or self._jumped(known):
            return self._clock.wall()
        return known.venue + timedelta(seconds=self._clock.elapsed() - known.elapsed_s)

    # the contract

    async def open(self) -> None:
        async def opened() -> None:
            async with self._clock.timeout(self._settings.open_s):
                await self._exchange.open()

        await self._as_read(opened, f"not open within {self._settings.open_s:g} s")

    async def close(self) -> None:
        await self._exchange.close()

    async def place(self, request: OrderRequest) -> OrderReport:
        call = self._fuses.admit(Guards.ORDERS)
        if isinstance(call, str):
            raise Unsent(self.name, call)
        try:
            report = await self._hand_over(lambda: self._exchange.place(request), call, request)
        except ExchangeError as error:
            self._end_order(call, _outcome(error))
            self._heed(error)
            raise
        except asyncio.CancelledError:
            self._fuses.end_given_up(call)
            raise
        self._end_order(call, Outcome.OK)
        self._budget = self._budget.earn()
        return report

    async def cancel(self, which: Lookup) -> OrderReport:
        call = Call(Guards.ORDERS, 0, self._clock.elapsed())  # never ended: what becomes of it is not counted
        try:
            return await self._hand_over(lambda: self._exchange.cancel(which), call, request=None)
        except ExchangeError as error:
            self._heed(error)
            raise

    async def symbols(self) -> Mapping[str, SymbolRules]:
        return await self._read(self._exchange.symbols)

    async def find(self, which: Lookup) -> OrderReport | None:
        return await self._read(lambda: self._exchange.find(which))

    async def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        return await self._read(lambda: self._exchange.open_orders(symbol))

    async def recent_orders(self, since: datetime, symbol: str | None = None) -> Sequence[OrderReport]:
        return await self._read(lambda: self._exchange.recent_orders(since, symbol))

    async def balances(self) -> Mapping[str, Balance]:
        return await self._read(self._exchange.balances)

    async def venue_time(self) -> datetime:
        """Ask once: a second try would blur how long the answer took, which the caller measures."""
        return await self._read_once(self._read_clock)

    # orders

    async def _hand_over(
        self, send: Callable[[], Awaitable[OrderReport]], call: Call, request: OrderRequest | None
    ) -> OrderReport:
        limit_s = self._settings.order_s
        try:
            async with self._clock.timeout(limit_s):
                await self._turns.for_order(is_way_out=request is None or request.reduces)
                if request is not None:
                    await self._check_deadline(request)
                    if why := self._objection():
                        raise Withheld(self.name, f"{why} before it could be sent")
                call.handed, call.began_s = True, self._clock.elapsed()
                return await send()
        except (Refused, Unsent, Doubtful):
            raise
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            raise Doubtful(self.name, "the call was dropped") from None
        except TimeoutError:
            if call.handed:
                raise Doubtful(self.name, f"no answer within {limit_s:g} s") from None
            raise Unsent(self.name, f"not its turn within {limit_s:g} s") from None
        except ExchangeError as error:
            raise Doubtful(self.name, error.error) from error
        except Exception as error:  # noqa: BLE001 - a defect of an adapter proves nothing about the order it was given
            raise Doubtful(self.name, _sentence(error)) from None

    async def _check_deadline(self, request: OrderRequest) -> None:
        if self._venue_time is not None and self._jumped(self._venue_time):
            try:
                async with self._clock.timeout(self._settings.read_s):
                    await self._read_clock()
            except (ExchangeError, TimeoutError):
                raise Unsent(self.name, "our clock jumped, and the venue does not tell its time") from None
        late = (self.venue_now() - request.send_by).total_seconds()
        if late > 0:
            raise Unsent(self.name, f"its deadline passed {late:.3f} s before it could be sent")

    def _end_order(self, call: Call, outcome: Outcome) -> None:
        took_s = self._fuses.end(call, outcome)
        if call.handed and outcome in {Outcome.OK, Outcome.REFUSED}:
            self._latencies.append(took_s)

    def _heed(self, error: ExchangeError) -> None:
        if not isinstance(error, Refused):
            return
        if error.kind is RefusalKind.AUTH:
            self.force_open(f"the venue refused the credentials: {error.error}")
        elif error.kind is RefusalKind.RATE and error.retry_after_s is not None:
            self._keep_quiet(error.retry_after_s)

    def _keep_quiet(self, seconds: float) -> None:
        self._turns.keep_quiet(seconds)
        if seconds >= self._settings.hold_from_s:
            self._fuses.hold(seconds, f"the venue asked for {seconds:g} s of quiet")

    # reads

    async def _read(self, ask: Callable[[], Awaitable[T]]) -> T:
        settings = self._settings
        for attempt in range(settings.read_tries):
            try:
                answer = await self._read_once(ask)
            except ExchangeError as error:
                if attempt + 1 == settings.read_tries or not self._may_ask_again(error):
                    raise
            else:
                self._budget = self._budget.earn()
                return answer
            await self._clock.sleep(full_jitter(attempt, settings.read_base_s, settings.read_cap_s, self._dice))
        raise AssertionError("the last try either answers or raises")

    def _may_ask_again(self, error: ExchangeError) -> bool:
        if isinstance(error, Refused) and (error.kind is not RefusalKind.RATE or error.retry_after_s is None):
            return False
        if not self._fuses.would_admit(Guards.READS):
            return False
        spent = self._budget.spend()
        self._budget = spent or self._budget
        return spent is not None

    async def _read_once(self, ask: Callable[[], Awaitable[T]]) -> T:
        call = self._fuses.admit(Guards.READS)
        if isinstance(call, str):
            raise ExchangeError(self.name, call)

        async def asked() -> T:
            async with self._clock.timeout(self._settings.read_s):
                await self._turns.for_read()
                call.handed, call.began_s = True, self._clock.elapsed()
                return await ask()

        try:
            answer = await self._as_read(asked, f"no answer within {self._settings.read_s:g} s")
        except ExchangeError as error:
            self._fuses.end(call, _outcome(error))
            self._heed(error)
            raise
        except asyncio.CancelledError:
            self._fuses.end_given_up(call)
            raise
        self._fuses.end(call, Outcome.OK)
        return answer

    async def _as_read(self, work: Callable[[], Awaitable[T]], too_late: str) -> T:
        try:
            return await work()
        except (ExchangeError, ConfigError):
            raise
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            raise ExchangeError(self.name, "the call was dropped") from None
        except TimeoutError:
            raise ExchangeError(self.name, too_late) from None
        except Exception as error:  # noqa: BLE001 - a defect of an adapter is one failed read, like any other
            raise ExchangeError(self.name, _sentence(error)) from None

    async def _read_clock(self) -> datetime:
        began_s = self._clock.elapsed()
        venue = await self._exchange.venue_time()
        now_s = self._clock.elapsed()
        # The answer was right about halfway through the call.
        self._venue_time = _VenueTime(venue + timedelta(seconds=(now_s - began_s) / 2), now_s, self._clock.wall())
        return venue

    def _jumped(self, known: _VenueTime) -> bool:
        passed_s = self._clock.elapsed() - known.elapsed_s
        return abs((self._clock.wall() - known.wall).total_seconds() - passed_s) > CLOCK_JUMP_S


def _outcome(error: ExchangeError) -> Outcome:
    if isinstance(error, Withheld):
        return Outcome.SILENT
    if isinstance(error, Refused):
        return Outcome.FAILED if error.kind is RefusalKind.MAINTENANCE else Outcome.REFUSED
    return Outcome.FAILED


def _is_cancelled() -> bool:
    # A task that nobody cancelled got somebody else's cancellation: the adapter's own trouble.
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _sentence(error: Exception) -> str:
    return REDACT.line(f"{type(error).__name__}: {_QUERY.sub('?…', str(error))}", 200)
