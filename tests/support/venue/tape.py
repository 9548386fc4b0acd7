"""The market's prices and its trades: a function of time and of the prices that were set, so it goes on by itself."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tests.support.venue.markets import MARKETS, Market

TRADES_KEPT_S: Final = 3600  # how far back trades are served
POINTS_PER_CANDLE: Final = 30
_EVER_S: Final = 0.0


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade of strangers. `at_s` is seconds since 1970, `number` rises by one a second."""

    number: int
    at_s: float
    price: Decimal
    quantity: Decimal
    is_buy: bool


@dataclass(frozen=True, slots=True)
class Candle:
    """Prices and volume of the span that begins at `at_s`."""

    at_s: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class Tape:
    """One trade a second in each market, at the set price give or take `wobble` (a share of it, 0 for none)."""

    def __init__(self, wobble: Decimal = Decimal("0.0005")) -> None:
        self.wobble = wobble
        self._set: dict[str, tuple[list[float], list[Decimal]]] = {
            market.symbol: ([_EVER_S], [market.start_price]) for market in MARKETS
        }

    def set_price(self, market: Market, price: Decimal, at_s: float) -> None:
        """Let the market stand at `price` from `at_s` on. Times must not go back."""
        times, prices = self._set[market.symbol]
        times.append(max(at_s, times[-1]))
        prices.append(price)

    def price(self, market: Market) -> Decimal:
        """Return the last set price, at which orders trade."""
        return self._set[market.symbol][1][-1]

    def trade(self, market: Market, second: int) -> Trade:
        """Return the trade of a second."""
        times, prices = self._set[market.symbol]
        noise = (second * 2654435761 + len(market.symbol) * 40503) & 0xFFFFFFFF
        share = Decimal(noise % 2001 - 1000) / 1000
        raw = prices[bisect_right(times, float(second)) - 1] * (1 + self.wobble * share)
        quantity = market.quantity_min * (1 + noise // 2001 % 20)
        return Trade(second, float(second), raw.quantize(market.price_step), quantity, noise % 2 == 0)

    def trades(self, market: Market, since_s: float, until_s: float) -> Iterator[Trade]:
        """Yield the trades from `since_s` to `until_s`, oldest first."""
        first = max(int(since_s), int(until_s) - TRADES_KEPT_S)
        for second in range(first if first >= since_s else first + 1, int(until_s) + 1):
            yield self.trade(market, second)

    def candle(self, market: Market, at_s: int, span_s: int, until_s: float) -> Candle:
        """Return the candle that begins at `at_s`; one that is not over by `until_s` is as far as it has come."""
        last = max(at_s, min(at_s + span_s - 1, int(until_s)))
        step = max(1, (last - at_s + 1) // POINTS_PER_CANDLE)
        points = [self.trade(market, second) for second in {*range(at_s, last + 1, step), last}]
        points.sort(key=lambda trade: trade.at_s)
        prices = [trade.price for trade in points]
        volume = sum((trade.quantity for trade in points), Decimal(0)) * step
        return Candle(at_s, prices[0], max(prices), min(prices), prices[-1], volume)

    def candles(self, market: Market, span_s: int, since_s: float, until_s: float) -> list[Candle]:
        """Return the candles that begin from `since_s` to `until_s`, oldest first; the last one is still forming."""
        first = -int(-since_s // span_s) * span_s
        return [self.candle(market, at_s, span_s, until_s) for at_s in range(first, int(until_s) + 1, span_s)]
