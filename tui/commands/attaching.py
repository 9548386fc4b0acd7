"""`signaldeck attach`: the dashboard on an engine that runs in another process of this machine."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from engine.core.errors import SignalDeckError
from engine.places import Named, find_config, socket_path
from tui import crash
from tui.commands.frame import Exit, command, complain, existing_db, leave, operator
from tui.commands.planning import need_terminal

if TYPE_CHECKING:
    from engine.store.base import Reader
    from tui.app import Dress, SignalDeckApp

CHOICES: Final = "a attaches a dashboard, r one that is read-only, anything else leaves:"


@dataclass(frozen=True, slots=True)
class AttachOptions:
    """Options of `signaldeck attach`."""

    read_only: Annotated[bool, typer.Option("--read-only", help="look only: no key changes anything")] = False
    theme: Annotated[str | None, typer.Option(metavar="T", help="the screen's palette")] = None


def add_attach(app: typer.Typer) -> None:
    """Add `attach` to `app`."""
    command(app, "attach")(attach)


def attach(named: Named, options: AttachOptions) -> None:
    """Open the dashboard on an engine that runs elsewhere on this machine."""
    existing_db(named)
    if not os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver"):  # a visitor's browser is terminal enough
        need_terminal("use `signaldeck status`")
    leave(run_attached(named, options))


def offer(named: Named, locked: SignalDeckError) -> int:
    """Ask whether to attach to the engine that has the store; the exit code."""
    complain(str(locked))
    complain(CHOICES)
    answer = sys.stdin.readline().strip().lower()
    if answer not in {"a", "r"}:
        return Exit.REFUSED
    return run_attached(named, AttachOptions(read_only=answer == "r"))


def run_attached(named: Named, options: AttachOptions) -> int:
    """Show the dashboard until the operator leaves; the exit code. The engine is left as it is.

    Raises NotThere if there is no store that can be read.
    """
    from tui.commands.asking import read
    from tui.commands.leaving import Leaving
    from tui.commands.running import keep_private, show

    async def look(reader: Reader) -> None:
        await reader.engine_facts()

    keep_private()
    read(named, look)
    db = existing_db(named)
    leaving = Leaving(lambda: None, lambda _: True, lambda: 0.0)  # no engine here that could hold up the end
    leaving.listen()
    try:
        code = show(_make_app(db, _dress(named, options), options), leaving, is_detachable=lambda: False)
    except Exception as error:
        crash.keep(error, crash.crash_file(db))
        raise
    leaving.finish()
    return code


def _dress(named: Named, options: AttachOptions) -> Dress:
    dress = dress_for(named)
    return replace(dress, theme=options.theme, is_theme_named=True) if options.theme else dress


def dress_for(named: Named) -> Dress:
    """Return how the screen looks by the configuration in force."""
    from engine.config import load
    from tui.commands.running import dress_of

    return dress_of(None if find_config(named.config, os.environ) is None else load(named.config, os.environ, {}))


def _make_app(db: Path, dress: Dress, options: AttachOptions) -> SignalDeckApp:
    from engine.store.sqlite import SqliteReader
    from tui.app import EngineElsewhere, SignalDeckApp
    from tui.bridge import AttachedBridge, Operator, SocketEngine
    from tui.past_opening import past_of

    async def reader() -> SqliteReader:
        return SqliteReader(db)

    engine = SocketEngine(socket_path(db))
    app = SignalDeckApp(
        AttachedBridge(reader, Operator(operator(), read_only=options.read_only), engine),
        dress,
        engine=EngineElsewhere(lambda: engine.silence),
        crash_file=crash.crash_file(db),
    )
    app.past = lambda: past_of(db)
    return app
