"""`signaldeck replay`: the dashboard on the journal as it was at a moment. Nothing is traded and nothing is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.core.errors import NotThere
from engine.places import Named
from tui import crash
from tui.commands.frame import command, existing_db, leave
from tui.commands.planning import need_terminal

if TYPE_CHECKING:
    from engine.store.base import Reader
    from tui.past_opening import PastApp


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """Options of `signaldeck replay`."""

    at: Annotated[
        str, typer.Option(metavar="TIME", help="UTC: 14:02, 14:02:11, 2026-11-27 14:02, -15m from the end, first, last")
    ] = "last"
    theme: Annotated[str | None, typer.Option(metavar="T", help="the screen's palette")] = None


def add_replay(app: typer.Typer) -> None:
    """Add `replay` to `app`."""
    command(app, "replay")(replay)


def replay(named: Named, options: ReplayOptions) -> None:
    """Open the dashboard on the past: step, play and seek through the journal. Nothing can be done there."""
    existing_db(named)
    _check(named, options.at)
    need_terminal("use `signaldeck export events`")
    leave(run_replay(named, options))


def _check(named: Named, at: str) -> None:
    """Raise BadInput if `at` is no time, NotThere if nothing has ever happened on this store."""
    from tui.commands.asking import read
    from tui.past import moment_of

    async def newest(reader: Reader) -> None:
        found = await reader.journal(None, 1)
        if not found:
            raise NotThere("the journal of this store is empty: nothing has happened there yet; name another with --db")
        moment_of(at, found[0].at, found[0].at)

    read(named, newest)


def run_replay(named: Named, options: ReplayOptions) -> int:
    """Show the past until the operator leaves; the exit code. An engine that runs on the store is not disturbed."""
    from tui.commands.leaving import Leaving
    from tui.commands.running import keep_private, show

    keep_private()
    db = existing_db(named)
    leaving = Leaving(lambda: None, lambda _: True, lambda: 0.0)  # no engine here that could hold up the end
    leaving.listen()
    try:
        code = show(_make_app(db, named, options), leaving, is_detachable=lambda: False)
    except Exception as error:
        crash.keep(error, crash.crash_file(db))
        raise
    leaving.finish()
    return code


def _make_app(db: Path, named: Named, options: ReplayOptions) -> PastApp:
    from tui.commands.attaching import dress_for
    from tui.past_opening import PastApp, past_of

    dress = dress_for(named)
    bridge = past_of(db)
    app = PastApp(
        bridge,
        replace(dress, theme=options.theme, is_theme_named=True) if options.theme else dress,
        clock=bridge.transport.clock,
        crash_file=crash.crash_file(db),
    )
    app.beginning = options.at
    return app
