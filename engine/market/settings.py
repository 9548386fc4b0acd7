"""Settings of candles and of the sources; apart from the classes they set, so that reading them loads no numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from engine.core.feeds import FeedBounds
from engine.core.values import is_symbol
from engine.venues.table import check_table

DEMO_SYMBOLS = (
    "BTC/USDT",
    "ETH/USDT",
    "SOL/USDT",
    "XRP/USDT",
    "ADA/USDT",
    "LTC/USDT",
    "DOGE/USDT",
    "LINK/USDT",
)


class CandleSettings(BaseModel):
    """How candles are cut: `interval_s` seconds each, `history` of them kept, `minimum` needed before anyone votes.

    `flat_max` is how many candles without a trade are filled in a row; one more is a break, and history starts anew.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    interval_s: Annotated[int, Field(ge=1, le=86_400)] = 10
    history: Annotated[int, Field(ge=5, le=10_000)] = 100
    minimum: Annotated[int, Field(ge=1, le=10_000)] = 5
    flat_max: Annotated[int, Field(ge=0, le=10_000)] = 60

    @model_validator(mode="after")
    def _minimum_fits(self) -> Self:
        if self.minimum > self.history:
            raise ValueError(f"minimum {self.minimum} is more than the history of {self.history} candles")
        return self


class ReplaySettings(BaseModel):
    """What is replayed, and how silence is passed over.

    In a silence of more than `silence_s` over all symbols time passes for `settle_s`, so that open signals resolve, and
    leaps over the rest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    paths: tuple[Path, ...] = ()
    silence_s: Annotated[int, Field(ge=1)] = 900
    settle_s: Annotated[int, Field(ge=0)] = 600

    @model_validator(mode="after")
    def _settles_within_silence(self) -> Self:
        if self.settle_s > self.silence_s:
            raise ValueError(f"settle_s {self.settle_s} is longer than silence_s {self.silence_s}")
        return self


class SyntheticSettings(BaseModel):
    """A made-up market: trades a second of each symbol, and how lively the price is.

    `seed` None draws from the engine's own chance. `volatility` is the standard deviation of the log price over one
    second in a range; trends move by `trend` times that each second. `regime_s` is the mean time between changes of mood.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbols: tuple[str, ...] = DEMO_SYMBOLS
    seed: int | None = None
    trades_per_s: Annotated[float, Field(gt=0, le=100)] = 2.0
    tick_s: Annotated[float, Field(ge=0.05, le=60)] = 0.5
    volatility: Annotated[float, Field(gt=0, le=0.05)] = 0.0004
    trend: Annotated[float, Field(ge=0, le=5)] = 0.2
    regime_s: Annotated[float, Field(ge=1, le=86_400)] = 90.0

    @field_validator("symbols")
    @classmethod
    def _are_symbols(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        return checked_symbols(symbols)


class FeedSettings(BaseModel):
    """One exchange whose prices are read. `exchange` is a ccxt id, `symbols` what is watched there; durations are seconds.

    Its trades are asked for `every_s`; an answer must come within `timeout_s`, and a trade may show up `settle_s` after its
    time. `stale_after_s` is the longest time without a trade that is usual there, over all its symbols. A clock that is
    more than `clock_off_s` off ours is told, and the times of the trades are shifted by it. `ccxt` is handed to the ccxt
    class as it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    exchange: Annotated[str, Field(min_length=1, max_length=64)]
    symbols: tuple[str, ...]
    every_s: Annotated[float, Field(ge=0.1, le=60, allow_inf_nan=False)] = 2.0
    timeout_s: Annotated[float, Field(ge=0.1, le=120, allow_inf_nan=False)] = 15.0
    settle_s: Annotated[float, Field(ge=0, le=30, allow_inf_nan=False)] = 1.0
    stale_after_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 60.0
    clock_off_s: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 2.0
    ccxt: Mapping[str, Any] = Field(default_factory=dict)

    @property
    def bounds(self) -> FeedBounds:
        return FeedBounds(self.stale_after_s, self.clock_off_s)

    @field_validator("symbols")
    @classmethod
    def _are_symbols(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        return checked_symbols(symbols)

    @field_validator("ccxt")
    @classmethod
    def _undoes_nothing(cls, table: Mapping[str, Any]) -> Mapping[str, Any]:
        check_table(table)
        return table


def checked_symbols(symbols: tuple[str, ...]) -> tuple[str, ...]:
    """Return the symbols. Raises ValueError if there is none, or for one that is none or is named twice."""
    if not symbols:
        raise ValueError("name at least one symbol, such as BTC/USDT")
    for symbol in symbols:
        if not is_symbol(symbol):
            raise ValueError(f"{symbol!r} is not a symbol; write it like BTC/USDT")
        if symbols.count(symbol) > 1:
            raise ValueError(f"{symbol!r} is named twice")
    return symbols
