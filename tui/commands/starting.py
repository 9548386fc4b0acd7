"""An engine on its way: the screen is painted first, then the engine is imported, built and started in its thread."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from engine.core.board import Board, EngineFacts, EngineState, ExecutionStatus, Headline, Story
from engine.core.commands import Command, CommandKind
from engine.core.errors import NotThere, SignalDeckError, StoreLocked
from engine.core.events import Event
from engine.redaction import REDACT

if TYPE_CHECKING:
    from engine.clock import Clock
    from engine.core.values import Mode
    from engine.store.base import Reader
    from engine.wiring import EngineThread
    from tui.bridge import Bridge
    from tui.commands.planning import Run

PAINT_S_MAX: Final = 1.5  # a terminal that never takes the first picture must not keep an engine from trading
T = TypeVar("T")

STARTING: Final = -1  # the change number of the picture before the store can be read


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an engine before it runs."""

    mode: Mode
    pid: int
    speed: str


class StartingBridge:
    """A bridge that can be looked at before there is an engine; then it is the engine's own, which `lead_to` gives."""

    def __init__(self, operator: str, facts: Facts, clock: Clock) -> None:
        self.operator, self.read_only = operator, False
        self._facts, self._clock = facts, clock
        self._began = clock.wall()
        self._given: Bridge | None = None
        self._inner: Bridge | None = None
        self.painted = threading.Event()
        self._looks = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def lead_to(self, bridge: Bridge) -> None:
        """Go over to `bridge` at the next look. Safe from any thread."""
        self._given = bridge

    def on_screen(self, act: Callable[[], None]) -> None:
        """Let `act` run on the screen's loop, if there is one. Never waits; safe from any thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(act)

    async def open(self) -> None:
        """Take note of the screen's loop; there is nothing to open yet."""
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        if self._inner is not None:
            await self._inner.close()

    async def change(self) -> int:
        self._looks += 1
        if self._looks > 1:  # whoever looks again has drawn what it saw
            self.painted.set()
        if self._inner is None and self._given is not None:
            await self._given.open()
            self._inner = self._given
        return STARTING if self._inner is None else await self._inner.change()

    async def board(self) -> Board:
        return await self._inner.board() if self._inner else self._first_picture()

    async def story(self, signal_id: str) -> Story | None:
        return await self._inner.story(signal_id) if self._inner else None

    async def event(self, seq: int) -> Event | None:
        return await self._inner.event(seq) if self._inner else None

    async def ask(self, question: Callable[[Reader], Awaitable[T]]) -> T:
        if self._inner is None:
            raise NotThere("the engine is still starting; try again in a moment")
        return await self._inner.ask(question)

    async def readiness(self) -> ExecutionStatus | None:
        return await self._inner.readiness() if self._inner else None

    async def wish(
        self,
        kind: CommandKind,
        target: str = "",
        *,
        why: str = "",
        args: Mapping[str, str] | None = None,
        expected_version: int | None = None,
    ) -> Command:
        if self._inner is None:
            raise NotThere("the engine is still starting; try again in a moment")
        return await self._inner.wish(kind, target, why=why, args=args, expected_version=expected_version)

    def _first_picture(self) -> Board:
        now = self._clock.wall()
        engine = EngineFacts(
            mode=self._facts.mode,
            state=EngineState.STARTING,
            epoch=0,
            pid=self._facts.pid,
            started_at=self._began,
            beat_at=now,
            market_at=now,
            speed=self._facts.speed,
        )
        return Board(STARTING, engine, Headline())


class EngineStart:
    """Starts the engine once `painted` is set, and hands its bridge on. `on_failure` is called if it could not start."""

    def __init__(self, planned: Run, bridge: StartingBridge, on_failure: Callable[[], None]) -> None:
        self._planned, self._bridge, self._on_failure = planned, bridge, on_failure
        self._engine: EngineThread | None = None
        self._is_unwanted = False
        self._over = threading.Event()
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="starter", daemon=True)

    @property
    def error(self) -> str:
        """Return why the engine does not run any more, or the empty text."""
        if self.failure is not None:
            return REDACT.line(f"{type(self.failure).__name__}: {self.failure}")
        return self._engine.error if self._engine else ""

    def begin(self) -> None:
        """Start the thread, once."""
        self._thread.start()

    def request_stop(self) -> None:
        """Ask the engine to drain and end, also before it has started. Safe in a signal handler, and to repeat."""
        self._is_unwanted = True
        self._bridge.painted.set()
        if self._engine is not None:
            self._engine.request_stop()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end; False if it has not come in time."""
        return self._over.wait(timeout)

    def _run(self) -> None:
        try:
            self._bridge.painted.wait(PAINT_S_MAX)
            if not self._is_unwanted:
                self._start()
        except BaseException as failure:  # noqa: BLE001 - the thread's supervisor: the main thread reports it
            self.failure = failure
            self._on_failure()
        finally:
            self._over.set()

    def _start(self) -> None:
        from engine.wiring import EngineThread

        start_log = StartLog(self._planned)
        try:
            engine = self._engine = EngineThread(self._planned.plan())
            engine.start()
            engine.wait_ready()
        except SignalDeckError as failure:
            start_log.fail(failure)
            raise
        if self._is_unwanted:  # asked while there was no loop yet to ask on
            engine.request_stop()
        self._bridge.lead_to(_bridge_to(engine, self._planned, self._bridge.operator))
        gc.freeze()  # what is there by now stays; collections need not look at it again
        engine.join()


class StartLog:
    """The log of one start: begun beside the store, or where the settings have it."""

    def __init__(self, planned: Run) -> None:
        from engine import log

        self._path = planned.settings.log.file or planned.db.with_name(f"{planned.db.name}.log")
        self._is_new = not self._path.exists()
        log.start(planned.settings.log, path=self._path, env=os.environ)
        log.logger("start").info(
            "starting", mode=planned.mode, store=planned.db, pid=os.getpid(), config=planned.loaded.path
        )

    def fail(self, failure: SignalDeckError) -> None:
        """Keep why the start failed and end the log; a file that was not there before this start is not left behind.

        Whoever started it is told the reason all the same. Beside a store that another engine has the file stays: the two
        may have begun it together.
        """
        from engine import log

        log.logger("start").error("the start failed", error=failure)
        log.stop()
        if self._is_new and not isinstance(failure, StoreLocked):
            with suppress(OSError):
                self._path.unlink()


def _bridge_to(engine: EngineThread, planned: Run, operator: str) -> Bridge:
    from engine.clock import SystemClock
    from engine.store.sqlite import SqliteReader
    from tui.bridge import Operator, OtherLoop, StoreBridge

    async def reader() -> SqliteReader:
        return SqliteReader(planned.db)

    return StoreBridge(reader, Operator(operator), service=OtherLoop(engine.service, engine.loop, SystemClock()))
