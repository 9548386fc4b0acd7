"""What the market's screen says around its candles: the signals and fills as marks and as rows, the line on top, and why
there is nothing to see. All of it pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Final

from engine.core.board import EngineFacts, EngineState
from engine.core.events import Signal
from engine.core.lifecycle import SignalState
from engine.core.order import PlacedFill
from engine.core.values import Candle, Position, Side
from tui.candles import Frame, Level, Mark, Spot
from tui.formatting import age, briefly, clock_time, date_time, decimal, foreign, signal_sign
from tui.panels.base import Entry
from tui.widgets.cells import Cell
from tui.widgets.columns import Column
from tui.widgets.live_table import Row

STEPS_S: Final = (10, 30, 60, 300, 900, 3_600, 14_400, 86_400)
LATE_INTERVALS: Final = 3  # that long without a candle is told in words
LATE_S_MIN: Final = 30.0
BRIEF: Final = Context(prec=7)
# Signals that trade no more, and never did: their marks are hollow.
VAIN: Final = frozenset({SignalState.EXPIRED, SignalState.CANCELLED, SignalState.REJECTED, SignalState.FAILED})
CALM: Final = frozenset({SignalState.EXECUTING, SignalState.DONE})
COLUMNS: Final = (
    Column("time", "time", 11),
    Column("what", "what", 8),
    Column("state", "state", 11),
    Column("quantity", "qty", 8, align="right"),
    Column("price", "price", 10, align="right", rank=2),
    Column("why", "trader, why", 14, rank=1, grows=True),
)


@dataclass(frozen=True, slots=True)
class Happening:
    """One row of the list: a signal, or a fill of one. `key` is the row's."""

    key: str
    at: datetime
    signal_id: str
    thing: Signal | PlacedFill


def happenings(signals: Sequence[Signal], fills: Sequence[PlacedFill]) -> list[Happening]:
    """Return signals by their receipt and fills by their time, newest first."""
    found = [Happening(s.id, s.received_at, s.id, s) for s in signals]
    found += [Happening(f"fill {f.seq}", f.fill.at, f.signal_id, f) for f in fills]
    return sorted(found, key=lambda happening: happening.at, reverse=True)


def mark_of(happening: Happening) -> Mark:
    """Return how it stands among the candles: a buy under them, a sell over them, a fill at its price."""
    thing = happening.thing
    if isinstance(thing, PlacedFill):
        return Mark(happening.key, happening.at, Spot.AT, "●", "bold $accent", float(thing.fill.price))
    glyph, style = _arrow(thing)
    spot = Spot.BELOW if thing.side is Side.BUY else Spot.ABOVE
    return Mark(happening.key, happening.at, spot, glyph, f"bold {style}")


def entry_of(happening: Happening, now: datetime) -> Entry:
    """Return it as a row, and what a filter can find in it."""
    told = clock_time if happening.at.date() == now.date() else _day_time
    when = Cell(told(happening.at), "$muted")
    thing = happening.thing
    if isinstance(thing, PlacedFill):
        trader, verb = foreign(thing.trader, 40), "bought" if thing.side is Side.BUY else "sold"
        cells = (
            when,
            Cell(f"● {verb}", "$accent"),
            Cell("fill", "$ok"),
            Cell(decimal(thing.fill.quantity)),
            Cell(decimal(thing.fill.price)),
            Cell(trader.removeprefix("trader_")),
        )
        facts = {"what": f"fill {verb}", "side": thing.side.value, "trader": trader, "id": thing.signal_id}
        return Entry(Row(happening.key, cells), facts)
    glyph, style = _arrow(thing)
    sign, trader, reason = signal_sign(thing.state.value), foreign(thing.trader or "", 40), foreign(thing.reason.text)
    short = trader.removeprefix("trader_")
    cells = (
        when,
        Cell(f"{glyph} {thing.side.value}", style),
        sign.cell,
        Cell(decimal(thing.quantity) if thing.quantity is not None else ""),
        _asked(thing),
        Cell(_told(thing, short, briefly(reason, trader)), "$muted"),
    )
    facts = {
        "what": "signal",
        "side": thing.side.value,
        "state": f"{thing.state.value} {sign.word}",
        "trader": trader,
        "source": foreign(thing.source, 40),
        "reason": f"{thing.reason.code} {reason}",
        "id": thing.id,
    }
    return Entry(Row(happening.key, cells), facts)


def levels_of(positions: Sequence[Position], symbol: str) -> list[Level]:
    """Return the price that each trader's position of `symbol` was entered at."""
    return [
        Level(
            float(held.entry_price),
            f"entry {_brief(held.entry_price)} {'long' if held.quantity > 0 else 'short'} {_brief(abs(held.quantity))}"
            f" {foreign(held.trader, 40).removeprefix('trader_')}",
        )
        for held in positions
        if held.symbol == symbol
    ]


def steps_of(interval_ms: int) -> list[int]:
    """Return what a column may stand for, in milliseconds: a candle's interval, and round multiples of it."""
    return [interval_ms, *(s * 1000 for s in STEPS_S if s * 1000 > interval_ms and s * 1000 % interval_ms == 0)]


def span_text(ms: int) -> str:
    """Return a column's length as 10s, 5m, 4h, 1d; one that is no whole number of these in seconds."""
    for unit, name in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m")):
        if ms % unit == 0:
            return f"{ms // unit}{name}"
    return f"{ms / 1000:g}s"


def late_s(newest: Candle, now: datetime) -> float:
    """Return how long ago the newest candle closed, in seconds of market time."""
    return now.timestamp() - newest.closed_ms / 1000


def is_late(newest: Candle, now: datetime) -> bool:
    """Say whether a candle after the newest one should have been there long ago."""
    return late_s(newest, now) > max(LATE_S_MIN, LATE_INTERVALS * newest.interval_ms / 1000)


def headline(candles: Sequence[Candle], newest: Candle, now: datetime, engine: EngineFacts | None) -> list[Cell]:
    """Return the last price, how far that is from the first one in view, and how old it is: late ones with the reason."""
    cells = [Cell("last ", "$muted"), Cell(_plain(newest.close), "bold")]
    first = candles[0].open if candles else 0.0
    if candles and first:
        change = candles[-1].close / first - 1
        glyph, style = ("▲", "$buy") if change >= 0 else ("▼", "$sell")
        cells.append(Cell(f"  {glyph} {change:+.2%} in view", style))
    gone = late_s(newest, now)
    if not is_late(newest, now):
        return [*cells, Cell(f"  closed {age(gone)} ago", "$muted")]
    fact, remedy = feed_words(engine, newest.symbol, now)
    told = ": ".join(part for part in (fact, remedy) if part)
    return [*cells, Cell(f"  ▲ no candle for {age(gone)}", "$warning"), Cell(f"  {told}", "$muted")]


def nothing_to_see(symbol: str | None, engine: EngineFacts | None, now: datetime) -> list[list[Cell]]:
    """Return the lines that stand where there are no candles: what is missing, why, and what to do."""
    what = f"no candle of {foreign(symbol, 40)} yet" if symbol else "no candle of any symbol yet"
    fact, remedy = feed_words(engine, symbol or "", now)
    return [[Cell(what, "bold")], [Cell(fact)], *([[Cell(remedy, "$muted")]] if remedy else [])]


def nothing_in_view(frame: Frame, newest: Candle) -> list[list[Cell]]:
    """Return the lines that stand where there are candles, but at other times."""
    closed = datetime.fromtimestamp(newest.closed_ms / 1000, UTC)
    return [
        [Cell(f"no candle from {date_time(frame.since)} to {date_time(frame.until)}", "bold")],
        [Cell(f"the newest one closed at {date_time(closed)}")],
        [Cell("h and l go on from here; f follows the newest", "$muted")],
    ]


def feed_words(engine: EngineFacts | None, symbol: str, now: datetime) -> tuple[str, str]:
    """Return how the feed of a symbol stands, and what to do about it where there is something."""
    if engine is None:
        return "no engine has run on this store", "start one here: signaldeck run"
    if engine.state is EngineState.STOPPED:
        return "the engine has stopped", "candles come again when it runs"
    if engine.feed_finished:
        return "the recording has ended", ""
    if engine.feeds:
        mine = [feed for feed in engine.feeds if symbol in feed.symbols]
        if symbol and not mine:
            return "no feed has this symbol", "name it among the symbols of a feed in the configuration"
        feed = next((one for one in mine or engine.feeds if not one.is_flowing), (mine or list(engine.feeds))[0])
        fact = f"the feed {foreign(feed.name, 40)} is {feed.shown}"
        return f"{fact}: {foreign(feed.fact)}" if feed.fact else fact, foreign(feed.remedy)
    name = f"the feed {foreign(engine.feed, 40)}" if engine.feed else "the feed"
    if engine.feed_last_at is None:
        return f"{name} has said nothing yet", "a candle closes an interval after the first price"
    return f"{name} last spoke {age((now - engine.feed_last_at).total_seconds())} ago", ""


def _arrow(signal: Signal) -> tuple[str, str]:
    is_vain = signal.state in VAIN
    if signal.side is Side.BUY:
        return ("△" if is_vain else "▲"), "$buy"
    return ("▽" if is_vain else "▼"), "$sell"


def _told(signal: Signal, trader: str, reason: str) -> str:
    """Say who has it and why it is where it is; of what goes well, who has it is enough."""
    if trader and signal.state in CALM:
        return trader
    return ": ".join(part for part in (trader, reason) if part)


def _asked(signal: Signal) -> Cell:
    """Return the limit that a signal names, else the market's price when it was made, which binds nobody."""
    if signal.price is not None:
        return Cell(decimal(signal.price))
    return Cell(decimal(signal.reference_price) if signal.reference_price is not None else "", "$muted")


def _brief(value: Decimal) -> str:
    """Return a number to seven digits: a line in a chart is no place for a mean price's forty."""
    return decimal(BRIEF.plus(value))


def _plain(price: float) -> str:
    return decimal(Decimal(repr(price)))


def _day_time(at: datetime) -> str:
    return at.strftime("%m-%d %H:%M")
