"""Laws of the turns, whoever comes when and however long they care to wait."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import LoopClock
from engine.core.errors import Unsent
from engine.exchanges.guarded import GuardSettings
from engine.exchanges.turns import Turns
from tests.support.exchange import ANY_DAY, Bench, a_lookup, an_order, on_a_bench, on_virtual_time

KINDS: Final = ("way out", "entry", "read")  # in the order in which they go
STEPS: Final = st.integers(0, 24).map(lambda n: n / 8)  # seconds; coarse, so that much happens at the same moment
CALLS: Final = st.lists(st.tuples(STEPS, st.sampled_from(KINDS), st.none() | STEPS), min_size=1, max_size=24)
QUIET: Final = st.lists(st.tuples(STEPS, STEPS), max_size=2)


@dataclass
class Counter:
    """Everybody who stands at one account's turns. A ticket is the kind's rank and the number in which it came."""

    turns: Turns
    clock: LoopClock
    waiting: list[tuple[int, int]] = field(default_factory=list)
    served: list[float] = field(default_factory=list)
    came: int = 0
    gave_up: int = 0

    async def call(self, after_s: float, kind: str, patience_s: float | None) -> None:
        await self.clock.sleep(after_s)
        self.came += 1
        ticket = (KINDS.index(kind), self.came)
        self.waiting.append(ticket)
        try:
            async with self.clock.timeout(patience_s):
                await (self.turns.for_read() if kind == "read" else self.turns.for_order(is_way_out=kind == "way out"))
        except TimeoutError:
            self.gave_up += 1
        else:
            assert ticket == min(self.waiting), "whoever goes is the first of the most urgent"
            self.served.append(self.clock.elapsed())
        finally:
            self.waiting.remove(ticket)


@given(CALLS, QUIET, st.sampled_from([0.5, 1.0, 3.0, 20.0, None]), st.sampled_from([1.0, 2.0, 5.0]))
@settings(max_examples=300, deadline=None)
def test_the_most_urgent_goes_first_then_who_came_first_and_nobody_is_forgotten(
    calls: list[tuple[float, str, float | None]],
    quiet: list[tuple[float, float]],
    rate: float | None,
    burst: float,
) -> None:
    async def story() -> None:
        clock = LoopClock()
        turns = Turns(rate, clock, burst=burst)
        counter, began = Counter(turns, clock), clock.elapsed()
        silences: list[tuple[float, float]] = []

        async def hush(after_s: float, for_s: float) -> None:
            await clock.sleep(after_s)
            turns.keep_quiet(for_s)
            silences.append((clock.elapsed(), clock.elapsed() + for_s))

        async with clock.timeout(1_000.0):  # whoever is forgotten fails the test instead of hanging it
            await asyncio.gather(*(hush(*each) for each in quiet), *(counter.call(*call) for call in calls))
        assert len(counter.served) + counter.gave_up == len(calls)
        assert all(not begin < at < end - 1e-9 for at in counter.served for begin, end in silences)
        assert turns.budget is None or turns.budget.waiting == 0
        begins = max([began + call[0] for call in calls] + [end for _, end in silences])
        assert max(counter.served, default=0.0) <= begins + len(calls) / (rate or 1e9) + 1e-6, "no turn is wasted"
        for n, first in enumerate(counter.served):
            for m, last in enumerate(counter.served[n:], 1):
                assert rate is None or m <= burst + rate * (last - first) + 1e-6, "the venue's bound is kept"

    on_virtual_time(story())


def test_an_exit_and_a_cancel_go_before_entries_that_came_earlier() -> None:
    async def story(bench: Bench) -> None:
        order: list[str] = []

        async def place(name: str, *, reduces: bool = False) -> None:
            await bench.guard.place(an_order(send_by=ANY_DAY, reduces=reduces))
            order.append(name)

        async def cancel() -> None:
            await bench.guard.cancel(a_lookup(an_order()))
            order.append("cancel")

        await asyncio.gather(*(place(f"entry {n}") for n in range(4)), place("exit", reduces=True), cancel())
        assert order == ["entry 0", "exit", "cancel", "entry 1", "entry 2", "entry 3"]

    on_a_bench(story, GuardSettings(calls_per_s=1.0, order_s=30.0))


def test_who_is_cancelled_or_runs_out_of_time_leaves_the_queue_and_takes_nobodys_turn() -> None:
    async def story(bench: Bench) -> None:
        await bench.guard.place(an_order(send_by=ANY_DAY))
        ends: list[asyncio.Task[object]] = []
        for _ in range(3):
            ends.append(asyncio.create_task(bench.guard.place(an_order(send_by=ANY_DAY))))
            await bench.clock.sleep(1.0)
        ends[0].cancel()
        await bench.clock.sleep(4.5)  # now the second one's 6 s are over, and the third one's are not
        with pytest.raises(Unsent):
            await ends[1]
        await ends[2]
        assert bench.clock.elapsed() == pytest.approx(7.5)
        assert len(bench.inner.placed) == 2

    on_a_bench(story, GuardSettings(calls_per_s=1 / 7.5, order_s=6.0))
