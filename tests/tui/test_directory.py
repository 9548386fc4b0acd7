"""Going anywhere from anywhere: the directory of screens, its keys, and the colon."""

from __future__ import annotations

from typing import Any

import pytest
from textual.screen import Screen

from tests.support.boards import a_board
from tests.support.stage import Stage, perform
from tui.directory import DOORS, Door, door, doors_like
from tui.palette import Commands
from tui.screens.confirm import Confirm
from tui.screens.help import HelpScreen
from tui.screens.jump import Jump
from tui.screens.story import StoryScreen
from tui.screens.trail import TrailScreen


def is_on(stage: Stage, kind: type[Screen[Any]]) -> bool:
    return isinstance(stage.app.screen, kind)


def test_names_and_keys_are_each_given_once() -> None:
    assert len({one.name for one in DOORS}) == len(DOORS)
    assert len({one.key for one in DOORS}) == len(DOORS)


def test_no_door_takes_a_key_that_the_dashboard_has() -> None:
    async def scene(stage: Stage) -> None:
        taken = set(stage.main._bindings.key_to_bindings)
        for panel in stage.main.deck.panels.values():
            taken |= set(panel._bindings.key_to_bindings)
        assert taken.isdisjoint(one.key for one in DOORS)

    perform(scene)


def test_a_name_is_found_by_its_beginning_before_any_other_part() -> None:
    assert doors_like("") == list(DOORS)
    assert doors_like("aud")[0].name == "audit"
    assert doors_like("nosis") == [door("diagnosis")]
    assert doors_like("no such screen") == []


@pytest.mark.parametrize("one", DOORS, ids=lambda one: one.name)
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 15), (200, 60)])
def test_every_door_opens_by_its_key_and_escape_leads_back(one: Door, size: tuple[int, int]) -> None:
    async def scene(stage: Stage) -> None:
        await stage.press(one.key)
        await stage.until(lambda: isinstance(stage.app.screen, one.kind()))
        await stage.press("escape")
        await stage.until(lambda: stage.app.screen is stage.main)

    perform(scene, size=size)


def test_a_screen_that_is_on_the_way_here_is_gone_back_to() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("f7")
        await stage.press("d")
        assert len(stage.app.screen_stack) == 4
        await stage.press("f7")
        assert isinstance(stage.app.screen, door("audit").kind())
        assert len(stage.app.screen_stack) == 3

    perform(scene)


def test_the_colon_goes_to_a_screen_by_a_part_of_its_name() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("colon", *"diag", "enter")
        await stage.until(lambda: isinstance(stage.app.screen, door("diagnosis").kind()))

    perform(scene)


def test_the_colon_lists_all_and_the_arrows_choose() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("colon")
        assert all(one.tells[:20] in stage.text for one in DOORS)
        await stage.press("down", "enter")
        await stage.until(lambda: isinstance(stage.app.screen, DOORS[1].kind()))

    perform(scene)


def test_the_colon_goes_to_a_signal_by_the_beginning_of_its_id() -> None:
    signal_id = a_board().queue[0].id

    async def scene(stage: Stage) -> None:
        await stage.press("colon", *signal_id[:8], "enter")
        await stage.until(lambda: isinstance(stage.app.screen, StoryScreen))
        assert stage.app.screen.signal_id == signal_id[:8]  # type: ignore[attr-defined] # said by the line above

    perform(scene)


def test_the_colon_says_what_it_cannot_find_and_stays() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("colon", *"zzz")
        assert "no screen is called zzz" in stage.text
        await stage.press("enter")
        assert is_on(stage, Jump)
        await stage.press("escape")
        assert stage.app.screen is stage.main

    perform(scene)


def test_no_door_opens_while_a_question_stands() -> None:
    async def scene(stage: Stage) -> None:
        await stage.press("P")
        await stage.until(lambda: is_on(stage, Confirm))
        await stage.press("f7", "colon")
        assert is_on(stage, Confirm)

    perform(scene)


def test_help_and_palette_know_every_door() -> None:
    async def scene(stage: Stage) -> None:
        assert {one.label for one in DOORS} <= {offer.words for offer in Commands(stage.app.screen).offers()}
        await stage.press("question_mark")
        await stage.until(lambda: is_on(stage, HelpScreen))
        keys = {key.says for key in stage.app.screen._keys}  # type: ignore[attr-defined] # said by the line above
        assert {one.label for one in DOORS} <= keys

    perform(scene)


def test_every_door_leads_to_a_screen_with_the_way_here_on_top() -> None:
    assert all(issubclass(one.kind(), TrailScreen) for one in DOORS)
