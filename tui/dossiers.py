"""A trader, an error, an alert and the readiness diagnosis, each told as sections."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from engine.core.alerts import RULES
from engine.core.board import Board, Check, ExecutionStatus
from engine.core.events import Alert, AlertState, BreakerState, Desired, Event, EventKind, Health, Level, TraderState
from engine.core.lifecycle import OPEN_SIGNALS
from engine.core.text import counted
from tui.accounts import account_section, settings_section
from tui.formatting import (
    NOTHING,
    alert_sign,
    beside,
    clock_time,
    date_time,
    decimal,
    duration,
    level_cell,
    percent,
    rate_style,
    side_cell,
    signal_sign,
    since,
    trader_sign,
)
from tui.sections import Row, Section, empty, price, row, said
from tui.widgets.cells import Cell

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT.*[+-]\d\d:\d\d$")
START_ONE: Final = "look at the log for why it ended, then start an engine: signaldeck run"
ROWS_MAX: Final = 12  # of a trader's signals and errors: the newest ones

# What to do next, by an event's code first, then by its kind. An event's own remedy goes before both.
_NEXT_BY_CODE: Final[Mapping[str, str]] = {
    "doubtful": "nothing: the outcome is looked up until it is proven, and nothing is sent again before that",
    "lose_answer": "nothing: the outcome is looked up until it is proven, and nothing is sent again before that",
    "orphan": "nothing: an earlier engine left this order open; it is looked up until it is proven",
    "unsent": "look at the network between here and the venue; it is tried again by itself",
    "unattended": "put the trader back under [[traders]] and start again, or settle its orders on the venue's own page",
    "withheld": "it waits like any other signal; release or resume what held it back if it is to go out",
    "refused": "read the venue's reason; another trader is tried where that is safe",
    "funds": "fund the account, or hand in a smaller quantity",
    "auth": "correct the key at the venue or in the environment, then resume the trader (r)",
    "rate": "wait: the venue asked for fewer calls",
    "maintenance": "wait until the venue is open again",
    "clock": "set this machine's clock (NTP)",
    "clock_jump": "set this machine's clock (NTP); sending goes on once the venues' time was read",
    "clock_offset": "set this machine's clock (NTP)",
    "escalate": "open the signal: A names its order, B declares that there is none",
    "break_proof": "compare the trader's orders with the venue, open the signal and name the order (A)",
    "trader_unavailable": "open the trader, or bring another one back (r)",
    "confidence_too_low": "nothing, or lower confidence_min",
    "position_limit": "close a position, or raise positions_max",
    "trading_limit": "wait, or raise the limit of trades an hour or a day",
    "bad_input": "correct the value that the text names, then hand the signal in again",
    "strategy_failed": "mend the strategy, or turn it off; the others still vote",
    "position_differs": "compare the trader's positions with the venue's own page",
    "fills_differ": "compare the order's trades with the venue's own page",
    "overfill": "look at the order on the venue's own page, sell what is too much, then resume the trader (r)",
    "audit_failed": "look at the venue and the network; the audit is tried again by itself",
}
_NEXT_BY_KIND: Final[Mapping[EventKind, str]] = {
    EventKind.INTAKE_REFUSED: "correct the value that the text names, then hand the signal in again",
    EventKind.ATTEMPT: "open the signal's story: it says what was proven and what happens next",
    EventKind.SIGNAL: "open the signal's story: it says why",
    EventKind.GATED: "open the signal's story: it has every rule's answer",
    EventKind.TRADER: "open the trader: it says what it lacks",
    EventKind.FEED: "look at the network and the market source",
    EventKind.STORE: "nothing is sent until the store is mended: free space, or look at the disk",
    EventKind.ENGINE: "look at the log, then ask the readiness diagnosis (d)",
    EventKind.COMMAND: "the text says why the wish was refused",
}


def next_step(event: Event) -> str:
    """Return what an operator does about `event`."""
    own = event.detail.get("remedy")
    if isinstance(own, str) and own:
        return said(own)
    return _NEXT_BY_CODE.get(event.code) or _NEXT_BY_KIND.get(event.kind, "nothing, unless it comes again")


def error_sections(event: Event) -> tuple[Section, ...]:
    """Return an error with all its fields and what to do next."""
    loud = {Level.ERROR: "error", Level.WARNING: "warning"}.get(event.level, "accent")
    word = {"error": "Error", "warning": "Warning"}.get(loud, "Event")
    lead = (row("", event.text or event.kind.value, wide=True), _advice(next_step(event)))
    facts = (
        row("level", level_cell(event.level)),
        row("kind", event.kind.value.replace("_", " ")),
        row("code", event.code or NOTHING),
        row("at", date_time(event.at)),
        row("trader", event.trader or NOTHING),
        row("attempt", str(event.attempt_n) if event.attempt_n is not None else NOTHING),
        row("from", event.from_state or NOTHING),
        row("to", event.to_state or NOTHING),
        row("number", str(event.seq)),
        row("engine start", str(event.epoch)),
        row("signal", event.signal_id or NOTHING, wide=True),
    )
    sections = [
        Section("lead", Cell(word, f"bold ${loud}"), lead, said(event.trader or "", 64), tone=f"${loud}"),
        Section("facts", Cell("Facts", "bold"), facts, paired=True),
    ]
    detail = dict(event.detail)
    became = detail.pop("signal", None)
    if isinstance(became, Mapping):
        sections.append(Section("became", Cell("What became of the signal", "bold"), _told(became)))
    elif became is not None:
        detail["signal"] = became
    if detail:
        sections.append(Section("detail", Cell("Detail", "bold"), _told(detail)))
    return tuple(sections)


def alert_sections(alert: Alert, now: datetime) -> tuple[Section, ...]:
    """Return an alert: what is wrong, what to do, since when, who has seen it, and the rule behind it."""
    sign = alert_sign(alert.severity, alert.state)
    tone = {"critical": "$error", "warning": "$warning"}.get(alert.severity.value, "$accent")
    is_over = alert.state is AlertState.RESOLVED
    title = Cell(
        "Resolved" if is_over else alert.severity.value.capitalize(), "bold $ok" if is_over else f"bold {tone}"
    )
    lead = (row("", alert.text, wide=True), _advice("nothing: it is over" if is_over else said(alert.remedy)))
    facts = (
        row("state", sign.cell if is_over else Cell(alert.state.value)),
        row("severity", Cell(alert.severity.value, tone)),
        row("about", alert.subject or "the whole engine"),
        row("times raised", str(alert.repeats)),
        row("since", f"{date_time(alert.raised_at)}"),
        row("for", duration(max(0.0, ((alert.resolved_at or now) - alert.raised_at).total_seconds()))),
        row("last change", f"{clock_time(alert.changed_at)} ({since(alert.changed_at, now)} ago)"),
        row("resolved", clock_time(alert.resolved_at) if alert.resolved_at else NOTHING),
        row("seen by", alert.ack_by or "nobody yet"),
        row("seen at", clock_time(alert.ack_at) if alert.ack_at else NOTHING),
        row("snoozed", _until(alert.snoozed_until, now), wide=True),
        row("signal", alert.signal_id or NOTHING, wide=True),
    )
    rule = RULES.get(alert.rule)
    rows = [row("name", alert.rule)]
    if rule is not None:
        rows += [row("meaning", rule.help)]
        rows += [row(name.replace("_", " "), f"{value:g}") for name, value in rule.thresholds.items()]
    note = "thresholds as shipped; the configuration may set others" if len(rows) > 2 else ""
    return (
        Section("lead", title, lead, said(alert.subject, 64), tone="$ok" if is_over else tone),
        Section("facts", Cell("Facts", "bold"), facts, paired=True),
        Section("rule", Cell("Rule", "bold"), tuple(rows), note),
    )


def trader_sections(trader: TraderState, board: Board, now: datetime, unheard: str = "") -> tuple[Section, ...]:
    """Return a trader as it stands, why it takes no orders if it does not, and its newest signals and errors.

    `unheard` says why no engine answers: it takes none, then, however it stood.
    """
    return (
        _unattended(trader, now, unheard) if unheard else _ability(trader, now),
        _trader_facts(trader, now),
        account_section(trader.account, now),
        _positions(trader, board),
        _signals(trader, board, now),
        _errors(trader, board, now),
        settings_section(trader.account),
    )


def readiness_sections(status: ExecutionStatus, now: datetime, unheard: str = "") -> tuple[Section, ...]:
    """Return the diagnosis: one answer, then every gate between a candle and a fill, in that order.

    `unheard` says why no engine answers: the gates are then those of an earlier moment, and none of them tells of now.
    """
    refused = [check for check in status.checks if not check.ok]
    deciding = [check for check in refused if check.decides]
    if unheard:
        word, tone = "NOT READY", "$error"
        told = f"No engine answers ({said(unheard)}); what follows is from {clock_time(status.at)}."
    elif status.ready:
        word, tone = "READY", "$ok"
        were = "was" if len(status.checks) == 1 else "were"
        told = f"A signal made now could be sent: {_gates(len(status.checks))} between a candle and a fill {were} asked"
        noes = (
            "one says no, which alone stops nothing"
            if len(refused) == 1
            else f"{len(refused)} say no, none of which decides"
        )
        told += f"; {noes}." if refused else ", and all say yes."
    else:
        word, tone = "NOT READY", "$error"
        says = "says" if len(deciding) == 1 else "say"
        others = len(refused) - len(deciding)
        alone = f", and {others} more, which alone {'stops' if others == 1 else 'stop'} nothing" if others else ""
        told = f"{len(deciding)} of {_gates(len(status.checks))} {says} no{alone}. The first one: {deciding[0].gate}, {deciding[0].fact}."
    lead = [row("", told, wide=True)]
    remedy = START_ONE if unheard else deciding[0].remedy if deciding else ""
    if remedy:
        lead.append(_advice(said(remedy)))
    asked = f"asked {clock_time(status.at)}, {since(status.at, now)} ago"
    return (
        Section("lead", Cell(word, f"bold {tone}"), tuple(lead), asked, tone=tone),
        Section(
            "gates",
            Cell(
                f"From candle to fill, as it was at {clock_time(status.at)}" if unheard else "From candle to fill",
                "bold",
            ),
            tuple(_check(check) for check in status.checks),
            f"{len(status.checks) - len(refused)} yes, {len(refused)} no",
        ),
    )


def _gates(count: int) -> str:
    return counted(count, "gate")


def _check(check: Check) -> Row:
    if check.ok:
        return Row(Cell(f"✓ {said(check.gate, 64)}", "$ok"), (Cell(said(check.fact)),))
    label = Cell(f"✗ {said(check.gate, 64)}", "bold $error" if check.decides else "$warning")
    body = [Cell(said(check.fact))]
    if not check.decides:
        body.append(Cell("  (stops nothing alone)", "$muted"))
    if check.remedy:
        body.append(Cell(f"\n→ {said(check.remedy)}", "$muted"))
    return Row(label, tuple(body))


def _advice(text: str) -> Row:
    return row("", Cell("What to do  ", "$muted"), text or "nothing", wide=True)


def _until(then: datetime | None, now: datetime) -> str:
    if then is None or then <= now:
        return NOTHING
    return f"until {clock_time(then)} ({duration((then - now).total_seconds())} more)"


def _told(detail: Mapping[str, object]) -> tuple[Row, ...]:
    return tuple(row(key.replace("_", " "), _value(value)) for key, value in sorted(detail.items()))


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return said("; ".join(f"{name} {told}" for name, told in value.items()))
    if isinstance(value, str):
        return said(_moment_or(value))
    return said(json.dumps(value, ensure_ascii=False, default=str))


def _moment_or(text: str) -> str:
    """Return a moment as the screen writes it; what is none stays as it is."""
    if not _MOMENT.match(text):
        return text
    try:
        return date_time(datetime.fromisoformat(text))
    except ValueError:
        return text


def _unattended(trader: TraderState, now: datetime, unheard: str) -> Section:
    sign = trader_sign(trader, now)
    told = f"It takes no orders: no engine answers ({said(unheard)}). What follows is how it stood when one last did"
    told += f"; it took none then either: {said(trader.why_not)}." if trader.why_not else "."
    rows = (row("", told, wide=True), _advice(START_ONE))
    return Section("lead", Cell("Not available", "bold $error"), rows, f"was {sign.glyph} {sign.word}", tone="$error")


def _ability(trader: TraderState, now: datetime) -> Section:
    sign = trader_sign(trader, now)
    tone = sign.style.rpartition(" ")[2]
    if trader.is_available:
        told, remedy = "It takes new orders.", ""
        if trader.breaker is BreakerState.HALF_OPEN:
            told = "It is being tried again: one order passes, and decides whether more do."
        elif trader.health is Health.UNCHECKED:
            told = "It takes new orders; its health has not been checked yet."
        word = "Available"
    else:
        told, word, remedy = f"It takes no new orders: {said(trader.why_not)}.", "Not available", _trader_remedy(trader)
    rows = [row("", told, wide=True)]
    if remedy:
        rows.append(_advice(remedy))
    return Section("lead", Cell(word, f"bold {tone}"), tuple(rows), f"{sign.glyph} {sign.word}", tone=tone)


def _trader_remedy(trader: TraderState) -> str:
    if trader.desired is Desired.DRAIN and trader.in_flight:
        return (
            f"wait: its orders that still live ({trader.in_flight}) are looked after until each has ended; r resumes it"
        )
    if trader.desired is Desired.DRAIN:
        return "none of its orders lives any more: it may be worked on, or stopped; r resumes it"
    if trader.desired is Desired.PAUSE:
        return "r resumes it; until then its open orders are still looked after"
    if trader.quarantined:
        return "answer its signals that need a review, compare its orders with the venue, then r resumes it"
    if trader.breaker is BreakerState.FORCED_OPEN:
        return "correct the key at the venue or in the environment, then r resumes it"
    if trader.breaker is BreakerState.OPEN:
        at = f" at {clock_time(trader.open_until)}" if trader.open_until else ""
        return f"wait for its probe{at}; signals go to other traders where that is safe"
    return "look at its last errors below; it comes back by itself once the venue answers"


def _trader_facts(trader: TraderState, now: datetime) -> Section:
    rate = trader.successes / trader.attempts if trader.attempts else None
    facts = (
        row("exchange", trader.exchange),
        row("live orders", str(trader.in_flight)),
        row("wanted", Cell(trader.desired.value, "bold")),
        row("wanted by", trader.desired_by or NOTHING),
        row("wanted since", date_time(trader.desired_at) if trader.desired_at else NOTHING),
        row("health", f"{trader.health.value} {since(trader.health_since, now)}".replace(NOTHING, "").strip()),
        row("breaker", trader.breaker.value.replace("_", " ")),
        row("open until", clock_time(trader.open_until) if trader.open_until else NOTHING),
        row("attempts", str(trader.attempts)),
        row("successes", f"{trader.successes}  ", Cell(percent(rate), rate_style(rate))),
        row("latency p50", duration(trader.latency_p50)),
        row("latency p95", duration(trader.latency_p95)),
    )
    wide = {"wanted why": trader.desired_why, "health fact": trader.health_fact, "breaker fact": trader.breaker_fact}
    rows = (*facts, *(row(label, text, wide=True) for label, text in wide.items() if text))
    return Section("facts", Cell("Facts", "bold"), rows, paired=True)


def _positions(trader: TraderState, board: Board) -> Section:
    held = [p for p in board.positions if p.trader == trader.name]
    rows = tuple(
        row(
            p.symbol,
            f"{decimal(p.quantity)} at {price(p.entry_price)}",
            Cell(f"  since {date_time(p.opened_at)}", "$muted"),
        )
        for p in held[:ROWS_MAX]
    )
    return Section("positions", Cell("Positions", "bold"), rows or empty("It holds nothing."), _count(len(held)))


def _signals(trader: TraderState, board: Board, now: datetime) -> Section:
    mine = [s for s in board.queue if s.trader == trader.name]
    rows = tuple(
        Row(
            Cell(said(s.id, 24), "$muted"),
            (
                Cell(f"{signal_sign(s.state).cell.text:<12}", signal_sign(s.state).style),
                Cell(f"{since(s.received_at, now):>4} ", "$muted"),
                side_cell(s.side),
                Cell(
                    f" {decimal(s.quantity)} {said(s.symbol, 32)}"
                    if s.quantity is not None
                    else f" {said(s.symbol, 32)}"
                ),
                Cell(f"  {said(s.reason)}" if s.reason else "", "$muted"),
            ),
        )
        for s in mine[:ROWS_MAX]
    )
    still = sum(1 for s in mine if s.state in OPEN_SIGNALS)
    note = f"{still} open, {len(mine) - still} ended" if mine else ""
    return Section("signals", Cell("Signals", "bold"), rows or empty("No signal on the board went to it."), note)


def _errors(trader: TraderState, board: Board, now: datetime) -> Section:
    mine = [e for e in board.errors if e.trader == trader.name]
    rows = tuple(
        Row(
            Cell(f"{clock_time(e.at)} {since(e.at, now):>4}", "$muted"),
            (
                level_cell(e.level),
                Cell(f"  {beside(trader.name, said(e.text))}"),
                Cell(f"  {said(e.code, 64)}" if e.code else "", "$muted"),
            ),
        )
        for e in mine[:ROWS_MAX]
    )
    return Section("errors", Cell("Last errors", "bold"), rows or empty("No errors of its own."), _count(len(mine)))


def _count(count: int) -> str:
    return str(count) if count else ""
