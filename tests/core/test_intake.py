from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import SeededChance
from engine.core.errors import BadInput
from engine.core.intake import addressed, new_signal
from engine.core.text import clean
from engine.core.values import NewSignal, Side, is_symbol
from tests.support.builders import NOW, a_signal

GOOD: dict[str, object] = {"symbol": "BTC/USDT", "side": "buy"}


def _take(raw: object, **given: Any) -> NewSignal:
    return new_signal(raw, 120.0, NOW, SeededChance(1).stream("ids"), **given)


def _refused(raw: object, **given: Any) -> BadInput:
    with pytest.raises(BadInput) as caught:
        _take(raw, **given)
    assert caught.value.problem
    assert caught.value.fix
    assert len(str(caught.value)) < 300
    return caught.value


def test_two_fields_are_enough() -> None:
    signal = _take(GOOD)
    assert (signal.symbol, signal.side, signal.confidence, signal.source) == ("BTC/USDT", Side.BUY, 1.0, "manual")
    assert signal.key == signal.signal_id
    assert len(signal.signal_id) == 16
    assert (signal.received_at, signal.expires_at) == (NOW, NOW + timedelta(seconds=120))
    assert signal.quantity is None
    assert signal.price is None
    assert not signal.reduces
    assert not signal.supersedes


def test_everything_given_is_kept() -> None:
    signal = _take(
        {
            "symbol": " btc/usdt:usdt ",
            "side": "SELL",
            "confidence": "0.85",
            "quantity": "0.0100",
            "price": 50_000,
            "source": "hook-1",
            "key": "order|42",
            "ttl": 0.5,
            "trader": "trader_a",
            "note": "seen\non\x1b[31m the wire",
        }
    )
    assert (signal.symbol, signal.side) == ("BTC/USDT:USDT", Side.SELL)
    assert (signal.confidence, str(signal.quantity), str(signal.price)) == (0.85, "0.0100", "50000")
    assert (signal.source, signal.key, signal.preferred_trader) == ("hook-1", "order|42", "trader_a")
    assert signal.expires_at == NOW + timedelta(seconds=0.5)
    assert signal.note == "seen on the wire"


def test_ids_differ_and_come_from_the_given_chance() -> None:
    ids = SeededChance(1).stream("ids")
    first, second = (new_signal(GOOD, 120.0, NOW, ids) for _ in range(2))
    assert first.signal_id != second.signal_id
    assert first.signal_id == _take(GOOD).signal_id


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        ("1e3", "1000"),
        (10**15, "1" + "0" * 15),
        ("+.5", "0.5"),
        (Decimal("2.50"), "2.50"),
    ],
)
def test_a_number_is_taken_as_it_was_written(given: object, kept: str) -> None:
    assert f"{_take({**GOOD, 'quantity': given}).quantity:f}" == kept


@given(st.floats(1e-12, 1e12))
def test_a_float_brings_no_noise(number: float) -> None:
    quantity = _take({**GOOD, "quantity": number}).quantity
    assert quantity is not None
    assert float(quantity) == number
    assert len(quantity.as_tuple().digits) <= 29


NO_AMOUNTS = {
    "nan": nan,
    "inf": inf,
    "minus inf": -inf,
    "zero": 0,
    "negative": -1,
    "minus zero": -0.0,
    "zero as text": "0",
    "nan as text": "NaN",
    "negative as text": "-1",
    "huge exponent": "1e999",
    "tiny exponent": "1e-999",
    "underscore": "1_000",
    "full width": "\uff11",
    "hexadecimal": "0x10",
    "empty": "",
    "blank": " ",
    "comma": "1,5",
    "boolean": True,
    "list": [],
    "object": {},
    "huge integer": 10**6000,
    "long text": "9" * 5000,
    "too large": "1e16",
    "too small": "1e-19",
    "decimal nan": Decimal("NaN"),
    "signalling nan": Decimal("sNaN"),
    "bytes": b"1",
}


@pytest.mark.parametrize("field", ["quantity", "price"])
@pytest.mark.parametrize("wrong", NO_AMOUNTS.values(), ids=NO_AMOUNTS)
def test_an_amount_must_be_a_positive_number_within_bounds(field: str, wrong: object) -> None:
    assert _refused({**GOOD, field: wrong}).field == field


def test_zero_is_refused_as_zero() -> None:
    assert _refused({**GOOD, "quantity": 0}).problem == "0 is not above 0"


@pytest.mark.parametrize("wrong", [nan, inf, -0.01, 1.01, "85", "high", True, [0.5]])
def test_a_confidence_is_from_0_to_1(wrong: object) -> None:
    assert _refused({**GOOD, "confidence": wrong}).field == "confidence"


@pytest.mark.parametrize("wrong", [0, 0.0009, 86_401, nan, "soon", -5])
def test_a_time_to_live_has_bounds(wrong: object) -> None:
    assert _refused({**GOOD, "ttl": wrong}).field == "ttl"


@pytest.mark.parametrize("right", [0.001, 86_400])
def test_a_time_to_live_at_its_bounds_passes(right: float) -> None:
    assert _take({**GOOD, "ttl": right}).expires_at == NOW + timedelta(seconds=right)


@pytest.mark.parametrize(
    "wrong", ["", "BTC", "BTC USDT", "BTC/USDT/EUR", "[/red]", "A" * 500, "BTC/\x00", 7, None, "ﬃ/ﬁ"]
)
def test_a_symbol_must_have_the_form_of_one(wrong: object) -> None:
    assert _refused({**GOOD, "symbol": wrong}).field == "symbol"


@pytest.mark.parametrize("wrong", ["hold", "long", "", 1, True, ["buy"]])
def test_a_side_is_buy_or_sell(wrong: object) -> None:
    assert _refused({**GOOD, "side": wrong}).field == "side"


@pytest.mark.parametrize("field", ["source", "key", "trader"])
@pytest.mark.parametrize("wrong", ["", "a b", "a" * 65, "-a", "a\nb", "a\x1b[31m", "ä", "[red]", "'; --", 5, "‮a"])
def test_names_are_short_and_of_plain_characters(field: str, wrong: object) -> None:
    assert _refused({**GOOD, field: wrong}).field == field


def test_a_note_is_text_of_bounded_length() -> None:
    assert len(_take({**GOOD, "note": "n" * 2_000}).note) == 2_000
    assert _refused({**GOOD, "note": "n" * 2_001}).problem == "it has 2001 characters"
    assert _refused({**GOOD, "note": 5}).field == "note"


def test_an_unknown_field_is_refused_with_the_name_that_was_meant() -> None:
    refusal = _refused({**GOOD, "confidense": 0.5})
    assert (refusal.field, refusal.fix) == ("confidense", "did you mean confidence?")
    assert "known: symbol, side" in _refused({**GOOD, "xyz": 1}).fix


def test_what_is_not_given_and_what_is_null_are_the_same() -> None:
    assert _take({**GOOD, "price": None, "key": None}) == _take(GOOD)
    assert _refused({"side": "buy"}).problem == "missing"


@pytest.mark.parametrize("raw", [None, [], "buy", 5, [GOOD]])
def test_a_signal_is_an_object(raw: object) -> None:
    assert _refused(raw).field == "signal"


def test_the_engines_own_sources_are_not_for_others() -> None:
    assert _refused({**GOOD, "source": "exit"}).field == "source"
    assert _refused({**GOOD, "source": "fastscalping"}, reserved={"fastscalping"}).field == "source"
    assert _refused({**GOOD, "source": "exit"}, reserved={"fastscalping"}).field == "source"
    assert _take({**GOOD, "source": "fastscalping"}).source == "fastscalping"


anything: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
fields = st.sampled_from(
    ["symbol", "side", "confidence", "quantity", "price", "source", "key", "ttl", "trader", "note"]
)


@given(st.dictionaries(fields | st.text(max_size=5), anything, max_size=5))
def test_whatever_comes_in_is_taken_or_refused_by_name_and_never_repeated_raw(raw: dict[str, object]) -> None:
    signal: NewSignal | None
    try:
        signal = _take({**GOOD, **raw})
    except BadInput as refusal:
        told = str(refusal)
        signal = None
    if signal is None:
        assert clean(told, 2_000) == told
        return
    assert is_symbol(signal.symbol)
    assert 0 <= signal.confidence <= 1
    assert signal.received_at < signal.expires_at
    assert all(amount is None or (amount.is_finite() and amount > 0) for amount in (signal.quantity, signal.price))


def test_whoever_only_hands_a_signal_over_does_not_pay_for_checking_it() -> None:
    code = "import sys, engine.core.intake; print(any(m in sys.modules for m in ('pydantic', 'numpy')))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


@pytest.mark.parametrize(("given", "meant"), [("trader_a", "trader_a"), ("a", "trader_a"), ("b", "b"), (None, None)])
def test_a_trader_is_found_by_its_name_or_by_what_the_screens_call_it(given: str | None, meant: str | None) -> None:
    assert addressed(a_signal(preferred_trader=given), ["trader_a", "b", "trader_b"]).preferred_trader == meant


@pytest.mark.parametrize(
    ("given", "fix"), [("momentun", "did you mean momentum?"), ("nobody", "known: momentum, spare")]
)
def test_a_signal_for_a_trader_that_is_not_there_goes_to_no_other_one(given: str, fix: str) -> None:
    with pytest.raises(BadInput) as refused:
        addressed(a_signal(preferred_trader=given), ["momentum", "spare"])
    assert str(refused.value) == f"trader: no trader is called '{given}' ({fix})"
