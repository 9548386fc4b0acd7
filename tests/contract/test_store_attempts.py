"""What the store keeps of attempts: intents, outcomes, fills, positions, and who may write them."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import StoreError, StoreLocked
from engine.core.events import EventKind
from engine.core.lifecycle import (
    ATTEMPT_LIFE,
    FINAL_ATTEMPTS,
    AttemptState,
    AttemptStep,
    SignalState,
    SignalStep,
)
from engine.core.order import Attempt, Latency
from engine.core.values import Reason, Side
from engine.sqlite import MEMORY
from engine.store.base import Applied, AttemptMove, Probe
from tests.support.builders import NOW, a_fill, a_request, a_signal, an_attempt_move, an_event, an_intent
from tests.support.store import EVERY_STORE, Stage, a_store, an_open_store, on_stage, play

HALF = Decimal("0.0005")
LATER = NOW + timedelta(seconds=30)


@EVERY_STORE
def test_an_intent_moves_its_signal_with_it(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        intent = await stage.commit(a_signal("one"))
        if stage.reopens:
            await stage.turn()
            assert (await stage.attempt(intent)).state is AttemptState.UNKNOWN
        attempt, signal = await stage.attempt(intent), await stage.signal("one")
        assert attempt.request == intent.request
        assert (attempt.n, attempt.trader, attempt.intent_at) == (1, intent.trader, intent.at)
        assert attempt.latency == Latency(waiting=0.25, gating=0.05)
        assert (signal.state, signal.attempts, signal.trader) == (SignalState.EXECUTING, 1, intent.trader)
        assert await stage.store.commit_intents([intent]) == [Applied.STALE]
        assert [a.client_order_id for a in await stage.store.live_attempts()] == [attempt.client_order_id]

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_list_is_told_the_quantity_and_the_latency_of_each_signals_newest_attempt(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        first = await stage.commit(a_signal("one", quantity=None))
        given_up = an_attempt_move(
            first.request,
            AttemptState.INTENT,
            AttemptStep.REFUSE,
            signal_step=SignalStep.REQUEUE,
            due_at=NOW,
            latency=Latency(acknowledged=1.0),
        )
        await stage.store.move_attempts([given_up])
        again = await stage.signal("one")
        second = an_intent(again, n=2, request=a_request(again, 2, quantity=Decimal("7.5")))
        assert await stage.store.commit_intents([second]) == [Applied.APPLIED]
        await stage.store.put_signals([a_signal("two")])
        untried = await stage.signal("two")
        told = await stage.store.last_tries([untried.seq, again.seq, 999])
        assert set(told) == {again.seq}, "one that was never tried has nothing to tell"
        assert told[again.seq].quantity == Decimal("7.5")
        assert told[again.seq].latency_s is None, "the second try has no answer yet"
        assert await stage.store.last_tries([]) == {}

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_fields_that_a_move_leaves_out_stay_as_they_are(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        intent = await stage.commit(a_signal())
        sent_at = NOW + timedelta(seconds=1, milliseconds=5)
        told = {"venue_order_id": "v1", "sent_at": sent_at, "latency": Latency(0.1, 0.2, 0.3, 0.4), "evidence": "found"}
        await stage.step(intent, AttemptStep.ACKNOWLEDGE, **told)
        await stage.turn()
        await stage.step(intent, AttemptStep.FILL_PART, fills=(a_fill(quantity=HALF),), answered_at=LATER)
        attempt = await stage.attempt(intent)
        assert (attempt.venue_order_id, attempt.sent_at, attempt.answered_at) == ("v1", sent_at, LATER)
        assert attempt.latency == Latency(0.1, 0.2, 0.3, 0.4)
        assert attempt.evidence == ("found",)

    on_stage(kind, tmp_path, scenario)


WAY_TO = {
    AttemptState.INTENT: (),
    AttemptState.ACCEPTED: (AttemptStep.ACKNOWLEDGE,),
    AttemptState.UNKNOWN: (AttemptStep.LOSE_ANSWER,),
    AttemptState.REVIEW: (AttemptStep.ACKNOWLEDGE, AttemptStep.ESCALATE),
    AttemptState.NOT_SENT: (AttemptStep.STAY,),
    AttemptState.REJECTED: (AttemptStep.REFUSE,),
    AttemptState.ABSENT: (AttemptStep.LOSE_ANSWER, AttemptStep.PROVE_ABSENT),
    AttemptState.CANCELED: (AttemptStep.ACKNOWLEDGE, AttemptStep.CLOSE_EMPTY),
    AttemptState.FILLED: (AttemptStep.FILL,),
    AttemptState.PARTIAL_CLOSED: (AttemptStep.CLOSE_PART,),
}
SAYS: dict[str, dict[str, Any]] = {
    "an answer": {"venue_order_id": "v1", "answered_at": LATER, "latency": Latency(0.1, 0.2, 0.3, 0.4)},
    "an error": {"error_code": "odd", "error_text": "odd things happen", "sent_at": NOW},
    "a trade": {"fills": (a_fill(),)},
    "evidence": {"evidence": "seen"},
    "a probe": {"next_probe_at": LATER},
}


def _after(before: Attempt, move: AttemptMove, state: AttemptState) -> Attempt:
    kept = ("venue_order_id", "error_code", "error_text", "sent_at", "answered_at", "latency")
    told = {name: getattr(move, name) for name in kept if getattr(move, name) is not None}
    if move.fills:
        told |= {"filled_quantity": Decimal("0.001"), "average_price": Decimal(50_000), "fee": Decimal("0.05")}
    is_unknown, is_probed = state is AttemptState.UNKNOWN, state in (AttemptState.UNKNOWN, AttemptState.ACCEPTED)
    probe = move.next_probe_at or (move.at if is_unknown else before.next_probe_at)
    return replace(
        before,
        state=state,
        ended_at=move.at if state in FINAL_ATTEMPTS else None,
        unknown_since=move.at if is_unknown else None,
        next_probe_at=probe if is_probed else None,
        evidence=(*before.evidence, *(() if move.evidence is None else (move.evidence,))),
        **told,
    )


@pytest.mark.parametrize("before", AttemptState)
def test_what_a_step_says_is_kept_and_all_else_stays(before: AttemptState) -> None:
    async def one(stage: Stage, step: AttemptStep, after: AttemptState, said: dict[str, Any]) -> None:
        intent = await stage.commit(a_signal())
        for earlier in WAY_TO[before]:
            await stage.step(intent, earlier)
        was = await stage.attempt(intent)
        move = an_attempt_move(intent.request, before, step, **said)
        assert await stage.store.move_attempts([move]) == [Applied.APPLIED]
        assert await stage.attempt(intent) == _after(was, move, after), (step, said)

    async def scenario() -> None:
        async with Stage(Path(MEMORY), inline=True, reopens=False) as stage:
            for (state, step), after in ATTEMPT_LIFE.items():
                for size in range(len(SAYS) + 1) if state is before else ():
                    for parts in combinations(SAYS, size):
                        await one(stage, step, after, {k: v for part in parts for k, v in SAYS[part].items()})

    play(scenario())


@EVERY_STORE
def test_an_outcome_applies_only_in_the_state_and_epoch_that_its_mover_saw(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        intent = await stage.commit(a_signal())
        epoch = (await stage.attempt(intent)).epoch
        lost = an_attempt_move(intent.request, AttemptState.INTENT, AttemptStep.LOSE_ANSWER, epoch=epoch)
        late = an_attempt_move(intent.request, AttemptState.INTENT, AttemptStep.ACKNOWLEDGE, epoch=epoch)
        strange = replace(late, epoch=epoch + 1)
        assert await stage.store.move_attempts([strange, lost, late]) == [
            Applied.STALE,
            Applied.APPLIED,
            Applied.STALE,
        ]
        unknown = await stage.attempt(intent)
        assert (unknown.state, unknown.unknown_since, unknown.next_probe_at) == (AttemptState.UNKNOWN, lost.at, lost.at)

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_an_attempt_may_take_two_steps_in_one_batch(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        intent = await stage.commit(a_signal("one"))
        await stage.step(intent, AttemptStep.ACKNOWLEDGE)
        store = await stage.turn()
        escalated = an_attempt_move(intent.request, AttemptState.ACCEPTED, AttemptStep.ESCALATE)
        absent = an_attempt_move(intent.request, AttemptState.REVIEW, AttemptStep.DECLARE_ABSENT)
        assert await store.move_attempts([escalated, absent]) == [Applied.APPLIED, Applied.APPLIED]
        assert (await stage.attempt(intent)).state is AttemptState.ABSENT
        assert (await store.totals()).attempts_by_state == {"absent": 1}

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_trades_are_counted_once_and_make_the_average(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        intent = await stage.commit(a_signal())
        await stage.step(intent, AttemptStep.ACKNOWLEDGE)
        first, second = a_fill("a", quantity=HALF), a_fill("b", quantity=HALF, price=Decimal(50_002))
        await stage.step(intent, AttemptStep.FILL_PART, fills=(first,))
        store = await stage.turn()
        step = {"fills": (first, second, second), "signal_step": SignalStep.COMPLETE}
        assert await stage.step(intent, AttemptStep.FILL, **step) is Applied.APPLIED
        attempt = await stage.attempt(intent)
        assert (attempt.filled_quantity, attempt.average_price) == (Decimal("0.001"), Decimal(50_001))
        assert attempt.fee == Decimal("0.10")
        kept = await store.fills(0, 10)
        assert [fill for *_, fill in kept] == [first, second]
        assert {(trader, order) for _, trader, order, _ in kept} == {(intent.trader, attempt.client_order_id)}
        (position,) = await store.positions()
        assert (position.quantity, position.entry_price) == (Decimal("0.001"), Decimal(50_001))
        events = await store.events(0, 100)
        assert sum(e.kind is EventKind.FILL for e in events) == 2
        assert sum(e.kind is EventKind.POSITION for e in events) == 2

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_an_exit_that_sells_everything_leaves_no_position(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        buy = await stage.commit(a_signal())
        await stage.step(buy, AttemptStep.FILL, fills=(a_fill("a"),), signal_step=SignalStep.COMPLETE)
        store = await stage.turn()
        sell = await stage.commit(a_signal(side=Side.SELL, reduces=True))
        holdings = await store.holdings(NOW + timedelta(minutes=1))
        assert holdings.exits == (("BTC/USDT", sell.trader),)
        assert holdings.entries == ()
        await stage.step(sell, AttemptStep.FILL, fills=(a_fill("b"),), signal_step=SignalStep.COMPLETE)
        assert await store.positions() == []

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_lookups_are_counted_and_their_evidence_is_kept(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        intent = await stage.commit(a_signal())
        await stage.step(intent, AttemptStep.LOSE_ANSWER, error_code="timeout")
        store = await stage.turn()
        order = intent.request.client_order_id
        assert [a.client_order_id for a in await store.due_probes(LATER, 10, [intent.trader])] == [order]
        next_at = LATER + timedelta(seconds=2)
        await store.note_probes([Probe(order, next_at, "not found"), Probe("nowhere", next_at, "not found")])
        told = an_event("still not found", kind=EventKind.PROBE)
        await store.note_probes([Probe(order, next_at, "not found again", told)])
        attempt = await stage.attempt(intent)
        assert (attempt.probes, attempt.evidence) == (2, ("not found", "not found again"))
        assert await store.due_probes(LATER, 10, [intent.trader]) == []
        assert [a.client_order_id for a in await store.due_probes(next_at, 10, [intent.trader])] == [order]
        assert attempt.error_code == "timeout"

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_after_a_proven_end_the_next_attempt_is_free(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        intent = await stage.commit(a_signal("one"))
        step = {"signal_step": SignalStep.REQUEUE, "due_at": LATER, "signal_reason": Reason("refused", "no funds")}
        await stage.step(intent, AttemptStep.REFUSE, **step)
        store = await stage.turn()
        signal = await stage.signal("one")
        assert (signal.state, signal.due_at, signal.reason.code) == (SignalState.WAITING, LATER, "refused")
        second = an_intent(signal, trader="another")
        assert await store.commit_intents([second]) == [Applied.APPLIED]
        story = await store.story("one")
        assert story is not None
        assert [(a.n, a.trader, a.state) for a in story.attempts] == [
            (1, intent.trader, AttemptState.REJECTED),
            (2, "another", AttemptState.INTENT),
        ]

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_broken_proof_is_shown_beside_what_was_sent_since(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        first = await stage.commit(a_signal("one"))
        await stage.step(first, AttemptStep.REFUSE, signal_step=SignalStep.REQUEUE, due_at=LATER)
        second = an_intent(await stage.signal("one"))
        await stage.store.commit_intents([second])
        await stage.step(second, AttemptStep.ACKNOWLEDGE)
        await stage.turn()
        assert await stage.step(first, AttemptStep.BREAK_PROOF, signal_step=SignalStep.BREAK_PROOF) is Applied.APPLIED
        assert [a.state for a in await stage.store.live_attempts()] == [AttemptState.REVIEW, AttemptState.ACCEPTED]
        assert (await stage.signal("one")).state is SignalState.NEEDS_REVIEW

    on_stage(kind, tmp_path, scenario)


def test_no_signal_rests_while_its_attempt_may_be_an_order(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        intent = await stage.commit(a_signal("one"))
        await stage.step(intent, AttemptStep.ACKNOWLEDGE)
        with pytest.raises(StoreError, match="live attempt"):
            await stage.step(intent, AttemptStep.FILL_PART, signal_step=SignalStep.EXPIRE)
        assert (await stage.signal("one")).state is SignalState.EXECUTING

    on_stage("on the loop", tmp_path, scenario)


def test_two_orders_with_one_client_order_id_cannot_be(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        intent = await stage.commit(a_signal("one"))
        other = await stage.put(a_signal("two"))
        with pytest.raises(StoreError, match="client_order_id"):
            await stage.store.commit_intents([an_intent(other, request=intent.request)])
        assert (await stage.signal("two")).state is SignalState.NEW

    on_stage("on the loop", tmp_path, scenario)


@EVERY_STORE
def test_intents_that_nobody_owns_become_unknown_at_the_next_start(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        lost = await stage.commit(a_signal("lost"))
        known = await stage.commit(a_signal("known"))
        await stage.step(known, AttemptStep.ACKNOWLEDGE)
        await stage.store.close()
        store = a_store(stage.path, clock=stage.clock, inline=stage.inline)
        opened = await store.open(now=LATER)
        stage.store = store
        assert (opened.epoch, opened.orphans, opened.clean) == (2, 1, True)
        attempt = await stage.attempt(lost)
        assert (attempt.state, attempt.epoch) == (AttemptState.UNKNOWN, 2)
        assert (attempt.unknown_since, attempt.next_probe_at) == (LATER, LATER)
        assert (await stage.attempt(known)).state is AttemptState.ACCEPTED
        story = await store.story("lost")
        assert story is not None
        assert (story.events[-1].code, story.events[-1].from_state) == ("orphan", "intent")

    on_stage(kind, tmp_path, scenario)


def test_a_later_engine_fences_off_every_write_of_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "deck.db"

    async def scenario() -> None:
        async with an_open_store(path) as old:
            signals = [a_signal(f"s{n}") for n in range(3)]
            await old.put_signals(signals)
            intent = an_intent(signals[0])
            await old.commit_intents([intent])
            with closing(sqlite3.connect(path, isolation_level=None)) as later:  # past the lock, as another host might
                later.execute("UPDATE writer SET epoch = 2")
            lost = an_attempt_move(intent.request, AttemptState.INTENT, AttemptStep.ACKNOWLEDGE, epoch=1)
            assert await old.commit_intents([an_intent(signals[1])]) == [Applied.FENCED]
            assert await old.move_attempts([lost]) == [Applied.FENCED]
            with pytest.raises(StoreLocked, match="engine start 2"):
                await old.put_signals([a_signal("late")])
            with pytest.raises(StoreLocked):
                await old.note([an_event()])
            assert await old.signal("late") is None
            assert not (await old.health()).writable
        async with an_open_store(path, now=LATER) as new:
            assert (await new.attempts(0, 9))[0].epoch == 3
            assert await new.verify_chain() is None

    play(scenario())


def test_a_write_that_waits_behind_a_later_engine_is_fenced(tmp_path: Path) -> None:
    path = tmp_path / "deck.db"

    async def scenario() -> None:
        async with an_open_store(path, inline=False) as old:
            await old.put_signals([a_signal("one")])
            with closing(sqlite3.connect(path, isolation_level=None)) as later:
                later.execute("BEGIN IMMEDIATE")
                later.execute("UPDATE writer SET epoch = epoch + 1")
                waiting = old.commit_intents([an_intent(a_signal("one"))])
                task = asyncio.ensure_future(waiting)
                await asyncio.wait([task], timeout=0.05)
                assert not task.done()
                later.execute("COMMIT")
            assert await task == [Applied.FENCED]

    play(scenario(), inline=False)


def test_a_request_is_kept_to_the_last_digit(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        signal = a_signal("one")
        quantity, price = Decimal("0.000000000000000001"), Decimal("123456789.123456789123456789")
        request = a_request(signal, quantity=quantity, price=price, slippage_max=None, reference_price=None)
        intent = await stage.commit(signal, request=request)
        assert (await stage.attempt(intent)).request == request
        assert str((await stage.attempt(intent)).request.price) == str(price)

    on_stage("on the loop", tmp_path, scenario)
