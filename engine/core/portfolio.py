"""What is held, what is under way, and the durable switches that the gate looks at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from engine.core.order import Fill
from engine.core.values import Position, Side


@dataclass(frozen=True, slots=True)
class TradeCounts:
    """Entries (not exits) that count against the limits; an attempt counts unless it is proven to be no order."""

    trades_hour: int = 0
    trades_day: int = 0


@dataclass(frozen=True, slots=True)
class Holdings:
    """Positions, and the orders still under way (live attempts) as (symbol, trader): entries and exits."""

    positions: tuple[Position, ...] = ()
    entries: tuple[tuple[str, str], ...] = ()
    exits: tuple[tuple[str, str], ...] = ()
    trades: TradeCounts = TradeCounts()

    def position(self, trader: str, symbol: str) -> Position | None:
        """Return what `trader` holds of `symbol`, if anything."""
        return next((p for p in self.positions if p.trader == trader and p.symbol == symbol), None)


@dataclass(frozen=True, slots=True)
class EngineSwitches:
    """Durable wishes for the whole engine: the kill switch, with who, when and why."""

    halted: bool = False
    halted_by: str = ""
    halted_at: datetime | None = None
    halted_why: str = ""


@dataclass(frozen=True, slots=True)
class Trade:
    """Whose trade it is: the account, the symbol, the way it went, and the signal behind it."""

    trader: str
    symbol: str
    side: Side
    signal_id: str


def position_after(held: Position | None, trade: Trade, fill: Fill) -> Position | None:
    """Return what is held once `fill` was traded, None if that is nothing.

    The entry price is the average of what built the position: adding moves it, lowering does not, and turning through
    zero begins anew with this fill.
    """
    traded = fill.quantity * trade.side.sign
    before = held.quantity if held is not None else Decimal(0)
    quantity = before + traded
    if quantity == 0:
        return None
    price, opened_at, opened_by = fill.price, fill.at, trade.signal_id
    if held is not None and (before > 0) == (quantity > 0):
        price, opened_at, opened_by = held.entry_price, held.opened_at, held.opened_by
        if (traded > 0) == (before > 0):
            price = (abs(before) * price + fill.quantity * fill.price) / abs(quantity)
    return Position(trade.trader, trade.symbol, quantity, price, opened_at, opened_by)
