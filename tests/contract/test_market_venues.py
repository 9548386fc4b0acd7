"""Prices of three exchanges at once, through ccxt's own classes over real HTTP, against the venues' own tapes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from engine.core.errors import ConfigError
from engine.core.feeds import FeedState
from engine.core.values import Candle
from tests.support.price_feeds import (
    EMPTY,
    NOTHING,
    SYMBOLS,
    Watched,
    feed_settings,
    in_real_time,
    printed,
    says,
    watching,
)
from tests.support.venue.control import Control
from tests.support.venue.server import a_venue

pytestmark = pytest.mark.waits

LIVE, STALE, DEAD, GARBAGE = FeedState.LIVE, FeedState.STALE, FeedState.DEAD, FeedState.GARBAGE
NAMES = tuple(SYMBOLS)


@pytest.fixture
def venues() -> Iterator[dict[str, Control]]:
    with ExitStack() as running:
        yield {name: running.enter_context(a_venue(name)) for name in NAMES}


def figures(candle: Candle) -> tuple[float, ...]:
    return candle.open, candle.high, candle.low, candle.close, candle.volume


def test_three_exchanges_at_once_give_the_candles_that_their_own_tapes_have(venues: dict[str, Control]) -> None:
    async def steps() -> None:
        async with watching(*(feed_settings(venue) for venue in venues.values()), interval_s=2) as watched:
            began_ms = watched.clock.wall().timestamp() * 1000
            symbols = watched.source.symbols()

            def lived() -> set[str]:
                return {candle.symbol for candle in watched.closed if candle.opened_ms > began_ms + 1000}

            await watched.until(lambda: lived() == set(symbols))
            assert set(watched.states().values()) == {LIVE}
            for candle in watched.closed:
                assert figures(candle) == pytest.approx(printed(candle.symbol, candle.opened_ms, 2000)), candle
            for symbol in symbols:
                window = watched.feed.window(symbol)
                assert window is not None
                assert len(window) >= 98, f"{symbol} has no past"
            counted = watched.feed.facts()
            assert (counted.late, counted.bad, counted.flat) == (0, 0, 0)

    in_real_time(steps())


FAULTS = (
    ("connection closed before processing", DEAD, "ExchangeNotAvailable"),
    ("HTTP 503, not processed", DEAD, "ExchangeNotAvailable"),
    ("no answer, not processed", DEAD, "RequestTimeout"),
    ("answer cut short", DEAD, "ClientPayloadError"),
    ("HTTP 200 with HTML, processed", GARBAGE, "instead of an answer"),
    ("HTTP 200 {}, processed", GARBAGE, "instead of an answer"),
    ("HTTP 524, not processed", GARBAGE, "instead of an answer"),
    ("numbers are NaN, processed", GARBAGE, ""),
    ("numbers are 1e400, processed", GARBAGE, ""),
    ("a row of nothing", GARBAGE, ""),
    ("nothing at all", STALE, "no trade for"),
)


def test_what_a_venue_answers_is_told_apart(venues: dict[str, Control]) -> None:
    async def steps() -> None:
        feeds = [
            feed_settings(venue, symbols=SYMBOLS[name][:1], stale_after_s=1.8, timeout_s=2.0)
            for name, venue in venues.items()
        ]
        async with watching(*feeds) as watched:
            for fault, state, words in FAULTS:
                await watched.until(lambda: set(watched.states().values()) == {LIVE})
                for name, venue in venues.items():
                    own = {"a row of nothing": says(NOTHING[name]), "nothing at all": says(EMPTY[name])}
                    venue.script("prices", own.get(fault, fault), None)
                await watched.until(lambda wanted=state: set(watched.states().values()) == {wanted})  # type: ignore[misc] # mypy knows no lambda defaults
                for standing in watched.source.standings():
                    assert words in standing.fact, (fault, standing)
                for venue in venues.values():
                    venue.clear()

    in_real_time(steps())


def test_a_clock_that_is_20_s_off_is_told_and_its_candles_are_those_of_our_time(venues: dict[str, Control]) -> None:
    async def steps() -> None:
        skews = {"binance": 20, "kraken": -20, "coinbase": 20}
        for name, skew_s in skews.items():
            venues[name].skew(skew_s)
        feeds = [feed_settings(v, symbols=SYMBOLS[name][:1], stale_after_s=3.0) for name, v in venues.items()]
        async with watching(*feeds, interval_s=2) as watched:
            began_ms = watched.clock.wall().timestamp() * 1000

            def lived() -> set[str]:
                return {candle.symbol for candle in watched.closed if candle.opened_ms > began_ms}

            await watched.until(lambda: len(lived()) == 3)
            for standing in watched.source.standings():
                skew_s = skews[standing.name]
                assert standing.state is FeedState.CLOCK_OFF
                way = "ahead of" if skew_s > 0 else "behind"
                assert f" s {way} ours" in standing.fact
                assert 18.0 < abs(float(standing.fact.split()[3])) <= 20.5
            now_ms = watched.clock.wall().timestamp() * 1000
            assert all(candle.closed_ms <= now_ms for candle in watched.closed)
            counted = watched.feed.facts()
            assert (counted.late, counted.bad, counted.flat) == (0, 0, 0)
            for quote in watched.feed.quotes.values():
                assert abs((watched.clock.wall() - quote.at).total_seconds()) < 4.0

    in_real_time(steps())


def test_a_clock_that_is_set_while_prices_come_breaks_nothing() -> None:
    async def steps(venue: Control) -> None:
        symbol = SYMBOLS["binance"][0]
        async with watching(feed_settings(venue, symbols=(symbol,)), interval_s=2) as watched:
            await watched.until(lambda: symbol in watched.feed.quotes)
            venue.skew(20)
            await watched.until(lambda: watched.states()["binance"] is FeedState.CLOCK_OFF)
            at = watched.feed.quotes[symbol].at
            await watched.until(lambda: watched.feed.quotes[symbol].at > at)
            assert abs((watched.clock.wall() - watched.feed.quotes[symbol].at).total_seconds()) < 3.0
            [standing] = watched.source.standings()
            assert standing.counts["future"] > 0

    with a_venue("binance") as venue:
        in_real_time(steps(venue))


def test_an_exchange_that_is_dead_delays_no_other(venues: dict[str, Control]) -> None:
    async def steps() -> None:
        venues["kraken"].script("any", "no answer, not processed", None)
        venues["coinbase"].script("any", "HTTP 200 with HTML, processed", None)
        async with watching(*(feed_settings(venue) for venue in venues.values())) as watched:
            await watched.until(lambda: len(watched.feed.quotes) == 2, within_s=6.0)
            await watched.until(lambda: watched.states() == {"binance": LIVE, "kraken": DEAD, "coinbase": GARBAGE})
            assert set(watched.feed.quotes) == set(SYMBOLS["binance"])
            for quiet in ("kraken", "coinbase"):
                venues[quiet].clear()
            await watched.until(lambda: len(watched.feed.quotes) == 6)

    in_real_time(steps())


def test_the_trades_of_an_outage_are_read_afterwards_and_fill_their_candles() -> None:
    async def steps(venue: Control) -> None:
        symbol = SYMBOLS["binance"][0]
        async with watching(feed_settings(venue, symbols=(symbol,)), interval_s=2) as watched:
            await watched.until(lambda: symbol in watched.feed.quotes)
            venue.script("prices", "HTTP 502, not processed", None)
            await watched.until(lambda: watched.states()["binance"] is DEAD)
            count, fell = len(watched.closed), watched.clock.elapsed()
            await watched.until(lambda: watched.clock.elapsed() - fell > 2.5)
            assert len(watched.closed) == count, "a candle closed that nobody has seen the trades of"
            venue.clear()
            await watched.until(lambda: len(watched.closed) > count + 2)
            for candle in watched.closed[count:]:
                assert figures(candle) == pytest.approx(printed(symbol, candle.opened_ms, 2000))
            assert watched.feed.facts().flat == 0

    with a_venue("binance") as venue:
        in_real_time(steps(venue))


def test_a_symbol_that_the_venue_does_not_list_is_named_and_keeps_no_other_from_being_read() -> None:
    async def steps(venue: Control) -> None:
        async with watching(feed_settings(venue, symbols=("BTC/USDT", "NONE/USDT"))) as watched:
            await watched.until(lambda: "does not list NONE/USDT" in watched.fact())
            await watched.until(lambda: "BTC/USDT" in watched.feed.quotes)
            assert watched.states()["binance"] is LIVE

    with a_venue("binance") as venue:
        in_real_time(steps(venue))


def test_a_venue_whose_trades_cannot_be_had_is_read_by_its_tickers() -> None:
    async def steps(venue: Control) -> None:
        table = feed_settings(venue).ccxt
        settings = feed_settings(venue, ccxt={**table, "has": {"fetchTrades": False}})
        async with watching(settings) as watched:
            began = watched.clock.wall()

            def fresh() -> set[str]:
                return {symbol for symbol, quote in watched.feed.quotes.items() if quote.at > began}

            await watched.until(lambda: fresh() == set(SYMBOLS["binance"]))
            assert {entry["path"] for entry in venue.log("prices")} >= {"/api/v3/ticker/24hr"}
            assert not [entry for entry in venue.log("prices") if "rades" in entry["path"]]

    with a_venue("binance") as venue:
        in_real_time(steps(venue))


def test_an_exchange_that_ccxt_does_not_know_is_refused_at_the_start() -> None:
    async def steps(venue: Control) -> None:
        watched = Watched([feed_settings(venue).model_copy(update={"exchange": "binanse"})], 10)
        with pytest.raises(ConfigError, match="knows no exchange 'binanse'"):
            await watched.source.open()

    with a_venue("binance") as venue:
        in_real_time(steps(venue))
