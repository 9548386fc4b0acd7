"""A signal's whole story as sections: why, facts, votes, gate, traders, attempts, and every event in order."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Final

from engine.core.board import Story
from engine.core.events import Event, Level, Signal
from engine.core.lifecycle import OPEN_SIGNALS
from engine.core.order import Attempt, Fill, Latency
from engine.core.reconcile import Asked, Evidence, Found
from engine.core.routing import no_fallback
from engine.core.values import Action, Vote
from tui.formatting import (
    NOTHING,
    attempt_sign,
    clock_time,
    date_time,
    decimal,
    duration,
    percent,
    side_cell,
    signal_sign,
)
from tui.sections import Row, Section, empty, mappings, offset, price, row, said
from tui.verdicts import rule_name, why
from tui.waterfall import timeline
from tui.widgets.cells import Cell

BAR_WIDTH: Final = 24  # cells of an attempt's waterfall
EVENTS_MAX: Final = 500  # a story longer than that shows its newest events, and says so
LATENCY_PARTS: Final = tuple(field.name for field in dataclasses.fields(Latency))

_ACTIONS: Final[Mapping[Action, Cell]] = {
    Action.BUY: Cell("▲ buy ", "$buy"),
    Action.SELL: Cell("▼ sell", "$sell"),
    Action.HOLD: Cell("· hold", "$muted"),
}
_ASKED: Final[Mapping[Asked, str]] = {
    Asked.CLIENT_ID: "the client order id",
    Asked.OPEN: "open orders",
    Asked.RECENT: "recent orders",
}
_FOUND: Final[Mapping[Found, str]] = {
    Found.NOTHING: "nothing found",
    Found.ORDER: "an order found",
    Found.ERROR: "no answer",
}
_LEVEL_STYLES: Final[Mapping[Level, str]] = {Level.WARNING: "$warning", Level.ERROR: "$error"}


def sections(story: Story, now: datetime) -> tuple[Section, ...]:
    """Return the story as it stands at `now` (the market's time), the answer to "why" first."""
    return (
        _why(story, now),
        _facts(story.signal, now),
        _votes(story.signal.votes),
        _gate(story),
        _traders(story),
        timeline(story),
        *_attempts(story),
        _events(story),
    )


def story_json(story: Story) -> str:
    """Return the story as one JSON document: decimals as strings, times as ISO 8601 UTC."""
    return json.dumps(plain(story), ensure_ascii=False, indent=2)


def waterfall(latency: Latency, width: int = BAR_WIDTH) -> list[tuple[str, str, str]]:
    """Return (part, bar, duration) of every part that was reached, each bar beginning where the one before ends."""
    parts = [(name, getattr(latency, name)) for name in LATENCY_PARTS]
    reached = [(name, max(float(seconds), 0.0)) for name, seconds in parts if seconds is not None]
    total = sum(seconds for _, seconds in reached)
    lines, gone = [], 0.0
    for name, seconds in reached:
        start = min(int(gone / total * width), width - 1) if total else 0
        gone += seconds
        length = max(round(seconds / total * width), 1) if total else 1
        lines.append((name, " " * start + "▇" * length, duration(seconds)))
    return lines


def lookup(kept: str) -> str:
    """Return one piece of an attempt's evidence as a sentence; what is no lookup's record stays as it is."""
    seen = Evidence.decode(kept)
    if seen is None:
        return said(kept)
    asked = ", ".join(_ASKED[way] for way in Asked if way in seen.asked) or "nothing"
    text = f": {said(seen.text)}" if seen.text else ""
    return f"{clock_time(seen.at)} asked for {asked}; {_FOUND[seen.found]}{text}"


def _why(story: Story, now: datetime) -> Section:
    answer = why(story, now)
    rows = [row("", answer.sentence, wide=True)]
    if answer.remedy:
        rows.append(row("", Cell("What to do  ", "$muted"), answer.remedy, wide=True))
    return Section("why", Cell(answer.word, f"bold {answer.style}"), tuple(rows), tone=answer.style)


def _facts(signal: Signal, now: datetime) -> Section:
    sign = signal_sign(signal.state)
    quantity = decimal(signal.quantity) if signal.quantity is not None else "sized by the engine"
    left = ""
    if signal.state in OPEN_SIGNALS:
        gap = (signal.expires_at - now).total_seconds()
        left = f" (in {duration(gap)})" if gap > 0 else f" ({duration(-gap)} ago)"
    rows = [
        row("state", sign.cell),
        row("symbol", Cell(said(signal.symbol, 64), "bold")),
        row("side", side_cell(signal.side), " (an exit)" if signal.reduces else ""),
        row("quantity", quantity),
        row("price", "at market" if signal.price is None else f"limit {decimal(signal.price)}"),
        row("market then", decimal(signal.reference_price)),
        row("confidence", f"{signal.confidence:.2f}"),
        row("received", date_time(signal.received_at)),
        row("expires", f"{clock_time(signal.expires_at)}{left}"),
        row("ended", _ended(signal)),
        row("source", said(signal.source, 64)),
        row("trader", said(signal.trader or NOTHING, 64)),
        row("preferred", said(signal.preferred_trader or NOTHING, 64)),
        row("attempts", str(signal.attempts)),
    ]
    wide = {
        "reason": f"{said(signal.reason.text)} ({said(signal.reason.code, 64)})" if signal.reason.text else "",
        "cancel": "an operator wants it cancelled; that happens as soon as its attempt is resolved"
        if signal.cancel_requested and signal.state in OPEN_SIGNALS
        else "",
        "note": signal.note,
        "id": signal.id,
        "key": signal.key,
        "parent": signal.parent_id or "",
    }
    rows += [row(label, text, wide=True) for label, text in wide.items() if text]
    return Section("facts", Cell("Signal", "bold"), tuple(rows), paired=True)


def _ended(signal: Signal) -> str:
    if signal.ended_at is None:
        return NOTHING
    return f"{clock_time(signal.ended_at)} ({offset(signal.ended_at, signal.received_at)})"


def _votes(votes: tuple[Vote, ...]) -> Section:
    rows = tuple(
        row(
            vote.strategy,
            _ACTIONS[vote.action],
            f"  {vote.confidence:.2f} × {vote.weight:g}  ",  # noqa: RUF001 - a times sign is meant
            vote.why,
        )
        for vote in votes
    )
    return Section("votes", Cell("Votes", "bold"), rows or empty("It was handed in from outside: no strategy voted."))


def _gate(story: Story) -> Section:
    looks = [event for event in story.events if mappings(event.detail.get("answers"))]
    if not looks:
        return Section("gate", Cell("Gate", "bold"), empty("The gate has not looked at it."))
    asked = mappings(looks[-1].detail.get("answers"))
    refused = sum(1 for answer in asked if not answer.get("ok"))
    note = f"{len(asked) - refused} yes, {refused} no · {offset(looks[-1].at, story.signal.received_at)}"
    if len(looks) > 1:
        note += f" · the last of {len(looks)} looks"
    return Section("gate", Cell("Gate", "bold"), tuple(_answer(answer) for answer in asked), note)


def _answer(answer: Mapping[str, object]) -> Row:
    is_ok = bool(answer.get("ok"))
    label = Cell(f"{'✓' if is_ok else '✗'} {rule_name(answer.get('rule', '?'))}", "$ok" if is_ok else "bold $error")
    fact = said(answer.get("fact") or answer.get("code") or NOTHING)
    remedy = said(answer.get("remedy") or "") if not is_ok else ""
    body = (Cell(fact), Cell(f"\n→ {remedy}", "$muted")) if remedy else (Cell(fact),)
    return Row(label, body)


def _traders(story: Story) -> Section:
    routed = [event for event in story.events if mappings(event.detail.get("considered"))]
    if not routed:
        return Section("traders", Cell("Traders", "bold"), empty("No trader was considered."))
    rows, blocked = [], said(no_fallback(story.attempts))
    for item in mappings(routed[-1].detail.get("considered")):
        is_chosen = bool(item.get("chosen"))
        label = Cell(
            f"{'●' if is_chosen else '○'} {said(item.get('trader', '?'), 64)}", "$ok" if is_chosen else "$muted"
        )
        why_so = said(item.get("why") or NOTHING)
        if blocked and not is_chosen:
            why_so = f"not used: {blocked}"
        rows.append(Row(label, (Cell("chosen: " if is_chosen else "", "$muted"), Cell(why_so))))
    note = offset(routed[-1].at, story.signal.received_at)
    return Section("traders", Cell("Traders considered", "bold"), tuple(rows), note)


def _attempts(story: Story) -> list[Section]:
    if not story.attempts:
        return [Section("attempts", Cell("Attempts", "bold"), empty("No order was attempted."))]
    sized = {
        event.attempt_n: said(event.detail["sized"])
        for event in story.events
        if isinstance(event.detail.get("sized"), str)
    }
    return [
        _attempt(attempt, [fill for n, fill in story.fills if n == attempt.n], sized.get(attempt.n, ""))
        for attempt in story.attempts
    ]


def _attempt(attempt: Attempt, fills: list[Fill], sized: str) -> Section:
    sign, request = attempt_sign(attempt.state), attempt.request
    limit = "at market" if request.price is None else f"at most {decimal(request.price)}"
    if request.price is not None and request.side.sign < 0:
        limit = f"at least {decimal(request.price)}"
    slippage = f", slippage up to {percent(float(request.slippage_max))}" if request.slippage_max is not None else ""
    rows = [
        row("state", sign.cell, Cell(_probes(attempt), "$muted")),
        row(
            "request",
            side_cell(request.side),
            f" {decimal(request.quantity)} {said(request.symbol, 64)} {limit}{slippage}, not after {clock_time(request.send_by)}",
        ),
        row("sized", sized),
        row("filled", _filled(attempt)),
        row("error", _error(attempt)),
        row("client id", attempt.client_order_id),
        row("venue id", attempt.venue_order_id or NOTHING),
    ]
    rows = [item for item in rows if any(cell.text for cell in item.body)]
    rows += [
        row(
            "fill",
            f"{decimal(fill.quantity)} at {decimal(fill.price)}",
            Cell(
                f"  fee {decimal(fill.fee)} {said(fill.fee_asset, 24)}  {offset(fill.at, attempt.intent_at)}  ",
                "$muted",
            ),
            Cell(said(fill.trade_id, 64), "$muted"),
        )
        for fill in fills
    ]
    rows += [row("lookup", lookup(kept)) for kept in attempt.evidence]
    rows += [
        row(part, Cell(bar.ljust(BAR_WIDTH), "$muted" if part == "waiting" else "$accent"), f"  {length:>7}")
        for part, bar, length in waterfall(attempt.latency)
    ]
    title = Cell(f"Attempt {attempt.n}", "bold")
    return Section(f"attempt-{attempt.n}", title, tuple(rows), said(attempt.trader, 64))


def _filled(attempt: Attempt) -> str:
    if not attempt.filled_quantity:
        return ""
    at = f" at {price(attempt.average_price)}" if attempt.average_price is not None else ""
    fee = f", fee {decimal(attempt.fee)}" if attempt.fee else ""
    return f"{decimal(attempt.filled_quantity)} of {decimal(attempt.request.quantity)}{at}{fee}"


def _probes(attempt: Attempt) -> str:
    return f"  {attempt.probes} lookup{'s' if attempt.probes != 1 else ''}" if attempt.probes else ""


def _error(attempt: Attempt) -> Cell:
    code = f"{said(attempt.error_code, 64)}: " if attempt.error_code else ""
    text = f"{code}{said(attempt.error_text or '')}" if code or attempt.error_text else ""
    return Cell(text, "$error")


def _events(story: Story) -> Section:
    shown = story.events[-EVENTS_MAX:]
    note = f"the newest {len(shown)} of {len(story.events)}" if len(shown) < len(story.events) else str(len(shown))
    rows = tuple(_event(event, story.signal) for event in shown)
    return Section("events", Cell("Events", "bold"), rows or empty("Nothing was journalled."), note)


def _event(event: Event, signal: Signal) -> Row:
    style = _LEVEL_STYLES.get(event.level, "")
    move = " → ".join(said(s, 32) for s in (event.from_state, event.to_state) if s)
    kept = event.detail.get("evidence")
    evidence = lookup(kept) if isinstance(kept, str) else ""
    body = [
        Cell(f"{event.kind.value:<8}  ", "$muted"),
        Cell(said(event.text) or event.kind.value, style),
        Cell(f"  {evidence}" if evidence and evidence not in event.text else "", "$muted"),
        Cell(f"  {move}" if move else "", "$muted"),
    ]
    return Row(Cell(offset(event.at, signal.received_at).rjust(7), "$muted"), tuple(body))


def plain(value: object) -> object:
    """Return a frozen value as JSON has it: decimals as strings, times as ISO 8601 UTC."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | frozenset | set):
        return [plain(item) for item in value]
    return value
