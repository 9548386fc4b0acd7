"""MomentumScalping: strength (RSI 14) and growing momentum (MACD 12/26/9) that point the same way.

BUY when RSI is `rsi_edge` or more above 50 but not beyond `rsi_exhausted`, and the MACD histogram is above zero and has
grown since the last candle; SELL is the mirror image. All else is HOLD.

    confidence = half of  edge / (edge + rsi_half),              edge: points of RSI away from 50
               + half of  histogram / (histogram + macd_half),   in units of the average true range (ATR 14)

With the defaults RSI 65 and a histogram of 0.3 ranges give 0.70.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import talib
from pydantic import Field, model_validator

from engine.core.values import Action, Vote
from engine.core.window import Window
from engine.strategies.base import STRATEGIES, StrategyParameters, sureness


class MomentumScalpingParameters(StrategyParameters):
    """Periods are candles, `rsi_...` are points of RSI (0 to 100), `macd_half` is average true ranges."""

    rsi: Annotated[int, Field(ge=2, le=500)] = 14
    fast: Annotated[int, Field(ge=2, le=500)] = 12
    slow: Annotated[int, Field(ge=3, le=500)] = 26
    signal: Annotated[int, Field(ge=1, le=500)] = 9
    rsi_edge: Annotated[float, Field(gt=0, lt=50)] = 5.0
    rsi_exhausted: Annotated[float, Field(gt=50, le=100)] = 90.0
    rsi_half: Annotated[float, Field(gt=0, le=50)] = 8.0
    macd_half: Annotated[float, Field(gt=0, le=100)] = 0.1

    @model_validator(mode="after")
    def _periods_fit(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError(f"fast {self.fast} must be below slow {self.slow}")
        if 50.0 + self.rsi_edge >= self.rsi_exhausted:
            raise ValueError(f"rsi_exhausted {self.rsi_exhausted:g} must be above 50 + rsi_edge {self.rsi_edge:g}")
        return self


@STRATEGIES.add("momentum_scalping")
class MomentumScalping:
    """RSI 14 with MACD 12/26/9."""

    name: ClassVar[str] = "momentum_scalping"
    Parameters = MomentumScalpingParameters
    default_weight: ClassVar[float] = 0.4

    def __init__(self, parameters: MomentumScalpingParameters) -> None:
        self.parameters = parameters

    @property
    def candles_min(self) -> int:
        return max(self.parameters.slow + self.parameters.signal, self.parameters.rsi + 1)

    def vote(self, window: Window) -> Vote:
        """Return the vote; the figures in `why` are points of RSI and average true ranges."""
        set_to, close = self.parameters, window.close
        range_ = talib.ATR(window.high, window.low, close, set_to.rsi).item(-1)
        if not range_ > 0.0:
            return Vote(self.name, Action.HOLD, 0.0, "the price has not moved", self.default_weight)
        # Parts of the last price: TA-Lib 0.6 takes moves below 1e-14 for none, and small coins are worth that little.
        edge = talib.RSI(close / close.item(-1), set_to.rsi).item(-1) - 50.0
        momentum = talib.MACD(close, set_to.fast, set_to.slow, set_to.signal)[2]
        now, before = momentum.item(-1) / range_, momentum.item(-2) / range_
        why = f"RSI{set_to.rsi} {edge + 50.0:.1f}, MACD histogram {now:+.3f} average ranges, before {before:+.3f}"
        way = 1.0 if edge > 0 else -1.0
        edge, now, before = edge * way, now * way, before * way
        if not (set_to.rsi_edge <= edge <= set_to.rsi_exhausted - 50.0 and now > 0.0 and now > before):
            return Vote(self.name, Action.HOLD, 0.0, why, self.default_weight)
        confidence = (sureness(edge, set_to.rsi_half) + sureness(now, set_to.macd_half)) / 2
        return Vote(self.name, Action.BUY if way > 0 else Action.SELL, confidence, why, self.default_weight)
