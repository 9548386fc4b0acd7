"""The store under kill -9, without room, and forgotten: what was acknowledged is there, and nothing hangs."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.core.errors import StoreReadOnly
from engine.core.lifecycle import AttemptState, SignalState
from engine.store.base import Opened
from tests.support.builders import NOW
from tests.support.store import a_store, play

ROOT = Path(__file__).resolve().parents[2]
KILLS = 6


def _python(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


def _acknowledged_until_killed(path: Path, name: str, after_s: float) -> list[tuple[str, str]]:
    writer = _python("-m", "tests.faults.store_writer", str(path), name)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "open\n"
    time.sleep(after_s)
    writer.kill()
    said, _ = writer.communicate(timeout=20)
    lines = said.splitlines(keepends=True)
    whole = [line.split() for line in lines if line.endswith("\n")]  # the last one may be torn
    return [(words[0], words[1]) for words in whole]


def _check(path: Path, told: list[tuple[str, str]]) -> Opened:
    found: list[Opened] = []

    async def scenario() -> None:
        store = a_store(path)
        opened = await store.open(now=NOW)
        found.append(opened)
        try:
            for what, name in told:
                if what == "signal":
                    assert await store.signal(name) is not None
                else:
                    attempt = await store.attempt(name)
                    assert attempt is not None
                    if what == "filled":
                        assert attempt.state is AttemptState.FILLED
            live = await store.live_attempts()
            assert {a.state for a in live} <= {AttemptState.UNKNOWN}
            totals = await store.totals()
            assert totals.signals_by_state.get(SignalState.EXECUTING, 0) == len(live)
            assert totals.attempts_by_state.get(AttemptState.UNKNOWN, 0) == len(live)
            assert await store.verify_chain() is None
        finally:
            await store.close()

    play(scenario())
    return found[0]


def test_what_was_acknowledged_survives_kill_9_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "deck.db"
    dice = random.Random(1)
    told: list[tuple[str, str]] = []
    for n in range(KILLS):
        told += _acknowledged_until_killed(path, f"run{n}", dice.uniform(0.01, 0.15))
        opened = _check(path, told)
        assert not opened.clean
        assert opened.epoch == 2 * n + 2
    assert len(told) > 10 * KILLS


def test_without_room_nothing_is_acknowledged_and_with_room_it_goes_on(tmp_path: Path) -> None:
    writer = _python("-m", "tests.faults.store_no_room", str(tmp_path / "deck.db"))
    said, errors = writer.communicate(timeout=60)
    assert writer.returncode == 0, errors
    full, done = said.splitlines()
    assert full == "full 1"
    assert int(done.split()[1]) > 0


@pytest.mark.parametrize("end", ["raise SystemExit(7)", "raise ValueError('lost its way')"])
def test_a_program_that_forgets_to_close_still_ends(tmp_path: Path, end: str) -> None:
    program = f"""
import asyncio
from pathlib import Path
from tests.support.builders import NOW, a_signal
from tests.support.store import a_store
async def main():
    store = a_store(Path({str(tmp_path / "deck.db")!r}), inline=False)
    await store.open(now=NOW)
    await store.put_signals([a_signal("kept")])
    {end}
asyncio.run(main())
"""
    forgetful = _python("-c", program)
    forgetful.communicate(timeout=10)
    assert forgetful.returncode in (1, 7)

    async def scenario() -> None:
        store = a_store(tmp_path / "deck.db")
        await store.open(now=NOW)
        assert await store.signal("kept") is not None
        await store.close()

    play(scenario())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreReadOnly, match="writable"):
            play(a_store(tmp_path / "deck.db").open(now=NOW))  # type: ignore[arg-type] # its result is not looked at
    finally:
        tmp_path.chmod(0o700)
