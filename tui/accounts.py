"""A trader's account, told as a section: what its venue promises, and what the last audit found there."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from engine.core.account import AccountFacts, CallBudget
from engine.core.text import counted
from tui.formatting import NOTHING, clock_time, duration, since
from tui.sections import Row, Section, empty, row, said
from tui.widgets.cells import Cell

ORDERS_MAX: Final = 10


def account_section(account: AccountFacts, now: datetime) -> Section:
    """Return the venue's promises, what differs from the store, and the orders that are not ours."""
    rows: list[Row] = []
    venue = account.venue
    if venue is not None:
        rows += [row("answer lost", f"it {venue.when_lost}"), row("venue", said(venue.matrix))]
    rows.append(row("rate budget", _budget(account.budget)))
    rows.append(row("audited", _audited(account, now)))
    rows += [row("differs", Cell(said(trouble), "$error")) for trouble in account.troubles]
    if account.audit_error:
        rows.append(row("no audit", Cell(said(account.audit_error), "$warning")))
    if account.external_count:
        rows.append(
            row(
                "external",
                f"{counted(account.external_count, 'order that is', 'orders that are')} not ours, left alone",
            )
        )
        rows += [row("", Cell(said(str(order)), "$muted")) for order in account.external[:ORDERS_MAX]]
    return Section("account", Cell("Account", "bold"), tuple(rows))


def settings_section(account: AccountFacts) -> Section:
    """Return what was set for the trader, as the engine took it; secrets were masked there."""
    rows = tuple(row(said(key), said(text)) for key, text in account.settings)
    return Section("settings", Cell("Settings", "bold"), rows or empty("The engine has told none yet."), paired=True)


def _budget(budget: CallBudget | None) -> Cell:
    if budget is None:
        return Cell("no bound of calls", "$muted")
    told = f"{budget.left:g} of {budget.burst:g} calls left, {budget.calls_per_s:g} more a second"
    if budget.waiting:
        told += f"; {budget.waiting} waiting for their turn"
    if budget.quiet_s > 0:
        return Cell(f"quiet for {duration(budget.quiet_s)} at the venue's wish; {told}", "$warning")
    return Cell(told, "$warning" if budget.left < 1 or budget.waiting else "")


def _audited(account: AccountFacts, now: datetime) -> str:
    if account.audited_at is None:
        return NOTHING
    return f"{clock_time(account.audited_at)} ({since(account.audited_at, now)} ago)"
