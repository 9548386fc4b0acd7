"""The command line's words: where options may stand, what is refused, and what is imported on the way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.places import socket_path
from tests.support.command_line import ROOT, a_shell
from tests.support.control_desk import a_listening_desk
from tui.cli import COMMANDS, needed, spread

HEAVY = (
    "textual",
    "rich",
    "ccxt",
    "numpy",
    "plotext",
    "talib",
    "aiosqlite",
    "structlog",
    "engine.settings",
    "engine.core.board",
)


def test_every_command_explains_itself(tmp_path: Path) -> None:
    run = a_shell(tmp_path)
    told = run("--help").out
    for word in COMMANDS:
        assert f"\n  {word} " in told
        assert run(word, "--help").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("--db", "{db}", "signal", "add", "BTC/USDT", "buy"),
        ("signal", "--db", "{db}", "add", "BTC/USDT", "buy"),
        ("signal", "add", "--db", "{db}", "BTC/USDT", "buy"),
        ("signal", "add", "BTC/USDT", "buy", "--db", "{db}"),
        ("--db", "elsewhere.sqlite", "signal", "add", "BTC/USDT", "buy", "--db", "{db}"),
        ("--config", "{config}", "signal", "add", "BTC/USDT", "buy"),
        ("signal", "add", "BTC/USDT", "buy", "--config", "{config}"),
    ],
)
def test_store_and_configuration_may_be_named_before_or_after_the_command(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    db, config = tmp_path / "x.sqlite", tmp_path / "x.toml"
    config.write_text('[store]\npath = "x.sqlite"\n')
    with a_listening_desk(socket_path(db)) as desk:
        ran = a_shell(tmp_path)(*(word.format(db=db, config=config) for word in words), "--key", "k")
        assert (ran.code, ran.out, ran.err) == (0, "id-k\n", "")
        assert desk.kept == {"k": {"symbol": "BTC/USDT", "side": "buy", "key": "k"}}


@pytest.mark.parametrize(
    "words",
    [
        "nonsense",
        "signal add",
        "signal add BTC/USDT",
        "signal add BTC buy",
        "signal add BTC/USDT up",
        "signal add BTC/USDT buy --confidence 7",
        "signal add BTC/USDT buy --quantity -1",
        "signal add BTC/USDT buy --price nan",
        "signal add BTC/USDT buy --ttl 0",
        "signal add BTC/USDT buy --wait -1",
        "signal add BTC/USDT buy --stdin",
        "signal list --state sleeping",
        "trader pause",
        "trader pause a --all",
        "export dreams",
        "run --for 3",
        "run --headless --speed 0",
        "run --headless --speed fast",
        "run --headless --replay nowhere.csv",
        "--speed 3 status",
        "alert ack soon",
    ],
)
def test_bad_usage_ends_with_two_and_changes_nothing(tmp_path: Path, words: str) -> None:
    ran = a_shell(tmp_path)(*words.split())
    assert ran.code == 2, ran.err
    assert ran.err
    assert list(tmp_path.rglob("*.sqlite*")) == []


@pytest.mark.parametrize(
    "words",
    ["status", "doctor", "signal list", "signal show abcd", "signal retry abcd", "trader list", "alert list",
     "error list", "error show 1", "export events"],
)  # fmt: skip
def test_reading_without_a_store_ends_with_three(tmp_path: Path, words: str) -> None:
    ran = a_shell(tmp_path)(*words.split(), "--db", tmp_path / "none.sqlite")
    assert ran.code == 3
    assert "none.sqlite" in ran.err


@pytest.mark.parametrize(
    "words", ["signal add BTC/USDT buy", "trader pause a", "trader resume --all", "alert ack 1", "halt", "release"]
)
def test_acting_without_an_engine_ends_with_three(tmp_path: Path, words: str) -> None:
    ran = a_shell(tmp_path)(*words.split(), "--db", tmp_path / "none.sqlite")
    assert ran.code == 3
    assert "no engine listens" in ran.err


def test_a_dashboard_without_a_terminal_says_what_to_run_instead(tmp_path: Path) -> None:
    ran = a_shell(tmp_path).as_child()
    assert ran.code == 2
    assert ran.err == "signaldeck: this is no terminal to draw on (use `signaldeck run --headless`)\n"


def test_paths_after_replay_are_all_replayed() -> None:
    given = ["--db", "x", "--replay", "a", "b", "--speed", "max", "--replay", "c"]
    assert spread(given) == ["--db", "x", "--replay", "a", "--replay", "b", "--speed", "max", "--replay", "c"]
    assert spread(["signal", "add"]) == ["signal", "add"]


@pytest.mark.parametrize(
    ("words", "commands"),
    [
        ("", []),
        ("--db status --config c", []),
        ("--replay a b", []),
        ("--db x signal add", ["signal"]),
        ("--help", list(COMMANDS)),
        ("statsu", list(COMMANDS)),
        ("run --headless --theme signal", ["run"]),
    ],
)
def test_only_the_commands_that_are_named_are_made(words: str, commands: list[str]) -> None:
    assert needed(spread(words.split())) == commands


def test_handing_in_a_signal_imports_nothing_heavy(tmp_path: Path) -> None:
    db = tmp_path / "x.sqlite"
    program = (
        "import json, sys\n"
        f"sys.argv = ['signaldeck', 'signal', 'add', 'BTC/USDT', 'buy', '--key', 'k', '--db', {str(db)!r}]\n"
        "from tui.cli import main\n"
        "try: main()\nexcept SystemExit as e: assert not e.code, e.code\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    with a_listening_desk(socket_path(db)):
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(json.loads(ran.stdout.splitlines()[-1]))
    assert not loaded & set(HEAVY)
    assert "asyncio" not in loaded
