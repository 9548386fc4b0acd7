"""The reconciler: what becomes of orders whose answer was lost, that are open, or that a venue tells odd things of."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.core.backoff import RetryPolicy
from engine.core.errors import CommandRefused, ExchangeError, Refused
from engine.core.lifecycle import AttemptState, AttemptStep, SignalState
from engine.core.order import OrderReport, OrderRequest, OrderStatus
from engine.core.values import Side
from engine.store.base import SignalFilter
from tests.support.builders import a_signal, an_attempt_move, an_intent
from tests.support.office import Office, a_part, an_office, an_order, lost
from tests.support.world import live


def closed_with_a_part(request: OrderRequest) -> OrderReport:
    part = (a_part("p1", "0.004"),)
    return replace(an_order(request, status=OrderStatus.CLOSED), filled_quantity=Decimal("0.004"), fills=part)


async def an_open_order(office: Office) -> tuple[str, OrderReport]:
    office.venue.answers.append(an_order)
    attempt = await office.send()
    assert attempt.state is AttemptState.ACCEPTED
    return attempt.client_order_id, an_order(attempt.request)


def test_an_accepted_order_that_the_venue_forgets_is_asked_for_again_and_then_left_to_a_person() -> None:
    async def story() -> None:
        async with an_office() as office:
            known, _ = await an_open_order(office)
            office.venue.orders.clear()
            await office.work(8)
            attempt = await office.attempt(known)
            assert attempt.state is AttemptState.ACCEPTED, "one silence is no end"
            assert attempt.probes >= 2
            await office.work(12)
            assert await office.state(attempt) is AttemptState.REVIEW
            assert await office.signal_state(attempt) == "needs_review"
            assert len(office.venue.placed) == 1

    live(story())


def test_an_order_that_only_a_list_knows_by_our_id_is_asked_for_with_its_fills() -> None:
    async def story() -> None:
        async with an_office() as office:
            office.venue.answers.append(lost())
            attempt = await office.send()
            order = an_order(attempt.request, "0.01")
            office.venue.show(replace(order, client_order_id=""))
            office.venue.lists[order.venue_order_id] = replace(order, fills=())
            await office.work(3)
            assert await office.state(attempt) is AttemptState.FILLED
            assert await office.held() == Decimal("0.01")

    live(story())


def test_a_first_pass_that_has_to_begin_again_does_not_tell_twice_whose_orders_nobody_looks_after() -> None:
    async def story() -> None:
        async with an_office() as office:
            await office.store.declare_traders({"a": "hand", "gone": "hand"})
            new = a_signal(received_at=office.clock.wall())
            await office.store.put_signals([new])
            signal = await office.store.signal(new.signal_id)
            assert signal is not None
            intent = an_intent(signal, trader="gone", at=office.clock.wall())
            await office.store.commit_intents([intent])
            lost_there = an_attempt_move(intent.request, AttemptState.INTENT, AttemptStep.LOSE_ANSWER, at=intent.at)
            await office.store.move_attempts([lost_there])
            await office.reconciler.first_pass()
            await office.reconciler.first_pass()
            [event] = await office.told("unattended")
            assert "(0 open, 1 without a known outcome)" in event.text

    live(story())


@pytest.mark.parametrize("wrong", [{"quantity": Decimal("0.02")}, {"side": Side.SELL}])
def test_an_order_found_with_another_side_or_quantity_is_left_to_a_person(wrong: dict[str, object]) -> None:
    async def story() -> None:
        async with an_office() as office:
            office.venue.answers.append(lost())
            attempt = await office.send()
            office.venue.show(replace(an_order(attempt.request), **wrong))  # type: ignore[arg-type]  # fields by name
            await office.work(3)
            assert await office.state(attempt) is AttemptState.REVIEW
            assert office.quarantined == ["a"]

    live(story())


def test_fills_that_come_twice_out_of_order_and_before_the_answer_are_counted_once() -> None:
    async def story() -> None:
        async with an_office() as office:
            office.venue.answers.append(lost())
            attempt = await office.send()
            first, second, third = a_part("t1", "0.002"), a_part("t2", "0.003"), a_part("t3", "0.005")
            opened = an_order(attempt.request)
            office.venue.show(replace(opened, filled_quantity=Decimal("0.005"), fills=(second, first)))
            await office.work(3)
            assert await office.state(attempt) is AttemptState.ACCEPTED
            assert await office.held() == Decimal("0.005")
            office.venue.show(replace(opened, filled_quantity=Decimal("0.002"), fills=(first,)))
            await office.work(16)
            assert await office.held() == Decimal("0.005"), "what is known to be filled stays filled"
            parts = (third, first, second, third)
            whole = replace(opened, status=OrderStatus.FILLED, filled_quantity=Decimal("0.010"), fills=parts)
            office.venue.show(whole)
            await office.work(16)
            assert await office.state(attempt) is AttemptState.FILLED
            assert await office.held() == Decimal("0.010")

    live(story())


@pytest.mark.parametrize("child_for_rest", [False, True])
def test_the_rest_of_an_order_closed_in_part_is_a_signal_of_its_own_only_if_the_policy_says_so(
    child_for_rest: bool,
) -> None:
    async def story() -> None:
        async with an_office(retry=RetryPolicy(child_for_rest=child_for_rest)) as office:
            known, opened = await an_open_order(office)
            part = (a_part("t1", "0.004"),)
            office.venue.show(replace(opened, status=OrderStatus.CLOSED, filled_quantity=Decimal("0.004"), fills=part))
            await office.work(3)
            attempt = await office.attempt(known)
            assert attempt.state is AttemptState.PARTIAL_CLOSED
            assert await office.signal_state(attempt) == "done"
            assert await rests_of(office, attempt.signal_id) == ([Decimal("0.006")] if child_for_rest else [])

    live(story())


def test_the_rest_of_an_order_that_the_first_answer_tells_is_closed_goes_on_as_well() -> None:
    async def story() -> None:
        async with an_office(retry=RetryPolicy(child_for_rest=True)) as office:
            office.venue.answers.append(closed_with_a_part)
            attempt = await office.send()
            assert attempt.state is AttemptState.PARTIAL_CLOSED
            assert await rests_of(office, attempt.signal_id) == [Decimal("0.006")]
            assert len(await office.told("rest")) == 1

    live(story())


async def rests_of(office: Office, signal_id: str) -> list[Decimal | None]:
    found = await office.store.signals(SignalFilter(states=frozenset({SignalState.NEW})), None, 10)
    return [s.quantity for s in found if s.parent_id == signal_id]


def test_a_fill_that_was_faster_than_the_cancel_wins() -> None:
    async def story() -> None:
        async with an_office() as office:
            known, opened = await an_open_order(office)
            attempt = await office.attempt(known)
            office.venue.show(an_order(attempt.request, "0.01", venue_order_id=opened.venue_order_id))
            answer = await office.reconciler.cancel_order(attempt)
            assert "filled 0.01" in answer
            assert await office.state(attempt) is AttemptState.FILLED
            assert await office.held() == Decimal("0.01")

    live(story())


@pytest.mark.parametrize("outcome", [lost(), Refused("hand", "it is gone")])
def test_an_order_whose_cancel_was_not_confirmed_stays_open_and_is_asked_for(outcome: ExchangeError) -> None:
    async def story() -> None:
        async with an_office() as office:
            known, opened = await an_open_order(office)
            attempt = await office.attempt(known)
            office.venue.answers.append(outcome)
            assert "not confirmed" in await office.reconciler.cancel_order(attempt)
            assert await office.state(attempt) is AttemptState.ACCEPTED
            office.venue.show(replace(opened, status=OrderStatus.CLOSED))
            await office.work(3)
            assert await office.state(attempt) is AttemptState.CANCELED

    live(story())


def test_an_order_filled_beyond_what_was_asked_is_recorded_wherever_it_is_seen_first() -> None:
    async def story() -> None:
        async with an_office() as office:
            known, opened = await an_open_order(office)
            whole = (a_part("t1", "0.012"),)
            office.venue.show(replace(opened, status=OrderStatus.FILLED, filled_quantity=Decimal("0.012"), fills=whole))
            await office.work(3)
            assert (await office.attempt(known)).state is AttemptState.FILLED
            assert await office.held() == Decimal("0.012")
            assert len(await office.told("overfill")) == 1
            assert office.desk.account.overfills

    live(story())


def test_an_absence_that_is_declared_after_the_signal_s_time_fails_it() -> None:
    async def story() -> None:
        async with an_office() as office:
            known, _ = await an_open_order(office)
            office.venue.orders.clear()
            await office.work(200)
            attempt = await office.attempt(known)
            assert attempt.state is AttemptState.REVIEW
            await office.reconciler.declare_absent(attempt, "ann", "the venue's page is empty")
            assert await office.state(attempt) is AttemptState.ABSENT
            assert await office.signal_state(attempt) == "failed"

    live(story())


def test_an_order_is_not_attached_while_the_venue_does_not_answer() -> None:
    async def story() -> None:
        async with an_office() as office:
            known, _ = await an_open_order(office)
            office.venue.orders.clear()
            await office.work(30)
            office.venue.silence = ExchangeError("hand", "reset")
            with pytest.raises(CommandRefused, match="ask again"):
                await office.reconciler.attach(await office.attempt(known), "v1", "ann", "seen")

    live(story())


def test_many_unknown_orders_are_looked_up_with_few_reads_of_the_lists() -> None:
    async def story() -> None:
        async with an_office() as office:
            attempts = []
            for n in range(12):
                office.venue.answers.append(lost())
                attempts.append(await office.send(source=f"s{n}"))
                office.desk.exchange.reset()  # so many lost answers would open the breaker
            office.venue.read_s = 0.1
            await office.clock.sleep(2)
            office.venue.reads.clear()
            await office.reconciler.step()
            counted = {what: office.venue.reads.count(what) for what in set(office.venue.reads)}
            assert counted["find"] == 12
            assert max(counted[what] for what in ("venue_time", "open_orders", "recent_orders")) <= 2
            assert {(await office.attempt(a)).probes for a in attempts} == {1}

    live(story())
