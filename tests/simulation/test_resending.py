"""Requests and answers get lost at a venue that takes an id once for ever: each signal makes one order at most."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from engine.core.commands import CommandKind
from engine.core.lifecycle import AttemptState, SignalState
from engine.settings import Settings
from tests.support import once
from tests.support.decks import Running, a_running, a_trader, settings_of
from tests.support.world import live

SIGNALS = 25
PROVEN = {AttemptState.NOT_SENT, AttemptState.REJECTED, AttemptState.CANCELED}


def at_a_venue_that_takes_ids_once(**weather: float) -> Settings:
    trader = a_trader("north", weather={"lost_reads": False, "latency_s": 0.05, **weather}, start_quote="1000000")
    patient = {"window_calls": 1000, "calls_min": 1000}
    settings = settings_of(trader, a_trader("south"), health={"quarantine_after": 100}, breaker=patient)
    # Settings would ask for the credentials of a venue that is not the paper one; this one has none.
    north, south = settings.traders
    return settings.model_copy(update={"traders": (north.model_copy(update={"exchange": once.NAME}), south)})


def booked(running: Running) -> Counter[str]:
    return Counter(row[0] for row in running.venue_rows("SELECT client_order_id FROM paper_order"))


@pytest.mark.parametrize("seed", range(3))
def test_lost_requests_are_sent_again_and_no_signal_ever_has_two_orders(tmp_path: Path, seed: int) -> None:
    async def play() -> None:
        settings = at_a_venue_that_takes_ids_once(lost_before_rate=0.4, lost_after_rate=0.2, late_rate=0.1)
        async with a_running(tmp_path / "deck.sqlite", settings, seed=seed) as running:
            ids = []
            for n in range(SIGNALS):
                ids.append((await running.hand_in(key=f"k{n}", trader="north")).signal_id)
                await running.pass_time(3)
            await running.pass_time(60)
            orders, resent = booked(running), 0
            for signal_id in ids:
                story = await running.story(signal_id)
                *earlier, attempt = story.attempts
                assert {a.state for a in earlier} <= PROVEN, "whatever may be an order is never followed by another"
                resent += sum(e.code == "resent" for e in story.events)
                at_the_venue = orders[attempt.client_order_id]
                assert at_the_venue <= 1
                if attempt.state is AttemptState.FILLED:
                    assert at_the_venue == 1
                else:
                    assert attempt.state is AttemptState.REVIEW, attempt.state
                    assert story.signal.state is SignalState.NEEDS_REVIEW
                    assert at_the_venue == 0, "an order that is there is found"
            assert resent > 0

    live(play())


@pytest.mark.parametrize("wish", [CommandKind.HALT, CommandKind.PAUSE_ALL])
def test_nothing_is_sent_again_once_an_operator_has_stopped_the_sending(tmp_path: Path, wish: CommandKind) -> None:
    async def play() -> None:
        settings = at_a_venue_that_takes_ids_once(lost_before_rate=1.0)
        async with a_running(tmp_path / "deck.sqlite", settings) as running:
            taken = await running.hand_in(trader="north")
            await running.until_attempt(taken.signal_id, AttemptState.UNKNOWN)
            await running.wish(wish)
            story = await running.until(taken.signal_id, SignalState.NEEDS_REVIEW)
            assert [e for e in story.events if e.code == "resent"] == []

    live(play())
