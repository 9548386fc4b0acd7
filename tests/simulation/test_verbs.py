"""Pause, drain, stop and halt do what their words say, with open orders at a venue of its own books."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.commands import CommandKind, CommandState
from engine.core.events import Desired, TraderState
from engine.core.lifecycle import AttemptState, SignalState
from tests.support.decks import Running, a_running, a_trader, an_open_order, open_at_the_venue, settings_of
from tests.support.world import live


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "deck.sqlite"


async def trader(running: Running, name: str = "north") -> TraderState:
    return next(one for one in await running.engine.store.traders() if one.name == name)


def test_a_pause_takes_nothing_new_and_looks_after_what_is_open(db: Path) -> None:
    async def play() -> None:
        async with a_running(db) as running:
            signal_id = await an_open_order(running)
            answer = await running.wish(CommandKind.PAUSE, "north")
            assert answer.result == "north is paused; 1 order is looked after"
            held = await running.hand_in()
            await running.until(held.signal_id, SignalState.WAITING)
            assert open_at_the_venue(running) == 1
            assert (await running.wish(CommandKind.CANCEL, signal_id)).state is CommandState.DONE
            await running.until(signal_id, SignalState.CANCELLED)
            assert (await trader(running)).drain == "", "a pause is no drain"

    live(play())


def test_a_drain_is_told_as_it_goes_and_ends_with_the_last_order(db: Path) -> None:
    async def play() -> None:
        async with a_running(db, settings_of(a_trader("north"), a_trader("south"))) as running:
            first = await an_open_order(running, trader="north")
            second = await an_open_order(running, trader="north")
            answer = await running.wish(CommandKind.DRAIN, "north", why="maintenance")
            assert answer.result == "north drains; 2 orders are waited for"
            told = await trader(running)
            assert (told.drain, told.is_available, told.desired_by) == ("draining 2", False, "tester")
            elsewhere = await running.until((await running.hand_in(trader="north")).signal_id, SignalState.DONE)
            assert [a.trader for a in elsewhere.attempts] == ["south"]
            for left, signal_id in ((1, first), (0, second)):
                await running.wish(CommandKind.CANCEL, signal_id)
                await running.until(signal_id, SignalState.CANCELLED)
                assert (await trader(running)).in_flight == left
            assert (await trader(running)).told == "drained; paused by tester: maintenance"
            assert (await running.wish(CommandKind.DRAIN, "north")).result == "north is drained: no order of it lives"

    live(play())


def test_a_drain_survives_a_restart_and_a_resume_ends_it(db: Path) -> None:
    async def play() -> None:
        async with a_running(db) as running:
            signal_id = await an_open_order(running)
            await running.wish(CommandKind.DRAIN, "north")
        async with a_running(db) as running:
            assert (await trader(running)).drain == "draining 1"
            await running.wish(CommandKind.RESUME, "north")
            resumed = await trader(running)
            assert (resumed.desired, resumed.drain, resumed.is_available) == (Desired.RUN, "", True)
            await running.wish(CommandKind.CANCEL, signal_id)

    live(play())


def test_a_stop_leaves_open_orders_at_the_venue_and_the_next_start_looks_after_them(db: Path) -> None:
    async def play() -> None:
        async with a_running(db) as running:
            signal_id = await an_open_order(running)
        assert open_at_the_venue(running) == 1
        async with a_running(db) as running:
            assert (await running.signal(signal_id)).state is SignalState.EXECUTING
            await running.wish(CommandKind.CANCEL, signal_id)
            await running.until(signal_id, SignalState.CANCELLED)

    live(play())


def test_a_halt_cancels_what_is_open_at_the_venue_and_sends_nothing_more(db: Path) -> None:
    async def play() -> None:
        async with a_running(db) as running:
            signal_id = await an_open_order(running)
            halted = await running.wish(CommandKind.HALT, why="drill")
            assert halted.result == "halted: nothing is sent; 1 order is being cancelled"
            await running.until(signal_id, SignalState.CANCELLED)
            assert open_at_the_venue(running) == 0
            held = await running.hand_in()
            await running.until(held.signal_id, SignalState.WAITING)

    live(play())


def test_a_halt_asks_a_venue_that_did_not_answer_again_until_the_order_has_ended(db: Path) -> None:
    async def play() -> None:
        dark = a_trader("north", weather={"outages": [{"after_s": 5.0, "for_s": 10.0}]})
        async with a_running(db, settings_of(dark)) as running:
            signal_id = await an_open_order(running)
            await running.pass_time(6.0)
            await running.wish(CommandKind.HALT)
            assert open_at_the_venue(running) == 1, "the venue did not hear it"
            await running.until(signal_id, SignalState.CANCELLED)
            assert open_at_the_venue(running) == 0

    live(play())


def test_a_halt_cancels_an_order_that_is_found_open_only_later(db: Path) -> None:
    async def play() -> None:
        deaf = a_trader("north", weather={"lost_after_rate": 0.6, "lost_reads": False, "read_lag_s": 3.0})
        async with a_running(db, settings_of(deaf)) as running:
            taken = [await running.hand_in(price="56000", key=f"k{n}") for n in range(6)]
            for one in taken:
                await running.until_attempt(one.signal_id, AttemptState.ACCEPTED, AttemptState.UNKNOWN)
            unknown = [a for a in await running.engine.store.live_attempts() if a.state is AttemptState.UNKNOWN]
            assert unknown, "the weather was too fair to show anything"
            halted = await running.wish(CommandKind.HALT)
            assert "without an outcome yet, and cancelled if found open" in halted.result
            for one in taken:
                story = await running.until(one.signal_id, SignalState.CANCELLED)
                assert len(story.attempts) == 1
            assert open_at_the_venue(running) == 0

    live(play())


def test_pausing_everybody_leaves_a_drain_a_drain(db: Path) -> None:
    async def play() -> None:
        async with a_running(db, settings_of(a_trader("north"), a_trader("south"))) as running:
            await running.wish(CommandKind.DRAIN, "north")
            await running.wish(CommandKind.PAUSE_ALL)
            wanted = {state.name: state.desired for state in await running.engine.store.traders()}
            assert wanted == {"north": Desired.DRAIN, "south": Desired.PAUSE}

    live(play())


def test_a_signal_that_is_put_back_has_not_been_slow_since_it_came_first(db: Path) -> None:
    async def play() -> None:
        async with a_running(db, settings_of(a_trader("north"))) as running:
            await running.wish(CommandKind.PAUSE, "north")
            taken = await running.hand_in(ttl=5)
            await running.until(taken.signal_id, SignalState.EXPIRED)
            await running.pass_time(600)
            await running.wish(CommandKind.RESUME, "north")
            await running.wish(CommandKind.RETRY, taken.signal_id)
            story = await running.until(taken.signal_id, SignalState.DONE)
            assert (story.attempts[-1].latency.waiting or 0.0) < 5

    live(play())


@pytest.mark.parametrize(
    ("kind", "told"),
    [(CommandKind.PAUSE, "north is paused"), (CommandKind.DRAIN, "north is drained: no order of it lives")],
)
def test_who_is_paused_with_a_position_is_said_to_give_it_no_exits(db: Path, kind: CommandKind, told: str) -> None:
    async def play() -> None:
        async with a_running(db, settings_of(a_trader("north"))) as running:
            taken = await running.hand_in()
            await running.until(taken.signal_id, SignalState.DONE)
            done = await running.wish(kind, "north")
            assert done.result == f"{told}; 1 position gets no exits meanwhile"

    live(play())


def test_a_release_of_what_was_not_halted_says_so_and_a_second_halt_is_told_as_one(db: Path) -> None:
    async def play() -> None:
        async with a_running(db) as running:
            idle = await running.wish(CommandKind.RELEASE)
            assert (idle.state, idle.result) == (CommandState.DONE, "was not halted: nothing changed")
            await running.wish(CommandKind.HALT)
            again = await running.wish(CommandKind.HALT)
            assert again.result == "halted already: nothing is sent; no order was open"
            assert (await running.wish(CommandKind.RELEASE)).result == "released: orders are sent again"
            assert (await running.wish(CommandKind.RELEASE)).result == "was not halted: nothing changed"

    live(play())


def test_a_second_halt_cancels_what_is_open_by_then(db: Path) -> None:
    async def play() -> None:
        dark = a_trader("north", weather={"outages": [{"after_s": 5.0, "for_s": 10.0}]})
        async with a_running(db, settings_of(dark)) as running:
            signal_id = await an_open_order(running)
            await running.pass_time(6.0)
            await running.wish(CommandKind.HALT)
            again = await running.wish(CommandKind.HALT)
            assert again.result == "halted already: nothing is sent; 1 order is being cancelled"
            await running.until(signal_id, SignalState.CANCELLED)

    live(play())


def test_a_resume_of_a_trader_that_nothing_holds_says_that_it_runs_already(db: Path) -> None:
    async def play() -> None:
        async with a_running(db) as running:
            assert (await running.wish(CommandKind.RESUME, "north")).result == "north runs already: nothing changed"
            await running.wish(CommandKind.DRAIN, "north")
            assert (await running.wish(CommandKind.RESUME, "north")).result == "north runs"

    live(play())


@pytest.mark.parametrize("bind", ["force_open", "quarantine", "overfill"])
def test_a_resume_lifts_what_holds_a_trader_that_no_one_paused(db: Path, bind: str) -> None:
    async def play() -> None:
        async with a_running(db) as running:
            desk = running.engine._parts.desks["north"]
            if bind == "force_open":
                desk.exchange.force_open("the key was revoked")
            elif bind == "quarantine":
                running.engine._parts.health.quarantine("north")
            else:
                desk.account = desk.account.with_overfill("order v1 was filled 2, asked for were 1")
            await running.pass_time(1.0)
            assert (await running.wish(CommandKind.RESUME, "north")).result == "north runs"
            await running.pass_time(1.0)
            assert (await trader(running)).is_available
            assert not desk.account.overfills
            assert (await running.wish(CommandKind.RESUME, "north")).result == "north runs already: nothing changed"

    live(play())


def test_a_wish_that_is_refused_stands_in_the_journal_and_is_no_error(db: Path) -> None:
    async def play() -> None:
        async with a_running(db) as running:
            refused = await running.wish(CommandKind.PAUSE, "nobody")
            assert refused.state is CommandState.REFUSED
            store = running.engine.store
            assert [e.code for e in await store.events(0, 1_000) if e.code == "pause_refused"] == ["pause_refused"]
            assert not [e for e in await store.errors(None, 100) if e.code == "pause_refused"]

    live(play())
