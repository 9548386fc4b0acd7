"""The store's contract, rule by rule."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.clock import LoopClock
from engine.core.errors import IllegalStep
from engine.core.events import Desired, EventKind, Level
from engine.core.lifecycle import SignalState, SignalStep
from engine.store.base import Applied, Put, PutOutcome
from tests.support.builders import NOW, a_signal, a_signal_move, an_intent
from tests.support.store import EVERY_STORE, Stage, an_open_store, on_stage, play


@EVERY_STORE
def test_a_call_that_returned_is_on_disk(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        intent = await stage.commit(a_signal("one"))
        with closing(sqlite3.connect(f"file:{stage.path}?mode=ro", uri=True)) as other:
            assert other.execute("SELECT id, state FROM signal").fetchall() == [("one", "executing")]
            assert other.execute("SELECT client_order_id, state FROM attempt").fetchall() == [
                (intent.request.client_order_id, "intent")
            ]

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_stale_move_is_refused_and_holds_back_no_other(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        first, second = await stage.put(a_signal()), await stage.put(a_signal())
        store = await stage.turn()
        late = replace(a_signal_move(first, SignalStep.CANCEL), version=first.version + 1)
        good = a_signal_move(second, SignalStep.CANCEL)
        gone = replace(late, signal_id="nowhere")
        assert await store.move_signals([late, good, gone]) == [Applied.STALE, Applied.APPLIED, Applied.STALE]
        assert (await stage.signal(first.id)).state is SignalState.NEW
        assert (await stage.signal(second.id)).state is SignalState.CANCELLED
        assert await store.move_signals([good]) == [Applied.STALE]

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_repeated_key_returns_the_first_signal(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        signal = a_signal("first", key="k", quantity=Decimal("1.0"))
        assert await stage.store.put_signals([signal]) == [Put("first", PutOutcome.STORED)]
        store = await stage.turn()
        again = replace(signal, signal_id="second", received_at=NOW + timedelta(seconds=9), quantity=Decimal("1.00"))
        other = replace(signal, signal_id="third", quantity=Decimal("1.1"))
        elsewhere = replace(signal, signal_id="fourth", source="elsewhere")
        assert await store.put_signals([again, other, elsewhere]) == [
            Put("first", PutOutcome.REPEATED),
            Put("first", PutOutcome.CONFLICT),
            Put("fourth", PutOutcome.STORED),
        ]
        totals = await store.totals()
        assert (totals.received, totals.repeated) == (2, 1)
        (warning,) = await store.errors(None, 10)
        assert (warning.level, warning.code, warning.signal_id) == (Level.WARNING, "conflict", "first")

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_concurrent_callers_of_one_key_get_one_signal(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        calls = [stage.store.put_signals([a_signal(f"caller {n}", key="k")]) for n in range(8)]
        puts = [put for (put,) in await asyncio.gather(*calls)]
        assert len({put.signal_id for put in puts}) == 1
        assert sorted(put.outcome for put in puts) == ["repeated"] * 7 + ["stored"]

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_key_may_come_twice_in_one_batch(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        puts = await stage.store.put_signals([a_signal("one", key="k"), a_signal("two", key="k")])
        assert [(put.signal_id, put.outcome) for put in puts] == [("one", "stored"), ("one", "repeated")]

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_each_change_has_its_event_in_the_same_transaction(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        signal = await stage.put(a_signal())
        store = await stage.turn()
        with pytest.raises(IllegalStep):
            await store.move_signals([a_signal_move(signal, SignalStep.COMPLETE)])
        await store.move_signals([a_signal_move(signal, SignalStep.CANCEL)])
        story = await store.story(signal.id)
        assert story is not None
        assert [(e.kind, e.from_state, e.to_state) for e in story.events] == [
            (EventKind.RECEIVED, "", "new"),
            (EventKind.SIGNAL, "new", "cancelled"),
        ]

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_once_a_pause_returned_no_intent_is_applied(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        signal = await stage.put(a_signal())
        intent = an_intent(signal)
        await stage.store.declare_traders({intent.trader: "paper"})
        await stage.store.set_desired(intent.trader, Desired.PAUSE, "ada", "lunch", NOW)
        store = await stage.turn()
        assert await store.commit_intents([intent]) == [Applied.HELD]
        assert await store.commit_intents([replace(intent, trader="another")]) == [Applied.APPLIED]
        (trader,) = await store.traders()
        assert (trader.desired, trader.desired_by, trader.desired_why) == (Desired.PAUSE, "ada", "lunch")

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_once_the_kill_switch_is_on_no_intent_is_applied(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        signal = await stage.put(a_signal())
        await stage.store.set_halted(True, "ada", "storm", NOW)
        store = await stage.turn()
        assert await store.commit_intents([an_intent(signal)]) == [Applied.HELD]
        switches = await store.switches()
        assert (switches.halted, switches.halted_by, switches.halted_why) == (True, "ada", "storm")
        await store.set_halted(False, "ada", "calm", NOW)
        assert await store.commit_intents([an_intent(signal)]) == [Applied.APPLIED]

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_hints_come_after_commits_and_may_merge(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        hints = stage.store.hints()
        waiting = asyncio.ensure_future(anext(hints))
        await LoopClock().sleep(0)
        await asyncio.gather(*(stage.store.put_signals([a_signal()]) for _ in range(5)))
        await waiting
        await hints.aclose()  # type: ignore[attr-defined] # it is a generator

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_cancelled_caller_does_not_undo_its_write(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        call = asyncio.ensure_future(stage.store.put_signals([a_signal("kept")]))
        await LoopClock().sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        store = await stage.turn()
        await store.put_signals([a_signal("next")])
        assert (await stage.signal("kept")).state is SignalState.NEW

    on_stage(kind, tmp_path, scenario)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    note=TEXTS,
    key=TEXTS,
    quantity=st.decimals(min_value=Decimal("1e-18"), max_value=Decimal("1e12"), allow_nan=False, places=18),
    price=st.none() | st.decimals(min_value=Decimal("1e-9"), max_value=Decimal("1e9"), allow_nan=False, places=9),
    micros=st.integers(0, 10**15),
)
def test_what_is_put_in_comes_out_as_it_was(
    note: str, key: str, quantity: Decimal, price: Decimal | None, micros: int
) -> None:
    async def scenario() -> None:
        async with an_open_store() as store:
            at = NOW + timedelta(microseconds=micros)
            put = a_signal("one", note=note, key=key, quantity=quantity, price=price, received_at=at)
            await store.put_signals([put])
            got = await store.signal("one")
            assert got is not None
            assert (got.note, got.key, got.quantity, got.price, got.received_at) == (note, key, quantity, price, at)
            assert str(got.quantity) == str(quantity)
            assert got.votes == put.votes
            assert await store.verify_chain() is None

    play(scenario())


def test_large_texts_and_large_batches_pass(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_open_store(tmp_path / "deck.db") as store:
            await store.put_signals([a_signal("large", note="漢" * 65_536)])
            puts = await store.put_signals([a_signal() for _ in range(10_000)])
            assert {put.outcome for put in puts} == {PutOutcome.STORED}
            large = await store.signal("large")
            assert large is not None
            assert len(large.note) == 65_536

    play(scenario())
