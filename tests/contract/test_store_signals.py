"""What the store keeps of signals: their order, their steps, their lists."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from engine.core.errors import BadInput, IllegalStep
from engine.core.events import EventKind
from engine.core.lifecycle import AttemptState, AttemptStep, SignalState, SignalStep
from engine.core.values import Reason
from engine.store.base import Applied, Put, PutOutcome, SignalFilter
from tests.support.builders import NOW, a_fill, a_signal, a_signal_move, an_attempt_move, an_event
from tests.support.store import EVERY_STORE, Stage, on_stage


@EVERY_STORE
def test_exits_are_due_first_then_the_oldest(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        late = a_signal("late", received_at=NOW + timedelta(seconds=2))
        early = a_signal("early", received_at=NOW + timedelta(seconds=1))
        way_out = a_signal("exit", received_at=NOW + timedelta(seconds=3), reduces=True)
        future = a_signal("future", received_at=NOW + timedelta(hours=1))
        await stage.store.put_signals([late, early, way_out, future])
        store = await stage.turn()
        now = NOW + timedelta(seconds=10)
        assert [s.id for s in await store.due(now, 10)] == ["exit", "early", "late"]
        assert [s.id for s in await store.due(now, 2)] == ["exit", "early"]
        assert await store.next_due() == NOW + timedelta(seconds=1)

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_what_is_due_comes_together_with_what_is_held(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        bought = await stage.commit(a_signal("bought"))
        fill = a_fill(quantity=bought.request.quantity)
        await stage.step(bought, AttemptStep.FILL, fills=(fill,), signal_step=SignalStep.COMPLETE)
        later = NOW + timedelta(hours=1)
        await stage.store.put_signals([a_signal("now"), a_signal("later", received_at=later)])
        store = await stage.turn()
        for until, ids in ((NOW, ["now"]), (later, ["now", "later"])):
            due, holdings = await store.agenda(NOW, until, 10)
            assert [s.id for s in due] == ids
            assert holdings == await store.holdings(NOW)
            assert [p.quantity for p in holdings.positions] == [bought.request.quantity]

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_postponed_signal_is_due_when_it_said_and_never_after_it_expires(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        signal = await stage.put(a_signal())
        due_at = NOW + timedelta(seconds=30)
        reason = Reason("limit", "10 of 10 trades this hour")
        move = a_signal_move(signal, SignalStep.POSTPONE, due_at=due_at, reason=reason)
        assert await stage.store.move_signals([move]) == [Applied.APPLIED]
        store = await stage.turn()
        waiting = await stage.signal(signal.id)
        assert (waiting.state, waiting.due_at, waiting.reason) == (SignalState.WAITING, due_at, reason)
        assert await store.due(due_at - timedelta(microseconds=1), 10) == []
        quiet = replace(a_signal_move(waiting, SignalStep.POSTPONE), event=None, due_at=NOW + timedelta(hours=1))
        events_before = len(await store.events(0, 100))
        await store.move_signals([quiet])
        assert (await stage.signal(signal.id)).due_at == signal.expires_at
        assert len(await store.events(0, 100)) == events_before
        again = await stage.signal(signal.id)
        with pytest.raises(BadInput, match="due_at"):
            await store.move_signals([replace(a_signal_move(again, SignalStep.POSTPONE), due_at=None)])

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_newer_signal_takes_the_place_of_those_not_yet_dispatched(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        old = await stage.put(a_signal("old"))
        under_way = await stage.commit(a_signal("under way"))
        await stage.put(a_signal("elsewhere", symbol="ETH/USDT"))
        store = await stage.turn()
        await store.put_signals([a_signal("newer", supersedes=True)])
        replaced = await stage.signal(old.id)
        assert (replaced.state, replaced.reason.code) == (SignalState.CANCELLED, "superseded")
        assert (await stage.signal(under_way.signal_id)).state is SignalState.EXECUTING
        assert (await stage.signal("elsewhere")).state is SignalState.NEW
        newest = await store.open_signal("BTC/USDT", "fastscalping")
        assert newest is not None
        assert newest.id == "newer"

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_retried_signal_gets_a_fresh_life(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        signal = await stage.put(a_signal())
        await stage.store.move_signals([a_signal_move(signal, SignalStep.EXPIRE)])
        store = await stage.turn()
        ended = await stage.signal(signal.id)
        assert ended.ended_at is not None
        later = NOW + timedelta(hours=1)
        again = a_signal_move(ended, SignalStep.RETRY, due_at=later, expires_at=later + timedelta(seconds=60))
        assert await store.move_signals([again]) == [Applied.APPLIED]
        waiting = await stage.signal(signal.id)
        assert (waiting.state, waiting.due_at, waiting.ended_at) == (SignalState.WAITING, later, None)
        assert waiting.expires_at == later + timedelta(seconds=60)

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_wish_to_cancel_waits_for_the_live_attempt(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        intent = await stage.commit(a_signal("one"))
        waiting = await stage.put(a_signal("two"))
        store = await stage.turn()
        told = an_event("ada wants it cancelled", kind=EventKind.COMMAND)
        assert await store.request_cancel(intent.signal_id, told) is Applied.APPLIED
        assert await store.request_cancel(waiting.id, told) is Applied.STALE
        assert (await stage.signal("one")).cancel_requested

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_an_id_that_another_signal_has_is_refused_alone(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.put(a_signal("taken"))
        store = await stage.turn()
        results = await asyncio.gather(
            store.put_signals([a_signal("good")]),
            store.put_signals([a_signal("taken", key="another")]),
            return_exceptions=True,
        )
        assert isinstance(results[1], BadInput)
        assert results[1].field == "signal_id"
        assert results[0] == [Put("good", PutOutcome.STORED)]
        assert (await store.totals()).received == 2

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_lists_go_newest_first_page_by_page(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        symbols = ["BTC/USDT", "ETH/USDT"]
        for n in range(10):
            await stage.store.put_signals([a_signal(f"s{n}", symbol=symbols[n % 2], source=f"source{n % 3}")])
        done = await stage.signal("s4")
        await stage.store.move_signals([a_signal_move(done, SignalStep.CANCEL)])
        store = await stage.turn()
        everything = SignalFilter()
        first = await store.signals(everything, None, 4)
        rest = await store.signals(everything, first[-1].seq, 10)
        assert [s.id for s in first + rest] == [f"s{n}" for n in reversed(range(10))]
        new = SignalFilter(states=frozenset({SignalState.NEW, SignalState.CANCELLED}), symbol="BTC/USDT")
        assert [s.id for s in await store.signals(new, None, 3)] == ["s8", "s6", "s4"]
        assert [s.id for s in await store.signals(SignalFilter(source="source0"), None, 9)] == ["s9", "s6", "s3", "s0"]
        assert [s.id for s in await store.last_signals(1000)] == ["s9", "s8"]

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_story_is_found_by_a_unique_beginning_of_its_id(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        for signal_id in ("abcd1", "abcd2", "abce1", "x%_1"):
            await stage.put(a_signal(signal_id))
        store = await stage.turn()
        found = await store.story("abce")
        assert found is not None
        assert found.signal.id == "abce1"
        with pytest.raises(BadInput, match="more than one"):
            await store.story("abcd")
        assert await store.story("abc") is None
        assert await store.story("%%%%") is None

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_move_that_is_no_step_of_its_life_undoes_only_its_own_call(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        signal, other = await stage.put(a_signal()), await stage.put(a_signal())
        store = await stage.turn()
        results = await asyncio.gather(
            store.move_signals([a_signal_move(other, SignalStep.CANCEL), a_signal_move(signal, SignalStep.RETRY)]),
            store.put_signals([a_signal("good")]),
            return_exceptions=True,
        )
        assert isinstance(results[0], IllegalStep)
        assert (await stage.signal(other.id)).state is SignalState.NEW
        assert (await stage.signal("good")).state is SignalState.NEW

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_signal_that_moved_to_its_end_can_be_moved_no_more(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        intent = await stage.commit(a_signal("one"))
        store = await stage.turn()
        step = an_attempt_move(
            intent.request,
            (await stage.attempt(intent)).state,
            AttemptStep.FILL if not stage.reopens else AttemptStep.FIND_FILLED,
            fills=(a_fill(),),
            signal_step=SignalStep.COMPLETE,
        )
        assert await store.move_attempts([step]) == [Applied.APPLIED]
        assert await store.move_attempts([step]) == [Applied.STALE]
        assert (await stage.attempt(intent)).state is AttemptState.FILLED
        assert (await stage.signal("one")).state is SignalState.DONE

    on_stage(kind, tmp_path, scenario)
