"""The one door of time and chance.

Three readings of time. `wall()` is the market's time, for records and for talking to venues: on a live engine it is the
system's, in a replay it is the recording's. `elapsed()` is seconds on the loop's own clock, which never runs backwards,
for deadlines and durations. `machine()` is real seconds of this machine, for measuring and for throttling telemetry.

The pace is a property of the event loop. An `EngineLoop` with pace 1 is an ordinary loop; with pace N its seconds pass N
times as fast; with pace None it never waits: whenever nothing is ready to run it moves its clock to the next timer. So
every timeout and sleep below is scaled alike, and a replay at full speed is the same program with the same order of steps.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import secrets
import selectors
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

TIMER_RESOLUTION_S: Final = 1e-6


class Clock(Protocol):
    """What everything below asks for the time."""

    def wall(self) -> datetime: ...

    def today(self) -> datetime:
        """Return the system's time, whatever the market's is: by it others tell whether this process lives."""

    def elapsed(self) -> float: ...

    def machine(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...

    async def leap(self, seconds: float) -> None:
        """Let time pass; where the pace allows it, at once, so that timers in between wake only once each."""

    def timeout(self, seconds: float | None) -> asyncio.Timeout: ...


class _PacedSelector(selectors.DefaultSelector):
    """Waits for input and output as the loop's pace demands."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: EngineLoop | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        loop = self.loop
        if loop is None or timeout is None or timeout <= 0:
            return super().select(timeout)
        if loop.pace is None:
            loop.pass_time(timeout)
            return super().select(0)
        return super().select(timeout / loop.pace)


class EngineLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds pass at `pace` times the real ones; None: as fast as the work allows.

    With pace None nothing may run in threads on behalf of tasks: time would pass while they work.
    """

    def __init__(self, pace: float | None = 1.0) -> None:
        self.pace = pace
        self._passed = 0.0  # on this loop, up to the origin
        self._origin = time.monotonic()
        selector = _PacedSelector()
        selector.loop = self
        super().__init__(selector)
        # asyncio runs a timer once it lies less than the system clock's resolution, 1 ns, ahead. After a year of market
        # time that is less than a float's step: a timer due exactly now would never run, and the loop would spin.
        self._clock_resolution = TIMER_RESOLUTION_S

    def time(self) -> float:
        if self.pace is None:
            return self._passed
        return self._passed + (time.monotonic() - self._origin) * self.pace

    def set_pace(self, pace: float) -> None:
        """Go on at `pace` from here, as after a recording's end: the clock goes on from where it is."""
        self._passed = self.time()
        self._origin = time.monotonic()
        self.pace = pace

    def pass_time(self, seconds: float) -> None:
        """Move a virtual clock forward; sleepers whose time has come wake once each."""
        assert self.pace is None, "only a loop without a pace can be moved"
        self._passed += seconds


class LoopClock:
    """Time as the running loop tells it. `began_at` is the wall time at elapsed 0; None takes the system's."""

    def __init__(self, began_at: datetime | None = None) -> None:
        self._began_at = began_at

    def wall(self) -> datetime:
        if self._began_at is None:
            return datetime.now(UTC)
        return self._began_at + timedelta(seconds=self.elapsed())

    def today(self) -> datetime:
        return datetime.now(UTC)

    def begin(self, at: datetime) -> None:
        """Let wall time be `at` now, and go on from there."""
        self._began_at = at - timedelta(seconds=self.elapsed())

    def elapsed(self) -> float:
        return asyncio.get_running_loop().time()

    def machine(self) -> float:
        return time.perf_counter()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    async def leap(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(loop, EngineLoop) and loop.pace is None:
            loop.pass_time(max(0.0, seconds))
            await asyncio.sleep(0)
        else:
            await self.sleep(seconds)

    def timeout(self, seconds: float | None) -> asyncio.Timeout:
        return asyncio.timeout(seconds)


class SystemClock:
    """The system's time, for whoever has no engine loop: the screen and the commands."""

    def wall(self) -> datetime:
        return datetime.now(UTC)

    def today(self) -> datetime:
        return datetime.now(UTC)

    def elapsed(self) -> float:
        return time.monotonic()

    def machine(self) -> float:
        return time.perf_counter()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    async def leap(self, seconds: float) -> None:
        await self.sleep(seconds)

    def pause(self, seconds: float) -> None:
        """Hold the calling thread: for commands, which have no loop."""
        time.sleep(max(0.0, seconds))

    def timeout(self, seconds: float | None) -> asyncio.Timeout:
        return asyncio.timeout(seconds)


class ManualClock:
    """A clock that moves when told to; sleepers wake in order of their time. For tests."""

    def __init__(self, at: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._at = at
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def wall(self) -> datetime:
        return self._at

    def today(self) -> datetime:
        return self._at

    def elapsed(self) -> float:
        return self._elapsed

    def machine(self) -> float:
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._elapsed += seconds
        self._at += timedelta(seconds=seconds)
        while self._sleepers and self._sleepers[0][0] <= self._elapsed:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)

    def jump(self, seconds: float) -> None:
        """Move wall time alone, as a corrected system clock does."""
        self._at += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        self._count += 1
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, self._count, future))
        await future

    async def leap(self, seconds: float) -> None:
        self.advance(seconds)

    def timeout(self, seconds: float | None) -> asyncio.Timeout:  # noqa: ARG002 - manual time never times out by itself
        return asyncio.timeout(None)


def runs_free() -> bool:
    """Say whether the running loop never waits, so that its time passes as fast as the work allows."""
    loop = asyncio.get_running_loop()
    return isinstance(loop, EngineLoop) and loop.pace is None


def run_on(pace: float | None) -> Callable[[], EngineLoop]:
    """Return the loop factory for `asyncio.Runner`."""
    return lambda: EngineLoop(pace)


class IdSource(Protocol):
    """The one throw that ids need; a `Random` stream has it."""

    def getrandbits(self, k: int, /) -> int: ...


class Chance(Protocol):
    """Where every random number comes from. Streams of different names do not disturb each other."""

    def stream(self, name: str) -> random.Random: ...


class SystemChance:
    """Entropy of the machine: for anything that touches real money."""

    def stream(self, name: str) -> random.Random:  # noqa: ARG002 - one source serves all names
        return secrets.SystemRandom()


class SeededChance:
    """The same seed gives the same numbers, stream by stream."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def stream(self, name: str) -> random.Random:
        return random.Random(f"{self.seed}/{name}")


def hex_id(source: IdSource, digits: int) -> str:
    """Return `digits` random lowercase hex digits."""
    return f"{source.getrandbits(digits * 4):0{digits}x}"
