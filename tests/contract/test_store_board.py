"""What is counted, and the one picture that is read of it all."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from engine.core.account import AccountFacts, CallBudget, ExternalOrder, Shortage, VenueFacts
from engine.core.board import Check, EngineFacts, EngineState, ExecutionStatus
from engine.core.events import Alert, AlertState, BreakerState, Desired, Health, Level, Severity, TraderState
from engine.core.feeds import FeedStanding, FeedState
from engine.core.lifecycle import AttemptStep, SignalState, SignalStep
from engine.core.metrics import bucket_of
from engine.core.order import Latency
from engine.core.values import Mode, Reason
from engine.store.base import BoardLimits, TraderHealth
from tests.support.builders import NOW, a_fill, a_signal, a_signal_move, an_event
from tests.support.store import EVERY_STORE, Stage, an_open_store, on_stage, play

LATER = NOW + timedelta(seconds=90)


def an_alert(rule: str = "success_rate", **given: object) -> Alert:
    alert = Alert(
        id=0,
        rule=rule,
        subject="",
        severity=Severity.WARNING,
        state=AlertState.ACTIVE,
        text="80 % of 10 attempts succeeded",
        remedy="look at the traders",
        raised_at=NOW,
        changed_at=NOW,
    )
    return replace(alert, **given)  # type: ignore[arg-type] # what a test names


@EVERY_STORE
def test_totals_are_exact_through_every_change(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        filled = await stage.commit(a_signal("filled"))
        refused = await stage.commit(a_signal("refused"))
        waiting = await stage.put(a_signal("waiting"))
        await stage.step(filled, AttemptStep.FILL, fills=(a_fill(),), signal_step=SignalStep.COMPLETE)
        await stage.step(refused, AttemptStep.REFUSE, signal_step=SignalStep.REJECT, signal_reason=Reason("funds", ""))
        for code in ("limit", "trader"):
            move = a_signal_move(await stage.signal(waiting.id), SignalStep.POSTPONE, reason=Reason(code))
            await stage.store.move_signals([move])
        totals = await (await stage.turn()).totals()
        assert totals.signals_by_state == {"done": 1, "rejected": 1, "waiting": 1}
        assert totals.signals_by_reason == {"done/complete": 1, "rejected/funds": 1, "waiting/trader": 1}
        assert totals.attempts_by_state == {"filled": 1, "rejected": 1}
        assert (totals.received, totals.attempts, totals.successes, totals.executions) == (3, 2, 1, 1)
        assert totals.last_execution_at == NOW + timedelta(seconds=2)

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_outcomes_count_in_the_minute_of_their_intent(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        intent = await stage.commit(a_signal(), at=NOW + timedelta(seconds=59))
        late = NOW + timedelta(seconds=61)
        fast = Latency(0.1, 0.1, 0.1, 0.1)
        await stage.step(intent, AttemptStep.ACKNOWLEDGE, at=late, latency=fast)
        done = {"fills": (a_fill(),), "signal_step": SignalStep.COMPLETE}
        await stage.step(intent, AttemptStep.FILL, at=late, **done)
        await stage.put(a_signal(received_at=NOW + timedelta(minutes=3)))
        store = await stage.turn()
        points = await store.minutes(NOW - timedelta(hours=1), NOW + timedelta(minutes=4))
        assert [(p.received, p.attempts, p.successes, p.failures, p.done) for p in points] == [
            (1, 1, 1, 0, 1),
            (0, 0, 0, 0, 0),
            (0, 0, 0, 0, 0),
            (1, 0, 0, 0, 0),
        ]
        assert points[0].at == NOW
        assert points[0].latency_p50 == pytest.approx(0.4, rel=0.05)
        assert points[1].latency_p50 is None
        assert await store.latencies(NOW, NOW + timedelta(minutes=4)) == {bucket_of(0.4): 1}
        assert await store.latencies(NOW + timedelta(minutes=1), NOW + timedelta(minutes=4)) == {}

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_failure_that_turns_out_to_be_an_order_becomes_a_success(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        intent = await stage.commit(a_signal())
        await stage.step(intent, AttemptStep.REFUSE, signal_step=SignalStep.REJECT)
        await stage.step(intent, AttemptStep.BREAK_PROOF, signal_step=SignalStep.BREAK_PROOF)
        await stage.turn()
        for step in (AttemptStep.ATTACH, AttemptStep.FILL_PART):
            await stage.step(intent, step)
            (point,) = await stage.store.minutes(NOW, NOW + timedelta(minutes=1))
            assert (point.attempts, point.successes, point.failures) == (1, 1, 0)
        assert (await stage.store.totals()).successes == 1

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_entries_count_against_the_limits_unless_they_are_proven_to_be_no_order(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        for at, reduces, refused in ((0, False, False), (30, False, True), (60, True, False), (90, False, False)):
            signal = a_signal(reduces=reduces, received_at=NOW)
            intent = await stage.commit(signal, at=NOW + timedelta(seconds=at))
            if refused:
                await stage.step(intent, AttemptStep.REFUSE, signal_step=SignalStep.REJECT)
        store = await stage.turn()

        async def counts(seconds: int) -> tuple[int, int]:
            trades = (await store.holdings(NOW + timedelta(seconds=seconds))).trades
            return trades.trades_hour, trades.trades_day

        assert await counts(100) == (2, 2)
        assert await counts(3600 - 1) == (2, 2)
        assert await counts(3600) == (1, 2)
        assert await counts(3600 + 90) == (0, 2)
        assert await counts(86400 + 89) == (0, 1)

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_the_board_shows_everything_of_one_moment(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        store = stage.store
        await store.declare_traders({"trader_fastscalping": "paper", "south": "paper"})
        await store.set_desired("south", Desired.PAUSE, "ada", "", NOW)
        done = await stage.commit(a_signal("done"))
        lost = await stage.commit(a_signal("lost"))
        await stage.put(a_signal("new"))
        filled = {"fills": (a_fill(),), "signal_step": SignalStep.COMPLETE, "latency": Latency(0.1, 0.1, 0.1, 0.1)}
        await stage.step(done, AttemptStep.FILL, **filled)
        await stage.step(lost, AttemptStep.LOSE_ANSWER)
        await store.note([an_event("trouble", level=Level.WARNING, at=LATER), an_event("fine")])
        for alert in (an_alert(), an_alert("queue", state=AlertState.PENDING), an_alert("feed")):
            await store.save_alert(alert, None)
        await store.save_readiness(ExecutionStatus(NOW, (Check("feed", False, "stale", "wait"),)))
        feeds = (FeedStanding("kraken", FeedState.DEAD, "no answer", ("BTC/USD",), {"answers": 3}),)
        facts = EngineFacts(Mode.DEMO, EngineState.RUNNING, 1, 7, NOW, NOW, NOW, feed_last_at=NOW, feeds=feeds)
        await store.beat(facts)
        board = await (await stage.turn()).board(LATER, BoardLimits())
        head = board.headline
        assert [(row.id, row.state) for row in board.queue] == [("new", "new"), ("lost", "executing"), ("done", "done")]
        assert board.queue[-1].latency_s == pytest.approx(0.4)
        assert (head.queue, head.in_flight, head.unknown, head.review) == (1, 0, 1, 0)
        assert (head.attempts_5m, head.success_rate) == (2, 0.5), "unknown for more than 60 s counts as failed"
        assert head.conversion == pytest.approx(1 / 3)
        assert head.signals_per_min == pytest.approx(3 / 1.5)
        assert head.latency_avg == pytest.approx(0.4)
        assert (head.alerts_active, head.alerts_open) == (2, 2)
        assert (head.traders_available, head.traders_total, head.availability) == (1, 2, 0.5)
        assert head.errors_per_min == 1
        assert [e.text for e in board.errors] == ["trouble"]
        assert {a.rule for a in board.alerts} == {"success_rate", "feed"}
        assert [p.attempts for p in board.minutes] == [2, 0]
        assert [(p.symbol, p.quantity) for p in board.positions] == [("BTC/USDT", Decimal("0.001"))]
        by_name = {t.name: t for t in board.traders}
        chosen = by_name["trader_fastscalping"]
        assert (chosen.in_flight, chosen.attempts, chosen.successes) == (1, 2, 1)
        assert not by_name["south"].is_available
        assert board.engine is not None
        assert board.engine.feeds == feeds
        assert (board.engine.pid, board.engine.feed_last_at, board.engine.halted_at) == (7, NOW, None)
        assert board.readiness is not None
        assert board.readiness.checks[0].remedy == "wait"

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_the_change_number_rises_with_every_commit_and_only_then(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        store = stage.store
        before = await store.change()
        assert await store.change() == before
        await store.put_signals([a_signal()])
        after = await store.change()
        assert after > before
        assert (await store.board(NOW, BoardLimits())).change == after
        assert await store.change() == after

    on_stage(kind, tmp_path, scenario)


def test_a_new_store_has_an_empty_board() -> None:
    async def scenario() -> None:
        async with an_open_store() as store:
            board = await store.board(NOW, BoardLimits())
            assert board.engine is None
            assert board.headline.success_rate is None
            assert (board.queue, board.minutes, board.readiness) == ((), (), None)

    play(scenario())


def test_the_board_lists_the_newest_errors_first_however_often_it_is_asked() -> None:
    async def scenario() -> None:
        async with an_open_store() as store:
            for n in range(5):
                await store.note([an_event(f"trouble {n}", level=Level.WARNING)])
                board = await store.board(NOW, BoardLimits(errors=3))
                assert [e.text for e in board.errors] == [f"trouble {m}" for m in range(n, max(-1, n - 3), -1)]

    play(scenario())


def test_a_full_queue_leaves_no_room_for_ended_signals() -> None:
    async def scenario() -> None:
        async with an_open_store() as store:
            await store.put_signals([a_signal(f"s{n}") for n in range(6)])
            for name in ("s4", "s5"):
                signal = await store.signal(name)
                assert signal is not None
                await store.move_signals([a_signal_move(signal, SignalStep.CANCEL)])
            for room, shown in ((3, ["s3", "s2", "s1"]), (5, ["s3", "s2", "s1", "s0", "s5"])):
                board = await store.board(NOW, BoardLimits(queue=room))
                assert [row.id for row in board.queue] == shown
            states = Counter(row.state for row in (await store.board(NOW, BoardLimits())).queue)
            assert states == {SignalState.NEW: 4, SignalState.CANCELLED: 2}

    play(scenario())


AN_ACCOUNT = AccountFacts(
    venue=VenueFacts("none", "window", lookup_by_client_id=False, history_lag_s=2.5, verified=False, note="guess"),
    audited_at=NOW,
    audit_error="reset",
    external=(ExternalOrder("v1", "BTC/USDT", "sell", Decimal("0.50"), Decimal(0), "open"),),
    external_count=3,
    shortages=(Shortage("BTC", Decimal("0.1"), Decimal("0.20")),),
    overfills=("too much",),
    budget=CallBudget(10.0, 20.0, 3.5, waiting=2, quiet_s=1.5),
    settings=(("exchange", "kraken"), ("ccxt.timeout", "8000")),
)


@EVERY_STORE
def test_what_watchers_say_of_a_trader_never_touches_the_operators_wish(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.store.declare_traders({"north": "paper", "gone": "paper"})
        await stage.store.set_desired("north", Desired.PAUSE, "ada", "lunch", NOW)
        said = TraderState(
            "north", "paper", Desired.RUN, health=Health.DOWN, health_since=NOW, health_fact="no answer",
            breaker=BreakerState.OPEN, open_until=LATER, breaker_fact="5 of 5", quarantined=True, proof_broken=True, latency_p50=0.1,
            account=AN_ACCOUNT,
        )  # fmt: skip
        await stage.store.note_health([TraderHealth(said, (an_event("north is down", trader="north"),))])
        store = await stage.turn()
        await store.declare_traders({"north": "paper"})
        (kept,) = await store.traders()
        wish = {"desired": Desired.PAUSE, "desired_by": "ada", "desired_at": NOW, "desired_why": "lunch"}
        assert kept == replace(said, **wish)  # type: ignore[arg-type] # fields of TraderState
        assert [e.text for e in await store.events(0, 100) if e.trader == "north"][-1] == "north is down"

    on_stage(kind, tmp_path, scenario)
