"""`signaldeck halt` and `signaldeck release`: the kill switch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from engine.places import Named
from tui.commands.asking import wish
from tui.commands.frame import command, say


@dataclass(frozen=True, slots=True)
class WhyOptions:
    """Options of both."""

    why: Annotated[str, typer.Option(help="shown wherever the halt is")] = ""


def add_halt(app: typer.Typer) -> None:
    """Add `halt` to `app`."""
    command(app, "halt")(halt)


def add_release(app: typer.Typer) -> None:
    """Add `release` to `app`."""
    command(app, "release")(release)


def halt(named: Named, options: WhyOptions) -> None:
    """Send nothing more and cancel open orders, until `signaldeck release`; a restart does not lift it."""
    from engine.core.commands import CommandKind

    say(wish(named, CommandKind.HALT, why=options.why).result or "halted")


def release(named: Named, options: WhyOptions) -> None:
    """Lift the kill switch."""
    from engine.core.commands import CommandKind

    say(wish(named, CommandKind.RELEASE, why=options.why).result or "released")
