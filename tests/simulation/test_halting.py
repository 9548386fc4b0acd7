"""Cancels and the kill switch against everything that is under way: what is to be cancelled is not sent, and nothing is forgotten."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.core.commands import CommandKind, CommandState, NewCommand
from engine.core.lifecycle import AttemptState, AttemptStep, SignalState, SignalStep
from engine.core.values import Reason
from engine.store.base import AttemptMove
from tests.support.decks import Running, a_running, a_trader, an_open_order, open_at_the_venue, settings_of
from tests.support.world import live

REFUSES = {"latency_s": 1.0, "latency_spread": 0, "refusal_rate": 1.0, "refusals": ["maintenance"]}
HANGS = {"outages": [{"after_s": 30.0, "for_s": 3_000.0, "every_s": 100_000.0, "hangs": True}]}


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "deck.sqlite"


@pytest.mark.parametrize("kind", [CommandKind.CANCEL, CommandKind.HALT])
def test_what_was_to_be_cancelled_while_its_order_was_out_goes_to_no_other_trader(db: Path, kind: CommandKind) -> None:
    async def play() -> None:
        async with a_running(db, settings_of(a_trader("north", weather=REFUSES), a_trader("south"))) as running:
            await running.pass_time(12)
            taken = await running.hand_in(trader="north")
            await running.until_attempt(taken.signal_id, AttemptState.INTENT)
            done = await running.wish(kind, taken.signal_id if kind is CommandKind.CANCEL else "")
            assert done.state is CommandState.DONE
            story = await running.until(taken.signal_id, SignalState.CANCELLED)
            assert story.signal.reason.code == "cancelled"
            if kind is CommandKind.HALT:
                await running.wish(CommandKind.RELEASE)
            await running.pass_time(20)
            story = await running.story(taken.signal_id)
            assert [(a.trader, a.state) for a in story.attempts] == [("north", AttemptState.REJECTED)]
            assert story.signal.state is SignalState.CANCELLED
            assert not running.venue_rows("SELECT 1 FROM paper_order")

    live(play())


def test_a_halt_answers_at_once_and_closes_what_other_venues_have_while_one_hangs(db: Path) -> None:
    async def play() -> None:
        traders = (a_trader("north", weather=HANGS), a_trader("south"))
        async with a_running(db, settings_of(*traders)) as running:
            await running.pass_time(12)
            stuck = [await an_open_order(running, trader="north", ttl=600) for _ in range(3)]
            free = await an_open_order(running, trader="south", ttl=600)
            await running.pass_time(40)
            began = running.deck.clock.elapsed()
            done = await running.wish(CommandKind.HALT)
            assert running.deck.clock.elapsed() - began < 1.0
            assert done.result == "halted: nothing is sent; 4 orders are being cancelled"
            await running.until(free, SignalState.CANCELLED, within_s=3.0)
            for signal_id in stuck:
                assert (await running.signal(signal_id)).cancel_requested

    live(play())


def test_an_operators_cancel_at_a_venue_that_hangs_says_so_and_holds_up_no_other_wish(db: Path) -> None:
    async def play() -> None:
        async with a_running(db, settings_of(a_trader("north", weather=HANGS))) as running:
            await running.pass_time(12)
            signal_id = await an_open_order(running, ttl=600)
            await running.pass_time(40)
            began = running.deck.clock.elapsed()
            done = await running.wish(CommandKind.CANCEL, signal_id)
            assert done.state is CommandState.DONE
            assert "has not answered the cancel" in done.result
            assert running.deck.clock.elapsed() - began < 3.0

    live(play())


def test_a_halt_tells_of_orders_in_review_and_one_that_is_attached_then_is_closed(db: Path) -> None:
    async def play() -> None:
        async with a_running(db, settings_of(a_trader("north"))) as running:
            await running.pass_time(12)
            signal_id = await an_open_order(running, ttl=600)
            attempt = (await running.story(signal_id)).attempts[-1]
            reason = Reason("needs_review", "the venue said something odd")
            move = AttemptMove(
                attempt.client_order_id, AttemptState.ACCEPTED, AttemptStep.ESCALATE, running.deck.clock.wall(), None, (),
                signal_step=SignalStep.ESCALATE, signal_reason=reason,
            )  # fmt: skip
            await running.engine.store.move_attempts([move])
            done = await running.wish(CommandKind.HALT)
            assert done.result == (
                "halted: nothing is sent; no order was open; 1 order is in review and may be open: look at north"
            )
            args = {"venue_order_id": attempt.venue_order_id}
            done = await running.wish(CommandKind.ATTACH, signal_id, args=args, why="seen there")
            assert done.state is CommandState.DONE
            await running.until(signal_id, SignalState.CANCELLED)
            assert open_at_the_venue(running) == 0

    live(play())


def test_a_cancel_of_a_signal_in_review_is_noted_until_the_review_is_answered(db: Path) -> None:
    async def play() -> None:
        async with a_running(
            db, settings_of(a_trader("north", weather={"lost_before_rate": 1.0, "lost_reads": False}))
        ) as running:
            taken = await running.hand_in(ttl=600)
            story = await running.until_attempt(taken.signal_id, AttemptState.UNKNOWN)
            attempt = story.attempts[-1]
            move = AttemptMove(
                attempt.client_order_id, AttemptState.UNKNOWN, AttemptStep.ESCALATE, running.deck.clock.wall(), None, (),
                signal_step=SignalStep.ESCALATE, signal_reason=Reason("needs_review", "beyond proof"),
            )  # fmt: skip
            await running.engine.store.move_attempts([move])
            done = await running.wish(CommandKind.CANCEL, taken.signal_id)
            assert "once its review is answered" in done.result
            await running.wish(CommandKind.DECLARE_ABSENT, taken.signal_id, why="not in the venue's list")
            story = await running.until(taken.signal_id, SignalState.FAILED, SignalState.CANCELLED)
            assert len(story.attempts) == 1

    live(play())


def test_an_order_of_a_trader_that_is_gone_is_named_by_a_halt_which_closes_all_others(db: Path) -> None:
    async def play() -> None:
        async with a_running(db, settings_of(a_trader("north"), a_trader("south"))) as running:
            await running.pass_time(12)
            await an_open_order(running, trader="north", ttl=600)
        async with a_running(db, settings_of(a_trader("south"))) as running:
            await running.pass_time(12)
            other = await an_open_order(running, trader="south", ttl=600)
            done = await running.wish(CommandKind.HALT)
            assert done.state is CommandState.DONE
            assert "1 order is not looked after, close them at north" in done.result
            await running.until(other, SignalState.CANCELLED, within_s=3.0)

    live(play())


async def left_over(running: Running, kind: CommandKind, target: str = "", **given: Any) -> None:
    """Keep a wish as an engine does that ends before it obeys."""
    at = given.pop("at", running.deck.clock.wall())
    await running.engine.store.post(NewCommand(f"left/{kind}", kind, "ann", at, target, **given))


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (CommandKind.RELEASE, CommandKind.HALT, True),
        (CommandKind.HALT, CommandKind.RELEASE, False),
        (CommandKind.HALT, None, True),
        (CommandKind.RELEASE, None, False),
    ],
)
def test_of_the_kill_switch_the_last_word_holds_over_a_start(
    db: Path, old: CommandKind, new: CommandKind | None, *, wanted: bool
) -> None:
    async def play() -> None:
        async with a_running(db, settings_of(a_trader("north"))) as running:
            await running.pass_time(1)
            if CommandKind.RELEASE in {old, new}:
                await running.wish(CommandKind.HALT)
            await running.pass_time(1)
            await left_over(running, old)
            await running.pass_time(1)
            if new is not None:
                await running.wish(new)
            if old is CommandKind.RELEASE and new is None:
                await running.wish(CommandKind.RELEASE)
        async with a_running(db, settings_of(a_trader("north"))) as running:
            assert (await running.engine.store.switches()).halted is wanted
            assert not await running.engine.store.posted()

    live(play())


def test_a_release_that_changes_nothing_is_a_later_word_than_a_halt_that_was_left_over(db: Path) -> None:
    async def play() -> None:
        async with a_running(db, settings_of(a_trader("north"))) as running:
            await left_over(running, CommandKind.HALT)
            await running.pass_time(1)
            await running.wish(CommandKind.RELEASE)
        async with a_running(db, settings_of(a_trader("north"))) as running:
            assert not (await running.engine.store.switches()).halted

    live(play())


def test_an_old_resume_does_not_undo_a_later_pause_and_an_old_pause_not_a_later_resume(db: Path) -> None:
    async def play() -> None:
        settings = settings_of(a_trader("north"), a_trader("south"))
        async with a_running(db, settings) as running:
            await left_over(running, CommandKind.RESUME, "north")
            await left_over(running, CommandKind.PAUSE, "south")
            await running.pass_time(1)
            await running.wish(CommandKind.PAUSE, "north")
            await running.wish(CommandKind.RESUME, "south")
        async with a_running(db, settings) as running:
            wanted = {state.name: state.desired.value for state in await running.engine.store.traders()}
            assert wanted == {"north": "pause", "south": "run"}

    live(play())


def test_a_retry_that_was_left_over_is_not_obeyed_and_says_so(db: Path) -> None:
    async def play() -> None:
        settings = settings_of(a_trader("north"))
        async with a_running(db, settings) as running:
            await running.wish(CommandKind.PAUSE, "north")
            taken = await running.hand_in(ttl=5)
            await running.until(taken.signal_id, SignalState.EXPIRED)
            await running.wish(CommandKind.RESUME, "north")
            at = running.deck.clock.wall() - timedelta(days=3)
            await left_over(running, CommandKind.RETRY, taken.signal_id, at=at)
        async with a_running(db, settings) as running:
            await running.pass_time(20)
            assert (await running.signal(taken.signal_id)).state is SignalState.EXPIRED
            said = [e.text for e in await running.engine.store.events(0, 1_000) if e.code == "retry_refused"]
            assert len(said) == 1
            assert "say it again" in said[0]

    live(play())


def test_a_cancel_that_was_left_over_is_obeyed_unless_the_signal_was_put_back_since(db: Path) -> None:
    async def play() -> None:
        settings = settings_of(a_trader("north"))
        async with a_running(db, settings) as running:
            await running.wish(CommandKind.PAUSE, "north")
            first, second = await running.hand_in(ttl=600), await running.hand_in(ttl=5)
            await running.until(second.signal_id, SignalState.EXPIRED)
            await left_over(running, CommandKind.CANCEL, first.signal_id)
            at = running.deck.clock.wall()
            await running.engine.store.post(NewCommand("other", CommandKind.CANCEL, "ann", at, second.signal_id))
            await running.pass_time(1)
            await running.wish(CommandKind.RETRY, second.signal_id)
        async with a_running(db, settings) as running:
            assert (await running.signal(first.signal_id)).state is SignalState.CANCELLED
            assert (await running.signal(second.signal_id)).state is SignalState.WAITING

    live(play())
