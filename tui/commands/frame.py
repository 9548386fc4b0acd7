"""What all commands have in common: where the configuration and the store are, how options are declared, how it ends."""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
import typing
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Final, NoReturn, TypeVar

import typer

from engine.core.errors import (
    BadInput,
    CommandRefused,
    ConfigError,
    NotThere,
    SignalDeckError,
    StoreBusy,
    StoreLocked,
)
from engine.core.text import clean
from engine.places import Named, find_db
from engine.redaction import REDACT

ConfigOption = Annotated[Path | None, typer.Option("--config", metavar="F", help="the configuration file")]
DbOption = Annotated[Path | None, typer.Option("--db", metavar="F", help="the store")]
JsonOption = Annotated[bool, typer.Option("--json", help="one JSON document instead of text")]

Options = TypeVar("Options")


class Exit(IntEnum):
    """What a command ends with."""

    DONE = 0
    FAILED = 1
    BAD_USAGE = 2  # or a bad configuration
    NOT_THERE = 3  # no engine, or no store
    REFUSED = 4  # with the reason
    CUT_SHORT = 70  # ended before it had drained: a second signal, or the drain took too long


_EXITS: Final = (
    (ConfigError, Exit.BAD_USAGE),
    (BadInput, Exit.BAD_USAGE),
    (NotThere, Exit.NOT_THERE),
    (CommandRefused, Exit.REFUSED),
    (StoreLocked, Exit.REFUSED),
    (StoreBusy, Exit.REFUSED),
)


def group(name: str, about: str) -> typer.Typer:
    """Return a group of commands that takes --config and --db before and after its name."""
    app = typer.Typer(
        name=name, help=about, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    app.callback()(remember_places)
    return app


def remember_places(ctx: typer.Context, config: ConfigOption = None, db: DbOption = None) -> None:
    """Keep what was named so far for the commands below."""
    ctx.obj = _merged(ctx.obj, config, db)


def _merged(earlier: object, config: Path | None, db: Path | None) -> Named:
    named = earlier if isinstance(earlier, Named) else Named()
    return Named(config or named.config, db or named.db)


def command(
    app: typer.Typer, name: str
) -> Callable[[Callable[[Named, Options], None]], Callable[[Named, Options], None]]:
    """Return the decorator that makes `function(named, options)` a command.

    `options` is a frozen dataclass: a field annotated with typer's Argument or Option is one, and its default is theirs.
    --config and --db come of themselves.
    """

    def register(function: Callable[[Named, Options], None]) -> Callable[[Named, Options], None]:
        kind = typing.get_type_hints(function)["options"]

        def call(ctx: typer.Context, config: Path | None, db: Path | None, **given: object) -> None:
            function(_merged(ctx.obj, config, db), kind(**given))

        call.__doc__ = function.__doc__
        call.__signature__ = _signature(kind)  # type: ignore[attr-defined]  # typer reads the options from it
        call.__annotations__ = {}
        app.command(name)(call)
        return function

    return register


def alone(app: typer.Typer) -> Callable[[Callable[[Named, Options], None]], Callable[[Named, Options], None]]:
    """Return the decorator that makes `function(named, options)` what the program does without a command."""

    def register(function: Callable[[Named, Options], None]) -> Callable[[Named, Options], None]:
        kind = typing.get_type_hints(function)["options"]

        def call(ctx: typer.Context, config: Path | None, db: Path | None, **given: object) -> None:
            remember_places(ctx, config, db)
            if ctx.invoked_subcommand is None:
                function(ctx.obj, kind(**given))
            elif strays := [f"--{name}" for name, value in given.items() if value]:
                raise BadInput(
                    ", ".join(strays), "stands before the command", f"put it after `{ctx.invoked_subcommand}`"
                )

        call.__doc__ = function.__doc__
        call.__signature__ = _signature(kind)  # type: ignore[attr-defined]  # typer reads the options from it
        call.__annotations__ = {}
        app.callback(invoke_without_command=True)(call)
        return function

    return register


def _signature(kind: type) -> inspect.Signature:
    hints = typing.get_type_hints(kind, include_extras=True)
    word = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("ctx", word, annotation=typer.Context)]
    for field in dataclasses.fields(kind):
        default = inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default
        parameters.append(inspect.Parameter(field.name, word, default=default, annotation=hints[field.name]))
    parameters.append(inspect.Parameter("config", word, default=None, annotation=ConfigOption))
    parameters.append(inspect.Parameter("db", word, default=None, annotation=DbOption))
    return inspect.Signature(parameters)


@dataclasses.dataclass(frozen=True, slots=True)
class NoOptions:
    """Of a command that has none."""


@dataclasses.dataclass(frozen=True, slots=True)
class OnlyJson:
    """Of a reading command that has no others."""

    json: JsonOption = False


def existing_db(named: Named) -> Path:
    """Return the store in force. Raises NotThere if there is none."""
    db = find_db(named, os.environ)
    if not db.is_file():
        raise NotThere(f"no store is at {db}; start an engine with `signaldeck`, or name a store with --db")
    return db


def operator() -> str:
    """Return the name under which this user's wishes are kept."""
    return clean(os.environ.get("SIGNALDECK_OPERATOR") or os.environ.get("USER") or login_name(os.getuid()), 64)


def login_name(uid: int) -> str:
    """Return the login name of a user of this machine; one that has none is told by the number."""
    import pwd  # services and containers often have no USER

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def say(text: str) -> None:
    """Print a line for the reader."""
    sys.stdout.write(REDACT.by_value(text) + "\n")


def complain(text: str) -> None:
    """Print what is wrong, to the error output. Several lines stay several; each is made safe for a terminal."""
    for line in text.splitlines() or [""]:
        sys.stderr.write(f"signaldeck: {REDACT.line(line, 1_000)}\n")


def leave(code: int) -> NoReturn:
    """End the command with this exit code."""
    raise typer.Exit(int(code))


def exit_code_for(error: SignalDeckError) -> Exit:
    """Return the exit code that stands for this error."""
    return next((code for kind, code in _EXITS if isinstance(error, kind)), Exit.FAILED)
