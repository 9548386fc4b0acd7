"""The hint line: which keys do something here and now, made from the live bindings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final, NamedTuple

from rich.cells import cell_len
from textual.app import RenderResult
from textual.binding import ActiveBinding, Binding
from textual.content import Content
from textual.events import Click
from textual.screen import Screen
from textual.widget import Widget

from tui.widgets.cells import Cell, content

PROGRAM: Final = Binding.Group("Program")  # keys that are the same on every screen


class Hint(NamedTuple):
    """One key and what it does; one that does nothing now is not drawn.

    Several keys of a `group` may share a hint: then they stand in `key` with blanks between. `presses` are the keys as
    the terminal calls them, for the mouse.
    """

    key: str
    says: str
    is_on: bool
    group: str = ""
    presses: tuple[str, ...] = ()

    @property
    def cells(self) -> list[Cell]:
        return [Cell(f" {self.key}", "bold $accent"), Cell(f" {self.says} ", "$muted")]

    @property
    def width(self) -> int:
        return cell_len(self.key) + cell_len(self.says) + 3

    def pressed(self, offset: int) -> str:
        """Return the key that a click so many cells from its left end means: the one there, else the first."""
        at = 1
        for key, press in zip(self.key.split(" "), self.presses, strict=False):
            if at <= offset < at + cell_len(key):
                return press
            at += cell_len(key) + 1
        return self.presses[0] if self.presses else ""


def hints_of(screen: Screen[object]) -> list[Hint]:
    """Return the hints of the bindings that are live on `screen` and meant to be seen, the focused widget's first."""
    found: dict[str, Hint] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if binding.show and binding.description and binding.action not in found:
            key = screen.app.get_key_display(binding)
            group = binding.group.description if binding.group else ""
            found[binding.action] = Hint(key, binding.description, _is_on(active), group, (binding.key,))
    return list(found.values())


def gathered(hints: Sequence[Hint]) -> list[Hint]:
    """Return the hints with neighbours of one group in one: the keys that do something, and what the group is called."""
    found: list[Hint] = []
    for group, members in groupby((hint for hint in hints if hint.is_on), key=lambda hint: hint.group):
        one, *others = members
        if group and others:
            keys = " ".join(hint.key for hint in (one, *others))
            presses = tuple(press for hint in (one, *others) for press in hint.presses)
            one, others = Hint(keys, group, is_on=True, group=group, presses=presses), []
        found += [one, *others]
    return found


def fitting(hints: Sequence[Hint], width: int) -> list[tuple[int, Hint]]:
    """Return as many hints that do something as fit into `width` cells, each with its left end.

    A last hint of the program's own is the way to all others: it always stands, and at the right end.
    """
    apart = list(hints[-1:]) if hints and hints[-1].group == PROGRAM.description else []
    rest = hints[: len(hints) - len(apart)]
    room = width - sum(hint.width for hint in apart)
    placed, x = [], 0
    for hint in rest:
        if hint.is_on and hint.width <= room:
            placed.append((x, hint))
            x += hint.width
            room -= hint.width
    return [*placed, *((x + max(0, room), hint) for hint in apart)]


def line(hints: Sequence[Hint], width: int) -> Content:
    """Return the hints that fit into `width` cells as one line."""
    cells: list[Cell] = []
    x = 0
    for left, hint in fitting(hints, width):
        cells += [Cell(" " * (left - x)), *hint.cells]
        x = left + hint.width
    return content(cells).truncate(max(1, width))


class Hints(Widget):
    """Draws the hints of its screen in one line, and takes a click on one as its key.

    With `is_gathered` keys of a group share a hint.
    """

    DEFAULT_CSS = "Hints { height: 1; dock: bottom; }"

    def __init__(self, *, is_gathered: bool = False) -> None:
        super().__init__()
        self._is_gathered = is_gathered
        self._drawn: list[Hint] | None = None

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, _screen: Screen[object]) -> None:
        if self._hints() != self._drawn:  # they are asked for at every tick, and seldom answer otherwise
            self.refresh()

    def _hints(self) -> list[Hint]:
        hints = hints_of(self.screen)
        return gathered(hints) if self._is_gathered else hints

    def render(self) -> RenderResult:
        self._drawn = self._hints()
        return line(self._drawn, self.size.width)

    def on_click(self, event: Click) -> None:
        for left, hint in fitting(self._drawn or [], self.size.width):
            if left <= event.x < left + hint.width and (key := hint.pressed(event.x - left)):
                self.app.simulate_key(key)


def _is_on(active: ActiveBinding) -> bool:
    return active.enabled
