"""A whole engine at a real venue's protocol: an id that the venue says it knows, and what happened while nobody could look."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from engine.core.lifecycle import AttemptState, SignalState
from tests.faults.test_venue_engine import an_engine, control, orders_of, real, ways
from tests.support.decks import a_trader
from tests.support.venue.control import Control

pytestmark = pytest.mark.waits

__all__ = ["control"]  # the fixture: a venue of each kind in turn

BELOW = "49000"  # under the market of 50,000, so it rests in the book; near enough for the price band


@pytest.mark.parametrize("fault", ["says duplicate client id", "delivered twice, the last answer"])
def test_a_venue_that_calls_our_id_a_duplicate_is_looked_into_and_its_order_is_adopted(
    control: Control, tmp_path: Path, fault: str
) -> None:
    async def play() -> None:
        async with an_engine(control, tmp_path, a_trader("spare")) as running:
            control.script("create", fault)
            taken = await running.hand_in(trader="desk", price=BELOW)
            kept = fault.startswith("delivered")
            states = (AttemptState.ACCEPTED,) if kept else (AttemptState.ABSENT, AttemptState.ACCEPTED)
            story = await running.until_attempt(taken.signal_id, *states)
            assert AttemptState.REJECTED not in {a.state for a in story.attempts}, "a duplicate is no refusal"
            if kept:
                assert ways(story) == [("desk", AttemptState.ACCEPTED)]
                assert orders_of(control, story) == [1]
                [order] = control.orders(story.attempts[0].client_order_id)
                control.fill(order["number"], "0.01")
                story = await running.until(taken.signal_id, SignalState.DONE)
                assert ways(story) == [("desk", AttemptState.FILLED)]
            assert all(count <= 1 for count in orders_of(control, story))

    real(play())


def test_what_was_filled_while_the_venue_could_not_be_read_is_booked_once_when_it_can_be(
    control: Control, tmp_path: Path
) -> None:
    async def play() -> None:
        async with an_engine(control, tmp_path) as running:
            taken = await running.hand_in(trader="desk", price=BELOW)
            story = await running.until_attempt(taken.signal_id, AttemptState.ACCEPTED)
            [order] = control.orders(story.attempts[0].client_order_id)
            control.script("any", "connection closed before processing", None)
            control.fill(order["number"], "0.004")
            await running.pass_time(3.0)
            assert (await running.story(taken.signal_id)).attempts[0].state is AttemptState.ACCEPTED
            control.fill(order["number"], "0.006")
            control.clear()
            story = await running.until(taken.signal_id, SignalState.DONE)
            assert ways(story) == [("desk", AttemptState.FILLED)]
            assert sum(fill.quantity for _, fill in story.fills) == Decimal("0.01")
            assert len({fill.trade_id for _, fill in story.fills}) == len(story.fills) == 2

    real(play())
