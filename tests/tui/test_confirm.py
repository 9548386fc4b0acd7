"""Confirmations: No is the default, Enter never says yes to what cannot be taken back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Button, Input

from tests.support.screen_bridge import HOSTILE, Showing, is_clean, play, press, text_of
from tui.screens.confirm import AskText, Confirm, Gravity, Question

SIZES = [(80, 24), (120, 40)]
NOTHING_YET = object()


class Asking(App[None]):
    """An app that asks one question and keeps the answer."""

    def __init__(self, question: ModalScreen[Any]) -> None:
        super().__init__()
        self.question = question
        self.answer: object = NOTHING_YET

    def on_mount(self) -> None:
        self.push_screen(self.question, self.keep)

    def keep(self, answer: object) -> None:
        self.answer = answer


def answer_to(question: ModalScreen[Any], *keys: str, size: tuple[int, int] = (80, 24)) -> object:
    async def ask() -> object:
        app = Asking(question)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await pilot.press(*keys)
            await pilot.pause()
            return app.answer

    return asyncio.run(ask())


def cancelling(**options: Any) -> Confirm:
    return Confirm("Cancel the signal", "8f3a21 buy BTC/USDT", "It will not be traded.", **options)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("gravity", list(Gravity))
def test_enter_at_once_says_no(gravity: Gravity, size: tuple[int, int]) -> None:
    assert answer_to(cancelling(gravity=gravity), "enter", size=size) is False


@pytest.mark.parametrize("key", ["escape", "n"])
def test_leaving_says_no(key: str) -> None:
    assert answer_to(cancelling(), key) is False


def test_y_says_yes() -> None:
    assert answer_to(cancelling(), "y") is True


@pytest.mark.parametrize("way", ["tab", "right", "l", "left", "h", "shift+tab"])
def test_no_way_with_enter_confirms_what_cannot_be_taken_back(way: str) -> None:
    assert answer_to(cancelling(), way, "enter") is False


def test_enter_on_yes_confirms_what_can_be_taken_back() -> None:
    assert answer_to(cancelling(gravity=Gravity.MILD), "right", "enter") is True


def test_a_click_on_yes_confirms() -> None:
    async def ask() -> object:
        app = Asking(cancelling())
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            await pilot.click("#yes")
            await pilot.pause()
            return app.answer

    assert asyncio.run(ask()) is True


@pytest.mark.parametrize(
    ("typed", "answer"), [("HALT", True), ("halt", NOTHING_YET), ("HALT ", NOTHING_YET), ("", NOTHING_YET)]
)
def test_the_typed_word_must_match_exactly(typed: str, answer: object) -> None:
    keys = ["space" if c == " " else c for c in typed]
    assert answer_to(cancelling(typed_word="HALT"), *keys, "enter") is answer


def test_y_is_only_a_letter_while_a_word_is_typed() -> None:
    assert answer_to(cancelling(typed_word="yy"), "y") is NOTHING_YET


def test_yes_is_greyed_until_the_word_matches() -> None:
    async def look() -> list[bool]:
        app = Asking(cancelling(typed_word="go"))
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            seen = [app.screen.query_one("#yes", Button).disabled]
            for key in ("g", "o", "o"):
                await pilot.press(key)
                await pilot.pause()
                seen.append(app.screen.query_one("#yes", Button).disabled)
            return seen

    assert asyncio.run(look()) == [True, True, False, True]


def naming_an_order() -> AskText:
    return AskText(
        "Name the order",
        "8f3a21",
        "It is looked after from then on.",
        [Question("order", "The venue's order id"), Question("why", "Why", preset="seen on the venue's page")],
    )


def test_answers_come_back_stripped_by_their_keys() -> None:
    answer = answer_to(naming_an_order(), "space", "4", "2", "space", "enter", "enter")
    assert answer == {"order": "42", "why": "seen on the venue's page"}


def test_an_answer_that_will_not_do_is_named_and_keeps_the_question_open() -> None:
    async def ask() -> tuple[object, bool, object]:
        app = Asking(naming_an_order())
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            await pilot.press("enter", "enter")
            await pilot.pause()
            return app.answer, app.screen.query_one("#objection-order").display, app.focused

    answer, is_shown, focused = asyncio.run(ask())
    assert answer is NOTHING_YET
    assert is_shown
    assert isinstance(focused, Input)
    assert focused.id == "ask-order"


def test_escape_answers_nothing() -> None:
    assert answer_to(naming_an_order(), "4", "escape") is None


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_only_text(text: str) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        for question in (
            Confirm(text, text, text),
            Confirm(text, text, text, typed_word="go"),
            AskText(text, text, text, [Question("a", "A", hint="b", preset=text)]),
        ):
            await app.push_screen(question)
            for size in SIZES:
                await pilot.resize_terminal(*size)
                await pilot.pause()
                assert is_clean(text_of(app))
            await press(app, pilot, "escape")

    play(Confirm("Do it", "here", "nothing"), script)
