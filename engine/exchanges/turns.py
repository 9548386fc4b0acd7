"""Whose call goes next: one account's budget of calls, in which orders go before reads."""

from __future__ import annotations

from engine.clock import Clock
from engine.core.account import CallBudget


class Turns:
    """A bucket of calls: `calls_per_s` refill it (None: without bound), `burst` fit in (None: a second's worth)."""

    def __init__(self, calls_per_s: float | None, clock: Clock, *, burst: float | None = None) -> None:
        self._rate, self._clock = calls_per_s, clock
        self._burst = max(1.0, (calls_per_s or 0.0) if burst is None else burst)
        self._tokens, self._filled_at = self._burst, float("-inf")
        self._quiet_until = float("-inf")
        self._orders_waiting = 0

    async def for_order(self) -> None:
        """Wait until an order may go out; reads that wait too let it pass."""
        self._orders_waiting += 1
        try:
            while (wait_s := self._wait_s(calls_ahead=0)) > 0:
                await self._clock.sleep(wait_s)
        finally:
            self._orders_waiting -= 1
        self._tokens -= 1.0

    async def for_read(self) -> None:
        """Wait until a read may go out and no order wants to."""
        while (wait_s := self._wait_s(calls_ahead=self._orders_waiting)) > 0:
            await self._clock.sleep(wait_s)
        self._tokens -= 1.0

    @property
    def budget(self) -> CallBudget | None:
        """Return how much may be called now, None if that has no bound."""
        if self._rate is None:
            return None
        now = self._clock.elapsed()
        left = min(self._burst, self._tokens + max(0.0, now - self._filled_at) * self._rate)
        quiet_s = max(0.0, self._quiet_until - now)
        return CallBudget(self._rate, self._burst, round(max(0.0, left), 1), self._orders_waiting, round(quiet_s, 1))

    def keep_quiet(self, seconds: float) -> None:
        """Let nobody go for so long, because the venue wishes it."""
        self._quiet_until = max(self._quiet_until, self._clock.elapsed() + seconds)

    def _wait_s(self, *, calls_ahead: int) -> float:
        now = self._clock.elapsed()
        if now < self._quiet_until:
            return self._quiet_until - now
        if self._rate is None:
            self._tokens = self._burst
            return 0.0
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._filled_at) * self._rate)
        self._filled_at = now
        # A hair's breadth is forgiven: a wait computed to the full token may end a rounding error short of it.
        missing = 1.0 + calls_ahead - self._tokens
        return missing / self._rate if missing > 1e-9 else 0.0
