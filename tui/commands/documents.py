"""The JSON documents of the reading commands: their keys are an interface, none is ever missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from engine.core.board import Board, EngineFacts, Totals
from engine.core.events import TraderState
from engine.core.lifecycle import AttemptState, SignalState
from engine.core.order import Attempt
from engine.wire import plain

BEAT_AGE_S_MAX: Final = 5.0  # an engine whose last heartbeat is older is not there any more
LATENCY_PARTS: Final = ("waiting", "gating", "submitting", "acknowledged", "filled")


@dataclass(frozen=True, slots=True)
class Picture:
    """What `status` reads from the store, at one moment. `recent` are the newest attempts, oldest first."""

    db: Path
    now: datetime
    board: Board
    totals: Totals
    recent: Sequence[Attempt]


def engine_is_alive(engine: EngineFacts | None, now: datetime) -> bool:
    """Say whether the engine's last heartbeat is fresh."""
    return engine is not None and engine.state != "stopped" and (now - engine.beat_at).total_seconds() <= BEAT_AGE_S_MAX


def market_time(engine: EngineFacts | None, now: datetime) -> datetime:
    """Return the time by which the last minutes count: `now`, unless a recording plays or was played."""
    if engine is None or abs((engine.market_at - engine.beat_at).total_seconds()) < BEAT_AGE_S_MAX:
        return now
    return engine.market_at


def status_document(picture: Picture) -> dict[str, object]:
    """Return `status` as an object."""
    board, totals, engine = picture.board, picture.totals, picture.board.engine
    head = board.headline
    return {
        "at": picture.now,
        "store": picture.db,
        "engine": _engine(engine, picture.now),
        "candles": {
            "built": engine.candles if engine else 0,
            "late": engine.candles_late if engine else 0,
            "repeated": engine.candles_repeated if engine else 0,
            "flat": engine.candles_flat if engine else 0,
            "lost": engine.candles_lost if engine else 0,
        },
        "signals": {
            "received": totals.received,
            "repeated": totals.repeated,
            "by_state": {state.value: totals.signals_by_state.get(state, 0) for state in SignalState},
            "by_reason": dict(sorted(totals.signals_by_reason.items())),
            "per_minute": head.signals_per_min,
            "conversion": head.conversion,
        },
        "attempts": {
            "total": totals.attempts,
            "successes": totals.successes,
            "by_state": {state.value: totals.attempts_by_state.get(state, 0) for state in AttemptState},
            "per_minute": head.attempts_per_min,
        },
        "executions": totals.executions,
        "last_execution_at": totals.last_execution_at,
        "success_rate": totals.successes / totals.attempts if totals.attempts else None,
        "success_rate_5m": head.success_rate,
        "latency": _latency(picture),
        "queue": {
            "depth": head.queue,
            "capped": head.queue_capped,
            "in_flight": head.in_flight,
            "unknown": head.unknown,
            "needs_review": head.review,
        },
        "traders": [trader_document(t) for t in board.traders],
        "traders_available": head.traders_available,
        "traders_total": head.traders_total,
        "alerts": {
            "active": head.alerts_active,
            "open": head.alerts_open,
            "list": [a for a in board.alerts if a.resolved_at is None],
        },
        "errors_per_minute": head.errors_per_min,
        "positions": board.positions,
    }


def _engine(engine: EngineFacts | None, now: datetime) -> dict[str, object] | None:
    if engine is None:
        return None
    facts = plain(engine)
    assert isinstance(facts, dict)
    return {"alive": engine_is_alive(engine, now), **facts}


def _latency(picture: Picture) -> dict[str, object]:
    """Return seconds: of the last five minutes as a whole, and of the newest attempts by their parts."""
    head = picture.board.headline
    parts = {}
    for part in LATENCY_PARTS:
        known = sorted(v for a in picture.recent if (v := getattr(a.latency, part)) is not None)
        parts[part] = {
            "count": len(known),
            "avg": sum(known) / len(known) if known else None,
            "p50": _at(known, 0.5),
            "p95": _at(known, 0.95),
        }
    whole = {"avg": head.latency_avg, "p50": head.latency_p50, "p95": head.latency_p95, "p99": head.latency_p99}
    return {**whole, "parts": parts}


def _at(known: Sequence[float], share: float) -> float | None:
    return known[min(len(known) - 1, int(len(known) * share))] if known else None


def trader_document(trader: TraderState) -> dict[str, object]:
    """Return a trader as an object, with whether it is available, why not, and what it does when an answer is lost."""
    facts = plain(trader)
    assert isinstance(facts, dict)
    venue = trader.account.venue
    when_lost = venue.when_lost if venue is not None else ""
    why = {"available": trader.is_available, "why_not": trader.why_not, "drain": trader.drain}
    return {**facts, **why, "when_answer_is_lost": when_lost}
