"""Figures: latencies in logarithmic buckets, and the rates that the status line and the alerts rest on.

A histogram is a sparse mapping from bucket number to count; adding two adds their counts. Bucket 0 holds everything up
to 0.1 ms, each further bucket reaches 2**(1/8), about 9 %, beyond the one before, and the last one holds the rest from
about one hour on. Whoever keeps such counts keeps `BUCKETS` numbers at most, and `percentile` is right to within 4.5 %.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from engine.core.board import MinutePoint
from engine.core.events import TraderState

SMALLEST_S: Final = 0.0001
PER_DOUBLING: Final = 8
BUCKETS: Final = 204  # 0.1 ms doubled 25.25 times is about 1.1 h
UNKNOWN_COUNTS_AS_FAILED_AFTER_S: Final = 60.0


def bucket_of(seconds: float) -> int:
    """Return the bucket of a duration, 0 to BUCKETS - 1. Raises ValueError for NaN."""
    if seconds <= SMALLEST_S:
        return 0
    if math.isnan(seconds):
        raise ValueError("a duration is a number of seconds, not NaN")
    if math.isinf(seconds):
        return BUCKETS - 1
    # Rounding takes off the noise that would put an exact bound into the bucket above its own.
    steps = math.ceil(round(math.log2(seconds / SMALLEST_S) * PER_DOUBLING, 9))
    return min(steps, BUCKETS - 1)


def bounds(bucket: int) -> tuple[float, float]:
    """Return what a bucket holds, in seconds: above the first, up to and with the second."""
    if not 0 <= bucket < BUCKETS:
        raise ValueError(f"there is no bucket {bucket}: they go from 0 to {BUCKETS - 1}")
    upper = math.inf if bucket == BUCKETS - 1 else _edge(bucket)
    return (0.0, upper) if bucket == 0 else (_edge(bucket - 1), upper)


def percentile(counts: Mapping[int, int], q: float) -> float | None:
    """Return the q-th part (0 to 1, nearest rank) in seconds, or None of an empty histogram.

    The answer is the middle of its bucket; the open ends answer with their one finite bound.
    """
    total = sum(counts.values())
    if total == 0:
        return None
    rank = max(1, math.ceil(q * total))
    seen = 0
    bucket = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= rank:
            break
    low, high = bounds(bucket)
    if bucket == 0:
        return high
    return low if math.isinf(high) else math.sqrt(low * high)


def merged(histograms: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Return the histogram of everything that the given ones counted."""
    total: Counter[int] = Counter()
    for counts in histograms:
        total.update(counts)
    return dict(total)


@dataclass(frozen=True, slots=True)
class Window:
    """Counts over a stretch of time. An attempt belongs to the time of its intent, whenever it ends.

    `overdue` are attempts unknown for more than 60 s: they count as failed until they are resolved. Attempts still in
    flight are neither success nor failure. `received` leaves repeated hand-ins out, and a HOLD never is a signal.
    """

    received: int = 0
    attempts: int = 0
    successes: int = 0
    failures: int = 0
    done: int = 0
    overdue: int = 0

    @property
    def judged(self) -> int:
        """Return how many attempts have an outcome to count."""
        return self.successes + self.failures + self.overdue

    @property
    def success_rate(self) -> float | None:
        """Return successes over judged attempts, 0 to 1, or None while none is judged."""
        return self.successes / self.judged if self.judged else None

    @property
    def conversion(self) -> float | None:
        """Return signals done over signals received, 0 to 1, or None while none was received."""
        return min(1.0, self.done / self.received) if self.received else None


def window_of(points: Sequence[MinutePoint], since: datetime, *, overdue: int = 0) -> Window:
    """Return the sums over the minutes that reach past `since`; the first one may begin before it."""
    inside = [p for p in points if p.at + timedelta(minutes=1) > since]
    return Window(
        received=sum(p.received for p in inside),
        attempts=sum(p.attempts for p in inside),
        successes=sum(p.successes for p in inside),
        failures=sum(p.failures for p in inside),
        done=sum(p.done for p in inside),
        overdue=overdue,
    )


def is_overdue(unknown_since: datetime | None, now: datetime) -> bool:
    """Say whether an attempt is unknown for so long that it counts as failed until it is resolved."""
    return unknown_since is not None and (now - unknown_since).total_seconds() > UNKNOWN_COUNTS_AS_FAILED_AFTER_S


def availability(traders: Sequence[TraderState]) -> float | None:
    """Return the share of traders that may take an order, 0 to 1, or None without traders. A paused one may not."""
    return sum(t.is_available for t in traders) / len(traders) if traders else None


def _edge(bucket: int) -> float:
    return SMALLEST_S * math.exp2(bucket / PER_DOUBLING)
