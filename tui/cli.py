"""The `signaldeck` command.

Its start is part of handing in a signal, so nothing heavy is imported before a command is known.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import typer

from engine.core.errors import SignalDeckError
from tui.commands.alerts import alerts
from tui.commands.configuring import configuring
from tui.commands.errors import errors
from tui.commands.exporting import add_export
from tui.commands.frame import alone, complain, exit_code_for
from tui.commands.running import add_run, deck
from tui.commands.signals import signals
from tui.commands.status import add_status
from tui.commands.switches import add_switches
from tui.commands.traders import traders

GROUPS: Final = (signals, traders, alerts, errors, configuring)
MANY: Final = "--replay"  # takes all the paths that follow it


def build() -> typer.Typer:
    """Return the whole command."""
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
    alone(app)(deck)
    add_run(app)
    for group in GROUPS:
        app.add_typer(group)
    add_switches(app)
    add_status(app)
    add_export(app)
    return app


def spread(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with `--replay a b` written as `--replay a --replay b`."""
    spread_out: list[str] = []
    paths: int | None = None  # how many followed --replay so far
    for argument in arguments:
        if argument == MANY:
            paths = 0
        elif argument.startswith("-"):
            paths = None
        elif paths is not None:
            if paths:
                spread_out.append(MANY)
            paths += 1
        spread_out.append(argument)
    return spread_out


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        build()(args=spread(sys.argv[1:]), prog_name="signaldeck")
    except SignalDeckError as e:
        complain(str(e))
        sys.exit(exit_code_for(e))


if __name__ == "__main__":
    main()
