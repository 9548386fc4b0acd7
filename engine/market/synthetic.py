"""A made-up market for the demo and for tests: prices that trend, turn and idle, the same for the same seed.

Each symbol's log price walks at random. Its mood changes now and then: up and down add a drift, a range pulls back to where
it began. A weak pull to the first price keeps a long demo within reason. Trades come at random times (exponential gaps).
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from enum import Enum
from typing import Final

from engine.clock import Chance, Clock, SeededChance
from engine.core.feeds import FeedStanding
from engine.core.values import Candle
from engine.market.base import Tick, Trade
from engine.market.pace import reach
from engine.market.settings import SyntheticSettings

__all__ = ["SyntheticSettings", "SyntheticSource"]

FIRST_PRICES: Final = {
    "BTC": 64_000.0,
    "ETH": 3_100.0,
    "SOL": 145.0,
    "XRP": 0.55,
    "ADA": 0.42,
    "LTC": 82.0,
    "DOGE": 0.13,
    "LINK": 14.5,
}
DIGITS: Final = 6  # of a price, as venues quote them
NOTIONAL_MEAN: Final = 400.0  # of one trade, in the quote asset
RANGE_PULL_S: Final = 30.0  # how soon a range pulls the price back
HOME_PULL_S: Final = 3_600.0  # how soon the first price does
REACH: Final = math.log(100.0)  # the price stays within a hundredth and a hundredfold of the first, whatever is set
MOOD_S_MIN: Final = 10.0
HISTORY_STEPS: Final = 4  # moves of the price within one candle of the back-fill
LAG_S_MAX: Final = 60.0  # a longer gap between clock and market (a closed lid) is skipped, not made up for


class Mood(Enum):
    UP = 1
    DOWN = -1
    RANGE = 0


class _Walk:
    """One symbol's price and its trades to come."""

    def __init__(self, symbol: str, settings: SyntheticSettings, chance: Chance) -> None:
        self.symbol, self._settings, self._chance = symbol, settings, chance.stream(f"market/{symbol}")
        first = FIRST_PRICES.get(symbol.split("/")[0]) or 10 ** self._chance.uniform(-1, 3)
        self._decimals = DIGITS - 1 - math.floor(math.log10(first))
        self._home = self._anchor = self._log = math.log(first)
        self._mood, self._mood_left_s, self._drift = Mood.RANGE, 0.0, 0.0
        self.gap_s = self._chance.expovariate(settings.trades_per_s)  # to the next trade

    @property
    def price(self) -> float:
        return round(math.exp(self._log), self._decimals)

    def move(self, seconds: float) -> float:
        """Let the price walk for `seconds` and return it."""
        self._mood_left_s -= seconds
        if self._mood_left_s <= 0:
            self._change_mood()
        drift = self._drift - (self._log - self._home) / HOME_PULL_S
        if self._mood is Mood.RANGE:
            drift -= (self._log - self._anchor) / RANGE_PULL_S
        self._log += drift * seconds + self._settings.volatility * math.sqrt(seconds) * self._chance.gauss(0.0, 1.0)
        self._log = min(max(self._log, self._home - REACH), self._home + REACH)
        return self.price

    def trades(self, since_ms: int, until_ms: int) -> list[Trade]:
        """Return the trades after `since_ms`, up to and with `until_ms`."""
        found: list[Trade] = []
        span_s = (until_ms - since_ms) / 1000
        at_s = self.gap_s
        while at_s <= span_s:
            price = self.move(self.gap_s)
            found.append(Trade(self.symbol, since_ms + math.ceil(at_s * 1000), price, self._amount(price)))
            self.gap_s = self._chance.expovariate(self._settings.trades_per_s)
            at_s += self.gap_s
        self.gap_s = at_s - span_s
        return found

    def candle(self, opened_ms: int, interval_ms: int) -> Candle:
        """Return one candle of the back-fill, from the last price on."""
        first = self.price
        prices = [first] + [self.move(interval_ms / 1000 / HISTORY_STEPS) for _ in range(HISTORY_STEPS)]
        count = max(1, round(self._settings.trades_per_s * interval_ms / 1000))
        volume = round(count * NOTIONAL_MEAN / first * self._chance.uniform(0.5, 1.5), 6)
        return Candle(self.symbol, opened_ms, interval_ms, first, max(prices), min(prices), prices[-1], volume)

    def _amount(self, price: float) -> float:
        return max(0.000001, round(self._chance.expovariate(1.0) * NOTIONAL_MEAN / price, 6))

    def _change_mood(self) -> None:
        self._mood = self._chance.choice(list(Mood))
        self._mood_left_s = MOOD_S_MIN + self._chance.expovariate(1.0 / self._settings.regime_s)
        strength = self._settings.trend * self._settings.volatility * self._chance.uniform(0.5, 1.5)
        self._drift = self._mood.value * strength
        self._anchor = self._log


class SyntheticSource:
    """A market out of chance: equal seeds and equal begins give equal ticks, whatever happens around them.

    `interval_s` is the length of the candles that `history` gives; live prices come as trades.
    """

    name = "synthetic"

    def __init__(self, settings: SyntheticSettings, clock: Clock, chance: Chance, *, interval_s: int = 10) -> None:
        self._settings, self._clock, self._interval_ms = settings, clock, interval_s * 1000
        source = chance if settings.seed is None else SeededChance(settings.seed)
        self._walks = [_Walk(symbol, settings, source) for symbol in settings.symbols]

    def symbols(self) -> Sequence[str]:
        return self._settings.symbols

    def begins_at(self) -> datetime | None:
        return None

    def standings(self) -> Sequence[FeedStanding]:
        return ()

    async def open(self) -> None:
        """There is nothing to open."""

    async def history(self, count: int) -> Sequence[Candle]:
        """Return `count` candles of each symbol, the newest closed at the last whole interval; prices go on from there."""
        end_ms = self._now_ms() // self._interval_ms * self._interval_ms
        times = range(max(0, end_ms - count * self._interval_ms), end_ms, self._interval_ms)
        return [walk.candle(opened_ms, self._interval_ms) for opened_ms in times for walk in self._walks]

    async def ticks(self) -> AsyncIterator[Tick]:
        """Yield each `tick_s`, on whole multiples of it, for ever."""
        step_ms = max(1, round(self._settings.tick_s * 1000))
        at_ms = self._now_ms() // step_ms * step_ms
        while True:
            behind_ms = self._now_ms() - at_ms
            if abs(behind_ms) > LAG_S_MAX * 1000:
                at_ms += behind_ms // step_ms * step_ms
            since_ms, at_ms = at_ms, at_ms + step_ms
            await reach(self._clock, at_ms)
            trades = [trade for walk in self._walks for trade in walk.trades(since_ms, at_ms)]
            trades.sort(key=lambda trade: trade.at_ms)
            yield Tick(at_ms, trades)

    async def close(self) -> None:
        """There is nothing to close."""

    def _now_ms(self) -> int:
        return int(self._clock.wall().timestamp() * 1000)
