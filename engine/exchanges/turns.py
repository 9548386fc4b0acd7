"""Whose call goes next: one account's budget of calls. Ways out go first, then entries, then reads; each kind as it came."""

from __future__ import annotations

import asyncio
from bisect import insort
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import count

from engine.clock import Clock
from engine.core.account import CallBudget


class _Rank(IntEnum):
    WAY_OUT = 0  # exits and cancels
    ENTRY = 1
    READ = 2


@dataclass(slots=True, order=True)
class _Waiting:
    """One call in the queue. `called` is set when it has come to the front."""

    rank: _Rank
    number: int
    called: asyncio.Event = field(default_factory=asyncio.Event, compare=False)


class Turns:
    """A bucket of calls: `calls_per_s` refill it (None: without bound), `burst` fit in (None: a second's worth).

    Whoever waits stands in a queue, and only its front takes from the bucket. Who is cancelled leaves the queue and takes
    nothing. Reads wait for as long as orders do: a lookup can be asked again, an order has a deadline.
    """

    def __init__(self, calls_per_s: float | None, clock: Clock, *, burst: float | None = None) -> None:
        self._rate, self._clock = calls_per_s, clock
        self._burst = max(1.0, (calls_per_s or 0.0) if burst is None else burst)
        self._tokens, self._filled_at = self._burst, float("-inf")
        self._quiet_until = float("-inf")
        self._queue: list[_Waiting] = []
        self._numbers = count()

    async def for_order(self, *, is_way_out: bool = False) -> None:
        """Wait until an order may go out, or, with `is_way_out`, an exit or what closes an order."""
        await self._front(_Rank.WAY_OUT if is_way_out else _Rank.ENTRY)

    async def for_read(self) -> None:
        """Wait until a read may go out and no order wants to."""
        await self._front(_Rank.READ)

    @property
    def budget(self) -> CallBudget | None:
        """Return how much may be called now, None if that has no bound."""
        if self._rate is None:
            return None
        now = self._clock.elapsed()
        left = min(self._burst, self._tokens + max(0.0, now - self._filled_at) * self._rate)
        quiet_s = max(0.0, self._quiet_until - now)
        orders = sum(waiting.rank is not _Rank.READ for waiting in self._queue)
        return CallBudget(self._rate, self._burst, round(max(0.0, left), 1), orders, round(quiet_s, 1))

    def keep_quiet(self, seconds: float) -> None:
        """Let nobody go for so long, because the venue wishes it."""
        self._quiet_until = max(self._quiet_until, self._clock.elapsed() + seconds)

    async def _front(self, rank: _Rank) -> None:
        mine = _Waiting(rank, next(self._numbers))
        insort(self._queue, mine)
        try:
            while True:
                if self._queue[0] is not mine:
                    mine.called.clear()
                    await mine.called.wait()
                elif (wait_s := self._wait_s()) > 0:
                    await self._clock.sleep(wait_s)  # who comes meanwhile and goes before stands in front afterwards
                else:
                    self._tokens -= 1.0
                    return
        finally:
            self._queue.remove(mine)
            if self._queue:
                self._queue[0].called.set()

    def _wait_s(self) -> float:
        now = self._clock.elapsed()
        if now < self._quiet_until:
            return self._quiet_until - now
        if self._rate is None:
            self._tokens = self._burst
            return 0.0
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._filled_at) * self._rate)
        self._filled_at = now
        # A hair's breadth is forgiven: a wait computed to the full token may end a rounding error short of it.
        missing = 1.0 - self._tokens
        return missing / self._rate if missing > 1e-9 else 0.0
