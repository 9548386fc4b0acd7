"""The bridge: the only file of the screen that touches the engine or the store."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, TypeVar

from engine.clock import Chance, Clock, SystemChance, SystemClock, hex_id
from engine.control import ControlClient
from engine.core.board import Board, ExecutionStatus, Story
from engine.core.commands import Command, CommandKind, NewCommand
from engine.core.errors import CommandRefused, NotThere, SignalDeckError
from engine.core.events import Event, Signal
from engine.core.intake import EngineService, Taken
from engine.core.lifecycle import SignalState
from engine.store.base import BoardLimits, Reader, SignalFilter
from tui.formatting import market_now

ANSWER_S_MAX: Final = 15.0  # the engine answers a wish in milliseconds; a trader's last call is bounded by 8 s

PING_EVERY_S: Final = 1.0
PING_S_MAX: Final = 3.0  # an engine that stands still for longer is told of

T = TypeVar("T")


class Bridge(Protocol):
    """What screens and panels may ask. Boards come from the store; wishes go to the engine and come back answered."""

    read_only: bool
    operator: str

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def change(self) -> int:
        """Return a number that differs when anything was committed since. Cheap."""

    async def board(self) -> Board: ...

    async def story(self, signal_id: str) -> Story | None: ...

    async def event(self, seq: int) -> Event | None: ...

    async def ask(self, question: Callable[[Reader], Awaitable[T]]) -> T:
        """Return the answer to a question to the store's read side, which cannot write."""

    async def readiness(self) -> ExecutionStatus | None:
        """Return the diagnosis made now by the running engine, else the last one kept, else None."""

    async def wish(
        self,
        kind: CommandKind,
        target: str = "",
        *,
        why: str = "",
        args: Mapping[str, str] | None = None,
        expected_version: int | None = None,
    ) -> Command:
        """Post an operator's wish and return it with its result. Raises SignalDeckError if no engine takes it."""


def newest_signals(states: frozenset[SignalState], limit: int) -> Callable[[Reader], Awaitable[list[Signal]]]:
    """Return the question for the newest signals in these states, or in any if there are none."""
    return lambda store: store.signals(SignalFilter(states=states), None, limit)


def signals_of(symbol: str, before_seq: int | None, limit: int) -> Callable[[Reader], Awaitable[list[Signal]]]:
    """Return the question for a page of one symbol's signals, newest first."""
    return lambda store: store.signals(SignalFilter(symbol=symbol), before_seq, limit)


class OtherLoop:
    """An engine that runs on another thread's loop, as something that this loop can wait for.

    Nothing here blocks: an answer that does not come within `answer_s_max` is a NotThere, and so is a loop that is gone.
    """

    def __init__(
        self,
        service: EngineService,
        loop: asyncio.AbstractEventLoop,
        clock: Clock | None = None,
        *,
        answer_s_max: float = ANSWER_S_MAX,
    ) -> None:
        self._service, self._loop, self._clock = service, loop, clock or SystemClock()
        self._answer_s_max = answer_s_max

    async def hand_in(self, requests: list[Mapping[str, object]]) -> list[Taken]:
        return await self._over_there(self._service.hand_in(requests))

    async def submit(self, command: NewCommand) -> Command:
        return await self._over_there(self._service.submit(command))

    async def diagnose(self) -> ExecutionStatus:
        return await self._over_there(self._service.diagnose())

    async def _over_there(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            raise NotThere("the engine has stopped") from None
        try:
            async with self._clock.timeout(self._answer_s_max):
                return await asyncio.shield(asyncio.wrap_future(future))  # whoever stops waiting undoes nothing
        except TimeoutError:
            raise NotThere(f"the engine did not answer within {self._answer_s_max:g} s; it may still obey") from None


class SocketEngine:
    """An engine in another process of this machine. Each question has a connection of its own, for as long as it takes.

    So a screen that stands still keeps none of the engine's few connections, and no question waits for another.
    `silence` says why the engine did not answer when it was last asked, the empty text if it did.
    """

    def __init__(self, path: Path, clock: Clock | None = None, *, answer_s_max: float = ANSWER_S_MAX) -> None:
        self._path, self._clock, self._answer_s_max = path, clock or SystemClock(), answer_s_max
        self.silence = ""

    async def hand_in(self, requests: list[Mapping[str, object]]) -> list[Taken]:
        return await self._asked(lambda engine: engine.hand_in(requests))

    async def submit(self, command: NewCommand) -> Command:
        return await self._asked(lambda engine: engine.submit(command))

    async def diagnose(self) -> ExecutionStatus:
        return await self._asked(lambda engine: engine.diagnose())

    async def listen(self) -> None:
        """Ask once a second whether the engine is there, until cancelled."""
        while True:
            with contextlib.suppress(SignalDeckError):  # a refusal is an answer; silence is kept for the screen
                await self._asked(lambda engine: engine.ping(), min(PING_S_MAX, self._answer_s_max))
            await self._clock.sleep(PING_EVERY_S)

    async def _asked(self, ask: Callable[[ControlClient], Awaitable[T]], seconds: float | None = None) -> T:
        engine = ControlClient(self._path, clock=self._clock, timeout_s=seconds or self._answer_s_max)
        try:
            answer = await ask(engine)
        except NotThere as silence:
            self.silence = str(silence)
            raise
        except SignalDeckError:
            self.silence = ""
            raise
        finally:
            await engine.close()
        self.silence = ""
        return answer


@dataclass(frozen=True, slots=True)
class Operator:
    """Who sits at the screen. A `read_only` one may look, and nothing else."""

    name: str
    read_only: bool = False


class StoreBridge:
    """The bridge over a store: reads on a connection of its own, wishes to whichever engine serves it.

    `reader` is called in `open`, on the screen's own loop. `service` None means that no engine takes wishes. `refusal` is
    what a wish is answered where only looking is allowed.
    """

    refusal: ClassVar[str] = "this screen is read-only"

    def __init__(
        self,
        reader: Callable[[], Awaitable[Reader]],
        operator: Operator,
        *,
        service: EngineService | None = None,
        clock: Clock | None = None,
        chance: Chance | None = None,
    ) -> None:
        self.operator, self.read_only = operator.name, operator.read_only
        self._make_reader, self._service = reader, service
        self._clock: Clock = clock or SystemClock()
        self._ids = (chance or SystemChance()).stream("wishes")
        self._reader_in_use: Reader | None = None
        self._limits = BoardLimits()

    async def open(self) -> None:
        if self._reader_in_use is None:
            self._reader_in_use = await self._make_reader()

    async def close(self) -> None:
        reader, self._reader_in_use = self._reader_in_use, None
        if reader is not None:
            await reader.close()

    async def change(self) -> int:
        return await self._reader.change()

    async def board(self) -> Board:
        engine = await self._reader.engine_facts()
        return await self._reader.board(market_now(engine, self._clock.wall()), self._limits)

    async def story(self, signal_id: str) -> Story | None:
        return await self._reader.story(signal_id)

    async def event(self, seq: int) -> Event | None:
        return await self._reader.event(seq)

    async def ask(self, question: Callable[[Reader], Awaitable[T]]) -> T:
        return await question(self._reader)

    async def readiness(self) -> ExecutionStatus | None:
        if self._service is not None:
            try:
                return await self._service.diagnose()
            except NotThere:  # the last one kept is better than none; it carries its own time
                pass
        return await self._reader.readiness()

    async def wish(
        self,
        kind: CommandKind,
        target: str = "",
        *,
        why: str = "",
        args: Mapping[str, str] | None = None,
        expected_version: int | None = None,
    ) -> Command:
        if self.read_only:
            raise CommandRefused(self.refusal)
        if self._service is None:
            raise NotThere("no engine runs here that could do it")
        return await self._service.submit(
            NewCommand(
                request_id=hex_id(self._ids, 32),
                kind=kind,
                operator=self.operator,
                at=self._clock.wall(),
                target=target,
                why=why,
                args=dict(args or {}),
                expected_version=expected_version,
            )
        )

    @property
    def _reader(self) -> Reader:
        if self._reader_in_use is None:
            raise NotThere("the store is not open")
        return self._reader_in_use


class AttachedBridge(StoreBridge):
    """The bridge to an engine in another process: the same reads, and wishes over that engine's control socket."""

    def __init__(
        self,
        reader: Callable[[], Awaitable[Reader]],
        operator: Operator,
        engine: SocketEngine,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(reader, operator, service=engine, clock=clock)
        self._engine = engine
        self._listening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await super().open()
        if self._listening is None:
            self._listening = asyncio.create_task(self._engine.listen(), name="listening to the engine")

    async def close(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        await super().close()
