"""What each strategy says of markets that everybody would call by the same name."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from engine.core.values import Action
from engine.core.window import Series, Window
from engine.strategies.conservative_scalping import ConservativeScalping, ConservativeScalpingParameters
from engine.strategies.fast_scalping import FastScalping, FastScalpingParameters
from engine.strategies.momentum_scalping import MomentumScalping, MomentumScalpingParameters

FAST = FastScalping(FastScalpingParameters())
MOMENTUM = MomentumScalping(MomentumScalpingParameters())
CONSERVATIVE = ConservativeScalping(ConservativeScalpingParameters())


def a_window(close: list[float] | Series, spread: float = 0.1, volume: float = 1.0) -> Window:
    """Return candles that close at `close`, each `spread` high on both sides."""
    closes = np.asarray(close, dtype=np.float64)
    opens = np.concatenate(([closes[0]], closes[:-1]))
    high, low = np.maximum(opens, closes) + spread, np.minimum(opens, closes) - spread
    return Window("BTC/USDT", opens, high, low, closes, np.full(len(closes), volume))


def a_ramp(step: float, count: int = 60) -> Series:
    return 100.0 + step * np.arange(count, dtype=np.float64)


def a_wave(count: int = 60) -> Series:
    return 100.0 + np.sin(np.arange(count, dtype=np.float64) * 0.7)


def accelerating(sign: float, count: int = 60) -> Series:
    """A wave that ends in a move that grows."""
    close = a_wave(count)
    close[-6:] += sign * np.array([0.2, 0.5, 0.9, 1.4, 2.0, 2.7])
    return close


@pytest.mark.parametrize(("step", "action"), [(0.5, Action.BUY), (-0.5, Action.SELL)])
def test_fast_scalping_joins_a_trend(step: float, action: Action) -> None:
    vote = FAST.vote(a_window(a_ramp(step)))
    assert vote.action is action
    assert vote.confidence > 0.7
    assert "EMA5" in vote.why
    assert "EMA10" in vote.why


def test_fast_scalping_states_the_formula_that_it_follows() -> None:
    # On a ramp EMA 5 lags 2 steps and EMA 10 lags 4.5; each true range is one step and twice the spread.
    vote = FAST.vote(a_window(a_ramp(0.5), spread=0.25))
    spread = 2.5 * 0.5 / 1.0
    assert vote.confidence == pytest.approx(spread / (spread + 0.25), abs=1e-3)
    assert "+1.25 average ranges" in vote.why


def test_fast_scalping_holds_when_the_averages_are_close() -> None:
    assert FAST.vote(a_window(a_ramp(0.001))).action is Action.HOLD


def test_fast_scalping_holds_when_the_last_candle_saw_no_trade() -> None:
    window = a_window(a_ramp(0.5))
    last = window.close[-1]
    for column, value in ((window.open, last), (window.high, last), (window.low, last), (window.volume, 0.0)):
        column[-1] = value
    assert FAST.vote(window).action is Action.HOLD


@pytest.mark.parametrize(("sign", "action"), [(1.0, Action.BUY), (-1.0, Action.SELL)])
def test_momentum_scalping_joins_strength_that_grows(sign: float, action: Action) -> None:
    vote = MOMENTUM.vote(a_window(accelerating(sign)))
    assert vote.action is action
    assert vote.confidence > 0.5
    assert "RSI14" in vote.why
    assert "MACD" in vote.why


def test_momentum_scalping_holds_when_the_momentum_shrinks() -> None:
    close = np.concatenate((accelerating(1.0), [104.0, 104.1, 104.1, 104.0]))
    assert MOMENTUM.vote(a_window(close)).action is Action.HOLD


def test_momentum_scalping_does_not_join_an_exhausted_move() -> None:
    close = np.concatenate((a_ramp(0.01, 40), 100.4 + 0.05 * np.arange(20) ** 2))
    vote = MOMENTUM.vote(a_window(close))
    assert vote.action is Action.HOLD
    assert "RSI14 100.0" in vote.why


@pytest.mark.parametrize(("sign", "action"), [(-1.0, Action.BUY), (1.0, Action.SELL)])
def test_conservative_scalping_trades_against_an_overshoot(sign: float, action: Action) -> None:
    close = a_wave()
    close[-4:] = 100.0 + sign * np.array([1.5, 2.2, 2.9, 3.6])
    vote = CONSERVATIVE.vote(a_window(close))
    assert vote.action is action
    assert vote.confidence > 0.7
    for witness in ("band", "%D", "VWAP"):
        assert witness in vote.why


def test_conservative_scalping_holds_inside_the_band() -> None:
    assert CONSERVATIVE.vote(a_window(a_wave())).action is Action.HOLD


def an_overshoot() -> Series:
    close = a_wave()
    close[-4:] = [98.5, 97.8, 97.1, 96.4]
    return close


def test_conservative_scalping_holds_where_only_the_band_is_left() -> None:
    close = a_wave()
    close[-1] = 96.4  # one fall from a high: %D still remembers the high
    vote = CONSERVATIVE.vote(a_window(close))
    assert vote.action is Action.HOLD
    assert float(vote.why.split("%D ")[1].split(",")[0]) > 20.0


def test_conservative_scalping_holds_on_the_far_side_of_the_vwap() -> None:
    window = a_window(an_overshoot())
    window.close[:20] -= 20.0
    window.high[:20] -= 20.0
    window.low[:20] -= 20.0
    window.volume[:20] = 1_000.0
    assert CONSERVATIVE.vote(a_window(an_overshoot())).action is Action.BUY
    assert CONSERVATIVE.vote(window).action is Action.HOLD


def test_conservative_scalping_holds_inside_the_band_even_when_oversold() -> None:
    close = np.concatenate((a_wave(40) * 5.0 - 400.0, 100.0 - 0.05 * np.arange(20)))
    close[40:46] = [110.0, 90.0, 110.0, 90.0, 110.0, 90.0]
    window = a_window(close, spread=0.01)
    window.high[-14:], window.low[-14:] = close[-14:] + 0.01, close[-14:] - 0.01
    vote = CONSERVATIVE.vote(window)
    assert vote.action is Action.HOLD
    assert "%D" not in vote.why


@pytest.mark.parametrize(("strategy", "figure"), [(FAST, "EMA"), (MOMENTUM, "RSI"), (CONSERVATIVE, "band")])
def test_as_many_candles_as_a_strategy_asks_for_give_it_all_its_figures(
    strategy: FastScalping | MomentumScalping | ConservativeScalping, figure: str
) -> None:
    vote = strategy.vote(a_window(a_wave(strategy.candles_min)))
    assert figure in vote.why
    assert "nan" not in vote.why


def test_conservative_scalping_holds_without_volume() -> None:
    vote = CONSERVATIVE.vote(a_window(an_overshoot(), volume=0.0))
    assert (vote.action, vote.why) == (Action.HOLD, "nothing was traded")


def test_conservative_scalping_does_not_take_a_range_without_height_for_an_oversold_one() -> None:
    # Nothing moves for long, then two candles fall: TA-Lib calls the %K of the still ones 0, which is no low price.
    close = np.concatenate((a_wave(40), np.full(18, 99.0), [98.0, 97.0]))
    window = a_window(close, spread=0.0)
    vote = CONSERVATIVE.vote(window)
    assert (vote.action, vote.why) == (Action.HOLD, "the range has no height")


@pytest.mark.parametrize("scale", [1e-15, 1e-10, 1e-4, 1e7])
@pytest.mark.parametrize("strategy", [FAST, MOMENTUM, CONSERVATIVE], ids=lambda strategy: str(strategy.name))
def test_a_price_in_another_unit_gets_the_same_vote(
    strategy: FastScalping | MomentumScalping | ConservativeScalping, scale: float
) -> None:
    for close in (a_ramp(0.5), accelerating(1.0), an_overshoot()):
        usual, scaled = strategy.vote(a_window(close)), strategy.vote(a_window(close * scale, spread=0.1 * scale))
        assert scaled.action is usual.action
        assert math.isclose(scaled.confidence, usual.confidence, rel_tol=1e-6)


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        (FastScalpingParameters, {"fast": 10, "slow": 10}),
        (FastScalpingParameters, {"spred_min": 1}),
        (MomentumScalpingParameters, {"fast": 30}),
        (MomentumScalpingParameters, {"rsi_edge": 45, "rsi_exhausted": 90}),
        (ConservativeScalpingParameters, {"band": 1}),
    ],
)
def test_parameters_that_make_no_sense_are_refused(
    parameters: type[FastScalpingParameters | MomentumScalpingParameters | ConservativeScalpingParameters],
    wrong: dict[str, float],
) -> None:
    with pytest.raises(ValidationError):
        parameters.model_validate(wrong)
