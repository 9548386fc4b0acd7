"""Help: every key that does something on the screen below, made from its live bindings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui.panels.base import Panel
from tui.widgets.cells import Cell, content
from tui.widgets.live_table import LiveTable


class Key(NamedTuple):
    """One line of the help: a group, the keys, what they do, and more about it."""

    group: str
    keys: str
    says: str
    more: str


SIGNS: Sequence[tuple[str, str, str]] = (
    ("●", "$ok", "up, done"),
    ("◐", "$accent", "under way"),
    ("◌", "$stale", "waiting, paused"),
    ("▲", "$warning", "unsure: unknown outcome, degraded, to review"),
    ("✖", "$error", "refused, failed, breaker open, down"),
    ("○", "$muted", "new, unchecked, over"),
    ("2 to 9, +", "$accent", "so many marks in one place of a chart; +: more"),
)


def nodes_of(screen: Screen[object]) -> list[DOMNode]:
    """Return whatever has keys of its own on `screen`: each panel and its table once, the focus, screen and app."""
    nodes: list[DOMNode] = [node for node in screen.query(".panel") if isinstance(node, Panel) and node.BINDINGS]
    tables = list(screen.query(LiveTable))[:1]
    focused: Iterable[DOMNode] = [] if screen.focused is None or nodes or tables else [screen.focused]
    return [*nodes, *tables, *focused, screen, screen.app]


def keys_of(app: App[object], nodes: Sequence[DOMNode]) -> list[Key]:
    """Return the keys that these nodes take, with their groups, in order; keys with one action share a line."""
    found: dict[tuple[str, str], Key] = {}
    for node in nodes:
        for binding in node._bindings.key_to_bindings.values():
            for one in binding:
                _add(found, app, node, one)
    return list(found.values())


def _add(found: dict[tuple[str, str], Key], app: App[object], node: DOMNode, binding: Binding) -> None:
    if not binding.description or binding.id is None:  # what has no id is not ours
        return
    name, _, argument = binding.action.partition("(")
    parameters = (argument.rstrip(")"),) if argument else ()
    if node.check_action(name.rpartition(".")[2], parameters) is False:
        return
    title = binding.group.description if binding.group and binding.group.description else ""
    if isinstance(node, Panel):
        title = f"{node.number} {node.label}"
    key = app.get_key_display(binding)
    place = (title, binding.description)
    before = found.get(place)
    if before is None:
        found[place] = Key(title or "Here", key, binding.description, binding.tooltip)
    elif key not in before.keys.split():
        found[place] = before._replace(keys=f"{before.keys} {key}")


def told(keys: Sequence[Key]) -> Content:
    """Return the help text: the keys group by group, then what the signs mean."""
    lines: list[Content] = []
    for group in dict.fromkeys(key.group for key in keys):
        lines += [Content(""), content([Cell(group, "bold")])]
        lines += [_line(key) for key in keys if key.group == group]
    lines += [Content(""), content([Cell("Signs", "bold")])]
    lines += [content([Cell(f"  {sign:<14}", style), Cell(says, "$muted")]) for sign, style, says in SIGNS]
    return Content("\n").join(lines[1:])


def _line(key: Key) -> Content:
    more = [Cell(f"  {key.more}", "$muted")] if key.more else []
    return content([Cell(f"  {key.keys:<14}", "$accent"), Cell(key.says), *more])


class HelpScreen(ModalScreen[None]):
    """Shows the keys of `screen`. Any of escape, q and ? closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "close", "Close", id="help.close"),
        Binding("j,down", "lines(1)", "Down", show=False, id="help.down"),
        Binding("k,up", "lines(-1)", "Up", show=False, id="help.up"),
        Binding("g,home", "edge(-1)", "To the top", show=False, id="help.top"),
        Binding("G,end", "edge(1)", "To the end", show=False, id="help.bottom"),
        Binding("ctrl+f,pagedown", "pages(1)", "Page down", show=False, id="help.page_down"),
        Binding("ctrl+b,pageup", "pages(-1)", "Page up", show=False, id="help.page_up"),
    ]

    def __init__(self, screen: Screen[object]) -> None:
        super().__init__()
        self._keys = keys_of(screen.app, nodes_of(screen))

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help", can_focus=False):
            yield Static(told(self._keys), markup=False)

    def on_mount(self) -> None:
        box = self._box
        box.border_title = Content("Keys")
        self.watch(box, "scroll_y", self._tell_where)
        self.watch(box, "virtual_size", self._tell_where)

    def on_resize(self) -> None:
        self.call_after_refresh(self._tell_where)

    @property
    def _box(self) -> VerticalScroll:
        return self.query_one("#help", VerticalScroll)

    def _tell_where(self) -> None:
        """Say what is seen of how much, so that nobody takes the first page for all of it."""
        box = self._box
        seen, lines = box.scrollable_content_region.height, box.virtual_size.height
        first = round(box.scroll_y) + 1
        where = f"lines {first} to {min(first + seen - 1, lines)} of {lines}, pgdn and pgup turn the page, "
        box.border_subtitle = Content(f"{where if lines > seen else ''}esc closes")

    def action_close(self) -> None:
        self.dismiss(None)

    def action_lines(self, by: int) -> None:
        self._box.scroll_relative(y=by, animate=False)

    def action_pages(self, by: int) -> None:
        self._box.scroll_relative(y=by * max(self._box.scrollable_content_region.height - 1, 1), animate=False)

    def action_edge(self, towards: int) -> None:
        if towards < 0:
            self._box.scroll_home(animate=False)
        else:
            self._box.scroll_end(animate=False)
