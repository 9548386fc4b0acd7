"""One account at one real venue, reached through ccxt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NoReturn, TypeVar

from engine.clock import Clock
from engine.core.account import CallBudget
from engine.core.errors import Doubtful, ExchangeError, RefusalKind, Refused, SignalDeckError, Unsent
from engine.core.order import OrderKind, OrderReport, OrderRequest, OrderStatus
from engine.core.sizing import limit_price
from engine.core.values import Balance, Side, SymbolRules
from engine.exchanges.base import Lookup, no_objection
from engine.exchanges.ccxt_live import reports
from engine.exchanges.ccxt_live.lookups import Lookups
from engine.exchanges.ccxt_live.outcome import is_no_such_order, order_error, read_error
from engine.exchanges.ccxt_live.quirks import Quirk
from engine.exchanges.ccxt_live.seat import KeySeat
from engine.redaction import REDACT
from engine.venues.client import VenueClient
from engine.venues.trip import Trip

T = TypeVar("T")

BANNED_S_MIN: Final = 120.0  # an address that was banned is banned for two minutes at the least


class CcxtAccount:
    """See `Exchange` for the contract.

    A market order with a slippage limit goes out as a limit order at the limit, to be filled at once or not at all: the
    venue itself then keeps the bound. `take_seat` returns the connection that traders on the same key share; nothing is
    read or connected before `open`.
    """

    def __init__(
        self, name: str, quirk: Quirk, *, take_seat: Callable[[], KeySeat], table: Mapping[str, object], clock: Clock
    ) -> None:
        self.name, self.capabilities = name, quirk.capabilities
        self._quirk, self._take_seat, self._table, self._clock = quirk, take_seat, table, clock
        self._seat: KeySeat | None = None
        self._rules: Mapping[str, SymbolRules] = {}
        self._lookups = Lookups(quirk, self._ask)
        self._before_cancels = self._lookups.through(self._ask_first)
        self.objection: Callable[[], str] = no_objection

    @property
    def connection(self) -> VenueClient:
        """Return the client that the account stands on; it must be open."""
        return self._sitting().client

    async def open(self) -> None:
        seat = self._seat or self._take_seat()
        try:
            await seat.take(self.name, self._table)
        except SignalDeckError:
            raise
        except Exception as error:  # noqa: BLE001 - a foreign library's: translated at the border
            self._fail(error, Trip())
        self._seat = seat

    async def close(self) -> None:
        seat, self._seat = self._seat, None
        if seat is not None:
            await seat.leave(self.name)

    async def symbols(self) -> Mapping[str, SymbolRules]:
        markets = self._sitting().client.ccxt.markets or {}
        try:
            found = [reports.rules_of(market) for market in markets.values()]
        except ValueError as problem:
            raise ExchangeError(self.name, f"its markets cannot be read: {REDACT.line(str(problem), 120)}") from None
        if not any(found):
            raise ExchangeError(self.name, "it lists no market that can be traded")
        self._rules = {rules.symbol: rules for rules in found if rules is not None}
        return self._rules

    async def place(self, request: OrderRequest) -> OrderReport:
        seat = self._sitting()
        call = self._order(request)
        await self._turn(seat, request)
        trip = Trip(send_by=request.send_by, lead_s=self._quirk.lead_s, objection=self.objection)
        try:
            answer = await seat.client.call("create_order", *call, trip=trip)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is judged by what is known of the trip
            failure = order_error(self.name, error, trip, self._quirk.refusals, seat.client.time.now())
            raise self._heeded(failure, trip) from None
        if not isinstance(answer, Mapping) or not answer.get("id"):
            raise Doubtful(self.name, "the answer names no order")
        try:
            return reports.acknowledged(answer, request)
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise Doubtful(self.name, f"an answer that cannot be used: {REDACT.line(str(problem), 120)}") from None

    async def cancel(self, which: Lookup) -> OrderReport:
        # What a cancel answers proves little: a connection that dropped is told as "not found", and a fill may have been
        # faster. The order itself is asked afterwards. None of it waits behind an entry.
        found = await self._translated(lambda: self._before_cancels.find(which))
        if found is None:
            raise Refused(self.name, "there is no such order")
        if found.status is not OrderStatus.OPEN:
            return found
        failure: ExchangeError | None = None
        try:
            await self._ask_first("cancel_order", found.venue_order_id, which.symbol)
        except ExchangeError as error:
            failure = error
        named = replace(which, venue_order_id=found.venue_order_id)
        report = await self._translated(lambda: self._before_cancels.find(named))
        if report is None or (report.status is OrderStatus.OPEN and failure is not None):
            raise failure or ExchangeError(self.name, "after the cancel the venue does not show the order")
        return report

    async def find(self, which: Lookup) -> OrderReport | None:
        return await self._translated(lambda: self._lookups.find(which))

    async def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        return await self._translated(lambda: self._lookups.open_orders(symbol))

    async def recent_orders(self, since: datetime, symbol: str | None = None) -> Sequence[OrderReport]:
        return await self._translated(lambda: self._lookups.recent_orders(since, symbol))

    async def balances(self) -> Mapping[str, Balance]:
        async def asked() -> Mapping[str, Balance]:
            return reports.balances_of(await self._ask("fetch_balance"))

        return await self._translated(asked)

    async def venue_time(self) -> datetime:
        seat, trip = self._sitting(), Trip()
        await seat.turns.for_read()
        try:
            return await seat.client.read_time(trip)
        except Exception as error:  # noqa: BLE001 - a foreign library's: translated at the border
            self._fail(error, trip)

    # an order's form

    def _order(self, request: OrderRequest) -> tuple[Any, ...]:
        """Return what create_order is called with, or raise Refused for what this venue could never take."""
        rules = self._rules.get(request.symbol)
        if rules is None:
            raise Refused(self.name, f"{request.symbol} is not traded here", RefusalKind.SYMBOL)
        quirk, ours = self._quirk, self._quirk.id_form(request.client_order_id)
        params: dict[str, Any] = {**quirk.extra, quirk.id_parameter: ours}
        if quirk.deadline_parameter:
            params[quirk.deadline_parameter] = _rfc3339(request.send_by)
        self._lookups.remember(request.symbol, ours, request.client_order_id)
        kind, price = "market", request.price
        if request.kind is OrderKind.LIMIT:
            kind = "limit"
        elif request.reference_price is not None and request.slippage_max is not None:
            kind, price = "limit", _bound(request, rules)
            params["timeInForce"] = "IOC"
        elif quirk.market_buys_by_cost and request.side is Side.BUY:
            raise Refused(self.name, "it takes no market buy without a price to bound it", RefusalKind.OTHER)
        exact = f"{request.quantity:f}"
        if Decimal(self._sitting().client.ccxt.amount_to_precision(request.symbol, exact)) != request.quantity:
            raise Refused(self.name, f"{exact} is not on the venue's step {rules.quantity_step}", RefusalKind.SIZE)
        # A price beside a market order would change what its quantity means at some venues.
        stated = f"{price:f}" if kind == "limit" and price is not None else None
        return request.symbol, kind, str(request.side), exact, stated, params

    async def _turn(self, seat: KeySeat, request: OrderRequest) -> None:
        left_s = (request.send_by - seat.client.time.now()).total_seconds() - self._quirk.lead_s
        try:
            async with self._clock.timeout(max(0.0, left_s)):
                await seat.turns.for_order(is_way_out=request.reduces)
        except TimeoutError:
            raise Unsent(self.name, "its turn did not come before its deadline") from None

    # asking

    async def _ask(self, method: str, *given: Any) -> Any:
        await self._sitting().turns.for_read()
        return await self._asked(method, given)

    async def _ask_first(self, method: str, *given: Any) -> Any:
        await self._sitting().turns.for_order(is_way_out=True)
        return await self._asked(method, given)

    async def _asked(self, method: str, given: Sequence[Any]) -> Any:
        seat, trip = self._sitting(), Trip()
        try:
            return await seat.client.call(method, *given, trip=trip)
        except Exception as error:  # noqa: BLE001 - a foreign library's: translated at the border
            if is_no_such_order(error, trip):
                return None
            self._fail(error, trip)

    async def _translated(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise ExchangeError(self.name, f"an answer that cannot be used: {REDACT.line(str(problem), 120)}") from None

    def _fail(self, error: Exception, trip: Trip) -> NoReturn:
        raise self._heeded(read_error(self.name, error, trip, self._quirk.refusals), trip) from None

    def _heeded(self, failure: ExchangeError, trip: Trip) -> ExchangeError:
        """Let everybody on this key be quiet for as long as the venue wishes."""
        if isinstance(failure, Refused) and failure.kind is RefusalKind.RATE:
            if trip.status == 418:
                failure.retry_after_s = max(failure.retry_after_s or 0.0, BANNED_S_MIN)
            if failure.retry_after_s is not None and self._seat is not None:
                self._seat.turns.keep_quiet(failure.retry_after_s)
        return failure

    @property
    def budget(self) -> CallBudget | None:
        return self._seat.turns.budget if self._seat is not None else None

    def _sitting(self) -> KeySeat:
        if self._seat is None:
            raise Unsent(self.name, "it is not open")
        return self._seat


def _bound(request: OrderRequest, rules: SymbolRules) -> Decimal:
    assert request.reference_price is not None, "a bounded order"
    assert request.slippage_max is not None, "a bounded order"
    worst = request.reference_price * (1 + request.side.sign * request.slippage_max)
    return limit_price(worst, request.side, rules)


def _rfc3339(at: datetime) -> str:
    """Return the time with milliseconds, rounded down: a deadline may come early, never late."""
    whole = at - timedelta(microseconds=at.microsecond % 1000)
    return whole.isoformat(timespec="milliseconds").replace("+00:00", "Z")
