"""The hint line: which keys do something here and now, made from the live bindings."""

from __future__ import annotations

from typing import Final, NamedTuple

from rich.cells import cell_len
from textual.app import RenderResult
from textual.binding import ActiveBinding, Binding
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from tui.widgets.cells import Cell, content

PROGRAM: Final = Binding.Group("Program")  # keys that are the same on every screen


class Hint(NamedTuple):
    """One key and what it does; a key that does nothing now is drawn faint."""

    key: str
    says: str
    is_on: bool

    @property
    def cells(self) -> list[Cell]:
        if not self.is_on:
            return [Cell(f" {self.key} {self.says} ", "$rule")]
        return [Cell(f" {self.key}", "bold $accent"), Cell(f" {self.says} ", "$muted")]

    @property
    def width(self) -> int:
        return cell_len(self.key) + cell_len(self.says) + 3


def hints_of(screen: Screen[object]) -> list[Hint]:
    """Return the hints of the bindings that are live on `screen` and meant to be seen, the focused widget's first."""
    found: dict[str, Hint] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if binding.show and binding.description and binding.action not in found:
            key = screen.app.get_key_display(binding)
            found[binding.action] = Hint(key, binding.description, _is_on(active))
    return list(found.values())


def line(hints: list[Hint], width: int) -> Content:
    """Return as many hints as fit into `width` cells; those that do something go before those that do not.

    The last hint is the way to all others and always stands at the right end.
    """
    if not hints:
        return Content("")
    *rest, last = hints
    room, chosen = width - last.width, set[int]()
    for at in sorted(range(len(rest)), key=lambda i: (not rest[i].is_on, i)):
        if rest[at].width <= room:
            chosen.add(at)
            room -= rest[at].width
    cells = [cell for at, hint in enumerate(rest) if at in chosen for cell in hint.cells]
    return content([*cells, Cell(" " * max(0, room)), *last.cells]).truncate(max(1, width))


class Hints(Widget):
    """Draws the hints of its screen in one line. The binding named last in the screen's own list stands at the right."""

    DEFAULT_CSS = "Hints { height: 1; dock: bottom; }"

    def __init__(self) -> None:
        super().__init__()
        self._drawn: list[Hint] | None = None

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, _screen: Screen[object]) -> None:
        if hints_of(self.screen) != self._drawn:  # they are asked for at every tick, and seldom answer otherwise
            self.refresh()

    def render(self) -> RenderResult:
        self._drawn = hints_of(self.screen)
        return line(self._drawn, self.size.width)


def _is_on(active: ActiveBinding) -> bool:
    return active.enabled
