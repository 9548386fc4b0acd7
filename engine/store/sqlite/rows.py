"""Rows become values. Each function takes a whole row, columns in the order of its table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, get_type_hints

from engine.core.board import Check, EngineFacts, EngineState, ExecutionStatus, SignalRow
from engine.core.commands import Command, CommandKind, CommandState
from engine.core.events import (
    Alert,
    AlertState,
    BreakerState,
    Desired,
    Event,
    EventKind,
    Health,
    Level,
    Severity,
    Signal,
    TraderState,
)
from engine.core.feeds import FeedStanding, FeedState
from engine.core.lifecycle import AttemptState, SignalState
from engine.core.order import Attempt, Fill, Latency, OrderKind, OrderRequest
from engine.core.text import clean
from engine.core.values import Mode, Position, Reason, Side
from engine.store.sqlite.accounts import account_of
from engine.store.sqlite.codec import (
    UNREADABLE,
    UNREADABLE_CHARS,
    decimal_or_none,
    detail_of,
    from_json,
    micros,
    moment,
    moment_or_none,
    to_json,
    votes_of,
)

Row = Sequence[Any]


def signal_of(row: Row) -> Signal:
    """Return a signal."""
    """Return the signal that a row of its table states."""
    (seq, signal_id, source, key, symbol, side, state, version, attempts, reduces, due_at, expires_at) = row[:12]
    (received_at, ended_at, code, text, trader, cancel, confidence, quantity, price, note, votes) = row[12:23]
    preferred, reference_price, parent_id = row[23:26]
    return Signal(
        seq=seq,
        id=signal_id,
        key=key,
        symbol=symbol,
        side=Side(side),
        confidence=confidence,
        source=source,
        received_at=moment(received_at),
        expires_at=moment(expires_at),
        state=SignalState(state),
        due_at=moment(due_at),
        version=version,
        attempts=attempts,
        reason=Reason(code, text),
        quantity=decimal_or_none(quantity),
        price=decimal_or_none(price),
        note=note,
        votes=votes_of(votes),
        preferred_trader=preferred,
        reduces=bool(reduces),
        reference_price=decimal_or_none(reference_price),
        parent_id=parent_id,
        cancel_requested=bool(cancel),
        trader=trader,
        ended_at=moment_or_none(ended_at),
    )


def signal_row_of(row: Row) -> SignalRow:
    """Return a line of the queue; the row ends with the latency of its last attempt."""
    (seq, signal_id, symbol, side, quantity, state, code, text, attempts, source, trader, confidence) = row[:12]
    received_at, expires_at, ended_at, version, cancel, latency_s = row[12:]
    return SignalRow(
        seq=seq,
        id=signal_id,
        symbol=symbol,
        side=side,
        quantity=decimal_or_none(quantity),
        state=state,
        reason_code=code,
        reason=text,
        attempts=attempts,
        source=source,
        trader=trader or "",
        confidence=confidence,
        received_at=moment(received_at),
        expires_at=moment(expires_at),
        ended_at=moment_or_none(ended_at),
        latency_s=latency_s,
        version=version,
        cancel_requested=bool(cancel),
    )


def attempt_of(row: Row) -> Attempt:
    """Return the attempt that a row of its table states."""
    (seq, _, signal_id, n, client_order_id, trader, state, epoch, intent_at, ended_at, unknown_since) = row[:11]
    (next_probe_at, symbol, side, quantity, kind, send_by, price, reduces, reference_price, slippage) = row[11:21]
    (venue_order_id, filled, _, average_price, fee, error_code, error_text, sent_at, answered_at, probes, evidence) = (
        row[21:32]
    )
    request = OrderRequest(
        client_order_id=client_order_id,
        symbol=symbol,
        side=Side(side),
        quantity=Decimal(quantity),
        kind=OrderKind(kind),
        send_by=moment(send_by),
        price=decimal_or_none(price),
        reduces=bool(reduces),
        reference_price=decimal_or_none(reference_price),
        slippage_max=decimal_or_none(slippage),
    )
    return Attempt(
        seq=seq,
        signal_id=signal_id,
        n=n,
        trader=trader,
        request=request,
        state=AttemptState(state),
        epoch=epoch,
        intent_at=moment(intent_at),
        venue_order_id=venue_order_id,
        filled_quantity=Decimal(filled),
        average_price=decimal_or_none(average_price),
        fee=Decimal(fee),
        error_code=error_code,
        error_text=error_text,
        sent_at=moment_or_none(sent_at),
        answered_at=moment_or_none(answered_at),
        ended_at=moment_or_none(ended_at),
        unknown_since=moment_or_none(unknown_since),
        probes=probes,
        next_probe_at=moment_or_none(next_probe_at),
        evidence=tuple(from_json(evidence)),
        latency=Latency(*row[32:37]),
    )


def fill_of(row: Row) -> Fill:
    """Return a trade; its row begins with the trade id."""
    """Return the fill that a row of its query states."""
    trade_id, price, quantity, fee, fee_asset, at = row
    return Fill(trade_id, Decimal(price), Decimal(quantity), Decimal(fee), fee_asset, moment(at))


def event_of(row: Row) -> Event:
    """Return a journal entry; its hash is left out. One that cannot be read is told of as an error, in its own place."""
    try:
        return _event_of(row)
    except (ValueError, OverflowError):
        return _unreadable(row)


def _unreadable(row: Row) -> Event:
    """Return what can be said of an entry whose kind, level or time is none. It names no signal: nothing follows from it."""
    seq, at = row[0], row[2]
    try:
        written_at = moment(at)
    except OverflowError:
        written_at = moment(0)
    found = clean(repr(tuple(row[1:13])), UNREADABLE_CHARS)
    text = f"entry {seq} of the journal cannot be read"
    return Event(
        *(seq, EventKind.STORE, written_at, text, Level.ERROR, None, None, None),
        *(UNREADABLE, "", "", {UNREADABLE: found}, row[13]),
    )


def _event_of(row: Row) -> Event:
    (seq, kind, at, level, text, signal_id, _, attempt_n, trader, code, from_state, to_state, detail, epoch) = row[:14]
    return Event(
        seq=seq,
        kind=EventKind(kind),
        at=moment(at),
        text=text,
        level=Level(level),
        signal_id=signal_id,
        attempt_n=attempt_n,
        trader=trader,
        code=code,
        from_state=from_state,
        to_state=to_state,
        detail=detail_of(detail),
        epoch=epoch,
    )


def trader_of(row: Row) -> TraderState:
    """Return a trader; its row ends with orders in flight, attempts and successes."""
    (name, exchange, _, desired, desired_by, desired_at, why, health, health_since, health_fact) = row[:10]
    (breaker, open_until, breaker_fact, quarantined, proof_broken, p50, p95, account) = row[10:18]
    drain, in_flight, attempts, successes = row[18:]
    return TraderState(
        name=name,
        exchange=exchange,
        desired=Desired.DRAIN if drain else Desired(desired),
        desired_by=desired_by,
        desired_at=moment_or_none(desired_at),
        desired_why=why,
        health=Health(health),
        health_since=moment_or_none(health_since),
        health_fact=health_fact,
        breaker=BreakerState(breaker),
        open_until=moment_or_none(open_until),
        breaker_fact=breaker_fact,
        quarantined=quarantined > 0,
        proof_broken=bool(proof_broken),
        in_flight=in_flight,
        latency_p50=p50,
        latency_p95=p95,
        attempts=attempts,
        successes=successes,
        account=account_of(account),
    )


def alert_of(row: Row) -> Alert:
    """Return an alert."""
    """Return the alert that a row of its table states."""
    (alert_id, rule, subject, severity, state, text, remedy, raised_at, changed_at, signal_id) = row[:10]
    ack_by, ack_at, snoozed_until, resolved_at, repeats = row[10:]
    return Alert(
        id=alert_id,
        rule=rule,
        subject=subject,
        severity=Severity(severity),
        state=AlertState(state),
        text=text,
        remedy=remedy,
        raised_at=moment(raised_at),
        changed_at=moment(changed_at),
        signal_id=signal_id,
        ack_by=ack_by,
        ack_at=moment_or_none(ack_at),
        snoozed_until=moment_or_none(snoozed_until),
        resolved_at=moment_or_none(resolved_at),
        repeats=repeats,
    )


def command_of(row: Row) -> Command:
    """Return a wish and what became of it."""
    """Return the wish that a row of its table states."""
    command_id, request_id, kind, operator, at, target, why, args, expected, state, result, finished_at = row
    return Command(
        id=command_id,
        request_id=request_id,
        kind=CommandKind(kind),
        operator=operator,
        at=moment(at),
        target=target,
        why=why,
        args=from_json(args),
        expected_version=expected,
        state=CommandState(state),
        result=result,
        finished_at=moment_or_none(finished_at),
    )


def position_of(row: Row) -> Position:
    """Return what is held."""
    """Return the position that a row of its table states."""
    trader, symbol, quantity, entry_price, opened_at, opened_by = row
    return Position(trader, symbol, Decimal(quantity), Decimal(entry_price), moment(opened_at), opened_by)


def facts_text(facts: EngineFacts) -> str:
    """Return the heartbeat as JSON: field by field, times as microseconds."""
    told = {f.name: getattr(facts, f.name) for f in fields(facts)}
    told["feeds"] = [{f.name: getattr(feed, f.name) for f in fields(feed)} for feed in facts.feeds]
    return to_json({name: micros(v) if isinstance(v, datetime) else v for name, v in told.items()})


def facts_of(stored: str) -> EngineFacts:
    """Return a heartbeat, also one of a program that knew fewer or more fields."""
    told: dict[str, Any] = from_json(stored)
    known = {f.name: told[f.name] for f in fields(EngineFacts) if f.name in told}
    for name in _FACT_TIMES & known.keys():
        known[name] = moment_or_none(known[name])
    known["feeds"] = tuple(
        FeedStanding(f["name"], FeedState(f["state"]), f["fact"], tuple(f["symbols"]), f["counts"])
        for f in known.get("feeds", ())
    )
    return EngineFacts(**{**known, "mode": Mode(known["mode"]), "state": EngineState(known["state"])})


def status_text(status: ExecutionStatus) -> str:
    """Return a diagnosis as JSON."""
    checks = [{f.name: getattr(c, f.name) for f in fields(c)} for c in status.checks]
    return to_json({"at": micros(status.at), "checks": checks})


def status_of(stored: str) -> ExecutionStatus:
    """Return a diagnosis, also one of a program that knew fewer or more fields."""
    """Return the diagnosis that its kept body states."""
    told: dict[str, Any] = from_json(stored)
    names = {f.name for f in fields(Check)}
    checks = tuple(Check(**{k: v for k, v in c.items() if k in names}) for c in told["checks"])
    return ExecutionStatus(moment(told["at"]), checks)


_FACT_TIMES: Final = frozenset(
    name for name, kind in get_type_hints(EngineFacts).items() if kind in (datetime, datetime | None)
)
