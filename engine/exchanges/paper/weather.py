"""The paper venue's weather: what goes wrong between an engine and a venue, drawn from a seeded stream.

Every call draws the same count of numbers whatever the rates are, so that one changed rate leaves the rest as it was.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from engine.clock import Chance, Clock
from engine.core.errors import RefusalKind, Refused, Unsent
from engine.exchanges.paper.matching import Draw

_RATE_WINDOW_S: Final = 1.0


class Outage(BaseModel):
    """A stretch of time without the venue: from `after_s` on for `for_s`, again each `every_s` (None: once).

    Connections are refused, or with `hangs` calls are never answered. Seconds count from the account's opening.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    after_s: float = Field(0.0, ge=0, allow_inf_nan=False)
    for_s: float = Field(gt=0, allow_inf_nan=False)
    every_s: float | None = Field(None, gt=0, allow_inf_nan=False)
    hangs: bool = False

    def covers(self, since_s: float) -> bool:
        """Say whether the venue is away `since_s` seconds after the opening."""
        into = since_s - self.after_s
        if self.every_s is not None and into >= 0:
            into %= self.every_s
        return 0 <= into < self.for_s


class WeatherSettings(BaseModel):
    """What goes wrong, and how often; the default is a clear sky without any delay.

    Rates are shares of calls, 0 to 1. `latency_s` is the median of a call's time (lognormal, `latency_spread` its sigma).
    refusal_rate: the venue says no. lost_before_rate: the request never arrives. lost_after_rate: the order is accepted,
    the answer never arrives. lost_reads: reads are lost at the same rates. late_rate: the answer is given up and the request still arrives, `late_s` later.
    rate_limit: calls per second before the venue asks for quiet. read_lag_s: how long reads do not show an order.
    clock_offset_s: how far the venue's clock is ahead of ours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_s: float = Field(0.0, ge=0, le=60, allow_inf_nan=False)
    latency_spread: float = Field(0.4, ge=0, le=2, allow_inf_nan=False)
    refusal_rate: float = Field(0.0, ge=0, le=1)
    lost_before_rate: float = Field(0.0, ge=0, le=1)
    lost_after_rate: float = Field(0.0, ge=0, le=1)
    lost_reads: bool = True
    late_rate: float = Field(0.0, ge=0, le=1)
    late_s: float = Field(8.0, ge=0, le=600, allow_inf_nan=False)
    rate_limit: float | None = Field(None, ge=1, allow_inf_nan=False)
    read_lag_s: float = Field(0.0, ge=0, le=60, allow_inf_nan=False)
    clock_offset_s: float = Field(0.0, ge=-3600, le=3600, allow_inf_nan=False)
    refusals: tuple[RefusalKind, ...] = Field(
        (RefusalKind.MAINTENANCE, RefusalKind.CLOCK, RefusalKind.OTHER), min_length=1
    )
    outages: tuple[Outage, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """What happens to one call on its way. `way_s` is the time of one direction; `refusal` None means none."""

    way_s: float
    refusal: RefusalKind | None = None
    lost_before: bool = False
    lost_after: bool = False
    late: bool = False
    hangs: bool = False


class Weather:
    """One account's weather. `name` is the account's: each has its own streams of chance."""

    def __init__(self, name: str, settings: WeatherSettings, *, clock: Clock, chance: Chance) -> None:
        self.settings = settings
        self._name, self._clock = name, clock
        self._calls_dice = chance.stream(f"weather/{name}/calls")
        self._orders_dice = chance.stream(f"weather/{name}/orders")
        self._began_s: float | None = None
        self._recent: deque[float] = deque()

    def begin(self) -> None:
        """Let the schedule of outages count from now; later calls change nothing."""
        if self._began_s is None:
            self._began_s = self._clock.elapsed()

    def venue_time(self) -> datetime:
        return self._clock.wall() + timedelta(seconds=self.settings.clock_offset_s)

    def meet(self) -> Passage:
        """Draw one call's fate. Raises Unsent in an outage, and Refused(RATE) above the rate limit."""
        passage = self._drawn()
        now = self._clock.elapsed()
        outage = next((o for o in self.settings.outages if o.covers(now - (self._began_s or 0.0))), None)
        if outage is not None and not outage.hangs:
            raise Unsent(self._name, "connection refused")
        if outage is not None:
            return Passage(passage.way_s, hangs=True)
        self._count(now)
        return passage

    def draw(self, slippage: Decimal, part_rate: float, parts_max: int) -> Draw:
        """Draw how one order trades: slipping by at most `slippage`, in more than one part at the rate `part_rate`."""
        slip, splits, parts = (self._orders_dice.random() for _ in range(3))
        count = 2 + int(parts * (parts_max - 1)) if parts_max > 1 and splits < part_rate else 1
        return Draw(slip=slippage * Decimal(f"{slip:.4f}"), parts=min(count, parts_max))

    def _drawn(self) -> Passage:
        settings, dice = self.settings, self._calls_dice
        wobble = math.exp(settings.latency_spread * dice.normalvariate())
        refused, kind, before, after, late = (dice.random() for _ in range(5))
        return Passage(
            way_s=settings.latency_s * wobble / 2,
            refusal=settings.refusals[int(kind * len(settings.refusals))] if refused < settings.refusal_rate else None,
            lost_before=before < settings.lost_before_rate,
            lost_after=after < settings.lost_after_rate,
            late=late < settings.late_rate,
        )

    def _count(self, now: float) -> None:
        limit = self.settings.rate_limit
        if limit is None:
            return
        while self._recent and self._recent[0] <= now - _RATE_WINDOW_S:
            self._recent.popleft()
        if len(self._recent) >= limit:
            wait = self._recent[0] + _RATE_WINDOW_S - now
            raise Refused(self._name, "too many calls", RefusalKind.RATE, retry_after_s=wait)
        self._recent.append(now)
