"""`signaldeck` and `signaldeck run`: the engine with a screen, or alone."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.core.errors import SignalDeckError
from engine.places import default_config, screen_memory
from tui import crash
from tui.commands.frame import Exit, complain, operator, say
from tui.commands.leaving import CLOSE_S, Leaving
from tui.commands.planning import Run

if TYPE_CHECKING:
    from engine.config import Loaded
    from tui.app import Dress, SignalDeckApp
    from tui.commands.starting import EngineStart
    from tui.past import PastBridge

SWITCH_S: Final = 0.0005  # between threads: painting must not hold up the engine


def run(planned: Run, *, headless: bool, seconds: float | None = None) -> int:
    """Run what was planned, with or without a screen; the exit code."""
    keep_private()
    try:
        return run_headless(planned, seconds) if headless else run_dashboard(planned)
    except SignalDeckError:
        raise
    except Exception as error:
        crash.keep(error, crash.crash_file(planned.db))
        raise


def keep_private() -> None:
    """Let files be this user's alone, and let no crash leave an image of the memory behind, or words on the screen."""
    os.umask(0o077)
    crash.listen()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run_headless(planned: Run, seconds: float | None) -> int:
    """Run the engine until a signal, the end of `seconds` of this machine's time, or the recording's; the exit code."""
    from engine import log
    from tui.commands.starting import StartLog

    start_log = StartLog(planned)
    started = threading.Event()
    try:
        return _run_logged(planned, seconds, started)
    except SignalDeckError as failure:
        if not started.is_set():
            start_log.fail(failure)
        raise
    finally:
        log.stop()


def _run_logged(planned: Run, seconds: float | None, started: threading.Event) -> int:
    from engine.wiring import build

    deck = build(planned.plan())
    ended = threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def stop_engine() -> None:
        for loop, stop in loops:
            loop.call_soon_threadsafe(stop.set)

    leaving = Leaving(stop_engine, ended.wait, lambda: planned.settings.engine.drain_s)
    if planned.settings.engine.on_hangup == "detach":
        leaving.on_hangup = lambda: True

    def ready() -> None:
        started.set()
        say(f"{planned.mode} engine runs, pid {os.getpid()}, store {planned.db}")
        sys.stdout.flush()
        if seconds is not None:
            timer = threading.Timer(seconds, leaving.request)
            timer.daemon = True
            timer.start()

    async def working() -> int:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        if leaving.requested:  # a signal that came before there was a loop
            stop.set()
        try:
            return int(await deck.run(stop, ready))
        finally:
            loops.clear()

    leaving.listen()
    try:
        with asyncio.Runner(loop_factory=deck.loop_factory) as runner:
            code = runner.run(working())
    finally:
        ended.set()
        leaving.finish()
    say("engine ended in order" if code == 0 else "engine failed; the journal says why")
    return code


def run_dashboard(planned: Run) -> int:
    """Run the engine in a thread of its own under the dashboard; the exit code. The engine ends before the screen.

    Raises what the engine's start raises, with the terminal restored.
    """
    sys.setswitchinterval(SWITCH_S)
    app, engine = _make_app(planned)
    leaving = Leaving(engine.request_stop, engine.join, lambda: planned.settings.engine.drain_s)
    leaving.listen()
    engine.begin()
    code = show(app, leaving, is_detachable=lambda: planned.settings.engine.on_hangup == "detach")
    if leaving.is_detached and not leaving.requested:
        while not engine.join(1.0):
            pass  # without a screen now, until a signal ends it
    leaving.request()
    engine.join(planned.settings.engine.drain_s + CLOSE_S + 1.0)  # the watchdog is stricter
    leaving.finish()
    _end_log()
    if isinstance(engine.failure, SignalDeckError):
        raise engine.failure
    if engine.error:
        complain(f"the engine failed: {engine.error}")
        return Exit.FAILED
    return code


def _end_log() -> None:
    from engine import log  # imported by the engine's start, after the first picture

    log.stop()


def _make_app(planned: Run) -> tuple[SignalDeckApp, EngineStart]:
    from engine.clock import SystemClock
    from tui.app import EngineInside, SignalDeckApp
    from tui.commands.starting import EngineStart, Facts, StartingBridge

    speed = "max" if planned.pace is None else f"{planned.pace:g}"
    bridge = StartingBridge(operator(), Facts(planned.mode, os.getpid(), speed), SystemClock())
    engine = EngineStart(planned, bridge, lambda: bridge.on_screen(lambda: app.exit(0)))
    app = SignalDeckApp(
        bridge,
        dress_of(None if planned.is_plain_demo else planned.loaded),
        engine=EngineInside(is_there=True, trouble=lambda: engine.error),
        crash_file=crash.crash_file(planned.db),
    )
    app.past = lambda: _past_of(planned.db)
    return app, engine


def _past_of(db: Path) -> PastBridge:
    from tui.past_opening import past_of  # with the first look back

    return past_of(db)


def dress_of(loaded: Loaded | None) -> Dress:
    """Return how the screen looks by these settings, and by the defaults if nothing is configured."""
    from tui.app import Dress
    from tui.herald import Bell, Volume

    config = (loaded.path if loaded is not None else None) or default_config()
    folder = config.parent / "themes"
    dress = Dress(themes=folder if folder.is_dir() else None, memory=screen_memory())
    if loaded is None:
        return dress
    from engine.config import COMMAND_LINE

    wanted = loaded.settings.dashboard
    return replace(
        dress,
        theme=wanted.theme,
        refresh_s=wanted.refresh_s or None,
        columns_max=wanted.columns_max,
        keys=wanted.keys,
        volume=Volume(Bell(wanted.bell), wanted.toasts_per_minute),
        is_theme_named=loaded.sources.get("dashboard.theme") == COMMAND_LINE,
    )


def show(app: SignalDeckApp, leaving: Leaving, *, is_detachable: Callable[[], bool]) -> int:
    """Draw until the operator leaves or a signal comes; the screen's exit code."""

    def close_screen() -> None:
        try:
            loop = asyncio.get_running_loop()  # handlers run in this thread, in the midst of the screen's loop
        except RuntimeError:
            return
        loop.call_soon_threadsafe(app.exit, 0)

    def lose_terminal() -> bool:
        if not is_detachable():
            return False
        _let_go_of_terminal()
        close_screen()
        return True

    leaving.on_stop, leaving.on_hangup = close_screen, lose_terminal
    result = app.run()
    return result if result is not None else (app.return_code or 0)


def _let_go_of_terminal() -> None:
    """Read and write nothing from here on: a terminal that is gone answers with errors, or with an end without an end."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    os.close(nothing)
