"""What is written of signals: they arrive, they take steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from engine.core.errors import BadInput
from engine.core.events import EventKind, Level, NewEvent
from engine.core.lifecycle import FINAL_SIGNALS, SignalState, SignalStep, advance_signal
from engine.core.values import NewSignal, Reason
from engine.store.base import Applied, Put, PutOutcome, SignalMove
from engine.store.sqlite.codec import micros, moment, payload_hash, text_or_none, told, told_json, votes_text
from engine.store.sqlite.counts import Figure
from engine.store.sqlite.desk import Desk
from engine.store.sqlite.pending import SignalRow

_NEEDS_DUE: Final = frozenset({SignalStep.POSTPONE, SignalStep.REQUEUE, SignalStep.RETRY})
_ENDED: Final = frozenset(state.value for state in FINAL_SIGNALS)
# States whose reasons are counted: those that an operator asks about.
_EXPLAINED: Final = _ENDED | {SignalState.WAITING.value}
_DONE: Final = SignalState.DONE.value


def put_signals(desk: Desk, batch: Sequence[NewSignal]) -> list[Put]:
    """Keep signals, each once per (source, key)."""
    desk.refuse_if_fenced()
    return [_put(desk, signal) for signal in batch]


def _put(desk: Desk, signal: NewSignal) -> Put:
    votes = votes_text(signal.votes)
    payload = payload_hash(signal, votes)
    known = desk.known_key(signal.source, signal.key)
    if known is not None:
        return _put_again(desk, signal, known[0], same=known[1] == payload)
    if signal.supersedes:
        _supersede(desk, signal)
    seq, at, expires_at = desk.next_signal_seq(), micros(signal.received_at), micros(signal.expires_at)
    side = signal.side.value
    row = SignalRow(seq, signal.signal_id, "new", 1, 0, at, expires_at, None, "", "", None, 0)
    desk.add_signal(
        row,
        (
            *(seq, signal.signal_id, signal.source, signal.key, signal.symbol, side, int(signal.reduces)),
            *(at, expires_at, at, signal.confidence, text_or_none(signal.quantity), text_or_none(signal.price)),
            *(
                told(signal.note),
                told_json(votes),
                signal.preferred_trader,
                text_or_none(signal.reference_price),
                signal.parent_id,
            ),
            payload,
        ),
    )
    text = f"{side} {signal.symbol} from {signal.source}, confidence {signal.confidence:.2f}"
    desk.journal.tell("received", at, text, (signal.signal_id, seq, None, None), ("", "", "new"))
    desk.counts.total("count", "received")
    desk.counts.total("signal_state", "new")
    desk.counts.minute(at, Figure.RECEIVED)
    return Put(signal.signal_id, PutOutcome.STORED)


def _put_again(desk: Desk, signal: NewSignal, first_id: str, *, same: bool) -> Put:
    first = desk.signal(first_id)
    about = (first_id, None if first is None else first.seq, None, None)
    at = micros(signal.received_at)
    if same:
        desk.journal.tell("repeated", at, f"{signal.source} handed in {signal.key} again", about, ("repeated", "", ""))
        desk.counts.total("count", "repeated")
        return Put(first_id, PutOutcome.REPEATED)
    text = f"{signal.source} handed in {signal.key} again with other contents: refused, the first one stands"
    desk.journal.tell("intake_refused", at, text, about, ("conflict", "", ""), Level.WARNING.value)
    return Put(first_id, PutOutcome.CONFLICT)


def _supersede(desk: Desk, newer: NewSignal) -> None:
    desk.flush()
    reason = Reason("superseded", f"signal {newer.signal_id[:8]} took its place")
    for (signal_id,) in desk.connection.execute(desk.query["undispatched"], (newer.symbol, newer.source)).fetchall():
        older = desk.signal(signal_id)
        assert older is not None, "it was just read"
        before = older.state
        step_signal(desk, older, SignalStep.SUPERSEDE, reason, micros(newer.received_at))
        about, change = (older.id, older.seq, None, None), (reason.code, before, older.state)
        desk.journal.tell(EventKind.SIGNAL.value, micros(newer.received_at), reason.text, about, change)


def step_signal(desk: Desk, row: SignalRow, step: SignalStep, reason: Reason, at: int) -> None:
    """Move a signal on. Raises IllegalStep if its life has no such step."""
    before, after = row.state, advance_signal(SignalState(row.state), step).value
    desk.change_signal(row, dispatched=step is SignalStep.DISPATCH)
    counts = desk.counts
    if before != after:
        counts.total("signal_state", before, -1)
        counts.total("signal_state", after)
    if before in _EXPLAINED:
        counts.total("signal_reason", f"{before}/{row.reason_code}", -1)
    if after in _EXPLAINED:
        counts.total("signal_reason", f"{after}/{reason.code}")
    if after == _DONE:
        counts.executed(at)
    row.state, row.reason_code, row.reason_text = after, reason.code, told(reason.text)
    row.ended_at = at if after in _ENDED else None
    row.version += 1


def set_due(row: SignalRow, step: SignalStep, due_at: int | None) -> None:
    """Set when the dispatcher looks again: never after the signal expires. Raises BadInput where `step` needs a time."""
    if step in _NEEDS_DUE:
        if due_at is None:
            raise BadInput("due_at", f"{step} needs one")
        row.due_at = min(due_at, row.expires_at)


def move_signals(desk: Desk, moves: Sequence[SignalMove]) -> list[Applied]:
    """Take steps; each applies only if its signal still has the version that the mover saw."""
    if desk.fenced():
        return [Applied.FENCED] * len(moves)
    return [_move(desk, move) for move in moves]


def _move(desk: Desk, move: SignalMove) -> Applied:
    row = desk.signal(move.signal_id)
    if row is None or row.version != move.version:
        return Applied.STALE
    before, at, expired_at = row.state, micros(move.at), row.expires_at
    step_signal(desk, row, move.step, move.reason, at)
    if row.state == _DONE:
        desk.counts.minute(at, Figure.DONE)
    if move.step is SignalStep.RETRY:
        if move.expires_at is not None:
            row.expires_at = micros(move.expires_at)
        row.cancel_requested = 0
    set_due(row, move.step, None if move.due_at is None else micros(move.due_at))
    if move.event is not None:
        event = _with_reason(row, move.event, move, expired_at)
        desk.journal.note(event, (row.id, row.seq, None, None), (before, row.state))
    return Applied.APPLIED


def _with_reason(row: SignalRow, event: NewEvent, move: SignalMove, expired_at: int) -> NewEvent:
    """Return the event with whatever of the step it does not say itself: the journal alone tells how a signal stood."""
    news: dict[str, str] = {}
    if (event.code, event.text) != (move.reason.code, move.reason.text):
        news |= {"code": move.reason.code, "reason": move.reason.text}
    if move.step in _NEEDS_DUE:
        news["due_at"] = moment(row.due_at).isoformat()
    if row.expires_at != expired_at:
        news["expired_at"] = moment(expired_at).isoformat()  # until this step
    return replace(event, detail={**event.detail, "signal": news}) if news else event


def request_cancel(desk: Desk, signal_id: str, event: NewEvent) -> Applied:
    """Set the flag that acts when the live attempt ends; only a signal that is EXECUTING or NEEDS_REVIEW waits for one."""
    if desk.fenced():
        return Applied.FENCED
    row = desk.signal(signal_id)
    if row is None or row.state not in (SignalState.EXECUTING.value, SignalState.NEEDS_REVIEW.value):
        return Applied.STALE
    desk.change_signal(row)
    row.cancel_requested = 1
    row.version += 1
    desk.journal.note(event, (row.id, row.seq, None, None))
    return Applied.APPLIED
