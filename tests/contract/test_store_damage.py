"""A damaged file: an unreadable entry of the journal hides no other one, and damage that money hangs on stays loud."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.core.board import Board, EngineFacts, EngineState
from engine.core.errors import StoreBroken
from engine.core.events import Desired, EventKind, Level
from engine.core.lifecycle import AttemptState, AttemptStep, SignalStep
from engine.core.values import Mode
from engine.store.base import BoardLimits, Reader
from engine.store.sqlite import SqliteReader
from engine.store.sqlite.codec import DEPTH_MAX, UNREADABLE, UNREADABLE_CHARS, detail_of
from engine.store.sqlite.past.reader import PastReader
from tests.support.builders import NOW, a_fill, a_signal, an_attempt_move, an_event, an_intent
from tests.support.damage import damage
from tests.support.store import an_open_store, play

LAST = 2**63 - 1


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Return a store in which a trader was paused, an order was filled, a switch was turned and something broke."""
    path = tmp_path / "deck.sqlite"

    async def scene() -> None:
        async with an_open_store(path) as store:
            await store.declare_traders({"trader_north": "paper"})
            await store.beat(EngineFacts(Mode.PAPER, EngineState.RUNNING, 1, 1, NOW, NOW, NOW))
            await store.put_signals([a_signal("aaaa")])
            signal = await store.signal("aaaa")
            assert signal is not None
            intent = an_intent(signal)
            await store.commit_intents([intent])
            steps = {"fills": (a_fill(),), "signal_step": SignalStep.COMPLETE}
            await store.move_attempts([an_attempt_move(intent.request, AttemptState.INTENT, AttemptStep.FILL, **steps)])
            await store.set_desired("trader_north", Desired.PAUSE, "ada", "lunch", NOW)
            await store.set_halted(True, "ada", "smoke", NOW)
            broken = {"level": Level.ERROR, "code": "broken", "detail": {"remedy": "look"}}
            await store.note([an_event("the disk is full", **broken), an_event("and went on")])

    play(scene())
    return path


@asynccontextmanager
async def a_reader(kind: type[SqliteReader] | type[PastReader], db: Path) -> AsyncIterator[Any]:
    reader = kind(db, inline=True)
    try:
        yield reader
    finally:
        await reader.close()


def look(db: Path, scene: Callable[[Any], Awaitable[None]], kind: type[SqliteReader] | type[PastReader]) -> None:
    async def act() -> None:
        async with a_reader(kind, db) as reader:
            await scene(reader)

    play(act())


async def shown(reader: Reader) -> Board:
    return await reader.board(NOW, BoardLimits())


BOTH = pytest.mark.parametrize("kind", [SqliteReader, PastReader])


@BOTH
@pytest.mark.parametrize("found", ["{not json", "[1]", "7", "null", "", "[" * 100_000, "1" * 5_000, '{"a":' * 900])
def test_a_detail_that_is_none_is_said_to_be_unreadable_wherever_its_entry_is_shown(
    db: Path, kind: type[SqliteReader], found: str
) -> None:
    damage(db, f"UPDATE event SET detail = '{found}'")

    async def scene(reader: Reader) -> None:
        board = await shown(reader)
        assert [e.text for e in board.errors] == ["the disk is full"]
        story = await reader.story("aaaa")
        assert story is not None
        entries = (
            *board.errors,
            *story.events,
            *await reader.journal(None, 99),
            *await reader.turns("trader_north", 9),
        )
        assert {EventKind.RECEIVED, EventKind.INTENT, EventKind.ENGINE, EventKind.TRADER} <= {e.kind for e in entries}
        for entry in (*entries, await reader.event(1)):
            assert entry is not None
            assert list(entry.detail) == [UNREADABLE]
            assert str(entry.detail[UNREADABLE]).startswith(found[:9])
        assert board.engine is not None
        assert [t.desired for t in board.traders] == [Desired.PAUSE]
        assert [str(p.quantity) for p in board.positions] == ["0.001"]

    look(db, scene, kind)


def test_what_was_found_instead_of_a_detail_is_cleaned_and_cut() -> None:
    hostile = detail_of("\x1b]0;owned\x07\x1b[2J" + "x" * 9_000)
    assert hostile == {UNREADABLE: "x" * (UNREADABLE_CHARS - 1) + "…"}


def test_a_detail_nested_deeper_than_anybody_could_print_is_unreadable_and_a_long_one_is_not() -> None:
    deep = '{"a":' * (DEPTH_MAX + 1) + "1" + "}" * (DEPTH_MAX + 1)
    assert list(detail_of(deep)) == [UNREADABLE]
    long = {"considered": [{"trader": f"t{n}", "why": []} for n in range(DEPTH_MAX * 3)]}
    assert detail_of(json.dumps(long)) == long


@BOTH
@pytest.mark.parametrize("wrong", ["kind = 'zombie'", "level = 35", "at = 9000000000000000000"])
def test_an_entry_of_no_known_kind_level_or_time_is_an_error_in_its_own_place(
    db: Path, kind: type[SqliteReader], wrong: str
) -> None:
    damage(db, f"UPDATE event SET {wrong} WHERE text = 'the disk is full'")

    async def scene(reader: Reader) -> None:
        (error,) = (await shown(reader)).errors
        assert (error.kind, error.level, error.code) == (EventKind.STORE, Level.ERROR, UNREADABLE)
        assert error.text == f"entry {error.seq} of the journal cannot be read"
        assert "the disk is full" in str(error.detail[UNREADABLE])
        texts = [e.text for e in await reader.journal(None, 99)]
        assert texts[:2] == ["and went on", error.text]

    look(db, scene, kind)


@pytest.mark.parametrize(
    "wrong",
    [
        "UPDATE attempt SET quantity = 'much'",
        "UPDATE attempt SET evidence = '{not json'",
        "UPDATE attempt SET side = 'buy', send_by = 9000000000000000000",
        "UPDATE signal SET votes = '[1]'",
        "UPDATE signal SET price = 'much'",
        "UPDATE fill SET price = 'abc'",
    ],
)
def test_a_damaged_signal_attempt_or_trade_is_an_error_and_never_passed_over(db: Path, wrong: str) -> None:
    damage(db, wrong)

    async def scene(reader: Reader) -> None:
        with pytest.raises(StoreBroken, match="cannot be read"):
            await reader.story("aaaa")

    look(db, scene, SqliteReader)


def test_the_engine_itself_stumbles_over_a_damaged_attempt(db: Path) -> None:
    damage(db, "UPDATE attempt SET evidence = '{not json'")

    async def scene() -> None:
        async with an_open_store(db) as store:
            with pytest.raises(ValueError, match="Expecting"):
                await store.attempts(0, 9)

    play(scene())


# the past

NEWS = "json_set(detail, '$.signal.state', 'waiting', '$.signal.due_at',"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (f"detail = {NEWS} '2026-01-01T00:00:00')", "is no time in UTC"),
        (f"detail = {NEWS} 'never')", "is no time in UTC"),
        ("detail = json_set(detail, '$.signal.state', json('[1]'))", "cannot be told"),
    ],
)
def test_what_an_entry_says_of_its_signal_is_read_or_the_entry_is_named(db: Path, wrong: str, says: str) -> None:
    assert_it_stays(db, f"UPDATE event SET {wrong} WHERE kind = 'attempt'", "attempt", says)


@pytest.mark.parametrize("name", ["quantity", "entry_price", "opened_at"])
@pytest.mark.parametrize("value", ["'NaN'", "'x'", "json('[1]')", "null"])
def test_what_an_entry_says_was_held_is_read_or_the_entry_is_named(db: Path, name: str, value: str) -> None:
    statement = f"UPDATE event SET detail = json_set(detail, '$.{name}', {value}) WHERE kind = 'position'"
    assert_it_stays(db, statement, "position", "is no (amount|time)")


def test_where_a_trader_stood_is_one_of_the_known_words_or_the_entry_is_named(db: Path) -> None:
    assert_it_stays(db, "UPDATE event SET to_state = 'zombie' WHERE kind = 'trader'", "trader", "'zombie' is none of")


@pytest.mark.parametrize(
    "wrong",
    [
        "UPDATE snapshot SET body = '{bad'",
        "UPDATE snapshot SET body = '{}'",
        "UPDATE trader SET breaker = 'zombie', account = '{bad'",
    ],
)
def test_a_damaged_row_is_told_of_at_each_moment_that_needs_it(db: Path, wrong: str) -> None:
    damage(db, wrong)

    async def scene(past: PastReader) -> None:
        span = await past.span()
        for seq in range(span.first.seq, span.last.seq + 1):
            with pytest.raises(StoreBroken, match=f"entry {seq} "):
                await past.go(seq)

    look(db, scene, PastReader)


def test_an_end_of_the_journal_that_was_written_at_no_time_is_named(db: Path) -> None:
    damage(db, "UPDATE event SET at = 9000000000000000000 WHERE seq = (SELECT max(seq) FROM event)")

    async def scene(past: PastReader) -> None:
        with pytest.raises(StoreBroken, match=r"entry \d+ of the journal cannot be read: 9\d+ is no time"):
            await past.span()

    look(db, scene, PastReader)


def test_a_gap_in_the_journal_is_named_and_gone_round(db: Path) -> None:
    async def scene(past: PastReader) -> None:
        here = await past.go(LAST)
        damage(db, f"DELETE FROM event WHERE seq = {here.seq - 1}")
        with pytest.raises(StoreBroken, match=f"entry {here.seq - 1} of the journal is missing"):
            await past.go(here.seq - 1)
        assert [e.text for e in await past.journal(None, 1)] == ["and went on"]
        assert (await past.go(here.seq - 2)).seq == here.seq - 2

    look(db, scene, PastReader)


def assert_it_stays(db: Path, statement: str, kind: str, says: str) -> None:
    """Damage an entry of this kind, go there from another one, and see that the reader stands where it stood."""

    async def scene(past: PastReader) -> None:
        entries = await past.journal(None, 0) or await SqliteReader.journal(past._file, None, 99)
        bad = max(entry.seq for entry in entries if entry.kind is EventKind(kind))
        await past.go(bad - 1)
        before, journal = await shown(past), await past.journal(None, 99)
        damage(db, statement)
        with pytest.raises(StoreBroken, match=says) as refused:
            await past.go(bad)
        assert f"entry {bad} " in str(refused.value)
        after = await shown(past)
        assert (after.traders, after.queue, after.positions) == (before.traders, before.queue, before.positions)
        assert [e.seq for e in await past.journal(None, 99)] == [e.seq for e in journal]

    look(db, scene, PastReader)
