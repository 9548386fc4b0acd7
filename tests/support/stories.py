"""Sample signals with all that happened to them, and the traders, alerts and boards around them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from engine.core.board import Board, Check, EngineFacts, EngineState, ExecutionStatus, Headline, SignalRow, Story
from engine.core.events import Alert, AlertState, Event, EventKind, Level, Severity, Signal, TraderState
from engine.core.lifecycle import AttemptState, SignalState
from engine.core.order import Attempt, Fill, Latency, OrderKind, OrderRequest, client_order_id
from engine.core.values import Action, Mode, Reason, Side, Vote

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SIGNAL_ID = "8f3a21c4d5e6f708"


def at(seconds: float) -> datetime:
    """Return noon and `seconds`."""
    return NOON + timedelta(seconds=seconds)


def a_signal(state: SignalState = SignalState.NEW, **fields: Any) -> Signal:
    """Return a signal in `state`, received at noon, with two minutes to live."""
    defaults: dict[str, Any] = {
        "seq": 1,
        "id": SIGNAL_ID,
        "key": "momentum-BTC/USDT-1",
        "symbol": "BTC/USDT",
        "side": Side.BUY,
        "confidence": 0.82,
        "source": "strategies",
        "received_at": NOON,
        "expires_at": at(120),
        "due_at": NOON,
        "version": 7,
        "attempts": 0,
        "reason": Reason(""),
        "quantity": Decimal("0.0100"),
        "reference_price": Decimal("64012.50"),
        "votes": (
            Vote("fast_scalping", Action.BUY, 0.91, "EMA 5 at 64,020.1 is 0.12 % above EMA 10", 0.4),
            Vote("momentum_scalping", Action.BUY, 0.74, "RSI 61.2, MACD 4.1 above its signal 2.9", 0.4),
            Vote("conservative_scalping", Action.HOLD, 0.0, "price is inside the Bollinger bands", 0.2),
        ),
        "preferred_trader": "trader_momentum",
    }
    return Signal(state=state, **{**defaults, **fields})


def a_request(n: int = 1, **fields: Any) -> OrderRequest:
    """Return the request of a signal's attempt number `n`."""
    defaults: dict[str, Any] = {
        "client_order_id": client_order_id("store", SIGNAL_ID, n),
        "symbol": "BTC/USDT",
        "side": Side.BUY,
        "quantity": Decimal("0.0100"),
        "kind": OrderKind.MARKET,
        "send_by": at(5),
        "reference_price": Decimal("64012.50"),
        "slippage_max": Decimal("0.002"),
    }
    return OrderRequest(**{**defaults, **fields})


def an_attempt(state: AttemptState = AttemptState.INTENT, n: int = 1, **fields: Any) -> Attempt:
    """Return attempt number `n` in `state` at trader_momentum."""
    defaults: dict[str, Any] = {
        "seq": n,
        "signal_id": SIGNAL_ID,
        "trader": "trader_momentum",
        "request": a_request(n),
        "epoch": 3,
        "intent_at": at(0.011),
        "sent_at": at(0.013),
        "latency": Latency(waiting=0.008, gating=0.003),
    }
    return Attempt(n=n, state=state, **{**defaults, **fields})


def a_filled_attempt(n: int = 1, **fields: Any) -> Attempt:
    """Return an attempt that bought the whole quantity in two fills."""
    return an_attempt(
        AttemptState.FILLED,
        n,
        **{
            "venue_order_id": "77120045",
            "filled_quantity": Decimal("0.0100"),
            "average_price": Decimal("64018.20"),
            "fee": Decimal("0.64018200"),
            "answered_at": at(0.097),
            "ended_at": at(0.240),
            "latency": Latency(waiting=0.008, gating=0.003, submitting=0.002, acknowledged=0.084, filled=0.143),
            **fields,
        },
    )


def a_fill(number: int, quantity: str, price: str, seconds: float = 0.2) -> Fill:
    """Return one trade of a sample order."""
    paid = Decimal(quantity) * Decimal(price) / 1000
    return Fill(f"t{number}", Decimal(price), Decimal(quantity), paid, "USDT", at(seconds))


def an_event(seq: int, kind: EventKind, seconds: float, text: str, **fields: Any) -> Event:
    """Return a journal entry of the sample signal, `seconds` after its receipt."""
    defaults: dict[str, Any] = {
        "level": Level.INFO,
        "signal_id": SIGNAL_ID,
        "attempt_n": None,
        "trader": None,
        "code": "",
        "from_state": "",
        "to_state": "",
        "detail": {},
        "epoch": 3,
    }
    return Event(seq=seq, kind=kind, at=at(seconds), text=text, **{**defaults, **fields})


def answers(*refused: str) -> list[dict[str, object]]:
    """Return the gate's answers as an event keeps them: yes, but for the rules named."""
    facts = {
        "is_enabled": ("automated trading is on", "automated trading is off", "set ENABLE_AUTOMATED_TRADING=true"),
        "is_confident": ("0.82 of 0.70 needed", "confidence 0.62 is below 0.70", "lower confidence_min, or leave it"),
        "is_within_position_limits": (
            "2 of 5 positions",
            "5 positions of 5 allowed",
            "close a position, or raise positions_max",
        ),
    }
    return [
        {
            "rule": rule,
            "ok": rule not in refused,
            "fact": no if rule in refused else yes,
            "remedy": remedy if rule in refused else "",
            "code": rule.removeprefix("is_") if rule in refused else "",
        }
        for rule, (yes, no, remedy) in facts.items()
    ]


CONSIDERED: list[dict[str, object]] = [
    {"trader": "trader_fastscalping", "chosen": False, "why": "breaker open 12 s more: 5 of 8 calls failed"},
    {"trader": "trader_momentum", "chosen": True, "why": "preferred, and free"},
    {"trader": "trader_conservative", "chosen": False, "why": "not needed"},
]


def received() -> Event:
    """Return the event that begins every story."""
    return an_event(1, EventKind.RECEIVED, 0, "received from strategies", to_state="new")


def gated(seq: int, seconds: float, *refused: str, considered: object = ()) -> Event:
    """Return one look of the gate, with its objections."""
    text = "the gate said no" if refused else "the gate said yes"
    detail = {"answers": answers(*refused), "considered": considered}
    return an_event(seq, EventKind.GATED, seconds, text, detail=detail)


def intent(seq: int, seconds: float, n: int = 1) -> Event:
    """Return the commit of attempt `n`."""
    return an_event(
        seq,
        EventKind.INTENT,
        seconds,
        f"attempt {n} goes to trader_momentum",
        attempt_n=n,
        trader="trader_momentum",
        to_state="intent",
        detail={
            "considered": CONSIDERED,
            "answers": answers(),
            "request": {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.0100", "kind": "market"},
            "sized": "2 % of 32,006 USDT at 64,012.5 is 0.0100 BTC",
        },
    )


def a_traded_story() -> Story:
    """Return a signal that was filled at once."""
    return Story(
        a_signal(SignalState.DONE, attempts=1, trader="trader_momentum", ended_at=at(0.24)),
        (a_filled_attempt(),),
        ((1, a_fill(1, "0.0040", "64017.50")), (1, a_fill(2, "0.0060", "64018.6667", 0.24))),
        (
            received(),
            intent(2, 0.011),
            an_event(
                3,
                EventKind.ATTEMPT,
                0.097,
                "the venue took the order",
                attempt_n=1,
                from_state="intent",
                to_state="accepted",
            ),
            an_event(4, EventKind.FILL, 0.2, "0.0040 at 64,017.50", attempt_n=1),
            an_event(5, EventKind.FILL, 0.24, "0.0060 at 64,018.6667", attempt_n=1),
            an_event(6, EventKind.SIGNAL, 0.24, "its order is filled", from_state="executing", to_state="done"),
        ),
    )


def a_held_story() -> Story:
    """Return a signal that a position limit holds back."""
    reason = Reason("position_limit", "5 positions of 5 allowed")
    return Story(
        a_signal(SignalState.WAITING, reason=reason, due_at=at(60)),
        (),
        (),
        (
            received(),
            gated(2, 0.01, "is_within_position_limits"),
            an_event(3, EventKind.SIGNAL, 0.01, reason.text, from_state="new", to_state="waiting", code=reason.code),
        ),
    )


def a_refused_story() -> Story:
    """Return a signal that the gate refused for good."""
    reason = Reason("confidence_too_low", "confidence 0.62 is below 0.70")
    signal = a_signal(SignalState.REJECTED, confidence=0.62, reason=reason, ended_at=at(0.01))
    return Story(signal, (), (), (received(), gated(2, 0.01, "is_confident")))


def a_failed_story() -> Story:
    """Return a signal whose three attempts were no orders."""
    reason = Reason("attempts_used_up", "3 of 3 attempts are used up")
    ends = (AttemptState.ABSENT, AttemptState.NOT_SENT, AttemptState.REJECTED)
    errors = (
        ("doubtful", "no answer within 5 s"),
        ("unsent", "connection refused"),
        ("refused", "not enough free USDT: 640.18 needed, 12.00 free"),
    )
    attempts = tuple(
        an_attempt(
            end,
            n,
            error_code=code,
            error_text=text,
            intent_at=at(20 * n),
            sent_at=at(20 * n + 0.004),
            answered_at=at(20 * n + 5.004),
            ended_at=at(20 * n + 15),
            probes=3 if end is AttemptState.ABSENT else 0,
            evidence=(
                "12:00:27 by client order id: not found",
                "12:00:32 open orders, closed orders: not found",
                "12:00:38 by client order id: not found, the venue's deadline has passed",
            )
            if end is AttemptState.ABSENT
            else (),
            latency=Latency(waiting=20.0 * n - 0.003, gating=0.003, submitting=0.004, acknowledged=5.0),
        )
        for n, (end, (code, text)) in enumerate(zip(ends, errors, strict=True), start=1)
    )
    events = [received()]
    for attempt in attempts:
        events.append(intent(len(events) + 1, 20.0 * attempt.n, attempt.n))
        events.append(
            an_event(
                len(events) + 1,
                EventKind.ATTEMPT,
                20.0 * attempt.n + 15,
                f"attempt {attempt.n}: {attempt.error_text}",
                level=Level.WARNING,
                attempt_n=attempt.n,
                trader=attempt.trader,
                from_state="intent",
                to_state=attempt.state.value,
                code=attempt.error_code or "",
                detail={"error": attempt.error_text},
            )
        )
    events.append(an_event(len(events) + 1, EventKind.SIGNAL, 76, reason.text, to_state="failed", level=Level.ERROR))
    signal = a_signal(SignalState.FAILED, attempts=3, reason=reason, trader="trader_momentum", ended_at=at(76))
    return Story(signal, attempts, (), tuple(events))


def a_review_story() -> Story:
    """Return a signal whose order nobody can prove to be there or not."""
    attempt = an_attempt(
        AttemptState.REVIEW,
        error_code="doubtful",
        error_text="connection reset before the answer",
        probes=14,
        unknown_since=at(0.5),
        evidence=("12:14:58 by client order id: HTTP 503",),
    )
    probe = an_event(3, EventKind.PROBE, 2, "a lookup proved nothing", attempt_n=1, detail={"evidence": "HTTP 503"})
    signal = a_signal(
        SignalState.NEEDS_REVIEW,
        attempts=1,
        trader="trader_momentum",
        reason=Reason("no_proof", "15 minutes of lookups proved nothing"),
    )
    return Story(signal, (attempt,), (), (received(), intent(2, 0.011), probe))


def hostile_story(text: str) -> Story:
    """Return a story in which everything that comes from outside is `text`."""
    attempt = an_attempt(
        AttemptState.REVIEW, trader=text, venue_order_id=text, error_text=text, error_code=text, evidence=(text, text)
    )
    detail = {
        "answers": [{"rule": text, "ok": False, "fact": text, "remedy": text, "code": text}],
        "considered": [{"trader": text, "chosen": False, "why": text}],
        "sized": text,
    }
    signal = a_signal(
        SignalState.NEEDS_REVIEW,
        id=text,
        key=text,
        symbol=text,
        source=text,
        note=text,
        reason=Reason(text, text),
        trader=text,
        preferred_trader=text,
        votes=(Vote(text, Action.SELL, 0.5, text),),
    )
    events = tuple(
        an_event(n, kind, n, text, code=text, trader=text, from_state=text, to_state=text, detail=detail)
        for n, kind in enumerate(EventKind)
    )
    return Story(signal, (attempt,), ((1, replace(a_fill(1, "1", "1"), trade_id=text, fee_asset=text)),), events)


def a_board(**fields: Any) -> Board:
    """Return a running paper engine's board at noon and ten seconds."""
    engine = EngineFacts(Mode.PAPER, EngineState.RUNNING, 3, 4711, NOON, at(10), at(10))
    return Board(**{"change": 1, "engine": engine, "headline": Headline(), **fields})


def a_row(signal_id: str = SIGNAL_ID, **fields: Any) -> SignalRow:
    """Return a queue row of a waiting signal."""
    defaults: dict[str, Any] = {
        "seq": 1,
        "symbol": "BTC/USDT",
        "side": "buy",
        "quantity": Decimal("0.0100"),
        "state": "waiting",
        "reason_code": "position_limit",
        "reason": "5 positions of 5 allowed",
        "attempts": 0,
        "source": "strategies",
        "trader": "trader_momentum",
        "confidence": 0.82,
        "received_at": NOON,
        "expires_at": at(120),
        "ended_at": None,
        "latency_s": None,
        "version": 7,
    }
    return SignalRow(id=signal_id, **{**defaults, **fields})


def a_trader(name: str = "trader_momentum", **fields: Any) -> TraderState:
    """Return a trader."""
    return TraderState(name, fields.pop("exchange", "paper"), **fields)


def an_alert(**fields: Any) -> Alert:
    """Return an active alert about the sample trader."""
    defaults: dict[str, Any] = {
        "id": 12,
        "rule": "trader_unavailable",
        "subject": "trader_momentum",
        "severity": Severity.CRITICAL,
        "state": AlertState.ACTIVE,
        "text": "trader_momentum has been unavailable for 73 s: breaker open",
        "remedy": "look at its last errors; r resumes it once the venue answers",
        "raised_at": at(-73),
        "changed_at": at(-13),
    }
    return Alert(**{**defaults, **fields})


def a_status(*refused: str) -> ExecutionStatus:
    """Return a diagnosis in which the named gates say no."""
    gates = {
        "feed": ("10 symbols, newest price 0.3 s old", "newest price is 48 s old", "check the network and the venue"),
        "candles": ("100 of 5 needed", "3 of 5 candles", "wait 20 s"),
        "automated trading": ("on", "off", "set ENABLE_AUTOMATED_TRADING=true and start again"),
        "traders": ("3 of 3 are available", "0 of 3 are available", "press r on a paused trader"),
        "store": ("writable, commit p50 1.2 ms", "disk full", "free space"),
    }
    return ExecutionStatus(
        at(10),
        tuple(
            Check(gate, gate not in refused, no if gate in refused else yes, remedy if gate in refused else "")
            for gate, (yes, no, remedy) in gates.items()
        ),
    )
