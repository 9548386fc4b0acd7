"""The Opening: every trader's venue is opened beside the others, and nobody waits long for one that is silent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from engine.clock import Clock
from engine.core.errors import ExchangeError, Refused
from engine.workers.trader import TraderActor

WAIT_S: Final = 5.0
AGAIN_S: Final = (
    0.25,
    0.5,
    1.0,
    2.0,
)  # pauses between tries: a request lost at the start must not cost a health check's wait


class Opening:
    """Asks a venue that fails some times more, but for one that refuses. `tell` gets a sentence for each trader that could
    not be opened; the health checker asks it again then.
    """

    def __init__(self, desks: Mapping[str, TraderActor], clock: Clock, tell: Callable[[str], Awaitable[None]]) -> None:
        self._desks, self._clock, self._tell = desks, clock, tell
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Return when all are open or have failed, and after five seconds at the latest; the rest go on.

        Raises ConfigError where one can never be opened as it is configured.
        """
        tasks = [asyncio.create_task(self._open(desk), name=f"{name} opens") for name, desk in self._desks.items()]
        self._under_way.update(tasks)
        try:
            async with self._clock.timeout(WAIT_S):
                await asyncio.gather(*(asyncio.shield(task) for task in tasks))
        except TimeoutError:
            late = ", ".join(
                desk.name for desk, task in zip(self._desks.values(), tasks, strict=True) if not task.done()
            )
            await self._tell(f"{late} is not open yet; everything else begins")

    async def stop(self) -> None:
        """Let go of what is still being opened. Safe to call twice."""
        tasks, self._under_way = self._under_way, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _open(self, desk: TraderActor) -> None:
        for pause_s in (*AGAIN_S, None):
            try:
                await desk.open()
                return
            except ExchangeError as failure:
                if pause_s is None or isinstance(failure, Refused):
                    await self._tell(f"{desk.name} could not be opened: {failure}")
                    return
            await self._clock.sleep(pause_s)
