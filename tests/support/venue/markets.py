"""What can be traded at the venue, and what each venue calls it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final


@dataclass(frozen=True, slots=True)
class Market:
    """A symbol's rules. Steps are the smallest differences of quantity and price; `cost_min` is in quote."""

    base: str
    quote: str
    start_price: Decimal
    quantity_step: Decimal
    price_step: Decimal
    quantity_min: Decimal
    cost_min: Decimal

    @property
    def symbol(self) -> str:
        return f"{self.base}/{self.quote}"

    @property
    def binance_id(self) -> str:
        return self.base + self.quote

    @property
    def coinbase_id(self) -> str:
        return f"{self.base}-{self.quote}"

    @property
    def kraken_altname(self) -> str:
        return kraken_altname(self.base) + kraken_altname(self.quote)

    @property
    def kraken_id(self) -> str:
        if self.quote != "USD" or self.base == "SOL":
            return self.kraken_altname
        return kraken_asset(self.base) + kraken_asset(self.quote)


_KRAKEN_ASSETS: Final = {"BTC": "XXBT", "ETH": "XETH", "XRP": "XXRP", "USD": "ZUSD"}
_KRAKEN_ALTNAMES: Final = {"BTC": "XBT"}


def kraken_asset(code: str) -> str:
    """Return kraken's own name of an asset, as in XXBT."""
    return _KRAKEN_ASSETS.get(code, code)


def kraken_altname(code: str) -> str:
    """Return the name that kraken shows, as in XBT."""
    return _KRAKEN_ALTNAMES.get(code, code)


def _market(symbol: str, start_price: str, quantity_step: str, price_step: str, quantity_min: str) -> Market:
    base, quote = symbol.split("/")
    return Market(
        base,
        quote,
        Decimal(start_price),
        Decimal(quantity_step),
        Decimal(price_step),
        Decimal(quantity_min),
        cost_min=Decimal(5),
    )


MARKETS: Final = tuple(
    _market(f"{base}/{quote}", price, quantity_step, price_step, quantity_min)
    for quote in ("USDT", "USD")
    for base, price, quantity_step, price_step, quantity_min in (
        ("BTC", "50000", "0.00001", "0.1", "0.0001"),
        ("ETH", "2500", "0.0001", "0.01", "0.002"),
        ("XRP", "0.5", "0.1", "0.0001", "10"),
        ("SOL", "150", "0.001", "0.01", "0.02"),
    )
)
CODES: Final = tuple(sorted({code for market in MARKETS for code in (market.base, market.quote)}))
