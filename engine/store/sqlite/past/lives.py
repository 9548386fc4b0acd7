"""How one signal stood at an earlier moment: its rows of today, taken back by what the journal told until then.

A row that nothing befell after the moment is as it was. Of the others the journal tells states, reasons, times, errors and
trades; what it does not tell is left empty, or said to be `NOT_KEPT`, and never filled with today's value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, TypeAlias

from engine.core.lifecycle import FINAL_ATTEMPTS, FINAL_SIGNALS, SUCCESSFUL_ATTEMPTS, AttemptState, SignalState
from engine.store.sqlite.codec import detail_of, to_json
from engine.store.sqlite.past.damage import time_in

Row: TypeAlias = dict[str, Any]  # a whole row of its table, columns by name and in their order

NOT_KEPT: Final = "not_kept"  # the code of a reason that the journal does not hold
NOT_KEPT_TEXT: Final = "the journal of that time does not say"

_SIGNAL_STATES: Final = frozenset(state.value for state in SignalState)
_ATTEMPT_STATES: Final = frozenset(state.value for state in AttemptState)
_ENDED_SIGNALS: Final = frozenset(state.value for state in FINAL_SIGNALS)
_ENDED_ATTEMPTS: Final = frozenset(state.value for state in FINAL_ATTEMPTS)
_SUCCESSFUL: Final = frozenset(state.value for state in SUCCESSFUL_ATTEMPTS)
_KNOWN_TO_THE_VENUE: Final = frozenset({"accepted", "filled", "partial_closed", "canceled"})
_FOLLOWS: Final = {"filled": "done", "partial_closed": "done", "review": "needs_review"}
_MOVING: Final = frozenset({"signal", "gated"})  # kinds of events that carry a signal's states


@dataclass(frozen=True)
class Told:
    """A journal entry, as far as a row can be made of it."""

    seq: int
    kind: str
    at: int
    text: str
    attempt_n: int | None
    trader: str | None
    code: str
    from_state: str
    to_state: str
    encoded: str
    epoch: int

    @cached_property
    def detail(self) -> Mapping[str, Any]:
        return detail_of(self.encoded)

    @property
    def news(self) -> Mapping[str, Any]:
        """Return what the store added about the signal's own step."""
        found = self.detail.get("signal")
        return found if isinstance(found, Mapping) else {}


def told_of(row: Sequence[Any]) -> Told:
    """Return the entry that a row of the journal states."""
    seq, kind, at, _, text, _, _, attempt_n, trader, code, from_state, to_state, detail, epoch = row[:14]
    return Told(seq, kind, at, text, attempt_n, trader, code, from_state, to_state, detail, epoch)


@dataclass(frozen=True, slots=True)
class Life:
    """A signal's rows: its own, its attempts' by n, their trades by number.

    `done_at` are the times that count as those of its completions, those that were taken back included.
    """

    signal: Row
    attempts: tuple[Row, ...]
    fills: tuple[Row, ...]
    done_at: tuple[int, ...] = ()


def as_of(life: Life, events: Sequence[Told], seq: int) -> Life:
    """Return the rows as they were once the journal had come to `seq`. `events` are all that are kept of this signal."""
    until = [event for event in events if event.seq <= seq]
    later = [event for event in events if event.seq > seq]
    done_at = _done_at(life, until)
    if not later:
        return replace(life, done_at=done_at)
    attempts, fills = [], []
    for row in life.attempts:
        n = row["n"]
        if any(event.kind == "intent" and event.attempt_n == n for event in later):
            continue
        mine, theirs = ([e for e in part if e.attempt_n == n] for part in (until, later))
        traded = _fills_until(row, life.fills, theirs)
        attempts.append(_attempt_at(row, traded, mine, theirs))
        fills += traded
    signal = _signal_at(life.signal, until, later)
    return Life({**signal, **_tried(attempts)}, tuple(attempts), tuple(fills), done_at)


def _done_at(life: Life, until: Sequence[Told]) -> tuple[int, ...]:
    """Return when each completion counts: an order's in the minute of its intent, one by a person's word in its own."""
    intents = {row["n"]: row["intent_at"] for row in life.attempts}
    found = []
    for event in until:
        moved = _moved(event, lambda: "")
        if moved is not None and moved[0] == "done":
            found.append(intents.get(event.attempt_n, event.at) if event.kind == "attempt" else event.at)
    return tuple(found)


def _tried(attempts: Sequence[Row]) -> Row:
    return {"attempts": len(attempts), "trader": attempts[-1]["trader"] if attempts else None}


# the signal


@dataclass(slots=True)
class _Stand:
    """Where a signal stands while its events are gone through."""

    state: str | None = None
    code: str = NOT_KEPT
    text: str = NOT_KEPT_TEXT
    at: int = 0
    due_at: int | None = None
    version: int = 0
    cancel: int = 0


def _signal_at(row: Row, until: Sequence[Told], later: Sequence[Told]) -> Row:
    stand = _Stand()
    for number, event in enumerate(until):
        _pass(stand, event, lambda after=number + 1: _next_state(row, (*until[after:], *later)))  # type: ignore[misc] # a default binds it
    state = stand.state or _next_state(row, later)
    expired = next((time_in(e.seq, e.news["expired_at"]) for e in later if "expired_at" in e.news), None)
    return {
        **row,
        "state": state,
        "version": stand.version or 1,
        "reason_code": stand.code,
        "reason_text": stand.text,
        "due_at": stand.due_at if stand.due_at is not None else stand.at or row["received_at"],
        "expires_at": row["expires_at"] if expired is None else expired,
        "ended_at": (stand.at or row["ended_at"] or row["received_at"]) if state in _ENDED_SIGNALS else None,
        "cancel_requested": stand.cancel,
    }


def _pass(stand: _Stand, event: Told, following: Callable[[], str]) -> None:
    """Let one event befall the signal. `following` tells its state after an event that says nothing of it."""
    if event.code == "cancel_requested":
        stand.cancel, stand.version = 1, stand.version + 1
        return
    moved = _moved(event, following)
    if moved is None:
        return
    stand.state, stand.code, stand.text = moved
    stand.at, stand.version = event.at, stand.version + 1
    due = event.news.get("due_at")
    stand.due_at = None if due is None else time_in(event.seq, due)
    if event.code == "retried":
        stand.cancel = 0


def _moved(event: Told, following: Callable[[], str]) -> tuple[str, str, str] | None:
    """Return state and reason that an event gave its signal, None if it gave none."""
    news = event.news
    if event.kind == "received":
        return ("new", "", "")
    if event.kind == "intent":
        return ("executing", "dispatched", event.trader or "")
    if event.kind in _MOVING and event.from_state in _SIGNAL_STATES and event.to_state in _SIGNAL_STATES:
        text = event.text.partition(": ")[2] if event.kind == "gated" else event.text
        return (event.to_state, news.get("code", event.code), news.get("reason", text))
    if event.kind != "attempt":
        return None
    if news.get("state") in _SIGNAL_STATES:
        return (news["state"], news.get("code", ""), news.get("reason", ""))
    if event.to_state in _ENDED_ATTEMPTS - {event.from_state} or event.to_state == "review":
        return (_FOLLOWS.get(event.to_state) or following(), NOT_KEPT, NOT_KEPT_TEXT)  # an older journal
    return None


def _next_state(row: Row, later: Sequence[Told]) -> str:
    """Return the state that the next event found the signal in; today's if there is none."""
    for event in later:
        if event.kind in _MOVING or event.kind == "intent":
            if event.from_state in _SIGNAL_STATES:
                return event.from_state
        elif event.kind == "attempt" and event.to_state in _ENDED_ATTEMPTS:
            return "executing"
    return str(row["state"])


# its attempts


def _fills_until(row: Row, fills: Sequence[Row], later: Sequence[Told]) -> list[Row]:
    mine = [fill for fill in fills if fill["attempt_seq"] == row["seq"]]
    to_come = sum(event.kind == "fill" and not event.code for event in later)
    return mine[: len(mine) - to_come] if to_come else mine


def _attempt_at(row: Row, fills: Sequence[Row], until: Sequence[Told], later: Sequence[Told]) -> Row:
    if not any(event.kind in ("attempt", "fill", "probe") for event in later):
        return row
    steps = [e for e in until if e.kind == "attempt" and e.to_state in _ATTEMPT_STATES]
    found = next((e.from_state for e in later if e.kind == "attempt" and e.from_state in _ATTEMPT_STATES), row["state"])
    state = steps[-1].to_state if steps else found
    turned = _turned(steps)
    return {
        **row,
        **_traded(fills),
        **_answered(row, state, steps, until[-1].at if until else row["intent_at"]),
        "state": state,
        "epoch": until[-1].epoch if until else row["epoch"],
        "ended_at": (turned or row["ended_at"] or row["intent_at"]) if state in _ENDED_ATTEMPTS else None,
        "unknown_since": (turned or row["intent_at"]) if state == "unknown" else None,
        "next_probe_at": None,
        "probes": sum(e.kind == "probe" for e in until),
        "evidence": to_json([e.detail["evidence"] for e in until if e.kind == "probe" and "evidence" in e.detail]),
        "tally": _tally(state, steps),
        "broken": int(any(e.from_state in _ENDED_ATTEMPTS and e.to_state == "review" for e in steps)),
    }


def _turned(steps: Sequence[Told]) -> int | None:
    """Return when the attempt came into the state that it is in."""
    at = None
    for event in steps:
        if event.to_state != event.from_state or at is None:
            at = event.at
    return at


def _tally(state: str, steps: Sequence[Told]) -> str:
    if state in _SUCCESSFUL or any(event.to_state in _SUCCESSFUL for event in steps):
        return "success"
    return "failure" if state in _ENDED_ATTEMPTS or any(e.to_state in _ENDED_ATTEMPTS for e in steps) else ""


def _traded(fills: Sequence[Row]) -> Row:
    quantity = sum((Decimal(fill["quantity"]) for fill in fills), Decimal(0))
    cost = sum((Decimal(fill["quantity"]) * Decimal(fill["price"]) for fill in fills), Decimal(0))
    return {
        "filled_quantity": str(quantity),
        "filled_cost": str(cost),
        "average_price": str(cost / quantity) if quantity else None,
        "fee": str(sum((Decimal(fill["fee"]) for fill in fills), Decimal(0))),
    }


def _answered(row: Row, state: str, steps: Sequence[Told], now: int) -> Row:
    """Return what answers told until `now`: nothing while the order is being sent."""
    is_out = bool(steps) or state != "intent"
    failed = next((e for e in reversed(steps) if "error" in e.detail), None)
    is_answered = is_out and row["answered_at"] is not None and row["answered_at"] <= now
    is_filled = state == "filled"
    return {
        "venue_order_id": row["venue_order_id"] if state in _KNOWN_TO_THE_VENUE else None,
        "error_code": None if failed is None else failed.code,
        "error_text": None if failed is None else str(failed.detail["error"]),
        "sent_at": row["sent_at"] if is_out else None,
        "answered_at": row["answered_at"] if is_answered else None,
        "submitting_s": row["submitting_s"] if is_out else None,
        "acknowledged_s": row["acknowledged_s"] if is_answered else None,
        "filled_s": row["filled_s"] if is_filled else None,
    }
