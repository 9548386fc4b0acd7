"""A terminal that stalls, closes or is ended under the dashboard touches no order."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.bench.latency import CONFIG, hand_in, latencies
from tests.bench.terminal import Terminal

pytestmark = pytest.mark.waits

RESTORED = b"\x1b[?1049l"


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "terminal.sqlite"


@pytest.fixture
def terminal(tmp_path: Path, db: Path) -> Iterator[Terminal]:
    config = tmp_path / "terminal.toml"
    config.write_text(CONFIG)
    opened = Terminal([sys.executable, "-m", "tui.cli", "--config", str(config), "--db", str(db)], 120, 40)
    opened.wait_for(b"DEMO")
    yield opened
    opened.end()


def states(db: Path) -> dict[str, int]:
    with closing(sqlite3.connect(db)) as store:
        return dict(store.execute("SELECT state, count(*) FROM signal GROUP BY state"))


def test_a_stalled_terminal_delays_no_order(terminal: Terminal, db: Path) -> None:
    terminal.stall(on=True)
    given = asyncio.run(hand_in(db, seconds=8.0, rate=20))
    found = sorted(latencies(db, given))
    assert len(found) == len(given) > 100
    assert found[len(found) // 2] < 0.5
    terminal.stall(on=False)
    terminal.signal(signal.SIGTERM)
    assert terminal.wait() == 0


def test_sigterm_drains_and_restores_the_screen(terminal: Terminal, db: Path) -> None:
    given = asyncio.run(hand_in(db, seconds=1.0, rate=20))
    terminal.signal(signal.SIGTERM)
    assert terminal.wait() == 0
    assert RESTORED in terminal.output
    assert states(db) == {"done": len(given)}


def test_a_closed_terminal_drains_the_engine_and_loses_nothing(terminal: Terminal, db: Path) -> None:
    given = asyncio.run(hand_in(db, seconds=1.0, rate=20))
    terminal.hang_up()
    assert terminal.wait() == 0
    assert states(db) == {"done": len(given)}
