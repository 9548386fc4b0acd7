"""Sending again under the same id: only where the venue takes an id once and for ever, and only within the deadline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core.errors import ExchangeError, Refused
from engine.core.events import EventKind
from engine.core.lifecycle import AttemptState
from engine.core.order import OrderReport, OrderRequest, OrderStatus
from engine.exchanges.base import Capabilities, Fence, IdScope
from tests.support.office import an_office, an_order, lost
from tests.support.world import live

ONCE = Capabilities(Fence.NONE, IdScope.FOREVER, lookup_by_client_id=True)


def test_a_lost_request_is_sent_again_under_the_same_id_and_is_the_same_attempt() -> None:
    async def story() -> None:
        async with an_office(ONCE) as office:
            office.venue.answers.append(lost())
            attempt = await office.send()
            await office.work(3)
            assert await office.state(attempt) is AttemptState.FILLED
            first, second = office.venue.placed
            assert first == second
            signal = await office.store.signal(attempt.signal_id)
            assert signal is not None
            assert (signal.attempts, signal.state) == (1, "done")
            [told] = await office.told("resent")
            assert told.kind is EventKind.PROBE
            assert "same id" in told.text

    live(story())


@pytest.mark.parametrize("scope", [IdScope.OPEN, IdScope.WINDOW, IdScope.NONE])
@pytest.mark.parametrize("fence", list(Fence))
def test_no_other_venue_is_ever_sent_the_same_order_twice(scope: IdScope, fence: Fence) -> None:
    async def story() -> None:
        async with an_office(Capabilities(fence, scope, lookup_by_client_id=True)) as office:
            office.venue.answers.append(lost())
            await office.send()
            await office.work(30)
            assert len(office.venue.placed) == 1
            assert await office.told("resent") == []

    live(story())


@pytest.mark.parametrize("error", [lost(), Refused("hand", "duplicate id"), Refused("hand", "no funds")])
def test_neither_an_error_nor_a_refusal_of_what_was_sent_again_proves_anything(error: ExchangeError) -> None:
    async def story() -> None:
        async with an_office(ONCE) as office:
            office.venue.answers += [lost(), error]
            attempt = await office.send()
            await office.work(1.5)
            assert len(office.venue.placed) == 2
            assert await office.state(attempt) is AttemptState.UNKNOWN
            office.venue.show(an_order(attempt.request, "0.01"))  # the first one had arrived
            await office.work(3)
            assert await office.state(attempt) is AttemptState.FILLED
            assert len(office.venue.placed) == 2

    live(story())


def test_an_answer_that_says_refused_or_tells_of_another_order_proves_nothing_either() -> None:
    def refused(request: OrderRequest) -> OrderReport:
        return an_order(request, status=OrderStatus.REFUSED, client_order_id="", venue_order_id="r1")

    def other(request: OrderRequest) -> OrderReport:
        return an_order(request, client_order_id="other", venue_order_id="o1")

    async def story() -> None:
        async with an_office(ONCE) as office:
            office.venue.answers += [lost(), refused, other]
            attempt = await office.send()
            await office.work(3.5)
            assert len(office.venue.placed) == 3
            assert await office.state(attempt) is AttemptState.UNKNOWN
            assert len(await office.told("resend_unproven")) == 2

    live(story())


def test_after_its_deadline_an_order_is_only_looked_up_and_then_left_to_a_person() -> None:
    async def story() -> None:
        async with an_office(ONCE) as office:
            office.venue.answers += [lost() for _ in range(20)]
            attempt = await office.send()
            await office.work(6)
            sent = len(office.venue.placed)
            assert sent >= 2
            late = [e.at for e in await office.told("resent") if (attempt.request.send_by - e.at).total_seconds() < 1]
            assert late == []
            await office.work(30)
            assert len(office.venue.placed) == sent
            assert await office.state(attempt) is AttemptState.REVIEW

    live(story())


def test_a_lookup_that_was_not_answered_in_full_sends_nothing() -> None:
    async def story() -> None:
        async with an_office(ONCE) as office:
            office.venue.answers.append(lost())
            await office.send()
            office.venue.silence = ExchangeError("hand", "reset")
            await office.work(5)
            assert len(office.venue.placed) == 1

    live(story())


def test_nothing_is_sent_again_while_an_operator_holds_it_back() -> None:
    async def story() -> None:
        async with an_office(ONCE) as office:
            office.venue.answers.append(lost())
            await office.send()
            office.sending.append(False)
            await office.work(5)
            assert len(office.venue.placed) == 1

    live(story())


def test_an_operator_who_holds_it_back_at_the_last_moment_is_heard_and_the_journal_says_that_nothing_left() -> None:
    async def story() -> None:
        async with an_office(ONCE) as office:
            office.venue.answers.append(lost())
            attempt = await office.send()
            office.desk.exchange.heed(lambda: "halted")
            await office.work(1.5)
            assert len(office.venue.placed) == 1
            assert await office.state(attempt) is AttemptState.UNKNOWN
            [told] = await office.told("resend_unproven")
            assert "it did not leave: hand: halted before it could be sent" in told.text

    live(story())


def test_an_order_that_a_lookup_finds_is_not_sent_again() -> None:
    async def story() -> None:
        async with an_office(ONCE) as office:
            office.venue.answers.append(lost())
            attempt = await office.send()
            office.venue.show(replace(an_order(attempt.request, "0.01"), client_order_id=attempt.client_order_id))
            await office.work(5)
            assert len(office.venue.placed) == 1
            assert await office.state(attempt) is AttemptState.FILLED

    live(story())
