"""One exchange's feed: asks its venue for trades again and again, and tells apart what comes back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from engine.core.backoff import Dice, full_jitter
from engine.core.feeds import FeedPulse, FeedStanding, FeedState, clock_read, fact_of, failed, heard
from engine.log import logger
from engine.market.settings import CandleSettings
from engine.market.venue_desk import VenueDesk
from engine.market.venue_failures import Failure, Nonsense, failure_of
from engine.market.venue_outbox import Outbox
from engine.market.venue_past import Span, past_of
from engine.market.venue_rows import Fault
from engine.market.venue_tape import Tape, on_our_clock

PAGE_NEWS_MIN: Final = 50  # a page with that many new trades may have more behind it
PAGES_MAX: Final = 5  # of one symbol in one round
LANES: Final = 4  # symbols asked for at once
TIME_EVERY_S: Final = 15.0
BACKOFF_S: Final = 0.5
BACKOFF_S_MAX: Final = 30.0
SHIFT_STEP_S: Final = 1.0  # a shift stays as it is while the clock's offset moves less than that
_NAMED: Final = 3

_log = logger("feed")


@dataclass(slots=True)
class _Round:
    """What one round over the symbols came to."""

    answers: int = 0
    news: int = 0
    failures: dict[str, Failure] = field(default_factory=dict)

    @property
    def is_hopeless(self) -> bool:
        """Say whether the rest need not be asked: two in vain, and no answer at all."""
        dead = sum(failure.kind is FeedState.DEAD for failure in self.failures.values())
        return not self.answers and dead > 1


class VenuePoller:
    """Runs until it is cancelled. What its venue does wrong never raises: it is the feed's standing."""

    def __init__(self, desk: VenueDesk, outbox: Outbox, candles: CandleSettings, dice: Dice) -> None:
        self.settings, self._clock = desk.settings, desk.clock
        self._desk, self._outbox, self._candles, self._dice = desk, outbox, candles, dice
        self._pulse = FeedPulse()
        self._counts: Counter[str] = Counter()
        self._tapes: dict[str, Tape] = {}
        self._troubles: dict[str, Failure] = {}
        self._shift_ms = 0
        self._time_due_s = 0.0

    def standing(self) -> FeedStanding:
        """Return the feed as it is at this moment."""
        fact = fact_of(self._pulse, self._clock.elapsed(), self.settings.bounds)
        if self._pulse.contact is FeedState.LIVE:
            named = [f"{symbol}: {self._troubles[symbol].fact}" for symbol in sorted(self._troubles)]
            fact = "; ".join([fact, *named[:_NAMED]])
        counts = {str(what): count for what, count in (*self._counts.items(), *self._desk.faults.items())}
        return FeedStanding(self.settings.exchange, self._pulse.state, fact, self.settings.symbols, counts)

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await self.step()
            await self._clock.sleep(self._pause_s())

    async def step(self) -> None:
        """Ask once for every symbol; connect and read the past where that is still to be done."""
        self._desk.leave_alone_s = 0.0
        try:
            if not self._tapes:
                await self._connect()
            await self._read_time()
        except Exception as error:  # noqa: BLE001 - ccxt's parsers raise anything when an answer is nonsense
            failure: Failure | None = failure_of(error)
        else:
            failure = self._judged(await self._round())
        if failure is not None:
            self._pulse = failed(self._pulse, failure.kind, failure.fact)
            self._counts[failure.kind] += 1
            self._time_due_s = 0.0  # it may come back with its clock set anew
            _log.debug("no answer", feed=self.settings.exchange, kind=failure.kind, fact=failure.fact)

    def _judged(self, done: _Round) -> Failure | None:
        self._troubles = done.failures
        if not done.answers:
            return next(iter(done.failures.values()), None)
        has_news = done.news > 0
        self._pulse = heard(self._pulse, self._clock.elapsed(), self.settings.bounds, has_news=has_news)
        self._counts["answers"] += done.answers
        self._counts["trades"] += done.news
        return None

    def _pause_s(self) -> float:
        if not self._pulse.failures:
            return self.settings.every_s
        wait_s = full_jitter(self._pulse.failures, BACKOFF_S, BACKOFF_S_MAX, self._dice)
        return max(self.settings.every_s + wait_s, self._desk.leave_alone_s)

    # connecting

    async def _connect(self) -> None:
        await self._desk.open()
        await self._read_time()
        interval_ms = self._candles.interval_s * 1000
        settled_ms = self._desk.earliest_ms() - self._shift_ms - self._settle_ms
        begin_ms = settled_ms // interval_ms * interval_ms
        span = Span(interval_ms, self._candles.history, begin_ms, self._shift_ms)
        tapes = {symbol: Tape(symbol, begin_ms + self._shift_ms) for symbol in self.settings.symbols}
        await self._each(tapes, lambda tape: self._read_past(tape, span), _Round())
        self._tapes = tapes

    async def _read_past(self, tape: Tape, span: Span) -> None:
        candles = []
        try:
            if self._desk.lists(tape.symbol):
                candles = await past_of(self._desk, tape.symbol, span)
        finally:
            self._outbox.put_history(tape.symbol, candles, span.until_ms)

    async def _read_time(self) -> None:
        """Measure how far the venue's clock is off ours, now and then; where that fails the last word stands."""
        if self._clock.elapsed() < self._time_due_s:
            return
        try:
            read = await self._desk.offset_s()
        except Exception as error:  # noqa: BLE001 - as above: prices may still be had
            self._counts["time_unread"] += 1
            _log.debug("the venue's time was not read", feed=self.settings.exchange, fact=failure_of(error).fact)
            return
        self._time_due_s = self._clock.elapsed() + TIME_EVERY_S
        if read is not None:
            ahead_s, proven_s = read
            self._pulse = clock_read(self._pulse, proven_s, self.settings.bounds)
            self._shift(round(ahead_s * 1000) if self._pulse.is_clock_off else 0)

    def _shift(self, ahead_ms: int) -> None:
        is_same_sign = bool(ahead_ms) == bool(self._shift_ms)
        if is_same_sign and abs(ahead_ms - self._shift_ms) < SHIFT_STEP_S * 1000:
            return
        self._shift_ms = ahead_ms
        for tape in self._tapes.values():
            tape.turn_back(self._desk.earliest_ms())

    # asking

    async def _round(self) -> _Round:
        done = _Round()

        async def ask(tape: Tape) -> None:
            done.news += await self._ask(tape)

        await self._each(self._tapes, ask, done)
        return done

    async def _each(self, tapes: dict[str, Tape], ask: Callable[[Tape], Awaitable[None]], done: _Round) -> None:
        """Ask for several symbols at once; one that fails keeps no other from its turn."""
        turns = iter(tapes.values())

        async def lane() -> None:
            for tape in turns:
                if done.is_hopeless:
                    return
                try:
                    await ask(tape)
                except Exception as error:  # noqa: BLE001 - ccxt's parsers raise anything when an answer is nonsense
                    done.failures[tape.symbol] = failure_of(error)
                else:
                    done.answers += 1

        await asyncio.gather(*(lane() for _ in range(min(LANES, len(tapes)))))

    async def _ask(self, tape: Tape) -> int:
        """Read a symbol's tape as far as one round goes; returns how many trades were news."""
        if not self._desk.lists(tape.symbol):
            raise Nonsense(f"it does not list {tape.symbol}; correct the feed's symbols")
        since_ms, news = tape.since_ms(self._desk.now_ms()), 0
        for _ in range(PAGES_MAX):
            asked_ms, future = self._desk.earliest_ms(), self._desk.faults[Fault.FUTURE]
            try:
                page = await self._desk.trades(tape.symbol, since_ms)
            finally:
                if self._desk.faults[Fault.FUTURE] > future:
                    self._time_due_s = 0.0  # its clock may have been set since it was read
            found = tape.take(page, since_ms)
            if found.is_gap:
                self._counts["gaps"] += 1
                self._outbox.break_off(tape.symbol)
            news += len(found.trades)
            self._counts["repeated"] += found.repeated
            is_end = len(found.trades) < PAGE_NEWS_MIN
            tape.settle(asked_ms - self._settle_ms if is_end else since_ms)
            fresh = [on_our_clock(trade, tape.symbol, self._shift_ms) for trade in found.trades]
            self._outbox.put(tape.symbol, fresh, tape.known_ms - self._shift_ms)
            if is_end:
                break
            since_ms = found.trades[-1].at_ms
        return news

    @property
    def _settle_ms(self) -> int:
        return round(self.settings.settle_s * 1000)
