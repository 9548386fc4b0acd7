"""The guard: tries of reads, and whose call goes next."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from engine.core.account import CallBudget
from engine.core.breaker import BreakerSettings
from engine.core.errors import ExchangeError, RefusalKind, Refused, Unsent
from engine.exchanges.guarded import GuardSettings
from engine.exchanges.turns import Turns
from tests.support.exchange import ANY_DAY, BEGAN, Bench, a_lookup, an_order, on_a_bench


def test_a_budget_tells_what_is_left_who_waits_and_how_long_the_venue_wants_quiet() -> None:
    async def story(bench: Bench) -> None:
        turns = Turns(2.0, bench.clock, burst=3.0)
        assert turns.budget == CallBudget(2.0, 3.0, 3.0)
        for _ in range(3):
            await turns.for_read()
        assert turns.budget == CallBudget(2.0, 3.0, 0.0)
        order = asyncio.ensure_future(turns.for_order())
        await bench.clock.sleep(0.1)
        assert turns.budget == CallBudget(2.0, 3.0, 0.2, waiting=1)
        await order
        await bench.clock.sleep(1.0)
        turns.keep_quiet(30.0)
        assert turns.budget == CallBudget(2.0, 3.0, 2.0, quiet_s=30.0)
        assert Turns(None, bench.clock).budget is None

    on_a_bench(story)


def test_a_read_is_tried_four_times_and_then_given_up() -> None:
    async def story(bench: Bench) -> None:
        bench.inner.will_raise(*[ExchangeError("venue", "reset") for _ in range(3)])
        assert await bench.guard.find(a_lookup(an_order(send_by=ANY_DAY))) is None
        assert bench.inner.reads == 4
        bench.inner.will_raise(*[ExchangeError("venue", "reset") for _ in range(4)])
        with pytest.raises(ExchangeError):
            await bench.guard.balances()
        assert bench.inner.reads == 8

    on_a_bench(story, GuardSettings(breaker=BreakerSettings(calls_min=20)))


def test_a_read_that_hangs_is_given_up_after_five_seconds() -> None:
    async def story(bench: Bench) -> None:
        bench.inner.will_take(100.0)
        began = bench.clock.elapsed()
        await bench.guard.open_orders()
        assert 5.0 <= bench.clock.elapsed() - began <= 5.25
        assert bench.inner.reads == 2

    on_a_bench(story)


def test_the_venues_time_is_asked_for_once() -> None:
    async def story(bench: Bench) -> None:
        bench.inner.will_raise(ExchangeError("venue", "reset"))
        with pytest.raises(ExchangeError):
            await bench.guard.venue_time()
        assert bench.inner.reads == 1

    on_a_bench(story)


def test_a_venue_that_asks_for_long_quiet_is_left_alone_by_orders_and_reads() -> None:
    async def story(bench: Bench) -> None:
        bench.inner.will_raise(Refused("venue", "banned", RefusalKind.RATE, retry_after_s=120.0))
        with pytest.raises(Refused):
            await bench.guard.place(an_order(send_by=ANY_DAY))
        await bench.clock.sleep(119.0)
        with pytest.raises(Unsent):
            await bench.guard.place(an_order(send_by=ANY_DAY))
        with pytest.raises(ExchangeError):
            await bench.guard.venue_time()
        assert (len(bench.inner.placed), bench.inner.reads) == (1, 0)
        await bench.clock.sleep(1.0)
        await bench.guard.venue_time()
        await bench.guard.place(an_order(send_by=ANY_DAY))

    on_a_bench(story)


def test_a_short_wish_for_quiet_is_waited_for() -> None:
    async def story(bench: Bench) -> None:
        bench.inner.will_raise(Refused("venue", "slower", RefusalKind.RATE, retry_after_s=2.0))
        with pytest.raises(Refused):
            await bench.guard.place(an_order(send_by=ANY_DAY))
        await bench.guard.place(an_order(send_by=ANY_DAY))
        assert bench.clock.elapsed() == pytest.approx(2.0)
        assert bench.changes == []

    on_a_bench(story)


def test_an_order_whose_turn_comes_too_late_is_not_sent() -> None:
    async def story(bench: Bench) -> None:
        await bench.guard.place(an_order(send_by=ANY_DAY))
        with pytest.raises(Unsent):
            await bench.guard.place(an_order(send_by=BEGAN + timedelta(seconds=5)))
        assert bench.clock.elapsed() == pytest.approx(8.0)
        assert len(bench.inner.placed) == 1

    on_a_bench(story, GuardSettings(calls_per_s=0.1))


def test_orders_go_before_reads_that_came_earlier() -> None:
    async def story(bench: Bench) -> None:
        order: list[str] = []

        async def read() -> None:
            await bench.guard.venue_time()
            order.append("read")

        async def place() -> None:
            await bench.guard.place(an_order(send_by=ANY_DAY))
            order.append("order")

        await asyncio.gather(*(read() for _ in range(3)), *(place() for _ in range(4)))
        assert order == ["read", "order", "order", "order", "order", "read", "read"]
        assert bench.clock.elapsed() == pytest.approx(6.0)

    on_a_bench(story, GuardSettings(calls_per_s=1.0, order_s=30.0, read_s=30.0))


def test_retries_of_reads_come_out_of_a_budget() -> None:
    async def story(bench: Bench) -> None:
        bench.inner.will_raise(*[ExchangeError("venue", "reset") for _ in range(1000)])
        for _ in range(100):
            with pytest.raises(ExchangeError):
                await bench.guard.balances()
        assert bench.inner.reads == 110

    on_a_bench(story, GuardSettings(breaker=BreakerSettings(window_calls=1000, calls_min=1000)))


def test_latency_is_told_by_share_over_a_bounded_window() -> None:
    async def story(bench: Bench) -> None:
        assert bench.guard.latency(0.5) is None
        for seconds in (4.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
            bench.inner.will_take(seconds)
            await bench.guard.place(an_order(send_by=ANY_DAY))
        assert bench.guard.latency(0.5) == pytest.approx(0.4)
        assert bench.guard.latency(1.0) == pytest.approx(0.8)  # the window of 8 has let the slow one go

    on_a_bench(story, GuardSettings(latencies=8))
