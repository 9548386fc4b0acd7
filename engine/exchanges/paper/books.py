"""The paper venue's books: how orders, trades and balances change, as functions inside a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from engine.core.order import OrderRequest, OrderStatus
from engine.core.values import Balance, Side
from engine.exchanges.paper.matching import Offer, Slice, assets
from engine.exchanges.paper.records import PaperOrder, micros, order_of, plain
from engine.exchanges.paper.settings import PaperSettings


@dataclass(frozen=True, slots=True)
class Terms:
    """What an account is run on. `prices`, by symbol, value what is held short; needed with shorting only."""

    account: str
    settings: PaperSettings
    prices: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Denied:
    """Why the books do not take an order. `repeated` says that an open order has its client id."""

    text: str
    repeated: bool = False


def accept(
    connection: sqlite3.Connection, request: OrderRequest, offer: Offer, at: datetime, terms: Terms
) -> PaperOrder | Denied:
    """Enter an order, its first part traded with it, or say why not."""
    settle_in(connection, terms, [request.symbol])
    taken = connection.execute(
        "SELECT venue_order_id FROM paper_order WHERE account = ? AND client_order_id = ? AND status = 'open'",
        (terms.account, request.client_order_id),
    ).fetchone()
    if taken is not None:
        return Denied(f"an open order has this client id: {taken[0]}", repeated=True)
    lacking = _lacking(connection, request, offer.hold_price, terms)
    if lacking:
        return Denied(lacking)
    (number,) = connection.execute(
        "UPDATE account SET orders = orders + 1 WHERE name = ? RETURNING orders", (terms.account,)
    ).fetchone()
    venue_order_id = f"{terms.account}-{number}"
    connection.execute(
        """INSERT INTO paper_order (account, venue_order_id, client_order_id, symbol, side, kind, quantity, price,
            worst_price, hold_price, send_by, accepted_at, status, filled, parts_left)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', '0', ?)""",
        (
            *(terms.account, venue_order_id, request.client_order_id, request.symbol, request.side, request.kind),
            *(plain(request.quantity), plain(request.price), plain(offer.worst_price), plain(offer.hold_price)),
            *(micros(request.send_by), micros(at), offer.parts),
        ),
    )
    if offer.first is None:
        return order_of(connection, venue_order_id)
    return trade(connection, venue_order_id, offer.first, at, terms)


def trade(connection: sqlite3.Connection, venue_order_id: str, part: Slice, at: datetime, terms: Terms) -> PaperOrder:
    """Trade a part of an order, at most what is left of it. An order that is no longer open stays as it is."""
    order = order_of(connection, venue_order_id)
    quantity = min(part.quantity, order.remaining)
    if order.status is not OrderStatus.OPEN or quantity <= 0:
        return order
    base, quote = assets(order.symbol)
    cost = quantity * part.price
    fee = cost * terms.settings.fee
    money = _total(connection, terms.account, quote) - order.side.sign * cost - fee
    if money < 0:
        return close(connection, venue_order_id, "the money ran out")
    _set_total(connection, terms.account, quote, money)
    _set_total(connection, terms.account, base, _total(connection, terms.account, base) + order.side.sign * quantity)
    (number,) = connection.execute(
        "UPDATE account SET trades = trades + 1 WHERE name = ? RETURNING trades", (terms.account,)
    ).fetchone()
    connection.execute(
        "INSERT INTO trade VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            *(f"{terms.account}-t{number}", venue_order_id, plain(part.price), plain(quantity)),
            *(plain(fee), quote, micros(at)),
        ),
    )
    filled = order.filled + quantity
    status = OrderStatus.FILLED if filled == order.quantity else OrderStatus.OPEN
    connection.execute(
        "UPDATE paper_order SET filled = ?, status = ?, parts_left = max(0, parts_left - 1) WHERE venue_order_id = ?",
        (plain(filled), status, venue_order_id),
    )
    return order_of(connection, venue_order_id)


def close(connection: sqlite3.Connection, venue_order_id: str, why: str) -> PaperOrder:
    """Close an order with what it has; one that is no longer open stays as it is."""
    connection.execute(
        "UPDATE paper_order SET status = 'closed', why = ? WHERE venue_order_id = ? AND status = 'open'",
        (why, venue_order_id),
    )
    return order_of(connection, venue_order_id)


def settle_in(connection: sqlite3.Connection, terms: Terms, symbols: Sequence[str]) -> None:
    """Make the account at its first use, and grant what its settings grant for these symbols."""
    made = connection.execute("INSERT OR IGNORE INTO account (name) VALUES (?)", (terms.account,)).rowcount
    granted = dict(terms.settings.balances) if made else {}
    if not terms.settings.balances:
        granted = {assets(symbol)[1]: terms.settings.start_quote for symbol in symbols}
    connection.executemany(
        "INSERT OR IGNORE INTO balance VALUES (?, ?, ?)",
        [(terms.account, asset, plain(amount)) for asset, amount in granted.items()],
    )


def balances(connection: sqlite3.Connection, terms: Terms) -> dict[str, Balance]:
    """Return every asset that the account has or ever had, by name. Below zero is short."""
    used = _used(connection, terms)
    rows = connection.execute("SELECT asset, total FROM balance WHERE account = ? ORDER BY asset", (terms.account,))
    totals = {asset: Decimal(total) for asset, total in rows}
    return {
        asset: Balance(asset, total - used.get(asset, Decimal(0)), used.get(asset, Decimal(0)))
        for asset, total in totals.items()
    }


def _lacking(connection: sqlite3.Connection, request: OrderRequest, price: Decimal, terms: Terms) -> str:
    base, quote = assets(request.symbol)
    held = balances(connection, terms)
    free = {asset: held[asset].free if asset in held else Decimal(0) for asset in (base, quote)}
    if request.side is Side.BUY:
        # Buying back what is short frees its margin, so that a way out is never barred by it.
        freed = 2 * min(request.quantity, max(-free[base], Decimal(0))) * price
        cost = request.quantity * price * (1 + terms.settings.fee)
        return "" if cost <= free[quote] + freed else f"{cost:f} {quote} needed, {free[quote]:f} free"
    short = request.quantity - max(free[base], Decimal(0))
    if short <= 0:
        return ""
    if not terms.settings.shorting:
        return f"{request.quantity:f} {base} needed, {free[base]:f} free"
    margin = short * price
    return "" if margin <= free[quote] else f"{margin:f} {quote} of margin needed, {free[quote]:f} free"


def _used(connection: sqlite3.Connection, terms: Terms) -> dict[str, Decimal]:
    used: dict[str, Decimal] = {}
    rows = connection.execute(
        """SELECT symbol, side, quantity, filled, hold_price FROM paper_order INDEXED BY open_id
        WHERE account = ? AND status = 'open'""",
        (terms.account,),
    )
    for symbol, side, quantity, filled, hold in rows:
        base, quote = assets(symbol)
        remaining = Decimal(quantity) - Decimal(filled)
        buys = side == Side.BUY
        asset, amount = (quote, remaining * Decimal(hold) * (1 + terms.settings.fee)) if buys else (base, remaining)
        used[asset] = used.get(asset, Decimal(0)) + amount
    # What was sold short must be covered twice: its proceeds, and as much again.
    for symbol, price in terms.prices.items():
        base, quote = assets(symbol)
        short = -_total(connection, terms.account, base)
        if short > 0:
            used[quote] = used.get(quote, Decimal(0)) + 2 * short * price
    return used


def _total(connection: sqlite3.Connection, account: str, asset: str) -> Decimal:
    row = connection.execute("SELECT total FROM balance WHERE account = ? AND asset = ?", (account, asset)).fetchone()
    return Decimal(row[0]) if row else Decimal(0)


def _set_total(connection: sqlite3.Connection, account: str, asset: str, total: Decimal) -> None:
    connection.execute("INSERT OR REPLACE INTO balance VALUES (?, ?, ?)", (account, asset, plain(total)))
