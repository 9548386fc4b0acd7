"""The venue's books: the ground truth that every test compares with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from tests.support.venue.markets import CODES, Market
from tests.support.venue.orders import Denial, Fill, Holding, Order, Status, Ticket, plain
from tests.support.venue.tape import Tape

START_BALANCE: Final = {"BTC": Decimal(10), "ETH": Decimal(200), "USDT": Decimal(1_000_000), "USD": Decimal(1_000_000)}


@dataclass(slots=True)
class Terms:
    """How the venue treats orders; every field can be changed while it runs.

    fill_share: the part of an order that trades at once if its price allows (0 to 1). read_lag_s: how long reads do not
    show an accepted order. ids_for_ever: a repeated client id returns the first order, else it is refused among open
    orders only. fee_in_quote: False takes a buyer's fee from what was bought.
    """

    fill_share: Decimal = Decimal(1)
    read_lag_s: float = 0.0
    fee_rate: Decimal = Decimal("0.001")
    ids_for_ever: bool = False
    fee_in_quote: bool = True


class Ledger:
    """Accounts, orders, trades. Times are seconds since 1970 on the venue's clock, given by the caller."""

    def __init__(self, tape: Tape, terms: Terms) -> None:
        self.tape, self.terms = tape, terms
        self.orders: list[Order] = []
        self._by_client_id: dict[str, list[Order]] = {}
        self._holdings: dict[str, dict[str, Holding]] = {}
        self._fills = 0

    def holdings(self, account: str) -> dict[str, Holding]:
        """Return an account's assets; a new account begins with START_BALANCE."""
        if account not in self._holdings:
            self._holdings[account] = {code: Holding(START_BALANCE.get(code, Decimal(0))) for code in CODES}
        return self._holdings[account]

    def place(self, ticket: Ticket, at_s: float) -> Order | Denial:
        """Enter an order and trade what trades at once, or say why not."""
        known = self._repeated(ticket)
        if known is not None:
            return known if self.terms.ids_for_ever else Denial.DUPLICATE
        quantity = self._quantity(ticket)
        denial = self._objection(ticket, quantity)
        if denial is not None:
            return denial
        order = Order(len(self.orders) + 1, ticket, quantity, at_s)
        self._hold(order)
        self.orders.append(order)
        self._by_client_id.setdefault(ticket.client_id, []).append(order)
        if self._crosses(order):
            self.fill(order, self._share(order), at_s)
        if order.is_open and (ticket.price is None or ticket.immediate):
            self._close(order, Status.EXPIRED, at_s)
        return order

    def judge(self, ticket: Ticket) -> Denial | None:
        """Say why the order would be refused, and enter nothing."""
        return self._objection(ticket, self._quantity(ticket))

    def cancel(self, order: Order, at_s: float) -> bool:
        """Close an open order; False if it was no longer open."""
        if not order.is_open:
            return False
        self._close(order, Status.CANCELLED, at_s)
        return True

    def set_price(self, market: Market, price: Decimal, at_s: float) -> None:
        """Let the market stand at `price`, and trade the resting orders that it reaches."""
        self.tape.set_price(market, price, at_s)
        for order in [o for o in self.orders if o.is_open and o.ticket.market == market and self._crosses(o)]:
            self.fill(order, order.left, at_s, price=order.ticket.price)

    def fill(self, order: Order, quantity: Decimal, at_s: float, price: Decimal | None = None) -> None:
        """Trade a part of an open order, at the market's price unless one is given."""
        quantity = min(quantity, order.left)
        if quantity <= 0 or not order.is_open:
            return
        market, holdings = order.ticket.market, self.holdings(order.ticket.account)
        price = self.tape.price(market) if price is None else price
        base, quote = holdings[market.base], holdings[market.quote]
        self._release(order, quantity)
        cost, is_buy = price * quantity, order.ticket.is_buy
        base.free += quantity if is_buy else -quantity
        quote.free += -cost if is_buy else cost
        in_quote = self.terms.fee_in_quote or not is_buy
        fee = (cost if in_quote else quantity) * self.terms.fee_rate
        (quote if in_quote else base).free -= fee
        self._fills += 1
        order.fills.append(Fill(self._fills, at_s, price, quantity, fee, market.quote if in_quote else market.base))
        if order.left == 0:
            order.status, order.closed_at_s = Status.FILLED, at_s

    def seen(self, account: str, now_s: float) -> Iterator[Order]:
        """Yield the orders that reads show by now, newest first."""
        for order in reversed(self.orders):
            if order.ticket.account == account and now_s >= order.accepted_at_s + self.terms.read_lag_s:
                yield order

    def by_client_id(self, client_id: str) -> list[Order]:
        """Return every order under a client id, seen or not: two are one order doubled."""
        return self._by_client_id.get(client_id, [])

    def truth(self) -> dict[str, Any]:
        """Return everything as JSON can hold it."""
        return {
            "orders": [_as_json(order) for order in self.orders],
            "balances": {
                account: {code: {"free": plain(h.free), "held": plain(h.held)} for code, h in assets.items()}
                for account, assets in self._holdings.items()
            },
        }

    def _repeated(self, ticket: Ticket) -> Order | None:
        if not ticket.client_id:
            return None
        for order in self.by_client_id(ticket.client_id):
            if order.ticket.account == ticket.account and (order.is_open or self.terms.ids_for_ever):
                return order
        return None

    def _quantity(self, ticket: Ticket) -> Decimal:
        if ticket.quantity is not None:
            return ticket.quantity
        assert ticket.spend is not None, "an order has a quantity or an amount to spend"
        step = ticket.market.quantity_step
        return (ticket.spend / self.tape.price(ticket.market) / step).to_integral_value(ROUND_DOWN) * step

    def _objection(self, ticket: Ticket, quantity: Decimal) -> Denial | None:
        market = ticket.market
        price = ticket.price or self.tape.price(market)
        if quantity % market.quantity_step:
            return Denial.QUANTITY_STEP
        if quantity < market.quantity_min:
            return Denial.QUANTITY_MIN
        if ticket.price is not None and (ticket.price <= 0 or ticket.price % market.price_step):
            return Denial.PRICE_STEP
        if quantity * price < market.cost_min:
            return Denial.COST_MIN
        holdings = self.holdings(ticket.account)
        has = holdings[market.quote if ticket.is_buy else market.base].free
        return Denial.FUNDS if has < self._worth(ticket, quantity, price) else None

    def _worth(self, ticket: Ticket, quantity: Decimal, price: Decimal) -> Decimal:
        """Return what an order needs of the asset that it gives away, with a fee that comes on top."""
        if not ticket.is_buy:
            return quantity
        return quantity * price * (1 + (self.terms.fee_rate if self.terms.fee_in_quote else 0))

    def _crosses(self, order: Order) -> bool:
        price, limit = self.tape.price(order.ticket.market), order.ticket.price
        return limit is None or (price <= limit if order.ticket.is_buy else price >= limit)

    def _share(self, order: Order) -> Decimal:
        step = order.ticket.market.quantity_step
        return (order.quantity * self.terms.fill_share / step).to_integral_value(ROUND_DOWN) * step

    def _held(self, order: Order, quantity: Decimal) -> tuple[Holding, Decimal]:
        ticket, market = order.ticket, order.ticket.market
        # A market order trades or ends within `place`, so its price cannot move under its hold.
        amount = self._worth(ticket, quantity, ticket.price or self.tape.price(market))
        return self.holdings(ticket.account)[market.quote if ticket.is_buy else market.base], amount

    def _hold(self, order: Order) -> None:
        holding, amount = self._held(order, order.quantity)
        holding.free -= amount
        holding.held += amount

    def _release(self, order: Order, quantity: Decimal) -> None:
        holding, amount = self._held(order, quantity)
        holding.free += amount
        holding.held -= amount

    def _close(self, order: Order, status: Status, at_s: float) -> None:
        self._release(order, order.left)
        order.status, order.closed_at_s = status, at_s


def _as_json(order: Order) -> dict[str, Any]:
    ticket = order.ticket
    return {
        "number": order.number,
        "account": ticket.account,
        "client_id": ticket.client_id,
        "symbol": ticket.market.symbol,
        "side": order.side,
        "kind": order.kind,
        "quantity": plain(order.quantity),
        "price": None if ticket.price is None else plain(ticket.price),
        "filled": plain(order.filled),
        "average": None if order.average is None else plain(order.average),
        "fee": plain(order.fee),
        "status": str(order.status),
        "accepted_at_s": order.accepted_at_s,
        "deadline_s": ticket.deadline_s,
        "request": ticket.request,
        "fills": [
            {
                "number": f.number,
                "at_s": f.at_s,
                "price": plain(f.price),
                "quantity": plain(f.quantity),
                "fee": plain(f.fee),
            }
            for f in order.fills
        ],
    }
