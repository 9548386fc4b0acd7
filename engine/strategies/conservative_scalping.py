"""ConservativeScalping: a price that went too far comes back, if three witnesses agree that it did.

BUY when the close is at or beyond the lower Bollinger band (20 candles, 2 deviations), the stochastic %D (14/3) is at or
below `stochastic_edge`, and the close is below the window's volume-weighted average price; SELL is the mirror image.
All else is HOLD, and so are a band without width, a range without height and a window without volume.

    confidence = a third of  reach / (reach + 0.5),       reach: half band widths between the middle and the close
               + a third of  0.5 + 0.5 * depth,           depth: 0 at the stochastic's edge, 1 at its end
               + a third of  distance / (distance + 0.5), distance: deviations between the close and the VWAP

With the defaults a close on the band at %D 10, one deviation from the VWAP, gives 0.69.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

import talib
from pydantic import Field

from engine.core.values import Action, Vote
from engine.core.window import Window
from engine.strategies.base import STRATEGIES, StrategyParameters, sureness

HALF: Final = 0.5


class ConservativeScalpingParameters(StrategyParameters):
    """Periods are candles; `band_width` is deviations; `stochastic_edge` is points of %D (0 to 100)."""

    band: Annotated[int, Field(ge=2, le=500)] = 20
    band_width: Annotated[float, Field(gt=0, le=10)] = 2.0
    stochastic: Annotated[int, Field(ge=2, le=500)] = 14
    smoothing: Annotated[int, Field(ge=1, le=100)] = 3
    stochastic_edge: Annotated[float, Field(gt=0, lt=50)] = 20.0


@STRATEGIES.add("conservative_scalping")
class ConservativeScalping:
    """Bollinger 20/2, stochastic 14/3 and VWAP."""

    name: ClassVar[str] = "conservative_scalping"
    Parameters = ConservativeScalpingParameters
    default_weight: ClassVar[float] = 0.2

    def __init__(self, parameters: ConservativeScalpingParameters) -> None:
        self.parameters = parameters

    @property
    def candles_min(self) -> int:
        return max(self.parameters.band, self.parameters.stochastic + self.parameters.smoothing - 1)

    def vote(self, window: Window) -> Vote:
        """Return the vote; the figures in `why` are half band widths, points of %D and a price."""
        set_to = self.parameters
        last = window.close.item(-1)
        # Distances from the last price in parts of it: TA-Lib 0.6 takes variances below 1e-14 for zero.
        upper, middle, _ = talib.BBANDS(window.close / last - 1.0, set_to.band, set_to.band_width, set_to.band_width)
        half_width = upper.item(-1) - middle.item(-1)
        if not half_width > 0.0:
            return self._hold("the band has no width")
        reach = -middle.item(-1) / half_width
        told = f"{reach:+.2f} half band widths off the middle"
        if not abs(reach) >= 1.0:
            return self._hold(told)  # what the other two say cannot change that
        volume = window.volume.sum().item()
        if not volume > 0.0:
            return self._hold("nothing was traded")
        quick, slow = talib.STOCHF(window.high, window.low, window.close, set_to.stochastic, set_to.smoothing)
        if 0.0 in quick[-set_to.smoothing :].tolist() and self._has_no_height(window):
            return self._hold("the range has no height")  # there %K is undefined, and TA-Lib says 0
        typical = (window.high + window.low + window.close) / 3.0
        average, stochastic = (typical.dot(window.volume) / volume).item(), slow.item(-1)
        why = f"{told}, %D {stochastic:.1f}, VWAP {average:.6g}, close {last:.6g}"
        way = 1.0 if reach < 0 else -1.0  # against the move
        depth = ((50.0 - stochastic) * way - 50.0 + set_to.stochastic_edge) / set_to.stochastic_edge
        reach, distance = abs(reach), (average / last - 1.0) * way / half_width * set_to.band_width
        if not (depth >= 0.0 and distance > 0.0):
            return self._hold(why)
        confidence = (sureness(reach, HALF) + HALF + HALF * min(1.0, depth) + sureness(distance, HALF)) / 3
        return Vote(self.name, Action.BUY if way > 0 else Action.SELL, confidence, why, self.default_weight)

    def _has_no_height(self, window: Window) -> bool:
        count = len(window)
        for age in range(self.parameters.smoothing):
            part = slice(count - age - self.parameters.stochastic, count - age)
            if not window.high[part].max() > window.low[part].min():
                return True
        return False

    def _hold(self, why: str) -> Vote:
        return Vote(self.name, Action.HOLD, 0.0, why, self.default_weight)
