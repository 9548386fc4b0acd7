"""Orders that wait for their turn when an operator stops sending: committed or not, what has not left does not leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.commands import CommandKind
from engine.core.events import Health
from engine.core.lifecycle import AttemptState, SignalState
from engine.exchanges.turns import Turns
from tests.support.decks import Running, a_running, a_trader, settings_of
from tests.support.world import live

STOPS = [
    (CommandKind.HALT, "", CommandKind.RELEASE),
    (CommandKind.PAUSE, "north", CommandKind.RESUME),
    (CommandKind.DRAIN, "north", CommandKind.RESUME),
    (CommandKind.PAUSE_ALL, "", CommandKind.RESUME_ALL),
]


def orders_of(running: Running) -> int:
    [[count]] = running.venue_rows("SELECT count(*) FROM paper_order")
    return int(count)


def slowed(running: Running) -> None:
    """Let north make one call a second from now on, the first of them in a second."""
    guard = running.engine._parts.desks["north"].exchange
    guard._turns = Turns(1.0, running.deck.clock, burst=1.0)
    guard._turns._tokens, guard._turns._filled_at = 0.0, running.deck.clock.elapsed()


@pytest.mark.parametrize(("stop", "target", "go_on"), STOPS)
def test_nothing_leaves_after_the_operator_was_told_that_nothing_is_sent(
    tmp_path: Path, stop: CommandKind, target: str, go_on: CommandKind
) -> None:
    async def play() -> None:
        async with a_running(tmp_path / "deck.sqlite", settings_of(a_trader("north"))) as running:
            await running.pass_time(12)
            slowed(running)
            ids = [(await running.hand_in(quantity="0.001", ttl=300)).signal_id for _ in range(6)]
            await running.pass_time(0.3)
            for signal_id in ids:
                [attempt] = (await running.story(signal_id)).attempts
                assert attempt.state is AttemptState.INTENT, "it waits for its turn"
            await running.wish(stop, target)
            at_the_venue = orders_of(running)
            await running.pass_time(30)
            assert orders_of(running) == at_the_venue
            held = 0
            for signal_id in ids:
                story = await running.story(signal_id)
                assert story.signal.state in {SignalState.WAITING, SignalState.CANCELLED}
                assert [a.state for a in story.attempts] == [AttemptState.NOT_SENT]
                held += story.attempts[0].error_code == "withheld"
            assert held > 0
            [north] = running.engine._parts.situation.trader_states().values()
            assert north.health is not Health.DOWN, "the venue is as well as it was"
            if stop is not CommandKind.HALT:  # a halt has withdrawn them
                running.engine._parts.desks["north"].exchange._turns = Turns(None, running.deck.clock)
                await running.wish(go_on, target)
                for signal_id in ids:
                    await running.until(signal_id, SignalState.DONE)

    live(play())
