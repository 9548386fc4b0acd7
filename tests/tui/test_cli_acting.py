"""Commands that act: what reaches the engine, what its answers lead to, and what outlives its restarts."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from pathlib import Path

import pytest

from engine.core.commands import CommandKind
from engine.core.errors import SignalDeckError, StoreFull
from engine.places import socket_path
from tests.support.command_line import a_shell
from tests.support.control_desk import Desk, a_listening_desk
from tests.support.store import an_open_store
from tui.commands.frame import login_name


def a_store_of(db: Path, *traders: str) -> None:
    async def write() -> None:
        async with an_open_store(db) as store:
            await store.declare_traders(dict.fromkeys(traders, "paper"))

    asyncio.run(write())


def a_line(key: str | None = None, **fields: object) -> str:
    signal = {"symbol": "BTC/USDT", "side": "buy", **fields}
    return json.dumps({**signal, "key": key} if key else signal)


def test_every_option_of_a_signal_reaches_the_engine(tmp_path: Path) -> None:
    db = tmp_path / "x.sqlite"
    options = "--confidence 0.8 --quantity 0.010 --price 100.50 --source bot --key k --ttl 30 --trader t --note hello"
    with a_listening_desk(socket_path(db)) as desk:
        assert a_shell(tmp_path)("signal", "add", "BTC/USDT", "sell", *options.split(), "--db", db).code == 0
        assert desk.kept["k"] == {
            "symbol": "BTC/USDT", "side": "sell", "confidence": "0.8", "quantity": "0.010", "price": "100.50",
            "source": "bot", "key": "k", "ttl": "30.0", "trader": "t", "note": "hello",
        }  # fmt: skip


def test_a_signal_without_a_key_gets_one_of_its_own(tmp_path: Path) -> None:
    db = tmp_path / "x.sqlite"
    with a_listening_desk(socket_path(db)) as desk:
        for _ in range(2):
            assert a_shell(tmp_path)("signal", "add", "BTC/USDT", "buy", "--db", db).code == 0
        assert len(desk.kept) == 2


def test_a_repeated_key_returns_the_first_id_and_another_payload_is_refused(tmp_path: Path) -> None:
    db, run = tmp_path / "x.sqlite", a_shell(tmp_path)
    add = ("signal", "add", "BTC/USDT", "buy", "--key", "k", "--db", db)
    with a_listening_desk(socket_path(db)):
        assert run(*add).out == run(*add).out == "id-k\n"
        other = run(*add, "--quantity", "1", "--json")
    assert other.code == 4
    assert other.json == {"outcome": "conflict", "signal_id": "id-k", "key": "k", "text": ""}


def test_lines_are_answered_in_order_and_bad_ones_are_passed_over(tmp_path: Path) -> None:
    db = tmp_path / "x.sqlite"
    lines = [
        a_line("a"),
        "nonsense",
        a_line("a"),
        "",
        a_line("b", symbol="??"),
        "[1]",
        a_line("c", note="ü" * 300_000),
        a_line("d"),
    ]
    with a_listening_desk(socket_path(db)) as desk:
        ran = a_shell(tmp_path).as_child("signal", "add", "--stdin", "--db", db, stdin="\n".join(lines))
    assert ran.code == 4
    assert [(r["line"], r["outcome"]) for r in ran.rows] == [
        (1, "stored"), (2, "refused"), (3, "repeated"), (4, "refused"), (5, "refused"), (6, "refused"), (7, "stored"),
    ]  # fmt: skip
    assert desk.kept.keys() == {"a", "d"}


def test_many_lines_arrive_whole_and_options_fill_in_what_they_leave_out(tmp_path: Path) -> None:
    db = tmp_path / "x.sqlite"
    text = "".join(a_line(f"k{n}", **({"source": "own"} if n % 2 else {})) + "\n" for n in range(3_000))
    with a_listening_desk(socket_path(db)) as desk:
        ran = a_shell(tmp_path).as_child(
            "signal", "add", "--stdin", "--source", "feed", "--ttl", "9", "--db", db, stdin=text
        )
    assert ran.code == 0
    assert [r["key"] for r in ran.rows] == [f"k{n}" for n in range(3_000)]
    assert desk.kept["k0"]["source"] == "feed"
    assert desk.kept["k1"]["source"] == "own"


def test_each_line_is_answered_before_the_next_is_needed(tmp_path: Path) -> None:
    db = tmp_path / "x.sqlite"
    with (
        a_listening_desk(socket_path(db)),
        a_shell(tmp_path).running("signal", "add", "--stdin", "--db", db) as started,
    ):
        assert started.stdin is not None
        assert started.stdout is not None
        for n in range(3):
            started.stdin.write(a_line(f"k{n}").encode() + b"\n")
            started.stdin.flush()
            assert json.loads(started.stdout.readline())["key"] == f"k{n}"
        started.stdin.close()
        assert started.wait(30) == 0


def test_lines_outlive_a_restart_of_the_engine(tmp_path: Path) -> None:
    db, desk = tmp_path / "x.sqlite", Desk()
    with a_shell(tmp_path).running("signal", "add", "--stdin", "--wait", "30", "--db", db) as started:
        assert started.stdin is not None
        assert started.stdout is not None
        for n in range(3):  # each round: no engine at first, then one, then it goes away again
            started.stdin.write(a_line(f"k{n}").encode() + b"\n")
            started.stdin.flush()
            with a_listening_desk(socket_path(db), desk):
                assert json.loads(started.stdout.readline())["outcome"] == "stored"
        started.stdin.close()
        assert started.wait(30) == 0
    assert desk.kept.keys() == {"k0", "k1", "k2"}


def test_a_signal_waits_for_an_engine_and_gives_up_in_time(tmp_path: Path) -> None:
    db, run = tmp_path / "x.sqlite", a_shell(tmp_path)
    add = ("signal", "add", "BTC/USDT", "buy", "--key", "k", "--db", db)
    assert run(*add, "--wait", "0.3").code == 3
    with run.running(*add, "--wait", "30") as started:
        desk = Desk()
        with a_listening_desk(socket_path(db), desk):
            assert started.wait(30) == 0
        assert desk.kept.keys() == {"k"}


def test_a_full_disk_is_waited_for_as_well(tmp_path: Path) -> None:
    db, desk = tmp_path / "x.sqlite", Desk()
    desk.failure = StoreFull("the disk is full")
    add = ("signal", "add", "BTC/USDT", "buy", "--key", "k", "--db", db)
    with a_listening_desk(socket_path(db), desk):
        assert a_shell(tmp_path)(*add).code == 1
        timer = threading.Timer(0.3, lambda: setattr(desk, "failure", None))
        timer.start()
        assert a_shell(tmp_path)(*add, "--wait", "30").code == 0
        timer.join()


@pytest.mark.parametrize(
    ("words", "kind", "target"),
    [
        ("trader pause a", CommandKind.PAUSE, "a"),
        ("trader drain a", CommandKind.DRAIN, "a"),
        ("trader resume a", CommandKind.RESUME, "a"),
        ("trader pause --all", CommandKind.PAUSE_ALL, ""),
        ("trader resume --all", CommandKind.RESUME_ALL, ""),
        ("alert ack 12", CommandKind.ACKNOWLEDGE, "12"),
        ("halt", CommandKind.HALT, ""),
        ("release", CommandKind.RELEASE, ""),
    ],
)
def test_a_wish_reaches_the_engine_with_who_and_why(tmp_path: Path, words: str, kind: CommandKind, target: str) -> None:
    db = tmp_path / "x.sqlite"
    with a_listening_desk(socket_path(db)) as desk:
        ran = a_shell(tmp_path)(*words.split(), "--why", "lunch", "--db", db)
    assert (ran.code, ran.err) == (0, "")
    assert "so be it" in ran.out
    (command,) = desk.commands
    assert (command.kind, command.target, command.why, command.operator) == (kind, target, "lunch", "ann")


@pytest.mark.parametrize(
    ("variables", "by"),
    [
        ({"USER": ""}, login_name(os.getuid())),
        ({"USER": "ann"}, "ann"),
        ({"USER": "ann", "SIGNALDECK_OPERATOR": "night shift"}, "night shift"),
        ({"USER": "", "SIGNALDECK_OPERATOR": "night shift"}, "night shift"),
    ],
)
def test_a_wish_is_by_whoever_says_so_else_by_the_login(tmp_path: Path, variables: dict[str, str], by: str) -> None:
    db = tmp_path / "x.sqlite"
    with a_listening_desk(socket_path(db)) as desk:
        assert a_shell(tmp_path, **variables)("halt", "--db", db).code == 0
    assert [command.operator for command in desk.commands] == [by]


def test_a_user_has_the_name_that_the_system_knows_and_a_number_only_without_one() -> None:
    assert login_name(0) == "root"
    assert login_name(2**31 - 7) == f"uid {2**31 - 7}"


@pytest.mark.parametrize("verb", ["pause", "drain", "resume"])
def test_a_trader_may_be_named_as_the_screen_shows_it(tmp_path: Path, verb: str) -> None:
    db = tmp_path / "x.sqlite"
    a_store_of(db, "trader_momentum", "trader_spare", "spare", "north")
    with a_listening_desk(socket_path(db)) as desk:
        ran = a_shell(tmp_path)("trader", verb, "momentum", "spare", "north", "trader_spare", "nobody", "--db", db)
    assert [command.target for command in desk.commands] == [
        "trader_momentum", "spare", "north", "trader_spare", "nobody",
    ]  # fmt: skip
    assert ran.out.startswith("trader_momentum: so be it\nspare: so be it\n")


def test_a_pause_goes_out_as_it_was_typed_where_the_store_cannot_be_read(tmp_path: Path) -> None:
    db = tmp_path / "x.sqlite"
    db.write_bytes(b"no store at all" * 100)
    with a_listening_desk(socket_path(db)) as desk:
        assert a_shell(tmp_path)("trader", "pause", "momentum", "--db", db).code == 0
    assert [command.target for command in desk.commands] == ["momentum"]


def test_a_refused_wish_ends_with_four_and_the_reason(tmp_path: Path) -> None:
    db, desk = tmp_path / "x.sqlite", Desk()
    desk.refusal = "no trader is called a"
    with a_listening_desk(socket_path(db), desk):
        ran = a_shell(tmp_path)("trader", "pause", "a", "b", "--db", db)
    assert ran.code == 4
    assert len(desk.commands) == 2
    assert ran.err.count("no trader is called a") == 2


def test_an_engine_s_hostile_words_are_printed_without_their_sting(tmp_path: Path) -> None:
    db, desk = tmp_path / "x.sqlite", Desk()
    desk.failure = SignalDeckError("\x1b]0;owned\x07broken\x1b[2J")
    with a_listening_desk(socket_path(db), desk):
        ran = a_shell(tmp_path)("halt", "--db", db)
    assert ran.code == 1
    assert "broken" in ran.err
    assert "\x1b" not in ran.err
