"""The reader of the past: what it shows beside the law, what it leaves empty, and that the file is left alone."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Coroutine
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.clock import run_on
from engine.core import health
from engine.core.board import EngineFacts, EngineState
from engine.core.errors import BadInput, NotThere
from engine.core.events import (
    Alert,
    AlertState,
    BreakerState,
    Desired,
    EventKind,
    Health,
    Level,
    Severity,
    TraderState,
)
from engine.core.lifecycle import AttemptState, AttemptStep, SignalState, SignalStep
from engine.core.values import Candle, Mode, Reason
from engine.store.base import BoardLimits, Retention, TraderHealth
from engine.store.sqlite import SqliteStore
from engine.store.sqlite.past.lives import NOT_KEPT
from engine.store.sqlite.past.reader import PastReader
from tests.support.builders import NOW, a_fill, a_signal, a_signal_move, an_attempt_move, an_event, an_intent
from tests.support.store import an_open_store

LIMITS = BoardLimits()


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "deck.sqlite"


def play(scene: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=run_on(None)) as runner:
        runner.run(scene)


@asynccontextmanager
async def the_past(db: Path, **given: Any) -> Any:
    past = PastReader(db, inline=True, **given)
    try:
        yield past
    finally:
        await past.close()


async def last(store: SqliteStore) -> int:
    (event,) = await store.journal(None, 1)
    return event.seq


def digest(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def test_the_file_of_a_running_engine_is_read_and_left_as_it_is(db: Path) -> None:
    async def scene() -> None:
        async with an_open_store(db) as store, the_past(db) as past:
            await store.put_signals([a_signal("a")])
            before = digest(db.parent)
            await past.board(NOW, LIMITS)
            await past.go(1)
            assert {k: v for k, v in digest(db.parent).items() if not k.endswith("-shm")} == {
                k: v for k, v in before.items() if not k.endswith("-shm")
            }
            await store.put_signals([a_signal("b")])  # the writer is not held up, and what it adds can be gone to
            await past.go(await last(store))
            assert [row.id for row in (await past.board(NOW, LIMITS)).queue] == ["b", "a"]

    play(scene())


def test_nothing_that_came_after_the_moment_is_told(db: Path) -> None:
    async def scene() -> None:
        async with an_open_store(db) as store:
            await store.put_signals([a_signal("aaaa1")])
            await store.note([an_event("early", kind=EventKind.TRADER, trader="north", level=Level.WARNING)])
            moment = await last(store)
            await store.put_signals([a_signal("aaaa2"), a_signal("aaaa1")])  # the second is handed in again
            await store.note([an_event("late", kind=EventKind.TRADER, trader="north", level=Level.ERROR)])
            async with the_past(db) as past:
                await past.go(moment)
                assert [e.text for e in await past.errors(None, 9)] == ["early"]
                assert [e.text for e in await past.events(0, 99, Level.WARNING)] == ["early"]
                assert [e.text for e in await past.turns("north", 9)] == ["early"]
                assert max(e.seq for e in await past.journal(None, 99)) == moment
                assert max(e.seq for e in await past.events(0, 99)) == moment
                assert await past.event(moment + 1) is None
                assert await past.story("aaaa2") is None
                story = await past.story("aaaa")  # one alone begins so, then
                assert story is not None
                assert [e.kind for e in story.events] == [EventKind.RECEIVED]

    play(scene())


def test_a_story_of_a_signal_that_is_too_old_for_the_lists_is_fetched(db: Path) -> None:
    async def scene() -> None:
        async with an_open_store(db) as store:
            await store.put_signals([a_signal(f"{n:05}") for n in range(20)])
            for n in range(20):
                signal = await store.signal(f"{n:05}")
                assert signal is not None
                if n != 7:
                    await store.move_signals([a_signal_move(signal, SignalStep.REJECT)])
            moment = await last(store)
            await store.note([an_event(str(n)) for n in range(3)])
            async with the_past(db, signals_max=5) as past:
                await past.go(moment)
                listed = {row.id for row in (await past.board(NOW, LIMITS)).queue}
                assert listed == {"00015", "00016", "00017", "00018", "00019", "00007"}  # and what was still open
                story = await past.story("00003")
                assert story is not None
                assert story.signal.state is SignalState.REJECTED
                totals = await past.totals()
                assert totals.signals_by_state == {"new": 1, "rejected": 19}
                assert totals.received == 20
                with pytest.raises(BadInput, match="more than one"):
                    await past.story("0000")

    play(scene())


def test_an_older_journal_gives_the_states_and_says_that_it_does_not_hold_the_reasons(db: Path) -> None:
    async def scene() -> None:
        async with an_open_store(db) as store:
            await store.put_signals([a_signal("a")])
            signal = await store.signal("a")
            assert signal is not None
            intent = an_intent(signal)
            await store.commit_intents([intent])
            ended = an_attempt_move(
                intent.request,
                AttemptState.INTENT,
                AttemptStep.REFUSE,
                signal_step=SignalStep.REQUEUE,
                signal_reason=Reason("again", "tried again"),
                due_at=NOW,
            )
            await store.move_attempts([ended])
            moment = await last(store)
            signal = await store.signal("a")
            assert signal is not None
            await store.commit_intents([an_intent(signal, n=2)])
        with closing(sqlite3.connect(db)) as file:
            file.execute("DROP TRIGGER event_stays")
            file.execute("UPDATE event SET detail = '{}'")
            file.execute("UPDATE event SET from_state = 'waiting' WHERE kind = 'intent' AND attempt_n = 2")
            file.commit()
        async with the_past(db) as past:
            await past.go(moment)
            (row,) = (await past.board(NOW, LIMITS)).queue
            assert (row.state, row.reason_code, row.attempts) == ("waiting", NOT_KEPT, 1)
            assert "does not say" in row.reason

    play(scene())


def test_what_was_held_is_added_up_where_an_older_journal_does_not_tell_it(db: Path) -> None:
    async def scene() -> None:
        async with an_open_store(db) as store:
            for name in ("a", "b"):
                await store.put_signals([a_signal(name)])
                signal = await store.signal(name)
                assert signal is not None
                intent = an_intent(signal)
                await store.commit_intents([intent])
                filled = an_attempt_move(
                    intent.request,
                    AttemptState.INTENT,
                    AttemptStep.FILL,
                    fills=(a_fill(name),),
                    signal_step=SignalStep.COMPLETE,
                )
                await store.move_attempts([filled])
                if name == "a":
                    moment, held = await last(store), await store.positions()
        with closing(sqlite3.connect(db)) as file:
            file.execute("DROP TRIGGER event_stays")
            file.execute("UPDATE event SET detail = '{}' WHERE kind = 'position'")
            file.commit()
        async with the_past(db) as past:
            await past.go(moment)
            assert list((await past.board(NOW, LIMITS)).positions) == held

    play(scene())


def test_who_paused_what_was_down_and_why_is_told_as_it_was_said(db: Path) -> None:
    async def scene() -> None:
        async with an_open_store(db) as store:
            await store.declare_traders({"north": "paper"})
            up = TraderState("north", "paper")
            down = replace(
                up,
                health=Health.DOWN,
                health_fact="no answer",
                breaker=BreakerState.OPEN,
                breaker_fact="5 of 8",
                open_until=NOW + timedelta(seconds=30),
                latency_p50=0.2,
            )
            await store.note_health([TraderHealth(down, tuple(health.transitions(up, down, NOW)))])
            await store.set_desired("north", Desired.PAUSE, "ada", "lunch", NOW)
            moment = await last(store)
            await store.set_desired("north", Desired.RUN, "bob", "", NOW)
            await store.note_health([TraderHealth(up, tuple(health.transitions(down, up, NOW)))])
            async with the_past(db) as past:
                await past.go(moment)
                (north,) = await past.traders()
                assert (north.desired, north.desired_by, north.desired_why) == (Desired.PAUSE, "ada", "lunch")
                assert (north.health, north.health_fact, north.health_since) == (Health.DOWN, "no answer", NOW)
                assert (north.breaker_fact, north.open_until) == ("5 of 8", NOW + timedelta(seconds=30))
                assert north.latency_p50 is None, "no event tells of it"

    play(scene())


def test_how_a_trader_stood_does_not_change_with_what_a_later_start_found_out_anew(db: Path) -> None:
    unchecked = TraderState("north", "paper")
    up = replace(unchecked, health=Health.UP)
    turned = TraderHealth(up, tuple(health.transitions(unchecked, up, NOW)))

    async def health_at(moment: int) -> Health:
        async with the_past(db) as past:
            await past.go(moment)
            [north] = await past.traders()
            return Health(north.health)

    async def scene() -> None:
        async with an_open_store(db) as store:
            await store.declare_traders({"north": "paper"})
            await store.note_health([turned])
            await store.note([an_event("all is well", at=NOW)])
            before = await last(store)
        assert await health_at(before) is Health.UP
        async with an_open_store(db) as store:
            await store.note([an_event("started again", at=NOW)])
            between = await last(store)
            await store.note_health([turned])
        assert await health_at(before) is Health.UP
        assert await health_at(between) is Health.UNCHECKED

    play(scene())


def test_a_drain_is_told_apart_from_a_pause_as_it_was_said(db: Path) -> None:
    async def scene() -> None:
        async with an_open_store(db) as store:
            await store.declare_traders({"north": "paper"})
            moments = []
            for wish in (Desired.DRAIN, Desired.PAUSE, Desired.RUN):
                await store.set_desired("north", wish, "ada", "", NOW)
                moments.append((wish, await last(store)))
            async with the_past(db) as past:
                for wish, moment in moments:
                    await past.go(moment)
                    (north,) = await past.traders()
                    assert north.desired is wish

    play(scene())


def test_only_candles_that_had_closed_are_seen(db: Path) -> None:
    async def scene() -> None:
        async with an_open_store(db) as store:
            now_ms = int(NOW.timestamp() * 1000)
            kept = [Candle("X/Y", now_ms + n * 10_000, 10_000, 1, 2, 1, 2, 1) for n in (-2, -1, 0)]
            await store.keep_candles(kept)
            await store.note([an_event("the third candle is half done", at=NOW + timedelta(seconds=5))])
            moment = await last(store)
            async with the_past(db) as past:
                await past.go(moment)
                hour = timedelta(hours=1)
                assert await past.candles("X/Y", NOW - hour, NOW + hour, 9) == kept[:2]
                assert await past.candles("X/Y", NOW - hour, NOW + hour, 1) == kept[1:2], "the newest that had closed"
                assert await past.symbols() == ["X/Y"]

    play(scene())


def test_an_alert_has_the_words_with_which_it_was_raised(db: Path) -> None:
    async def scene() -> None:
        async with an_open_store(db) as store:
            raised = Alert(0, "slow", "north", Severity.WARNING, AlertState.ACTIVE, "70 s", "look", NOW, NOW)
            told = {"rule": "slow", "subject": "north"}
            event = an_event("slow: 70 s", kind=EventKind.ALERT, code="alert_raised", detail=told)
            kept = await store.save_alert(raised, event)
            moment = await last(store)
            await store.save_alert(replace(kept, text="600 s"), None)
            await store.note([an_event("later")])
            async with the_past(db) as past:
                await past.go(moment)
                assert [a.text for a in await past.alerts(resolved=False, limit=9)] == ["70 s"]

    play(scene())


def test_the_engine_is_as_the_journal_tells_of_it(db: Path) -> None:
    async def scene() -> None:
        facts = EngineFacts(Mode.LIVE, EngineState.RUNNING, 1, 77, NOW, NOW, NOW, feed="venue", candles=9)
        async with an_open_store(db) as store:
            await store.beat(facts)
            running = await last(store)
            await store.set_halted(True, "ada", "smoke", NOW)
            halted = await last(store)
            await store.set_halted(False, "ada", "", NOW)
            await store.note([an_event("stopped in order", code="stopped")])
            stopped = await last(store)
            async with the_past(db) as past:
                for seq, state, by in ((running, "running", ""), (halted, "halted", "ada"), (stopped, "stopped", "")):
                    await past.go(seq)
                    engine = (await past.board(NOW, LIMITS)).engine
                    assert engine is not None
                    assert (engine.mode, engine.state.value, engine.halted_by) == (Mode.LIVE, state, by)
                    assert (engine.feed, engine.candles, engine.pid) == ("", 0, 0), "not kept, so not shown"
                assert await past.readiness() is None

    play(scene())


def test_the_ends_of_the_journal_bound_every_way_and_a_time_finds_its_entry(db: Path) -> None:
    async def scene() -> None:
        async with an_open_store(db) as store:
            await store.note([an_event(str(n), at=NOW + timedelta(minutes=n)) for n in range(1, 10)])
            later = NOW + timedelta(days=40, seconds=30)
            await store.prune(later, Retention(events_days=40), 4)
            async with the_past(db) as past:
                span = await past.span()
                assert (span.first.seq, span.last.seq) == (2, 10)
                assert (await past.go(1)).seq == 2
                assert (await past.go(99)).seq == 10
                found = await past.find(NOW + timedelta(minutes=4, seconds=30))
                assert found is not None
                assert (await past.event(found.seq)).text == "4"
                assert await past.find(NOW - timedelta(days=1)) is None

    play(scene())


def test_where_nothing_has_happened_there_is_no_past(db: Path) -> None:
    async def scene() -> None:
        async with the_past(db) as past:
            with pytest.raises(NotThere, match="no store is at"):
                await past.span()

    play(scene())
