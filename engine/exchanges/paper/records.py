"""The paper venue's records: its tables, and orders with their trades as they are read from them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from engine.core.errors import StoreBroken
from engine.core.order import Fill, OrderKind, OrderReport, OrderStatus
from engine.core.values import Side

SCHEMA_VERSION: Final = 1

_SCHEMA: Final = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS account (
    name TEXT PRIMARY KEY, orders INTEGER NOT NULL DEFAULT 0, trades INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS balance (
    account TEXT NOT NULL REFERENCES account, asset TEXT NOT NULL, total TEXT NOT NULL, PRIMARY KEY (account, asset)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS paper_order (
    seq INTEGER PRIMARY KEY, account TEXT NOT NULL REFERENCES account, venue_order_id TEXT NOT NULL UNIQUE,
    client_order_id TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, kind TEXT NOT NULL,
    quantity TEXT NOT NULL, price TEXT, worst_price TEXT, hold_price TEXT NOT NULL, send_by INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL, status TEXT NOT NULL CHECK (status IN ('open', 'filled', 'closed')),
    filled TEXT NOT NULL, parts_left INTEGER NOT NULL, why TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS open_id ON paper_order (account, client_order_id) WHERE status = 'open';
CREATE INDEX IF NOT EXISTS order_by_id ON paper_order (account, client_order_id, seq);
CREATE INDEX IF NOT EXISTS order_by_time ON paper_order (account, accepted_at);
CREATE TABLE IF NOT EXISTS trade (
    trade_id TEXT PRIMARY KEY, venue_order_id TEXT NOT NULL REFERENCES paper_order (venue_order_id),
    price TEXT NOT NULL, quantity TEXT NOT NULL, fee TEXT NOT NULL, fee_asset TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS trade_of_order ON trade (venue_order_id);
PRAGMA user_version = 1;
COMMIT;
"""

_ORDER: Final = """SELECT account, venue_order_id, client_order_id, symbol, side, kind, quantity, price, worst_price,
    hold_price, send_by, accepted_at, status, filled, parts_left, why FROM paper_order"""


class Which(StrEnum):
    """Which orders are read; the question marks are the parameters, in this order."""

    ALL = ""
    ACCOUNT = "WHERE account = ?"
    # Left to itself SQLite takes the index by time, and walks through all that the account ever ordered.
    OPEN = "INDEXED BY open_id WHERE account = ? AND status = 'open'"
    SINCE = "WHERE account = ? AND accepted_at >= ?"
    CLIENT_ID = "WHERE account = ? AND client_order_id = ?"
    OWN_VENUE_ID = "WHERE account = ? AND venue_order_id = ?"
    VENUE_ID = "WHERE venue_order_id = ?"


_QUERIES: Final = {which: f"{_ORDER} {which.value} ORDER BY seq" for which in Which}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PaperOrder:
    """An order as the venue keeps it. `why` says why it was closed before it was filled. `parts_left` is in how many parts the rest trades. See `Offer` for the rest."""

    account: str
    venue_order_id: str
    client_order_id: str
    symbol: str
    side: Side
    kind: OrderKind
    quantity: Decimal
    price: Decimal | None
    worst_price: Decimal | None
    hold_price: Decimal
    send_by: datetime
    accepted_at: datetime
    status: OrderStatus
    filled: Decimal
    parts_left: int
    why: str = ""
    trades: tuple[Fill, ...] = ()

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled

    def report(self) -> OrderReport:
        """Return the order in the words of the exchange's contract."""
        cost = sum((t.price * t.quantity for t in self.trades), Decimal(0))
        return OrderReport(
            venue_order_id=self.venue_order_id,
            client_order_id=self.client_order_id,
            symbol=self.symbol,
            side=self.side,
            quantity=self.quantity,
            status=self.status,
            filled_quantity=self.filled,
            average_price=cost / self.filled if self.filled else None,
            fills=self.trades,
            at=self.trades[-1].at if self.trades else self.accepted_at,
        )


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables. Raises StoreBroken if a later version of the program made them."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise StoreBroken(f"the paper ledger has version {version}, this program knows {SCHEMA_VERSION}; update it")
    connection.executescript(_SCHEMA)


def orders(connection: sqlite3.Connection, which: Which, parameters: Sequence[object]) -> list[PaperOrder]:
    """Return orders with their trades, oldest first."""
    rows = connection.execute(_QUERIES[which], parameters).fetchall()
    return [_order(row, _trades(connection, row[1])) for row in rows]


def order_of(connection: sqlite3.Connection, venue_order_id: str) -> PaperOrder:
    """Return the order that is known to be there."""
    (order,) = orders(connection, Which.VENUE_ID, (venue_order_id,))
    return order


def _trades(connection: sqlite3.Connection, venue_order_id: str) -> tuple[Fill, ...]:
    rows = connection.execute(
        "SELECT trade_id, price, quantity, fee, fee_asset, at FROM trade WHERE venue_order_id = ? ORDER BY rowid",
        (venue_order_id,),
    )
    return tuple(Fill(i, Decimal(p), Decimal(q), Decimal(fee), asset, moment(at)) for i, p, q, fee, asset, at in rows)


def _order(row: Sequence[object], trades: tuple[Fill, ...]) -> PaperOrder:
    texts = [str(value) for value in row]
    price, worst = (None if row[n] is None else Decimal(texts[n]) for n in (7, 8))
    return PaperOrder(
        account=texts[0],
        venue_order_id=texts[1],
        client_order_id=texts[2],
        symbol=texts[3],
        side=Side(texts[4]),
        kind=OrderKind(texts[5]),
        quantity=Decimal(texts[6]),
        price=price,
        worst_price=worst,
        hold_price=Decimal(texts[9]),
        send_by=moment(int(texts[10])),
        accepted_at=moment(int(texts[11])),
        status=OrderStatus(texts[12]),
        filled=Decimal(texts[13]),
        parts_left=int(texts[14]),
        why=texts[15],
        trades=trades,
    )


def plain(value: Decimal | None) -> str | None:
    """Return a decimal as it is stored: digits without an exponent."""
    return None if value is None else format(value, "f")


def micros(at: datetime) -> int:
    """Return a time as it is stored: microseconds since 1970."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def moment(at_us: int) -> datetime:
    """Return a stored time."""
    return _EPOCH + timedelta(microseconds=at_us)
