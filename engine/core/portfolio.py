"""What is held, what is under way, and the durable switches that the gate looks at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.core.values import Position


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
