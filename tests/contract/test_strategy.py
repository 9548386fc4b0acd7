"""The strategy contract, over every strategy that is registered."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.values import Action, Vote
from engine.core.window import Series, Window
from engine.strategies.base import STRATEGIES, Strategy

NAMES = STRATEGIES.names()
each_strategy = pytest.mark.parametrize("name", NAMES)


def made(name: str) -> Strategy:
    kind = STRATEGIES.get(name)
    return kind(kind.Parameters())


def columns(window: Window) -> tuple[Series, ...]:
    return window.open, window.high, window.low, window.close, window.volume


@st.composite
def some_windows(draw: st.DrawFn) -> Window:
    """Windows of any length and price level; calm, wild, with flat stretches and with candles that saw no trade."""
    count = draw(st.integers(35, 100))
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    level = 10.0 ** draw(st.integers(-9, 9))
    wildness = draw(st.sampled_from([0.0, 1e-7, 1e-4, 1e-2, 0.3]))
    moves = chance.normal(draw(st.floats(-1.0, 1.0)) * wildness, wildness, count)
    moves[chance.random(count) < draw(st.sampled_from([0.0, 0.5, 0.95]))] = 0.0
    close = level * np.exp(np.cumsum(moves))
    first = np.concatenate(([close[0]], close[:-1]))
    stretch = 1.0 + np.abs(chance.normal(0.0, wildness, (2, count))) * (moves != 0.0)
    high, low = np.maximum(first, close) * stretch[0], np.minimum(first, close) / stretch[1]
    volume = chance.exponential(5.0, count) * (moves != 0.0)
    window = Window("BTC/USDT", first, high, low, close, volume)
    for column in columns(window):
        column.flags.writeable = False
    return window


def is_well_formed(vote: Vote, name: str) -> bool:
    bounded = 0.0 <= vote.confidence <= 1.0  # False for NaN
    return vote.strategy == name and type(vote.confidence) is float and bounded and bool(vote.why)


def test_the_three_strategies_are_found() -> None:
    assert {"fast_scalping", "momentum_scalping", "conservative_scalping"} <= set(NAMES)


@each_strategy
def test_a_strategy_is_registered_under_its_own_name_with_a_weight(name: str) -> None:
    kind = STRATEGIES.get(name)
    assert kind.name == name
    assert kind.default_weight > 0.0
    assert made(name).parameters == kind.Parameters()
    assert made(name).candles_min > 0


@each_strategy
@given(window=some_windows())
@settings(max_examples=150, deadline=None)
def test_every_vote_is_well_formed_and_hold_has_no_confidence(name: str, window: Window) -> None:
    vote = made(name).vote(window)
    assert is_well_formed(vote, name)
    assert (vote.action is Action.HOLD) == (vote.confidence == 0.0)
    assert "nan" not in vote.why
    assert vote.weight == STRATEGIES.get(name).default_weight


@each_strategy
@given(window=some_windows())
@settings(max_examples=50, deadline=None)
def test_the_same_window_gets_the_same_vote_and_is_left_as_it_was(name: str, window: Window) -> None:
    before = [column.copy() for column in columns(window)]
    strategy = made(name)
    assert strategy.vote(window) == strategy.vote(window) == made(name).vote(window)
    for column, copy in zip(columns(window), before, strict=True):
        assert np.array_equal(column, copy)


@each_strategy
@given(level=st.floats(1e-10, 1e10), count=st.integers(35, 100), volume=st.sampled_from([0.0, 3.0]))
@settings(max_examples=50, deadline=None)
def test_a_price_that_never_moves_is_a_hold(name: str, level: float, count: int, volume: float) -> None:
    price = np.full(count, level)
    vote = made(name).vote(Window("BTC/USDT", price, price, price, price, np.full(count, volume)))
    assert vote.action is Action.HOLD
    assert is_well_formed(vote, name)


@each_strategy
@given(window=some_windows())
@settings(max_examples=50, deadline=None)
def test_as_many_candles_as_it_asks_for_are_enough(name: str, window: Window) -> None:
    strategy = made(name)
    shortest = Window(window.symbol, *(column[-strategy.candles_min :].copy() for column in columns(window)))
    assert is_well_formed(strategy.vote(shortest), name)


@each_strategy
def test_a_lively_market_gets_votes_for_both_sides(name: str) -> None:
    chance = np.random.default_rng(7)
    close = 100.0 * np.exp(np.cumsum(chance.normal(0.0, 0.002, 3_000)))
    first = np.concatenate(([close[0]], close[:-1]))
    high, low = np.maximum(first, close) * 1.0005, np.minimum(first, close) * 0.9995
    volume = chance.exponential(5.0, len(close))
    strategy = made(name)
    said = {
        strategy.vote(
            Window("BTC/USDT", *(c[end - 100 : end].copy() for c in (first, high, low, close, volume)))
        ).action
        for end in range(100, len(close), 7)
    }
    assert said == {Action.BUY, Action.SELL, Action.HOLD}


def test_the_core_never_loads_the_indicators() -> None:
    script = (
        "import pkgutil, importlib, sys, engine.core\n"
        "for found in pkgutil.iter_modules(engine.core.__path__): importlib.import_module('engine.core.' + found.name)\n"
        "import engine.market.settings\n"
        "sys.exit('talib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
