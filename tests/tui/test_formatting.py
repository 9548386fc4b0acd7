"""How times, numbers and states are written."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.core.board import MinutePoint
from engine.core.events import AlertState, BreakerState, Desired, Health, Level, Severity, TraderState
from engine.core.lifecycle import AttemptState, SignalState
from tests.support.boards import HOSTILE, NOON, a_board, a_row, before, some_facts
from tui.filters import Filter
from tui.formatting import (
    ATTEMPT_SIGNS,
    NOTHING,
    SIGNAL_SIGNS,
    age,
    alert_sign,
    aligned,
    beside,
    decimal,
    duration,
    foreign,
    level_cell,
    market_now,
    per_minute,
    percent,
    rate_style,
    since,
    trader_sign,
)
from tui.panels.alerts import alert_entry
from tui.panels.base import Scene
from tui.panels.errors import error_entry
from tui.panels.queue import draw_queue
from tui.panels.success import rates, scale_for, trend
from tui.panels.traders import trader_entry
from tui.plain import TABLE, is_plain

SCENE = Scene(a_board(), NOON)
UP = TraderState("one", "paper", health=Health.UP)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0.9, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h"),
        (172_799, "47h"),
        (172_800, "2d"),
    ],
)
def test_ages_are_on_one_scale(seconds: float, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, NOTHING),
        (float("nan"), NOTHING),
        (0, "0ms"),
        (0.0004, "<1ms"),
        (0.084, "84ms"),
        (0.9994, "999ms"),
        (0.9996, "1.0s"),
        (1.24, "1.2s"),
        (9.96, "10s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (185, "3m05s"),
        (7_440, "2h04m"),
    ],
)
def test_durations_have_the_unit_that_reads_best(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@given(st.floats(0, 1e9))
def test_ages_and_durations_stay_short(seconds: float) -> None:
    assert len(age(seconds)) <= 6
    assert len(duration(seconds)) <= 10


@pytest.mark.parametrize(
    ("rate", "text"),
    [(None, NOTHING), (1.0, "100%"), (0.982, "98.2%"), (0.99999, "99.9%"), (0.0, "0.0%"), (0.57, "57.0%")],
)
def test_a_rate_is_never_rounded_up_to_a_hundred(rate: float | None, text: str) -> None:
    assert percent(rate) == text


@given(st.integers(0, 999))
def test_a_rate_keeps_its_digits(thousandths: int) -> None:
    assert percent(thousandths / 1000) == f"{thousandths / 10:.1f}%"


@given(st.lists(st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=0, max_value=10**9)))
def test_decimal_points_stand_under_each_other(values: list[Decimal | None]) -> None:
    texts = aligned(values)
    assert len({len(t) for t in texts}) <= 1
    assert len({t.index(".") for t in texts if "." in t}) <= 1
    for text, value in zip(texts, values, strict=True):
        if value is not None:
            assert Decimal(text.strip()) == value


def test_where_points_cannot_stand_under_each_other_every_digit_is_shown() -> None:
    values = [Decimal("1318.4"), Decimal("0.002848"), None]
    assert aligned(values, 8) == ["1318.4", "0.002848", NOTHING]
    assert [len(text) for text in aligned(values, 20)] == [11, 11, 11]


@pytest.mark.parametrize(
    ("value", "text"), [("1E+3", "1000"), ("0.00010000", "0.0001"), ("-0.0", "0"), ("NaN", NOTHING), ("140", "140")]
)
def test_decimals_have_plain_digits(value: str, text: str) -> None:
    assert decimal(Decimal(value)) == text


@pytest.mark.parametrize(("rate", "text"), [(0, "0"), (0.4, "0.4"), (3.0, "3"), (11.4, "11")])
def test_counts_a_minute_are_short(rate: float, text: str) -> None:
    assert per_minute(rate) == text


def test_every_state_has_a_glyph_a_word_and_no_emoji() -> None:
    assert set(SIGNAL_SIGNS) == {s.value for s in SignalState}
    assert set(ATTEMPT_SIGNS) == {s.value for s in AttemptState}
    for sign in (*SIGNAL_SIGNS.values(), *ATTEMPT_SIGNS.values()):
        assert cell_len(sign.glyph) == 1
        assert sign.word


@pytest.mark.parametrize(
    ("trader", "says"),
    [
        (UP, "up"),
        (replace(UP, health=Health.DEGRADED), "slow"),
        (replace(UP, health=Health.UNCHECKED), "unchecked"),
        (replace(UP, health=Health.DOWN), "down"),
        (replace(UP, breaker=BreakerState.HALF_OPEN), "half open"),
        (replace(UP, breaker=BreakerState.OPEN), "open"),
        (replace(UP, breaker=BreakerState.OPEN, open_until=before(-27)), "open 27s"),
        (replace(UP, breaker=BreakerState.FORCED_OPEN), "locked out"),
        (replace(UP, quarantined=True, health=Health.DOWN), "quarantined"),
        (replace(UP, desired=Desired.PAUSE, health=Health.DOWN), "paused"),
    ],
)
def test_a_trader_is_named_by_what_an_operator_has_to_know_first(trader: TraderState, says: str) -> None:
    assert trader_sign(trader, NOON).word == says


def test_an_alert_that_nobody_has_seen_stands_out_and_a_resolved_one_is_quiet() -> None:
    assert "reverse" in alert_sign(Severity.CRITICAL, AlertState.ACTIVE).style
    assert alert_sign(Severity.CRITICAL, AlertState.ACKNOWLEDGED).word == "seen"
    assert alert_sign(Severity.CRITICAL, AlertState.RESOLVED).style == "$muted"


def test_levels_and_rates_have_the_colours_of_their_meaning() -> None:
    assert level_cell(Level.ERROR).style == "$error"
    assert level_cell(Level.INFO).text == "INFO"
    assert [rate_style(r) for r in (None, 0.89, 0.92, 0.96)] == ["$muted", "bold $error", "bold $warning", "bold $ok"]
    assert since(None, NOON) == NOTHING


def test_the_markets_time_is_the_systems_unless_a_recording_plays() -> None:
    live = some_facts()
    assert market_now(live, NOON) == NOON
    assert market_now(None, NOON) == NOON
    past = replace(live, market_at=before(86_400), beat_at=before(1), speed="4")
    assert market_now(past, NOON) == before(86_400) + timedelta(seconds=4)
    assert market_now(past, NOON + timedelta(hours=1)) == before(86_400) + timedelta(seconds=8), "a dead engine"
    assert market_now(replace(past, speed="max"), NOON) == before(86_400)


def test_a_queue_row_tells_who_has_it_and_why_it_waits() -> None:
    rows = (a_row(1, "waiting"), a_row(2, "failed"), a_row(3, "done"), a_row(4, "new", cancel_requested=True))
    told = [drawn.entry.row.cells[-1].text for drawn in draw_queue(rows, SCENE).values()]
    assert told == [
        "5 positions of 5 allowed",
        "momentum: 3 attempts, none became an order: connection refused",
        "momentum",
        "cancel is noted; it acts once its order's outcome is known",
    ]


def test_a_wish_without_an_answer_stands_in_place_of_the_state() -> None:
    scene = Scene(a_board(), NOON, {"one": "pausing", "7": "noting"})
    assert trader_entry(UP, scene).row.cells[1].text == "… pausing"
    assert alert_entry(scene.board.alerts[0], scene).row.cells[0].text == "… noting"


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_foreign_text_in_any_row_is_one_harmless_line(text: str) -> None:
    board = a_board()
    signal = replace(board.queue[0], symbol=text, side=text, state=text, reason=text, trader=text)
    entries = [
        draw_queue([signal], SCENE)[signal.id].entry,
        trader_entry(replace(UP, name=text, health_fact=text), SCENE),
        alert_entry(replace(board.alerts[0], text=text, subject=text), SCENE),
        error_entry(replace(board.errors[0], text=text, trader=text, code=text, signal_id=text)),
    ]
    for entry in entries:
        for cell in entry.row.cells:
            assert len(cell.text) <= 430
            assert cell.text.isprintable() or not cell.text


def test_the_filter_finds_words_in_fields_in_all_of_them_and_in_none() -> None:
    facts = {"symbol": "BTC/USDT", "state": "failed", "reason": "connection refused"}
    assert Filter("").takes(facts)
    assert Filter("btc REFUSED").takes(facts)
    assert Filter("state:fail").takes(facts)
    assert not Filter("state:refused").takes(facts)
    assert not Filter("btc done").takes(facts)
    assert not Filter("-btc").takes(facts)
    assert Filter("-state:done").takes(facts)
    assert not Filter("nofield:x").takes(facts)
    assert not Filter("  ")


@given(st.text(max_size=40))
def test_no_filter_text_breaks_it(text: str) -> None:
    Filter(text).takes({"symbol": "BTC/USDT"})


def test_what_is_under_way_is_no_failure_until_its_time_is_up() -> None:
    young = MinutePoint(before(30), attempts=4, successes=2, failures=0)
    old = replace(young, at=before(150))
    quiet = MinutePoint(before(90), received=3)
    waiting = MinutePoint(before(10), attempts=1)
    assert rates((old, quiet, young, waiting), NOON) == [0.5, None, 1.0, None]


def test_the_rate_axis_opens_downwards_only_when_it_must() -> None:
    assert scale_for([0.9, None]).low == 0.5
    assert scale_for([0.9, 0.2]).low == 0.0
    assert trend([0.5, 0.5, 0.5, 0.9]).text == "▲"
    assert trend([0.9, 0.9, 0.9, 0.5]).text == "▼"
    assert trend([0.9, 0.9, 0.9, 0.9]).text == "="
    assert trend([None, 0.9]).text == " "


def test_plain_glyphs_have_the_width_of_what_they_replace() -> None:
    assert all(ord(plain) < 128 and len(plain) == 1 for plain in TABLE.values())
    assert foreign("● up ⣀").translate(TABLE) == "* up *"


@pytest.mark.parametrize(
    ("environ", "encoding", "plain"),
    [
        ({}, "utf-8", False),
        ({}, "UTF8", False),
        ({}, None, False),
        ({}, "ascii", True),
        ({}, "latin-1", True),
        ({"SIGNALDECK_ASCII": "1"}, "utf-8", True),
        ({"SIGNALDECK_ASCII": "off"}, "ascii", False),
    ],
)
def test_only_ascii_is_drawn_where_only_ascii_can_be(
    environ: dict[str, str], encoding: str | None, plain: bool
) -> None:
    assert is_plain(environ, encoding) is plain


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("attempt 1 by north: refused: not enough money", "refused: not enough money"),
        ("attempt 3 by north: outcome unknown: reset", "attempt 3: outcome unknown: reset"),
        ("attempt # by north: refused", "refused"),
        ("north: health down", "health down"),
        ("north holds 3 BTC/USDT", "holds 3 BTC/USDT"),
        ("northern light: on", "northern light: on"),
        ("attempt 1 by south: refused", "attempt 1 by south: refused"),
        ("attempt 12 of what north did", "attempt 12 of what north did"),
        ("", ""),
    ],
)
def test_where_its_trader_stands_beside_an_entry_its_words_do_not_begin_with_it(text: str, told: str) -> None:
    assert beside("north", text) == told
    assert beside("", text) == text
    assert beside("a.b", "axb: odd") == "axb: odd", "a name is no pattern"
