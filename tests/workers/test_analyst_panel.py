"""The panel of strategies: each speaks for itself, and a broken one is told of once."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.events import Level, NewEvent
from engine.core.values import Action, Vote
from engine.core.window import Window
from engine.workers.panel import SYMBOLS_KEPT, Panel, Seat
from tests.support.world import BEGIN, SYMBOL, HandMarket, ToldStrategy, a_vote, saying


def a_window(count: int = 5, symbol: str = SYMBOL) -> Window:
    market = HandMarket()
    market.close_candles(count, symbols=[symbol])
    window = market.window(symbol)
    assert window is not None
    return window


def raising(text: str, kind: type[Exception] = ValueError) -> ToldStrategy:
    def say(window: Window) -> Vote:
        raise kind(text)

    return ToldStrategy(say)


def codes(events: list[NewEvent]) -> list[str]:
    return [event.code for event in events]


@pytest.mark.parametrize(
    "nonsense",
    [
        None,
        "buy",
        a_vote(confidence=float("nan")),
        a_vote(confidence=float("inf")),
        a_vote(confidence=1.01),
        a_vote(confidence=-0.01),
        Vote("told", "up", 0.9, "no such action"),  # type: ignore[arg-type] # a plug-in may return anything
        Vote("told", Action.BUY, "high", "no number"),  # type: ignore[arg-type] # the same
    ],
)
def test_a_broken_strategy_does_not_silence_the_others(nonsense: Any) -> None:
    panel = Panel([Seat("odd", ToldStrategy(lambda window: nonsense), 0.4), Seat("sound", saying(), 0.2)])
    votes = panel.ask(SYMBOL, a_window())
    assert [(vote.strategy, vote.weight) for vote in votes] == [("sound", 0.2)]
    assert list(panel.faults) == ["odd"]
    assert codes(panel.news(BEGIN)) == ["strategy_failed"]


def test_a_strategy_that_raises_is_told_of_once_until_its_fault_changes() -> None:
    faults = iter([ValueError("row 1"), ValueError("row 2"), KeyError("close")])

    def say(window: Window) -> Vote:
        raise next(faults)

    panel = Panel([Seat("odd", ToldStrategy(say), 1.0)])
    heard = []
    for _ in range(3):
        panel.ask(SYMBOL, a_window())
        heard.append(panel.news(BEGIN))
    assert [codes(events) for events in heard] == [["strategy_failed"], [], ["strategy_failed"]]
    assert "ValueError: row 1" in heard[0][0].text
    assert heard[0][0].level is Level.ERROR


def test_a_strategy_that_recovers_is_told_of_once() -> None:
    words = iter([None, a_vote(), a_vote()])
    panel = Panel([Seat("odd", ToldStrategy(lambda window: next(words)), 1.0)])
    heard = []
    for _ in range(3):
        panel.ask(SYMBOL, a_window())
        heard.append(codes(panel.news(BEGIN)))
    assert heard == [["strategy_failed"], ["strategy_recovered"], []]
    assert panel.faults == {}


def test_one_fault_on_many_symbols_is_one_entry() -> None:
    panel = Panel([Seat("odd", raising("always"), 1.0)])
    for symbol in ("BTC/USDT", "ETH/USDT", "SOL/USDT"):
        panel.ask(symbol, a_window(symbol=symbol))
    [event] = panel.news(BEGIN)
    assert "3 symbols" in event.text


def test_a_strategy_short_of_candles_is_not_asked_and_says_how_many_it_needs() -> None:
    asked = []

    def say(window: Window) -> Vote:
        asked.append(len(window))
        return a_vote()

    panel = Panel([Seat("slow", ToldStrategy(say, candles_min=26), 1.0)])
    assert panel.ask(SYMBOL, a_window(25)) == []
    assert asked == []
    assert panel.last_words[SYMBOL][0].why == "needs 26 candles, has 25"
    panel.ask(SYMBOL, a_window(26))
    assert asked == [26]


def test_the_seat_gives_the_vote_its_name_and_weight() -> None:
    panel = Panel([Seat("FastScalping", saying(Action.SELL), 0.4, "trader_fast")])
    [vote] = panel.ask(SYMBOL, a_window())
    assert (vote.strategy, vote.weight, vote.action) == ("FastScalping", 0.4, Action.SELL)
    assert panel.trader_of("FastScalping") == "trader_fast"
    assert panel.trader_of("nobody") is None


def test_the_words_of_the_longest_silent_symbol_go_first() -> None:
    panel = Panel([Seat("odd", raising("always"), 1.0)])
    window = a_window()
    for number in range(SYMBOLS_KEPT):
        panel.ask(f"S{number}/USDT", window)
    panel.ask("S0/USDT", window)
    panel.ask("NEW/USDT", window)
    assert len(panel.last_words) == SYMBOLS_KEPT
    assert "S0/USDT" in panel.last_words
    assert "S1/USDT" not in panel.last_words


def test_an_error_text_from_a_plug_in_is_cleaned() -> None:
    panel = Panel([Seat("odd", raising("\x1b[31mred\nline"), 1.0)])
    panel.ask(SYMBOL, a_window())
    [event] = panel.news(BEGIN)
    assert "\x1b" not in event.text
    assert "\n" not in event.text
