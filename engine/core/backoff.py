"""How long to wait before trying again, how often, and out of which budget."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

_DOUBLINGS_MAX = 64  # beyond it any cap is reached, and a float would overflow at 1024


class Dice(Protocol):
    """The one throw that jitter needs; a `Random` stream has it."""

    def uniform(self, a: float, b: float) -> float: ...


class RetryPolicy(BaseModel):
    """How a signal is tried again after a proven end. The delays are the bounds of full jitter, in seconds.

    `child_for_rest` hands in what a venue left unfilled of an entry, as a signal of its own with the same expiry.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    attempts_max: int = Field(3, ge=1, le=20)
    traders_max: int = Field(2, ge=1, le=20)
    base_s: float = Field(0.5, gt=0, le=60, allow_inf_nan=False)
    cap_s: float = Field(30.0, gt=0, le=3600, allow_inf_nan=False)
    child_for_rest: bool = False

    def delay(self, attempt: int, chance: Dice) -> float:
        """Return seconds to wait after the failed attempt number `attempt`, the first being 0."""
        return full_jitter(attempt, self.base_s, self.cap_s, chance)


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """A bucket of retries that successes refill, so that a failing venue is not hammered by many signals at once.

    After AWS's retry token bucket: a full bucket allows a burst, then about one retry for each ten successes.
    """

    tokens: float = 10.0
    tokens_max: float = 10.0
    per_success: float = 0.1
    per_retry: float = 1.0

    @property
    def allows(self) -> bool:
        """Say whether a retry can be paid for."""
        return self.tokens >= self.per_retry

    def spend(self) -> RetryBudget | None:
        """Return the bucket after one retry, or None if it does not hold enough for one."""
        return replace(self, tokens=self.tokens - self.per_retry) if self.allows else None

    def earn(self) -> RetryBudget:
        """Return the bucket after one success; it never holds more than `tokens_max`."""
        # Rounded, because ten times 0.1 must make a whole token.
        return replace(self, tokens=min(self.tokens_max, round(self.tokens + self.per_success, 9)))


def full_jitter(attempt: int, base_s: float, cap_s: float, chance: Dice) -> float:
    """Return seconds drawn evenly from 0 to min(cap_s, base_s * 2^attempt), the first attempt being 0.

    Drawing from the whole span spreads callers that failed together further apart than a fixed wait with a wobble.
    """
    return chance.uniform(0.0, min(cap_s, base_s * 2.0 ** min(max(attempt, 0), _DOUBLINGS_MAX)))
