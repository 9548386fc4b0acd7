"""The exit watch: positions that reached their stop-loss or take-profit become signals that close them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from engine.core.exits import Exit, due_exits
from engine.core.lifecycle import OPEN_SIGNALS
from engine.core.risk import Limits
from engine.core.values import NewSignal, Position
from engine.store.base import SignalFilter
from engine.workers.floor import Floor, signal_id_of

EXIT_SOURCE: Final = "exit"
_RECENT: Final = 50  # how many of a symbol's newest exit signals are read to find where an earlier engine stood


class ExitSettings(BaseModel):
    """How long an exit signal lives, and how long to wait before the next one where one ended without an order.

    The wait doubles with each that failed, up to `again_s_max`: an order that a venue keeps refusing is not hammered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ttl_s: float = Field(60.0, gt=0, allow_inf_nan=False)
    again_s: float = Field(10.0, ge=0, allow_inf_nan=False)
    again_s_max: float = Field(60.0, ge=0, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class _Raised:
    """The last exit signal of one position; `n` counts them, `ended_at` is None while it is not known to have ended."""

    signal_id: str
    n: int
    ended_at: datetime | None = None


class ExitWatch:
    """Makes one exit signal at a time for each position, and another only when the last one ended and left it open."""

    def __init__(self, floor: Floor, limits: Limits, settings: ExitSettings) -> None:
        self._floor, self._limits, self._settings = floor, limits, settings
        self._positions: list[Position] = []
        self._seen_change: int | None = None
        self._raised: dict[str, _Raised] = {}

    async def due(self) -> list[NewSignal]:
        """Return the exit signals to hand in now. Asks the store for positions only if something changed in it."""
        await self._look()
        if not self._positions:
            return []
        now = self._floor.clock.wall()
        exits = due_exits(self._positions, self._floor.market.quotes, self._limits, now)
        return [signal for found in exits if (signal := await self._signal_for(found, now)) is not None]

    def note_stored(self, signals: Sequence[NewSignal]) -> None:
        """Say that these exit signals are durable. Without it they are made again."""
        for signal in signals:
            place, _, n = signal.key.rpartition("|")
            self._raised[place] = _Raised(signal.signal_id, int(n))

    async def _look(self) -> None:
        change = await self._floor.store.change()
        if change == self._seen_change:
            return
        self._positions = await self._floor.store.positions()
        self._seen_change = change
        held = {_place(position) for position in self._positions}
        self._raised = {place: raised for place, raised in self._raised.items() if place in held}

    async def _signal_for(self, found: Exit, now: datetime) -> NewSignal | None:
        place = _place(found.position)
        last = await self._last(place, found.position.symbol)
        if last is not None and not self._is_over(last, now):
            return None
        key = f"{place}|{last.n + 1 if last else 1}"
        return NewSignal(
            signal_id=signal_id_of(EXIT_SOURCE, key),
            key=key,
            symbol=found.position.symbol,
            side=found.side,
            confidence=1.0,
            source=EXIT_SOURCE,
            received_at=now,
            expires_at=now + timedelta(seconds=self._settings.ttl_s),
            note=f"{found.why}: {found.text}",
            preferred_trader=found.position.trader,
            reduces=True,
            reference_price=found.price,
        )

    async def _last(self, place: str, symbol: str) -> _Raised | None:
        known = self._raised.get(place)
        if known is None:
            known = await self._recall(place, symbol)
        elif known.ended_at is None:
            signal = await self._floor.store.signal(known.signal_id)
            if signal is not None and signal.state not in OPEN_SIGNALS:
                known = _Raised(known.signal_id, known.n, signal.ended_at)
        if known is not None:
            self._raised[place] = known
        return known

    async def _recall(self, place: str, symbol: str) -> _Raised | None:
        where = SignalFilter(symbol=symbol, source=EXIT_SOURCE)
        for signal in await self._floor.store.signals(where, None, _RECENT):
            before, _, n = signal.key.rpartition("|")
            if before == place and n.isdecimal():
                return _Raised(signal.id, int(n), None if signal.state in OPEN_SIGNALS else signal.ended_at)
        return None

    def _is_over(self, last: _Raised, now: datetime) -> bool:
        if last.ended_at is None:
            return False
        wait_s = min(self._settings.again_s_max, self._settings.again_s * 2.0 ** min(last.n - 1, 16))
        return now >= last.ended_at + timedelta(seconds=wait_s)


def _place(position: Position) -> str:
    # The signal that opened it tells this holding from an earlier one of the same trader and symbol.
    return f"{EXIT_SOURCE}|{position.trader}|{position.symbol}|{position.opened_by}"
