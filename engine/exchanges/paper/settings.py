"""What can be set of a paper account."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.core.values import SymbolRules, is_symbol
from engine.exchanges.paper.matching import assets

Amount = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]


class RuleSettings(BaseModel):
    """A symbol's steps and bounds, where they shall not be derived from its price."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantity_step: Positive
    price_step: Positive
    quantity_min: Positive
    cost_min: Positive | None = None


class PaperSettings(BaseModel):
    """One paper account. `fee` and `slippage` are fractions (0.001 is 0.1 %).

    `balances` is the money that the account begins with; if it is empty, each quote asset is granted `start_quote` at its
    first use. `slippage` is the most by which a taker's price is worse than the last one. `part_rate` is the share of
    orders that are filled in more than one part, `parts_max` at most, `part_gap_s` seconds apart. An empty `symbols`
    lets everything be traded that has a price.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    balances: Mapping[str, Amount] = Field(default_factory=dict)
    start_quote: Amount = Decimal(10_000)
    fee: Decimal = Field(Decimal("0.001"), ge=0, le=Decimal("0.1"), allow_inf_nan=False)
    slippage: Decimal = Field(Decimal("0.0005"), ge=0, le=Decimal("0.1"), allow_inf_nan=False)
    shorting: bool = False
    part_rate: float = Field(0.25, ge=0, le=1)
    parts_max: int = Field(3, ge=1, le=10)
    part_gap_s: float = Field(0.5, ge=0, le=3600, allow_inf_nan=False)
    symbols: tuple[str, ...] = ()
    rules: Mapping[str, RuleSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_symbols(self) -> Self:
        for symbol in (*self.symbols, *self.rules):
            if not is_symbol(symbol):
                raise ValueError(f"{symbol!r} is not a symbol; write it like BTC/USDT")
        return self

    def stated_rules(self) -> dict[str, SymbolRules]:
        """Return the rules that are set, by symbol."""
        return {symbol: _rules(symbol, stated) for symbol, stated in self.rules.items()}


def _rules(symbol: str, stated: RuleSettings) -> SymbolRules:
    base, quote = assets(symbol)
    return SymbolRules(
        symbol=symbol,
        quantity_step=stated.quantity_step,
        price_step=stated.price_step,
        quantity_min=stated.quantity_min,
        cost_min=stated.cost_min,
        base=base,
        quote=quote,
    )
