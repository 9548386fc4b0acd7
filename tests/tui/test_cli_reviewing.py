"""The two answers to a review from a script: a reason is demanded, and each is asked for twice."""

from __future__ import annotations

import asyncio
import os
import pty
from pathlib import Path

import pytest

from engine.clock import SeededChance, SystemClock
from engine.core.commands import CommandKind
from engine.core.lifecycle import AttemptState, AttemptStep, SignalStep
from engine.core.values import Reason
from engine.places import socket_path
from engine.store.base import Applied
from engine.store.sqlite import SqliteStore
from tests.support.builders import NOW, a_signal, an_attempt_move, an_intent
from tests.support.command_line import Ran, a_shell
from tests.support.control_desk import a_listening_desk

ID = "00000000000000aa"
SURE = ("--why", "seen on the venue's page", "--yes")


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Return a store with one signal whose order is beyond proof."""
    path = tmp_path / "x.sqlite"
    asyncio.run(_fill(path))
    return path


async def _fill(path: Path) -> None:
    store = SqliteStore(path, clock=SystemClock(), inline=True, uuid_source=SeededChance(1).stream("store"))
    await store.open(now=NOW)
    intent = an_intent(a_signal(ID))
    await store.put_signals([a_signal(ID)])
    assert await store.commit_intents([intent]) == [Applied.APPLIED]
    lost = an_attempt_move(intent.request, AttemptState.INTENT, AttemptStep.LOSE_ANSWER)
    escalated = an_attempt_move(
        intent.request,
        AttemptState.UNKNOWN,
        AttemptStep.ESCALATE,
        signal_step=SignalStep.ESCALATE,
        signal_reason=Reason("needs_review", "no proof"),
    )
    assert await store.move_attempts([lost, escalated]) == [Applied.APPLIED] * 2
    await store.close()


def test_an_order_is_attached_with_who_says_so_and_why(tmp_path: Path, db: Path) -> None:
    with a_listening_desk(socket_path(db)) as desk:
        ran = a_shell(tmp_path)("signal", "attach", ID[:12], "v-17", *SURE, "--db", db)
    assert (ran.code, ran.out, ran.err) == (0, "so be it\n", "")
    [wish] = desk.commands
    assert (wish.kind, wish.target, wish.operator) == (CommandKind.ATTACH, ID, "ann")
    assert (wish.why, wish.args) == ("seen on the venue's page", {"venue_order_id": "v-17"})


def test_an_absence_is_declared_with_who_says_so_and_why(tmp_path: Path, db: Path) -> None:
    with a_listening_desk(socket_path(db)) as desk:
        ran = a_shell(tmp_path)("signal", "absent", ID, *SURE, "--db", db)
    assert ran.code == 0
    [wish] = desk.commands
    assert (wish.kind, wish.target, wish.why) == (CommandKind.DECLARE_ABSENT, ID, "seen on the venue's page")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("attach", ID, "v-17", "--yes"), "--why"),
        (("attach", ID, "v-17", "--why", " ", "--yes"), "--why"),
        (("attach", ID, " ", *SURE), "ORDER"),
        (("attach", ID, "v\x1b[2J", *SURE), "ORDER"),
        (("attach", ID, "x" * 129, *SURE), "ORDER"),
        (("attach", ID), "ORDER"),
        (("absent", ID, "--yes"), "--why"),
        (("absent", ID, "--why", "I looked"), "--yes"),
    ],
)
def test_without_a_reason_an_order_or_a_yes_nothing_reaches_the_engine(
    tmp_path: Path, db: Path, words: tuple[str, ...], told: str
) -> None:
    with a_listening_desk(socket_path(db)) as desk:
        ran = a_shell(tmp_path).as_child("signal", *words, "--db", db)
    assert ran.code == 2
    assert told in ran.err
    assert "\x1b" not in ran.err
    assert desk.commands == []


def test_a_refusal_an_unknown_signal_and_no_engine_have_their_own_codes(tmp_path: Path, db: Path) -> None:
    run = a_shell(tmp_path)
    assert run("signal", "absent", ID, *SURE, "--db", db).code == 3
    with a_listening_desk(socket_path(db)) as desk:
        assert run("signal", "absent", "ffffffff", *SURE, "--db", db).code == 3
        desk.refusal = "no order of it waits for a review"
        refused = run("signal", "absent", ID, *SURE, "--db", db)
    assert refused.code == 4
    assert "no order of it waits" in refused.err


@pytest.mark.parametrize(("typed", "code", "wishes"), [("v-17", 0, 1), ("yes", 4, 0), ("", 4, 0)])
def test_on_a_terminal_the_order_has_to_be_typed(tmp_path: Path, db: Path, typed: str, code: int, wishes: int) -> None:
    with a_listening_desk(socket_path(db)) as desk:
        ran = _on_a_terminal(tmp_path, db, typed)
    assert ran.code == code, ran.err
    assert "type v-17 to go on" in ran.err
    assert "buy BTC/USDT" in ran.err
    assert len(desk.commands) == wishes


def _on_a_terminal(home: Path, db: Path, typed: str) -> Ran:
    ours, theirs = pty.openpty()
    words = ("signal", "attach", ID, "v-17", "--why", "I saw it", "--db", db)
    try:
        with a_shell(home).running(*words, stdin=theirs) as asked:
            os.write(ours, f"{typed}\n".encode())
            out, err = asked.communicate(timeout=60)
    finally:
        os.close(ours)
        os.close(theirs)
    return Ran(asked.returncode, out.decode(), err.decode())
