"""What is written for operators and by the watchers: wishes, switches, traders' health, alerts, snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from engine.core.commands import Command, CommandState, NewCommand
from engine.core.events import Alert, Desired, EventKind, NewEvent
from engine.store.base import TraderHealth
from engine.store.sqlite.accounts import account_text
from engine.store.sqlite.codec import micros, micros_or_none, to_json, told, told_json
from engine.store.sqlite.desk import Desk
from engine.store.sqlite.rows import command_of
from engine.store.sqlite.signals import request_cancel

_VERBS: Final = {Desired.RUN: "resumed", Desired.PAUSE: "paused", Desired.DRAIN: "paused, to drain,"}


@dataclass(frozen=True, slots=True)
class Word:
    """Who said so, why, and when."""

    by: str
    why: str
    at: datetime


def post(desk: Desk, command: NewCommand) -> Command:
    """Keep a wish; a repeated request id returns the first row."""
    desk.refuse_if_fenced()
    given = (
        command.request_id,
        command.kind.value,
        command.operator,
        micros(command.at),
        command.target,
        told(command.why),
        told_json(to_json(dict(command.args))),
        command.expected_version,
    )
    desk.connection.execute(desk.query["add_command"], given)
    return command_of(desk.connection.execute(desk.query["command_of_request"], (command.request_id,)).fetchone())


def finish(
    desk: Desk, command_id: int, outcome: tuple[CommandState, str, datetime], events: Sequence[NewEvent]
) -> None:
    """Keep what became of a wish: state, result, time. One that has its result keeps that."""
    desk.refuse_if_fenced()
    state, result, at = outcome
    desk.connection.execute(desk.query["finish_command"], (state.value, told(result), micros(at), command_id))
    desk.note(events)


def set_desired(desk: Desk, trader: str, desired: Desired, word: Word) -> None:
    """Keep what the operator wants of a trader, and say so in the journal if it is new."""
    desk.refuse_if_fenced()
    before = desk.connection.execute(desk.query["desired_of"], (trader,)).fetchone()
    was = Desired.RUN.value if before is None else str(before[0])
    # A drain is a pause first: whatever holds a paused trader back holds this one.
    is_drain = desired is Desired.DRAIN
    kept = Desired.PAUSE if is_drain else desired
    given = (trader, kept.value, int(is_drain), word.by, micros(word.at), told(word.why))
    desk.connection.execute(desk.query["set_desired"], given)
    desk.switches_changed()
    if was != desired.value:
        desk.note([_switched(EventKind.TRADER, f"{trader} {_VERBS[desired]}", word, (was, desired.value), trader)])


def set_halted(desk: Desk, word: Word, *, halted: bool) -> None:
    """Turn the kill switch, and say so in the journal if that is new.

    With it on, every signal that has, or may have, a live order is to be cancelled: a halt is whole or not at all.
    """
    desk.refuse_if_fenced()
    ((was,),) = desk.connection.execute(desk.query["is_halted"]).fetchall()
    desk.connection.execute(desk.query["set_halted"], (int(halted), word.by, micros(word.at), told(word.why)))
    desk.switches_changed()
    if bool(was) != halted:
        verb = "on" if halted else "off"
        states = ("halted", "released") if was else ("released", "halted")
        desk.note([_switched(EventKind.ENGINE, f"kill switch {verb}", word, states, None)])
    if halted:
        _cancel_all(desk, word)


def _cancel_all(desk: Desk, word: Word) -> None:
    desk.flush()
    text = f"halted by {word.by or 'an operator'}" + (f": {word.why}" if word.why else "")
    for (signal_id,) in desk.connection.execute(desk.query["signals_with_orders"]).fetchall():
        signal = desk.signal(signal_id)
        assert signal is not None, "a signal outlives its attempts"
        if not signal.cancel_requested:
            event = NewEvent(EventKind.SIGNAL, word.at, text, signal_id=signal_id, code="cancel_requested")
            request_cancel(desk, signal_id, replace(event, from_state=signal.state, to_state=signal.state))


def _switched(kind: EventKind, what: str, word: Word, states: tuple[str, str], trader: str | None) -> NewEvent:
    text = f"{what} by {word.by or 'an operator'}" + (f": {word.why}" if word.why else "")
    before, after = states
    said = {"by": word.by, "why": word.why}
    return NewEvent(kind, word.at, text, trader=trader, code="switched", from_state=before, to_state=after, detail=said)


def declare_traders(desk: Desk, traders: Mapping[str, str]) -> None:
    """Make the rows of the configured traders; others are kept, not listed."""
    desk.refuse_if_fenced()
    desk.connection.execute(desk.query["unlist_traders"])
    rows = [(name, exchange, 1) for name, exchange in traders.items()]
    desk.connection.executemany(desk.query["declare_trader"], rows)


def note_health(desk: Desk, notes: Sequence[TraderHealth]) -> None:
    """Keep what health and breaker say. What the operator wants of the trader is not theirs to change."""
    desk.refuse_if_fenced()
    for note in notes:
        state = note.state
        given = (
            *(
                state.name,
                state.exchange,
                state.health.value,
                micros_or_none(state.health_since),
                told(state.health_fact),
            ),
            *(state.breaker.value, micros_or_none(state.open_until), told(state.breaker_fact)),
            *(int(state.quarantined), int(state.proof_broken)),
            *(state.latency_p50, state.latency_p95, told_json(account_text(state.account))),
        )
        desk.connection.execute(desk.query["note_health"], given)
        desk.note(note.events)


def save_alert(desk: Desk, alert: Alert, event: NewEvent | None) -> Alert:
    """Keep an alert; one without an id takes the place of the unresolved one of its rule and subject, if there is one."""
    desk.refuse_if_fenced()
    alert_id: int | None = alert.id or None
    if alert_id is None:
        known = desk.connection.execute(desk.query["unresolved_alert"], (alert.rule, alert.subject)).fetchone()
        alert_id = known[0] if known else None
    given = (
        *(alert_id, alert.rule, alert.subject, alert.severity.value, alert.state.value),
        *(told(alert.text), told(alert.remedy)),
        *(micros(alert.raised_at), micros(alert.changed_at), alert.signal_id, alert.ack_by),
        *(micros_or_none(alert.ack_at), micros_or_none(alert.snoozed_until), micros_or_none(alert.resolved_at)),
        alert.repeats,
    )
    cursor = desk.connection.execute(desk.query["keep_alert"], given)
    if event is not None:
        desk.note([event])
    return replace(alert, id=alert_id or cursor.lastrowid or 0)


def note(desk: Desk, events: Sequence[NewEvent]) -> None:
    """Write journal entries that belong to no other change."""
    desk.refuse_if_fenced()
    desk.note(events)


def keep_snapshot(desk: Desk, name: str, body: str) -> None:
    """Keep the latest of what is told again and again."""
    desk.refuse_if_fenced()
    desk.connection.execute(desk.query["keep_snapshot"], (name, told_json(body)))
