"""A whole incident, at the keys of a real terminal: outage, breaker, alert, drill-down, pause, retry of all, recovery."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from engine.control import ControlClient
from engine.core.errors import SignalDeckError
from engine.places import socket_path
from tests.bench.latency import CONFIG
from tests.bench.terminal import Terminal

pytestmark = pytest.mark.waits

WAIT_S: Final = 45.0
TTL_S: Final = 6.0
ONE_TRADER: Final = CONFIG.split("[[traders]]")[0].replace("signal_ttl_s = 60.0", f"signal_ttl_s = {TTL_S}")
OUTAGE: Final = """
[breaker]
window_calls = 6
window_s = 15.0
calls_min = 3
open_s = 2.0
open_s_max = 4.0
[[traders]]
name = "north"
[traders.paper]
shorting = true
start_quote = "1000000000"
[traders.weather]
outages = [{after_s = 4.0, for_s = 14.0}]
"""


class Operator:
    """Somebody at a terminal who reads what was painted since the last look, and waits for a word."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self._seen = 0

    def press(self, keys: str) -> None:
        self._seen = len(self.terminal.output)
        for key in keys:
            self.terminal.send(key.encode())
            time.sleep(0.05)

    def reads(self, word: str) -> None:
        """Wait until `word` was painted since the last key."""
        until(lambda: word.encode() in self.terminal.output[self._seen :], f"nobody wrote {word!r}")


def until(is_so: Callable[[], bool], failing: str) -> None:
    end = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < end, failing
        time.sleep(0.05)


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "incident.sqlite"


@pytest.fixture
def operator(tmp_path: Path, db: Path) -> Iterator[Operator]:
    config = tmp_path / "incident.toml"
    config.write_text(ONE_TRADER + OUTAGE)
    opened = Terminal([sys.executable, "-m", "tui.cli", "--config", str(config), "--db", str(db)], 120, 40)
    opened.wait_for(b"DEMO")
    yield Operator(opened)
    opened.end()


async def hand_in(db: Path, *keys: str) -> None:
    """Hand signals in as soon as the engine takes them."""
    engine = ControlClient(socket_path(db))
    for key in keys:
        wanted = {"symbol": "BTC/USDT", "side": "buy", "quantity": "1", "key": key}
        end = time.monotonic() + WAIT_S
        while True:
            try:
                [taken] = await engine.hand_in([wanted])
                break
            except SignalDeckError:
                assert time.monotonic() < end
                await asyncio.sleep(0.1)
        assert taken.outcome == "stored", taken
    await engine.close()


def ask(db: Path, query: str) -> dict[str, int]:
    with closing(sqlite3.connect(db)) as store:
        has_tables = store.execute("SELECT count(*) FROM sqlite_master WHERE name = 'trader'").fetchone()[0]
        return dict(store.execute(query).fetchall()) if has_tables else {}


def states(db: Path) -> dict[str, int]:
    return ask(db, "SELECT state, count(*) FROM signal GROUP BY state")


def test_an_operator_sees_an_outage_through_and_retries_all_that_it_cost(operator: Operator, db: Path) -> None:
    until(lambda: bool(ask(db, "SELECT name, 1 FROM trader WHERE health = 'up'")), "the trader never came up")
    asyncio.run(hand_in(db, "before-1", "before-2"))
    until(lambda: states(db) == {"done": 2}, "nothing was executed in fair weather")

    # The outage: signals cannot be sent, the breaker opens, an alert is raised.
    outage = "SELECT name, 1 FROM trader WHERE breaker <> 'closed' OR health = 'down'"
    number = 0
    while not ask(db, outage):
        asyncio.run(hand_in(db, f"during-{number}"))
        number += 1
        assert number < 300, "the outage never came"
        time.sleep(0.2)
    asyncio.run(hand_in(db, *(f"late-{n}" for n in range(3))))
    operator.press("\x1bOS")  # f4: the alerts
    operator.reads("Alerts")
    operator.reads("north")

    # Who, and why: the trader's own screen, where it is paused.
    operator.press("q")
    operator.reads("Queue")
    operator.press("2")
    operator.press("\r")
    operator.reads("Last hour")
    operator.press("p")
    operator.reads("is paused")
    until(lambda: bool(ask(db, "SELECT name, 1 FROM trader WHERE desired = 'pause'")), "it was not paused")
    until(lambda: not {"new", "waiting", "executing"} & states(db).keys(), "signals neither went out nor expired")
    lost = states(db)["expired"]
    assert lost >= 3

    # Fair weather again: it is resumed, and all that the outage cost is put back at once.
    operator.press("r")
    operator.reads("north runs")
    until(lambda: not ask(db, outage), "it never came back")
    operator.press("q")
    operator.reads("Queue")
    operator.press("\x1b[17~")  # f6: all signals
    operator.reads("signals")
    operator.press("/")
    operator.reads("field:value")
    operator.press("state:expired\r")
    operator.reads(f"{lost} shown")
    operator.press("*")
    operator.reads(f"{lost} marked")
    operator.press("R")
    operator.reads(f"Retry {lost} signals?")
    operator.press("y")
    operator.reads(f"{lost} done")
    until(lambda: set(states(db)) == {"done"}, f"not all were executed: {states(db)}")
    filled = "SELECT signal_seq, count(*) FROM attempt WHERE state = 'filled' GROUP BY signal_seq"
    assert set(ask(db, filled).values()) == {1}, "one order for each signal"
