"""`signaldeck error`: the journal's warnings and errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from engine.core.errors import NotThere
from engine.places import Named
from tui.commands.asking import read
from tui.commands.frame import JsonOption, command, group, say

if TYPE_CHECKING:
    from engine.core.events import Event
    from engine.store.base import Reader

errors = group("error", "Look at what went wrong.")


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Options of `error list`."""

    limit: Annotated[int, typer.Option(min=1, max=10_000, help="how many, newest first")] = 50
    before: Annotated[int | None, typer.Option(metavar="SEQ", help="older than this number: the next page")] = None
    json: JsonOption = False


@command(errors, "list")
def list_errors(named: Named, options: ListOptions) -> None:
    """List warnings and errors, newest first."""
    from tui.commands.printing import print_json, print_table

    async def ask(reader: Reader) -> list[Event]:
        return await reader.errors(options.before, options.limit)

    found = read(named, ask)
    full = len(found) == options.limit
    if options.json:
        print_json({"errors": found, "next_before": found[-1].seq if full else None})
        return
    print_table(
        ["SEQ", "AT", "LEVEL", "CODE", "TRADER", "SIGNAL", "TEXT"],
        [(e.seq, e.at, e.level, e.code, e.trader, e.signal_id, e.text) for e in found],
        nothing="no errors",
    )
    if full:
        say(f"more: --before {found[-1].seq}")


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """Options of `error show`."""

    seq: Annotated[int, typer.Argument(metavar="SEQ", help="a number from `error list`")]
    json: JsonOption = False


@command(errors, "show")
def show(named: Named, options: ShowOptions) -> None:
    """Show one journal entry with everything kept about it."""
    from tui.commands.printing import print_facts, print_json

    async def ask(reader: Reader) -> Event | None:
        return await reader.event(options.seq)

    event = read(named, ask)
    if event is None:
        raise NotThere(f"the journal has no entry {options.seq}")
    if options.json:
        print_json(event)
        return
    facts = [(name, getattr(event, name)) for name in ("seq", "at", "kind", "level", "code", "text", "trader")]
    facts += [("signal", event.signal_id), ("attempt", event.attempt_n), ("from", event.from_state)]
    print_facts([*facts, ("to", event.to_state), *event.detail.items()])
