from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.core.errors import (
    ConfidenceTooLow,
    ExecutionError,
    PositionLimitsExceeded,
    SignalExpired,
    TradingLimitsExceeded,
)
from engine.core.events import Signal
from engine.core.portfolio import EngineSwitches, Holdings, TradeCounts
from engine.core.risk import RULES, Book, Limits, Quote, error_for, judge, lowered_position, with_exit_marked
from engine.core.values import Side
from tests.core.cases import SYMBOL, a_book, a_kept_signal, a_position
from tests.support.builders import NOW

LIMITS = Limits()
HALTED = EngineSwitches(halted=True, halted_by="ann", halted_why="drill")
FULL = Holdings(positions=(a_position(symbol="ETH/USDT"),), entries=tuple((f"S{n}/USDT", "b") for n in range(4)))


def _codes(signal: Signal, book: Book, limits: Limits = LIMITS) -> set[str]:
    return {a.code for a in judge(signal, book, limits, NOW).answers if not a.ok}


def test_a_good_signal_passes_every_rule() -> None:
    verdict = judge(a_kept_signal(), a_book(), LIMITS, NOW)
    assert verdict.objection is None
    assert [a.rule for a in verdict.answers] == [rule.__name__ for rule in RULES]
    assert all(a.fact and not a.remedy for a in verdict.answers)


@pytest.mark.parametrize(
    ("code", "signal", "book", "limits"),
    [
        ("automated_off", {}, {}, {"automated_trading": False}),
        ("halted", {}, {"switches": HALTED}, {}),
        ("expired", {"expires_at": NOW}, {}, {}),
        ("confidence_too_low", {"confidence": 0.699}, {}, {}),
        ("unknown_symbol", {}, {"known_symbols": frozenset({"ETH/USDT"})}, {}),
        ("unknown_symbol", {}, {"known_symbols": frozenset()}, {}),
        ("no_price", {}, {"prices": {}}, {}),
        ("no_price", {}, {"prices": {SYMBOL: Quote(Decimal(50_000), NOW - timedelta(seconds=31))}}, {}),
        ("no_price", {}, {"prices": {SYMBOL: Quote(Decimal(50_000), NOW + timedelta(seconds=31))}}, {}),
        ("no_price", {}, {"prices": {SYMBOL: Quote(Decimal("NaN"), NOW)}}, {}),
        ("position_limit", {"side": Side.BUY}, {"holdings": Holdings(positions=(a_position(),))}, {}),
        ("position_limit", {}, {"holdings": Holdings(entries=((SYMBOL, "a"),))}, {}),
        ("position_limit", {}, {"holdings": FULL}, {}),
        ("trading_limit", {}, {"holdings": Holdings(trades=TradeCounts(10, 10))}, {}),
        ("trading_limit", {}, {"holdings": Holdings(trades=TradeCounts(0, 50))}, {}),
        ("price_band", {"price": Decimal(39_999)}, {}, {}),
        ("price_band", {"price": Decimal(60_001)}, {}, {}),
        ("store_unwritable", {}, {"store_writable": False}, {}),
        ("store_unwritable", {}, {"disk_ok": False}, {}),
        ("clock_insane", {}, {"clock_sane": False}, {}),
    ],
)
def test_each_rule_objects_alone_and_says_what_to_do(
    code: str, signal: dict[str, object], book: dict[str, object], limits: dict[str, object]
) -> None:
    verdict = judge(a_kept_signal(**signal), a_book(**book), Limits.model_validate(limits), NOW)
    refused = [a for a in verdict.answers if not a.ok]
    assert [a.code for a in refused] == [code]
    assert verdict.objection is refused[0]
    assert refused[0].fact
    assert refused[0].remedy
    assert error_for(refused[0], a_kept_signal()).code == code


@pytest.mark.parametrize("price", [Decimal(40_000), Decimal(60_000)])
def test_a_limit_price_at_the_edge_of_the_band_passes(price: Decimal) -> None:
    assert _codes(a_kept_signal(price=price), a_book()) == set()


def test_a_confidence_at_the_minimum_passes() -> None:
    assert _codes(a_kept_signal(confidence=0.7), a_book()) == set()


def test_an_entry_that_is_partly_filled_is_counted_once() -> None:
    half = Holdings(positions=(a_position(),), entries=((SYMBOL, "a"),))
    two = Limits(positions_per_symbol_max=2)
    assert _codes(a_kept_signal(), a_book(holdings=half), two) == set()
    assert _codes(a_kept_signal(), a_book(holdings=half).with_entry(SYMBOL, "b"), two) == {"position_limit"}


def test_a_refusal_that_time_cannot_lift_comes_before_one_that_it_can() -> None:
    verdict = judge(a_kept_signal(confidence=0.1), a_book(switches=HALTED, prices={}), LIMITS, NOW)
    assert verdict.objection is not None
    assert verdict.objection.code == "confidence_too_low"
    assert not verdict.objection.lifts
    assert {a.code for a in verdict.answers if not a.ok} == {"confidence_too_low", "halted", "no_price"}


def test_a_symbol_that_nobody_knows_waits_for_a_trader_that_has_told_none() -> None:
    book = a_book(known_symbols=frozenset({"ETH/USDT"}), untold=("kraken_main",))
    objection = judge(a_kept_signal(), book, LIMITS, NOW).objection
    assert objection is not None
    assert objection.lifts
    assert "kraken_main has told no symbols yet" in objection.fact


def test_a_symbol_is_not_refused_for_good_before_any_trader_has_spoken() -> None:
    def lifts(known: frozenset[str]) -> bool:
        objection = judge(a_kept_signal(), a_book(known_symbols=known), LIMITS, NOW).objection
        assert objection is not None
        return objection.lifts

    assert lifts(frozenset())
    assert not lifts(frozenset({"ETH/USDT"}))


WORST = a_book(
    holdings=replace(FULL, positions=(*FULL.positions, a_position()), trades=TradeCounts(99, 99)),
    known_symbols=frozenset(),
    prices={},
    clock_sane=False,
)


def test_nothing_but_staleness_halt_and_store_holds_back_an_exit() -> None:
    strict = Limits(automated_trading=False)
    exit_signal = a_kept_signal(side=Side.SELL, reduces=True, confidence=0.0, price=Decimal(1))
    assert _codes(exit_signal, WORST, strict) == set()
    assert _codes(replace(exit_signal, expires_at=NOW), WORST, strict) == {"expired"}
    assert _codes(exit_signal, replace(WORST, switches=HALTED), strict) == {"halted"}
    assert _codes(exit_signal, replace(WORST, store_writable=False), strict) == {"store_unwritable"}
    assert len(_codes(replace(exit_signal, side=Side.BUY, reduces=False), WORST, strict)) > 5


def test_a_sell_that_only_lowers_a_position_is_an_exit_without_being_marked() -> None:
    assert _codes(a_kept_signal(side=Side.SELL, quantity=Decimal("0.5")), WORST) == set()
    assert _codes(a_kept_signal(side=Side.SELL), WORST) == set()
    assert "position_limit" in _codes(a_kept_signal(side=Side.SELL, quantity=Decimal("0.6")), WORST)


def test_a_buy_that_only_lowers_a_short_position_is_an_exit_too() -> None:
    book = replace(WORST, holdings=Holdings(positions=(a_position("-0.5"),), trades=TradeCounts(99, 99)))
    assert _codes(a_kept_signal(quantity=Decimal("0.2")), book) == set()


def test_a_position_is_not_lowered_twice_at_once() -> None:
    signal = a_kept_signal(side=Side.SELL)
    book = a_book(holdings=Holdings(positions=(a_position(),)))
    assert lowered_position(signal, book.holdings) == a_position()
    assert lowered_position(signal, book.with_exit(SYMBOL, "a").holdings) is None


def test_an_exit_that_names_a_trader_lowers_no_other_position() -> None:
    holdings = Holdings(positions=(a_position(trader="b"), a_position(trader="c")))
    marked = a_kept_signal(side=Side.SELL, reduces=True, preferred_trader="a")
    assert lowered_position(marked, holdings) is None
    assert with_exit_marked(marked, holdings) == marked
    unmarked = with_exit_marked(a_kept_signal(side=Side.SELL, preferred_trader="c"), holdings)
    assert (unmarked.reduces, unmarked.preferred_trader) == (True, "c")
    anyones = with_exit_marked(a_kept_signal(side=Side.SELL, preferred_trader="a"), holdings)
    assert (anyones.reduces, anyones.preferred_trader) == (True, "b")


pairs = st.lists(st.tuples(st.sampled_from(["A/U", "B/U", "C/U", "D/U"]), st.sampled_from("xyz")), max_size=12)


@given(held=pairs, wanted=pairs, most=st.integers(1, 3), in_all=st.integers(1, 8))
def test_a_batch_judged_one_after_another_never_opens_more_positions_than_allowed(
    held: Sequence[tuple[str, str]], wanted: Sequence[tuple[str, str]], most: int, in_all: int
) -> None:
    limits = Limits(positions_per_symbol_max=most, positions_max=in_all)
    symbols = {s for s, _ in (*held, *wanted)}
    book = a_book(known_symbols=frozenset(symbols), prices={s: Quote(Decimal(1), NOW) for s in symbols})
    opened: set[tuple[str, str]] = set()
    for symbol, trader in (*held, *wanted):
        signal = a_kept_signal(symbol=symbol)
        if judge(signal, book, limits, NOW).objection is None:
            book = book.with_entry(symbol, trader)
            opened.add((symbol, trader))
            if (symbol, trader) in held:  # some are filled meanwhile
                position = a_position(symbol=symbol, trader=trader)
                book = replace(book, holdings=replace(book.holdings, positions=(*book.holdings.positions, position)))
    assert len(opened) <= in_all
    assert all(sum(s == symbol for s, _ in opened) <= most for symbol in symbols)


def test_entries_under_way_count_against_the_hourly_limit() -> None:
    limits = Limits(trades_per_hour_max=2, positions_max=100, positions_per_symbol_max=100)
    book = a_book()
    for n in range(2):
        assert judge(a_kept_signal(), book, limits, NOW).objection is None
        book = book.with_entry(SYMBOL, f"trader {n}")
    assert _codes(a_kept_signal(), book, limits) == {"trading_limit"}


def test_each_objection_has_its_named_error_with_its_figures() -> None:
    def error(book: Book, **given: object) -> ExecutionError:
        signal = a_kept_signal(**given)
        objection = judge(signal, book, LIMITS, NOW).objection
        assert objection is not None
        return error_for(objection, signal)

    low = error(a_book(), confidence=0.5)
    assert isinstance(low, ConfidenceTooLow)
    assert (low.confidence, low.threshold) == (0.5, 0.7)
    full = error(a_book(holdings=FULL))
    assert isinstance(full, PositionLimitsExceeded)
    assert (full.current, full.max) == (5, 5)
    hourly = error(a_book(holdings=Holdings(trades=TradeCounts(10, 50))))
    assert isinstance(hourly, TradingLimitsExceeded)
    assert hourly.limit_type == "hourly"
    daily = error(a_book(holdings=Holdings(trades=TradeCounts(9, 50))))
    assert isinstance(daily, TradingLimitsExceeded)
    assert daily.limit_type == "daily"
    late = error(a_book(), expires_at=NOW - timedelta(minutes=5))
    assert isinstance(late, SignalExpired)
    assert late.signal_id == a_kept_signal().id
    assert ExecutionError.code == "execution_error"


@pytest.mark.parametrize(
    "wrong",
    [
        {"confidence_min": 1.1},
        {"confidence_min": float("nan")},
        {"stop_loss": "-0.1"},
        {"portfolio_fraction_per_position": 0},
        {"quantity_min": "NaN"},
        {"positions_max": -1},
        {"price_band": 1},
        {"trailing_stop": 0.1},
    ],
)
def test_a_limit_out_of_range_or_of_no_such_name_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Limits.model_validate(wrong)


def test_a_price_is_judged_by_its_own_symbols_age_whatever_the_others_are() -> None:
    prices = {SYMBOL: Quote(Decimal(50_000), NOW), "ETH/USD": Quote(Decimal(2_500), NOW - timedelta(seconds=31))}
    book = a_book(prices=prices, known_symbols=frozenset(prices))
    assert _codes(a_kept_signal(), book) == set()
    assert _codes(a_kept_signal(symbol="ETH/USD"), book) == {"no_price"}
