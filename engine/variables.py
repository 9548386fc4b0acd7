"""The environment variables that set something. Light: the dashboard asks before it loads any settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PREFIX: Final = "SIGNALDECK_"

# The predecessor's variables. Percentages are percent there, as they were: 5 is 5 %.
PLAIN_VARIABLES: Final[Mapping[str, str]] = {
    "ENABLE_AUTOMATED_TRADING": "automated_trading",
    "MIN_CONFIDENCE_THRESHOLD": "confidence_min",
    "MAX_POSITIONS_PER_SYMBOL": "positions_per_symbol_max",
    "MAX_TOTAL_POSITIONS": "positions_max",
    "DEFAULT_POSITION_SIZE": "quantity_default",
    "MAX_TRADES_PER_HOUR": "trades_per_hour_max",
    "MAX_TRADES_PER_DAY": "trades_per_day_max",
}
# Name to (limit, smallest percentage but 0 that can be meant): below it the value is surely a fraction by mistake.
PERCENT_VARIABLES: Final[Mapping[str, tuple[str, str, str]]] = {
    "STOP_LOSS_PERCENTAGE": ("stop_loss", "0.1", "5"),
    "TAKE_PROFIT_PERCENTAGE": ("take_profit", "0.1", "10"),
    "PORTFOLIO_PERCENTAGE_PER_POSITION": ("portfolio_fraction_per_position", "0.05", "2"),
    "MAX_SLIPPAGE_PERCENT": ("slippage_max", "0.005", "0.2"),
}


def sets_anything(env: Mapping[str, str]) -> bool:
    """Say whether any variable might be a setting."""
    known = PLAIN_VARIABLES.keys() | PERCENT_VARIABLES.keys()
    return any(name in known or (name.startswith(PREFIX) and "__" in name) for name in env)
