"""The market source's contract: where prices come from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from engine.core.feeds import FeedStanding
from engine.core.values import Candle


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade at `at_ms` (milliseconds since 1970, UTC)."""

    symbol: str
    at_ms: int
    price: float
    amount: float


@dataclass(frozen=True, slots=True)
class Tick:
    """What a source delivers at one moment of market time: all rows with times up to `at_ms`, in order of time.

    A source yields a Tick only once the clock has reached `at_ms`, and yields one even without rows whenever candles
    could have closed, so that silence can be told from a dead feed. `known` names symbols whose trades are known only up
    to some earlier time: their candles wait for the rest. `broken` names those of which trades were missed before the
    tick: their history starts anew with it.
    """

    at_ms: int
    trades: Sequence[Trade] = ()
    candles: Sequence[Candle] = ()
    known: Mapping[str, int] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()


class MarketSource(Protocol):
    """Prices of several symbols. Opened once, read by one Feed, closed once."""

    name: str

    def symbols(self) -> Sequence[str]: ...

    def begins_at(self) -> datetime | None:
        """Return the first time in a recording, or None for a source that follows the present."""

    async def open(self) -> None:
        """Raises BadInput that names file and row if a recording cannot be read."""

    async def history(self, count: int) -> Sequence[Candle]:
        """Return up to `count` closed candles per symbol from before the first tick, oldest first; may be empty."""

    def ticks(self) -> AsyncIterator[Tick]:
        """Yield until the recording ends (or for ever), waiting on the clock."""

    def standings(self) -> Sequence[FeedStanding]:
        """Return how each venue behind it stands; empty for a source that asks none."""

    async def close(self) -> None: ...
