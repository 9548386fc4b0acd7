"""`signaldeck signal`: hand in, list, show, retry, cancel, and the two answers to a review."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from engine.core.errors import BadInput, CommandRefused, NotThere
from engine.places import Named
from tui.commands.asking import read, signal_id, wish_for_each
from tui.commands.frame import JsonOption, command, group, say
from tui.commands.reviewing import absent, attach

if TYPE_CHECKING:
    from engine.core.board import Story
    from engine.core.events import Signal
    from engine.store.base import Reader

signals = group("signal", "Hand in signals, look at them, retry or cancel them, answer a review.")

LIMIT_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class AddOptions:
    """Options of `signal add`. With --stdin they fill in what a line leaves out."""

    symbol: Annotated[str | None, typer.Argument(metavar="SYMBOL", help="such as BTC/USDT")] = None
    side: Annotated[str | None, typer.Argument(metavar="SIDE", help="buy or sell")] = None
    confidence: Annotated[float | None, typer.Option(metavar="C", help="0 to 1; 1 if left out")] = None
    quantity: Annotated[
        str | None, typer.Option(metavar="Q", help="in the base asset; sized by the engine if left out")
    ] = None
    price: Annotated[str | None, typer.Option(metavar="P", help="a limit; at the market if left out")] = None
    source: Annotated[str | None, typer.Option(metavar="S", help="who says so; `manual` if left out")] = None
    key: Annotated[str | None, typer.Option(metavar="K", help="repeated, it returns the first signal's id")] = None
    ttl: Annotated[float | None, typer.Option(metavar="SEC", help="the signal's life")] = None
    trader: Annotated[str | None, typer.Option(metavar="NAME", help="who shall take it, if it can")] = None
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="kept with the signal")] = None
    stdin: Annotated[bool, typer.Option("--stdin", help="take JSON lines, answer each with a JSON line")] = False
    wait: Annotated[float, typer.Option(metavar="SEC", min=0, help="keep trying so long until an engine is there")] = (
        0.0
    )
    json: JsonOption = False

    def fields(self) -> dict[str, object]:
        """Return what was given, by the names that a signal's fields have."""
        names = ("symbol", "side", "confidence", "quantity", "price", "source", "key", "ttl", "trader", "note")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@command(signals, "add")
def add(named: Named, options: AddOptions) -> None:
    """Hand in a signal; returns only when it is durable, and prints its id."""
    from tui.commands.handing_in import Desk, hand_in_lines, hand_in_one

    given = options.fields()
    desk = Desk(named, options.wait)
    if options.stdin:
        if {"symbol", "side", "key"} & given.keys():
            raise BadInput("--stdin", "symbol, side and key come from the lines", "leave them out of the command")
        hand_in_lines(desk, given)
        return
    _check(options)
    taken = hand_in_one(desk, given)
    if options.json:
        from tui.commands.printing import print_json

        print_json(taken)
    if taken.outcome not in {"stored", "repeated"}:
        raise CommandRefused(taken.text or taken.outcome)
    if not options.json:
        say(taken.signal_id)


def _check(options: AddOptions) -> None:
    """Refuse what can be seen to be wrong before anybody is asked."""
    from engine.core.values import Side, is_symbol

    if options.symbol is None or options.side is None:
        raise BadInput("signal add", "SYMBOL and SIDE are needed", "such as `signaldeck signal add BTC/USDT buy`")
    if not is_symbol(options.symbol.upper()):
        raise BadInput("SYMBOL", f"{options.symbol!r} is not a symbol", "such as BTC/USDT")
    if options.side.lower() not in set(Side):
        raise BadInput("SIDE", f"{options.side!r} is no side", "buy or sell")
    if options.confidence is not None and not 0 <= options.confidence <= 1:
        raise BadInput("--confidence", f"{options.confidence} is not from 0 to 1", "0.85 stands for 85 %")
    for name in ("quantity", "price"):
        value = getattr(options, name)
        if value is not None and not _is_positive(value):
            raise BadInput(f"--{name}", f"{value!r} is not a number above 0", "such as 0.01")
    if options.ttl is not None and not 0 < options.ttl <= 86_400:
        raise BadInput("--ttl", f"{options.ttl} is out of bounds", "seconds, up to 86400")


def _is_positive(text: str) -> bool:
    try:
        value = float(text)
    except ValueError:
        return False
    return value > 0 and math.isfinite(value)


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Options of `signal list`."""

    state: Annotated[list[str] | None, typer.Option(help="only these states; may be repeated")] = None
    symbol: Annotated[str | None, typer.Option(help="only this symbol")] = None
    source: Annotated[str | None, typer.Option(help="only this source")] = None
    trader: Annotated[str | None, typer.Option(help="only those last given to this trader")] = None
    limit: Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="how many, newest first")] = 50
    before: Annotated[int | None, typer.Option(metavar="SEQ", help="older than this number: the next page")] = None
    json: JsonOption = False


@command(signals, "list")
def list_signals(named: Named, options: ListOptions) -> None:
    """List signals, newest first."""
    from engine.core.lifecycle import SignalState
    from engine.store.base import SignalFilter
    from tui.commands.printing import print_json, print_table

    unknown = set(options.state or ()) - set(SignalState)
    if unknown:
        raise BadInput("--state", f"no state is called {min(unknown)!r}", f"one of {', '.join(SignalState)}")
    states = frozenset(SignalState(state) for state in options.state or ())
    where = SignalFilter(states, options.symbol, options.source, options.trader)

    async def ask(reader: Reader) -> list[Signal]:
        return await reader.signals(where, options.before, options.limit)

    rows = read(named, ask)
    full = len(rows) == options.limit
    if options.json:
        print_json({"signals": rows, "next_before": rows[-1].seq if full else None})
        return
    print_table(
        ["SEQ", "ID", "SYMBOL", "SIDE", "STATE", "WHY", "CONF", "SOURCE", "TRADER", "RECEIVED"],
        [
            (s.seq, s.id, s.symbol, s.side, s.state, s.reason.code, s.confidence, s.source, s.trader, s.received_at)
            for s in rows
        ],
        nothing="no signals",
    )
    if full:
        say(f"more: --before {rows[-1].seq}")


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """Options of `signal show`."""

    id: Annotated[str, typer.Argument(metavar="ID", help="an id, or its first 4 or more digits")]
    json: JsonOption = False


@command(signals, "show")
def show(named: Named, options: ShowOptions) -> None:
    """Tell a signal's whole story: votes, gates, traders considered, attempts, fills."""
    from tui.commands.printing import print_json
    from tui.commands.storytelling import print_story

    async def ask(reader: Reader) -> Story | None:
        return await reader.story(options.id)

    story = read(named, ask)
    if story is None:
        raise NotThere(f"no signal has the id {options.id}")
    if options.json:
        print_json(story)
    else:
        print_story(story)


@dataclass(frozen=True, slots=True)
class IdsOptions:
    """Options of `signal retry` and `signal cancel`."""

    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="ids, or their first 4 or more digits")]
    why: Annotated[str, typer.Option(help="kept in the journal")] = ""


@command(signals, "retry")
def retry(named: Named, options: IdsOptions) -> None:
    """Put failed, expired or rejected signals back, with a fresh expiry."""
    from engine.core.commands import CommandKind

    wish_for_each(named, CommandKind.RETRY, [signal_id(named, i) for i in options.ids], why=options.why)


@command(signals, "cancel")
def cancel(named: Named, options: IdsOptions) -> None:
    """Withdraw signals; one with an order under way is withdrawn when that has ended."""
    from engine.core.commands import CommandKind

    wish_for_each(named, CommandKind.CANCEL, [signal_id(named, i) for i in options.ids], why=options.why)


command(signals, "attach")(attach)
command(signals, "absent")(absent)
