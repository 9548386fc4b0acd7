"""Asks one venue for market data: calls with a deadline, answers that were looked at, times of the venue."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from engine.clock import Clock
from engine.core.health import offset_of
from engine.core.values import Candle
from engine.market.settings import FeedSettings
from engine.market.venue_failures import Nonsense, has_no_trades
from engine.market.venue_rows import Fault, Page, read_candles, read_ticker, read_trades
from engine.venues.client import Access, VenueClient
from engine.venues.trip import Trip

ROWS_MAX: Final = 1000  # asked for at once; venues that give fewer do so
OPEN_S_MAX: Final = 90.0  # a large venue lists thousands of markets
NEEDS_UNTIL: Final = frozenset({"coinbase"})  # takes a stretch's begin only together with its end
TIME_STEP_S: Final = {"kraken": 1.0, "coinbase": 1.0}  # these tell whole seconds


class VenueDesk:
    """Over one client of its own, without keys. `faults` counts the rows that were nonsense, by kind. Times are the venue's milliseconds.

    `leave_alone_s` is the longest wish of the venue's to be left alone since it was last set to 0.
    """

    def __init__(self, settings: FeedSettings, clock: Clock) -> None:
        self.settings, self.clock = settings, clock
        name, step_s = settings.exchange, TIME_STEP_S.get(settings.exchange, 0.001)
        self.client = VenueClient(Access(name, settings.ccxt, paced=True, time_step_s=step_s), clock)
        self.faults: Counter[Fault] = Counter()
        self.leave_alone_s = 0.0
        self._by_ticker = False

    async def open(self) -> None:
        """Connect and list the markets. Raises what ccxt raises, TimeoutError and ConfigError."""
        async with self.clock.timeout(OPEN_S_MAX):
            await self.client.open()
        ccxt = self.client.ccxt
        # ccxt leaves out rows that have no time or another symbol, and nobody would learn of them.
        ccxt.filter_by_symbol_since_limit = lambda rows, *_, **__: rows
        self._by_ticker = not ccxt.has.get("fetchTrades")

    def lists(self, symbol: str) -> bool:
        return symbol in (self.client.ccxt.markets or {})

    def now_ms(self) -> int:
        """Return the venue's time."""
        return int(self.client.time.now().timestamp() * 1000)

    def earliest_ms(self) -> int:
        """Return the earliest that the venue's time may be: up to there it can have shown everything."""
        return int(self.client.time.earliest().timestamp() * 1000)

    async def offset_s(self) -> tuple[float, float] | None:
        """Read the venue's clock: by how much it is ahead of ours, and the part of that which is proven.

        None where the venue tells no time. Raises what ccxt raises, TimeoutError and ValueError.
        """
        if not self.client.ccxt.has.get("fetchTime"):
            return None
        began_s, trip = self.clock.elapsed(), Trip()
        async with self.clock.timeout(self.settings.timeout_s):
            await self.client.read_time(trip)
        # Waiting for a turn is no part of the way.
        way_s = self.clock.elapsed() - (trip.wired_s if trip.wired_s is not None else began_s)
        ahead_s = (self.client.time.now() - self.clock.wall()).total_seconds()
        return ahead_s, offset_of(ahead_s, way_s + self.client.access.time_step_s)

    async def trades(self, symbol: str, since_ms: int) -> Page:
        """Return a page of trades from `since_ms` on, or the ticker as the only one where there are none to be had.

        Raises Nonsense for what is none, and what ccxt raises.
        """
        if self._by_ticker:
            return await self._ticker(symbol)
        until = {"until": self.now_ms() + 1000} if self.settings.exchange in NEEDS_UNTIL else {}
        try:
            answer = await self._call("fetch_trades", symbol, since_ms, ROWS_MAX, until)
        except Exception as error:
            if not has_no_trades(error):
                raise
            self._by_ticker = True
            return await self._ticker(symbol)
        return self._believed(read_trades(answer, symbol, self._latest_ms()))

    async def candles(self, symbol: str, frame: str, since_ms: int, until_ms: int) -> list[Candle]:
        """Return the venue's own candles from `since_ms` on that were over by `until_ms`. Raises like `trades`."""
        interval_ms = int(self.client.ccxt.parse_timeframe(frame) * 1000)
        answer = await self._call("fetch_ohlcv", symbol, frame, since_ms, (until_ms - since_ms) // interval_ms)
        candles, faults = read_candles(answer, symbol, interval_ms, until_ms)
        self._believed(Page(faults=faults))
        return [candle for candle in candles if candle.opened_ms >= since_ms]

    def frame(self, interval_ms: int, span_ms: int) -> str | None:
        """Return the venue's longest candle that ours can be made of in one answer over `span_ms`, None if there is none."""
        ccxt = self.client.ccxt
        fitting = {
            int(ccxt.parse_timeframe(frame) * 1000): frame
            for frame in (ccxt.timeframes or {})
            if ccxt.has.get("fetchOHLCV") is True
        }
        found = [ms for ms in fitting if interval_ms % ms == 0 and span_ms // ms <= ROWS_MAX]
        return fitting[max(found)] if found else None

    async def _ticker(self, symbol: str) -> Page:
        found = read_ticker(await self._call("fetch_ticker", symbol), symbol, self._latest_ms(), self.now_ms())
        if isinstance(found, Fault):
            return self._believed(Page(faults=Counter([found])))
        return Page((found,), is_ticker=True)

    async def _call(self, method: str, *given: Any) -> Any:
        trip = Trip()
        try:
            async with self.clock.timeout(self.settings.timeout_s):
                return await self.client.call(method, *given, trip=trip)
        finally:
            self.leave_alone_s = max(self.leave_alone_s, trip.retry_after_s or 0.0)

    def _latest_ms(self) -> int:
        return self.now_ms() + int(self.settings.clock_off_s * 1000)

    def _believed(self, page: Page) -> Page:
        self.faults.update(page.faults)
        if page.is_garbage:
            bad = sum(page.faults.values())
            raise Nonsense(f"{bad} of {bad + len(page.trades)} rows are nonsense, most of all: {page.worst}")
        return page
