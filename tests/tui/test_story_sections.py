"""A story as sections: every fact of it is there, in an order that can be read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some
from textual.content import Content

from engine.core.board import Story
from engine.core.events import EventKind
from engine.core.lifecycle import AttemptState, SignalState
from engine.core.order import Latency
from engine.core.reconcile import Asked, Evidence, Found
from tests.support.screen_bridge import HOSTILE
from tests.support.stories import (
    a_failed_story,
    a_held_story,
    a_review_story,
    a_signal,
    a_traded_story,
    an_attempt,
    an_event,
    at,
    hostile_story,
)
from tui.sections import Row, Section, lay, offset, price, row
from tui.stories import BAR_WIDTH, EVENTS_MAX, lookup, sections, story_json, waterfall
from tui.widgets.cells import Cell


def told(story: Story) -> dict[str, Section]:
    return {section.key: section for section in sections(story, at(30))}


def test_the_answer_to_why_comes_first() -> None:
    assert [s.key for s in sections(a_traded_story(), at(30))] == [
        "why",
        "facts",
        "votes",
        "gate",
        "traders",
        "timeline",
        "attempt-1",
        "events",
    ]


def test_every_fact_of_the_signal_is_told() -> None:
    story = a_traded_story()
    signal = replace(story.signal, note="by hand", key="k-1", parent_id="p-1", reduces=True, price=Decimal("64000.5"))
    text = told(replace(story, signal=signal))["facts"].plain
    for fact in (
        "done",
        "BTC/USDT",
        "buy (an exit)",
        "0.01",
        "limit 64000.5",
        "0.82",
        "strategies",
        "k-1",
        "by hand",
        "p-1",
    ):
        assert fact in text
    assert "2026-01-01 12:00:00Z" in text
    assert "12:00:00 (+240ms)" in text


def test_an_open_signal_tells_how_long_it_has_left() -> None:
    assert "12:02:00 (in 1m30s)" in told(a_held_story())["facts"].plain


def test_a_wish_to_cancel_that_waits_is_told() -> None:
    story = Story(a_signal(SignalState.EXECUTING, cancel_requested=True), (an_attempt(),), (), ())
    assert "an operator wants it cancelled" in told(story)["facts"].plain


def test_every_vote_is_told_with_its_weight_and_reason() -> None:
    text = told(a_traded_story())["votes"].plain
    assert "fast_scalping ▲ buy   0.91 × 0.4" in text  # noqa: RUF001 - a times sign is drawn
    assert "conservative_scalping · hold" in text
    assert "price is inside the Bollinger bands" in text


def test_every_rule_of_the_gate_is_told_with_its_fact_and_the_remedy_of_a_no() -> None:
    gate = told(a_held_story())["gate"]
    assert gate.note.startswith("2 yes, 1 no")
    assert "✓ enabled automated trading is on" in gate.plain
    assert "✗ within position limits 5 positions of 5 allowed" in gate.plain
    assert "→ close a position, or raise positions_max" in gate.plain


def test_the_last_look_of_the_gate_is_told_and_how_many_there_were() -> None:
    assert "the last of 3 looks" in told(a_failed_story())["gate"].note


def test_every_trader_considered_is_told_with_its_reason() -> None:
    text = told(a_traded_story())["traders"].plain
    assert "● trader_momentum chosen: preferred, and free" in text
    assert "○ trader_fastscalping breaker open 12 s more" in text


def test_an_attempt_is_told_with_ids_request_fills_and_the_parts_of_its_time() -> None:
    text = told(a_traded_story())["attempt-1"].plain
    story = a_traded_story()
    for fact in (
        story.attempts[0].client_order_id,
        "77120045",
        "buy 0.01 BTC/USDT at market",
        "not after 12:00:05",
        "2 % of 32,006 USDT",
        "0.01 of 0.01 at 64018.2, fee 0.640182",
        "0.006 at 64018.6667",
        "t2",
        "84ms",
        "143ms",
    ):
        assert fact in text


@pytest.mark.parametrize(("side", "words"), [("buy", "at most 64000"), ("sell", "at least 64000")])
def test_a_limit_is_told_by_its_side(side: str, words: str) -> None:
    story = a_traded_story()
    request = replace(story.attempts[0].request, price=Decimal(64000), side=type(story.signal.side)(side))
    attempt = replace(story.attempts[0], request=request)
    assert words in told(replace(story, attempts=(attempt,)))["attempt-1"].plain


def test_attempts_errors_and_evidence_are_told() -> None:
    parts = told(a_failed_story())
    assert "doubtful: no answer within 5 s" in parts["attempt-1"].plain
    assert "the venue's deadline has passed" in parts["attempt-1"].plain
    assert "3 lookups" in parts["attempt-1"].plain
    assert "refused: not enough free USDT" in parts["attempt-3"].plain


def test_kept_lookups_are_told_as_sentences() -> None:
    seen = Evidence(at(27), frozenset({Asked.CLIENT_ID, Asked.OPEN}), Found.NOTHING, "")
    assert lookup(seen.encode()) == "12:00:27 asked for the client order id, open orders; nothing found"
    failed = Evidence(at(27), frozenset({Asked.RECENT}), Found.ERROR, "HTTP 503")
    assert lookup(failed.encode()) == "12:00:27 asked for recent orders; no answer: HTTP 503"
    assert lookup("by hand: nothing") == "by hand: nothing"


def test_events_are_told_in_their_order_with_the_time_since_receipt() -> None:
    rows = told(a_traded_story())["events"].rows
    assert [r.label.text.strip() for r in rows] == ["+0ms", "+11ms", "+97ms", "+200ms", "+240ms", "+240ms"]
    assert "intent → accepted" in rows[2].plain


def test_the_evidence_of_a_lookup_stands_beside_its_event() -> None:
    assert "HTTP 503" in told(a_review_story())["events"].plain


def test_a_very_long_story_tells_its_newest_events_and_says_so() -> None:
    story = a_held_story()
    many = tuple(an_event(n, EventKind.GATED, n, f"look {n}") for n in range(EVENTS_MAX + 50))
    events = told(replace(story, events=many))["events"]
    assert len(events.rows) == EVENTS_MAX
    assert events.note == f"the newest {EVENTS_MAX} of {EVENTS_MAX + 50}"
    assert f"look {EVENTS_MAX + 49}" in events.rows[-1].plain


def test_what_has_not_happened_yet_is_said_in_words() -> None:
    parts = told(Story(a_signal(votes=()), (), (), ()))
    for key in ("votes", "gate", "traders", "attempts", "events"):
        assert parts[key].rows[0].plain


def test_a_copied_story_is_json_with_exact_decimals_and_times() -> None:
    document = json.loads(story_json(a_traded_story()))
    assert document["signal"]["quantity"] == "0.0100"
    assert document["signal"]["received_at"] == "2026-01-01T12:00:00Z"
    assert document["attempts"][0]["state"] == "filled"
    assert document["fills"][1][1]["price"] == "64018.6667"
    assert document["events"][1]["detail"]["considered"][1]["chosen"] is True


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_told_clean(text: str) -> None:
    for section in sections(hostile_story(text), at(30)):
        for line in lay(section, 80):
            assert not any(ch < " " or "\x7f" <= ch <= "\x9f" or ch in "\u202e\u2069\u200b" for ch in line.plain)
            assert line.cell_length <= 80


seconds = some.one_of(some.none(), some.floats(0, 1e6, allow_nan=False))


@given(some.builds(Latency, seconds, seconds, seconds, seconds, seconds), some.integers(1, 60))
def test_a_waterfall_stays_within_its_width_and_never_goes_back(latency: Latency, width: int) -> None:
    begin = 0
    for _, bar, _ in waterfall(latency, width):
        assert 0 < len(bar) <= width
        start = len(bar) - len(bar.lstrip())
        assert bar.strip() == "▇" * (len(bar) - start)
        assert start >= begin
        begin = start


def test_a_waterfall_leaves_out_what_was_not_reached() -> None:
    assert [part for part, _, _ in waterfall(Latency(waiting=1.0, gating=0.5))] == ["waiting", "gating"]
    assert waterfall(Latency()) == []


def test_the_longest_part_has_the_longest_bar() -> None:
    bars = {part: len(bar.strip()) for part, bar, _ in waterfall(a_traded_story().attempts[0].latency)}
    assert max(bars, key=lambda part: bars[part]) == "filled"
    assert bars["filled"] > BAR_WIDTH // 2


def shown(section: Section, width: int) -> list[str]:
    return [line.plain.rstrip() for line in lay(section, width)]


def test_long_texts_hang_beside_their_label() -> None:
    section = Section("a", Cell("A"), (row("note", "one two three four five"),))
    assert shown(section, 16) == ["note  one two", "      three four", "      five"]


def test_paired_rows_stand_in_two_columns_where_there_is_room() -> None:
    section = Section(
        "a", Cell("A"), (row("x", "1"), row("y", "2"), row("z", "3"), row("all", "4", wide=True)), paired=True
    )
    assert shown(section, 80) == [f"{'x    1':<39}  z    3", "y    2", "all  4"]
    assert shown(section, 40) == ["x    1", "y    2", "z    3", "all  4"]


@pytest.mark.parametrize(
    ("value", "text"),
    [("0.5562164678809788654060066741", "0.5562164679"), ("64012.50", "64012.5"), ("123456789012.4", "123456789012")],
)
def test_average_prices_have_ten_digits_at_most_or_all_before_the_point(value: str, text: str) -> None:
    assert price(Decimal(value)) == text


labels = some.text(some.sampled_from("ab漢 [/]"), max_size=40)
texts = some.text(some.sampled_from("ab漢字 [red]\n"), max_size=200)
rows = some.builds(lambda label, text, wide: Row(Cell(label), (Cell(text),), wide), labels, texts, some.booleans())


@given(some.lists(rows, max_size=6), some.booleans(), some.integers(10, 200))
def test_no_line_is_wider_than_its_place(items: list[Row], paired: bool, width: int) -> None:
    for line in lay(Section("a", Cell("A"), tuple(items), paired=paired), width):
        assert isinstance(line, Content)
        assert line.cell_length <= width


@pytest.mark.parametrize(
    ("moment", "text"), [(at(0.084), "+84ms"), (at(125), "+2m05s"), (at(-3), "-3.0s"), (at(0), "+0ms")]
)
def test_times_are_told_from_the_receipt(moment: datetime, text: str) -> None:
    assert offset(moment, at(0)) == text


@pytest.mark.parametrize("state", list(AttemptState))
def test_every_attempt_state_can_be_told(state: AttemptState) -> None:
    story = Story(a_signal(SignalState.EXECUTING), (an_attempt(state),), (), ())
    assert told(story)["attempt-1"].rows
