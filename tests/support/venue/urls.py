"""What goes under `[traders.ccxt]` so that an unmodified class of ccxt reaches a venue on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

ADDRESSES: Final = {
    "binance": "https://api.binance.com",
    "kraken": "https://api.kraken.com",
    "coinbase": "https://api.coinbase.com",
}
# Every other address of binance points at the venue as well, so that a stray call cannot leave the machine.
_BINANCE_OTHERS: Final = (
    "sapi", "sapiV2", "sapiV3", "sapiV4", "dapiPublic", "dapiPrivate", "dapiPrivateV2", "dapiData", "fapiPublic",
    "fapiPublicV2", "fapiPublicV3", "fapiPrivate", "fapiPrivateV2", "fapiPrivateV3", "fapiData", "eapiPublic",
    "eapiPrivate", "papi", "papiV2", "v1",
)  # fmt: skip


def urls(venue: str, address: str) -> dict[str, Any]:
    """Return the `urls` of a class for a venue at `address`."""
    if venue == "binance":
        spot = f"{address}/api/v3"
        return {"api": {"public": spot, "private": spot, **dict.fromkeys(_BINANCE_OTHERS, f"{address}/other")}}
    if venue == "kraken":
        return {"api": {"public": address, "private": address}}
    return {"api": {"rest": address}}


def ccxt_table(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the class is given besides its keys; `about` is what the venue says of itself."""
    table: dict[str, Any] = {"urls": urls(about["venue"], about["address"])}
    if about["cafile"]:
        table["cafile"] = about["cafile"]
    if about["venue"] == "binance":
        spot = {"fetchMarkets": {"types": ["spot"]}, "fetchMargins": False, "fetchCurrencies": False}
        table["options"] = {**spot, "fetchOpenOrders": {"warnWithoutSymbol": False}}
    if about["venue"] == "coinbase":
        table["options"] = {"fetchBalance": "v3PrivateGetBrokerageAccounts"}
    return table


def credentials(about: Mapping[str, Any], account: str = "main", *, older: bool = False) -> dict[str, str]:
    """Return an account's `apiKey` and `secret`; `older` asks for coinbase's signature in place of its token."""
    keys = [key for key in about["keys"] if key["account"] == account]
    key = keys[-1 if older else 0]
    return {"apiKey": key["name"], "secret": key["secret"]}
