"""`signaldeck alert`: list, acknowledge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from engine.places import Named
from tui.commands.asking import read, wish_for_each
from tui.commands.frame import JsonOption, command, group

if TYPE_CHECKING:
    from engine.core.events import Alert
    from engine.store.base import Reader

alerts = group("alert", "Look at alerts and acknowledge them.")


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Options of `alert list`."""

    resolved: Annotated[bool, typer.Option("--all", help="the resolved ones too")] = False
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="how many, newest first")] = 100
    json: JsonOption = False


@command(alerts, "list")
def list_alerts(named: Named, options: ListOptions) -> None:
    """List alerts, newest first; with --all the resolved ones after those that are not."""
    from tui.commands.printing import print_json, print_table

    async def ask(reader: Reader) -> list[Alert]:
        found = list(await reader.alerts(resolved=False, limit=options.limit))
        if options.resolved:
            found += await reader.alerts(resolved=True, limit=options.limit)
        return found[: options.limit]

    found = read(named, ask)
    if options.json:
        print_json({"alerts": found})
        return
    print_table(
        ["ID", "STATE", "SEVERITY", "ALERT", "ABOUT", "SINCE", "TEXT"],
        [(a.id, a.state, a.severity, a.rule, a.subject, a.raised_at, a.text) for a in found],
        nothing="no alerts",
    )


@dataclass(frozen=True, slots=True)
class AckOptions:
    """Options of `alert ack`."""

    ids: Annotated[list[int], typer.Argument(metavar="ID...", help="numbers from `alert list`")]
    why: Annotated[str, typer.Option(help="kept in the journal")] = ""


@command(alerts, "ack")
def acknowledge(named: Named, options: AckOptions) -> None:
    """Say that somebody has seen these alerts."""
    from engine.core.commands import CommandKind

    wish_for_each(named, CommandKind.ACKNOWLEDGE, [str(i) for i in options.ids], why=options.why)
