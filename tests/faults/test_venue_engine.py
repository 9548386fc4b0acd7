"""A whole engine at the protocol of a real venue, beside a trader with paper money who would take over: one fault at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from engine.clock import run_on
from engine.core.board import Story
from engine.core.events import BreakerState, Health, TraderState
from engine.core.lifecycle import AttemptState, SignalState
from engine.core.routing import no_fallback
from engine.core.values import Mode
from engine.settings import Settings, TraderSettings
from engine.wiring import Plan, build
from tests.support.decks import Running, a_trader, settings_of
from tests.support.venue.control import Control
from tests.support.venue.server import a_venue
from tests.support.venue.table import VENUES
from tests.support.venue.urls import ccxt_table, credentials

pytestmark = pytest.mark.waits

QUICK: Final = {"time_every_s": 0.4, "private_every_s": 2.0, "dwell_s": 0.2, "up_after": 1}
SPARE: Final = "spare"


@pytest.fixture(params=VENUES)
def control(request: pytest.FixtureRequest) -> Iterator[Control]:
    with a_venue(request.param) as running:
        yield running


def real(story: Coroutine[Any, Any, None]) -> None:
    """Run `story` in real time: a venue in another thread knows no other."""
    with asyncio.Runner(loop_factory=run_on(1.0)) as runner:
        runner.run(story)


def settings_at(control: Control, folder: Path, *others: TraderSettings) -> Settings:
    table = {**ccxt_table(control.about), "timeout": 1_000, "rateLimit": 1}
    keys = credentials(control.about)
    key_file = folder / "desk.key"
    key_file.touch(0o600)
    key_file.write_text("".join(f"{name} = {json.dumps(keys[theirs])}\n" for name, theirs in _NAMES.items()))
    desk = TraderSettings(name="desk", exchange=control.venue, key_file=key_file, ccxt=table)
    feed = {"exchange": control.venue, "symbols": ["BTC/USDT"], "every_s": 0.5, "ccxt": table}
    return settings_of(
        desk, *others, market={"source": "ccxt", "feeds": [feed]}, health=QUICK, limits={"slippage_max": "0.05"}
    )


_NAMES: Final = {"api_key": "apiKey", "secret": "secret"}


@asynccontextmanager
async def an_engine(control: Control, folder: Path, *others: TraderSettings) -> AsyncIterator[Running]:
    """Start an engine whose trader `desk` stands at the venue and has had one order filled there."""
    deck = build(Plan(settings_at(control, folder, *others), Mode.LIVE, folder / "deck.sqlite", pace=1.0))
    try:
        await deck.engine.start()
        running = Running(deck)
        first = await running.hand_in(key="first", trader="desk")
        story = await running.until(first.signal_id, SignalState.DONE, within_s=30)
        assert [a.trader for a in story.attempts] == ["desk"]
        yield running
    finally:
        await deck.engine.stop()


def orders_of(control: Control, story: Story) -> list[int]:
    """Return how many orders the venue's books have for each attempt."""
    return [len(control.orders(a.client_order_id)) for a in story.attempts]


def ways(story: Story) -> list[tuple[str, AttemptState]]:
    return [(a.trader, a.state) for a in story.attempts]


async def desk_of(running: Running) -> TraderState:
    return next(t for t in await running.engine.store.traders() if t.name == "desk")


async def until_down(running: Running, within_s: float = 30.0) -> None:
    until = running.deck.clock.elapsed() + within_s
    while (await desk_of(running)).health is not Health.DOWN:
        assert running.deck.clock.elapsed() < until, "still not down"
        await running.pass_time(0.1)


def test_a_lost_request_goes_to_nobody_else_until_it_is_proven_that_it_made_no_order(
    control: Control, tmp_path: Path
) -> None:
    async def play() -> None:
        async with an_engine(control, tmp_path, a_trader(SPARE)) as running:
            control.script("create", "connection closed before processing")
            taken = await running.hand_in(trader="desk")
            doubtful = await running.until_attempt(taken.signal_id, AttemptState.UNKNOWN, AttemptState.FILLED)
            if doubtful.attempts[-1].state is AttemptState.UNKNOWN:
                assert "is unknown, and a second order might double it" in no_fallback(doubtful.attempts)
            story = await running.until(taken.signal_id, SignalState.DONE)
            if control.venue == "coinbase":  # the same id makes no second order there, so it is sent again
                assert ways(story) == [("desk", AttemptState.FILLED)]
                assert any(event.code == "resent" for event in story.events)
                assert orders_of(control, story) == [1]
                return
            assert ways(story) == [("desk", AttemptState.ABSENT), (SPARE, AttemptState.FILLED)]
            assert orders_of(control, story) == [0, 0]
            assert "fallback after proof: the attempt at desk is proven never to have reached the venue" in str(
                [event.detail for event in story.events]
            )

    real(play())


def test_an_order_whose_answer_was_lost_is_found_and_nobody_else_gets_its_signal(
    control: Control, tmp_path: Path
) -> None:
    async def play() -> None:
        async with an_engine(control, tmp_path, a_trader(SPARE)) as running:
            control.script("create", "processed, then connection closed")
            taken = await running.hand_in(trader="desk")
            story = await running.until(taken.signal_id, SignalState.DONE)
            assert ways(story) == [("desk", AttemptState.FILLED)]
            assert orders_of(control, story) == [1]

    real(play())


def test_refused_credentials_stop_the_trader_raise_one_alert_and_send_its_signals_elsewhere(
    control: Control, tmp_path: Path
) -> None:
    async def play() -> None:
        async with an_engine(control, tmp_path, a_trader(SPARE)) as running:
            control.revoke()
            for number in range(3):
                taken = await running.hand_in(key=f"after-{number}", trader="desk")
                story = await running.until(taken.signal_id, SignalState.DONE)
                assert story.attempts[-1].trader == SPARE
                assert {state for name, state in ways(story) if name == "desk"} <= {AttemptState.REJECTED}
            assert (await desk_of(running)).breaker is BreakerState.FORCED_OPEN
            await running.pass_time(6)
            alerts = await running.engine.store.alerts(resolved=False, limit=50)
            assert [(a.rule, a.subject, a.repeats) for a in alerts if a.rule == "auth_refused"] == [
                ("auth_refused", "desk", 1)
            ]
            assert sum(entry["status"] is not None for entry in control.log("create")) <= 2

    real(play())


def test_a_venue_whose_clock_is_two_seconds_off_gets_no_order_until_it_is_right_again(
    control: Control, tmp_path: Path
) -> None:
    async def play() -> None:
        async with an_engine(control, tmp_path) as running:
            sent = len(control.log("create"))
            control.skew(2.5)
            await until_down(running)
            taken = await running.hand_in(trader="desk")
            story = await running.until(taken.signal_id, SignalState.WAITING)
            assert story.signal.reason is not None
            assert "clock" in story.signal.reason.text
            assert len(control.log("create")) == sent
            control.skew(0.0)
            story = await running.until(taken.signal_id, SignalState.DONE)
            assert ways(story) == [("desk", AttemptState.FILLED)]

    real(play())


def test_a_venue_that_takes_no_connection_was_sent_nothing_and_another_trader_takes_the_signal(
    control: Control, tmp_path: Path
) -> None:
    async def play() -> None:
        async with an_engine(control, tmp_path, a_trader(SPARE)) as running:
            control.away(6)
            await running.pass_time(0.3)
            taken = await running.hand_in(trader="desk")
            story = await running.until(taken.signal_id, SignalState.DONE)
            *before, last = ways(story)
            assert last == (SPARE, AttemptState.FILLED)
            assert {state for _, state in before} <= {AttemptState.NOT_SENT}
            await running.pass_time(7)
            assert set(orders_of(control, story)) == {0}

    real(play())


def test_a_venue_that_asks_for_quiet_gets_no_order_meanwhile(control: Control, tmp_path: Path) -> None:
    async def play() -> None:
        async with an_engine(control, tmp_path, a_trader(SPARE)) as running:
            control.script("create", "HTTP 429 with Retry-After")
            taken = await running.hand_in(key="refused", trader="desk")
            story = await running.until(taken.signal_id, SignalState.DONE)
            assert ways(story) == [("desk", AttemptState.REJECTED), (SPARE, AttemptState.FILLED)]
            refused = next(entry for entry in reversed(control.log("create")) if entry["status"] == 429)
            for number in range(5):
                next_one = await running.hand_in(key=f"after-{number}", trader="desk")
                await running.until(next_one.signal_id, SignalState.DONE)
                await running.pass_time(0.7)
            later = [entry["at_s"] - refused["at_s"] for entry in control.log("create", refused["number"])]
            assert all(seconds >= 2.0 for seconds in later)

    real(play())


@pytest.mark.parametrize("fault", ["WAF page", "says maintenance", "HTTP 200 with HTML, not processed"])
def test_where_a_page_stands_in_the_venues_place_the_trader_is_down_and_its_signals_wait(
    control: Control, tmp_path: Path, fault: str
) -> None:
    async def play() -> None:
        async with an_engine(control, tmp_path) as running:
            control.script("any", fault, None)
            await until_down(running)
            taken = await running.hand_in(trader="desk")
            story = await running.until(taken.signal_id, SignalState.WAITING)
            assert story.attempts == ()
            control.clear()
            story = await running.until(taken.signal_id, SignalState.DONE)
            assert ways(story) == [("desk", AttemptState.FILLED)]
            assert orders_of(control, story) == [1]

    real(play())
