"""Any order of operations: the store and a small model of it never come apart, whatever is batched and reopened."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.clock import run_on
from engine.core.events import Desired, EventKind
from engine.core.lifecycle import (
    ATTEMPT_LIFE,
    DUE_SIGNALS,
    FINAL_ATTEMPTS,
    LIVE_ATTEMPTS,
    OPEN_SIGNALS,
    SIGNAL_LIFE,
    SUCCESSFUL_ATTEMPTS,
    AttemptState,
    AttemptStep,
    SignalState,
    SignalStep,
)
from engine.core.order import OrderRequest
from engine.core.values import NewSignal
from engine.store.base import Applied, AttemptMove, PutOutcome
from engine.store.sqlite import SqliteStore
from tests.support.builders import NOW, a_fill, a_signal, a_signal_move, an_attempt_move, an_event, an_intent
from tests.support.store import a_store

T = TypeVar("T")
TRADERS = ("north", "south")
ENDS = {
    AttemptState.FILLED: SignalStep.COMPLETE,
    AttemptState.PARTIAL_CLOSED: SignalStep.COMPLETE,
    AttemptState.NOT_SENT: SignalStep.REQUEUE,
    AttemptState.REJECTED: SignalStep.REQUEUE,
    AttemptState.ABSENT: SignalStep.REQUEUE,
    AttemptState.CANCELED: SignalStep.CANCEL,
    AttemptState.REVIEW: SignalStep.ESCALATE,
}


_HAS_ORDER = frozenset({SignalState.EXECUTING, SignalState.NEEDS_REVIEW})


@dataclass
class Known:
    """What the model knows of a signal; an attempt's tally is a success for ever, or a failure until it is one."""

    put: NewSignal
    state: SignalState
    version: int
    attempts: list[AttemptState]
    orders: list[OrderRequest]
    traders: list[str]
    tallies: list[str]
    is_withdrawn: bool = False

    def end(self, after: AttemptState) -> None:
        """Let the last attempt be in `after`."""
        self.attempts[-1] = after
        if after in SUCCESSFUL_ATTEMPTS:
            self.tallies[-1] = "success"
        elif after in FINAL_ATTEMPTS and not self.tallies[-1]:
            self.tallies[-1] = "failure"


class StoreMachine(RuleBasedStateMachine):
    @initialize()
    def opened(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner(loop_factory=run_on(None))
        self.known: dict[str, Known] = {}
        self.paused: set[str] = set()
        self.halted = False
        self.traded: Counter[tuple[str, str]] = Counter()
        self.repeated = self.trades = 0
        self.store = self._open()

    def teardown(self) -> None:
        if hasattr(self, "store"):
            assert self.run(self.store.verify_chain()) is None
            self.run(self.store.close())
            self.runner.close()
            self.folder.cleanup()

    def run(self, work: Awaitable[T]) -> T:
        async def main() -> T:
            return await work

        return self.runner.run(main())

    def _open(self) -> SqliteStore:
        store = a_store(Path(self.folder.name) / "deck.db")
        self.run(store.open(now=NOW))
        return store

    @rule()
    def reopen(self) -> None:
        self.run(self.store.close())
        self.store = self._open()
        for known in self.known.values():
            known.attempts = [AttemptState.UNKNOWN if s is AttemptState.INTENT else s for s in known.attempts]

    @rule(keys=st.lists(st.integers(0, 9), min_size=1, max_size=4), symbol=st.sampled_from(["BTC/USDT", "ETH/USDT"]))
    def put(self, keys: list[int], symbol: str) -> None:
        batch = [a_signal(f"{key:04}", symbol=symbol, quantity=Decimal(1)) for key in keys]
        puts = self.run(self.store.put_signals(batch))
        for signal, put in zip(batch, puts, strict=True):
            known = self.known.get(signal.signal_id)
            if known is None:
                assert put.outcome is PutOutcome.STORED
                self.known[signal.signal_id] = Known(signal, SignalState.NEW, 1, [], [], [], [])
            elif known.put.symbol == signal.symbol:
                assert put.outcome is PutOutcome.REPEATED
                self.repeated += 1
            else:
                assert put.outcome is PutOutcome.CONFLICT

    @rule(trader=st.sampled_from(TRADERS), desired=st.sampled_from(Desired))
    def wish(self, trader: str, desired: Desired) -> None:
        self.run(self.store.set_desired(trader, desired, "ada", "", NOW))
        (self.paused.discard if desired is Desired.RUN else self.paused.add)(trader)

    @precondition(lambda self: self.known)
    @rule(pick=st.integers(0, 99))
    def ask_to_cancel(self, pick: int) -> None:
        known = self._pick(pick)
        if known.state is SignalState.EXECUTING:
            event = an_event("withdrawn", kind=EventKind.SIGNAL, signal_id=known.put.signal_id, code="cancel_requested")
            self.run(self.store.request_cancel(known.put.signal_id, event))
            known.is_withdrawn, known.version = True, known.version + 1

    @rule(on=st.booleans())
    def halt(self, on: bool) -> None:
        self.run(self.store.set_halted(on, "ada", "", NOW))
        self.halted = on
        for known in self.known.values() if on else ():
            if known.state in _HAS_ORDER and not known.is_withdrawn and set(known.attempts) & LIVE_ATTEMPTS:
                known.is_withdrawn, known.version = True, known.version + 1

    @precondition(lambda self: self.known)
    @rule(step=st.sampled_from(SignalStep), pick=st.integers(0, 99), late=st.booleans())
    def step(self, step: SignalStep, pick: int, late: bool) -> None:
        known = self._pick(pick)
        after = SIGNAL_LIFE.get((known.state, step))
        if after is None or step is SignalStep.DISPATCH or any(s in LIVE_ATTEMPTS for s in known.attempts):
            return
        signal = self.run(self.store.signal(known.put.signal_id))
        assert signal is not None
        move = a_signal_move(signal, step, expires_at=NOW + timedelta(hours=1))
        stale = replace(move, version=move.version - 1)
        applied = self.run(self.store.move_signals([stale, move] if late else [move, stale]))
        assert sorted(applied) == [Applied.APPLIED, Applied.STALE]
        known.state, known.version = after, known.version + 1
        known.is_withdrawn = known.is_withdrawn and step is not SignalStep.RETRY

    @precondition(lambda self: self.known)
    @rule(picks=st.lists(st.integers(0, 99), min_size=1, max_size=4), trader=st.sampled_from(TRADERS))
    def dispatch(self, picks: list[int], trader: str) -> None:
        chosen = list({id(k): k for k in (self._pick(pick) for pick in picks)}.values())
        signals = [self.run(self.store.signal(k.put.signal_id)) for k in chosen]
        intents = [an_intent(s, trader=trader) for s in signals if s is not None]

        async def together() -> list[list[Applied]]:
            return list(await asyncio.gather(*(self.store.commit_intents([intent]) for intent in intents)))

        for known, intent, (applied,) in zip(chosen, intents, self.run(together()), strict=True):
            if known.state not in DUE_SIGNALS or known.is_withdrawn:
                assert applied is Applied.STALE
            elif trader in self.paused or self.halted:
                assert applied is Applied.HELD
            else:
                assert applied is Applied.APPLIED
                known.state, known.version = SignalState.EXECUTING, known.version + 1
                known.attempts.append(AttemptState.INTENT)
                known.orders.append(intent.request)
                known.traders.append(trader)
                known.tallies.append("")

    @precondition(lambda self: any(k.attempts for k in self.known.values()))
    @rule(step=st.sampled_from(AttemptStep), picks=st.lists(st.integers(0, 99), min_size=1, max_size=4))
    def outcome(self, step: AttemptStep, picks: list[int]) -> None:
        moves: dict[str, tuple[Known, AttemptState, AttemptMove]] = {}
        for pick in picks:
            known = self._pick(pick)
            before = known.attempts[-1] if known.attempts else None
            after = ATTEMPT_LIFE.get((before, step)) if before else None
            if before is None or after is None or known.state is not SignalState.EXECUTING:
                continue
            signal_step = ENDS.get(after)
            request = known.orders[-1]
            trades = step in (AttemptStep.FILL, AttemptStep.FIND_FILLED) or after is AttemptState.PARTIAL_CLOSED
            fills = (a_fill(f"{request.client_order_id}/last", quantity=Decimal(1)),) if trades else ()
            move = an_attempt_move(request, before, step, fills=fills, signal_step=signal_step, due_at=NOW)
            moves[known.put.signal_id] = (known, after, move)

        async def together() -> list[list[Applied]]:
            return list(await asyncio.gather(*(self.store.move_attempts([m]) for _, _, m in moves.values())))

        results = self.run(together())
        assert results == [[Applied.APPLIED]] * len(moves)
        for known, after, move in moves.values():
            known.end(after)
            if move.fills:
                self.trades += 1
                self.traded[known.traders[-1], known.put.symbol] += known.put.side.sign
            if move.signal_step is not None:
                is_over = known.is_withdrawn and move.signal_step is SignalStep.REQUEUE
                step_taken = SignalStep.CANCEL if is_over else move.signal_step
                known.state, known.version = SIGNAL_LIFE[known.state, step_taken], known.version + 1

    def _pick(self, number: int) -> Known:
        names = sorted(self.known)
        return self.known[names[number % len(names)]]

    @invariant()
    def rows_are_as_the_model_says(self) -> None:
        if not hasattr(self, "store"):
            return
        for signal_id, known in self.known.items():
            story = self.run(self.store.story(signal_id))
            assert story is not None
            signal = story.signal
            assert (signal.state, signal.version, signal.attempts) == (known.state, known.version, len(known.attempts))
            assert (signal.ended_at is None) == (known.state in OPEN_SIGNALS)
            assert [a.state for a in story.attempts] == known.attempts
            assert [a.trader for a in story.attempts] == known.traders

    @invariant()
    def sums_are_as_the_model_says(self) -> None:
        if not hasattr(self, "store"):
            return
        totals = self.run(self.store.totals())
        attempts = [state for known in self.known.values() for state in known.attempts]
        assert totals.signals_by_state == Counter(known.state for known in self.known.values())
        assert totals.attempts_by_state == Counter(attempts)
        assert (totals.received, totals.repeated, totals.attempts) == (len(self.known), self.repeated, len(attempts))
        assert {p.quantity for p in self.run(self.store.positions())} == {Decimal(n) for n in self.traded.values() if n}
        live = self.run(self.store.live_attempts())
        assert len(live) == sum(state in LIVE_ATTEMPTS for state in attempts)
        points = self.run(self.store.minutes(NOW - timedelta(hours=1), NOW + timedelta(hours=2)))
        assert sum(p.attempts for p in points) == len(attempts)
        tallies = [tally for known in self.known.values() for tally in known.tallies]
        assert sum(p.successes for p in points) == totals.successes == tallies.count("success")
        assert sum(p.failures for p in points) == tallies.count("failure")
        assert len(self.run(self.store.fills(0, 1000))) == self.trades


StoreMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestStoreMachine = StoreMachine.TestCase
