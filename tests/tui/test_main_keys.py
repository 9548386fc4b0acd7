"""Every key of the dashboard that moves, opens, filters, explains or leaves."""

from __future__ import annotations

import pytest
from textual.command import CommandPalette
from textual.events import Key
from textual.screen import Screen

from tests.support.stage import Stage, perform, select, table_of
from tui.app import EngineInside
from tui.deck import Arrangement, seen
from tui.palette import Commands
from tui.screens.alert import AlertScreen
from tui.screens.confirm import Confirm
from tui.screens.error import ErrorScreen
from tui.screens.help import HelpScreen
from tui.screens.main import MainScreen
from tui.screens.market import MarketScreen
from tui.screens.readiness import ReadinessScreen
from tui.screens.story import StoryScreen
from tui.screens.trader import TraderScreen
from tui.widgets.hints import hints_of

SIZES = [(60, 15), (80, 24), (120, 40), (200, 60)]


@pytest.mark.parametrize("size", SIZES)
def test_a_number_chooses_its_panel_and_again_gives_it_all_the_room(size: tuple[int, int]) -> None:
    async def scene(stage: Stage) -> None:
        deck = stage.main.deck
        for number in (2, 3, 4, 5, 6, 1):
            await stage.press(str(number))
            assert deck.view.chosen == number
            assert stage.app.focused is deck.panels[number].body
            assert not deck.view.is_maximised
            await stage.press(str(number))
            assert [p.number for p in deck.panels.values() if p.display] == [number]
            await stage.press("escape")
            assert [n for n, p in deck.panels.items() if p.display] == sorted(seen(deck.places, deck.view))
            assert stage.app.focused is deck.panels[number].body

    perform(scene, size=size)


def test_keys_that_come_in_one_breath_reach_the_panel_that_the_first_of_them_chose() -> None:
    async def scene(stage: Stage) -> None:
        stayed = table_of(stage, 1).selected
        for key in ("2", "j", "j"):
            stage.app.post_message(Key(key, key))
        traders = table_of(stage, 2).table
        await stage.until(lambda: traders.rows and traders.cursor_key == traders.rows[2].key)
        assert table_of(stage, 1).selected == stayed

    perform(scene)


def test_tab_goes_round_the_panels_both_ways() -> None:
    async def scene(stage: Stage) -> None:
        met = []
        for _ in range(6):
            await stage.press("tab")
            met.append(stage.main.deck.view.chosen)
        assert met == [2, 3, 4, 5, 6, 1]
        await stage.press("shift+tab")
        assert stage.main.deck.view.chosen == 6

    perform(scene)


@pytest.mark.parametrize(("number", "opens"), [(1, StoryScreen), (2, TraderScreen), (3, AlertScreen), (4, ErrorScreen)])
def test_enter_opens_the_row_and_escape_returns_to_it(number: int, opens: type[Screen[None]]) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press(str(number))
        await stage.press("escape", "j", "j")
        key = table_of(stage, number).selected
        await stage.press("enter")
        await stage.until(lambda: isinstance(stage.app.screen, opens))
        await stage.press("escape")
        await stage.until(lambda: stage.app.screen is stage.main)
        assert table_of(stage, number).selected == key
        assert stage.app.focused is table_of(stage, number).table

    perform(scene)


def test_m_on_a_signal_opens_the_market_of_its_symbol_and_escape_returns_to_it() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("1", "j", "j")
        key = table_of(stage, 1).selected
        symbol = next(row.symbol for row in stage.main.board.queue if row.id == key) if stage.main.board else ""
        await stage.press("m")
        await stage.until(lambda: isinstance(stage.app.screen, MarketScreen))
        assert stage.app.screen.symbol == symbol  # type: ignore[attr-defined] # said by the line above
        await stage.press("escape")
        await stage.until(lambda: stage.app.screen is stage.main)
        assert table_of(stage, 1).selected == key
        await stage.press("2", "m")
        assert stage.app.screen is stage.main, "the key belongs to signals"

    perform(scene)


def test_a_filter_narrows_the_table_while_it_is_typed_and_escape_clears_it() -> None:
    async def scene(stage: Stage) -> None:
        panel = table_of(stage, 1)
        await stage.press("slash", *"btc -done")
        assert stage.main.bar.has_focus
        assert {row.cells[1].text for row in panel.table.rows} == {"BTC/USDT"}
        assert stage.bridge.wishes == [], "typing acts on nothing"
        await stage.press("enter")
        assert stage.app.focused is panel.table
        assert "filter btc -done" in stage.text
        await stage.press("escape")
        assert panel.shown == 41
        await stage.press("slash", *"nobody")
        assert "nothing matches" in stage.text
        await stage.press("escape")
        assert panel.shown == 41
        assert stage.app.focused is panel.table

    perform(scene)


def test_each_panel_has_its_own_filter() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("4", "slash", *"level:err", "enter", "1")
        assert table_of(stage, 1).shown == 41
        assert table_of(stage, 4).filter.text == "level:err"
        await stage.press("5", "slash")
        assert not stage.main.bar.has_focus, "there is nothing to filter in a chart"

    perform(scene, size=(120, 40))


def test_the_hints_follow_the_row_and_the_panel() -> None:
    async def scene(stage: Stage) -> None:
        def on(says: str) -> bool | None:
            return next((h.is_on for h in hints_of(stage.app.screen) if h.says == says), None)

        await select(stage, 1, "failed")
        assert (on("Retry"), on("Cancel"), on("Pause")) == (True, False, None)
        await select(stage, 1, "waiting")
        assert (on("Retry"), on("Cancel")) == (False, True)
        await select(stage, 2, "trader_conservative")
        assert (on("Pause"), on("Resume"), on("Retry")) == (False, True, None)

    perform(scene, size=(120, 40))


def test_help_lists_every_key_that_the_screen_takes() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("question_mark")
        await stage.until(lambda: isinstance(stage.app.screen, HelpScreen))
        await stage.pilot.resize_terminal(120, 90)
        await stage.pilot.pause()
        for words in ("Retry", "Cancel", "Pause", "Acknowledge", "Pause all", "Halt", "Lift halt", "Filter", "Theme"):
            assert words in stage.text
        for keys in ("j", "^f", "tab", "K", "?"):
            assert any(keys in line.split() for line in stage.lines), keys
        await stage.press("j", "k", "escape")
        assert stage.app.screen is stage.main

    perform(scene, size=(120, 40))


@pytest.mark.parametrize("closes", ["q", "question_mark", "escape"])
def test_help_is_closed_by_the_keys_that_one_tries(closes: str) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("question_mark")
        await stage.press(closes)
        assert stage.app.screen is stage.main

    perform(scene)


def test_the_diagnosis_opens_and_closes() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("d")
        await stage.until(lambda: isinstance(stage.app.screen, ReadinessScreen))
        await stage.press("escape")
        await stage.until(lambda: stage.app.screen is stage.main)

    perform(scene)


def test_the_palette_offers_what_can_be_done_now_and_does_it() -> None:
    async def scene(stage: Stage) -> None:
        await select(stage, 2, "trader_momentum")
        offered = {offer.words for offer in Commands(stage.app.screen).offers()}
        assert {"Pause", "Filter", "Diagnosis", "Halt", "Queue"} <= offered
        assert offered.isdisjoint({"Resume", "Down", "Page up"}), "what cannot be done, and what is only a move"
        await stage.press("ctrl+p")
        await stage.until(lambda: isinstance(stage.app.screen, CommandPalette))
        await stage.press(*"diagnosis")
        await stage.until(lambda: "Every gate" in stage.text)
        await stage.press("enter")
        await stage.until(lambda: isinstance(stage.app.screen, ReadinessScreen))

    perform(scene, size=(120, 40))


def test_a_theme_can_be_chosen() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("t")
        await stage.until(lambda: isinstance(stage.app.screen, CommandPalette))
        await stage.press(*"calm-light")
        await stage.until(lambda: "calm-light" in stage.text)
        await stage.press("enter")
        await stage.until(lambda: stage.app.theme == "calm-light")
        await stage.press("ctrl+r")

    perform(scene)


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
def test_leaving_asks_while_orders_are_in_flight(key: str) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press(key)
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        assert "3 orders are under way" in stage.text
        await stage.press("n")
        await stage.until(lambda: stage.app.screen is stage.main)
        assert stage.app.return_value is None
        await stage.press(key)
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        await stage.press("y")
        await stage.until(lambda: stage.app.return_value == 0)

    perform(scene, engine=EngineInside(is_there=True))


def test_leaving_does_not_ask_when_the_engine_runs_elsewhere() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("q")
        await stage.until(lambda: stage.app.return_value == 0)

    perform(scene)


def test_a_habit_of_the_terminal_ends_and_stops_nothing() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("ctrl+c", "ctrl+z")
        stage.app.action_suspend_process()
        assert stage.app.return_value is None
        assert isinstance(stage.app.screen, MainScreen)

    perform(scene)


def test_a_click_chooses_a_panel() -> None:
    async def scene(stage: Stage) -> None:
        panel = stage.main.deck.panels[2]
        await stage.pilot.click(panel, offset=(5, 1))
        assert stage.main.deck.view.chosen == 2
        assert stage.app.focused is panel.body

    for size, arrangement in (((80, 24), Arrangement.STACK), ((120, 40), Arrangement.COLUMNS)):
        app = perform(scene, size=size)
        assert app.main is not None
        assert app.main.deck.view.arrangement is arrangement


@pytest.mark.parametrize(
    ("on", "back"), [("pagedown", "pageup"), ("ctrl+f", "ctrl+b"), ("end", "home"), ("G", "g")], ids=lambda key: key
)
def test_the_help_is_paged_and_says_that_more_follows(on: str, back: str) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("question_mark")
        await stage.until(lambda: isinstance(stage.app.screen, HelpScreen))
        await stage.until(lambda: "lines 1 to " in stage.text)
        first = stage.text
        assert "pgdn and pgup turn the page" in first
        await stage.press(on)
        await stage.until(lambda: "lines 1 to " not in stage.text)
        assert stage.text != first
        await stage.press(back)
        await stage.until(lambda: stage.text == first)

    perform(scene)


def test_a_help_that_is_all_there_speaks_of_no_more() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("question_mark")
        await stage.until(lambda: isinstance(stage.app.screen, HelpScreen))
        await stage.pilot.pause()
        assert "esc closes" in stage.text
        assert "so many marks in one place of a chart" in stage.text
        assert "pgdn" not in stage.lines[-2]

    perform(scene, size=(120, 120))


@pytest.mark.parametrize(
    ("key", "verb", "yes", "ends"),
    [("P", "Pause all traders?", "(y)", "after."), ("K", "Halt everything?", "HALT", "a restart.")],
)
def test_on_the_smallest_screen_a_question_shows_what_it_asks_and_both_answers(
    key: str, verb: str, yes: str, ends: str
) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press(key)
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))
        await stage.pilot.pause()
        before = stage.text
        for words in (verb, "No, leave it", "Yes, ", yes):
            assert words in before
        assert ends in before or key == "K", "the longer one does not fit"
        await stage.press(*["down"] * 9)
        for words in (verb, "No, leave it", "Yes, ", ends):
            assert words in stage.text

    perform(scene, size=(40, 10))
