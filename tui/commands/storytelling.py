"""A signal's story as text."""

from __future__ import annotations

from collections.abc import Mapping

from engine.core.board import Story
from engine.core.events import Event, Signal
from engine.core.order import Attempt
from engine.core.routing import no_fallback
from tui.commands.frame import say
from tui.commands.printing import cell, milliseconds, print_facts, print_table


def print_story(story: Story) -> None:
    """Print everything about one signal, in the order in which it happened."""
    _print_head(story.signal)
    if story.signal.votes:
        say("\nVOTES")
        rows = [(v.strategy, v.action, v.confidence, v.weight, v.why) for v in story.signal.votes]
        print_table(["STRATEGY", "ACTION", "CONF", "WEIGHT", "WHY"], rows)
    if story.attempts:
        say("\nATTEMPTS")
        for attempt in story.attempts:
            _print_attempt(attempt)
        blocked = no_fallback(story.attempts)
        if blocked:
            say(f"   no other trader is used: {cell(blocked)}")
    if story.fills:
        say("\nFILLS")
        rows_of_fills = [(n, f.at, f.quantity, f.price, f"{f.fee} {f.fee_asset}", f.trade_id) for n, f in story.fills]
        print_table(["N", "AT", "QUANTITY", "PRICE", "FEE", "TRADE"], rows_of_fills)
    say("\nJOURNAL")
    for event in story.events:
        _print_event(event)


def _print_head(s: Signal) -> None:
    print_facts(
        [
            ("id", s.id),
            ("signal", f"{s.side} {s.symbol}, confidence {s.confidence:.2f}" + (", an exit" if s.reduces else "")),
            ("state", f"{s.state}" + (f": {s.reason.text or s.reason.code}" if s.reason.code else "")),
            ("quantity", s.quantity),
            ("price", s.price if s.price is not None else "at the market"),
            ("source", s.source),
            ("key", s.key),
            ("received", s.received_at),
            ("expires", s.expires_at),
            ("ended", s.ended_at),
            ("trader", s.trader),
            ("preferred", s.preferred_trader),
            ("note", s.note),
        ]
    )


def _print_attempt(a: Attempt) -> None:
    request = a.request
    say(f"{a.n}. {a.trader}: {a.state}" + (f" ({cell(a.error_text)})" if a.error_text else ""))
    price = request.price if request.price is not None else "market"
    say(f"   {request.side} {request.quantity} {request.symbol} at {price}, filled {a.filled_quantity}")
    say(f"   client order id {a.client_order_id}, venue order id {cell(a.venue_order_id)}")
    parts = ("waiting", "gating", "submitting", "acknowledged", "filled")
    say("   " + ", ".join(f"{part} {milliseconds(getattr(a.latency, part))}" for part in parts))
    for line in a.evidence:
        say(f"   lookup: {cell(line)}")


def _print_event(event: Event) -> None:
    move = f" {event.from_state} > {event.to_state}" if event.to_state else ""
    say(f"{cell(event.at)}  {event.kind}{move}: {cell(event.text)}")
    for answer in _rows(event.detail, "answers"):
        mark = "ok" if answer.get("ok") else "NO"
        say(f"    {mark}  {cell(answer.get('rule'))}: {cell(answer.get('fact'))}")
    for considered in _rows(event.detail, "considered"):
        mark = "->" if considered.get("chosen") else "  "
        say(f"    {mark}  {cell(considered.get('trader'))}: {cell(considered.get('why'))}")


def _rows(detail: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    found = detail.get(name)
    if found is None and isinstance(detail.get("route"), Mapping):
        inner = detail["route"]
        found = inner.get(name) if isinstance(inner, Mapping) else None
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list | tuple) else []
