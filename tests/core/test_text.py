from __future__ import annotations

import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.text import clean, counted, figure

HOSTILE = ["\x1b", "\x9b", "\x00", "\x07", "\x7f", "\u202e", "\u2066", "\u200b", "\ufeff", "\ud800", "\ue000"]
hostile = st.text(st.sampled_from([*HOSTILE, "a", "[", "]", "m", "3", ";", "\n", "\u2028", "é", "字"]), max_size=60)


@given(st.text() | hostile, st.integers(1, 50))
def test_nothing_that_a_terminal_obeys_is_left(text: str, length_max: int) -> None:
    safe = clean(text, length_max)
    assert len(safe) <= length_max
    assert all(unicodedata.category(ch) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for ch in safe)


@given(st.text() | hostile)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = clean(text, 40)
    assert clean(once, 40) == once


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=100))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jgone", "gone"),
        ("one\r\ntwo\tthree", "one  two three"),
        ("a\u202eb\u200bc\ufeff", "abc"),
        ("a\x00b\x07c\x7f", "abc"),
        ("[red]as text[/]", "[red]as text[/]"),
        ("\ud800", ""),
        ("", ""),
    ],
)
def test_each_trick_is_taken_out(text: str, safe: str) -> None:
    assert clean(text) == safe


def test_what_is_cut_is_marked_and_what_is_only_cleaned_is_not() -> None:
    assert clean("x" * 11, 10) == "x" * 9 + "…"
    assert clean("x" * 10, 10) == "x" * 10
    assert clean("\x1b[31m" + "x" * 10, 10) == "x" * 10
    assert clean("\x00" * 1000 + "x", 10).endswith("…")
    assert len(clean("y" * 10_000_000, 500)) == 500


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("0.56889527509947775990947775799", "0.5688952751"),
        ("64012.50", "64012.5"),
        ("1E-7", "0.0000001"),
        ("1E+3", "1000"),
        ("12345678901234.5", "12345678901234"),
        ("-0.00", "0"),
        ("-2.50", "-2.5"),
        ("100", "100"),
    ],
)
def test_a_figure_has_the_digits_that_tell_enough(value: str, told: str) -> None:
    assert figure(Decimal(value)) == told


@given(st.decimals(-(10**15), 10**15, allow_nan=False, allow_infinity=False))
def test_a_figure_is_near_its_value_and_has_no_exponent(value: Decimal) -> None:
    told = figure(value)
    assert "E" not in told
    assert abs(Decimal(told) - value) <= max(abs(value) * Decimal("1e-9"), Decimal("1e-300"))


def test_one_is_one_and_all_else_is_several() -> None:
    assert [counted(n, "signal waits", "signals wait") for n in (0, 1, 2)] == [
        "0 signals wait",
        "1 signal waits",
        "2 signals wait",
    ]
    assert [counted(n, "signal") for n in (1, 2)] == ["1 signal", "2 signals"]
