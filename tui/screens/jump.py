"""The colon: a line in which the name of a screen, or the beginning of a signal's id, is typed to go there."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.directory import Door, doors_like
from tui.formatting import foreign
from tui.widgets.cells import Cell, content

ID: Final = re.compile(r"[0-9a-f-]{4,40}")


class Jump(ModalScreen[str | None]):
    """Ask where to go. The result is a door's name, `signal:` and the beginning of an id, or None for never mind."""

    DEFAULT_CSS = """
    Jump { align: center top; background: $background 40%; }
    Jump > #box {
        width: 60; max-width: 94%; height: auto; max-height: 80%; margin-top: 3;
        background: $panel; padding: 1 2; border-left: thick $accent;
    }
    Jump Input { background: $background; margin-bottom: 1; }
    Jump #found { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "never_mind", "Back", id="jump.back"),
        Binding("down", "step(1)", "Next", show=False, id="jump.next"),
        Binding("up", "step(-1)", "Previous", show=False, id="jump.previous"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._at = 0

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Input(placeholder="a screen, or the first 4 letters or more of a signal's id", compact=True)
            yield Static("", id="found", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._show()

    @property
    def _typed(self) -> str:
        return self.query_one(Input).value.strip().casefold()

    @property
    def _found(self) -> list[Door]:
        return doors_like(self._typed)

    @property
    def target(self) -> str | None:
        """Return where enter leads to as things are typed, or None for nowhere."""
        found = self._found
        if found:
            return found[self._at % len(found)].name
        return f"signal:{self._typed}" if ID.fullmatch(self._typed) else None

    def action_never_mind(self) -> None:
        self.dismiss(None)

    def action_step(self, by: int) -> None:
        self._at += by
        self._show()

    @on(Input.Changed)
    def _changed(self) -> None:
        self._at = 0
        self._show()

    @on(Input.Submitted)
    def _taken(self) -> None:
        if self.target is not None:
            self.dismiss(self.target)

    def _show(self) -> None:
        self.query_one("#found", Static).update(Content("\n").join(self._lines()))

    def _lines(self) -> list[Content]:
        found, target = self._found, self.target
        if found:
            return [_line(one, is_chosen=one.name == target) for one in found]
        if target is not None:
            return [content([Cell("▸ ", "$accent"), Cell("signal ", "$muted"), Cell(self._typed, "bold")])]
        told = f"no screen is called {foreign(self._typed, 24)}, and an id has 4 of 0-9 a-f or more"
        return [content([Cell(told, "$warning")])]


def _line(one: Door, *, is_chosen: bool) -> Content:
    sign = Cell("▸ ", "$accent") if is_chosen else Cell("  ")
    name = Cell(f"{one.name:<11}", "bold" if is_chosen else "")
    return content(
        [
            sign,
            name,
            Cell(f"{one.key.upper() if len(one.key) > 1 else one.key:<4}", "$accent"),
            Cell(one.tells, "$muted"),
        ]
    )
