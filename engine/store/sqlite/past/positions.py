"""What was held at an earlier moment: what stands untouched since, and of the rest what the journal told last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum, auto
from typing import Final, TypeAlias

from engine.core.portfolio import Trade, position_after
from engine.core.values import Position, Side
from engine.store.sqlite.codec import detail_of, moment
from engine.store.sqlite.past.damage import amount_in, time_in
from engine.store.sqlite.past.moments import Columns, Past, last_where
from engine.store.sqlite.rows import fill_of

FILLS_AT_ONCE: Final = 5_000
FILLS_BACK_MAX: Final = 200_000  # trades that are gone back for what was held; what was last traded before is left out

Pair: TypeAlias = tuple[str, str]  # trader, symbol


class _Word(Enum):
    """What the journal says where it names no position."""

    FLAT = auto()  # nothing was held
    UNHEARD = auto()  # its entry is gone, or of an older program
    LATER = auto()  # the entry of this trade came after the moment


def last_fill(past: Past) -> int:
    """Return the number of the last trade that the journal had told of, 0 if there was none."""
    found: dict[int, Columns] = {}

    def first_from(number: int) -> int | None:
        rows = past.rows("fill_from", number)
        if not rows:
            return None
        found[rows[0][0]] = rows[0]
        return int(rows[0][0])

    def was_there(number: int) -> bool:
        seq, attempt_seq, signal_seq, n = found[number]
        to_come = past.number("fill_events_after", signal_seq, past.seq, n)
        return not to_come or past.number("fills_of_attempt_from", attempt_seq, seq) > to_come

    return last_where(1, past.number("newest_fill"), first_from, was_there) or 0


def traded_after(past: Past, fill: int) -> set[Pair]:
    """Return who traded what after this trade."""
    return {(trader, symbol) for trader, symbol in past.rows("traded_after", fill)}


def held(past: Past, pairs: Iterable[Pair], last: int) -> Iterator[Position]:
    """Yield what these traders held of these symbols after trade `last`. See `FILLS_BACK_MAX`."""
    sought = set(pairs)
    unheard: defaultdict[Pair, list[Columns]] = defaultdict(list)  # newest first
    for row in _back(past, last) if sought else ():
        pair = (row[0], row[1])
        if pair not in sought:
            continue
        word = _told(past, row)
        if word is _Word.UNHEARD:
            unheard[pair].append(row)
        elif word is not _Word.LATER:
            sought.discard(pair)
            yield from _with(word if isinstance(word, Position) else None, unheard[pair])
            if not sought:
                return
    if last <= FILLS_BACK_MAX:  # so all of them were seen
        yield from _all_added_up(sought, unheard)


def _back(past: Past, last: int) -> Iterator[Columns]:
    for upto in range(last, max(last - FILLS_BACK_MAX, 0), -FILLS_AT_ONCE):
        yield from past.rows("fills_back", upto, upto - FILLS_AT_ONCE)


def _told(past: Past, row: Columns) -> Position | _Word:
    trader, symbol, signal_seq, n = row[:4]
    events = past.rows("position_events", signal_seq, n)
    until = [event for event in events if event[0] <= past.seq]
    if not until:
        return _Word.LATER if events else _Word.UNHEARD
    seq, encoded = until[-1]
    kept = detail_of(encoded)
    if kept.get("symbol") != symbol:
        return _Word.UNHEARD
    if "quantity" not in kept:
        return _Word.FLAT
    quantity, price = (amount_in(seq, kept.get(name)) for name in ("quantity", "entry_price"))
    opened_at = moment(time_in(seq, kept.get("opened_at")))
    return Position(trader, symbol, quantity, price, opened_at, str(kept.get("opened_by", "")))


def _with(position: Position | None, trades: Iterable[Columns]) -> Iterator[Position]:
    for row in reversed([*trades]):
        trader, symbol, _, _, side, signal_id = row[:6]
        position = position_after(position, Trade(trader, symbol, Side(side), signal_id), fill_of(row[6:]))
    if position is not None:
        yield position


def _all_added_up(pairs: Iterable[Pair], trades: Mapping[Pair, list[Columns]]) -> Iterator[Position]:
    for pair in pairs:
        yield from _with(None, trades.get(pair, ()))
