"""A venue's rows, looked at before anybody believes them. Pure; every kind of nonsense has its own name and count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from math import isfinite
from typing import Any, Final

from engine.core.values import Candle
from engine.market.series import is_amount, is_price, is_sound

ANCIENT_MS: Final = 1_230_768_000_000  # 2009: nothing was traded before; seconds taken for milliseconds end up there
ROW_FIELDS: Final = 6  # of a candle: time, open, high, low, close, volume


class Fault(StrEnum):
    """What can be wrong with a row, or with an answer as a whole."""

    NO_LIST = "no_list"  # the answer is no list of rows
    NO_ROW = "no_row"  # a row is nothing that has fields
    WRONG_SYMBOL = "wrong_symbol"
    NO_TIME = "no_time"  # None, no number, not finite
    FUTURE = "future"  # later than the venue's own clock
    ANCIENT = "ancient"  # earlier than any market was
    BAD_PRICE = "bad_price"  # None, not finite, zero or below
    BAD_AMOUNT = "bad_amount"  # None, not finite, below zero
    OUT_OF_ORDER = "out_of_order"  # earlier than the row before it; it is put in its place
    UNSOUND = "unsound"  # a candle whose figures contradict each other


HARMLESS: Final = frozenset({Fault.OUT_OF_ORDER})


@dataclass(frozen=True, slots=True)
class VenueTrade:
    """One trade in the venue's own time (milliseconds since 1970). `id` is empty where the venue gives none."""

    at_ms: int
    price: float
    amount: float
    side: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """What one answer held: its sound trades in order of time, and the faults of the others.

    `is_ticker` says that the only trade is a ticker, from a venue whose trades cannot be had.
    """

    trades: tuple[VenueTrade, ...] = ()
    faults: Counter[Fault] = field(default_factory=Counter)
    is_ticker: bool = False

    @property
    def is_garbage(self) -> bool:
        """Say whether more of it is nonsense than not. An empty answer is none."""
        bad = sum(count for fault, count in self.faults.items() if fault not in HARMLESS)
        return bad > len(self.trades)

    @property
    def worst(self) -> str:
        """Return the most frequent fault in words, empty without one."""
        found = [(count, fault) for fault, count in self.faults.items() if fault not in HARMLESS]
        return max(found)[1].replace("_", " ") if found else ""


def read_trades(answer: object, symbol: str, latest_ms: int) -> Page:
    """Read a list of trades as ccxt gives them. Times after `latest_ms` are from the future."""
    if not isinstance(answer, list):
        return Page(faults=Counter([Fault.NO_LIST]))
    page = Page(faults=Counter())
    sound: list[VenueTrade] = []
    for row in answer:
        found = read_trade(row, symbol, latest_ms)
        if isinstance(found, Fault):
            page.faults[found] += 1
        else:
            sound.append(found)
    behind = sum(after.at_ms < before.at_ms for before, after in pairwise(sound))
    if behind:
        page.faults[Fault.OUT_OF_ORDER] += behind
        sound.sort(key=lambda trade: trade.at_ms)
    return Page(tuple(sound), page.faults)


def read_trade(row: object, symbol: str, latest_ms: int) -> VenueTrade | Fault:
    """Return one row as a trade, or what is wrong with it."""
    if not isinstance(row, Mapping):
        return Fault.NO_ROW
    if row.get("symbol", symbol) != symbol:
        return Fault.WRONG_SYMBOL
    at_ms = _time(row.get("timestamp"), latest_ms)
    if isinstance(at_ms, Fault):
        return at_ms
    price, amount = _number(row.get("price")), _number(row.get("amount"))
    if price is None or not is_price(price):
        return Fault.BAD_PRICE
    if amount is None or not is_amount(amount):
        return Fault.BAD_AMOUNT
    side, own = row.get("side"), row.get("id")
    return VenueTrade(at_ms, price, amount, side if isinstance(side, str) else "", "" if own is None else str(own))


def read_ticker(row: object, symbol: str, latest_ms: int, now_ms: int) -> VenueTrade | Fault:
    """Return a ticker as a trade of no amount, at `now_ms` if it tells no time; its id changes when its figures do."""
    if not isinstance(row, Mapping):
        return Fault.NO_ROW
    if row.get("symbol", symbol) != symbol:
        return Fault.WRONG_SYMBOL
    told = row.get("timestamp")
    at_ms = now_ms if told is None else _time(told, latest_ms)
    if isinstance(at_ms, Fault):
        return at_ms
    price = _number(row.get("last"))
    if price is None or not is_price(price):
        return Fault.BAD_PRICE
    figures = [told, *(row.get(name) for name in ("last", "baseVolume", "bid", "ask"))]
    return VenueTrade(at_ms, price, 0.0, id=repr(figures))


def read_candles(answer: object, symbol: str, interval_ms: int, until_ms: int) -> tuple[list[Candle], Counter[Fault]]:
    """Read rows of [time, open, high, low, close, volume]: those that were over by `until_ms`, in order of time.

    The last row that a venue gives is still forming, which is why it is left out. Of rows with one time the last counts.
    """
    faults: Counter[Fault] = Counter()
    if not isinstance(answer, list):
        return [], Counter([Fault.NO_LIST])
    found: dict[int, Candle] = {}
    for row in answer:
        candle = _candle(row, symbol, interval_ms)
        if isinstance(candle, Fault):
            faults[candle] += 1
            continue
        if found and candle.opened_ms <= max(found):
            faults[Fault.OUT_OF_ORDER] += 1
        if candle.closed_ms <= until_ms:
            found[candle.opened_ms] = candle
    return [found[at_ms] for at_ms in sorted(found)], faults


def _candle(row: object, symbol: str, interval_ms: int) -> Candle | Fault:
    if not isinstance(row, list | tuple) or len(row) < ROW_FIELDS:
        return Fault.NO_ROW
    at_ms = _time(row[0], None)
    if isinstance(at_ms, Fault):
        return at_ms
    if at_ms % interval_ms:
        return Fault.UNSOUND
    figures = [figure for value in row[1:ROW_FIELDS] if (figure := _number(value)) is not None]
    if len(figures) < ROW_FIELDS - 1:
        return Fault.BAD_PRICE
    first, high, low, last, volume = figures
    candle = Candle(symbol, at_ms, interval_ms, first, high, low, last, volume)
    return candle if is_sound(candle) else Fault.UNSOUND


def _time(value: Any, latest_ms: int | None) -> int | Fault:
    number = _number(value)
    if number is None or not isfinite(number):
        return Fault.NO_TIME
    if number < ANCIENT_MS:
        return Fault.ANCIENT
    if latest_ms is not None and number > latest_ms:
        return Fault.FUTURE
    return int(number)


def _number(value: Any) -> float | None:
    """Whatever is no number is None: a text that looks like one was meant as a text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer of hundreds of digits
        return None
