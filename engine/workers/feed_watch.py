"""The feed watch: writes down each turn of the exchanges that prices come from."""

from __future__ import annotations

from typing import Final

from engine.clock import Clock
from engine.core.feeds import FeedState, turned
from engine.store.base import Store
from engine.workers.feed import Feed

LOOK_EVERY_S: Final = 1.0


class FeedWatch:
    """Compares how each exchange stands with how it stood. An exchange begins as CONNECTING, which is no turn."""

    def __init__(self, store: Store, feed: Feed, clock: Clock) -> None:
        self._store, self._feed, self._clock = store, feed, clock
        self._states: dict[str, FeedState] = {}

    async def run(self) -> None:
        """Look for ever; where the source asks no exchange there is nothing to look at."""
        while self._feed.facts().venues:
            await self.step()
            await self._clock.sleep(LOOK_EVERY_S)

    async def step(self) -> None:
        """Look once, and journal what turned."""
        now = self._clock.wall()
        turns = [
            (self._states.get(venue.name, FeedState.CONNECTING), venue)
            for venue in self._feed.facts().venues
            if venue.state is not self._states.get(venue.name, FeedState.CONNECTING)
        ]
        if turns:
            await self._store.note([turned(before, venue, now) for before, venue in turns])
            self._states |= {venue.name: venue.state for _, venue in turns}
