"""The diagnosis: one answer, then every gate between a candle and a fill."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.clock import ManualClock
from engine.core.board import Check, EngineState, ExecutionStatus
from engine.core.errors import NotThere
from tests.support.screen_bridge import HOSTILE, RecordingBridge, Showing, is_clean, is_on, play, press, text_of
from tests.support.stories import a_board, a_status, at
from tui.dossiers import readiness_sections
from tui.past import PastClock
from tui.screens.readiness import ReadinessScreen

SIZES = [(80, 24), (120, 40)]


def a_bridge(status: ExecutionStatus | None) -> RecordingBridge:
    bridge = RecordingBridge()
    bridge.status = status
    return bridge


def a_screen(bridge: RecordingBridge) -> ReadinessScreen:
    return ReadinessScreen(bridge, clock=ManualClock(at(12)))


def text_for(status: ExecutionStatus) -> str:
    return "\n".join(section.plain for section in readiness_sections(status, at(12)))


def test_ready_says_how_many_gates_were_asked() -> None:
    text = text_for(a_status())
    assert text.startswith("READY\n")
    assert "5 gates between a candle and a fill were asked, and all say yes" in text


def test_not_ready_counts_the_gates_that_say_no_and_names_the_first() -> None:
    text = text_for(a_status("feed", "traders"))
    assert text.startswith("NOT READY\n2 of 5 gates say no. The first one: feed, newest price is 48 s old.")
    assert "What to do  check the network and the venue" in text


def test_one_gate_says_no_in_the_singular() -> None:
    assert "1 of 5 gates says no." in text_for(a_status("store"))


def test_every_gate_is_told_in_its_order_with_fact_and_remedy() -> None:
    gates = readiness_sections(a_status("traders"), at(12))[1]
    assert [r.label.text for r in gates.rows] == ["✓ feed", "✓ candles", "✓ automated trading", "✗ traders", "✓ store"]
    assert gates.note == "4 yes, 1 no"
    assert "0 of 3 are available" in gates.rows[3].plain
    assert "→ press r on a paused trader" in gates.rows[3].plain


def test_a_no_that_stops_nothing_alone_leaves_it_ready_and_says_so() -> None:
    status = a_status("traders")
    checks = tuple(replace(check, decides=check.ok) for check in status.checks)
    text = text_for(replace(status, checks=checks))
    assert text.startswith("READY\n")
    assert "one says no, which alone stops nothing" in text
    assert "(stops nothing alone)" in text


def test_the_gates_that_decide_are_counted_against_it_and_the_others_apart() -> None:
    status = a_status("feed", "traders")
    first, *others = status.checks
    text = text_for(replace(status, checks=(replace(first, decides=False), *others)))
    assert text.startswith(
        "NOT READY\n1 of 5 gates says no, and 1 more, which alone stops nothing. The first one: traders, 0"
    )


def test_no_gates_at_all_is_told() -> None:
    assert text_for(ExecutionStatus(at(0), ())).startswith("READY")


@pytest.mark.parametrize("size", SIZES)
def test_the_answer_is_on_the_screen_at_once(size: tuple[int, int]) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        text = text_of(app)
        assert "NOT READY" in text
        assert "✗ feed" in text
        assert "→ check the network and the venue" in text

    play(a_screen(a_bridge(a_status("feed"))), script, size)


def test_it_is_asked_again_though_nothing_was_committed() -> None:
    bridge = a_bridge(a_status("feed"))

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        bridge.status = a_status()
        await press(app, pilot, "ctrl+r")
        assert "NOT READY" not in text_of(app)
        assert "READY" in text_of(app)

    play(a_screen(bridge), script)


def test_nobody_to_ask_is_said_in_words() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        assert "NOBODY TO ASK" in text_of(app)
        assert "No engine answers" in text_of(app)
        await press(app, pilot, "escape")
        assert not is_on(app, ReadinessScreen)

    play(a_screen(a_bridge(None)), script)


@pytest.mark.parametrize(
    ("engine", "why"),
    [({"beat_at": at(-37)}, "engine silent for 47s"), ({"state": EngineState.STOPPED}, "engine stopped")],
    ids=["silent", "stopped"],
)
def test_what_an_engine_said_that_answers_no_more_is_never_ready(engine: dict[str, Any], why: str) -> None:
    bridge = a_bridge(a_status())
    board = a_board()
    assert board.engine is not None
    bridge.show(replace(board, engine=replace(board.engine, **engine)))

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        text = text_of(app)
        assert "NOT READY" in text
        assert f"No engine answers ({why})" in text
        assert "what follows is from 12:00:10" in " ".join(text.replace("█", " ").split())
        assert "could be sent:" not in text
        assert "as it was at 12:00:10" in text
        await press(app, pilot, "ctrl+r")
        assert app.toasts == [("warning", f"nobody can be asked: {why}. Start one: signaldeck run")]

    play(ReadinessScreen(bridge, clock=ManualClock(at(10))), script)


def test_asking_again_says_why_it_could_not() -> None:
    bridge = a_bridge(None)

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "ctrl+r")
        assert app.toasts[-1] == ("warning", "nobody can be asked: no engine answers")
        bridge.trouble = NotThere("the store is gone")
        await press(app, pilot, "ctrl+r")
        assert app.toasts[-1][1].startswith("nothing could be asked: ")
        bridge.trouble, bridge.status = None, a_status()
        said = len(app.toasts)
        await press(app, pilot, "ctrl+r")
        assert len(app.toasts) == said

    play(a_screen(bridge), script)


def test_the_past_says_that_it_cannot_be_asked() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "ctrl+r")
        assert app.toasts == [("warning", "the past cannot be asked")]

    play(ReadinessScreen(a_bridge(None), clock=PastClock(at(10))), script)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_only_text(text: str) -> None:
    status = ExecutionStatus(at(10), (Check(text, False, text, text), Check(text, True, text)))

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await press(app, pilot, "G")
            assert is_clean(text_of(app))

    play(a_screen(a_bridge(status)), script)
