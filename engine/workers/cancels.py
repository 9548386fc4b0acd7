"""Cancels under way: asked of the venues beside everything else, so that one that hangs holds up nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from engine.clock import Clock
from engine.core.order import Attempt
from engine.log import logger

ANSWER_S_MAX: Final = 2.0  # then an operator's cancel says that the venue has not answered yet

_log = logger("cancels")


class Cancels:
    """Asks venues to close open orders. That an order is to be closed was kept before: a missing answer loses nothing."""

    def __init__(self, ask: Callable[[Attempt], Coroutine[Any, Any, str]], clock: Clock) -> None:
        self._ask, self._clock = ask, clock
        self._tasks: set[asyncio.Task[str]] = set()

    def begin(self, attempt: Attempt) -> asyncio.Task[str]:
        """Ask for the order to be closed, and wait for no answer."""
        task = asyncio.create_task(self._ask(attempt), name=f"cancel {attempt.client_order_id}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def answer(self, attempt: Attempt) -> str:
        """Ask for the order to be closed, and return what came of it within ANSWER_S_MAX. Raises CommandRefused."""
        task = self.begin(attempt)
        try:
            async with self._clock.timeout(ANSWER_S_MAX):
                return await asyncio.shield(task)
        except TimeoutError:
            return f"the venue has not answered the cancel of {attempt.venue_order_id} yet; it is asked until it does"

    async def close(self) -> None:
        """Let go of what no venue has answered: the next start asks again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[str]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            _log.warning("a cancel did not go through; it is asked again", order=task.get_name(), error=repr(failure))
