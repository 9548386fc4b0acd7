"""The file itself: locked, recognised, checked, kept in order."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sqlite3
import stat
import struct
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from engine.clock import LoopClock
from engine.core.errors import NotThere, StoreBroken, StoreError, StoreLocked, StoreReadOnly
from engine.core.lifecycle import AttemptStep, SignalStep
from engine.store.base import Opened, PutOutcome, Retention
from engine.store.sqlite import SqliteReader
from engine.store.sqlite.custody import network_kind
from engine.store.sqlite.journal import chained_hash
from engine.store.sqlite.queries import named_queries
from tests.support.builders import NOW, a_fill, a_signal, a_signal_move, an_event
from tests.support.store import Stage, a_store, an_open_store, play


@pytest.fixture
def deck(tmp_path: Path) -> Path:
    """A store that was used and closed in order."""
    path = tmp_path / "deck.db"

    async def scenario() -> None:
        async with an_open_store(path) as store:
            await store.put_signals([a_signal("one"), a_signal("two")])

    play(scenario())
    return path


def _open(path: Path) -> Opened:
    found: list[Opened] = []

    async def scenario() -> None:
        store = a_store(path)
        try:
            found.append(await store.open(now=NOW))
            assert await store.signal("one") is not None
        finally:
            await store.close()

    play(scenario())
    return found[0]


def _refused(path: Path, error: type[StoreError], *words: str) -> None:
    with pytest.raises(error) as refusal:
        _open(path)
    for word in words:
        assert word in str(refusal.value)


def test_a_store_that_is_opened_again_is_the_same_and_its_epoch_rises(deck: Path) -> None:
    first, second = _open(deck), _open(deck)
    assert (second.epoch, second.store_uuid) == (first.epoch + 1, first.store_uuid)
    assert second.clean


def test_a_second_engine_is_told_who_has_the_store(deck: Path) -> None:
    async def scenario() -> None:
        async with an_open_store(deck):
            with pytest.raises(StoreLocked, match=f"process {os.getpid()} on "):
                await a_store(deck).open(now=NOW)
            reader = SqliteReader(deck, inline=True)
            assert len(await reader.last_signals(9)) == 1
            await reader.close()

    play(scenario())
    _open(deck)


def test_a_missing_database_is_not_made_anew(deck: Path) -> None:
    deck.unlink()
    _refused(deck, StoreBroken, "is gone", "restore it from a backup", f"remove {deck}.id")
    assert not deck.exists()


def test_an_emptied_database_is_not_filled_anew(deck: Path) -> None:
    deck.write_bytes(b"")
    _refused(deck, StoreBroken, "is empty", "backup")
    assert deck.stat().st_size == 0


def test_another_store_in_its_place_is_noticed(deck: Path, tmp_path: Path) -> None:
    mark = Path(f"{deck}.id")
    said = json.loads(mark.read_text())
    mark.write_text(json.dumps({**said, "store": "another"}))
    _refused(deck, StoreBroken, "is another store", "another", "remove")


def test_an_older_copy_in_its_place_is_noticed(deck: Path) -> None:
    older = deck.read_bytes()
    _open(deck)
    deck.write_bytes(older)
    _refused(deck, StoreBroken, "is older than it was", "open and recent orders")
    Path(f"{deck}.id").unlink()
    assert _open(deck).epoch == 2, "who has looked and removed the side file may go on"


def test_a_file_that_was_opened_less_often_is_an_older_one(deck: Path) -> None:
    mark = Path(f"{deck}.id")
    said = json.loads(mark.read_text())
    mark.write_text(json.dumps({**said, "generation": said["generation"] + 1}))
    _refused(deck, StoreBroken, "is older than it was")


def test_a_copy_without_its_log_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "deck.db"
    copy = tmp_path / "copy"

    async def scenario() -> None:
        async with an_open_store(path) as store:
            await store.checkpoint()
            copy.write_bytes(path.read_bytes())
            await store.put_signals([a_signal("one")])

    play(scenario())
    path.write_bytes(copy.read_bytes())
    _refused(path, StoreBroken, "is older than it was")


def test_a_newer_schema_is_refused_by_number(deck: Path) -> None:
    with closing(sqlite3.connect(deck)) as connection:
        connection.execute("PRAGMA user_version = 99")
    _refused(deck, StoreBroken, "schema 99", "later")

    async def scenario() -> None:
        reader = SqliteReader(deck, inline=True)
        with pytest.raises(StoreBroken, match="schema 99"):
            await reader.totals()
        await reader.close()

    play(scenario())


def test_a_migration_that_differs_is_refused(deck: Path) -> None:
    with closing(sqlite3.connect(deck, isolation_level=None)) as connection:
        connection.execute("UPDATE migration SET checksum = 'x'")
    _refused(deck, StoreBroken, "another build")


def test_what_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary " * 100)
    _refused(path, StoreBroken, "is not a database")
    assert path.read_text() == "dear diary " * 100


def test_another_programs_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    before = path.read_bytes()
    _refused(path, StoreBroken, "another program")
    assert path.read_bytes() == before


def _zero_a_page(path: Path) -> None:
    with path.open("r+b") as file:
        (page,) = struct.unpack(">H", file.read(18)[16:18])
        file.seek(page * 4)
        file.write(b"\x00" * page)


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


@pytest.mark.parametrize("damage", [_zero_a_page, _cut])
def test_damage_is_found_at_the_start(deck: Path, damage: Callable[[Path], None]) -> None:
    damage(deck)
    _refused(deck, StoreBroken, "damaged", "backup")


def test_whoever_reads_json_can_follow_the_chain(deck: Path) -> None:
    async def scenario() -> None:
        async with an_open_store(deck) as store:
            await store.note(
                [an_event(text, detail={"said": text}) for text in ("naïve “€”", 'a "\\" b', "\t\n\x00\x7f", "😀")]
            )

    play(scenario())
    with closing(sqlite3.connect(deck)) as connection:
        rows = connection.execute(named_queries()["chain"], (0, 1_000)).fetchall()
    before = bytes(32)
    for *columns, kept in rows:
        said = json.dumps(columns, ensure_ascii=False, separators=(",", ":"))
        before = hashlib.sha256(before + said.encode()).digest()
        assert kept == before, said


def test_a_changed_journal_row_is_named(deck: Path) -> None:
    with closing(sqlite3.connect(deck, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER event_stays")
        connection.execute("UPDATE event SET text = 'all is well' WHERE seq = 2")

    async def scenario() -> None:
        async with an_open_store(deck) as store:
            assert "row 2" in str(await store.verify_chain())

    play(scenario())


def test_a_changed_journal_row_with_a_fitting_hash_is_given_away_by_the_next(deck: Path) -> None:
    with closing(sqlite3.connect(deck, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER event_stays")
        connection.execute("UPDATE event SET text = 'all is well' WHERE seq = 2")
        select = named_queries()["chain"]
        (first, second) = connection.execute(select, (0, 2)).fetchall()
        forged = chained_hash(first[-1], second[:-1])
        connection.execute("UPDATE event SET hash = ? WHERE seq = 2", (forged,))

    async def scenario() -> None:
        async with an_open_store(deck) as store:
            assert "row 3" in str(await store.verify_chain())

    play(scenario())


def test_a_removed_journal_row_is_named(deck: Path) -> None:
    with closing(sqlite3.connect(deck, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER event_is_kept")
        connection.execute("DELETE FROM event WHERE seq = 2")

    async def scenario() -> None:
        async with an_open_store(deck) as store:
            assert "row 2" in str(await store.verify_chain())

    play(scenario())


def test_a_file_that_is_replaced_while_in_use_stops_everything(deck: Path) -> None:
    async def scenario() -> None:
        async with an_open_store(deck) as store:
            assert (await store.health()).writable
            content = deck.read_bytes()
            deck.unlink()
            deck.write_bytes(content)
            health = await store.health()
            assert not health.writable
            assert "replaced" in health.fact
            with pytest.raises(StoreBroken):
                await store.put_signals([a_signal()])

    play(scenario())


def test_health_tells_sizes_and_what_this_sqlite_cannot(deck: Path) -> None:
    async def scenario() -> None:
        async with an_open_store(deck) as store:
            health = await store.health()
            assert health.file_bytes == deck.stat().st_size
            assert health.disk_free_bytes > 0
            assert health.commits > 0
            old = sqlite3.sqlite_version_info < (3, 51, 3)
            assert any("two programs" in warning for warning in health.warnings) == old

    play(scenario())


def test_only_the_owner_may_read_any_of_the_files(deck: Path) -> None:
    async def scenario() -> None:
        async with an_open_store(deck):
            for path in deck.parent.iterdir():
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path

    play(scenario())


def test_a_folder_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    _refused(tmp_path / "nowhere" / "deck.db", StoreReadOnly, "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_says_so_if_there_is_no_store(tmp_path: Path) -> None:
    async def scenario() -> None:
        for name in ("nothing.db", "empty.db"):
            reader = SqliteReader(tmp_path / name, inline=True)
            with pytest.raises(NotThere, match=name):
                await reader.totals()
            await reader.close()

    (tmp_path / "empty.db").touch()
    play(scenario())
    assert not (tmp_path / "nothing.db").exists()


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/srv/deck.db", None), ("/mnt/share/deck.db", "nfs4"), ("/mnt/share/local/deck.db", None), ("/mnt/s/d", "cifs")],
)
def test_a_network_disk_is_recognised(path: str, kind: str | None) -> None:
    mounts = [
        "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw",
        "30 22 0:40 / /mnt/share rw - nfs4 host:/share rw",
        "31 30 8:2 / /mnt/share/local rw - xfs /dev/sdb1 rw",
        "32 22 0:41 / /mnt/s rw - cifs //host/s rw",
    ]
    assert network_kind(Path(path), mounts) == kind


def test_what_is_old_goes_and_its_keys_stay_known(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path / "deck.db", inline=True, reopens=False) as stage:
            store = stage.store
            filled = await stage.commit(a_signal("filled"))
            done = {"fills": (a_fill(),), "signal_step": SignalStep.COMPLETE}
            await stage.step(filled, AttemptStep.FILL, **done)
            for n in range(5):
                signal = await stage.put(a_signal(f"old{n}"))
                await store.move_signals([a_signal_move(signal, SignalStep.CANCEL)])
            await stage.put(a_signal("open"))
            much_later = NOW + timedelta(days=100)
            last = await stage.commit(a_signal("recent", received_at=much_later), at=much_later)
            await stage.step(last, AttemptStep.REFUSE, at=much_later, signal_step=SignalStep.REJECT)
            before = await store.totals()
            gone = [await store.prune(much_later, Retention(), 4) for _ in range(12)]
            assert max(gone) <= 4
            assert gone[-1] == 0
            assert [s.id for s in await store.last_signals(9)] == ["recent"]
            assert await store.signal("filled") is None
            assert await store.signal("open") is not None
            assert await store.fills(0, 9) == []
            assert await store.totals() == before
            assert await store.verify_chain() is None
            again = await store.put_signals([a_signal("other", key="old3", received_at=much_later)])
            assert [(p.signal_id, p.outcome) for p in again] == [("old3", PutOutcome.REPEATED)]
            assert (await store.events(0, 1))[0].seq > 1
            await store.note([an_event("after the prune")])
            forgotten = much_later + timedelta(days=500)
            while await store.prune(forgotten, Retention(), 100):
                pass
            again = await store.put_signals([a_signal("other", key="old3", received_at=forgotten)])
            assert again[0].outcome is PutOutcome.STORED
            assert await store.verify_chain() is None

    play(scenario())


def test_what_is_handed_in_beside_a_prune_is_counted() -> None:
    async def scenario() -> None:
        async with an_open_store() as store:
            await asyncio.gather(store.put_signals([a_signal("one")]), store.prune(NOW, Retention(), 10))
            assert (await store.totals()).received == 1
            assert await store.signal("one") is not None
            assert await store.verify_chain() is None

    play(scenario())


def test_an_unclean_stop_is_told(deck: Path) -> None:
    with closing(sqlite3.connect(deck, isolation_level=None)) as connection:
        connection.execute("UPDATE writer SET clean = 0")
    assert not _open(deck).clean
    assert _open(deck).clean


def test_a_store_that_could_not_be_opened_leaves_nothing_locked(deck: Path) -> None:
    original = deck.read_bytes()
    deck.write_bytes(b"")
    _refused(deck, StoreBroken)
    deck.write_bytes(original)
    assert _open(deck).clean


def test_closing_twice_and_before_opening_is_fine(tmp_path: Path) -> None:
    async def scenario() -> None:
        await a_store(tmp_path / "never.db").close()
        store = a_store(tmp_path / "deck.db", clock=LoopClock(NOW))
        await store.open(now=NOW)
        await store.close()
        await store.close()
        with pytest.raises(StoreError):
            await store.put_signals([a_signal()])

    play(scenario())
    assert not (tmp_path / "never.db").exists()
