"""Filters: what one takes, and why it took nothing."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from tests.support.screen_bridge import Showing, play_store, press, text_of
from tests.support.stage import Stage, perform, table_of
from tests.tui.test_list_screens import a_screen, three_wishes
from tui.filters import LEVEL_CHOICES, NOTHING_MATCHES, SIGNAL_CHOICES, TRADER_CHOICES, Filter, hint_of

ROWS = [
    {"id": "00ff", "symbol": "BTC/USDT:USDT", "side": "buy", "state": "done done", "reason": "at 12:31 by hand"},
    {
        "id": "01ff",
        "symbol": "ETH/USDT",
        "side": "sell",
        "state": "expired expired",
        "reason": "see https://a.example/x",
    },
]


@pytest.mark.parametrize(
    ("text", "excuse"),
    [
        ("foo:bar", "no field is called foo; fields: id, symbol, side, state, reason"),
        ("btc foo:", "no field is called foo; fields: id, symbol, side, state, reason"),
        ("-state:done -state:expired", NOTHING_MATCHES),
        ("side:long", "no side long; buy, sell"),
        (
            "STATE:Rejectd",
            "no state rejectd; new, waiting, executing, done, expired, cancelled, rejected, failed, needs_review",
        ),
        ("state:rejected", NOTHING_MATCHES),
        ("state:review", NOTHING_MATCHES),
        ("symbol:doge", NOTHING_MATCHES),
        ("12:30", NOTHING_MATCHES),
        ("https://b.example", NOTHING_MATCHES),
        ("http://b.example side:hold", "no side hold; buy, sell"),
        ("nobody", NOTHING_MATCHES),
    ],
)
def test_a_filter_that_takes_nothing_says_which_word_is_to_blame(text: str, excuse: str) -> None:
    typed = Filter(text)
    assert not any(typed.takes(row) for row in ROWS)
    assert typed.excuse(ROWS, SIGNAL_CHOICES) == excuse


@pytest.mark.parametrize("text", ["12:31", "usdt:usdt", "https://a.example", "btc/usdt:usdt"])
def test_a_colon_in_what_a_row_says_is_found_as_it_is_written(text: str) -> None:
    assert sum(Filter(text).takes(row) for row in ROWS) == 1
    assert Filter(f"{text} nobody").excuse(ROWS, SIGNAL_CHOICES) == NOTHING_MATCHES


def test_where_there_are_no_rows_no_field_is_blamed() -> None:
    assert Filter("foo:bar").excuse([], SIGNAL_CHOICES) == NOTHING_MATCHES


def test_each_word_that_a_trader_or_a_level_can_be_is_known() -> None:
    assert Filter("state:half").excuse([{"state": "up"}], TRADER_CHOICES) == NOTHING_MATCHES
    assert Filter("level:loud").excuse([{"level": "error ERR"}], LEVEL_CHOICES) == "no level loud; info, warning, error"
    assert Filter("level:err").takes({"level": "error ERR"})


def test_the_empty_bar_names_the_fields() -> None:
    assert hint_of(ROWS) == "words, or field:value with id, symbol, side, state, reason; -word leaves out"
    assert "field:value" in hint_of([])


def test_the_dashboard_says_why_its_table_is_empty_and_what_can_be_asked_for() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("slash")
        assert "words, or field:value with id, symbol, side, state, trader, source, reason" in stage.text
        await stage.press(*"foo:bar")
        assert "no field is called foo; fields: id, symbol, side, state, trader, source," in stage.text
        assert "reason" in stage.text.split("source,")[1], "what does not fit in a line goes on in the next"
        assert table_of(stage, 1).shown == 0
        await stage.press("escape", "4", "slash", *"level:loud")
        assert "no level loud; " in stage.text
        await stage.press("escape", "slash", *"level:error")
        assert table_of(stage, 4).shown > 0

    perform(scene)


def test_a_list_says_why_it_is_empty_and_what_can_be_asked_for() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "slash")
        assert "field:value with operator, wish, target, state, told" in text_of(app)
        await press(app, pilot, *"state:rejectd")
        assert "no state rejectd; posted, done, refused" in text_of(app)

    play_store(a_screen, three_wishes, script)
