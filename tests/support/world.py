"""A small world on virtual time: a scripted market, a clock whose machine seconds are virtual too, strategies to order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from engine.clock import Clock, LoopClock, SeededChance, run_on
from engine.core.account import AccountFacts, venue_facts
from engine.core.events import Event, Signal
from engine.core.feeds import FeedStanding
from engine.core.lifecycle import AttemptState, AttemptStep, SignalState, SignalStep
from engine.core.order import Attempt
from engine.core.risk import Quote
from engine.core.values import Action, Candle, NewSignal, Side, SymbolRules, Vote
from engine.core.window import Window
from engine.exchanges.guarded import Guarded, GuardSettings
from engine.exchanges.paper.ledger import PaperLedger
from engine.exchanges.paper.settings import PaperSettings
from engine.exchanges.paper.venue import PaperExchange
from engine.exchanges.paper.weather import Weather, WeatherSettings
from engine.market.base import Tick, Trade
from engine.market.candles import CandleBuilder
from engine.store.base import Applied, SignalFilter
from engine.store.sqlite import SqliteStore
from engine.strategies.base import StrategyParameters
from tests.support.builders import a_fill, a_signal, a_signal_move, an_attempt_move, an_intent

T = TypeVar("T")

BEGIN = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
BEGIN_MS = int(BEGIN.timestamp() * 1000)
SYMBOL = "BTC/USDT"


def live(story: Coroutine[Any, Any, T]) -> T:
    """Run `story` on a loop that never waits, and return what it returns."""
    with asyncio.Runner(loop_factory=run_on(None)) as runner:
        return runner.run(story)


class WoundClock(LoopClock):
    """Loop time that began at BEGIN; the machine's seconds pass with it, so that throttles can be told in them."""

    def __init__(self) -> None:
        super().__init__(BEGIN)

    def machine(self) -> float:
        return self.elapsed()


def ms(seconds: float) -> int:
    """Return the time `seconds` after BEGIN in milliseconds since 1970."""
    return BEGIN_MS + round(seconds * 1000)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def a_candle(number: int, close: float = 100.0, symbol: str = SYMBOL, **given: Any) -> Candle:
    """Return the candle of 10 s that begins `number` candles after BEGIN; negative numbers are history."""
    figures = {"open": close, "high": close, "low": close, "close": close, "volume": 1.0, **given}
    return Candle(symbol, ms(number * 10), 10_000, **figures)


def a_tick(seconds: float, *prices: float, symbol: str = SYMBOL) -> Tick:
    """Return what a source says at `seconds`: one trade at that moment for each price."""
    return Tick(ms(seconds), trades=tuple(Trade(symbol, ms(seconds), price, 1.0) for price in prices))


@dataclass
class ScriptedSource:
    """A market that says its lines at their times, and nothing else."""

    clock: Clock
    lines: Sequence[Tick] = ()
    past: Sequence[Candle] = ()
    names: Sequence[str] = (SYMBOL,)
    name: str = "script"
    opened: int = 0
    read: int = 0
    closed: int = 0

    def symbols(self) -> Sequence[str]:
        return self.names

    def begins_at(self) -> datetime | None:
        return BEGIN

    def standings(self) -> Sequence[FeedStanding]:
        return ()

    async def open(self) -> None:
        self.opened += 1

    async def history(self, count: int) -> Sequence[Candle]:
        return self.past[-count:] if count else ()

    async def ticks(self) -> AsyncIterator[Tick]:
        self.read += 1
        for line in self.lines:
            await self.clock.sleep(line.at_ms / 1000 - self.clock.wall().timestamp())
            yield line

    async def close(self) -> None:
        self.closed += 1


@dataclass
class HandMarket:
    """A market whose candles and prices a test sets by hand; serves the analyst in a feed's place."""

    quotes: dict[str, Quote] = field(default_factory=dict)
    builder: CandleBuilder = field(default_factory=CandleBuilder)
    count: int = 0

    def symbols(self) -> Sequence[str]:
        return self.builder.symbols()

    def window(self, symbol: str) -> Window | None:
        return self.builder.window(symbol)

    def last_closed_ms(self, symbol: str) -> int | None:
        return self.builder.last_closed_ms(symbol)

    def close_candles(self, count: int = 1, price: float = 100.0, symbols: Sequence[str] = (SYMBOL,)) -> None:
        """Close `count` more candles of each symbol at `price`, which is the quote then."""
        for _ in range(count):
            self.builder.backfill([a_candle(self.count, price, symbol) for symbol in symbols])
            self.count += 1
        for symbol in symbols:
            self.quotes[symbol] = Quote(Decimal(repr(price)), at(self.count * 10))


class PaperDesk:
    """A trader's account at a paper venue, as the health checker sees it."""

    def __init__(self, name: str, exchange: Guarded) -> None:
        self.name, self.exchange = name, exchange
        self.in_flight = 0
        self.clock_offset_s = 0.0
        self.account = AccountFacts(venue_facts(exchange.capabilities))
        self.rules: Mapping[str, SymbolRules] = {}
        self.looks = 0

    async def open(self) -> None:
        await self.exchange.open()
        self.rules = await self.exchange.symbols()
        await self.refresh_balances()

    async def refresh_balances(self) -> None:
        self.looks += 1
        await self.exchange.balances()


@dataclass
class World:
    """A store, a market and paper accounts on one clock."""

    clock: WoundClock
    chance: SeededChance
    store: SqliteStore
    desks: dict[str, PaperDesk]
    skies: dict[str, Weather]
    market: HandMarket = field(default_factory=HandMarket)

    async def events(self, code: str = "") -> list[Event]:
        """Return the journal, oldest first: all of it, or the entries of one code."""
        found = await self.store.events(0, 10_000)
        return [event for event in found if code in ("", event.code)]

    async def signals(self, **where: Any) -> list[Signal]:
        """Return the stored signals, oldest first."""
        return (await self.store.signals(SignalFilter(**where), None, 10_000))[::-1]

    async def step(self, signal: Signal, step: SignalStep, **given: Any) -> Signal:
        """Move a stored signal, now, and return it as it is then."""
        now = self.clock.wall()
        move = a_signal_move(signal, step, **{"at": now, "due_at": now, **given})
        assert await self.store.move_signals([move]) == [Applied.APPLIED]
        moved = await self.store.signal(signal.id)
        assert moved is not None
        return moved

    async def attempt(self, trader: str, step: AttemptStep, signal: NewSignal | None = None, **given: Any) -> Attempt:
        """Put a signal, let `trader` attempt it, and take the attempt's first step."""
        new = signal or a_signal(received_at=self.clock.wall())
        await self.store.put_signals([new])
        stored = await self.store.signal(new.signal_id)
        assert stored is not None
        return await self.attempt_of(stored, trader, step, **given)

    async def attempt_of(self, signal: Signal, trader: str, step: AttemptStep, **given: Any) -> Attempt:
        """Let `trader` attempt a stored signal, and take the attempt's first step."""
        now = self.clock.wall()
        intent = an_intent(signal, trader=trader, at=now)
        assert await self.store.commit_intents([intent]) == [Applied.APPLIED]
        move = an_attempt_move(intent.request, AttemptState.INTENT, step, at=now, next_probe_at=now, **given)
        assert await self.store.move_attempts([move]) == [Applied.APPLIED]
        kept = await self.store.attempt(intent.request.client_order_id)
        assert kept is not None
        return kept

    async def hold(self, trader: str, symbol: str = SYMBOL, price: str = "100", side: Side = Side.BUY) -> Signal:
        """Let `trader` hold a position of 1 bought (or sold) at `price`; returns the signal that opened it."""
        now = self.clock.wall()
        new = a_signal(symbol=symbol, side=side, quantity=Decimal(1), received_at=now, reference_price=Decimal(price))
        fill = a_fill(f"fill of {new.signal_id}", price=Decimal(price), quantity=Decimal(1), at=now)
        await self.attempt(
            trader,
            AttemptStep.FILL,
            new,
            fills=(fill,),
            signal_step=SignalStep.COMPLETE,
            signal_reason=None,
        )
        opened = await self.store.signal(new.signal_id)
        assert opened is not None
        assert opened.state is SignalState.DONE
        return opened


@asynccontextmanager
async def a_world(
    weather: Mapping[str, WeatherSettings] | None = None,
    path: Path | str = ":memory:",
    guard: GuardSettings | None = None,
) -> AsyncIterator[World]:
    """Open a world of paper traders under the given weather (None: two traders under a clear sky), and close it."""
    forecast = weather or {"trader_a": WeatherSettings(), "trader_b": WeatherSettings()}
    clock, chance = WoundClock(), SeededChance(7)
    store = SqliteStore(Path(path), clock=clock, inline=True, uuid_source=chance.stream("store"))
    ledger = PaperLedger(":memory:", clock=clock, inline=True)
    await store.open(now=clock.wall())
    await store.declare_traders(dict.fromkeys(forecast, "paper"))
    skies = {name: Weather(name, sky, clock=clock, chance=chance) for name, sky in forecast.items()}
    desks = {}
    for name, sky in skies.items():
        venue = PaperExchange(
            name,
            ledger=ledger,
            weather=sky,
            settings=PaperSettings(),
            clock=clock,
        )
        venue.observe(SYMBOL, Decimal(100), clock.wall())
        desks[name] = PaperDesk(name, a_guard(venue, clock, chance, guard))
        await venue.open()
    try:
        yield World(clock, chance, store, desks, skies)
    finally:
        for desk in desks.values():
            await desk.exchange.close()
        await ledger.close()
        await store.close()


def a_guard(venue: PaperExchange, clock: Clock, chance: SeededChance, settings: GuardSettings | None = None) -> Guarded:
    return Guarded(
        venue, clock=clock, chance=chance, settings=settings or GuardSettings(), on_breaker=lambda change: None
    )


class NoParameters(StrategyParameters):
    """Nothing to set."""


class ToldStrategy:
    """A strategy that says what its test tells it to: `say` takes the window and returns, or raises, what it likes."""

    name: ClassVar[str] = "told"

    def __init__(self, say: Callable[[Window], Any], candles_min: int = 1) -> None:
        self.parameters = NoParameters()
        self._say, self._candles_min = say, candles_min

    @property
    def candles_min(self) -> int:
        return self._candles_min

    def vote(self, window: Window) -> Vote:
        said: Vote = self._say(window)
        return said


def a_vote(action: Action = Action.BUY, confidence: float = 0.9, why: str = "it looks like it") -> Vote:
    return Vote("told", action, confidence, why)


def saying(action: Action = Action.BUY, confidence: float = 0.9) -> ToldStrategy:
    """Return a strategy that always says the same."""
    return ToldStrategy(lambda window: a_vote(action, confidence))
