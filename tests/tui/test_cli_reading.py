"""Commands that read: a journal made by a real engine on virtual time, and what each command makes of it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.core.lifecycle import AttemptState, SignalState
from engine.places import socket_path
from tests.support.command_line import Shell, a_shell
from tests.support.control_desk import Desk, a_listening_desk
from tui.commands.exporting import COLUMNS, What, csv_cell

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the demo once, as fast as it goes, until there is something of everything to read."""
    home = tmp_path_factory.mktemp("home")
    ran = a_shell(home).as_child(
        "run", "--headless", "--for", "3", "--speed", "max", "--seed", "7", "--db", home / "x.sqlite"
    )
    assert ran.code == 0, ran.err
    return home


@pytest.fixture
def run(home: Path) -> Callable[..., Any]:
    shell = a_shell(home)
    return lambda *words: shell(*words, "--db", home / "x.sqlite")


def test_status_has_every_key_and_its_sums_agree(run: Shell) -> None:
    status = run("status", "--json").json
    assert status.keys() == {
        "at", "store", "engine", "candles", "signals", "attempts", "executions", "last_execution_at", "success_rate",
        "success_rate_5m", "latency", "queue", "traders", "traders_available", "traders_total", "alerts",
        "errors_per_minute", "positions",
    }  # fmt: skip
    assert status["signals"]["by_state"].keys() == set(SignalState)
    assert status["attempts"]["by_state"].keys() == set(AttemptState)
    assert sum(status["signals"]["by_state"].values()) == status["signals"]["received"] > 0
    assert sum(status["attempts"]["by_state"].values()) == status["attempts"]["total"] > 0
    assert status["executions"] == status["signals"]["by_state"]["done"] > 0
    assert status["latency"]["parts"].keys() == {"waiting", "gating", "submitting", "acknowledged", "filled"}
    assert status["latency"]["parts"]["acknowledged"]["count"] > 0
    assert (status["engine"]["alive"], status["engine"]["state"]) == (False, "stopped")
    assert TIME.fullmatch(status["engine"]["beat_at"])
    assert len(status["traders"]) == status["traders_total"] == 4
    assert {"available", "why_not", "name", "health", "breaker"} <= status["traders"][0].keys()


def test_status_tells_people_the_same(run: Shell) -> None:
    told = run("status").out
    for word in ("engine", "not running", "candles", "signals", "attempts", "executions", "traders", "alerts"):
        assert word in told


def test_signals_are_listed_newest_first_and_page_by_page(run: Shell) -> None:
    first = run("signal", "list", "--limit", "5", "--json").json
    second = run("signal", "list", "--limit", "5", "--before", first["next_before"], "--json").json
    numbers = [s["seq"] for s in first["signals"] + second["signals"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 10
    done = run("signal", "list", "--state", "done", "--state", "failed", "--json").json["signals"]
    assert {s["state"] for s in done} == {"done"}
    assert run("signal", "list", "--symbol", "NO/NE", "--json").json == {"signals": [], "next_before": None}
    assert "--before" in run("signal", "list", "--limit", "5").out


def test_a_story_is_shown_by_the_beginning_of_its_id(run: Shell) -> None:
    (signal,) = run("signal", "list", "--state", "done", "--limit", "1", "--json").json["signals"]
    story = run("signal", "show", signal["id"][:8], "--json").json
    assert story["signal"]["id"] == signal["id"]
    assert story["attempts"][-1]["state"] == "filled"
    assert isinstance(story["attempts"][-1]["filled_quantity"], str)
    told = run("signal", "show", signal["id"]).out
    for word in ("VOTES", "ATTEMPTS", "FILLS", "JOURNAL", "is_confident", story["attempts"][-1]["trader"]):
        assert word in told
    assert run("signal", "show", "0000000000").code == 3


def test_errors_are_listed_and_one_is_shown(run: Shell) -> None:
    errors = run("error", "list", "--json").json["errors"]
    assert {e["level"] for e in errors} <= {"warning", "error"}
    shown = run("error", "show", errors[0]["seq"], "--json").json
    assert shown == errors[0]
    assert errors[0]["code"] in run("error", "show", errors[0]["seq"]).out
    assert run("error", "show", 10**9).code == 3


def test_traders_and_alerts_are_listed(run: Shell) -> None:
    assert len(run("trader", "list", "--json").json["traders"]) == 4
    assert "trader_spare" in run("trader", "list").out
    open_ones = run("alert", "list", "--json").json["alerts"]
    every = run("alert", "list", "--all", "--json").json["alerts"]
    assert all(a["resolved_at"] is None for a in open_ones)
    assert [a["id"] for a in every[: len(open_ones)]] == [a["id"] for a in open_ones]


@pytest.mark.parametrize("what", list(What))
def test_an_export_has_the_same_rows_in_both_formats(run: Shell, what: What) -> None:
    lines = [json.loads(line) for line in run("export", what, "--format", "jsonl").out.splitlines()]
    rows = list(csv.DictReader(io.StringIO(run("export", what).out)))
    assert len(lines) == len(rows) > 0
    assert tuple(rows[0]) == tuple(lines[0]) == COLUMNS[what]
    key = COLUMNS[what][0]
    assert [row[key] for row in rows] == [str(line[key]) for line in lines]


def test_the_export_agrees_with_the_status(run: Shell) -> None:
    status = run("status", "--json").json
    attempts = [json.loads(line) for line in run("export", "attempts", "--format", "jsonl").out.splitlines()]
    signals = run("export", "signals", "--format", "jsonl").out.splitlines()
    assert len(attempts) == status["attempts"]["total"]
    assert len(signals) == status["signals"]["received"]
    assert len({a["client_order_id"] for a in attempts}) == len(attempts)
    assert all(TIME.fullmatch(a["intent_at"]) for a in attempts)


def test_an_export_to_a_file_is_private_and_never_overwrites(run: Shell, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert run("export", "attempts", "--output", out).code == 0
    assert out.stat().st_mode & 0o777 == 0o600
    before = out.read_text()
    assert run("export", "events", "--output", out).code == 2
    assert out.read_text() == before


@pytest.mark.parametrize(
    ("value", "cell"),
    [("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("+x", "'+x"), ("-x", "'-x"), ("-0.50", "-0.50"), ("plain", "plain"),
     (None, ""), (True, "true"), ([1], "[1]"), ("\tx", "'\tx")],
)  # fmt: skip
def test_a_spreadsheet_is_never_given_a_formula(value: object, cell: str) -> None:
    assert csv_cell(value) == cell


def test_the_doctor_asks_the_engine_and_else_says_that_none_is_there(home: Path, run: Shell) -> None:
    kept = run("doctor", "--json")
    assert (kept.code, kept.json["live"], kept.json["ready"]) == (1, False, False)
    assert [c["gate"] for c in kept.json["checks"]].count("engine") == 1
    desk = Desk()
    with a_listening_desk(socket_path(home / "x.sqlite"), desk):
        live = run("doctor", "--json")
        assert (live.code, live.json["live"], live.json["ready"]) == (0, True, True)
        assert "NO  trader b: paused" in run("doctor").out
        desk.ready = False
        assert run("doctor").code == 1


def test_a_configuration_is_written_once_checked_and_shown(tmp_path: Path) -> None:
    run = a_shell(tmp_path)
    assert "demo" in run("config", "check").out
    written = run("config", "init")
    assert written.code == 0
    path = Path(written.out.strip())
    assert path.stat().st_mode & 0o777 == 0o600
    assert run("config", "init").code == 4
    assert run("config", "check").code == 0
    path.write_text(path.read_text().replace("drain_s = 10.0", "drain_s = -1"))
    broken = run("config", "check")
    assert broken.code == 2
    assert f"{path}:" in broken.err
    assert "engine.drain_s" in broken.err
    shown = a_shell(tmp_path, STOP_LOSS_PERCENTAGE="4")("config", "show", "--json", "--config", tmp_path / "none")
    assert shown.code == 2
    path.unlink()
    shown = a_shell(tmp_path, STOP_LOSS_PERCENTAGE="4")("config", "show", "--json")
    assert shown.json["settings"]["limits.stop_loss"] == {
        "value": "0.04", "source": "environment variable STOP_LOSS_PERCENTAGE",
    }  # fmt: skip
