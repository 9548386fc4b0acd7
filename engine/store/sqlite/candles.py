"""Closed candles in the database: written in batches, beside everything that matters more, and read to be looked at."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from engine.core.order import PlacedFill
from engine.core.values import Candle, Side
from engine.store.base import Retention
from engine.store.sqlite.codec import micros
from engine.store.sqlite.desk import Desk
from engine.store.sqlite.queries import insert_rows, named_queries
from engine.store.sqlite.rows import fill_of

_MS: Final = 1_000  # microseconds


def keep_candles(desk: Desk, candles: Sequence[Candle]) -> None:
    """Write closed candles; of two with one symbol and begin the later one stands."""
    desk.refuse_if_fenced()
    rows = [
        (c.symbol, c.opened_ms * _MS, c.interval_ms * _MS, c.open, c.high, c.low, c.close, c.volume, int(c.flat))
        for c in candles
    ]
    insert_rows(desk.connection, "keep_candle", rows)


def prune_candles(desk: Desk, now: datetime, keep: Retention, batch: int) -> int:
    """Remove at most `batch` candles that are too old by days, or by the count that a symbol has of them at most."""
    gone = 0
    for (symbol,) in desk.connection.execute(desk.query["candle_symbols"]).fetchall():
        if gone >= batch:
            break
        ((interval,),) = desk.connection.execute(desk.query["last_interval"], (symbol,)).fetchall()
        kept = min(timedelta(days=keep.candles_days), timedelta(microseconds=interval * keep.candles_max))
        given = (symbol, symbol, micros(now - kept), batch - gone)
        gone += desk.connection.execute(desk.query["remove_candles"], given).rowcount
    return gone


def candles_between(
    symbol: str, since: datetime, until: datetime, limit: int, connection: sqlite3.Connection
) -> list[Candle]:
    """Return the newest `limit` candles of a stretch of time, oldest first."""
    given = (symbol, micros(since), micros(until), limit)
    return [_candle_of(row) for row in reversed(connection.execute(named_queries()["candles"], given).fetchall())]


def fills_between(
    symbol: str, since: datetime, until: datetime, limit: int, connection: sqlite3.Connection
) -> list[PlacedFill]:
    """Return the newest `limit` fills of a stretch of time, newest first."""
    given = (micros(since), micros(until), symbol, limit)
    return [_placed_of(row) for row in connection.execute(named_queries()["fills_between"], given).fetchall()]


def _candle_of(row: Any) -> Candle:
    symbol, at, interval, first, high, low, last, volume, flat = row
    return Candle(symbol, at // _MS, interval // _MS, first, high, low, last, volume, bool(flat))


def _placed_of(row: Any) -> PlacedFill:
    seq, signal_id, trader, side, *rest = row
    return PlacedFill(seq, signal_id, trader, Side(side), fill_of(rest))
