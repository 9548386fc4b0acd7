"""A whole engine with paper money at the prices of three exchanges, of which two ail: what trades, and who is told what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.core.board import Board, ExecutionStatus
from engine.core.events import EventKind, Level
from engine.core.feeds import REMEDIES, FeedState
from engine.core.lifecycle import SignalState
from engine.core.values import Mode
from engine.settings import Settings
from engine.store.base import BoardLimits
from engine.wiring import Plan, build
from tests.support.decks import Running, settings_of
from tests.support.price_feeds import EMPTY, SYMBOLS, feed_settings, in_real_time, says
from tests.support.venue.control import Control
from tests.support.venue.server import a_venue
from tui.dossiers import error_sections, readiness_sections
from tui.statusline import line

pytestmark = pytest.mark.waits


@pytest.fixture
def venues() -> Iterator[dict[str, Control]]:
    with ExitStack() as running:
        yield {name: running.enter_context(a_venue(name)) for name in SYMBOLS}


def a_paper_desk(venues: dict[str, Control]) -> Settings:
    feeds = [feed_settings(venue, stale_after_s=2.0) for venue in venues.values()]
    return settings_of(market={"source": "ccxt", "feeds": feeds, "candles": {"interval_s": 2}})


async def told(running: Running) -> tuple[ExecutionStatus, Board]:
    status = await running.engine.diagnose()
    await running.deck.engine._parts.keeper.step()
    return status, await running.engine.store.board(running.deck.clock.wall(), BoardLimits())


def test_each_ailment_is_told_from_the_others_everywhere_and_only_live_prices_are_traded_on(
    venues: dict[str, Control], tmp_path: Path
) -> None:
    async def play() -> None:
        venues["kraken"].script("any", "connection closed before processing", None)
        venues["coinbase"].script("prices", says(EMPTY["coinbase"]), None)
        deck = build(Plan(a_paper_desk(venues), Mode.PAPER, tmp_path / "deck.sqlite"))
        try:
            await deck.engine.start()
            running = Running(deck)
            wanted = {"binance": FeedState.LIVE, "kraken": FeedState.DEAD, "coinbase": FeedState.STALE}
            await until_states(running, wanted)
            good = await running.hand_in(symbol="BTC/USDT")
            refused = await running.hand_in(symbol="BTC/USD")
            story = await running.until(good.signal_id, SignalState.DONE)
            price = story.attempts[0].average_price
            assert price is not None
            assert 49_000 < price < 51_000, "paper money, real prices"
            waiting = await running.signal(refused.signal_id)
            assert waiting.state is SignalState.WAITING
            assert waiting.reason is not None
            assert waiting.reason.code == "no_price"
            await check_words(running, wanted)
            for name in ("kraken", "coinbase"):
                venues[name].clear()
            venues["binance"].script("prices", "HTTP 200 with HTML, processed", None)
            venues["kraken"].skew(20)
            wanted = {"binance": FeedState.GARBAGE, "kraken": FeedState.CLOCK_OFF, "coinbase": FeedState.LIVE}
            await until_states(running, wanted)
            await check_words(running, wanted)
        finally:
            await deck.engine.stop()

    in_real_time(play())


async def until_states(running: Running, wanted: dict[str, FeedState]) -> None:
    parts, clock = running.engine._parts, running.deck.clock
    ends = clock.elapsed() + 60.0
    while {venue.name: venue.state for venue in parts.feed.facts().venues} != wanted:
        assert clock.elapsed() < ends, parts.feed.facts().venues
        await running.pass_time(0.05)
    while True:  # the journal follows within a second
        events = [e for e in await running.engine.store.events(0, 500) if e.kind is EventKind.FEED]
        last = {event.text.split()[1]: event.to_state for event in events}
        if all(last.get(name) == state for name, state in wanted.items()):
            return
        assert clock.elapsed() < ends, events
        await running.pass_time(0.05)


async def check_words(running: Running, wanted: dict[str, FeedState]) -> None:
    ailing = [name for name, state in wanted.items() if state is not FeedState.LIVE]
    ends = running.deck.clock.elapsed() + 30.0
    while True:  # on a busy machine a feed that is well can be late for a moment: all must tell of the same one
        status, board = await told(running)
        gates = {check.gate: check for check in status.checks}
        alerts = {a.subject for a in board.alerts if a.rule == "feed_stale" and a.resolved_at is None}
        beaten = {feed.name: feed.state for feed in board.engine.feeds} if board.engine else {}
        are_ok = all(gates[f"feed {name}"].ok == (state is FeedState.LIVE) for name, state in wanted.items())
        if alerts >= set(ailing) and beaten == wanted and are_ok:
            break
        assert running.deck.clock.elapsed() < ends, (board.alerts, beaten, gates)
        await running.pass_time(0.1)
    diagnosis = "\n".join(s.plain for s in readiness_sections(status, running.deck.clock.wall()))
    status_line = line(board, running.deck.clock.wall(), 200).plain
    for name, state in wanted.items():
        shown, gate = state.replace("_", " "), gates[f"feed {name}"]
        if state is FeedState.LIVE:
            assert gate.ok
            assert f"{name} {shown}" not in status_line
            continue
        assert not gate.ok
        assert gate.fact.startswith(f"{shown}: ")
        assert gate.remedy == REMEDIES[state]
        assert f"{shown}: " in diagnosis
        assert gate.remedy in diagnosis
        [newest, *_] = [e for e in board.errors if e.kind is EventKind.FEED and f"feed {name} " in e.text]
        assert newest.text.startswith(f"feed {name} is {shown}: ")
        assert newest.level is Level.WARNING
        assert gate.remedy in "\n".join(section.plain for section in error_sections(newest))
    assert f"feed {ailing[0]} {wanted[ailing[0]].replace('_', ' ')} +1" in status_line
