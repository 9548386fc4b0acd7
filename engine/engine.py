"""The Engine: starts everything in order, keeps it running, stops it in order, and answers for it to others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Protocol

from engine.clock import Clock, EngineLoop, IdSource
from engine.core.board import EngineState, ExecutionStatus
from engine.core.commands import Command, NewCommand
from engine.core.errors import BadInput, CommandRefused, SignalDeckError, StoreBroken
from engine.core.events import EventKind, Level, NewEvent, Route, Signal
from engine.core.intake import RESERVED_SOURCES, Taken, addressed, new_signal
from engine.core.lifecycle import AttemptState
from engine.core.text import clean, counted
from engine.core.values import NewSignal
from engine.execution import ExecutionLogger, ExecutionResult, Plan, Tenure
from engine.log import logger
from engine.pipeline import OrderExecutionPipeline
from engine.store.base import Put, PutOutcome, Store
from engine.workers.analyst import Analyst
from engine.workers.clerk import Clerk
from engine.workers.dispatcher import Dispatcher
from engine.workers.feed import Feed
from engine.workers.health import TraderHealthChecker
from engine.workers.keeper import Keeper
from engine.workers.opening import Opening
from engine.workers.reconciler import Reconciler
from engine.workers.situation import Situation
from engine.workers.trader import TraderActor

RESTART_S_MIN: Final = 0.5
RESTART_S_MAX: Final = 30.0
SETTLE_S_MAX: Final = 900.0  # market time after a recording's end in which open signals may come to their end

_log = logger("engine")


class ExitCode(IntEnum):
    """What the process ends with."""

    DONE = 0
    FAILED = 1


class Worker(Protocol):
    """A loop that runs until it is cancelled, or returns when its work is over for good."""

    async def run(self) -> None: ...


@dataclass
class Crew:
    """Orders on their way. The engine's own task group would cancel them at once; these are awaited first."""

    pipeline: OrderExecutionPipeline
    on_failure: Callable[[BaseException], None] = lambda _: None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, plan: Plan, committed_s: float) -> None:
        """Send a committed intent in the background."""
        task = asyncio.get_running_loop().create_task(self._send(plan, committed_s))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _send(self, plan: Plan, committed_s: float) -> None:
        try:
            self.pipeline.log_execution_metrics(await self.pipeline.send(plan, committed_s))
        except SignalDeckError as failure:
            self.on_failure(failure)

    async def drain(self, within_s: float) -> int:
        """Wait for what is under way; after `within_s` cancel the rest, which writes it down as unknown."""
        waiting = set(self.tasks)
        if waiting:
            await asyncio.wait(waiting, timeout=within_s)
        late = {task for task in self.tasks if not task.done()}
        for task in late:
            task.cancel()
        if late:
            await asyncio.gather(*late, return_exceptions=True)
        return len(late)


@dataclass(frozen=True, slots=True)
class EngineParts:
    """Everything an engine is made of; made by engine.wiring. `others` are further loops by name."""

    store: Store
    clock: Clock
    ids: Callable[[int], IdSource]  # by the engine's start: the same seed must not draw the same ids again
    tenure: Tenure
    desks: Mapping[str, TraderActor]
    feed: Feed
    analyst: Analyst
    pipeline: OrderExecutionPipeline
    dispatcher: Dispatcher
    reconciler: Reconciler
    clerk: Clerk
    situation: Situation
    crew: Crew
    keeper: Keeper
    health: TraderHealthChecker
    others: Mapping[str, Worker]
    traders: Mapping[str, str]  # name to exchange, as configured
    closers: Sequence[Callable[[], Awaitable[None]]] = ()  # what to close last, in order
    before_open: Callable[[], Awaitable[None]] | None = None  # sets the clock to a recording's begin
    signal_ttl_s: float = 120.0
    drain_s: float = 10.0
    history: int = 100
    reserved_sources: frozenset[str] = RESERVED_SOURCES
    until_finished: bool = False  # end by itself when a recording has ended


class Engine:
    """See the module. Everything here runs on the engine's own loop; other threads come through `EngineThread`."""

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self._ids = parts.ids(0)
        parts.crew.on_failure = self._fail
        self._opening = Opening(parts.desks, parts.clock, lambda text: self._try_note(text, code="trader_not_open"))
        self._failed = asyncio.Event()
        self.failure: BaseException | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def state(self) -> EngineState:
        return self._parts.situation.state

    @state.setter
    def state(self, state: EngineState) -> None:
        self._parts.situation.state = state

    @property
    def store(self) -> Store:
        """Return the store, for reading."""
        return self._parts.store

    # life

    async def run(self, stop: asyncio.Event, *, started: Callable[[], Awaitable[None]] | None = None) -> ExitCode:
        """Start, work until `stop` is set (or the recording ended, if so built), drain, close.

        `started` is awaited once signals are taken. Raises what `start` raises; after that a failure is an exit code.
        """
        try:
            await self.start()
            if started is not None:
                await started()
            await self._until(stop)
        finally:
            await self.stop()
        return ExitCode.DONE if self.failure is None else ExitCode.FAILED

    async def start(self) -> None:
        """Open, recover, and begin to work; traders take orders one by one as their open outcomes were looked up."""
        parts = self._parts
        if parts.before_open is not None:
            await parts.before_open()
        opened = await parts.store.open(now=parts.clock.wall())
        parts.tenure.begin(opened.epoch, opened.store_uuid)
        self._ids = parts.ids(opened.epoch)
        parts.situation.epoch, parts.situation.started_at = opened.epoch, parts.clock.today()
        await parts.store.declare_traders(parts.traders)
        parts.pipeline.logger = ExecutionLogger(await parts.store.totals())
        if opened.orphans:
            orders = counted(opened.orphans, "order without a known outcome is", "orders without a known outcome are")
            text = f"{orders} looked up before anything else is sent"
            await self._note(text, code="recovering", level=Level.WARNING)
        await parts.feed.open(parts.history)
        await self._opening.run()
        await parts.health.open()
        await parts.situation.refresh()
        await parts.clerk.catch_up()
        self.state = EngineState.RUNNING
        parts.dispatcher.open_for_business = True
        for name, run in self._workers().items():
            self._tasks[name] = asyncio.create_task(self._keep(name, run), name=name)
        parts.dispatcher.nudge()

    async def stop(self) -> None:
        """Take nothing new, wait for orders in flight, write down the rest, close everything. Safe to call twice."""
        if self.state is EngineState.STOPPED:
            return
        parts, began = self._parts, self.state
        self.state = EngineState.DRAINING
        await self._opening.stop()
        await parts.dispatcher.close()
        for name in ("analyst", "feed", "dispatcher"):
            await self._end(name)
        late = await parts.crew.drain(parts.drain_s)
        await parts.clerk.close()
        for name in list(self._tasks):
            await self._end(name)
        self.state = EngineState.STOPPED
        if began is not EngineState.STARTING and not isinstance(self.failure, StoreBroken):
            await self._last_words(late)
        await parts.feed.close()
        for desk in parts.desks.values():
            await desk.close()
        await parts.store.close()
        for close in parts.closers:
            await close()

    # what others ask of it (EngineService)

    async def hand_in(self, requests: list[Mapping[str, object]]) -> list[Taken]:
        """Validate and keep signals, item by item; the answer comes after the commit."""
        self._must_run()
        parts, now = self._parts, self._parts.clock.wall()
        answers: list[Taken | None] = []
        good: list[NewSignal] = []
        refused: list[NewEvent] = []
        for raw in requests:
            try:
                new = new_signal(raw, parts.signal_ttl_s, now, self._ids, parts.reserved_sources)
                good.append(addressed(new, parts.traders))
                answers.append(None)
            except BadInput as problem:
                text = clean(str(problem))
                answers.append(Taken("refused", "", _key_of(raw), text))
                refused.append(
                    NewEvent(
                        EventKind.INTAKE_REFUSED, now, f"signal not taken: {text}", Level.WARNING, code="bad_input"
                    )
                )
        if refused:
            await self._parts.store.note(refused)
        puts = iter(await self._parts.store.put_signals(good) if good else [])
        kept = iter(good)
        self._parts.dispatcher.nudge()
        return [answer or _taken(next(puts), next(kept)) for answer in answers]

    async def submit(self, command: NewCommand) -> Command:
        """Keep an operator's wish, obey it, and return it with its result."""
        if self.state is EngineState.STOPPED:
            raise CommandRefused("the engine has stopped")
        return await self._parts.clerk.submit(command)

    async def diagnose(self) -> ExecutionStatus:
        """Ask every gate between a candle and a fill, now."""
        return await self._parts.pipeline.diagnose_execution_readiness()

    # the operations by the names they have always had

    async def generate_signal_for_symbol(self, symbol: str) -> NewSignal | None:
        """Return the signal that the strategies make of `symbol` now, or None. Nothing is stored."""
        return self._parts.analyst.generate_signal_for_symbol(symbol)

    async def store_signal(self, signal: NewSignal) -> Put:
        """Make a signal durable and wake the dispatcher."""
        self._must_run()
        [put] = await self._parts.store.put_signals([signal])
        self._parts.dispatcher.nudge()
        return put

    async def get_all_last_signals(self) -> list[Signal]:
        """Return the newest signal of each symbol, newest first, at most 1,000."""
        return await self._parts.store.last_signals(1000)

    async def check_and_execute_orders(self) -> int:
        """Send everything that is due now; returns how many signals were moved."""
        self._must_run()
        return await self._parts.dispatcher.step()

    async def execute_order_from_signal(self, signal: Signal) -> ExecutionResult:
        """Take one signal as far as it goes now, and tell everything that was asked on the way."""
        self._must_run()
        return await self._parts.pipeline.execute_with_diagnostics(signal)

    async def select_trader_sender(self, signal: Signal) -> Route:
        """Return where `signal` would go now, and why each other trader was passed over."""
        book = await self._parts.situation.book(self._parts.clock.wall())
        return self._parts.pipeline.select(signal, book)

    # inside

    def _workers(self) -> dict[str, Callable[[], Awaitable[None]]]:
        parts = self._parts
        named: dict[str, Worker] = {
            "feed": parts.feed,
            "analyst": parts.analyst,
            "dispatcher": parts.dispatcher,
            "reconciler": parts.reconciler,
            **parts.others,
        }
        return {name: worker.run for name, worker in named.items()}

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        clock, pause = self._parts.clock, RESTART_S_MIN
        while True:
            began = clock.elapsed()
            try:
                await run()
            except (
                StoreBroken,
                BadInput,
            ) as failure:  # a store that is lost, a recording that breaks off: no use in trying again
                await self._try_note(clean(f"{name} cannot go on: {failure}"), code=f"{name}_failed")
                self._fail(failure)
                return
            except Exception as failure:  # noqa: BLE001 - the supervisor: a worker's crash is journalled and it starts again
                pause = RESTART_S_MIN if clock.elapsed() - began > RESTART_S_MAX * 2 else min(pause * 2, RESTART_S_MAX)
                _log.error("worker crashed", worker=name, error=repr(failure), exc_info=True)
                text = clean(f"{name} crashed and starts again in {pause:g} s: {type(failure).__name__}: {failure}")
                await self._try_note(text, code=f"{name}_crashed")
                await clock.sleep(pause)
            else:
                return

    async def _until(self, stop: asyncio.Event) -> None:
        waits = {asyncio.create_task(stop.wait()), asyncio.create_task(self._failed.wait())}
        finished = asyncio.create_task(self._finished())
        try:
            await asyncio.wait(
                {*waits, finished} if self._parts.until_finished else waits, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in (*waits, finished):
                task.cancel()

    async def _finished(self) -> None:
        parts = self._parts
        await parts.feed.finished.wait()
        until = parts.clock.elapsed() + SETTLE_S_MAX
        while parts.clock.elapsed() < until:
            await parts.clock.sleep(1.0)
            live = [a for a in await parts.store.live_attempts() if a.state is not AttemptState.REVIEW]
            if not live and await parts.store.next_due() is None:
                break
        loop = asyncio.get_running_loop()
        if not parts.until_finished and isinstance(loop, EngineLoop) and loop.pace is None:
            loop.set_pace(1.0)  # nothing is left to hurry for; the screen stays to be read

    async def _end(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _last_words(self, late: int) -> None:
        text = "stopped" + (
            f"; {late} orders in flight were left unknown, to be looked up at the next start" if late else " in order"
        )
        await self._try_note(text, code="stopped", level=Level.WARNING if late else Level.INFO)
        try:
            await self._parts.keeper.finish()
        except SignalDeckError as failure:
            _log.error("the last beat was not written", error=str(failure))

    def _fail(self, failure: BaseException) -> None:
        self.failure = self.failure or failure
        self._parts.dispatcher.open_for_business = False
        _log.error("the engine stops", error=str(failure))
        self._failed.set()

    def _must_run(self) -> None:
        if self.state is not EngineState.RUNNING:
            raise CommandRefused(f"the engine is {self.state} and takes no signals now")

    async def _note(self, text: str, *, code: str, level: Level = Level.INFO) -> None:
        await self._parts.store.note([NewEvent(EventKind.ENGINE, self._parts.clock.wall(), text, level, code=code)])

    async def _try_note(self, text: str, *, code: str, level: Level = Level.ERROR) -> None:
        try:
            await self._note(text, code=code, level=level)
        except SignalDeckError as failure:
            _log.error("a note was not written", note=text, error=str(failure))


def _key_of(raw: object) -> str:
    key = raw.get("key") if isinstance(raw, Mapping) else None
    return clean(key, 64) if isinstance(key, str) else ""


def _taken(put: Put, signal: NewSignal) -> Taken:
    text = {
        PutOutcome.STORED: "",
        PutOutcome.REPEATED: "this key was handed in before with the same content; the first signal stands",
        PutOutcome.CONFLICT: "this key was handed in before with other content; the first signal stands, this one was not taken",
    }[put.outcome]
    return Taken(put.outcome.value, put.signal_id, signal.key, text)
