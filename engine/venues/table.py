"""The table `[traders.ccxt]`, and its like for market data: what may stand in it, and what each venue needs besides."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from engine.core.errors import ConfigError
from engine.core.text import clean

# What would undo a promise, and what to do instead.
_REFUSED: Final[Mapping[str, str]] = {
    "verify": "certificates are always checked; name a certificate authority in cafile",
    "session": "the session is the engine's own",
    "asyncio_loop": "the loop is the engine's own",
    "verbose": "it prints keys and signatures on the terminal",
    "enableRateLimit": "calls are always paced; set rateLimit, the milliseconds between two of them",
    "tokenBucket": "calls are always paced; set rateLimit, the milliseconds between two of them",
    "rateLimiterAlgorithm": "calls are always paced; set rateLimit, the milliseconds between two of them",
    "socksProxy": "name an httpsProxy: only our own session keeps an order from being sent twice",
    "socks_proxy": "name an httpsProxy: only our own session keeps an order from being sent twice",
}
_RETRIES: Final = "maxRetriesOnFailure"

# What ccxt should leave out or do otherwise, by venue.
_USUAL: Final[Mapping[str, Mapping[str, Any]]] = {
    "binance": {
        "options": {
            "fetchMarkets": {"types": ["spot"]},
            "fetchMargins": False,
            "fetchCurrencies": False,
            "fetchOpenOrders": {"warnWithoutSymbol": False},
            "adjustForTimeDifference": False,
            "defaultType": "spot",
        },
    },
    "coinbase": {"options": {"fetchBalance": "v3PrivateGetBrokerageAccounts", "adjustForTimeDifference": False}},
    "bybit": {"options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False}},
    "okx": {"options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False}},
    "hyperliquid": {"options": {"builderFee": False, "refSet": True, "approvedBuilderFee": True}},
}


def check_table(table: Mapping[str, Any]) -> None:
    """Raise ValueError with the key and the fix if the table holds what would undo a promise.

    Addresses must be https; plain http is for this machine's own loopback only.
    """
    for key, fix in _REFUSED.items():
        if key in table:
            raise ValueError(f"{key!r} cannot be set: {fix}")
    for path, value in _leaves(table):
        if path.rpartition(".")[2] == _RETRIES and value:
            raise ValueError(f"{path!r} must be 0: a repeated order is a second order")
        if isinstance(value, str) and value.startswith("http://") and not _is_loopback(value):
            raise ValueError(f"{path!r}: {value!r} is not encrypted; write https://")


def known_venue(venue: str, key: str) -> str:
    """Return `venue` if ccxt has a class for it. Raises ConfigError that names `key` and what was perhaps meant.

    Looks for the file, because importing ccxt takes a second.
    """
    found = importlib.util.find_spec("ccxt")
    assert found is not None, "a dependency"
    assert found.submodule_search_locations is not None, "a package"
    folder = Path(found.submodule_search_locations[0]) / "async_support"
    if venue.isidentifier() and not venue.startswith("_") and (folder / f"{venue}.py").is_file():
        return venue
    like = difflib.get_close_matches(venue.lower(), [p.stem for p in folder.glob("[a-z]*.py")], n=1)
    fix = f"did you mean {like[0]!r}?" if like else "write it as ccxt does, such as 'kraken'"
    raise ConfigError(f"{key}: ccxt knows no exchange {clean(venue, 40)!r}; {fix}")


def usual_table(venue: str) -> dict[str, Any]:
    """Return what a venue's class is given before the user's own table."""
    return {key: dict(value) for key, value in _USUAL.get(venue, {}).items()}


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both tables as one, deeply; where both have a value, `above` wins."""
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        both = isinstance(under, Mapping) and isinstance(value, Mapping)
        result[key] = merged(under, value) if both else value  # type: ignore[arg-type] # both says that it is a table
    return result


def _leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
