"""A start that fails: what it says, and what it leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.core.errors import BadInput
from engine.core.values import Mode
from engine.places import Named
from tests.support.command_line import a_shell
from tui.commands.planning import DeckOptions, make_run
from tui.commands.starting import EngineStart, Facts, StartingBridge


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "A-B.trades.csv"
    path.write_text("timestamp_ms,side,price,amount\n1,foo\n")
    return path


def test_a_start_that_fails_leaves_no_log_where_none_was_and_else_its_reason_in_it(tmp_path: Path, rows: Path) -> None:
    db = tmp_path / "x.sqlite"
    words = ("run", "--headless", "--replay", rows, "--db", db)
    failed = a_shell(tmp_path).as_child(*words)
    assert (failed.code, list(tmp_path.glob("x.sqlite*"))) == (2, [])
    log = Path(f"{db}.log")
    log.write_text("earlier\n")
    assert a_shell(tmp_path).as_child(*words).code == 2
    earlier, *lines = log.read_text().splitlines()
    assert earlier == "earlier"
    assert [json.loads(line)["event"] for line in lines] == ["starting", "the start failed"]
    assert "line 2 is no row of this file" in lines[-1]


def test_a_start_under_the_dashboard_that_fails_leaves_no_log_either(
    tmp_path: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    planned = make_run(Named(db=tmp_path / "x.sqlite"), DeckOptions(replay=[rows]))
    bridge = StartingBridge("ann", Facts(Mode.REPLAY, 1, "1"), SystemClock())
    told: list[str] = []
    start = EngineStart(planned, bridge, lambda: told.append("failed"))
    bridge.painted.set()
    start.begin()
    assert start.join(60)
    assert told == ["failed"]
    assert isinstance(start.failure, BadInput)
    assert not list(tmp_path.glob("x.sqlite*"))


def test_a_bad_row_is_told_once_with_what_a_row_has(tmp_path: Path, rows: Path) -> None:
    failed = a_shell(tmp_path).as_child("run", "--headless", "--replay", rows, "--db", tmp_path / "x.sqlite")
    told = "line 2 is no row of this file: 1,foo (each row under this header has time, price and amount)"
    assert failed.err == f"signaldeck: {rows}: {told}\n"
