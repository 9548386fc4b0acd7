"""One symbol's candles: the open one while rows arrive, and the closed ones as columns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from math import isfinite
from typing import Final

import numpy as np

from engine.core.values import Candle
from engine.core.window import Series, Window
from engine.market.base import Trade

OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)


class Fate(Enum):
    """What became of one row."""

    KEPT = auto()
    LATE = auto()  # its candle has closed
    REPEATED = auto()  # exactly this ready candle is there already
    BAD = auto()  # impossible figures, from the future, or not of this symbol's rhythm


@dataclass(slots=True)
class CandleCounters:
    """Counts since the start, over all symbols. `candles` includes `flat`; late, repeated and bad rows were dropped."""

    candles: int = 0
    flat: int = 0
    late: int = 0
    repeated: int = 0
    bad: int = 0
    breaks: int = 0

    def note(self, fate: Fate) -> None:
        """Count one row by what became of it."""
        if fate is Fate.LATE:
            self.late += 1
        elif fate is Fate.REPEATED:
            self.repeated += 1
        elif fate is Fate.BAD:
            self.bad += 1


@dataclass(frozen=True, slots=True)
class Cut:
    """How candles are cut: the interval in milliseconds, how many are kept, and how many flat ones in a row are filled."""

    interval_ms: int
    history: int
    flat_max: int


class Columns:
    """The last `length` closed candles in one block of memory that never changes under a window handed out.

    New candles are written behind the last. When the block is full the tail moves to a fresh one, and windows keep the old.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._block = np.empty((5, 2 * length))
        self._shown = self._sealed()
        self._end = 0

    def __len__(self) -> int:
        return min(self._end, self._length)

    def append(self, candle: Candle) -> None:
        if self._end == self._block.shape[1]:
            kept = self._length - 1
            fresh = np.empty_like(self._block)
            fresh[:, :kept] = self._block[:, self._end - kept :]
            self._block, self._end = fresh, kept
            self._shown = self._sealed()
        self._block[:, self._end] = (candle.open, candle.high, candle.low, candle.close, candle.volume)
        self._end += 1

    def clear(self) -> None:
        self._block = np.empty_like(self._block)
        self._shown = self._sealed()
        self._end = 0

    def window(self, symbol: str) -> Window:
        first, end, shown = max(0, self._end - self._length), self._end, self._shown
        return Window(symbol, *(shown[row, first:end] for row in range(5)))

    def figures(self, age: int) -> tuple[float, ...] | None:
        """Return open, high, low, close and volume of the candle `age` steps before the newest, None if it is gone."""
        if not 0 <= age < len(self):
            return None
        return tuple(self._block[:, self._end - 1 - age].tolist())

    def _sealed(self) -> Series:
        shown = self._block.view()
        shown.flags.writeable = False
        return shown


class OpenCandle:
    """The candle that begins at `opened_ms`, while rows still come in.

    Once a ready row is in it, it is made of ready rows alone: they contain the trades already.
    """

    __slots__ = ("_first_ms", "_high", "_last_ms", "_low", "_open", "_ready", "_volume", "close", "opened_ms")

    def __init__(self, opened_ms: int) -> None:
        self.opened_ms = opened_ms
        self._ready: dict[int, Candle] = {}
        self._first_ms = self._last_ms = -1
        self._open = self._high = self._low = self.close = self._volume = 0.0

    @property
    def is_empty(self) -> bool:
        return self._last_ms < 0 and not self._ready

    def is_covered_to(self, end_ms: int) -> bool:
        """Say whether a ready row reaches to the end, so that no other is awaited."""
        return any(row.closed_ms == end_ms for row in self._ready.values())

    def trade(self, at_ms: int, price: float, amount: float) -> None:
        """Add a trade. Out of order, it takes its place by time; of the same millisecond, by arrival."""
        if self._last_ms < 0:
            self._open = self._high = self._low = self.close = price
            self._first_ms = self._last_ms = at_ms
        else:
            if at_ms < self._first_ms:
                self._open, self._first_ms = price, at_ms
            if at_ms >= self._last_ms:
                self.close, self._last_ms = price, at_ms
            self._high = max(self._high, price)
            self._low = min(self._low, price)
        self._volume += amount

    def ready(self, row: Candle) -> Fate:
        """Add a ready row; the last of several with the same time wins."""
        if self._ready.get(row.opened_ms) == row:
            return Fate.REPEATED
        self._ready[row.opened_ms] = row
        return Fate.KEPT

    def closed(self, symbol: str, interval_ms: int) -> Candle:
        """Return what was gathered as a candle. There must be something."""
        if not self._ready:
            figures = (self._open, self._high, self._low, self.close, self._volume)
            return Candle(symbol, self.opened_ms, interval_ms, *figures)
        rows = [self._ready[at] for at in sorted(self._ready)]
        return Candle(
            symbol,
            self.opened_ms,
            interval_ms,
            rows[0].open,
            max(row.high for row in rows),
            min(row.low for row in rows),
            rows[-1].close,
            sum(row.volume for row in rows),
            all(row.flat for row in rows),
        )


class SymbolSeries:
    """The candles of one symbol. The first row, and the first after a break, sets the rhythm of its candles: the builder's,
    or that of longer ready candles.
    """

    NEVER: Final = 1 << 62

    def __init__(self, symbol: str, cut: Cut, counters: CandleCounters) -> None:
        self.symbol = symbol
        self.last_price: float | None = None
        self.last_ms = -1
        self._own_ms, self._flat_max = cut.interval_ms, cut.flat_max
        self._counters = counters
        self._columns = Columns(cut.history)
        self._window: Window | None = None
        self._open: OpenCandle | None = None
        self._interval_ms, self._phase_ms = cut.interval_ms, 0
        self._flat_run = 0
        self._fed_ready = False
        self._traded_beside = False

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def due_ms(self) -> int:
        """Return when the open candle closes by the clock alone; ready rows have one interval to arrive."""
        if self._open is None:
            return self.NEVER
        end = self._open.opened_ms + self._interval_ms
        if self._fed_ready and not self._open.is_covered_to(end):
            return end + self._interval_ms
        return end

    @property
    def last_closed_ms(self) -> int | None:
        """Return the end of the newest closed candle, None if there is none."""
        return None if self._open is None or not len(self._columns) else self._open.opened_ms

    def window(self) -> Window | None:
        if self._window is None and len(self._columns):
            self._window = self._columns.window(self.symbol)
        return self._window

    def take_trade(self, row: Trade, now_ms: int, closed: list[Candle]) -> Fate:
        """Add a trade; candles that it proves to be over go to `closed`."""
        if not (is_price(row.price) and is_amount(row.amount)) or row.at_ms > now_ms + self._own_ms or row.at_ms < 0:
            return Fate.BAD
        if self._open is not None and row.at_ms < self._open.opened_ms:
            return Fate.LATE
        self._note_price(row.price, row.at_ms)
        if self._open is not None and self._interval_ms != self._own_ms:
            self._traded_beside = True
            return Fate.KEPT  # the longer ready candles contain it
        self._open_at(row.at_ms, self._own_ms, 0, closed).trade(row.at_ms, row.price, row.amount)
        self._fed_ready = False
        return Fate.KEPT

    def take_ready(self, row: Candle, now_ms: int, closed: list[Candle]) -> Fate:
        """Add a ready candle; candles that it proves to be over go to `closed`."""
        if not is_sound(row) or row.opened_ms > now_ms + self._own_ms:
            return Fate.BAD
        rhythm_ms, phase_ms = self._rhythm_of(row)
        if self._open is not None:
            if (rhythm_ms, phase_ms) != (self._interval_ms, self._phase_ms):
                return Fate.BAD
            if row.opened_ms < self._open.opened_ms:
                return Fate.REPEATED if self._has(row) else Fate.LATE
        if (row.opened_ms - phase_ms) % rhythm_ms + row.interval_ms > rhythm_ms:
            return Fate.BAD  # it straddles two candles
        self._note_price(row.close, min(row.closed_ms, max(now_ms, row.opened_ms)))
        self._fed_ready, self._traded_beside = True, False
        return self._open_at(row.opened_ms, rhythm_ms, phase_ms, closed).ready(row)

    def close_until(self, now_ms: int, closed: list[Candle]) -> None:
        """Close what the clock has closed: filled candles, flat ones up to the bound, then a break."""
        while now_ms >= self.due_ms:
            self._close(closed)

    def break_off(self) -> None:
        """Start history anew: what lies between the last row and the next one is not known."""
        if self._open is not None:
            self._break()

    def _rhythm_of(self, row: Candle) -> tuple[int, int]:
        if self._own_ms % row.interval_ms == 0:
            return self._own_ms, 0
        return row.interval_ms, row.opened_ms % row.interval_ms

    def _open_at(self, at_ms: int, rhythm_ms: int, phase_ms: int, closed: list[Candle]) -> OpenCandle:
        while self._open is not None and at_ms >= self._open.opened_ms + self._interval_ms:
            self._close(closed)
        if self._open is None:
            self._interval_ms, self._phase_ms = rhythm_ms, phase_ms
            self._open = OpenCandle(at_ms - (at_ms - phase_ms) % rhythm_ms)
        return self._open

    def _close(self, closed: list[Candle]) -> None:
        assert self._open is not None, "there is always an open candle where one is due"
        if not self._open.is_empty:
            candle = self._open.closed(self.symbol, self._interval_ms)
            self._flat_run = 0
        elif self._flat_run < self._flat_max and not self._traded_beside:
            candle = self._flat(self._open.opened_ms)
            self._flat_run += 1
            self._counters.flat += 1
        else:
            self._break()
            return
        self._columns.append(candle)
        self._window = None
        self._open = OpenCandle(candle.closed_ms)
        closed.append(candle)
        self._counters.candles += 1

    def _flat(self, opened_ms: int) -> Candle:
        figures = self._columns.figures(0)
        assert figures is not None, "an empty candle can only follow a closed one"
        price = figures[CLOSE]
        return Candle(self.symbol, opened_ms, self._interval_ms, price, price, price, price, 0.0, flat=True)

    def _break(self) -> None:
        self._counters.breaks += 1
        self._columns.clear()
        self._window = self._open = None
        self._flat_run, self._traded_beside = 0, False

    def _has(self, row: Candle) -> bool:
        assert self._open is not None, "only a series with an open candle has a past"
        age = (self._open.opened_ms - row.opened_ms) // self._interval_ms - 1
        return row.interval_ms == self._interval_ms and self._columns.figures(age) == (
            row.open,
            row.high,
            row.low,
            row.close,
            row.volume,
        )

    def _note_price(self, price: float, at_ms: int) -> None:
        if at_ms >= self.last_ms:
            self.last_price, self.last_ms = price, at_ms


def is_price(value: float) -> bool:
    """Say whether a number can be a price: finite and above zero."""
    return isfinite(value) and value > 0.0


def is_amount(value: float) -> bool:
    """Say whether a number can be a traded amount: finite and not below zero."""
    return isfinite(value) and value >= 0.0


def is_sound(row: Candle) -> bool:
    """Say whether a candle's figures agree with each other and with reality."""
    return (
        row.interval_ms > 0
        and row.opened_ms >= 0
        and is_price(row.low)
        and is_price(row.high)
        and row.low <= row.open <= row.high
        and row.low <= row.close <= row.high
        and is_amount(row.volume)
    )
