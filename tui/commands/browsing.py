"""`signaldeck browser`: the dashboard in a web browser on this machine."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from typing import Annotated, Final

import typer

from engine.core.errors import BadInput
from engine.places import Named
from tui.commands.frame import command, complain, existing_db

PORT: Final = 8780
HERE: Final = frozenset({"127.0.0.1", "localhost"})


@dataclass(frozen=True, slots=True)
class BrowserOptions:
    """Options of `signaldeck browser`."""

    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: the system chooses one")] = PORT
    host: Annotated[str, typer.Option(metavar="H", help="this machine's own address; no other is served")] = "127.0.0.1"
    allow_acting: Annotated[bool, typer.Option("--allow-acting", help="visitors may pause, retry, halt ...")] = False
    visitors: Annotated[int, typer.Option(min=1, max=16, help="how many at a time; each has a process")] = 4
    theme: Annotated[str | None, typer.Option(metavar="T", help="the screen's palette")] = None


def add_browser(app: typer.Typer) -> None:
    """Add `browser` to `app`."""
    command(app, "browser")(browse)


def browse(named: Named, options: BrowserOptions) -> None:
    """Serve the dashboard to a web browser on this machine, read-only; it attaches to an engine and starts none."""
    if options.host not in HERE:
        fix = f"leave it out, and on the other machine use `ssh -L {options.port}:127.0.0.1:{options.port} THIS-HOST`"
        raise BadInput("--host", "a dashboard without encryption is served to this machine alone", fix)
    db = existing_db(named)
    if importlib.util.find_spec("textual_serve") is None:
        raise BadInput(
            "", "the dashboard in a browser needs the package textual-serve", "`pip install 'signaldeck[browser]'`"
        )
    from engine.clock import SystemChance, hex_id
    from tui.browser import Doorkeeper, House, bound
    from tui.commands.running import keep_private

    words = [sys.executable, "-m", "tui.cli", "attach", "--db", str(db.resolve())]
    words += [] if options.allow_acting else ["--read-only"]
    words += ["--config", str(named.config.resolve())] if named.config is not None else []
    words += ["--theme", options.theme] if options.theme else []
    keep_private()
    try:
        port = bound(options.port)
    except OSError as e:
        told = f"{options.port}: {e.strerror}"
        raise BadInput("--port", told, "name another, or 0 for one that the system chooses") from None
    if options.allow_acting:
        complain("visitors may act: whoever has the address below can halt, cancel and retry in your name")
    house = House(tuple(words), hex_id(SystemChance().stream("browser"), 48), options.visitors)
    Doorkeeper(house, port.getsockname()[1]).listen(port)
