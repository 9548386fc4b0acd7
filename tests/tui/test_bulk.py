"""One wish for many: who is eligible, in which order, what is asked, and what is left marked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from engine.clock import ManualClock
from engine.core.commands import CommandKind, CommandState
from engine.core.errors import CommandRefused, NotThere
from engine.core.events import Signal
from engine.core.lifecycle import DUE_SIGNALS, RETRYABLE_SIGNALS, SignalState
from engine.core.values import Mode
from engine.store.sqlite import SqliteStore
from tests.support.builders import NOW
from tests.support.builders import a_signal as a_new_signal
from tests.support.screen_bridge import RecordingBridge, Showing, is_on, play_store, press, text_of
from tests.support.stories import a_signal, at
from tui.bulk import BulkPlan, Item, carry_out, plan_cancel, plan_retry
from tui.filters import states_in
from tui.screens.confirm import Confirm
from tui.screens.signal_list import SignalListScreen

STATES = st.sampled_from(list(SignalState))


def signals(*states: SignalState, **fields: Any) -> list[Signal]:
    return [replace(a_signal(state), id=f"s{n}", seq=n, version=n + 7, **fields) for n, state in enumerate(states, 1)]


@given(st.lists(STATES, max_size=40), st.randoms(use_true_random=False), st.sampled_from([plan_retry, plan_cancel]))
def test_every_marked_signal_is_in_the_plan_once_and_the_oldest_comes_first(
    states: list[SignalState], chance: Any, plan: Callable[[list[Signal]], BulkPlan]
) -> None:
    marked = signals(*states)
    shuffled = list(marked)
    chance.shuffle(shuffled)
    planned = plan(shuffled)
    refused = [key for key, reason in planned.refused if reason]
    assert sorted([item.key for item in planned.eligible] + refused) == sorted(signal.id for signal in marked)
    places = [int(item.key.removeprefix("s")) for item in planned.eligible]
    assert places == sorted(places)


def test_only_what_ended_badly_is_retried_and_the_others_say_why_not() -> None:
    planned = plan_retry(signals(*SignalState))
    assert {item.key for item in planned.eligible} == {
        f"s{n}" for n, state in enumerate(SignalState, 1) if state in RETRYABLE_SIGNALS
    }
    assert "looked up, never sent again" in planned.scope
    assert "needs a review" in planned.scope
    assert planned.scope.startswith(f"{len(RETRYABLE_SIGNALS)} of {len(SignalState)} marked.")


def test_a_cancel_that_is_noted_already_is_not_wished_again() -> None:
    planned = plan_cancel(signals(SignalState.EXECUTING, SignalState.WAITING, cancel_requested=True))
    assert planned.eligible == ()
    assert "noted already" in planned.scope


@pytest.mark.parametrize(
    ("count", "mode", "word"),
    [
        (5, Mode.LIVE, None),
        (6, Mode.LIVE, "RETRY 6"),
        (6, None, "RETRY 6"),
        (600, Mode.DEMO, None),
        (600, Mode.PAPER, None),
    ],
)
def test_many_have_to_be_typed_where_there_is_real_money(count: int, mode: Mode | None, word: str | None) -> None:
    planned = plan_retry(signals(*[SignalState.FAILED] * count))
    assert planned.typed_word(mode) == word
    assert planned.title == f"Retry {count} signals"


class Answering(RecordingBridge):
    """Answers wishes for each target as it is told to."""

    def __init__(self, **answers: Exception | CommandState) -> None:
        super().__init__()
        self.answers = answers

    async def wish(self, kind: CommandKind, target: str = "", **given: Any) -> Any:
        told = self.answers.get(target, CommandState.DONE)
        if isinstance(told, Exception):
            raise told
        self.answer = (told, "it moved on")
        return await super().wish(kind, target, **given)


def test_one_refusal_does_not_stop_the_others() -> None:
    bridge = Answering(s2=CommandState.REFUSED, s3=CommandRefused("no"))
    planned = plan_retry(signals(*[SignalState.FAILED] * 4))
    outcome = asyncio.run(carry_out(planned, bridge, lambda _: None))
    assert outcome.done == {"s1", "s4"}
    assert outcome.refused == (("s2", "it moved on"), ("s3", "no"))
    assert outcome.told == "2 done; 2 refused, still marked: it moved on"


def test_an_engine_that_is_gone_ends_it_and_the_rest_is_left() -> None:
    planned = plan_retry(signals(*[SignalState.FAILED] * 5))
    heard: list[int] = []
    outcome = asyncio.run(carry_out(planned, Answering(s2=NotThere("no engine")), heard.append))
    assert outcome.done == {"s1"}
    assert outcome.left == 3
    assert "3 not tried, still marked" in outcome.told
    assert heard == [0, 1]


def test_the_version_that_was_seen_goes_with_the_wish() -> None:
    bridge = Answering()
    asyncio.run(carry_out(plan_retry(signals(SignalState.FAILED)), bridge, lambda _: None))
    assert bridge.wishes == [(CommandKind.RETRY, "s1", "", {}, 8)]
    assert plan_retry(signals(SignalState.FAILED)).eligible == (Item("s1", 8),)


def test_a_state_in_the_filter_is_asked_of_the_store() -> None:
    assert states_in("state:failed btc") == {SignalState.FAILED}
    assert states_in("state:failed state:expired") == {SignalState.FAILED, SignalState.EXPIRED}
    assert states_in("state:fail") == frozenset(), "a beginning is no state: the rows are filtered"
    assert states_in("") == frozenset()


# on the screen


async def five_signals(store: SqliteStore) -> None:
    await store.put_signals([a_new_signal(f"k{n}", symbol=f"S{n}/USDT") for n in range(5)])


def a_screen(bridge: RecordingBridge) -> SignalListScreen:
    return SignalListScreen(bridge, clock=ManualClock(at(10)))


def shown(app: Showing) -> SignalListScreen:
    assert isinstance(app.screen, SignalListScreen)
    return app.screen


def test_marks_are_set_one_by_one_by_range_and_for_all_that_match() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "space", "space")
        assert "2 marked" in text_of(app)
        await press(app, pilot, "v", "j", "j", "v")
        assert "5 marked" in text_of(app)
        await press(app, pilot, "u")
        assert "marked" not in text_of(app)
        await press(app, pilot, "slash", *"S3", "enter", "asterisk")
        assert len(shown(app).marks) == 1
        await press(app, pilot, "escape", "slash", *"S4", "enter")
        assert "1 marked (1 not shown)" in text_of(app)

    play_store(a_screen, five_signals, script, (120, 40))


def test_many_are_asked_about_and_no_is_the_answer_unless_y_is_pressed() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "asterisk", "X")
        assert is_on(app, Confirm)
        assert "Cancel 5 signals?" in text_of(app)
        await press(app, pilot, "enter")
        assert is_on(app, SignalListScreen)
        assert bridge_of(app).wishes == []
        await press(app, pilot, "X", "y")
        assert [target for _, target, *_ in bridge_of(app).wishes] == in_order
        assert shown(app).marks == set()

    in_order: list[str] = []

    async def fill(store: SqliteStore) -> None:
        await five_signals(store)
        in_order.extend(signal.id for signal in sorted(await store.due(NOW, 9), key=lambda signal: signal.seq))
        assert all(signal.state in DUE_SIGNALS for signal in await store.due(NOW, 9))

    play_store(a_screen, fill, script, (120, 40))


def test_what_comes_while_the_question_stands_is_not_in_it() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "asterisk", "X")
        store = bridge_of(app).reader
        assert isinstance(store, SqliteStore)
        await store.put_signals([a_new_signal("late")])
        bridge_of(app).show(bridge_of(app).picture)
        await press(app, pilot, "y")
        assert len(bridge_of(app).wishes) == 5

    play_store(a_screen, five_signals, script, (120, 40))


def test_what_was_refused_stays_marked() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        bridge_of(app).answer = (CommandState.REFUSED, "it has moved on")
        await press(app, pilot, "asterisk", "X", "y")
        assert len(shown(app).marks) == 5
        assert any("5 refused, still marked: it has moved on" in str(toast) for toast in app.toasts)

    play_store(a_screen, five_signals, script, (120, 40))


def test_what_cannot_be_done_to_any_is_said_and_not_asked() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "asterisk", "R")
        assert is_on(app, SignalListScreen)
        assert any("none of 5 can be" in str(toast) for toast in app.toasts)

    play_store(a_screen, five_signals, script, (120, 40))


def test_who_may_only_look_has_neither_marks_nor_wishes() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        shown(app).bridge.read_only = True
        await press(app, pilot, "space", "asterisk", "R", "X")
        assert shown(app).marks == set()
        assert bridge_of(app).wishes == []

    play_store(a_screen, five_signals, script)


def bridge_of(app: Showing) -> RecordingBridge:
    stack = [screen for screen in app.screen_stack if isinstance(screen, SignalListScreen)]
    bridge = stack[-1].bridge
    assert isinstance(bridge, RecordingBridge)
    return bridge
