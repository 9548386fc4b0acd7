"""The law of the past: at every position of the journal the reader of the past says what the store said there.

A real store takes any order of real moves; what it says is kept each time that its journal has grown. Afterwards the past
is read at these positions, forwards and by leaps, and must say the same.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from engine.core import health
from engine.core.alerting import acknowledged
from engine.core.board import EngineFacts, EngineState
from engine.core.events import (
    Alert,
    AlertState,
    BreakerState,
    EventKind,
    Health,
    NewEvent,
    Severity,
    TraderState,
)
from engine.core.lifecycle import (
    ATTEMPT_LIFE,
    DUE_SIGNALS,
    SIGNAL_LIFE,
    AttemptState,
    AttemptStep,
    SignalState,
    SignalStep,
)
from engine.core.values import Mode, Reason
from engine.store.base import Applied, TraderHealth
from tests.contract.test_store_machine import TRADERS, Known, StoreMachine
from tests.support.builders import NOW, a_fill, a_signal_move, an_attempt_move, an_event
from tests.support.pasts import Said, a_moment_after, assert_the_past_says, last_of, said_by


class PastMachine(StoreMachine):
    """The store's own machine, with what happens beside signals, and a memory of what was said."""

    @initialize()
    def opened(self) -> None:
        super().opened()
        self.run(self.store.declare_traders(dict.fromkeys(TRADERS, "paper")))
        self.run(self.store.beat(EngineFacts(Mode.PAPER, EngineState.RUNNING, 1, 1, NOW, NOW, NOW)))
        self.pulses = {name: TraderState(name, "paper") for name in TRADERS}
        self.raised: dict[str, Alert] = {}
        self.alarms = 0
        self.remembered: dict[int, Said] = {}

    def teardown(self) -> None:
        try:
            if hasattr(self, "store"):
                self.run(assert_the_past_says(self.store.path, self.remembered, self.known))
        finally:
            super().teardown()

    @rule(
        trader=st.sampled_from(TRADERS),
        pulse=st.sampled_from(Health),
        breaker=st.sampled_from(BreakerState),
        broken=st.booleans(),
    )
    def turn(self, trader: str, pulse: Health, breaker: BreakerState, broken: bool) -> None:
        before = self.pulses[trader]
        after = replace(
            before,
            health=pulse,
            health_fact="no answer" if pulse in (Health.DOWN, Health.DEGRADED) else "",
            breaker=breaker,
            breaker_fact="5 of 8 calls failed" if breaker in (BreakerState.OPEN, BreakerState.FORCED_OPEN) else "",
            quarantined=broken,
            proof_broken=broken,
        )
        self.pulses[trader] = after
        events = health.transitions(before, after, NOW)
        self.run(self.store.note_health([TraderHealth(after, tuple(events))]))

    @rule(rule=st.sampled_from(["slow", "silent"]), subject=st.sampled_from(TRADERS), seen=st.booleans())
    def alarm(self, rule: str, subject: str, seen: bool) -> None:
        self.alarms += 1
        at = NOW + timedelta(seconds=self.alarms)
        alert = self.raised.get(rule + subject)
        if alert is None:
            alert = Alert(0, rule, subject, Severity.WARNING, AlertState.ACTIVE, "bad", "look", at, at)
            code = "alert_raised"
        elif alert.state is AlertState.ACTIVE and seen:
            alert, code = acknowledged(alert, "ada", at), "alert_acknowledged"
        else:
            alert = replace(alert, state=AlertState.RESOLVED, resolved_at=at, changed_at=at)
            code = "alert_resolved"
        detail = {"rule": rule, "subject": subject, "severity": "warning"}
        event = NewEvent(EventKind.ALERT, at, f"{rule}: bad", code=code, detail=detail)
        kept = self.run(self.store.save_alert(alert, event))
        self.raised.pop(rule + subject, None)
        if kept.state is not AlertState.RESOLVED:
            self.raised[rule + subject] = kept

    @rule(key=st.integers(0, 9), trader=st.sampled_from(TRADERS), ways=st.lists(st.integers(0, 99), max_size=4))
    def trade(self, key: int, trader: str, ways: list[int]) -> None:
        """Hand a signal in, send it, and let its order go its way: each step is one of those that it may take there."""
        self.put([key], "BTC/USDT")
        pick = sorted(self.known).index(f"{key:04}")
        self.dispatch([pick], trader)
        for way in ways:
            known = self._pick(pick)
            state = known.attempts[-1] if known.attempts else None
            steps = sorted(step for before, step in ATTEMPT_LIFE if before is state)
            if not steps or known.state is not SignalState.EXECUTING:
                return
            if way % 3 == 0:
                self.ask_to_cancel(pick)
                self.what_is_said_is_remembered()
            step = steps[way % len(steps)]
            if step is AttemptStep.FILL_PART:
                self._fill_part(known, way)
            else:
                self.outcome(step, [pick])
            self.what_is_said_is_remembered()

    @rule(key=st.integers(0, 9), ways=st.lists(st.integers(0, 99), min_size=1, max_size=4), late=st.booleans())
    def settle(self, key: int, ways: list[int], late: bool) -> None:
        """Hand a signal in, and let it take steps that need no order."""
        self.put([key], "BTC/USDT")
        pick = sorted(self.known).index(f"{key:04}")
        for way in ways:
            steps = sorted(step for before, step in SIGNAL_LIFE if before is self._pick(pick).state)
            self.step(steps[way % len(steps)], pick, late)
            self.what_is_said_is_remembered()

    def _fill_part(self, known: Known, number: int) -> None:
        request, half = known.orders[-1], Decimal("0.5")
        fills = (a_fill(f"{request.client_order_id}/{self.trades}/{number}", quantity=half),)
        move = an_attempt_move(request, AttemptState.ACCEPTED, AttemptStep.FILL_PART, fills=fills)
        assert self.run(self.store.move_attempts([move])) == [Applied.APPLIED]
        self.trades += 1
        self.traded[known.traders[-1], known.put.symbol] += half * known.put.side.sign  # type: ignore[assignment] # halves

    @precondition(lambda self: self.known)
    @rule(pick=st.integers(0, 99), again=st.integers(1, 60))
    def postpone_quietly(self, pick: int, again: int) -> None:
        known = self._pick(pick)
        signal = self.run(self.store.signal(known.put.signal_id))
        assert signal is not None
        if signal.state is SignalState.WAITING and signal.reason.code == "postpone":
            move = a_signal_move(signal, SignalStep.POSTPONE, due_at=NOW + timedelta(seconds=again))
            self.run(self.store.move_signals([replace(move, event=None, reason=Reason("postpone", "another figure"))]))
            known.version += 1

    @precondition(lambda self: self.known)
    @rule(pick=st.integers(0, 99))
    def put_back(self, pick: int) -> None:
        known = self._pick(pick)
        signal = self.run(self.store.signal(known.put.signal_id))
        assert signal is not None
        if signal.state in (SignalState.FAILED, SignalState.EXPIRED, SignalState.REJECTED):
            reason = Reason("retried", "put back by ada")
            event = an_event(reason.text, kind=EventKind.SIGNAL, signal_id=signal.id, code=reason.code)
            later = signal.expires_at + timedelta(seconds=60)
            move = a_signal_move(signal, SignalStep.RETRY, reason=reason, event=event, expires_at=later)
            self.run(self.store.move_signals([move]))
            known.state, known.version, known.is_withdrawn = SignalState.WAITING, known.version + 1, False
            assert known.state in DUE_SIGNALS

    @invariant()
    def what_is_said_is_remembered(self) -> None:
        if hasattr(self, "store"):
            seq, found = self.run(self._look())
            self.remembered[seq] = found

    async def _look(self) -> tuple[int, Said]:
        last = await last_of(self.store)
        return last.seq, await said_by(self.store, self.known, a_moment_after(last))


PastMachine.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.generate],
)
TestPastMachine = PastMachine.TestCase
