"""FastScalping: a short average that leaves a longer one behind is a move worth joining.

The spread is EMA 5 minus EMA 10 of the close, in units of the average true range (ATR 10), so that it means the same for
every price and every market. Above the longer average is BUY, below is SELL, nearer than `spread_min` is HOLD. So is a
market in which the last candle saw no trade: there is no move to join.

    confidence = spread / (spread + spread_half)

With the defaults 0.3 ranges give 0.55, 0.6 give 0.71, 1.5 give 0.86.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import talib
from pydantic import Field, model_validator

from engine.core.values import Action, Vote
from engine.core.window import Window
from engine.strategies.base import STRATEGIES, StrategyParameters, sureness


class FastScalpingParameters(StrategyParameters):
    """Periods are candles; `spread_min` and `spread_half` are average true ranges."""

    fast: Annotated[int, Field(ge=2, le=500)] = 5
    slow: Annotated[int, Field(ge=3, le=500)] = 10
    spread_min: Annotated[float, Field(ge=0, le=100)] = 0.3
    spread_half: Annotated[float, Field(gt=0, le=100)] = 0.25

    @model_validator(mode="after")
    def _fast_is_faster(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError(f"fast {self.fast} must be below slow {self.slow}")
        return self


@STRATEGIES.add("fast_scalping")
class FastScalping:
    """EMA 5 against EMA 10."""

    name: ClassVar[str] = "fast_scalping"
    Parameters = FastScalpingParameters
    default_weight: ClassVar[float] = 0.4

    def __init__(self, parameters: FastScalpingParameters) -> None:
        self.parameters = parameters

    @property
    def candles_min(self) -> int:
        return self.parameters.slow + 1

    def vote(self, window: Window) -> Vote:
        """Return the vote; the figures in `why` are prices and average true ranges."""
        set_to, close = self.parameters, window.close
        if window.volume.item(-1) == 0.0 and window.high.item(-1) == window.low.item(-1):
            return Vote(self.name, Action.HOLD, 0.0, "nothing was traded in the last candle", self.default_weight)
        fast = talib.EMA(close, set_to.fast).item(-1)
        slow = talib.EMA(close, set_to.slow).item(-1)
        range_ = talib.ATR(window.high, window.low, close, set_to.slow).item(-1)
        if not range_ > 0.0:
            return Vote(self.name, Action.HOLD, 0.0, "the price has not moved", self.default_weight)
        spread = (fast - slow) / range_
        why = f"EMA{set_to.fast} {fast:.6g}, EMA{set_to.slow} {slow:.6g}: {spread:+.2f} average ranges apart"
        size = abs(spread)
        if not size >= set_to.spread_min or size == 0.0:
            return Vote(self.name, Action.HOLD, 0.0, why, self.default_weight)
        action = Action.BUY if spread > 0 else Action.SELL
        return Vote(self.name, action, sureness(size, set_to.spread_half), why, self.default_weight)
