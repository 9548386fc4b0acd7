"""Shared reads: many lookups at one venue ask for its lists once, and none believes a read that began before it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import count

import pytest

from engine.clock import LoopClock
from engine.core.errors import ExchangeError
from engine.workers.inquiries import SharedRead
from tests.support.world import BEGIN, live

EARLY, LATE = BEGIN - timedelta(minutes=10), BEGIN - timedelta(minutes=1)


class Venue:
    """Answers a question with the number of the read, when the test lets it."""

    def __init__(self) -> None:
        self.tickets = count(1)
        self.asked: list[datetime] = []
        self.gates: list[asyncio.Future[None]] = []
        self.running = 0
        self.running_most = 0
        self.reads = SharedRead(self._read, self.tickets)

    async def _read(self, since: datetime) -> int:
        self.asked.append(since)
        number = len(self.asked)
        gate = asyncio.get_running_loop().create_future()
        self.gates.append(gate)
        self.running += 1
        self.running_most = max(self.running, self.running_most)
        try:
            await gate
        finally:
            self.running -= 1
        return number

    def lookup(self, since: datetime = LATE) -> asyncio.Task[int]:
        """Begin a lookup that asks at once."""
        return asyncio.create_task(self.reads.ask(next(self.tickets), since))

    async def answer(self) -> None:
        """Let the read that runs come back."""
        self.gates[-1].set_result(None)
        await settled()


async def settled() -> None:
    await LoopClock().sleep(0.01)


def test_a_lookup_never_uses_a_read_that_began_before_it() -> None:
    async def story() -> None:
        venue = Venue()
        first = venue.lookup()
        await settled()
        second = venue.lookup()
        await settled()
        await venue.answer()
        assert await first == 1
        assert not second.done(), "the read that it saw running proves nothing to it"
        await venue.answer()
        assert await second == 2

    live(story())


def test_lookups_that_wait_merge_into_one_read_with_the_earliest_beginning() -> None:
    async def story() -> None:
        venue = Venue()
        first = venue.lookup()
        await settled()
        others = [venue.lookup(LATE), venue.lookup(EARLY), *(venue.lookup() for _ in range(60))]
        await settled()
        assert len(venue.asked) == 1
        await venue.answer()
        await venue.answer()
        assert await first == 1
        assert await asyncio.gather(*others) == [2] * 62
        assert venue.asked == [LATE, EARLY]
        assert venue.running_most == 1

    live(story())


def test_a_lookup_uses_a_read_that_began_after_it_whether_it_runs_or_is_over() -> None:
    async def story() -> None:
        venue = Venue()
        begun = [next(venue.tickets) for _ in range(2)]  # two lookups that ask their other questions first
        first = venue.lookup()
        await settled()
        running = asyncio.create_task(venue.reads.ask(begun[0], LATE))
        await settled()
        await venue.answer()
        assert (await first, await running) == (1, 1)
        assert await venue.reads.ask(begun[1], LATE) == 1
        assert len(venue.asked) == 1

    live(story())


def test_an_answer_that_does_not_reach_back_far_enough_is_not_used() -> None:
    async def story() -> None:
        venue = Venue()
        begun = next(venue.tickets)
        first = venue.lookup(LATE)
        await settled()
        farther = asyncio.create_task(venue.reads.ask(begun, EARLY))
        await settled()
        await venue.answer()
        await venue.answer()
        assert (await first, await farther) == (1, 2)

    live(story())


def test_a_failure_is_told_to_all_who_wait_for_it_and_never_handed_on() -> None:
    async def story() -> None:
        calls = 0

        async def read(since: datetime) -> int:
            nonlocal calls
            calls += 1
            if calls == 1:
                raise ExchangeError("venue", "reset")
            return calls

        tickets = count(1)
        reads = SharedRead(read, tickets)
        begun = [next(tickets) for _ in range(3)]
        results = await asyncio.gather(*(reads.ask(b, LATE) for b in begun[:2]), return_exceptions=True)
        assert all(isinstance(r, ExchangeError) for r in results)
        assert await reads.ask(begun[2], LATE) == 2

    live(story())


def test_one_who_gives_up_leaves_the_read_to_the_others_and_the_last_one_ends_it() -> None:
    async def story() -> None:
        venue = Venue()
        alone = venue.lookup()
        await settled()
        waiting = [venue.lookup(), venue.lookup()]
        await settled()
        waiting[0].cancel()
        alone.cancel()
        await settled()
        assert venue.running == 1, "the one that waited has its turn"
        await venue.answer()
        assert await waiting[1] == 2
        last = venue.lookup()
        await settled()
        last.cancel()
        with pytest.raises(asyncio.CancelledError):
            await last
        await settled()
        assert venue.running == 0

    live(story())
