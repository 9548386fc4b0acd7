"""How the process ends: the first signal drains the engine, the second ends at once, and nothing can hold it up for ever.

Handlers are set with `signal.signal` and the end is enforced by a thread: with a terminal that nobody reads, the screen's
loop stands still and no handler of the loop would ever run.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final

from tui.commands.frame import Exit

CLOSE_S: Final = 8.0  # beyond the drain: to write down the rest and close the store
SCREEN_S: Final = 2.0  # that the screen has to restore the terminal once the engine has ended

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Leaving:
    """One process's end. `stop_engine` must be safe in a signal handler; `engine_ended` waits at most so many seconds.

    `drain_s` is asked when the end begins.
    """

    def __init__(
        self, stop_engine: Callable[[], None], engine_ended: Callable[[float], bool], drain_s: Callable[[], float]
    ) -> None:
        self._stop_engine, self._engine_ended, self._drain_s = stop_engine, engine_ended, drain_s
        self._over = threading.Event()
        self.on_stop: Callable[[], None] = lambda: None  # what else to end: the screen
        self.on_hangup: Callable[[], bool] = lambda: False  # whether the engine goes on without a terminal
        self.requested = False
        self.is_detached = False

    def listen(self) -> None:
        """Take the signals from here on. Call it in the main thread."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._stopped)
        signal.signal(signal.SIGHUP, self._hung_up)

    def request(self) -> None:
        """Ask for the end, as the first signal does. Safe to repeat."""
        if not self.requested:
            self.requested = True
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        self._stop_engine()

    def finish(self) -> None:
        """Say that the end was reached in order: the watchdog may sleep."""
        self._over.set()

    def _stopped(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self.requested:
            os._exit(Exit.CUT_SHORT)  # every order's intent is durable: the next start looks up what became of it
        self.request()
        self.on_stop()

    def _hung_up(self, number: int, frame: FrameType | None) -> None:
        if self.on_hangup():
            self.is_detached = True
        elif not self.requested:
            self._stopped(number, frame)

    def _watch(self) -> None:
        if not self._engine_ended(self._drain_s() + CLOSE_S):
            if not self._over.is_set():
                os._exit(Exit.CUT_SHORT)
            return
        if not self._over.wait(SCREEN_S):
            os._exit(Exit.DONE)  # the engine has ended in order; only the terminal holds us up
