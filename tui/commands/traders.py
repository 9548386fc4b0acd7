"""`signaldeck trader`: list, pause, drain, resume."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from engine.core.errors import BadInput, SignalDeckError
from engine.core.intake import PREFIX, full_name
from engine.places import Named, find_db
from tui.commands.asking import read, wish, wish_for_each
from tui.commands.frame import OnlyJson, command, group, say

if TYPE_CHECKING:
    from engine.core.commands import CommandKind
    from engine.core.events import TraderState
    from engine.store.base import Reader

traders = group("trader", "Look at traders; pause, drain and resume them.")


@command(traders, "list")
def list_traders(named: Named, options: OnlyJson) -> None:
    """List traders, and why each that may not trade may not."""
    from tui.commands.printing import milliseconds, print_json, print_table

    found = read(named, _listed)
    if options.json:
        from tui.commands.documents import trader_document

        print_json({"traders": [trader_document(t) for t in found]})
        return
    print_table(
        ["TRADER", "EXCHANGE", "AVAILABLE", "WHY NOT", "HEALTH", "BREAKER", "LIVE", "OK", "P95", "EXTERNAL"],
        [
            (t.name, t.exchange, t.is_available, t.told, t.health, t.breaker, t.in_flight,
             f"{t.successes}/{t.attempts}", milliseconds(t.latency_p95), t.account.external_count)
            for t in found
        ],
        nothing="no traders",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class NamesOptions:
    """Options of `trader pause`, `trader drain` and `trader resume`."""

    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="one or more traders")] = None
    every: Annotated[bool, typer.Option("--all", help="every trader")] = False
    why: Annotated[str, typer.Option(help="shown wherever the pause is")] = ""

    def checked(self, named: Named) -> list[str]:
        """Return the names, each in full. Raises BadInput unless there are either names or --all."""
        if bool(self.names) == self.every:
            raise BadInput("NAME", "name traders, or say --all", "`signaldeck trader list` lists them")
        given = self.names or []
        if all(name.startswith(PREFIX) for name in given) or not find_db(named, os.environ).is_file():
            return given
        try:
            known = [trader.name for trader in read(named, _listed)]
        except SignalDeckError:  # the engine may know better, and no pause shall wait for this
            return given
        return [full_name(name, known) for name in given]


@command(traders, "pause")
def pause(named: Named, options: NamesOptions) -> None:
    """Give traders no more signals; orders under way are still looked after."""
    from engine.core.commands import CommandKind

    names = options.checked(named)
    if options.every:
        _wish_for_all(named, CommandKind.PAUSE_ALL, options.why)
    else:
        wish_for_each(named, CommandKind.PAUSE, names, why=options.why)


@command(traders, "drain")
def drain(named: Named, options: NamesOptions) -> None:
    """Pause traders and wait: `trader list` says how many orders of each still live, and when it is drained."""
    from engine.core.commands import CommandKind

    names = options.checked(named)
    if options.every:
        names = [trader.name for trader in read(named, _listed)]
    wish_for_each(named, CommandKind.DRAIN, names, why=options.why)


@command(traders, "resume")
def resume(named: Named, options: NamesOptions) -> None:
    """Let traders trade again; lifts a forced-open breaker and a quarantine as well."""
    from engine.core.commands import CommandKind

    names = options.checked(named)
    if options.every:
        _wish_for_all(named, CommandKind.RESUME_ALL, options.why)
    else:
        wish_for_each(named, CommandKind.RESUME, names, why=options.why)


async def _listed(reader: Reader) -> list[TraderState]:
    return list(await reader.traders())


def _wish_for_all(named: Named, kind: CommandKind, why: str) -> None:
    say(wish(named, kind, why=why).result or "done")
