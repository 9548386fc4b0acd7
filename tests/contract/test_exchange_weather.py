"""The paper venue's weather: each kind does what it says, and nothing else."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from engine.core.errors import Doubtful, ExchangeError, RefusalKind, Refused, Unsent
from engine.core.order import OrderStatus
from engine.exchanges.paper import Outage, WeatherSettings
from tests.support.exchange import BEGAN, WHOLE, Stand, a_lookup, a_stand, an_order, on_virtual_time


async def is_known(stand: Stand, client_order_id: str) -> bool:
    return client_order_id in await stand.ledger.orders_by_client_id()


def test_a_clear_sky_takes_no_time() -> None:
    async def story() -> None:
        async with a_stand() as stand:
            await stand.exchange.place(an_order())
            await stand.exchange.balances()
            assert stand.clock.elapsed() == 0.0

    on_virtual_time(story())


def test_latency_is_about_its_median_and_never_the_same() -> None:
    async def story() -> None:
        async with a_stand(weather=WeatherSettings(latency_s=0.2)) as stand:
            took: list[float] = []
            for _ in range(200):
                began = stand.clock.elapsed()
                await stand.exchange.venue_time()
                took.append(stand.clock.elapsed() - began)
            assert 0.17 < sorted(took)[100] < 0.23
            assert len(set(took)) > 150

    on_virtual_time(story())


@pytest.mark.parametrize("kind", RefusalKind)
def test_a_refusal_leaves_no_order_and_says_why_in_words(kind: RefusalKind) -> None:
    async def story() -> None:
        async with a_stand(weather=WeatherSettings(refusal_rate=1.0, refusals=(kind,))) as stand:
            request = an_order()
            with pytest.raises(Refused) as refused:
                await stand.exchange.place(request)
            assert refused.value.kind is kind
            assert len(refused.value.error.split()) > 2
            assert not await is_known(stand, request.client_order_id)

    on_virtual_time(story())


def test_a_lost_request_is_doubtful_and_no_order() -> None:
    async def story() -> None:
        async with a_stand(weather=WeatherSettings(lost_before_rate=1.0)) as stand:
            request = an_order()
            with pytest.raises(Doubtful):
                await stand.exchange.place(request)
            assert not await is_known(stand, request.client_order_id)
            with pytest.raises(ExchangeError):
                await stand.exchange.find(a_lookup(request))  # an error is never "not found"

    on_virtual_time(story())


def test_a_lost_answer_is_doubtful_and_an_order() -> None:
    async def story() -> None:
        async with a_stand(weather=WeatherSettings(lost_after_rate=1.0)) as stand:
            request = an_order()
            with pytest.raises(Doubtful):
                await stand.exchange.place(request)
            assert await is_known(stand, request.client_order_id)

    on_virtual_time(story())


def test_losses_on_the_way_there_and_back_are_drawn_apart() -> None:
    async def story() -> None:
        async with a_stand(weather=WeatherSettings(lost_before_rate=0.5, lost_after_rate=0.5)) as stand:
            doubtful: list[str] = []
            for _ in range(100):
                request = an_order(quantity="0.0001")
                try:
                    await stand.exchange.place(request)
                except Doubtful:
                    doubtful.append(request.client_order_id)
            known = [client_order_id for client_order_id in doubtful if await is_known(stand, client_order_id)]
            assert 60 < len(doubtful) < 90
            assert 10 < len(known) < 40

    on_virtual_time(story())


@pytest.mark.parametrize(("late_s", "is_taken"), [(8.0, False), (3.0, True)])
def test_a_late_request_meets_the_fence(late_s: float, is_taken: bool) -> None:
    async def story() -> None:
        async with a_stand(weather=WeatherSettings(late_rate=1.0, late_s=late_s)) as stand:
            request = an_order(send_by=BEGAN + timedelta(seconds=5))
            with pytest.raises(Doubtful):
                await stand.exchange.place(request)
            assert not await is_known(stand, request.client_order_id)
            await stand.clock.sleep(20.0)
            assert await is_known(stand, request.client_order_id) is is_taken

    on_virtual_time(story())


def test_too_many_calls_are_told_how_long_to_wait() -> None:
    async def story() -> None:
        async with a_stand(weather=WeatherSettings(rate_limit=3)) as stand:
            for _ in range(3):
                await stand.exchange.venue_time()
            await stand.clock.sleep(0.25)
            with pytest.raises(Refused) as refused:
                await stand.exchange.place(an_order())
            assert refused.value.kind is RefusalKind.RATE
            assert refused.value.retry_after_s == pytest.approx(0.75)
            await stand.clock.sleep(0.75)
            assert (await stand.exchange.place(an_order())).status is OrderStatus.FILLED

    on_virtual_time(story())


def test_in_an_outage_nothing_is_sent_and_after_it_all_is_well() -> None:
    async def story() -> None:
        outage = Outage(after_s=10.0, for_s=5.0, every_s=60.0)
        async with a_stand(weather=WeatherSettings(outages=(outage,))) as stand:
            seen: list[bool] = []
            for _ in range(120):
                try:
                    await stand.exchange.venue_time()
                    seen.append(True)
                except Unsent:
                    seen.append(False)
                await stand.clock.sleep(1.0)
            away = [second for second, answered in enumerate(seen) if not answered]
            assert away == [*range(10, 15), *range(70, 75)]

    on_virtual_time(story())


def test_a_hung_call_lasts_until_its_caller_gives_up_and_leaves_no_order() -> None:
    async def story() -> None:
        async with a_stand(weather=WeatherSettings(outages=(Outage(for_s=1.0, hangs=True),))) as stand:
            request = an_order()
            with pytest.raises(TimeoutError):
                async with stand.clock.timeout(30.0):
                    await stand.exchange.place(request)
            assert stand.clock.elapsed() == pytest.approx(30.0)
            assert not await is_known(stand, request.client_order_id)

    on_virtual_time(story())


def test_a_request_that_has_left_arrives_although_its_caller_gave_up() -> None:
    async def story() -> None:
        async with a_stand(weather=WeatherSettings(latency_s=2.0, latency_spread=0.0)) as stand:
            request = an_order()
            sending = asyncio.create_task(stand.exchange.place(request))
            await stand.clock.sleep(0.5)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert not await is_known(stand, request.client_order_id)
            await stand.clock.sleep(1.0)
            assert await is_known(stand, request.client_order_id)

    on_virtual_time(story())


def test_a_venue_that_closes_leaves_its_callers_in_doubt_and_not_cancelled() -> None:
    async def story() -> None:
        async with a_stand(weather=WeatherSettings(latency_s=2.0)) as stand:
            sending = asyncio.create_task(stand.exchange.place(an_order()))
            await stand.clock.sleep(0.5)
            await stand.exchange.close()
            with pytest.raises(Doubtful):
                await sending

    on_virtual_time(story())


def test_a_lagging_read_does_not_show_a_fresh_order_yet() -> None:
    async def story() -> None:
        async with a_stand(weather=WeatherSettings(read_lag_s=5.0)) as stand:
            request = an_order(price=WHOLE.start_quote)  # rests
            await stand.exchange.place(request)
            assert stand.exchange.capabilities.history_lag_s == 5.0
            assert await stand.exchange.find(a_lookup(request)) is None
            assert await stand.exchange.open_orders() == []
            assert await stand.exchange.recent_orders(BEGAN) == []
            await stand.clock.sleep(5.0)
            assert await stand.exchange.find(a_lookup(request)) is not None
            assert len(await stand.exchange.recent_orders(BEGAN)) == 1

    on_virtual_time(story())


def test_a_changed_rate_leaves_every_other_draw_as_it_was() -> None:
    async def story(weather: WeatherSettings) -> list[float]:
        async with a_stand(weather=weather) as stand:
            took = []
            for _ in range(20):
                began = stand.clock.elapsed()
                try:
                    await stand.exchange.place(an_order(send_by=BEGAN + timedelta(hours=1)))
                except Refused:
                    took.append(-1.0)
                else:
                    took.append(round(stand.clock.elapsed() - began, 6))
            return took

    calm = on_virtual_time(story(WeatherSettings(latency_s=0.3)))
    rough = on_virtual_time(story(WeatherSettings(latency_s=0.3, refusal_rate=0.5)))
    assert -1.0 in rough
    assert all(r in {-1.0, c} for c, r in zip(calm, rough, strict=True))
