"""`signaldeck` and `signaldeck run`: from options and configuration to what is to run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from engine.core.errors import BadInput, ConfigError, StoreLocked
from engine.places import Named, default_db, find_config, find_db, make_private_folder
from engine.variables import sets_anything
from tui.commands.frame import command, leave

if TYPE_CHECKING:
    from engine.config import Loaded
    from engine.core.values import Mode
    from engine.settings import Settings
    from engine.wiring import Plan

SPEED_MAX: Final = 10_000.0


@dataclass(frozen=True, slots=True)
class DeckOptions:
    """Options of `signaldeck` alone."""

    replay: Annotated[
        list[Path] | None, typer.Option(metavar="PATH...", help="candle or trade files, or folders of them")
    ] = None
    speed: Annotated[str | None, typer.Option(metavar="N|max", help="how fast time passes in a demo or replay")] = None
    seed: Annotated[int | None, typer.Option(metavar="N", help="chance begins here: the same run again")] = None
    theme: Annotated[str | None, typer.Option(metavar="T", help="the screen's palette")] = None


@dataclass(frozen=True, slots=True)
class RunOptions(DeckOptions):
    """Options of `signaldeck run`."""

    headless: Annotated[bool, typer.Option("--headless", help="no screen")] = False
    seconds: Annotated[
        float | None,
        typer.Option("--for", metavar="S", min=0, help="drain and end after S seconds of this machine's time"),
    ] = None


def deck(named: Named, options: DeckOptions) -> None:
    """Open the dashboard with the engine inside; without a configuration, a demo."""
    need_terminal("use `signaldeck run --headless`")
    leave(_run_or_attach(named, options))


def add_run(app: typer.Typer) -> None:
    """Add `run` to `app`."""
    command(app, "run")(run_engine)


def run_engine(named: Named, options: RunOptions) -> None:
    """Run the engine alone, with --headless; without it, under the dashboard."""
    from tui.commands.running import run

    if options.seconds is not None and not options.headless:
        raise BadInput("--for", "only an engine without a screen ends by itself", "add --headless")
    if not options.headless:
        need_terminal("use `signaldeck run --headless`")
        leave(_run_or_attach(named, options))
    leave(run(make_run(named, options), headless=True, seconds=options.seconds))


def _run_or_attach(named: Named, options: DeckOptions) -> int:
    """Run the engine under the dashboard; if another one has the store, offer to look at that one. The exit code."""
    from tui.commands.running import run

    planned = make_run(named, options)
    try:
        return run(planned, headless=False)
    except StoreLocked as locked:
        from tui.commands.attaching import offer

        return offer(Named(named.config, planned.db), locked)


def need_terminal(fix: str) -> None:
    """Raise BadInput, which tells `fix`, unless there is a terminal to draw on."""
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # Textual draws on the last
        raise BadInput("", "this is no terminal to draw on", fix)


@dataclass(frozen=True)
class Run:
    """What is to run. `pace` None is as fast as the work allows.

    `is_plain_demo` says that nothing was configured at all; then the settings, which cannot be wrong, are loaded when
    they are first asked for, after the screen is painted.
    """

    mode: Mode
    db: Path
    pace: float | None
    seed: int | None
    load: Callable[[], Loaded]
    until_finished: bool = False
    is_plain_demo: bool = False

    @cached_property
    def loaded(self) -> Loaded:
        return self.load()

    @property
    def settings(self) -> Settings:
        return self.loaded.settings

    def plan(self) -> Plan:
        """Return it as the engine's wiring wants it. Imports the whole engine."""
        from engine.wiring import Plan

        return Plan(self.settings, self.mode, self.db, self.pace, self.seed, self.until_finished)


def make_run(named: Named, options: DeckOptions) -> Run:
    """Return what is to run. Raises ConfigError and BadInput; makes the default folder of the store if it is missing."""
    from engine.core.values import Mode

    overrides: dict[str, object] = {}
    if options.replay:
        overrides["market.source"] = "replay"
        overrides["market.replay.paths"] = [_existing(path) for path in options.replay]
    if options.theme:
        overrides["dashboard.theme"] = options.theme
    pace = _pace(options.speed)
    load = partial(_load, named, overrides)
    if not overrides and not sets_anything(os.environ) and find_config(named.config, os.environ) is None:
        return Run(Mode.DEMO, _db(named, is_replay=False), pace, options.seed, load, is_plain_demo=True)
    loaded = load()
    is_replay = loaded.mode is Mode.REPLAY
    if is_replay and not loaded.settings.market.replay.paths:
        raise ConfigError("market.replay.paths: nothing to replay; name files with --replay")
    if pace != 1.0 and loaded.mode not in {Mode.DEMO, Mode.REPLAY}:
        raise BadInput("--speed", f"in {loaded.mode} mode time passes as it does", "leave it out, or use --replay")
    return Run(
        mode=loaded.mode,
        db=_db(named, is_replay=is_replay),
        pace=pace,
        seed=options.seed,
        load=lambda: loaded,
        until_finished=is_replay and isinstance(options, RunOptions) and options.headless,
    )


def _load(named: Named, overrides: Mapping[str, object]) -> Loaded:
    from engine.config import load

    return load(named.config, os.environ, overrides)


def _existing(path: Path) -> Path:
    found = path.expanduser()
    if not found.exists():
        raise BadInput("--replay", f"{path}: no such file or folder", "name candle or trade files")
    return found


def _pace(speed: str | None) -> float | None:
    if speed is None:
        return 1.0
    if speed == "max":
        return None
    try:
        pace = float(speed)
    except ValueError:
        pace = 0.0
    if not 0 < pace <= SPEED_MAX:
        raise BadInput("--speed", f"{speed!r} is no speed", f"a number up to {SPEED_MAX:.0f} such as 10, or max")
    return pace


def _db(named: Named, *, is_replay: bool) -> Path:
    """Return where the run is kept. A replay without a name gets a store of its own, so that none mixes with another."""
    if is_replay and named.db is None and not os.environ.get("SIGNALDECK_DB"):
        from engine.clock import SystemClock

        folder = default_db().parent / "replays"
        make_private_folder(folder)
        return folder / f"{SystemClock().wall():%Y%m%d-%H%M%S}-{os.getpid()}.sqlite"
    db = find_db(named, os.environ)
    if db.parent == default_db().parent:
        make_private_folder(db.parent)
    elif not db.parent.is_dir():
        raise ConfigError(f"{db.parent}: no such folder for the store; make it, or name another store with --db")
    return db
