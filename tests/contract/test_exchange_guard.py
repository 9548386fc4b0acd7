"""The guard: one deadline, one sending, breakers, and what is proven."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from engine.core.breaker import BreakerSettings, Guards
from engine.core.errors import Doubtful, ExchangeError, RefusalKind, Refused, StoreBroken, Unsent, Withheld
from engine.core.events import BreakerState
from engine.core.text import clean
from engine.exchanges.guarded import GuardSettings
from engine.exchanges.paper import Outage, PaperSettings, WeatherSettings
from tests.support.exchange import ANY_DAY, BEGAN, Bench, a_lookup, a_stand, an_order, on_a_bench, on_virtual_time


def test_an_order_without_an_answer_is_doubtful_after_its_deadline_and_was_sent_once() -> None:
    async def story(bench: Bench) -> None:
        bench.inner.will_take(60.0)
        with pytest.raises(Doubtful):
            await bench.guard.place(an_order(send_by=ANY_DAY))
        assert bench.clock.elapsed() == pytest.approx(8.0)
        assert len(bench.inner.placed) == 1

    on_a_bench(story)


@pytest.mark.parametrize(
    "error",
    [
        Doubtful("venue", "gateway timeout"),
        ExchangeError("venue", "something"),
        KeyError("orderId"),
        TimeoutError(),
        asyncio.CancelledError(),
        StoreBroken("the ledger is gone"),
    ],
)
def test_whatever_proves_nothing_is_doubtful_and_never_sent_again(error: BaseException) -> None:
    async def story(bench: Bench) -> None:
        bench.inner.will_raise(error)
        with pytest.raises(Doubtful):
            await bench.guard.place(an_order(send_by=ANY_DAY))
        await bench.clock.sleep(60.0)
        assert len(bench.inner.placed) == 1

    on_a_bench(story)


@pytest.mark.parametrize("error", [Refused("venue", "no", RefusalKind.FUNDS), Unsent("venue", "connection refused")])
def test_what_is_proven_stays_proven(error: ExchangeError) -> None:
    async def story(bench: Bench) -> None:
        bench.inner.will_raise(error)
        with pytest.raises(type(error)):
            await bench.guard.place(an_order(send_by=ANY_DAY))
        assert len(bench.inner.placed) == 1

    on_a_bench(story)


def test_an_order_that_somebody_holds_back_while_it_waits_for_its_turn_is_never_sent() -> None:
    async def story(bench: Bench) -> None:
        said = ""
        bench.guard.heed(lambda: said)
        await bench.guard.place(an_order(send_by=ANY_DAY))
        waiting = [asyncio.create_task(bench.guard.place(an_order(send_by=ANY_DAY, reduces=r))) for r in (True, False)]
        await bench.clock.sleep(0.5)
        said = "halted"
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert [str(end) for end in ends] == ["venue: halted before it could be sent"] * 2
        assert all(isinstance(end, Withheld) for end in ends)
        assert len(bench.inner.placed) == 1

    on_a_bench(story, GuardSettings(calls_per_s=1.0))


def test_a_clock_that_has_to_be_read_first_is_waited_for_before_anybody_is_asked() -> None:
    async def story(bench: Bench) -> None:
        said = ""
        bench.guard.heed(lambda: said)
        await bench.guard.venue_time()
        bench.clock.begin(BEGAN + timedelta(seconds=100))
        bench.inner.will_take(1.0)
        sending = asyncio.create_task(bench.guard.place(an_order(send_by=ANY_DAY)))
        await bench.clock.sleep(0.5)
        said = "paused"
        with pytest.raises(Withheld):
            await sending
        assert bench.inner.placed == []

    on_a_bench(story)


def test_cancels_and_lookups_pass_whoever_holds_orders_back() -> None:
    async def story(bench: Bench) -> None:
        bench.guard.heed(lambda: "halted")
        await bench.guard.cancel(a_lookup(an_order()))
        assert await bench.guard.find(a_lookup(an_order())) is None

    on_a_bench(story)


def test_an_order_held_back_on_this_side_says_nothing_of_the_venue() -> None:
    async def story(bench: Bench) -> None:
        bench.inner.will_raise(*[Withheld("venue", "halted") for _ in range(50)])
        for _ in range(50):
            with pytest.raises(Withheld):
                await bench.guard.place(an_order(send_by=ANY_DAY))
        assert bench.guard.breaker(Guards.ORDERS).calls == ()
        assert bench.guard.latency(0.5) is None

    on_a_bench(story)


def test_a_cancelled_caller_is_cancelled() -> None:
    async def story(bench: Bench) -> None:
        bench.inner.will_take(60.0)
        sending = asyncio.create_task(bench.guard.place(an_order(send_by=ANY_DAY)))
        await bench.clock.sleep(1.0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert bench.guard.breaker(Guards.ORDERS).calls == ()  # giving up early says nothing of the venue

    on_a_bench(story)


def test_the_text_of_a_defect_is_cleaned_and_tells_no_query() -> None:
    async def story(bench: Bench) -> None:
        bench.inner.will_raise(RuntimeError("GET https://x/api?signature=deadbeef\x1b[2J failed\n" + "z" * 9_000))
        with pytest.raises(Doubtful) as doubtful:
            await bench.guard.place(an_order(send_by=ANY_DAY))
        assert doubtful.value.error == clean(doubtful.value.error)
        assert "deadbeef" not in doubtful.value.error
        assert len(doubtful.value.error) <= 200

    on_a_bench(story)


def test_an_order_past_its_deadline_is_not_handed_over() -> None:
    async def story(bench: Bench) -> None:
        with pytest.raises(Unsent):
            await bench.guard.place(an_order(send_by=BEGAN - timedelta(seconds=1)))
        assert bench.inner.placed == []
        assert bench.guard.breaker(Guards.ORDERS).calls == ()

    on_a_bench(story)


def test_the_deadline_is_held_against_the_venues_clock() -> None:
    async def story() -> None:
        async with a_stand(weather=WeatherSettings(clock_offset_s=3.0)) as stand:
            guard = stand.guarded()
            await guard.venue_time()
            assert guard.venue_now() == BEGAN + timedelta(seconds=3)
            with pytest.raises(Unsent):
                await guard.place(an_order(send_by=BEGAN + timedelta(seconds=2)))

    on_virtual_time(story())


def test_after_a_jump_of_our_clock_the_venues_time_is_asked_for_before_anything_is_sent() -> None:
    async def story(bench: Bench) -> None:
        await bench.guard.venue_time()
        bench.clock.begin(BEGAN - timedelta(hours=1))
        bench.inner.will(bench.clock_of_the_venue)  # type: ignore[attr-defined] # set below
        with pytest.raises(Unsent):
            await bench.guard.place(an_order(send_by=BEGAN + timedelta(seconds=5)))
        assert bench.inner.placed == []

    class Stubborn(Bench):
        async def clock_of_the_venue(self) -> None:
            raise ExchangeError("venue", "no time to be had")

    async def whole() -> None:
        await story(Stubborn())

    on_virtual_time(whole())


def test_refused_credentials_are_not_tried_again_and_stop_all_orders_until_an_operator_resumes() -> None:
    async def story(bench: Bench) -> None:
        bench.inner.will_raise(Refused("venue", "invalid key", RefusalKind.AUTH))
        with pytest.raises(Refused):
            await bench.guard.balances()
        assert bench.inner.reads == 1
        assert bench.guard.breaker_state is BreakerState.FORCED_OPEN
        await bench.clock.sleep(100_000.0)
        await bench.guard.venue_time()
        with pytest.raises(Unsent):
            await bench.guard.place(an_order(send_by=ANY_DAY))
        bench.guard.reset()
        await bench.guard.place(an_order(send_by=ANY_DAY))
        assert [c.after for c in bench.changes] == [BreakerState.FORCED_OPEN, BreakerState.CLOSED]

    on_a_bench(story)


def test_an_open_breaker_sends_nothing_and_lets_one_order_out_after_a_good_read() -> None:
    async def story(bench: Bench) -> None:
        await bench.fail_orders(5)
        assert bench.guard.breaker_state is BreakerState.OPEN
        assert bench.guard.open_until == BEGAN + timedelta(seconds=34)
        for _ in range(20):
            with pytest.raises(Unsent):
                await bench.guard.place(an_order(send_by=ANY_DAY))
        assert len(bench.inner.placed) == 5
        await bench.clock.sleep(60.0)
        assert not bench.guard.accepts_orders
        await bench.guard.venue_time()
        assert bench.guard.is_half_open
        bench.inner.will_take(1.0)
        answers = await asyncio.gather(
            *(bench.guard.place(an_order(send_by=ANY_DAY)) for _ in range(100)), return_exceptions=True
        )
        assert sum(isinstance(answer, Unsent) for answer in answers) == 99
        assert len(bench.inner.placed) == 6
        assert [c.after for c in bench.changes] == [BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED]

    on_a_bench(story)


def test_an_order_from_before_the_opening_is_not_taken_for_the_probe() -> None:
    async def story(bench: Bench) -> None:
        bench.inner.will_take(20.0)
        early = asyncio.create_task(bench.guard.place(an_order(send_by=ANY_DAY)))
        await bench.clock.sleep(0.0)
        await bench.fail_orders(5)
        await bench.clock.sleep(5.0)
        await bench.guard.venue_time()
        bench.inner.will_take(50.0)
        probe = asyncio.create_task(bench.guard.place(an_order(send_by=ANY_DAY)))
        await early
        assert bench.guard.is_half_open
        with pytest.raises(Unsent):
            await bench.guard.place(an_order(send_by=ANY_DAY))
        await probe
        assert bench.guard.accepts_orders

    on_a_bench(story, GuardSettings(order_s=100.0, breaker=BreakerSettings(open_s=5.0)))


def test_a_cancel_passes_an_open_breaker() -> None:
    async def story(bench: Bench) -> None:
        await bench.fail_orders(5)
        await bench.guard.cancel(a_lookup(an_order(send_by=ANY_DAY)))

    on_a_bench(story)


def test_a_cancel_without_an_answer_is_doubtful() -> None:
    async def story(bench: Bench) -> None:
        bench.inner.will_take(100.0)
        with pytest.raises(Doubtful):
            await bench.guard.cancel(a_lookup(an_order(send_by=ANY_DAY)))

    on_a_bench(story)


def test_reads_that_fail_do_not_hold_back_orders() -> None:
    async def story(bench: Bench) -> None:
        for _ in range(5):
            bench.inner.will_raise(ExchangeError("venue", "reset"))
            with pytest.raises(ExchangeError):
                await bench.guard.venue_time()
        with pytest.raises(ExchangeError, match="breaker"):
            await bench.guard.venue_time()
        assert bench.inner.reads == 5
        await bench.guard.place(an_order(send_by=ANY_DAY))

    on_a_bench(story)


def test_reads_given_up_by_their_caller_after_five_seconds_count_as_silence() -> None:
    async def story(bench: Bench) -> None:
        bench.inner.will_take(100.0, times=5)
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with bench.clock.timeout(5.0):
                    await bench.guard.venue_time()
        assert bench.guard.breaker(Guards.READS).state is BreakerState.OPEN

    on_a_bench(story, GuardSettings(read_s=9.0))


def test_business_refusals_open_no_breaker() -> None:
    async def story(bench: Bench) -> None:
        bench.inner.will_raise(*[Refused("venue", "no", RefusalKind.FUNDS) for _ in range(30)])
        for _ in range(30):
            with pytest.raises(Refused):
                await bench.guard.place(an_order(send_by=ANY_DAY))
        assert bench.changes == []

    on_a_bench(story)


def test_a_stormy_venue_gets_each_order_at_most_once() -> None:
    async def story() -> None:
        weather = WeatherSettings(
            latency_s=0.5,
            lost_before_rate=0.2,
            lost_after_rate=0.2,
            late_rate=0.1,
            refusal_rate=0.1,
            rate_limit=5,
            outages=(Outage(after_s=20.0, for_s=10.0, every_s=60.0), Outage(after_s=45.0, for_s=9.0, hangs=True)),
        )
        async with a_stand(PaperSettings(start_quote=Decimal(1_000_000)), weather, seed=11) as stand:
            guard = stand.guarded(GuardSettings(breaker=BreakerSettings(open_s=3.0, failed_ratio=0.8)))
            proven_absent: list[str] = []

            async def send(number: int) -> None:
                await stand.clock.sleep(number * 0.7)
                request = an_order(send_by=stand.clock.wall() + timedelta(seconds=5))
                try:
                    await guard.place(request)
                except (Refused, Unsent):
                    proven_absent.append(request.client_order_id)
                except Doubtful:
                    pass

            async def ask_on() -> None:
                while True:
                    await stand.clock.sleep(5.0)
                    try:
                        await guard.venue_time()
                    except ExchangeError:
                        continue

            asking = asyncio.create_task(ask_on())
            await asyncio.gather(*(send(number) for number in range(300)))
            await stand.clock.sleep(30.0)
            asking.cancel()
            by_id = await stand.ledger.orders_by_client_id()
            assert len(by_id) > 50
            assert len(proven_absent) > 20
            assert all(len(orders) == 1 for orders in by_id.values())
            assert not set(proven_absent) & set(by_id)
            assert all(o.accepted_at <= o.send_by for orders in by_id.values() for o in orders)
            assert all(Decimal(0) <= o.filled <= o.quantity for orders in by_id.values() for o in orders)

    on_virtual_time(story())
