"""A tape gives each trade once, notices what it missed, and asks for no more than it needs."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from engine.market.base import Trade
from engine.market.venue_rows import Page, VenueTrade
from engine.market.venue_tape import REACH_MS, News, Tape, candles_of, on_our_clock

T0 = 1_700_000_000_000
STAMPS = ("all", "last", "none")


def a_trade(at: int, number: int = 0, price: float = 100.0) -> VenueTrade:
    return VenueTrade(T0 + at, price, 1.0, "buy", str(number))


def a_page(*trades: VenueTrade, stamps: str = "all") -> Page:
    """Return a page as venues print them: with ids on all trades, on the last one only, or on none."""
    if stamps == "all":
        return Page(trades)
    kept = -1 if stamps == "none" else len(trades) - 1
    return Page(tuple(replace(trade, id=trade.id if n == kept else "") for n, trade in enumerate(trades)))


def begun(*trades: VenueTrade) -> Tape:
    tape = Tape("BTC/USDT", T0)
    tape.take(a_page(*trades), T0)
    return tape


def test_a_trade_that_comes_again_is_no_news() -> None:
    tape = begun(a_trade(1, 1), a_trade(2, 2))
    news = tape.take(a_page(a_trade(2, 2), a_trade(3, 3)), T0 + 2)
    assert news == News((a_trade(3, 3),), 1, is_gap=False)


def test_equal_trades_of_one_millisecond_are_all_kept_once() -> None:
    alike = [a_trade(1, number) for number in (1, 2, 3)]
    for stamps in STAMPS:
        tape = Tape("BTC/USDT", T0)
        assert len(tape.take(a_page(*alike[:2], stamps=stamps), T0).trades) == 2
        assert len(tape.take(a_page(*alike, stamps=stamps), T0).trades) == 1


def test_one_id_with_other_figures_is_the_same_trade() -> None:
    tape = begun(a_trade(1, 1))
    assert tape.take(a_page(a_trade(1, 1, price=101.0)), T0).trades == ()


def test_rows_from_before_what_was_asked_for_do_not_count() -> None:
    assert begun().take(a_page(a_trade(-5, 1), a_trade(5, 2)), T0).trades == (a_trade(5, 2),)


def test_newer_trades_that_crowd_out_the_known_ones_are_a_gap() -> None:
    tape = begun(a_trade(1, 1))
    tape.settle(T0 + 1000)
    assert tape.since_ms(T0 + 2000) == T0 + 1
    assert tape.take(a_page(a_trade(500, 8), a_trade(600, 9)), T0 + 1).is_gap
    assert not begun(a_trade(1, 1)).take(a_page(a_trade(1, 1), a_trade(500, 8)), T0 + 1).is_gap
    assert not begun(a_trade(1, 1)).take(a_page(), T0 + 1).is_gap


def test_a_silence_longer_than_the_reach_is_a_gap() -> None:
    tape = begun(a_trade(1, 1))
    tape.settle(T0 + 1000)
    since_ms = tape.since_ms(T0 + REACH_MS + 5000)
    assert since_ms == T0 + 5000
    assert tape.take(a_page(a_trade(6000, 2)), since_ms).is_gap


def test_a_quiet_market_is_no_gap_however_long_its_last_trade_is_ago() -> None:
    tape = begun(a_trade(1, 1))
    tape.settle(T0 + 3 * REACH_MS)
    since_ms = tape.since_ms(T0 + 3 * REACH_MS + 2000)
    assert not tape.take(a_page(a_trade(3 * REACH_MS + 1000, 2)), since_ms).is_gap


def test_a_clock_that_is_set_back_is_followed() -> None:
    tape = begun(a_trade(30_000, 1))
    tape.settle(T0 + 30_000)
    tape.turn_back(T0 + 10_000)
    since_ms = tape.since_ms(T0 + 10_500)
    assert since_ms == T0 + 10_000
    assert len(tape.take(a_page(a_trade(10_200, 2)), since_ms).trades) == 1


def test_a_ticker_that_says_the_same_again_is_no_news() -> None:
    tape = Tape("BTC/USDT", T0)
    ticker = Page((VenueTrade(T0 + 5, 100.0, 0.0, id="100"),), is_ticker=True)
    later = Page((VenueTrade(T0 + REACH_MS, 100.0, 0.0, id="100"),), is_ticker=True)
    assert len(tape.take(ticker, T0).trades) == 1
    tape.settle(T0 + REACH_MS)
    assert tape.take(later, T0) == News((), 1, is_gap=False)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from([100.0, 101.0])), max_size=40),
    st.lists(st.tuples(st.integers(0, 15), st.integers(0, 5)), min_size=1, max_size=15),
    st.sampled_from(STAMPS),
)
def test_however_often_and_late_a_tape_is_read_each_trade_comes_once(
    drawn: list[tuple[int, float]], reads: list[tuple[int, int]], stamps: str
) -> None:
    printed = [a_trade(at, number, price) for number, (at, price) in enumerate(sorted(drawn))]
    tape, now, came = Tape("BTC/USDT", T0), 0, []
    for passed, settle in [*reads, (60, 0)]:
        now += passed
        since_ms = tape.since_ms(T0 + now)
        page = a_page(*(t for t in printed if since_ms <= t.at_ms <= T0 + now), stamps=stamps)
        news = tape.take(page, since_ms)
        assert not news.is_gap
        came += [(trade.at_ms, trade.price) for trade in news.trades]
        tape.settle(T0 + now - settle)
    assert came == [(trade.at_ms, trade.price) for trade in printed]


def test_a_trade_on_our_clock_is_shifted_by_what_the_venues_is_ahead() -> None:
    assert on_our_clock(a_trade(20_500), "BTC/USDT", 20_000) == Trade("BTC/USDT", T0 + 500, 100.0, 1.0)


def test_candles_of_a_stretch_leave_out_its_ends() -> None:
    trades = [
        Trade("A/B", T0 + at, price, 1.0) for at, price in ((5, 1.0), (10_000, 2.0), (19_999, 3.0), (30_000, 4.0))
    ]
    [candle] = candles_of("A/B", trades, 10_000, T0 + 30_000)
    assert (candle.opened_ms, candle.open, candle.close, candle.volume) == (T0 + 10_000, 2.0, 3.0, 2.0)
