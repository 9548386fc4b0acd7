"""What an operator can read: why no other trader was used, why one was, and how each account stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.core.commands import CommandKind
from engine.core.lifecycle import AttemptState, SignalState
from tests.support.decks import Running, a_running, a_trader, settings_of
from tests.support.world import live
from tui.stories import sections

LOSES_REQUESTS = {"lost_before_rate": 1.0, "lost_reads": False}


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "deck.sqlite"


async def traders_of(running: Running, signal_id: str) -> dict[str, str]:
    """Return what the story's screen says of each trader."""
    story = await running.story(signal_id)
    shown = next(s for s in sections(story, running.deck.clock.wall()) if s.key == "traders")
    return {row.label.text.partition(" ")[2]: "".join(cell.text for cell in row.body) for row in shown.rows}


async def checks_of(running: Running) -> Mapping[str, str]:
    return {check.gate: check.fact for check in (await running.engine.diagnose()).checks}


def test_while_an_outcome_is_unknown_it_is_told_why_no_other_trader_is_used(db: Path) -> None:
    async def play() -> None:
        async with a_running(db, settings_of(a_trader("north", weather=LOSES_REQUESTS), a_trader("south"))) as running:
            taken = await running.hand_in(trader="north")
            story = await running.until_attempt(taken.signal_id, AttemptState.UNKNOWN)
            told = await traders_of(running, taken.signal_id)
            assert told["south"] == (
                "not used: the outcome of attempt 1 at north is unknown, and a second order might double it"
            )
            assert told["north"] == "chosen: preferred"
            [lost] = [e for e in story.events if e.to_state == AttemptState.UNKNOWN]
            assert lost.text.endswith("no other trader is used before it is proven")
            outcomes = (await checks_of(running))["outcomes"]
            assert outcomes.startswith("1 unknown")
            assert "no other trader is used" in outcomes

    live(play())


def test_after_proof_it_is_told_that_another_trader_is_a_fallback_and_what_the_proof_was(db: Path) -> None:
    async def play() -> None:
        async with a_running(db, settings_of(a_trader("north", weather=LOSES_REQUESTS), a_trader("south"))) as running:
            taken = await running.hand_in(trader="north")
            story = await running.until(taken.signal_id, SignalState.DONE)
            assert [a.trader for a in story.attempts] == ["north", "south"]
            told = await traders_of(running, taken.signal_id)
            assert told["south"] == (
                "chosen: fallback after proof: the attempt at north is proven never to have reached the venue"
            )
            assert told["north"].startswith("its attempt is proven never to have reached the venue")
            assert "no other trader" not in (await checks_of(running))["outcomes"]

    live(play())


def test_a_traders_attempts_are_counted_in_the_diagnosis_as_on_the_dashboard(db: Path) -> None:
    async def play() -> None:
        async with a_running(db, settings_of(a_trader("north", weather=LOSES_REQUESTS), a_trader("south"))) as running:
            taken = await running.hand_in(trader="north")
            await running.until(taken.signal_id, SignalState.DONE)
            checks = await checks_of(running)
            assert checks["trader north"].endswith("0 of 1 attempts succeeded")
            assert checks["trader south"].endswith("1 of 1 attempts succeeded")

    live(play())


def test_how_long_the_oldest_signal_waits_is_told_although_it_is_not_due(db: Path) -> None:
    async def play() -> None:
        async with a_running(db, settings_of(a_trader("north"))) as running:
            await running.wish(CommandKind.HALT)
            await running.hand_in(ttl=600)
            await running.pass_time(45)
            fact = (await checks_of(running))["queue"]
            assert re.search(r"1 signal waits, the oldest for 4[5-7] s", fact), fact

    live(play())


def test_each_account_is_audited_soon_and_what_is_known_of_it_reaches_the_store(db: Path) -> None:
    async def play() -> None:
        async with a_running(db, settings_of(a_trader("north", shorting=False))) as running:
            taken = await running.hand_in()
            await running.until(taken.signal_id, SignalState.DONE)
            await running.pass_time(30)
            checks = await checks_of(running)
            assert checks["venue north"].startswith(
                "when an answer is lost it proves absence after the venue's own deadline; fence absolute"
            )
            assert checks["account north"].startswith("agrees with the store as of ")
            [row] = await running.engine.store.traders()
            assert row.account.audited_at is not None
            assert row.account.venue is not None
            assert row.account.venue.note == "paper money"
            assert row.account.external_count == 0
            assert not row.account.troubles

    live(play())
