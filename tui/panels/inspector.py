"""The inspector: all about the row under the cursor, without leaving the dashboard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui.formatting import foreign
from tui.messages import Kind, Opened
from tui.panels.base import INSPECTOR, PANELS, Panel, Place, Scene, Spot, Subject
from tui.sections import Section, empty, lay
from tui.widgets.cells import Cell, content
from tui.widgets.live_table import MOVES

EMPTY = "what the cursor stands on is told here"


class Reading(VerticalScroll, can_focus=True):
    """Text that is longer than its place, with the keys that move in it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "lines(1)", "Down", show=False, id="reading.down", group=MOVES),
        Binding("k,up", "lines(-1)", "Up", show=False, id="reading.up", group=MOVES),
        Binding("g,home", "edge(-1)", "To the top", show=False, id="reading.top", group=MOVES),
        Binding("G,end", "edge(1)", "To the end", show=False, id="reading.bottom", group=MOVES),
        Binding("ctrl+f,pagedown", "pages(1)", "Page down", show=False, id="reading.page_down", group=MOVES),
        Binding("ctrl+b,pageup", "pages(-1)", "Page up", show=False, id="reading.page_up", group=MOVES),
    ]

    def compose(self) -> ComposeResult:
        yield Static("", markup=False)

    def action_lines(self, lines: int) -> None:
        self.scroll_relative(y=lines, animate=False)

    def action_pages(self, pages: int) -> None:
        self.scroll_relative(y=pages * max(self.size.height - 1, 1), animate=False)

    def action_edge(self, towards: int) -> None:
        if towards < 0:
            self.scroll_home(animate=False)
        else:
            self.scroll_end(animate=False)


@PANELS.add("inspector")
class InspectorPanel(Panel):
    """6: the row under the cursor, all that is known of it."""

    number = INSPECTOR
    label = "Inspector"
    place = Place(rank=3, brief=0, two=None, three=Spot(2, 70))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", id="inspector.open", group=MOVES, tooltip="The same as a screen"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._drawn: object = None
        self._lines = 0

    def make_body(self) -> Widget:
        return Reading()

    @property
    def subject(self) -> Subject | None:
        """Return what it tells of."""
        return self.scene.subject if self.scene is not None else None

    def title(self, scene: Scene) -> Content:
        subject = scene.subject
        if subject is None:
            return content([Cell("nothing chosen", "$muted")])
        name = subject.key[:12] if subject.kind is Kind.SIGNAL else subject.key
        return content([Cell(f"{subject.kind.value} ", "$muted"), Cell(foreign(name, 40))])

    def brief(self, scene: Scene, width: int) -> Content:  # noqa: ARG002 - all panels are asked alike
        return Content("")  # it has no line of its own

    def draw(self, scene: Scene) -> None:
        reading = self.query_one(Reading)
        width = reading.scrollable_content_region.width - 2
        wanted = (scene.subject, scene.board.change, int(scene.now.timestamp()), width)
        if wanted == self._drawn:
            return
        is_other = self._drawn is None or not _is_same(self._drawn, scene.subject)
        self._drawn = wanted
        lines = list(_lines(_sections(scene), width))
        reading.query_one(Static).update(Content("\n").join(lines), layout=len(lines) != self._lines)
        self._lines = len(lines)
        if is_other:
            reading.scroll_home(animate=False)

    def action_open(self) -> None:
        if (subject := self.subject) is not None:
            self.post_message(Opened(subject.kind, subject.key))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "open":
            return True if self.subject is not None else None
        return super().check_action(action, parameters)


def _is_same(drawn: object, subject: Subject | None) -> bool:
    before = drawn[0] if isinstance(drawn, tuple) else None
    return isinstance(before, Subject) and subject is not None and before[:2] == subject[:2]


def _lines(sections: Sequence[Section], width: int) -> Iterable[Content]:
    for at, section in enumerate(sections):
        if at:
            yield Content("")
        head = [section.title, Cell(f"  {section.note}" if section.note else "", "$muted")]
        yield content(head).truncate(max(width, 1), ellipsis=True)
        yield from lay(section, width)


def _sections(scene: Scene) -> tuple[Section, ...]:
    from tui.dossiers import alert_sections, error_sections, trader_sections  # loaded when the first row is told of
    from tui.stories import sections

    subject, board = scene.subject, scene.board
    told: tuple[Section, ...] | None = None
    if subject is None:
        return (Section("none", Cell(""), empty(EMPTY)),)
    if subject.kind is Kind.SIGNAL:
        told = sections(subject.story, scene.now) if subject.story is not None else None
    elif subject.kind is Kind.TRADER:
        trader = next((t for t in board.traders if t.name == subject.key), None)
        told = trader_sections(trader, board, scene.now, scene.unheard) if trader is not None else None
    elif subject.kind is Kind.ERROR:
        event = next((e for e in board.errors if str(e.seq) == subject.key), None)
        told = error_sections(event) if event is not None else None
    else:
        alert = next((a for a in board.alerts if str(a.id) == subject.key), None)
        told = alert_sections(alert, scene.now) if alert is not None else None
    return told or (Section("gone", Cell("Not there", "$muted"), empty("It is not on the board any more.")),)
