"""The two questions that a screen asks: a confirmation, whose default is No, and a few words to be typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from engine.core.text import clean


class Gravity(StrEnum):
    """How heavy the consequence is. It decides colour, wording and whether Enter can ever say yes."""

    MILD = "mild"  # can be taken back: Enter on the Yes button is enough
    GRAVE = "grave"  # cannot be taken back: only the letter y, a click, or the typed word says yes


@dataclass(frozen=True, slots=True)
class Question:
    """One line to be typed. `objection` returns why a text will not do, or the empty text if it will."""

    key: str
    label: str
    hint: str = ""
    preset: str = ""
    objection: Callable[[str], str] = lambda text: "" if text else "is needed"


class NoEnterButton(Button, can_focus=False):
    """A button that a click presses and the Enter key cannot, so that muscle memory cannot either."""


_WIDTHS = [(0, "-narrow"), (60, "-wide")]  # on narrow screens one answer stands under the other
_HEIGHTS = [(0, "-low"), (16, "-high")]  # on low ones nothing is left blank
_DIALOG_CSS = """
    {name} {{ align: center middle; background: $background 60%; }}
    {name} > #box {{
        width: 68; max-width: 94%; height: auto; max-height: 94%;
        background: $panel; padding: 1 2; border-left: thick $accent;
        scrollbar-size-vertical: 1;
    }}
    {name}.mild > #box {{ border-left: thick $warning; }}
    {name}.grave > #box {{ border-left: thick $error; }}
    {name} #verb {{ text-style: bold; height: auto; dock: top; }}
    {name}.mild #verb {{ color: $text-warning; }}
    {name}.grave #verb {{ color: $text-error; }}
    {name} #scope {{ height: auto; margin-bottom: 1; }}
    {name} #consequence {{ height: auto; color: $text-muted; margin-bottom: 1; }}
    {name} .label {{ height: auto; color: $text-muted; }}
    {name} Input {{ margin-bottom: 1; background: $background; }}
    {name} .objection {{ height: auto; color: $text-error; display: none; margin-bottom: 1; }}
    {name} #foot {{ height: auto; dock: bottom; background: $panel; }}
    {name} #answers {{ height: 1; align-horizontal: right; }}
    {name} #answers Button {{ margin-left: 2; }}
    {name}.-narrow #answers {{ layout: vertical; height: auto; }}
    {name}.-low > #box {{ padding: 0 1; max-height: 100%; }}
    {name}.-low #scope, {name}.-low #consequence, {name}.-low #foot Input {{ margin-bottom: 0; }}
"""


class Confirm(ModalScreen[bool]):
    """Ask for a yes. `verb` is what would be done, `scope` to what (lines), `consequence` what follows from it.

    The answer is No unless the operator goes out of the way: No has the focus. With `typed_word` the word must be typed
    exactly, and then Enter does confirm.
    """

    DEFAULT_CSS = _DIALOG_CSS.format(name="Confirm")
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes", id="confirm.yes"),
        Binding("n", "no", "No", id="confirm.no"),
        Binding("escape", "no", "No", id="confirm.escape", show=False),
        Binding("left,h", "app.focus_previous", "Other answer", id="confirm.left", show=False),
        Binding("right,l", "app.focus_next", "Other answer", id="confirm.right", show=False),
        Binding("down,j", "lines(1)", "Down", id="confirm.down", show=False),
        Binding("up,k", "lines(-1)", "Up", id="confirm.up", show=False),
    ]

    def __init__(
        self,
        verb: str,
        scope: str,
        consequence: str,
        *,
        typed_word: str | None = None,
        gravity: Gravity = Gravity.GRAVE,
    ) -> None:
        super().__init__(classes=gravity.value)
        self._verb, self._consequence = clean(verb), clean(consequence, 2_000)
        self._scope = "\n".join(clean(line) for line in scope.split("\n"))
        self._typed_word = typed_word
        self._gravity = gravity

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="box", can_focus=False):
            yield Static(Content(f"{self._verb}?"), id="verb")
            yield Static(Content(self._scope), id="scope")
            yield Static(Content(self._consequence), id="consequence")
            with Vertical(id="foot"):
                if self._typed_word is not None:
                    yield Static(Content(f"Type {clean(self._typed_word)} to go on"), classes="label")
                    yield Input(id="word", compact=True)
                with Horizontal(id="answers"):
                    yield Button(Content("No, leave it"), id="no", compact=True)
                    yield self._yes_button()

    def on_mount(self) -> None:
        self.query_one("#word" if self._typed_word is not None else "#no").focus()

    def action_lines(self, by: int) -> None:
        """Scroll what is told where the screen is too low for all of it."""
        self.query_one("#box", VerticalScroll).scroll_relative(y=by, animate=False)

    def action_yes(self) -> None:
        if self._may_say_yes():
            self.dismiss(True)

    def action_no(self) -> None:
        self.dismiss(False)

    @on(Button.Pressed, "#yes")
    def _yes_pressed(self) -> None:
        self.action_yes()

    @on(Button.Pressed, "#no")
    def _no_pressed(self) -> None:
        self.action_no()

    @on(Input.Submitted)
    def _word_submitted(self) -> None:
        self.action_yes()

    @on(Input.Changed)
    def _word_changed(self) -> None:
        self.query_one("#yes", Button).disabled = not self._may_say_yes()

    def _may_say_yes(self) -> bool:
        return self._typed_word is None or self.query_one("#word", Input).value == self._typed_word

    def _yes_button(self) -> Button:
        label = Content(f"Yes, {self._verb[:1].lower()}{self._verb[1:]}")
        if self._typed_word is not None:
            return Button(label, id="yes", variant="error", compact=True, disabled=True)
        if self._gravity is Gravity.GRAVE:
            return NoEnterButton(Content.assemble(label, " (y)"), id="yes", variant="error", compact=True)
        return Button(Content.assemble(label, " (y)"), id="yes", variant="warning", compact=True)


class AskText(ModalScreen[dict[str, str] | None]):
    """Ask for a few words. The result holds the stripped answers by the questions' keys; None means never mind.

    Enter goes to the next line and, from the last, hands in, if no question objects to its answer.
    """

    DEFAULT_CSS = _DIALOG_CSS.format(name="AskText")
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "never_mind", "Back", id="ask.back")]

    def __init__(self, verb: str, scope: str, consequence: str, questions: Sequence[Question]) -> None:
        super().__init__(classes=Gravity.MILD.value)
        self._verb, self._scope, self._consequence = clean(verb), clean(scope), clean(consequence, 2_000)
        self._questions = tuple(questions)

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="box", can_focus=False):
            yield Static(Content(self._verb), id="verb")
            yield Static(Content(self._scope), id="scope")
            yield Static(Content(self._consequence), id="consequence")
            for question in self._questions:
                yield Static(Content(question.label), classes="label")
                yield Input(clean(question.preset), placeholder=question.hint, id=f"ask-{question.key}", compact=True)
                yield Static("", id=f"objection-{question.key}", classes="objection")
            with Vertical(id="foot"), Horizontal(id="answers"):
                yield Button(Content("Never mind"), id="never-mind", compact=True)
                yield Button(Content("Go on"), id="go-on", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.query(Input).first().focus()

    def action_never_mind(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#never-mind")
    def _never_mind_pressed(self) -> None:
        self.action_never_mind()

    @on(Button.Pressed, "#go-on")
    def _go_on_pressed(self) -> None:
        self._hand_in()

    @on(Input.Submitted)
    def _line_submitted(self, event: Input.Submitted) -> None:
        inputs = list(self.query(Input))
        after = inputs.index(event.input) + 1
        if after < len(inputs):
            inputs[after].focus()
        else:
            self._hand_in()

    def _hand_in(self) -> None:
        answers = {q.key: clean(self.query_one(f"#ask-{q.key}", Input).value.strip(), 2_000) for q in self._questions}
        objections = {q.key: q.objection(answers[q.key]) for q in self._questions}
        for question in self._questions:
            note = self.query_one(f"#objection-{question.key}", Static)
            note.display = bool(objections[question.key])
            note.update(Content(f"{question.label} {objections[question.key]}"))
        first_wrong = next((key for key, objection in objections.items() if objection), None)
        if first_wrong is None:
            self.dismiss(answers)
        else:
            self.query_one(f"#ask-{first_wrong}", Input).focus()
