"""The parts of the dashboard that need no terminal: status line, room for panels, pace, hints."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.geometry import Region, Size

from engine.core.board import EngineState, Headline
from engine.core.feeds import FeedStanding, FeedState
from engine.core.values import Mode
from tests.support.boards import NOON, a_board, a_row, an_empty_board, before, some_facts
from tui.banner import banner_words
from tui.deck import Arrangement, View, arrangement_for, regions
from tui.pace import (
    FACTOR_MAX,
    LOCAL_S,
    QUICK_TICKS,
    REMOTE_S,
    WISHED_MAX_S,
    WISHED_MIN_S,
    Pace,
    base_interval,
)
from tui.panels.base import Scene, make_panels
from tui.panels.queue import draw_queue
from tui.statusline import Freshness, feed_age, freshness, line
from tui.widgets.cells import Cell
from tui.widgets.hints import Hint, fitting, gathered
from tui.widgets.hints import line as hint_line

PLACES = {panel.number: panel.place for panel in make_panels()}


@given(st.integers(1, 240), st.integers(1, 80), st.sampled_from(list(PLACES)), st.booleans())
def test_panels_never_overlap_and_never_leave_the_screen(width: int, height: int, chosen: int, is_big: bool) -> None:
    size = Size(width, height)
    placed = regions(PLACES, View(arrangement_for(size), chosen, is_big), size)
    everything = Region(0, 0, width, height)
    assert all(everything.contains_region(region) for region in placed.values())
    assert all(region.area for region in placed.values())
    for n, one in placed.items():
        assert not any(one.overlaps(other) for m, other in placed.items() if m != n)
    if placed:
        assert chosen in placed


@pytest.mark.parametrize("chosen", list(PLACES))
def test_at_80_by_24_the_panel_in_use_is_big_and_the_others_keep_their_place(chosen: int) -> None:
    placed = regions(PLACES, View(Arrangement.STACK, chosen), Size(80, 22))
    assert sum(region.height for region in placed.values()) == 22
    told = [n for n, _ in sorted(placed.items(), key=lambda item: item[1].y)]
    assert told == ([5, 1, 2, 6, 3, 4] if chosen == 6 else [5, 1, 2, 3, 4]), "the inspector is there while it is in use"
    assert max(placed, key=lambda n: placed[n].height) == chosen
    assert placed[chosen].height >= 13


def test_wide_screens_have_two_columns_whose_panels_meet() -> None:
    placed = regions(PLACES, View(Arrangement.COLUMNS, 1), Size(120, 38))
    assert placed[1].width == placed[4].width == 74
    assert placed[1].bottom == placed[4].y == placed[2].bottom == placed[3].y
    tall = regions(PLACES, View(Arrangement.COLUMNS, 1), Size(120, 128))
    assert tall[5].height == 32, "two charts are not stretched"
    assert 6 not in placed


def test_in_two_columns_the_inspector_takes_the_right_one_while_it_is_in_use() -> None:
    placed = regions(PLACES, View(Arrangement.COLUMNS, 6), Size(120, 38))
    assert set(placed) == {1, 4, 6}
    assert placed[6] == Region(74, 0, 46, 38)


def test_no_more_columns_are_made_than_the_operator_wants() -> None:
    wide = Size(240, 67)
    wanted = [arrangement_for(wide, columns_max) for columns_max in (1, 2, 3)]
    assert wanted == [Arrangement.STACK, Arrangement.COLUMNS, Arrangement.THREE]
    assert arrangement_for(Size(80, 24), 3) is Arrangement.STACK


def test_wider_screens_have_three_columns_and_the_inspector_in_the_last() -> None:
    placed = regions(PLACES, View(arrangement_for(Size(200, 60)), 1), Size(200, 58))
    assert [placed[n].x for n in (1, 4, 5, 2, 6, 3)] == [0, 0, 90, 90, 144, 144]
    assert placed[6].right == 200
    assert placed[3].bottom == placed[2].bottom == placed[4].bottom == 58


@given(st.integers(1, 240))
def test_the_status_line_fits_every_width(width: int) -> None:
    drawn = line(a_board(), NOON, width, [Cell("READ-ONLY", "$stale")])
    assert cell_len(drawn.plain) <= width


@given(st.integers(50, 240))
def test_what_matters_most_never_leaves_the_status_line(width: int) -> None:
    words = line(a_board(), NOON, width).plain.split()
    assert {"DEMO", "RUN", "0.3s", "41", "1"} <= set(words)


def test_wider_lines_never_say_less() -> None:
    told = [set(line(a_board(), NOON, width).plain.split()) - {"q", "tr", "al", "?"} for width in range(60, 200)]
    assert all(len(narrow) <= len(wide) for narrow, wide in pairwise(told))


def test_the_status_line_without_numbers_has_dashes() -> None:
    words = line(an_empty_board(), NOON, 200).plain.split()
    assert words[words.index("ok") + 1] == "–"  # noqa: RUF001 - the dash that stands for no number


@pytest.mark.parametrize(("speed", "told"), [("1", []), ("5", ["5x"]), ("max", ["max"])])
def test_time_that_does_not_pass_as_it_does_is_told_beside_the_clock(speed: str, told: list[str]) -> None:
    words = line(a_board(engine=some_facts(speed=speed)), NOON, 160).plain.split()
    clock = next(n for n, word in enumerate(words) if word.count(":") == 2)
    assert words[clock + 1 :] == told


def test_a_line_that_is_halted_or_manual_says_so() -> None:
    halted = replace(some_facts(), mode=Mode.LIVE, state=EngineState.HALTED)
    assert line(a_board(engine=halted), NOON, 120).plain.split()[:2] == ["LIVE", "HALTED"]
    manual = replace(some_facts(), automated=False)
    assert "AUTO OFF" in line(a_board(engine=manual), NOON, 120).plain
    capped = a_board(headline=Headline(queue=200, queue_capped=True))
    assert "200+" in line(capped, NOON, 120).plain


@pytest.mark.parametrize(
    ("beat_s", "feed_s", "expected"),
    [
        (0.5, 0.5, Freshness.FRESH),
        (2.0, 0.0, Freshness.AGEING),
        (5.0, 0.0, Freshness.STALE),
        (0.5, 12.0, Freshness.FRESH),
        (0.5, 16.0, Freshness.AGEING),
        (0.5, 31.0, Freshness.STALE),
    ],
)
def test_heartbeat_and_feed_have_limits_of_their_own(beat_s: float, feed_s: float, expected: Freshness) -> None:
    engine = replace(some_facts(), beat_at=before(beat_s), market_at=NOON, feed_last_at=before(feed_s))
    assert freshness(engine, NOON) is expected


def test_a_recording_that_has_ended_is_not_stale() -> None:
    engine = replace(some_facts(), feed_finished=True, feed_last_at=before(9_000))
    assert feed_age(engine) is None
    assert freshness(engine, NOON) is Freshness.FRESH
    assert "ended" in line(a_board(engine=engine), NOON, 120).plain
    assert freshness(None, NOON) is Freshness.FRESH
    assert feed_age(None) is None


def test_the_banner_says_the_worst_first() -> None:
    halted = a_board(engine=replace(some_facts(), state=EngineState.HALTED, halted_by="ada"))
    assert "died" in banner_words(halted, "unreadable", "StoreFull")[0].text
    assert "cannot be read" in banner_words(halted, "unreadable", "")[0].text
    assert "HALTED by ada" in banner_words(halted, "", "")[0].text
    assert "opening" in banner_words(None, "", "")[0].text
    assert banner_words(a_board(), "", "") == ()


def test_slow_ticks_halve_the_rate_and_quick_ones_bring_it_back() -> None:
    pace = Pace(LOCAL_S)
    for _ in range(10):
        pace.note(0.2)
    assert pace.interval_s == LOCAL_S * FACTOR_MAX
    assert pace.is_slowed
    for _ in range(QUICK_TICKS * 3):
        pace.note(0.01)
    assert pace.interval_s == LOCAL_S
    pace.is_away = True
    assert pace.interval_s == LOCAL_S * 2
    assert not pace.is_slowed


def test_an_operator_makes_it_faster_and_slower_within_bounds() -> None:
    pace = Pace(LOCAL_S)
    for _ in range(9):
        pace.faster()
    assert pace.interval_s == WISHED_MIN_S
    for _ in range(9):
        pace.slower()
    assert pace.interval_s == WISHED_MAX_S
    tiny = Pace(0.05)  # the configuration may ask for more than the keys do
    tiny.faster()
    assert tiny.interval_s == 0.05


def test_ticks_that_are_neither_slow_nor_quick_change_nothing() -> None:
    pace = Pace(1.0)
    pace.note(0.2)
    for _ in range(100):
        pace.note(0.07)
    assert pace.interval_s == 2.0


def test_over_ssh_the_screen_is_drawn_half_as_often() -> None:
    assert base_interval({}) == LOCAL_S
    assert base_interval({"SSH_CONNECTION": "10.0.0.1 5 10.0.0.2 22"}) == REMOTE_S


@given(st.integers(1, 120))
def test_hints_fit_and_the_way_to_all_others_stays_at_the_end(width: int) -> None:
    hints = [
        Hint("X", "Cancel", is_on=False),
        Hint("P", "Pause all", is_on=True),
        Hint("?", "Help", is_on=True, group="Program"),
    ]
    drawn = hint_line(hints, width).plain
    assert cell_len(drawn) <= max(width, 1)
    if width >= hints[-1].width:
        assert drawn.rstrip().endswith("Help")


def test_a_key_that_does_nothing_now_is_not_offered_however_much_room_there_is() -> None:
    hints = [
        Hint("X", "Cancel", is_on=False),
        Hint("P", "Pause all", is_on=True),
        Hint("?", "Help", is_on=True, group="Program"),
    ]
    for width in (22, 200):
        assert "Cancel" not in hint_line(hints, width).plain
        assert "Pause all" in hint_line(hints, width).plain
    assert hint_line([], 10).plain == ""


def test_neighbours_of_a_group_share_a_hint_and_one_alone_keeps_its_own() -> None:
    back = Hint("esc", "Back", is_on=True, presses=("escape",))
    copies = [
        Hint("y", "Copy id", is_on=True, group="Copy", presses=("y",)),
        Hint("Y", "Copy JSON", is_on=True, group="Copy", presses=("Y",)),
    ]
    alone = Hint("a", "Acknowledge", is_on=True, group="Act", presses=("a",))
    assert [(hint.key, hint.says, hint.is_on) for hint in gathered([back, *copies, alone])] == [
        ("esc", "Back", True),
        ("y Y", "Copy", True),
        ("a", "Acknowledge", True),
    ]
    assert hint_line(gathered([back, *copies, alone]), 60).plain == " esc Back  y Y Copy  a Acknowledge "
    copies[0] = copies[0]._replace(is_on=False)
    assert hint_line(gathered([back, *copies, alone]), 60).plain == " esc Back  Y Copy JSON  a Acknowledge "


def test_a_click_on_a_hint_means_the_key_under_it() -> None:
    shared = Hint("h ctrl+l f", "Chart", is_on=True, presses=("h", "ctrl+l", "f"))
    assert [shared.pressed(at) for at in (0, 1, 2, 3, 8, 9, 10, 11, 14)] == [
        "h", "h", "h", "ctrl+l", "ctrl+l", "h", "f", "h", "h",
    ]  # fmt: skip
    assert fitting([shared, shared], 60)[1] == (18, shared)


def test_a_moment_is_enough_to_age() -> None:
    engine = some_facts()
    assert freshness(engine, NOON + timedelta(seconds=1.5)) is Freshness.FRESH
    assert freshness(engine, NOON + timedelta(seconds=1.8)) is Freshness.AGEING


def test_an_exchange_that_ails_stands_in_the_status_line_and_one_that_is_well_does_not() -> None:
    well, dead = FeedStanding("binance", FeedState.LIVE), FeedStanding("kraken", FeedState.DEAD)
    off = FeedStanding("coinbase", FeedState.CLOCK_OFF)
    for feeds, words in (
        ((well,), ""),
        ((well, dead), "feed kraken dead "),
        ((well, dead, off), "feed kraken dead +1"),
        ((well, off), "feed coinbase clock off "),
        ((FeedStanding("okx", FeedState.CONNECTING), off), "feed coinbase clock off +1"),
    ):
        drawn = line(a_board(engine=some_facts(feeds=feeds)), NOON, 160).plain
        assert (words in drawn) if words else ("feed" not in drawn)


@pytest.mark.parametrize(
    ("trader", "reason", "told"),
    [
        ("trader_a", "attempt 1 was refused: trader_a: not enough money", "a: refused: not enough money"),
        (
            "trader_a",
            "attempt 2 never reached the venue; tried again in 0.4 s",
            "a: never reached the venue; tried again in 0.4 s",
        ),
        ("trader_a", "trader_b: holds nothing to sell", "a: trader_b: holds nothing to sell"),
        ("", "confidence 0.35 is below 0.6", "confidence 0.35 is below 0.6"),
    ],
)
def test_why_a_row_stands_where_it_does_begins_with_what_happened(trader: str, reason: str, told: str) -> None:
    scene = Scene(a_board(), NOON)
    drawn = draw_queue([a_row(1, "rejected", trader=trader, reason=reason)], scene)
    [row] = [one.entry for one in drawn.values()]
    assert row.row.cells[-1].text == told
    assert reason in row.facts["reason"], "a filter finds all of it"
