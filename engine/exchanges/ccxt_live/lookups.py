"""Finding orders: by our id, by the venue's, or by reading its lists to the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from engine.core.order import OrderReport
from engine.exchanges.base import Lookup
from engine.exchanges.ccxt_live.quirks import ById, Fills, Quirk
from engine.exchanges.ccxt_live.reports import BadAnswer, listed, report_of

PAGES_MAX: Final = 20
_WITH_TRADES: Final = {"trades": True}
Ask = Callable[..., Awaitable[Any]]
Row = Mapping[str, Any]


class Lookups:
    """Asks one account's venue. `ask` calls a method of ccxt and returns None only for a whole answer "no such order".

    Every other failure is the caller's ExchangeError, or BadAnswer and its like for an answer that cannot be used.
    """

    def __init__(self, quirk: Quirk, ask: Ask) -> None:
        self._quirk, self._ask = quirk, ask
        self._ids: dict[str, str] = {}  # the venue's form of our ids to ours
        self._symbols: dict[str, None] = {}

    def through(self, ask: Ask) -> Lookups:
        """Return lookups that ask by another way, and know what these know."""
        other = Lookups(self._quirk, ask)
        other._ids, other._symbols = self._ids, self._symbols
        return other

    def remember(self, symbol: str, form: str, client_order_id: str) -> None:
        """Know an id again in the form that the venue has it."""
        self._symbols[symbol] = None
        if form != client_order_id:
            self._ids[form] = client_order_id

    async def find(self, which: Lookup) -> OrderReport | None:
        """Return the order with its trades, or None if no valid answer knows it.

        Raises BadAnswer if two orders carry our id: nobody but a person can say which one counts.
        """
        ours = self._quirk.id_form(which.client_order_id)
        self.remember(which.symbol, ours, which.client_order_id)
        found = await self._orders(which, ours)
        different = {str(order["id"]): order for order in found}
        if not different:
            return None
        if len(different) > 1:
            raise BadAnswer(f"{len(different)} orders carry our id: {', '.join(sorted(different))}")
        [order] = different.values()
        return report_of(order, self._ours(order), await self._trades(order))

    async def open_orders(self, symbol: str | None) -> Sequence[OrderReport]:
        """Return what is open, without trades."""
        return self._reports(await self._open(symbol, {}))

    async def recent_orders(self, since: datetime, symbol: str | None) -> Sequence[OrderReport]:
        """Return orders since then, without trades. A venue that lists by symbol alone is asked for the symbols known here."""
        symbols = [symbol] if symbol is not None or not self._quirk.lists_need_symbol else list(self._symbols)
        found: list[Row] = []
        for each in symbols:
            found += await self._closed(each, since, {})
        return self._reports(found)

    async def _orders(self, which: Lookup, ours: str) -> Sequence[Row]:
        quirk = self._quirk
        if which.venue_order_id is not None:
            return _one(await self._ask("fetch_order", which.venue_order_id, which.symbol))
        if quirk.by_id is ById.FETCH_ORDER:
            return _one(await self._ask("fetch_order", None, which.symbol, dict(quirk.by_id_parameters(ours))))
        narrowed = dict(quirk.by_id_parameters(ours)) if quirk.by_id is ById.LISTS else {}
        shown = [
            *await self._open(which.symbol, narrowed),
            *await self._closed(which.symbol, which.since, narrowed),
        ]
        return [order for order in shown if order.get("clientOrderId") == ours]

    async def _open(self, symbol: str | None, params: Mapping[str, Any]) -> list[Row]:
        given = {**params, **self._asked()}
        found = _rows(await self._ask("fetch_open_orders", symbol, None, None, given))
        if not self._quirk.pages_by_offset and len(found) >= self._quirk.page and symbol is None:
            raise BadAnswer(f"{len(found)} open orders: more than one answer can hold")
        return found

    async def _closed(self, symbol: str | None, since: datetime, params: Mapping[str, Any]) -> list[Row]:
        quirk, since_ms = self._quirk, int(since.timestamp() * 1000)
        given = {**params, **self._asked()}
        if not quirk.pages_by_offset:
            found = _rows(await self._ask(quirk.closed_call, symbol, since_ms, quirk.page, given))
            if len(found) >= quirk.page:
                raise BadAnswer(f"{len(found)} orders since {since.isoformat()}: more than one answer can hold")
            return found
        found = []
        for number in range(PAGES_MAX):
            # Asked without a symbol: ccxt would drop other symbols' rows, and a short page would look like the last one.
            page = _rows(
                await self._ask(quirk.closed_call, None, since_ms, None, {**given, "ofs": number * quirk.page})
            )
            found += page
            if len(page) < quirk.page:
                return [order for order in found if symbol in {None, order.get("symbol")}]
        raise BadAnswer(f"more than {len(found)} orders since {since.isoformat()}")

    async def _trades(self, order: Row) -> Sequence[Row]:
        quirk, order_id, symbol = self._quirk, str(order["id"]), order.get("symbol")
        if quirk.fills is Fills.ORDER_TRADES:
            named = (order.get("info") or {}).get("trades") or []
            if not named:
                return ()
            return _rows(await self._ask("fetch_order_trades", order_id, symbol, None, None, {"trades": list(named)}))
        if not order.get("filled") and order.get("status") == "open":
            return ()
        params = {quirk.fills_parameter: order_id} if quirk.fills_parameter else {}
        found = _rows(await self._ask("fetch_my_trades", symbol, None, None, params))
        return [trade for trade in found if str(trade.get("order")) == order_id]

    def _asked(self) -> Mapping[str, Any]:
        return _WITH_TRADES if self._quirk.fills is Fills.ORDER_TRADES else {}

    def _reports(self, orders: Sequence[Row]) -> list[OrderReport]:
        return [listed(order, self._ours(order)) for order in orders]

    def _ours(self, order: Row) -> str:
        named = order.get("clientOrderId")
        return self._ids.get(str(named), str(named)) if named else ""


def _one(answer: Any) -> Sequence[Row]:
    if answer is None:
        return ()
    if not isinstance(answer, Mapping) or not answer.get("id"):
        raise BadAnswer("the answer names no order")
    return (answer,)


def _rows(answer: Any) -> list[Row]:
    if not isinstance(answer, list):
        raise BadAnswer("the answer is no list")
    return answer
