"""The line in which a filter is typed."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input


class FilterBar(Input):
    """One line at the bottom. Enter takes the filter, escape clears it; both hand it in as `Input.Submitted`."""

    DEFAULT_CSS = "FilterBar { dock: bottom; height: 1; margin-bottom: 1; background: $panel; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Take", id="filter.take"),
        Binding("escape", "give_up", "Clear", id="filter.clear"),
    ]

    def __init__(self) -> None:
        super().__init__(compact=True)

    def ask(self, value: str, hint: str) -> None:
        """Come up and take the keys; `hint` is said while nothing is typed."""
        self.value, self.placeholder = value, hint
        self.display = True
        self.focus()

    def action_give_up(self) -> None:
        self.value = ""
        self.post_message(Input.Submitted(self, ""))
