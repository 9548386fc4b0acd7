"""The audit: what the account has against what the store believes, and every difference is shown or mended."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.core.errors import ExchangeError, Refused
from engine.core.events import Level
from engine.core.lifecycle import AttemptState
from engine.core.order import Attempt, OrderStatus
from engine.core.values import Balance, Side
from tests.support.office import Office, a_foreign_order, a_part, an_office, an_order, lost
from tests.support.world import live


def btc(quantity: str) -> dict[str, Balance]:
    return {"BTC": Balance("BTC", Decimal(quantity))}


async def closed_with_a_part(office: Office) -> Attempt:
    """Send an order of which 0.004 is filled in the trade p1 before the venue closes it."""
    part = (a_part("p1", "0.004"),)
    office.venue.answers.append(
        lambda r: replace(an_order(r, status=OrderStatus.CLOSED), filled_quantity=Decimal("0.004"), fills=part)
    )
    attempt = await office.send()
    assert attempt.state is AttemptState.PARTIAL_CLOSED
    return attempt


def test_less_than_believed_is_told_once_with_both_figures_until_it_changes_or_agrees() -> None:
    async def story() -> None:
        async with an_office() as office:
            await office.send()
            office.venue.holds = btc("0.009")
            assert await office.audit()
            assert await office.audit()
            [told] = await office.told("position_differs")
            assert told.level is Level.ERROR
            assert told.text == "a holds 0.009 BTC, the store believes 0.01"
            assert [str(s) for s in office.desk.account.shortages] == ["holds 0.009 BTC, the store believes 0.01"]
            office.venue.holds = btc("0.005")
            await office.audit()
            assert len(await office.told("position_differs")) == 2
            office.venue.holds = btc("0.0099")
            await office.audit()
            assert len(await office.told("position_differs")) == 2, "one part in a hundred is tolerated"
            assert len(await office.told("position_agrees")) == 1
            assert office.desk.account.shortages == ()

    live(story())


def test_what_an_order_under_way_may_have_sold_is_not_missed() -> None:
    async def story() -> None:
        async with an_office() as office:
            await office.send()
            office.venue.holds = btc("0")
            office.venue.answers.append(lost())
            sale = await office.send(side=Side.SELL, source="other")
            assert sale.state is AttemptState.UNKNOWN
            await office.audit()
            assert await office.told("position_differs") == []

    live(story())


@pytest.mark.parametrize("status", [OrderStatus.OPEN, OrderStatus.FILLED])
def test_an_order_that_was_proven_absent_and_appears_breaks_the_proof(status: OrderStatus) -> None:
    async def story() -> None:
        async with an_office() as office:
            office.venue.answers.append(lost())
            attempt = await office.send()
            await office.work(30)
            assert await office.state(attempt) is AttemptState.ABSENT
            office.venue.show(an_order(attempt.request, "0.01" if status is OrderStatus.FILLED else "0.004"))
            await office.audit()
            assert await office.state(attempt) is AttemptState.REVIEW
            assert await office.signal_state(attempt) == "needs_review"
            assert office.quarantined == ["a"]
            [told] = await office.told("break_proof")
            assert told.level is Level.ERROR
            assert "had ended as absent" in told.text
            assert await office.held() == Decimal("0.01" if status is OrderStatus.FILLED else "0.004")
            await office.audit()
            assert len(await office.told("break_proof")) == 1

    live(story())


def test_an_order_that_was_cancelled_with_nothing_filled_and_is_open_breaks_the_proof() -> None:
    async def story() -> None:
        async with an_office() as office:
            office.venue.answers.append(an_order)
            attempt = await office.send()
            await office.reconciler.cancel_order(attempt)
            assert await office.state(attempt) is AttemptState.CANCELED
            office.venue.show(an_order(attempt.request))
            await office.audit(after_s=2.0)
            assert await office.state(attempt) is AttemptState.CANCELED, "a read may lag behind what just happened"
            await office.audit()
            assert await office.state(attempt) is AttemptState.REVIEW

    live(story())


@pytest.mark.parametrize("status", [OrderStatus.REFUSED, OrderStatus.CLOSED])
def test_a_venue_s_record_of_an_order_that_neither_lives_nor_traded_changes_nothing(status: OrderStatus) -> None:
    async def story() -> None:
        async with an_office() as office:
            office.venue.answers.append(Refused("hand", "no"))
            attempt = await office.send()
            assert attempt.state is AttemptState.REJECTED
            office.venue.show(an_order(attempt.request, status=status))
            await office.audit()
            assert await office.state(attempt) is AttemptState.REJECTED
            assert office.quarantined == []

    live(story())


def test_a_list_that_lags_behind_a_filled_order_changes_nothing() -> None:
    async def story() -> None:
        async with an_office() as office:
            attempt = await office.send()
            lagging = an_order(attempt.request)
            office.venue.lists[lagging.venue_order_id] = lagging
            await office.audit()
            assert await office.state(attempt) is AttemptState.FILLED
            assert office.quarantined == []

    live(story())


def test_a_list_s_word_on_a_cancelled_order_is_held_against_the_order_itself() -> None:
    async def story() -> None:
        async with an_office() as office:
            office.venue.answers.append(an_order)
            attempt = await office.send()
            await office.reconciler.cancel_order(attempt)
            lagging = an_order(attempt.request)
            office.venue.lists[lagging.venue_order_id] = lagging
            await office.audit()
            assert await office.state(attempt) is AttemptState.CANCELED
            assert office.quarantined == []

    live(story())


def test_fills_that_a_list_leaves_out_are_asked_for() -> None:
    async def story() -> None:
        async with an_office() as office:
            attempt = await closed_with_a_part(office)
            late = (a_part("p1", "0.004"), a_part("p2", "0.003"))
            closed = replace(an_order(attempt.request, status=OrderStatus.CLOSED), filled_quantity=Decimal("0.007"))
            office.venue.show(replace(closed, fills=late))
            office.venue.lists[closed.venue_order_id] = closed
            await office.audit()
            assert await office.held() == Decimal("0.007")
            assert await office.told("fills_differ") == []

    live(story())


def test_a_fill_that_came_after_the_end_is_taken_up_once() -> None:
    async def story() -> None:
        async with an_office() as office:
            attempt = await closed_with_a_part(office)
            late = (a_part("p1", "0.004"), a_part("p2", "0.003"))
            closed = an_order(attempt.request, status=OrderStatus.CLOSED)
            office.venue.show(replace(closed, filled_quantity=Decimal("0.007"), fills=late))
            for _ in range(2):
                await office.audit()
                assert await office.held() == Decimal("0.007")
            now = await office.attempt(attempt)
            assert (now.state, now.filled_quantity) == (AttemptState.PARTIAL_CLOSED, Decimal("0.007"))
            assert now.ended_at == attempt.ended_at
            assert len(await office.told("catch_up")) == 1

    live(story())


def test_fills_whose_ids_differ_between_two_answers_are_shown_and_not_counted_twice() -> None:
    async def story() -> None:
        async with an_office() as office:
            attempt = await closed_with_a_part(office)
            renamed = (a_part("x1", "0.004"), a_part("x2", "0.003"))
            closed = an_order(attempt.request, status=OrderStatus.CLOSED)
            office.venue.show(replace(closed, filled_quantity=Decimal("0.007"), fills=renamed))
            for _ in range(2):
                await office.audit()
            assert await office.held() == Decimal("0.004")
            [told] = await office.told("fills_differ")
            assert "0.007" in told.text
            assert "0.004" in told.text

    live(story())


def test_an_order_filled_beyond_what_was_asked_is_recorded_and_raises_the_alarm() -> None:
    async def story() -> None:
        async with an_office() as office:
            attempt = await office.send()
            over = replace(an_order(attempt.request, "0.012"), fills=(a_part("t1", "0.01"), a_part("t2", "0.002")))
            office.venue.show(over)
            await office.audit()
            assert await office.held() == Decimal("0.012")
            [told] = await office.told("overfill")
            assert told.level is Level.ERROR
            assert "filled 0.012" in told.text
            assert "asked for were 0.01" in told.text
            assert office.desk.account.overfills

    live(story())


def test_an_open_order_that_moved_on_is_looked_at_at_once() -> None:
    async def story() -> None:
        async with an_office() as office:
            office.venue.answers.append(an_order)
            attempt = await office.send()
            office.venue.show(an_order(attempt.request, "0.01"))
            await office.audit()
            assert await office.state(attempt) is AttemptState.FILLED

    live(story())


def test_orders_of_others_are_listed_and_never_touched() -> None:
    async def story() -> None:
        async with an_office() as office:
            await office.send()
            others = [a_foreign_order(f"f{n}") for n in range(4)]
            office.venue.show(*others, a_foreign_order("g", client_order_id="somebody's", status=OrderStatus.FILLED))
            await office.audit()
            account = office.desk.account
            assert account.external_count == 5
            assert account.external_text.startswith("5 external orders: sell 0.5 BTC/USDT (open, f0), ")
            assert account.external_text.endswith(" and 2 more")
            assert [office.venue.orders[o.venue_order_id] for o in others] == others
            assert len(office.venue.placed) == 1
            assert office.quarantined == []

    live(story())


def test_a_venue_that_does_not_answer_is_asked_four_times_and_told_of_once() -> None:
    async def story() -> None:
        async with an_office() as office:
            office.venue.silence = ExchangeError("hand", "reset")
            for _ in range(2):
                office.desk.exchange.reset()
                office.venue.reads.clear()
                assert not await office.audit()
                assert office.venue.reads.count("balances") == 4
            assert len(await office.told("audit_failed")) == 1
            assert office.desk.account.audit_error == "reset"
            assert office.desk.account.audited_at is None
            office.venue.silence = None
            office.desk.exchange.reset()
            assert await office.audit()
            assert office.desk.account.audit_error == ""

    live(story())


def test_one_try_takes_ten_seconds_at_most() -> None:
    async def story() -> None:
        async with an_office() as office:
            office.venue.read_s = 4.5
            began = office.clock.elapsed()
            assert not await office.audit(after_s=0)
            assert 40 <= office.clock.elapsed() - began < 60
            assert office.desk.account.audit_error == "no answer within 10 s"

    live(story())
