"""The market's screen: what it draws at every size, and what every key of it does."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import Static

from engine.clock import ManualClock
from engine.core.board import EngineFacts
from engine.core.feeds import FeedStanding, FeedState
from engine.core.values import Position
from engine.store.sqlite import SqliteStore
from tests.support.builders import NOW, a_signal
from tests.support.markets import FILLED, LATER, OTHERS, REFUSED, SYMBOL, a_market, candles_up_to_now
from tests.support.screen_bridge import (
    HOSTILE,
    RecordingBridge,
    Showing,
    is_clean,
    is_on,
    on_story,
    play_store,
    press,
    text_of,
)
from tests.support.stories import a_board, a_traded_story, at
from tui.screens.market import MarketScreen
from tui.screens.signal_list import SignalListScreen
from tui.screens.story import StoryScreen

SIZES = [(60, 15), (80, 24), (120, 40), (200, 60)]
Fill = Callable[[SqliteStore], Awaitable[object]]
Script = Callable[[MarketScreen, Showing, Pilot[None]], Awaitable[None]]


def watch(
    script: Script,
    *,
    fill: Fill = a_market,
    symbol: str | None = SYMBOL,
    size: tuple[int, int] = (80, 24),
    engine: EngineFacts | None = None,
    positions: tuple[Position, ...] = (),
    seconds: float = 3,
) -> None:
    """Let `script` use the screen over a store that `fill` has written to, `seconds` after the last candle closed."""

    async def whole(app: Showing, pilot: Pilot[None]) -> None:
        assert isinstance(app.screen, MarketScreen)
        await pilot.pause()
        await pilot.pause()
        await script(app.screen, app, pilot)

    def make(bridge: RecordingBridge) -> MarketScreen:
        told = engine or replace(a_board().engine or _none(), feed="synthetic", feed_last_at=NOW)
        told = replace(told, beat_at=at(seconds), market_at=at(seconds))
        bridge.show(a_board(engine=told, positions=positions))
        return MarketScreen(bridge, symbol, clock=ManualClock(at(seconds)))

    play_store(make, fill, whole, size)


def _none() -> EngineFacts:
    raise AssertionError("a board of these tests has an engine")


def chart_of(app: Showing) -> str:
    """Return the lines of the chart."""
    lines = text_of(app).splitlines()
    end = next(n for n, line in enumerate(lines) if " signals " in line)
    return "\n".join(lines[2:end])


@pytest.mark.parametrize("size", SIZES)
def test_candles_marks_axes_and_rows_are_there_at_every_size(size: tuple[int, int]) -> None:
    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        text, chart = text_of(app), chart_of(app)
        assert "Market › BTC/USDT" in text  # noqa: RUF001 - the angle of the trail
        assert "last 106" in text
        assert "3 signals  1 fill" in text
        assert "┃" in chart or "╻" in chart
        assert "█" in chart or "▄" in chart
        assert {"●", "▽", "▲"} <= set(chart)
        assert "┤" in chart
        assert "◂" in chart
        assert ":" in chart.splitlines()[-1], "times stand under it"
        assert ("vol" in chart) == (size[1] >= 40)
        assert "✖ rejected" in text
        assert all(len(line.rstrip()) <= size[0] for line in text.splitlines())
        assert screen._columns == size[0] - 1 - 12

    watch(script, size=size)


def test_it_begins_with_the_symbol_of_the_newest_signal() -> None:
    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        assert screen.symbol == SYMBOL
        assert "2 of 3" in text_of(app)

    watch(script, symbol=None)


def test_m_goes_round_all_symbols_and_back_again() -> None:
    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        seen = []
        for key in ("m", "m", "m", "M"):
            await press(app, pilot, key)
            seen.append(screen.symbol)
        assert seen == ["ETH/USDT", "ADA/USDT", SYMBOL, "ADA/USDT"]
        assert "ADA/USDT" in text_of(app)
        assert "1 signal  0 fills" in text_of(app)

    watch(script)


def test_h_and_l_go_by_half_a_screen_and_f_follows_again() -> None:
    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        half = timedelta(seconds=10 * (screen._columns // 2))
        await press(app, pilot, "l")
        assert screen.until is None, "there is nothing later than the newest"
        await press(app, pilot, "h", "h")
        assert screen.until == at(3) - 2 * half
        assert "f follows" in text_of(app)
        assert "0 signals  0 fills" in text_of(app)
        await press(app, pilot, "right")
        assert screen.until == at(3) - half
        await press(app, pilot, "f")
        assert screen.until is None
        assert "3 signals  1 fill" in text_of(app)
        await press(app, pilot, "left", "l")
        assert screen.until is None, "at the newest it follows"

    watch(script)


def test_before_the_first_candle_it_says_where_there_are_some() -> None:
    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, *"hhhhhhhhhhhhhh")
        assert "no candle from 2026-01-01" in chart_of(app)
        assert "the newest one closed at 2026-01-01 12:00:00Z" in chart_of(app)
        await press(app, pilot, "f")
        assert "no candle from" not in chart_of(app)

    watch(script)


def test_a_column_stands_for_longer_and_shorter_times() -> None:
    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "i")
        assert "10s a column" in text_of(app), "no column is shorter than a candle"
        await press(app, pilot, "I", "I")
        assert "1m a column" in text_of(app)
        assert "BTC/USDT" in text_of(app)
        await press(app, pilot, "i")
        assert "30s a column" in text_of(app)
        await press(app, pilot, *"IIIIIIIII")
        assert "1d a column" in text_of(app)

    watch(script)


def test_the_cursor_lights_the_column_of_its_row_and_enter_opens_the_story() -> None:
    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        keys = [row.key for row in screen.table.rows]
        assert keys == [LATER, REFUSED, "fill 1", FILLED], "newest first"
        lit = []
        for _ in keys:
            lit.append(lit_columns(screen))
            await press(app, pilot, "j")
        assert [len(columns) for columns in lit] == [1, 1, 1, 1]
        first, second, third, fourth = (columns.pop() for columns in lit)
        assert (first - second, second - third, third - fourth) == (6, 2, 2), "60, 20 and 20 seconds apart"
        await press(app, pilot, "k", "enter")
        assert isinstance(app.screen, StoryScreen)
        assert app.screen.signal_id == FILLED, "a fill's story is its signal's"
        await press(app, pilot, "escape")
        assert is_on(app, MarketScreen)

    watch(script)


def lit_columns(screen: MarketScreen) -> set[int]:
    """Return the columns of the chart that are lit."""
    visual = screen.query_one("#chart", Static).content
    assert isinstance(visual, Content)
    plain, spans = visual.plain, visual.spans
    starts = [0, *(n + 1 for n, ch in enumerate(plain) if ch == "\n")]
    found = [span.start for span in spans if "on $accent" in str(span.style)]
    return {begin - max(s for s in starts if s <= begin) for begin in found}


def test_the_filter_takes_rows_and_escape_clears_it_before_it_goes_back() -> None:
    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "slash", *"what:fill", "enter")
        assert [row.key for row in screen.table.rows] == ["fill 1"]
        await press(app, pilot, "escape")
        assert len(screen.table.rows) == 4
        await press(app, pilot, "slash", *"state:rejected", "enter")
        assert [row.key for row in screen.table.rows] == [REFUSED]
        await press(app, pilot, "escape", "escape")
        assert not is_on(app, MarketScreen)

    watch(script)


def test_what_is_copied_of_a_fill_is_its_signals_id_and_all_of_it() -> None:
    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        screen.table.move_to("fill 1")
        await press(app, pilot, "y")
        assert app.clipboard == FILLED
        await press(app, pilot, "Y")
        assert json.loads(app.clipboard)["fill"]["price"] == "103.5"

    watch(script)


def test_frozen_it_stands_still_and_counts_what_comes_and_going_elsewhere_thaws_it() -> None:
    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "full_stop")
        before = chart_of(app)
        store = screen.bridge.reader  # type: ignore[attr-defined] # the bridge of these tests
        assert isinstance(store, SqliteStore)
        await store.put_signals([a_signal("n444", symbol=SYMBOL, received_at=at(20))])
        await store.keep_candles(
            [replace(candles_up_to_now(SYMBOL, 1)[0], opened_ms=1_767_268_800_000, close=150.0, high=150.0)]
        )
        screen.clock.advance(20)  # type: ignore[attr-defined] # a manual clock
        screen._change = None
        await screen.look()
        assert chart_of(app) == before
        assert "FROZEN, 1 new" in text_of(app)
        await press(app, pilot, "I")
        assert "FROZEN" not in text_of(app)
        assert "last 150" in text_of(app)
        assert len(screen.table.rows) == 5

    watch(script)


def test_a_position_is_a_line_at_its_entry() -> None:
    held = Position("trader_north", SYMBOL, Decimal("-0.5"), Decimal("103.1234567890123"), NOW, FILLED)
    other = replace(held, symbol=OTHERS[0], trader="trader_south")

    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        assert "entry 103.1235 short 0.5 north" in chart_of(app)
        assert "south" not in chart_of(app)

    watch(script, positions=(held, other), size=(120, 40))


def test_missing_candles_are_shown_as_missing() -> None:
    async def with_a_gap(store: SqliteStore) -> None:
        await store.keep_candles(candles_up_to_now(SYMBOL, 60, missing=range(20, 45)))

    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        assert "· no candles ·" in chart_of(app)

    watch(script, fill=with_a_gap)


def test_late_candles_are_told_with_the_feeds_standing_and_what_to_do() -> None:
    dead = FeedStanding("kraken", FeedState.DEAD, "connection refused", (SYMBOL,))
    alive = FeedStanding("binance", FeedState.LIVE, "", ("ETH/USDT",))
    engine = replace(a_board().engine or _none(), feeds=(alive, dead))

    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        assert "▲ no candle for 1m" in text_of(app)
        assert "the feed kraken is dead: connection refused" in text_of(app)
        assert "look at the network" in text_of(app)

    watch(script, engine=engine, seconds=90, size=(200, 60))


def test_long_after_the_last_candle_it_is_still_in_view_and_later_times_are_not_gone_to() -> None:
    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        assert "▲ no candle for 2h" in text_of(app)
        assert "┃" in chart_of(app)
        half = screen._columns // 2
        assert all(not line[half + 3 : screen._columns].strip("╌ ") for line in chart_of(app).splitlines()[:-1])
        await press(app, pilot, "h", "l")
        assert screen.until is None

    watch(script, seconds=7_500)


@pytest.mark.parametrize("size", SIZES)
def test_no_candle_yet_is_told_with_the_reason(size: tuple[int, int]) -> None:
    async def nothing(store: SqliteStore) -> None:
        await store.put_signals([a_signal(symbol="NEW/USDT")])

    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        assert "no candle of NEW/USDT yet" in text_of(app)
        assert "no feed has this symbol" in text_of(app)
        assert "1 signal  0 fills" in text_of(app)
        await press(app, pilot, *"hlfiImM.")
        assert "a defect" not in text_of(app)

    feeds = (FeedStanding("binance", FeedState.LIVE, "", ("ETH/USDT",)),)
    watch(script, fill=nothing, symbol=None, size=size, engine=replace(a_board().engine or _none(), feeds=feeds))


def test_an_empty_store_says_so_and_every_key_is_safe() -> None:
    async def nothing(store: SqliteStore) -> None: ...

    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        assert "no candle of any symbol yet" in text_of(app)
        await press(app, pilot, *"hlfiImM.yY", "enter")
        assert is_on(app, MarketScreen)
        assert "a defect" not in text_of(app)

    watch(script, fill=nothing, symbol=None)


def test_candles_that_were_lost_are_told() -> None:
    engine = replace(a_board().engine or _none(), candles_lost=7)

    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        assert "7 candles lost: the store is too slow for them" in text_of(app)

    watch(script, engine=engine, size=(120, 40))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_symbol_is_drawn_and_nothing_more(name: str) -> None:
    name = name.encode("utf-8", "replace").decode()

    async def hostile(store: SqliteStore) -> None:
        await store.keep_candles(candles_up_to_now(name, 30))

    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        assert is_clean(text_of(app))
        assert "Market" in text_of(app)
        await press(app, pilot, "h", "f", "m", "I")
        assert is_clean(text_of(app))
        assert "a defect" not in text_of(app)

    watch(script, fill=hostile, symbol=name)
    watch(script, fill=_nothing, symbol=name)


async def _nothing(store: SqliteStore) -> None: ...


def test_a_terminal_that_grows_shows_more_candles() -> None:
    async def script(screen: MarketScreen, app: Showing, pilot: Pilot[None]) -> None:
        before = len(screen._seen.candles)
        await pilot.resize_terminal(150, 40)
        await pilot.pause()
        await pilot.pause()
        assert len(screen._seen.candles) == before + 70

    watch(script)


def test_m_on_a_signals_story_and_in_the_list_of_signals_opens_its_market() -> None:
    async def from_list(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "j", "m")
        assert isinstance(app.screen, MarketScreen)
        assert app.screen.symbol == OTHERS[0]
        await press(app, pilot, "escape")
        assert is_on(app, SignalListScreen)

    play_store(lambda bridge: SignalListScreen(bridge, clock=ManualClock(at(3))), a_market, from_list)

    async def from_story(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "m")
        assert isinstance(app.screen, MarketScreen)
        assert app.screen.symbol == SYMBOL
        await press(app, pilot, "escape")
        assert is_on(app, StoryScreen)

    on_story(a_traded_story(), from_story)
