"""A trader's account, told as a section: what its venue promises, and what the last audit found there."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from engine.core.account import AccountFacts
from tui.formatting import NOTHING, clock_time, since
from tui.sections import Row, Section, row, said
from tui.widgets.cells import Cell

ORDERS_MAX: Final = 10


def account_section(account: AccountFacts, now: datetime) -> Section:
    """Return the venue's promises, what differs from the store, and the orders that are not ours."""
    rows: list[Row] = []
    venue = account.venue
    if venue is not None:
        rows += [row("answer lost", f"it {venue.when_lost}"), row("venue", said(venue.matrix))]
    rows.append(row("audited", _audited(account, now)))
    rows += [row("differs", Cell(said(trouble), "$error")) for trouble in account.troubles]
    if account.audit_error:
        rows.append(row("no audit", Cell(said(account.audit_error), "$warning")))
    if account.external_count:
        rows.append(row("external", f"{account.external_count} orders that are not ours; they are left alone"))
        rows += [row("", Cell(said(str(order)), "$muted")) for order in account.external[:ORDERS_MAX]]
    return Section("account", Cell("Account", "bold"), tuple(rows))


def _audited(account: AccountFacts, now: datetime) -> str:
    if account.audited_at is None:
        return NOTHING
    return f"{clock_time(account.audited_at)} ({since(account.audited_at, now)} ago)"
