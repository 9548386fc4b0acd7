"""One generation round: 1,000 symbols, three strategies, 100 candles each, votes combined; beside the bare indicators.

The round is what the analyst does between a closed candle and a signal: the window, every strategy's vote, the combined
word. The bare calls are the same TA-Lib functions over the same columns with nothing around them. Both are measured in
turn, so that a busy machine slows both alike; the figures are medians.
"""

from __future__ import annotations

import gc
import statistics
import time
from typing import Final

import numpy as np
import talib

from engine.core.combine import combine
from engine.core.values import Candle
from engine.core.window import Window
from engine.market.base import Tick, Trade
from engine.market.candles import CandleBuilder
from engine.strategies.base import STRATEGIES, Strategy
from tests.bench.figure import Figure

SYMBOLS: Final = 1_000
CANDLES: Final = 100
TARGET_MS: Final = 150.0


def run(quick: bool) -> list[Figure]:
    """Return the round's median time, its ratio to the bare indicators, and the time to close a candle of every symbol."""
    symbols = [f"S{number}/USDT" for number in range(SYMBOLS)]
    builder = _filled(symbols)
    panel = [kind(kind.Parameters()) for _, kind in STRATEGIES]
    rounds, bare, closing = [], [], []
    said = 0
    for number in range(5 if quick else 25):
        closing.append(_close_one(builder, symbols, number))
        gc.collect()
        began = time.perf_counter()
        said += _round(builder, symbols, panel)
        rounds.append(time.perf_counter() - began)
        windows = [window for symbol in symbols if (window := builder.window(symbol)) is not None]
        began = time.perf_counter()
        for window in windows:
            _bare(window)
        bare.append(time.perf_counter() - began)
    took, least = statistics.median(rounds) * 1000, statistics.median(bare) * 1000
    detail = f"{SYMBOLS} symbols x {len(panel)} strategies x {CANDLES} candles, {len(rounds)} rounds, {said} words"
    return [
        Figure("generation round", took, "ms", f"<= {TARGET_MS:g} ms", took <= TARGET_MS, detail),
        Figure("generation round / bare TA-Lib", took / least, "x", "", None, f"bare calls {least:.1f} ms"),
        Figure("closing a candle of every symbol", statistics.median(closing) * 1000, "ms", "", None, detail),
    ]


def _filled(symbols: list[str]) -> CandleBuilder:
    chance = np.random.default_rng(1)
    builder = CandleBuilder(history=CANDLES)
    closes = 100.0 * np.exp(np.cumsum(chance.normal(0.0, 0.001, (len(symbols), CANDLES)), axis=1))
    for number in range(CANDLES):
        rows = [
            Candle(symbol, number * 10_000, 10_000, last, last * 1.001, last * 0.999, last, 5.0)
            for symbol, last in zip(symbols, closes[:, number].tolist(), strict=True)
        ]
        builder.advance(Tick((number + 1) * 10_000, candles=rows))
    return builder


def _close_one(builder: CandleBuilder, symbols: list[str], number: int) -> float:
    opened_ms = (CANDLES + number) * 10_000
    trades = []
    for index, symbol in enumerate(symbols):
        last = builder.last_price(symbol) or 100.0
        trades.append(Trade(symbol, opened_ms + 5_000, last * (1.001 if (index + number) % 3 else 0.998), 1.0))
    builder.advance(Tick(opened_ms + 5_000, trades))
    began = time.perf_counter()
    closed = builder.advance(Tick(opened_ms + 10_000))
    took = time.perf_counter() - began
    assert len(closed) == len(symbols), "every symbol has a candle to close"
    return took


def _round(builder: CandleBuilder, symbols: list[str], panel: list[Strategy]) -> int:
    said = 0
    for symbol in symbols:
        window = builder.window(symbol)
        if window is not None and combine([strategy.vote(window) for strategy in panel]) is not None:
            said += 1
    return said


def _bare(window: Window) -> None:
    high, low, close = window.high, window.low, window.close
    talib.EMA(close, 5)
    talib.EMA(close, 10)
    talib.ATR(high, low, close, 10)
    talib.ATR(high, low, close, 14)
    talib.RSI(close, 14)
    talib.MACD(close, 12, 26, 9)
    talib.BBANDS(close, 20, 2.0, 2.0)
    talib.STOCHF(high, low, close, 14, 3)
