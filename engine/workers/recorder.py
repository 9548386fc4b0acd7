"""The Recorder: takes closed candles from the feed at once, and has them written with what else may be lost.

No order waits for a candle: taking one costs an append, and whatever the store does, no more than `queue_max` wait. Who
looks at a chart is told how many were lost that way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from engine.core.errors import StoreError
from engine.core.values import Candle
from engine.log import logger
from engine.store.base import Store

QUEUE_MAX: Final = 20_000
ROWS_AT_ONCE: Final = 500  # in one transaction: a millisecond or two, in which a signal may have to wait

_log = logger("recorder")


class Recorder:
    """Closed candles on their way to the store. When the queue is full the oldest give way."""

    def __init__(self, store: Store, *, queue_max: int = QUEUE_MAX) -> None:
        self._store = store
        self._waiting: deque[Candle] = deque(maxlen=queue_max)
        self._queue_max = queue_max
        self.lost = 0

    def take(self, candles: Sequence[Candle]) -> None:
        """Remember closed candles until they are written. Returns at once."""
        self.lost += max(0, len(self._waiting) + len(candles) - self._queue_max)
        self._waiting.extend(candles)

    async def flush(self) -> None:
        """Write what waits, in small batches. What a store that raises has not taken waits on, and the error goes on."""
        for _ in range(-(-self._queue_max // ROWS_AT_ONCE)):  # what comes in meanwhile has its turn at the next flush
            batch = [self._waiting.popleft() for _ in range(min(ROWS_AT_ONCE, len(self._waiting)))]
            if not batch:
                return
            try:
                await self._keep(batch)
            except BaseException:
                self._put_back(batch)
                raise

    async def _keep(self, batch: Sequence[Candle]) -> None:
        """Write a batch; a candle that the store can never take is counted as lost, and holds up no other."""
        try:
            await self._store.keep_candles(batch)
        except Exception as error:
            if isinstance(error, StoreError) and type(error) is not StoreError:
                raise  # the store's state, not what it was given
            if len(batch) == 1:
                self.lost += 1
                _log.warning("a candle is not kept", symbol=batch[0].symbol, error=repr(error))
                return
            middle = len(batch) // 2
            await self._keep(batch[:middle])
            await self._keep(batch[middle:])

    def _put_back(self, batch: Sequence[Candle]) -> None:
        room = self._queue_max - len(self._waiting)
        self.lost += max(0, len(batch) - room)
        self._waiting.extendleft(reversed(batch[max(0, len(batch) - room) :]))
