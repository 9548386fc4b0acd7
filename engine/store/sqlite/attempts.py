"""What is written of attempts: an intent, then its outcome, its fills and what they make of the position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from engine.core.events import EventKind, NewEvent
from engine.core.lifecycle import (
    FINAL_ATTEMPTS,
    NO_ORDER,
    SIGNAL_LIFE,
    SUCCESSFUL_ATTEMPTS,
    AttemptState,
    AttemptStep,
    SignalState,
    SignalStep,
    advance_attempt,
    advance_signal,
)
from engine.core.order import Fill, Latency
from engine.core.portfolio import Trade, position_after
from engine.core.text import figure
from engine.core.values import Position, Reason, Side
from engine.store.base import Applied, AttemptMove, Intent, Probe
from engine.store.sqlite.codec import from_json, micros, moment, text_or_none, to_json, told
from engine.store.sqlite.counts import Figure
from engine.store.sqlite.desk import Desk
from engine.store.sqlite.pending import AttemptRow, Extent, SignalRow
from engine.store.sqlite.signals import set_due, step_signal

_DUE: Final = frozenset({SignalState.NEW.value, SignalState.WAITING.value})
_ENDED: Final = frozenset(state.value for state in FINAL_ATTEMPTS)
_SUCCESSFUL: Final = frozenset(state.value for state in SUCCESSFUL_ATTEMPTS)
_PROBED: Final = frozenset({AttemptState.UNKNOWN.value, AttemptState.ACCEPTED.value})
_UNKNOWN: Final = AttemptState.UNKNOWN.value
_DONE: Final = SignalState.DONE.value
_NEEDS_REVIEW: Final = SignalState.NEEDS_REVIEW.value
_ALARMS: Final = frozenset({SignalStep.ESCALATE, SignalStep.BREAK_PROOF})
_EVIDENCE_MAX: Final = 200
_DISPATCHED: Final = "dispatched"
_NO_STATES: Final = ("", "")


def commit_intents(desk: Desk, intents: Sequence[Intent]) -> list[Applied]:
    """Commit to orders, each with its signal's step to EXECUTING."""
    if desk.fenced():
        return [Applied.FENCED] * len(intents)
    return [_commit(desk, intent) for intent in intents]


def _commit(desk: Desk, intent: Intent) -> Applied:
    signal = desk.signal(intent.signal_id)
    if signal is None or signal.version != intent.version or signal.state not in _DUE or signal.cancel_requested:
        return Applied.STALE
    if desk.is_held_back(intent.trader):
        return Applied.HELD
    at, trader = micros(intent.at), intent.trader
    step_signal(desk, signal, SignalStep.DISPATCH, Reason(_DISPATCHED, trader), at)
    signal.attempts += 1
    signal.trader = trader
    _add_attempt(desk, signal, intent, at)
    for event in intent.events:
        desk.journal.note(event, (signal.id, signal.seq, intent.n, trader))
    counts = desk.counts
    counts.total("attempt_state", "intent")
    counts.total("count", "attempts")
    counts.total("trader_attempts", trader)
    counts.minute(at, Figure.ATTEMPTS)
    if not intent.request.reduces:
        counts.minute(at, Figure.ENTRIES)
    return Applied.APPLIED


def _add_attempt(desk: Desk, signal: SignalRow, intent: Intent, at: int) -> None:
    request = intent.request
    seq, side, reduces = desk.next_attempt_seq(), request.side.value, int(request.reduces)
    latency = _parts(intent.latency)
    row = AttemptRow(
        *(seq, signal.seq, signal.id, intent.n, request.client_order_id, intent.trader, request.symbol, side, reduces),
        *(at, "intent", desk.epoch),
        latency=latency,
        trades=set(),
    )
    desk.add_attempt(
        row,
        (
            *(seq, signal.seq, signal.id, intent.n, request.client_order_id, intent.trader, desk.epoch, at),
            *(request.symbol, side, str(request.quantity), request.kind.value, micros(request.send_by)),
            *(text_or_none(request.price), reduces, text_or_none(request.reference_price)),
            text_or_none(request.slippage_max),
            *latency,
        ),
    )


def _parts(latency: Latency) -> tuple[float | None, ...]:
    return (latency.waiting, latency.gating, latency.submitting, latency.acknowledged, latency.filled)


def move_attempts(desk: Desk, moves: Sequence[AttemptMove]) -> list[Applied]:
    """Take steps; each applies only while its attempt is in the state, and owned by the epoch, that the mover saw."""
    if desk.fenced():
        return [Applied.FENCED] * len(moves)
    return [_move(desk, move) for move in moves]


def _move(desk: Desk, move: AttemptMove) -> Applied:
    row = desk.attempt(move.client_order_id)
    if row is None or row.state != move.state.value or (move.epoch is not None and row.epoch != move.epoch):
        return Applied.STALE
    move = _as_wished(desk, row, move)
    signal_step = _signal_step(desk, row, move)  # it may ask the database: before anything of this row is noted
    at, before = micros(move.at), row.state
    after = advance_attempt(move.state, move.step).value
    desk.change_attempt(row, _extent(row, move, after))
    row.state, row.epoch = after, desk.epoch
    _keep_what_is_told(row, move)
    _settle(row, move, at, before)
    _tally(desk, row, before)
    for event in move.events:
        _journal(desk, row, _with_signal(desk, row, event, move, signal_step), before)
    if move.fills:
        _trade(desk, row, move.fills, at)
    if signal_step is not None:
        _step_its_signal(desk, row, move, signal_step)
    return Applied.APPLIED


def _extent(row: AttemptRow, move: AttemptMove, after: str) -> Extent:
    before = row.state
    if before == _UNKNOWN or after == _UNKNOWN or move.step is AttemptStep.BREAK_PROOF:
        return Extent.ALL
    if _tells(row, move):
        is_answer = not (move.fills or move.evidence or before in _ENDED or after in _ENDED)
        return Extent.ANSWER if is_answer else Extent.ALL
    if after == before and move.next_probe_at is None:
        return Extent.TRADES
    return Extent.END if after in _ENDED else Extent.ALL


def _tells(row: AttemptRow, move: AttemptMove) -> bool:
    if move.venue_order_id is not None and move.venue_order_id != row.venue_order_id:
        return True
    told = (move.error_code, move.error_text, move.sent_at, move.answered_at, move.latency)
    return any(value is not None for value in told)


def _keep_what_is_told(row: AttemptRow, move: AttemptMove) -> None:
    if move.venue_order_id is not None:
        row.venue_order_id = move.venue_order_id
    if move.error_code is not None:
        row.error_code = move.error_code
    if move.error_text is not None:
        row.error_text = told(move.error_text)
    if move.sent_at is not None:
        row.sent_at = micros(move.sent_at)
    if move.answered_at is not None:
        row.answered_at = micros(move.answered_at)
    if move.evidence is not None:
        row.evidence = _with_evidence(row.evidence, move.evidence)
    if move.latency is not None:
        row.latency = _parts(move.latency)


def _settle(row: AttemptRow, move: AttemptMove, at: int, before: str) -> None:
    after = row.state
    if after != before:
        row.ended_at = at if after in _ENDED else None
    if move.step is AttemptStep.BREAK_PROOF:
        row.broken = 1
    if after == _UNKNOWN:
        row.unknown_since, row.next_probe_at = at, at
    elif before == _UNKNOWN:
        row.unknown_since = None
    if after not in _PROBED:
        row.next_probe_at = None
    elif move.next_probe_at is not None:
        row.next_probe_at = micros(move.next_probe_at)


def _tally(desk: Desk, row: AttemptRow, before: str) -> None:
    counts, after = desk.counts, row.state
    if before != after:
        counts.total("attempt_state", before, -1)
        counts.total("attempt_state", after)
        if not row.reduces and (before in NO_ORDER) != (after in NO_ORDER):
            counts.minute(row.intent_at, Figure.ENTRIES, -1 if after in NO_ORDER else 1)
    if after in _SUCCESSFUL and row.tally != "success":
        if row.tally == "failure":
            counts.minute(row.intent_at, Figure.FAILURES, -1)
        row.tally = "success"
        counts.total("count", "successes")
        counts.total("trader_successes", row.trader)
        counts.minute(row.intent_at, Figure.SUCCESSES)
        total = Latency(*row.latency).total
        if total is not None:
            counts.latency(row.intent_at, total)
    elif after in _ENDED and not row.tally:
        row.tally = "failure"
        counts.minute(row.intent_at, Figure.FAILURES)


def _with_signal(desk: Desk, row: AttemptRow, event: NewEvent, move: AttemptMove, step: SignalStep | None) -> NewEvent:
    """Return the attempt's event with what becomes of its signal, which has no event of its own."""
    if step is None or event.kind is not EventKind.ATTEMPT:
        return event
    signal = desk.signal(row.signal_id)
    assert signal is not None, "a signal outlives its attempts"
    after = advance_signal(SignalState(signal.state), step)
    reason = move.signal_reason or Reason(step.value)
    news = {"state": after.value, "code": reason.code, "reason": reason.text}
    if move.due_at is not None and after is SignalState.WAITING:
        news["due_at"] = moment(min(micros(move.due_at), signal.expires_at)).isoformat()
    return replace(event, detail={**event.detail, "signal": news})


def _journal(desk: Desk, row: AttemptRow, event: NewEvent, before: str) -> None:
    if event.signal_id is None or event.signal_id == row.signal_id:
        states = (before, row.state) if event.kind is EventKind.ATTEMPT else _NO_STATES
        desk.journal.note(event, (row.signal_id, row.signal_seq, row.n, row.trader), states)
    else:
        desk.note((event,))


def _trade(desk: Desk, row: AttemptRow, fills: Sequence[Fill], at: int) -> None:
    known, new = desk.known_trades(row), []
    for fill in fills:
        if fill.trade_id not in known:
            known.add(fill.trade_id)
            new.append(fill)
    if not new:
        return
    about = (row.signal_id, row.signal_seq, row.n, row.trader)
    trade = Trade(row.trader, row.symbol, Side(row.side), row.signal_id)
    held = desk.position(row.trader, row.symbol)
    for fill in new:
        row.filled_quantity += fill.quantity
        row.filled_cost += fill.quantity * fill.price
        row.fee += fill.fee
        held = position_after(held, trade, fill)
        quantity, price, fill_at = str(fill.quantity), str(fill.price), micros(fill.at)
        desk.add_fill((row.seq, fill.trade_id, price, quantity, str(fill.fee), fill.fee_asset, fill_at))
        desk.journal.tell("fill", fill_at, f"{row.side} {quantity} {row.symbol} at {price}", about)
    row.average_price = str(row.filled_cost / row.filled_quantity) if row.filled_quantity else None
    desk.hold(row.trader, row.symbol, held)
    desk.journal.tell("position", at, _position_text(row, held), about, detail=_position_detail(row, held))


def _position_text(row: AttemptRow, held: Position | None) -> str:
    if held is None:
        return f"{row.trader} holds no {row.symbol}"
    return f"{row.trader} holds {held.quantity:f} {row.symbol}, entered at {figure(held.entry_price)}"


def _position_detail(row: AttemptRow, held: Position | None) -> str:
    if held is None:
        return to_json({"symbol": row.symbol})
    kept = {"symbol": row.symbol, "quantity": str(held.quantity), "entry_price": str(held.entry_price)}
    return to_json({**kept, "opened_at": held.opened_at.isoformat(), "opened_by": held.opened_by})


def _as_wished(desk: Desk, row: AttemptRow, move: AttemptMove) -> AttemptMove:
    """Return the move as the signal is by now: one that is to be cancelled does not wait for another attempt.

    Whoever made the move may have looked at the signal before an operator withdrew it, or halted everything.
    """
    signal = desk.signal(row.signal_id) if move.signal_step is SignalStep.REQUEUE else None
    if signal is None or not signal.cancel_requested:
        return move
    reason = Reason("cancelled", f"attempt {row.n} came to nothing; it was to be cancelled")
    return replace(move, signal_step=SignalStep.CANCEL, signal_reason=reason, due_at=None)


def _signal_step(desk: Desk, row: AttemptRow, move: AttemptMove) -> SignalStep | None:
    """Return the step that the attempt's signal takes with it, None if it stays."""
    step = move.signal_step
    signal = desk.signal(row.signal_id) if step is not None else None
    if step is None or signal is None or signal.state != _NEEDS_REVIEW:
        return step
    if step in _ALARMS or desk.has_other_live(row):
        return None  # it has its review; the order that needs it, or that is still out, decides about the signal
    return step if (SignalState.NEEDS_REVIEW, step) in SIGNAL_LIFE else SignalStep.FAIL


def _step_its_signal(desk: Desk, row: AttemptRow, move: AttemptMove, step: SignalStep) -> None:
    signal = desk.signal(row.signal_id)
    assert signal is not None, "a signal outlives its attempts"
    step_signal(desk, signal, step, move.signal_reason or Reason(step.value), micros(move.at))
    set_due(signal, step, None if move.due_at is None else micros(move.due_at))
    if signal.state == _DONE:
        desk.counts.minute(row.intent_at, Figure.DONE)


def note_probes(desk: Desk, probes: Sequence[Probe]) -> None:
    """Count lookups that moved nothing, and set the next one. An attempt that moved on meanwhile is left alone."""
    desk.refuse_if_fenced()
    for probe in probes:
        row = desk.attempt(probe.client_order_id)
        if row is None or row.state not in _PROBED:
            continue
        desk.change_attempt(row, Extent.ALL)
        row.probes += 1
        row.next_probe_at = micros(probe.next_probe_at)
        row.evidence = _with_evidence(row.evidence, probe.evidence)
        if probe.event is not None:
            desk.journal.note(probe.event, (row.signal_id, row.signal_seq, row.n, row.trader))


def _with_evidence(kept: str, said: str) -> str:
    everything: list[str] = [*from_json(kept), told(said)]
    if len(everything) > _EVIDENCE_MAX:
        # The beginning and the end tell most: what the first lookups said, and what the last ones did.
        everything = [*everything[: _EVIDENCE_MAX // 2], *everything[-_EVIDENCE_MAX // 2 :]]
    return to_json(everything)
