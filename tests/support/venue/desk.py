"""The control plane's side in the venue: each command is a POST of one JSON object to /_control/<command>."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from tests.support.venue.markets import MARKETS, Market
from tests.support.venue.orders import Order

if TYPE_CHECKING:
    from tests.support.venue.server import VenueServer

PREFIX: Final = "/_control/"
_BY_SYMBOL: Final = {market.symbol: market for market in MARKETS}
Asked = Mapping[str, Any]


class Desk:
    """Obeys the commands. A command that makes no sense is answered with 400 and the reason."""

    def __init__(self, venue: VenueServer) -> None:
        self._venue = venue
        self._commands: Mapping[str, Callable[[Asked], object]] = {
            "about": lambda asked: venue.about(),
            "script": self._script,
            "clear": lambda asked: venue.plan.clear(),
            "pending": lambda asked: venue.plan.pending(),
            "way": lambda asked: venue.on_the_way,
            "storm": self._storm,
            "calm": lambda asked: venue.plan.end_storm(),
            "skew": self._skew,
            "price": self._price,
            "terms": self._terms,
            "fill": self._fill,
            "cancel": self._cancel,
            "balance": self._balance,
            "away": lambda asked: venue.go_away(float(asked["seconds"])),
            "revoke": lambda asked: venue.dialect.revoke(revoked=bool(asked["revoked"])),
            "ledger": lambda asked: venue.truth(),
            "log": self._log,
        }

    async def answer(self, request: web.BaseRequest) -> web.Response:
        command = self._commands.get(request.path.removeprefix(PREFIX))
        if command is None:
            return web.json_response({"error": f"no command {request.path}"}, status=404)
        try:
            asked = await request.json() if request.body_exists else {}
            return web.json_response({"result": command(asked)})
        except (KeyError, TypeError, ValueError, InvalidOperation) as wrong:
            return web.json_response({"error": f"{type(wrong).__name__}: {wrong}"}, status=400)

    def _script(self, asked: Asked) -> None:
        self._venue.plan.script(
            str(asked["kind"]), asked["fault"], asked.get("times", 1), str(asked.get("holding", ""))
        )

    def _storm(self, asked: Asked) -> None:
        self._venue.plan.begin_storm(int(asked["seed"]), float(asked["rate"]), asked["mix"], asked.get("kinds", ()))

    def _skew(self, asked: Asked) -> None:
        self._venue.skew_s = float(asked["seconds"])

    def _price(self, asked: Asked) -> None:
        self._venue.dialect.ledger.set_price(_market(asked), Decimal(asked["price"]), self._venue.now_s())

    def _terms(self, asked: Asked) -> None:
        terms = self._venue.dialect.ledger.terms
        if "fill_share" in asked:
            terms.fill_share = Decimal(asked["fill_share"])
        if "read_lag_s" in asked:
            terms.read_lag_s = float(asked["read_lag_s"])
        if "fee_rate" in asked:
            terms.fee_rate = Decimal(asked["fee_rate"])

    def _fill(self, asked: Asked) -> None:
        self._venue.dialect.ledger.fill(self._order(asked), Decimal(asked["quantity"]), self._venue.now_s())

    def _cancel(self, asked: Asked) -> bool:
        return self._venue.dialect.ledger.cancel(self._order(asked), self._venue.now_s())

    def _balance(self, asked: Asked) -> None:
        self._venue.dialect.ledger.holdings(str(asked["account"]))[str(asked["code"])].free = Decimal(asked["free"])

    def _log(self, asked: Asked) -> object:
        since = int(asked.get("since", 0))
        return [entry.as_json() for entry in self._venue.log.values() if entry.number > since]

    def _order(self, asked: Asked) -> Order:
        number = int(asked["order"])
        if not 1 <= number <= len(self._venue.dialect.ledger.orders):
            raise ValueError(f"there is no order {number}")
        return self._venue.dialect.ledger.orders[number - 1]


def _market(asked: Asked) -> Market:
    return _BY_SYMBOL[str(asked["symbol"])]
