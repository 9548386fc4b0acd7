"""Real prices: the trades of several exchanges at once, asked for through ccxt.

Each exchange has a client without keys and a loop of its own, so that one that is slow, dead or talking nonsense holds up no
other. What was before the first tick comes with the first ticks, feed by feed, for the same reason.

**Whose time.** A trade's time is its venue's; candles are cut by our clock. While the two are less than `clock_off_s` apart a
trade keeps its time, and one that is still ahead of our clock waits for it. Past that the feed is CLOCK_OFF: every time is
shifted by the measured offset, so no candle is built in the future, none is late, and no price looks old that is not. Prices
go on, because a clock that is off makes no trade untrue; it is told as a fault all the same, for a venue so far off refuses orders.

**Candles wait for their trades.** A candle of a symbol closes once its venue has shown what it traded until the candle's end.
Where the venue is gone it stays open, and closes with the trades that are read when the venue is back; if those cannot be
had any more, the symbol's history starts anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from engine.clock import Chance, Clock
from engine.core.errors import ConfigError
from engine.core.feeds import FeedStanding
from engine.core.values import Candle
from engine.market.base import Tick
from engine.market.settings import CandleSettings, FeedSettings
from engine.market.venue_desk import VenueDesk
from engine.market.venue_outbox import Outbox
from engine.market.venue_poller import VenuePoller
from engine.venues.client import is_venue

__all__ = ["CcxtSource", "FeedSettings"]


class CcxtSource:
    """See the module. A symbol belongs to one feed only; the settings see to that."""

    name = "ccxt"

    def __init__(self, feeds: Sequence[FeedSettings], candles: CandleSettings, clock: Clock, chance: Chance) -> None:
        self._feeds, self._clock, self._outbox = tuple(feeds), clock, Outbox()
        self._desks = [VenueDesk(feed, clock) for feed in feeds]
        self._pollers = [
            VenuePoller(desk, self._outbox, candles, chance.stream(f"feed/{desk.settings.exchange}"))
            for desk in self._desks
        ]
        self._tasks: dict[VenuePoller, asyncio.Task[None]] = {}

    def symbols(self) -> Sequence[str]:
        return tuple(symbol for feed in self._feeds for symbol in feed.symbols)

    def begins_at(self) -> datetime | None:
        return None

    def standings(self) -> Sequence[FeedStanding]:
        return tuple(poller.standing() for poller in self._pollers)

    async def open(self) -> None:
        """Begin to connect; waits for nobody. Raises ConfigError for an exchange that ccxt does not know."""
        for feed in self._feeds:
            if not is_venue(feed.exchange):
                raise ConfigError(
                    f"market: ccxt knows no exchange {feed.exchange!r}; write it as ccxt does, such as kraken"
                )
        self._start()

    async def history(self, count: int) -> Sequence[Candle]:  # noqa: ARG002 - it comes with the first ticks
        return ()

    async def ticks(self) -> AsyncIterator[Tick]:
        """Yield whenever an exchange has answered, with or without trades; nothing while none does."""
        self._start()
        while True:
            await self._word()
            yield self._outbox.take(self._now_ms())

    async def close(self) -> None:
        """End the loops and let go of the connections. Safe to call twice and before `open`."""
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(desk.client.close() for desk in self._desks))

    def _start(self) -> None:
        for poller in self._pollers:
            if poller not in self._tasks:
                task = asyncio.create_task(poller.run(), name=f"feed {poller.settings.exchange}")
                task.add_done_callback(lambda _: self._outbox.news.set())
                self._tasks[poller] = task

    async def _word(self) -> None:
        """Wait for an answer of anyone, or until a trade's time has come that was ahead of our clock."""
        ahead_ms = self._outbox.next_ms
        wait_s = None if ahead_ms is None else max(0.001, (ahead_ms - self._now_ms()) / 1000)
        try:
            async with self._clock.timeout(wait_s):
                await self._outbox.news.wait()
        except TimeoutError:
            pass
        for poller, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[poller]  # a defect of ours: the feed's supervisor tells it and starts all anew
                task.result()

    def _now_ms(self) -> int:
        return int(self._clock.wall().timestamp() * 1000)
