"""`signaldeck` and `signaldeck run`: the engine with a screen, or alone."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import threading
from typing import TYPE_CHECKING, Final

from engine.core.errors import SignalDeckError
from engine.places import default_config
from tui.commands.frame import Exit, complain, operator, say
from tui.commands.leaving import CLOSE_S, Leaving
from tui.commands.planning import Run

if TYPE_CHECKING:
    from tui.app import SignalDeckApp
    from tui.commands.starting import EngineStart

SWITCH_S: Final = 0.0005  # between threads: painting must not hold up the engine


def run(planned: Run, *, headless: bool, seconds: float | None = None) -> int:
    """Run what was planned, with or without a screen; the exit code."""
    _keep_private()
    _start_log(planned)
    return run_headless(planned, seconds) if headless else run_dashboard(planned)


def _keep_private() -> None:
    """Let files be this user's alone, and let no crash leave an image of the memory behind."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _start_log(planned: Run) -> None:
    from engine import log

    db = planned.db
    log.start(planned.settings.log, path=db.with_name(f"{db.name}.log"), env=os.environ)


def run_headless(planned: Run, seconds: float | None) -> int:
    """Run the engine until a signal, the end of `seconds` of this machine's time, or the recording's; the exit code."""
    from engine import log
    from engine.wiring import build

    deck = build(planned.plan())
    ended = threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def stop_engine() -> None:
        for loop, stop in loops:
            loop.call_soon_threadsafe(stop.set)

    settings = planned.settings.engine
    leaving = Leaving(stop_engine, ended.wait, settings.drain_s)
    if settings.on_hangup == "detach":
        leaving.on_hangup = lambda: None

    def ready() -> None:
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
        log.stop()
    say("engine ended in order" if code == 0 else "engine failed; the journal says why")
    return code


def run_dashboard(planned: Run) -> int:
    """Run the engine in a thread of its own under the dashboard; the exit code. The engine ends before the screen.

    Raises what the engine's start raises, with the terminal restored.
    """
    from engine import log

    sys.setswitchinterval(SWITCH_S)
    settings = planned.settings.engine
    app, engine = _make_app(planned)
    leaving = Leaving(engine.request_stop, engine.join, settings.drain_s)
    leaving.listen()
    engine.begin()
    code = _show(app, leaving, is_detachable=settings.on_hangup == "detach")
    if leaving.hung_up and not leaving.requested:
        while not engine.join(1.0):
            pass  # without a screen now, until a signal ends it
    leaving.request()
    engine.join(settings.drain_s + CLOSE_S + 1.0)  # the watchdog is stricter
    leaving.finish()
    log.stop()
    if isinstance(engine.failure, SignalDeckError):
        raise engine.failure
    if engine.error:
        complain(f"the engine failed: {engine.error}")
        return Exit.FAILED
    return code


def _make_app(planned: Run) -> tuple[SignalDeckApp, EngineStart]:
    from engine.clock import SystemClock
    from tui.app import Dress, EngineInside, SignalDeckApp
    from tui.commands.starting import EngineStart, Facts, StartingBridge

    speed = "max" if planned.pace is None else f"{planned.pace:g}"
    bridge = StartingBridge(operator(), Facts(planned.mode, os.getpid(), speed), SystemClock())
    engine = EngineStart(planned, bridge, lambda: bridge.on_screen(lambda: app.exit(0)))
    dashboard = planned.settings.dashboard
    folder = (planned.loaded.path or default_config()).parent / "themes"
    dress = Dress(dashboard.theme, folder if folder.is_dir() else None, dashboard.refresh_s or None)
    app = SignalDeckApp(bridge, dress, engine=EngineInside(is_there=True, trouble=lambda: engine.error))
    return app, engine


def _show(app: SignalDeckApp, leaving: Leaving, *, is_detachable: bool) -> int:
    """Draw until the operator leaves or a signal comes; the screen's exit code."""

    def close_screen() -> None:
        try:
            loop = asyncio.get_running_loop()  # handlers run in this thread, in the midst of the screen's loop
        except RuntimeError:
            return
        loop.call_soon_threadsafe(app.exit, 0)

    def lose_terminal() -> None:
        _let_go_of_terminal()
        close_screen()

    leaving.on_stop = close_screen
    if is_detachable:
        leaving.on_hangup = lose_terminal
    result = app.run()
    return result if result is not None else (app.return_code or 0)


def _let_go_of_terminal() -> None:
    """Read and write nothing from here on: a terminal that is gone answers with errors, or with an end without an end."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    os.close(nothing)
