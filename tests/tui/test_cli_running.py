"""`signaldeck run` as a process: how it begins, how it ends, and who may run beside it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.command_line import Shell, a_shell

pytestmark = pytest.mark.waits

LATE_S = 60.0


@contextmanager
def an_engine(run: Shell, db: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a demo's engine until the block ends; it takes signals when the block begins."""
    with run.running("run", "--headless", "--db", db, *options) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline().startswith(b"demo engine runs")
        yield engine


def test_an_engine_ends_by_itself_after_the_time_it_was_given(tmp_path: Path) -> None:
    ran = a_shell(tmp_path).as_child("run", "--headless", "--for", "0.5", "--db", tmp_path / "x.sqlite")
    assert ran.code == 0, ran.err
    assert ran.err == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_drains_the_engine_and_ends_it_in_order(tmp_path: Path, number: signal.Signals) -> None:
    run, db = a_shell(tmp_path), tmp_path / "x.sqlite"
    with an_engine(run, db) as engine:
        assert run("signal", "add", "BTC/USDT", "buy", "--key", "k", "--db", db).code == 0
        engine.send_signal(number)
        assert engine.wait(LATE_S) == 0
    status = run("status", "--json", "--db", db).json
    assert status["engine"]["state"] == "stopped"
    assert status["queue"]["in_flight"] == 0
    assert not Path(f"{db}.sock").exists()


def test_an_engine_told_to_detach_outlives_its_terminal(tmp_path: Path) -> None:
    db = tmp_path / "x.sqlite"
    run = a_shell(tmp_path, SIGNALDECK_ENGINE__ON_HANGUP="detach")
    with an_engine(run, db) as engine:
        engine.send_signal(signal.SIGHUP)
        assert run("signal", "add", "BTC/USDT", "buy", "--db", db).code == 0
        assert engine.poll() is None
        engine.send_signal(signal.SIGTERM)
        assert engine.wait(LATE_S) == 0


def test_a_second_signal_ends_the_engine_at_once_and_the_store_is_whole(tmp_path: Path) -> None:
    run, db = a_shell(tmp_path), tmp_path / "x.sqlite"
    with an_engine(run, db) as engine:
        engine.send_signal(signal.SIGSTOP)  # both come while it stands still, so both are there when it goes on
        engine.send_signal(signal.SIGTERM)
        engine.send_signal(signal.SIGINT)
        engine.send_signal(signal.SIGCONT)
        assert engine.wait(LATE_S) == 70
    assert run.as_child("run", "--headless", "--for", "0.2", "--db", db).code == 0


def test_two_engines_never_share_a_store(tmp_path: Path) -> None:
    run, db = a_shell(tmp_path), tmp_path / "x.sqlite"
    with an_engine(run, db) as engine:
        second = run.as_child("run", "--headless", "--for", "1", "--db", db)
        assert second.code == 4
        assert str(engine.pid) in second.err
        assert run("status", "--json", "--db", db).json["engine"]["pid"] == engine.pid


def test_everything_an_engine_writes_is_its_user_s_alone(tmp_path: Path) -> None:
    db = tmp_path / "store" / "x.sqlite"
    db.parent.mkdir()
    with an_engine(a_shell(tmp_path), db):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in db.parent.iterdir()}
    assert {"x.sqlite", "x.sqlite.sock", "x.sqlite.log"} <= modes.keys()
    assert {mode & 0o077 for mode in modes.values()} == {0}


def test_an_engine_without_a_log_writes_none(tmp_path: Path) -> None:
    db = tmp_path / "x.sqlite"
    ran = a_shell(tmp_path, SIGNALDECK_LOG="off").as_child("run", "--headless", "--for", "0.3", "--db", db)
    assert ran.code == 0
    assert not Path(f"{db}.log").exists()


def test_a_store_without_a_folder_is_refused_and_nothing_is_made_elsewhere(tmp_path: Path) -> None:
    ran = a_shell(tmp_path).as_child("run", "--headless", "--for", "1", "--db", tmp_path / "gone" / "x.sqlite")
    assert ran.code == 2
    assert "gone" in ran.err
    assert not list(tmp_path.rglob("*.sqlite*"))


def test_a_replay_ends_with_its_recording_and_says_where_it_is_kept(tmp_path: Path) -> None:
    recording = tmp_path / "BTC-USDT.trades.csv"
    rows = [f"{1_600_000_000_000 + n * 1000},buy,{100 + n % 7},0.5" for n in range(600)]
    recording.write_text("timestamp_ms,side,price,amount\n" + "\n".join(rows) + "\n")
    run = a_shell(tmp_path)
    ran = run.as_child("run", "--headless", "--replay", recording, "--speed", "max")
    assert ran.code == 0, ran.err
    db = Path(ran.out.splitlines()[0].rpartition("store ")[2])
    assert db.parent.name == "replays"
    status = run("status", "--json", "--db", db).json
    assert status["engine"]["mode"] == "replay"
    assert status["candles"]["built"] >= 59
    assert run("status").code == 3  # the demo's own store was never made


def test_lines_handed_in_survive_a_killed_engine(tmp_path: Path) -> None:
    run, db = a_shell(tmp_path), tmp_path / "x.sqlite"
    with run.running("signal", "add", "--stdin", "--wait", "60", "--db", db) as producer:
        assert producer.stdin is not None
        assert producer.stdout is not None
        for n in range(3):
            with an_engine(run, db) as engine:
                line = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.001", "key": f"k{n}"}
                producer.stdin.write(json.dumps(line).encode() + b"\n")
                producer.stdin.flush()
                assert json.loads(producer.stdout.readline())["outcome"] == "stored"
                os.kill(engine.pid, signal.SIGKILL)
        producer.stdin.close()
        assert producer.wait(LATE_S) == 0
    kept = run("signal", "list", "--source", "manual", "--json", "--db", db).json["signals"]
    assert sorted(s["key"] for s in kept) == ["k0", "k1", "k2"]


def test_the_control_socket_is_answered_while_the_engine_works(tmp_path: Path) -> None:
    run, db = a_shell(tmp_path), tmp_path / "x.sqlite"
    with an_engine(run, db):
        doctor = run("doctor", "--json", "--db", db)
        assert doctor.json["live"] is True
        assert run("trader", "pause", "trader_spare", "--why", "lunch", "--db", db).code == 0
        spare = next(
            t for t in run("trader", "list", "--json", "--db", db).json["traders"] if t["name"] == "trader_spare"
        )
        assert (spare["available"], spare["desired"], spare["desired_why"]) == (False, "pause", "lunch")
        assert run("trader", "pause", "nobody", "--db", db).code == 4
        assert run("halt", "--why", "drill", "--db", db).code == 0
        until = time.monotonic() + LATE_S
        while run("status", "--json", "--db", db).json["engine"]["state"] != "halted":
            assert time.monotonic() < until
        assert run("release", "--db", db).code == 0
