"""The panel of strategies: each is asked alone, so that a broken one silences nobody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import isfinite
from types import MappingProxyType
from typing import Final

from engine.core.events import EventKind, Level, NewEvent
from engine.core.text import clean
from engine.core.values import Action, Vote
from engine.core.window import Window
from engine.strategies.base import Strategy

SYMBOLS_KEPT: Final = 2_000  # symbols whose last words are remembered; the longest silent ones go first


@dataclass(frozen=True, slots=True)
class Seat:
    """One strategy on the panel: its name, its weight in the vote, and the trader preferred for what it leads."""

    name: str
    strategy: Strategy
    weight: float
    trader: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What a strategy did instead of voting. `kind` is the same for the same mistake, whatever the figures in `text`."""

    kind: str
    text: str


class Panel:
    """Asks every strategy that has enough candles, and remembers the last words and the faults.

    A strategy is somebody's plug-in: whatever it raises or returns, the others are heard.
    """

    def __init__(self, seats: Sequence[Seat]) -> None:
        self.seats = tuple(seats)
        self._needed = {seat.name: seat.strategy.candles_min for seat in seats}
        self._words: dict[str, tuple[Vote, ...]] = {}
        self._faults: dict[str, dict[str, Fault]] = {seat.name: {} for seat in seats}
        self._told: dict[str, frozenset[str]] = {seat.name: frozenset() for seat in seats}

    @property
    def last_words(self) -> Mapping[str, tuple[Vote, ...]]:
        """Return what each strategy last said of each symbol, HOLD and "not enough candles" included: a live view."""
        return MappingProxyType(self._words)

    @property
    def faults(self) -> Mapping[str, str]:
        """Return the strategies that fail now, each with one of its errors."""
        return {name: next(iter(found.values())).text for name, found in self._faults.items() if found}

    def trader_of(self, name: str) -> str | None:
        """Return the trader preferred for signals that `name` leads."""
        return next((seat.trader for seat in self.seats if seat.name == name), None)

    def ask(self, symbol: str, window: Window) -> list[Vote]:
        """Return the votes on one symbol: HOLD included, failing strategies and those short of candles left out."""
        votes, words = [], []
        for seat in self.seats:
            needed = self._needed[seat.name]
            if len(window) < needed:
                why = f"needs {needed} candles, has {len(window)}"
                words.append(Vote(seat.name, Action.HOLD, 0.0, why, seat.weight))
                continue
            heard = _hear(seat, window)
            if isinstance(heard, Fault):
                self._faults[seat.name][symbol] = heard
                words.append(Vote(seat.name, Action.HOLD, 0.0, f"failed: {heard.text}", seat.weight))
                continue
            self._faults[seat.name].pop(symbol, None)
            votes.append(heard)
            words.append(heard)
        self._words.pop(symbol, None)  # so that the order of the keys is the order of speaking
        self._words[symbol] = tuple(words)
        if len(self._words) > SYMBOLS_KEPT:
            self._forget(next(iter(self._words)))
        return votes

    def news(self, now: datetime) -> list[NewEvent]:
        """Return a journal entry for each strategy that began, ceased or changed to fail since the last call."""
        events = []
        for seat in self.seats:
            faults = self._faults[seat.name]
            kinds = frozenset(fault.kind for fault in faults.values())
            before, self._told[seat.name] = self._told[seat.name], kinds
            if kinds - before:
                events.append(_failing(seat.name, faults, kinds - before, now))
            elif before and not kinds:
                text = f"strategy {seat.name} votes again"
                events.append(
                    NewEvent(EventKind.ENGINE, now, text, code="strategy_recovered", detail={"strategy": seat.name})
                )
        return events

    def _forget(self, symbol: str) -> None:
        del self._words[symbol]
        for found in self._faults.values():
            found.pop(symbol, None)


def _hear(seat: Seat, window: Window) -> Vote | Fault:
    try:
        vote: object = seat.strategy.vote(window)
    except Exception as error:  # noqa: BLE001 - a strategy is foreign code, and this is its supervisor
        name = type(error).__name__
        return Fault(name, clean(f"{name}: {error}", 200))
    if not isinstance(vote, Vote) or not isinstance(vote.action, Action):
        return Fault("no_vote", clean(f"returned {type(vote).__name__}, not a vote", 200))
    if not isinstance(vote.confidence, float | int) or not isfinite(vote.confidence):
        return Fault("no_number", "its confidence is not a number")
    if not 0.0 <= vote.confidence <= 1.0:
        return Fault("out_of_bounds", f"its confidence {vote.confidence:g} is not within 0 and 1")
    if vote.strategy == seat.name and vote.weight == seat.weight:
        return vote
    return replace(vote, strategy=seat.name, weight=seat.weight)


def _failing(name: str, faults: Mapping[str, Fault], kinds: frozenset[str], now: datetime) -> NewEvent:
    symbol, fault = next((symbol, fault) for symbol, fault in faults.items() if fault.kind in kinds)
    return NewEvent(
        EventKind.ENGINE,
        now,
        f"strategy {name} fails on {len(faults)} symbols, such as {symbol}: {fault.text}",
        Level.ERROR,
        code="strategy_failed",
        detail={"strategy": name, "symbol": symbol, "error": fault.text, "symbols": len(faults)},
    )
