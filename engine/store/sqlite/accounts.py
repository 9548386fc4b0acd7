"""How an account's facts stand in the database: one JSON object, decimals as text, times as whole microseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from engine.core.account import AccountFacts, CallBudget, ExternalOrder, Shortage, VenueFacts
from engine.store.sqlite.codec import from_json, micros_or_none, moment_or_none, to_json

_EMPTY: Final = AccountFacts()


def account_text(account: AccountFacts) -> str:
    """Return an account's facts as JSON."""
    if account == _EMPTY:
        return "{}"
    return to_json({**asdict(account), "audited_at": micros_or_none(account.audited_at)})


@lru_cache(maxsize=256)  # every picture of the engine reads them, and they change seldom
def account_of(stored: str) -> AccountFacts:
    """Return an account's facts, also those of a program that knew fewer or more of them."""
    told: dict[str, Any] = from_json(stored)
    venue, budget = told.get("venue"), told.get("budget")
    return AccountFacts(
        venue=VenueFacts(**_known(VenueFacts, venue)) if venue else None,
        audited_at=moment_or_none(told.get("audited_at")),
        audit_error=told.get("audit_error", ""),
        external=tuple(_external(row) for row in told.get("external", ())),
        external_count=told.get("external_count", 0),
        shortages=tuple(_shortage(row) for row in told.get("shortages", ())),
        overfills=tuple(told.get("overfills", ())),
        budget=CallBudget(**_known(CallBudget, budget)) if budget else None,
        settings=tuple((key, text) for key, text in told.get("settings", ())),
    )


def _external(row: Mapping[str, Any]) -> ExternalOrder:
    decimals = {name: Decimal(row[name]) for name in ("quantity", "filled_quantity")}
    return ExternalOrder(**{**_known(ExternalOrder, row), **decimals})


def _shortage(row: Mapping[str, Any]) -> Shortage:
    return Shortage(row["asset"], Decimal(row["held"]), Decimal(row["believed"]))


def _known(kind: Any, row: Mapping[str, Any]) -> dict[str, Any]:
    return {f.name: row[f.name] for f in fields(kind) if f.name in row}
