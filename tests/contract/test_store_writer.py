"""The group commit: what it promises its callers, on the loop and in a thread."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from engine.clock import LoopClock, run_on
from engine.core.errors import BadInput, StoreBroken, StoreBusy, StoreError, StoreReadOnly
from engine.sqlite import GroupWriter, Lane, ReadConnection, WriterLimits

LIMITS = WriterLimits()
INLINE = pytest.mark.parametrize("inline", [True, False], ids=["on the loop", "in a thread"])


def _table(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS word (seq INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT")


def _insert(text: str) -> Callable[[sqlite3.Connection], int]:
    def work(connection: sqlite3.Connection) -> int:
        return connection.execute("INSERT INTO word (text) VALUES (?)", (text,)).lastrowid or 0

    return work


def _texts(connection: sqlite3.Connection) -> list[str]:
    return [text for (text,) in connection.execute("SELECT text FROM word ORDER BY seq")]


def _writer(path: Path, *, inline: bool, limits: WriterLimits = LIMITS) -> GroupWriter:
    return GroupWriter(str(path), inline=inline, prepare=_table, clock=LoopClock(), limits=limits)


def _run(inline: bool, coro: Awaitable[None]) -> None:
    async def main() -> None:
        await coro

    with asyncio.Runner(loop_factory=run_on(None if inline else 1.0)) as runner:
        runner.run(main())


def _on_disk(path: Path) -> list[str]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return _texts(connection)
    finally:
        connection.close()


@INLINE
def test_what_was_returned_is_seen_by_another_connection(tmp_path: Path, inline: bool) -> None:
    path = tmp_path / "a.db"

    async def scenario() -> None:
        writer = _writer(path, inline=inline)
        await writer.open()
        assert await writer.submit(_insert("one")) == 1
        assert _on_disk(path) == ["one"]
        await writer.close()

    _run(inline, scenario())


@INLINE
def test_a_bad_item_fails_alone(tmp_path: Path, inline: bool) -> None:
    path = tmp_path / "a.db"

    def refuse(connection: sqlite3.Connection) -> None:
        _insert("half")(connection)
        raise BadInput("word", "not this one")

    async def scenario() -> None:
        writer = _writer(path, inline=inline)
        await writer.open()
        results = await asyncio.gather(
            writer.submit(_insert("one")),
            writer.submit(refuse),
            writer.submit(_insert("one")),
            writer.submit(_insert("two")),
            return_exceptions=True,
        )
        assert [type(r) for r in results] == [int, BadInput, StoreError, int]
        assert _on_disk(path) == ["one", "two"]
        await writer.close()

    _run(inline, scenario())


@INLINE
def test_what_waits_together_is_committed_together(tmp_path: Path, inline: bool) -> None:
    async def scenario() -> None:
        writer = _writer(tmp_path / "a.db", inline=inline)
        await writer.open()
        await asyncio.gather(*(writer.submit(_insert(str(n))) for n in range(128)))
        assert writer.stats().commits == 2
        await writer.close()

    _run(inline, scenario())


def test_outcomes_go_before_signals(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    async def scenario() -> None:
        writer = _writer(path, inline=True, limits=WriterLimits(batch=2))
        await writer.open()
        await asyncio.gather(
            writer.submit(_insert("telemetry"), lane=Lane.TELEMETRY),
            writer.submit(_insert("signal"), lane=Lane.SIGNAL),
            writer.submit(_insert("intent"), lane=Lane.INTENT),
            writer.submit(_insert("outcome"), lane=Lane.OUTCOME),
        )
        assert _on_disk(path) == ["outcome", "intent", "signal", "telemetry"]
        await writer.close()

    _run(True, scenario())


def test_a_full_queue_holds_signals_back_and_never_outcomes(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    async def scenario() -> None:
        writer = _writer(path, inline=True, limits=WriterLimits(batch=1, queue_max=2))
        await writer.open()
        signals = [asyncio.create_task(writer.submit(_insert(f"signal {n}"))) for n in range(6)]
        await LoopClock().sleep(0)
        assert writer.stats().depth == 2
        outcome = asyncio.create_task(writer.submit(_insert("outcome"), lane=Lane.OUTCOME))
        await asyncio.gather(outcome, *signals)
        written = _on_disk(path)
        assert len(written) == 7
        assert written.index("outcome") <= 1
        await writer.close()

    _run(True, scenario())


@INLINE
def test_a_caller_that_is_cancelled_does_not_undo_its_write(tmp_path: Path, inline: bool) -> None:
    path = tmp_path / "a.db"

    async def scenario() -> None:
        writer = _writer(path, inline=inline)
        await writer.open()
        gone = asyncio.create_task(writer.submit(_insert("one")))
        await LoopClock().sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        await writer.submit(_insert("two"))
        assert gone.cancelled()
        assert _on_disk(path) == ["one", "two"]
        await writer.close()

    _run(inline, scenario())


@INLINE
def test_closing_writes_what_was_submitted_and_leaves_no_thread(tmp_path: Path, inline: bool) -> None:
    path = tmp_path / "a.db"
    known = set(threading.enumerate())

    async def scenario() -> None:
        writer = _writer(path, inline=inline)
        await writer.open()
        late = [asyncio.create_task(writer.submit(_insert(str(n)))) for n in range(100)]
        await LoopClock().sleep(0)
        await writer.close()
        await writer.close()
        await asyncio.gather(*late)
        with pytest.raises(StoreError):
            await writer.submit(_insert("after"))

    _run(inline, scenario())
    assert len(_on_disk(path)) == 100
    for thread in set(threading.enumerate()) - known:
        thread.join(5.0)  # it has nothing more to do, and may be on its last line
    assert set(threading.enumerate()) <= known


def test_a_lock_held_elsewhere_is_waited_for_and_then_named(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    async def scenario() -> None:
        writer = _writer(path, inline=True)
        await writer.open()
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began = asyncio.get_running_loop().time()
        with pytest.raises(StoreBusy):
            await writer.submit(_insert("one"))
        assert 5.0 <= asyncio.get_running_loop().time() - began < 6.0

        waiting = asyncio.create_task(writer.submit(_insert("two")))
        await LoopClock().sleep(1.0)
        other.execute("ROLLBACK")
        await waiting
        other.close()
        assert _on_disk(path) == ["two"]
        await writer.close()

    _run(True, scenario())


def test_after_damage_everything_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    def broken(_: sqlite3.Connection) -> None:
        damage = sqlite3.DatabaseError("database disk image is malformed")
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage

    async def scenario() -> None:
        writer = _writer(path, inline=True)
        await writer.open()
        results = await asyncio.gather(
            writer.submit(_insert("one")), writer.submit(broken), writer.submit(_insert("two")), return_exceptions=True
        )
        assert [type(r) for r in results] == [StoreBroken] * 3
        with pytest.raises(StoreBroken):
            await writer.submit(_insert("three"))
        assert _on_disk(path) == []
        await writer.close()

    _run(True, scenario())


@INLINE
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, inline: bool) -> None:
    async def scenario() -> None:
        writer = _writer(tmp_path / "nowhere" / "a.db", inline=inline)
        with pytest.raises(StoreReadOnly, match="nowhere"):
            await writer.open()
        await writer.close()
        reader = ReadConnection(str(tmp_path / "nowhere" / "a.db"), inline=inline)
        with pytest.raises(StoreReadOnly, match="nowhere"):
            await reader.open()
        await reader.close()

    _run(inline, scenario())


def test_only_the_owner_may_read_the_files(tmp_path: Path) -> None:
    async def scenario() -> None:
        writer = _writer(tmp_path / "a.db", inline=True)
        await writer.open()
        await writer.submit(_insert("one"))
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
        assert modes == {"a.db": 0o600, "a.db-wal": 0o600, "a.db-shm": 0o600}
        await writer.close()

    _run(True, scenario())


@INLINE
def test_a_reader_sees_every_commit_and_can_write_nothing(tmp_path: Path, inline: bool) -> None:
    path = tmp_path / "a.db"

    async def scenario() -> None:
        writer = _writer(path, inline=inline)
        await writer.open()
        reader = ReadConnection(str(path), inline=inline)
        await reader.open()
        await writer.submit(_insert("one"))
        assert await reader.read(_texts) == ["one"]
        with pytest.raises(StoreReadOnly):
            await reader.read(_insert("two"))
        assert await reader.read(_texts) == ["one"]
        await reader.close()
        await writer.close()

    _run(inline, scenario())
