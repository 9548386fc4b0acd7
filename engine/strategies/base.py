"""The strategy's contract and its register.

A strategy is one file here: a class with `name`, `Parameters` (a frozen pydantic model with defaults) and `vote`,
registered with `@STRATEGIES.add("its_name")`. It sees closed candles only, keeps nothing between calls, and asks neither
time nor chance.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from engine.core.values import Vote
from engine.core.window import Series, Window
from engine.registry import Registry


class StrategyParameters(BaseModel):
    """Base of every strategy's settings: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Strategy(Protocol):
    """One opinion. `candles_min` is how many candles it needs; below that the engine does not ask it."""

    name: ClassVar[str]

    @property
    def parameters(self) -> StrategyParameters: ...

    @property
    def candles_min(self) -> int: ...

    def vote(self, window: Window) -> Vote:
        """Return BUY, SELL or HOLD with a confidence of 0 to 1 and the figures that it rests on."""


class StrategyClass(Protocol):
    """What the register holds: a class with a name and a default weight, made from its own kind of parameters."""

    @property
    def name(self) -> str: ...

    @property
    def default_weight(self) -> float: ...

    @property
    def Parameters(self) -> type[StrategyParameters]: ...  # noqa: N802 - it is a class, held by a class

    def __call__(self, parameters: Any) -> Strategy:
        """Make the strategy. `parameters` is an instance of `Parameters`."""


def sureness(amount: float, half: float) -> float:
    """Return amount / (amount + half): 0 for 0, 0.5 at `half`, towards 1 for more. Both in the same unit, `half` above 0."""
    return amount / (amount + half)


STRATEGIES: Registry[StrategyClass] = Registry("strategy", "engine.strategies")

__all__ = ["STRATEGIES", "Series", "Strategy", "StrategyClass", "StrategyParameters", "Window"]
