"""The axes of a chart: which half of which line a price falls on, round prices along it, and round times under it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, takewhile
from typing import Final

TICKS_MAX: Final = 7
ROUND: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
APART: Final = 3  # blanks at least between two times
# Round steps of time in seconds.
TIMES_S: Final = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800,
    2_592_000, 31_536_000,
)  # fmt: skip
DAY_S: Final = 86_400
FINEST: Final = 1e-290  # an axis shorter than this has no step that a float can hold


@dataclass(frozen=True, slots=True)
class Ladder:
    """The upright axis: prices from `low` to `high` over `rows` lines of two halves each, `margin` lines free at each end."""

    low: float
    high: float
    rows: int
    margin: int
    tick: float

    @classmethod
    def over(cls, low: float, high: float, rows: int, *, margin: bool) -> Ladder:
        """Return a ladder that holds both prices, with room where they are equal."""
        if not high - low > max(abs(high) * 1e-12, FINEST):
            spare = abs(high) * 0.005 if abs(high) > FINEST else 0.5
            low, high = low - spare, high + spare
        return cls(low, high, rows, int(margin), _round_step((high - low) / min(TICKS_MAX, max(2, rows // 2))))

    def half(self, price: float) -> int:
        """Return the half line that a price falls on, counted from the top; outside the axis below 0 or beyond its end."""
        halves = 2 * (self.rows - 2 * self.margin)
        share = (self.high - price) / (self.high - self.low)
        return 2 * self.margin + round(min(max(share, -9.0), 9.0) * (halves - 1))

    def row(self, price: float) -> int:
        """Return the line that a price falls on, see `half`."""
        return self.half(price) // 2

    def ticks(self) -> list[float]:
        """Return the round prices along the axis, lowest first; never more than TICKS_MAX and one."""
        first = math.ceil(self.low / self.tick - 1e-9)
        return list(
            takewhile(lambda price: price <= self.high, ((first + n) * self.tick for n in range(TICKS_MAX + 1)))
        )


def price_text(price: float, step: float, width: int) -> str:
    """Return a price with as many places as `step` needs, in at most `width` cells: else as a power of ten."""
    if not math.isfinite(price):
        return "?"
    places = min(max(0, -math.floor(math.log10(step) + 1e-9)), 12) if step > 0 else 2
    if places and round(step * 10**places, 6) % 1:
        places += 1  # 2.5 steps need one more
    text = f"{price:,.{places}f}"
    if len(text) > width:
        text = text.replace(",", "")
    return text if len(text) <= width else f"{price:.{max(0, width - 7)}e}"[:width]


def time_labels(start_ms: int, step_ms: int, columns: int) -> str:
    """Return the line under a chart: round times (UTC), each in the middle over its column, as many as there is room for."""
    span_s = step_ms / 1000
    step_s, width = next(
        ((step, _label_width(step)) for step in TIMES_S if step / span_s >= _label_width(step) + APART),
        (TIMES_S[-1], _label_width(TIMES_S[-1])),
    )
    line = [" "] * columns
    first = -(-start_ms // (step_s * 1000)) * step_s
    for at_s in takewhile(lambda at: at * 1000 < start_ms + step_ms * columns, count(first, step_s)):
        begin = (at_s * 1000 - start_ms) // step_ms - width // 2
        if begin >= 0 and begin + width <= columns:
            line[begin : begin + width] = _label(at_s, step_s)
    return "".join(line)


def _label_width(step_s: int) -> int:
    return 8 if step_s < 60 else 5


def _label(at_s: int, step_s: int) -> str:
    at = datetime.fromtimestamp(at_s, UTC)
    if step_s < 60:
        return at.strftime("%H:%M:%S")
    return at.strftime("%m-%d" if at_s % DAY_S == 0 else "%H:%M")


def _round_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next((step * power for step in ROUND if step * power >= least * (1 - 1e-9)), 10 * power)
