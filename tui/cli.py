"""The `signaldeck` command.

Its start is part of handing in a signal, so only the commands that the command line names are imported.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import typer

from engine.core.errors import SignalDeckError
from tui.commands.frame import Exit, alone, complain, exit_code_for
from tui.commands.planning import deck

MANY: Final = "--replay"  # takes all the paths that follow it
VALUED: Final = frozenset({"--config", "--db", "--replay", "--speed", "--seed", "--theme"})  # before any command
GC_THRESHOLDS: Final = (50_000, 20, 100)  # what a start allocates mostly stays; looking at it again and again is slow

# The first word of a command, and which module adds it: a group of that name, or a function add_<word>.
COMMANDS: Final[Mapping[str, str]] = {
    "run": "planning",
    "attach": "attaching",
    "browser": "browsing",
    "replay": "replaying",
    "signal": "signals",
    "trader": "traders",
    "alert": "alerts",
    "error": "errors",
    "halt": "switches",
    "release": "switches",
    "status": "status",
    "doctor": "status",
    "export": "exporting",
    "config": "configuring",
}


def build(named: Iterable[str] = COMMANDS) -> typer.Typer:
    """Return the command line with the commands that are named."""
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
    alone(app)(deck)
    for word in named:
        module = importlib.import_module(f"tui.commands.{COMMANDS[word]}")
        add = getattr(module, f"add_{word}", None)
        if add is not None:
            add(app)
        else:
            app.add_typer(getattr(module, COMMANDS[word]))
    return app


def needed(arguments: Sequence[str]) -> list[str]:
    """Return the commands that these arguments may mean: all of them where help or a wrong word has to name them."""
    before = ["", *arguments]
    words = [a for a, option in zip(arguments, before, strict=False) if not a.startswith("-") and option not in VALUED]
    named = [word for word in COMMANDS if word in words]
    return named if named or not (words or "--help" in arguments) else list(COMMANDS)


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
    gc.set_threshold(*GC_THRESHOLDS)
    arguments = spread(sys.argv[1:])
    to_the_end(lambda: build(needed(arguments))(args=arguments, prog_name="signaldeck"))


def to_the_end(command: Callable[[], object]) -> None:
    """Run a command. Whatever it raises ends the process, in words that hold no credential and no variable's value."""
    try:
        command()
    except SignalDeckError as e:
        complain(str(e))
        sys.exit(exit_code_for(e))
    except Exception as e:  # noqa: BLE001 - the interpreter's own words would tell what errors hold
        from tui import crash

        complain("\n".join(["a defect of SignalDeck, which ended this command:", *crash.full(e)]))
        sys.exit(Exit.FAILED)


if __name__ == "__main__":
    main()
