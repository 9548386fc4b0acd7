"""What every panel is: a numbered place on the dashboard that draws its part of a Board.

A panel is one file in this package. It draws what it is shown and tells the screen what the operator wants; it awaits
nothing and asks nobody. A defect in it becomes an error card in its place, never the end of the program.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.css.query import NoMatches
from textual.widget import Widget
from textual.widgets import Static

from engine.core.board import Board, Story
from engine.registry import Registry
from tui.filters import Choices, Filter, hint_of
from tui.formatting import foreign
from tui.memory import memory_of
from tui.messages import Chosen, Kind, Opened, Rewound, Stirred
from tui.widgets.cells import Cell, content
from tui.widgets.columns import Column, timed
from tui.widgets.live_table import LiveTable, Row

ACTS: Final = Binding.Group("Act")
INSPECTOR: Final = 6  # the number of the panel that tells of the row under the cursor


class Subject(NamedTuple):
    """What the operator looks at: the row under the cursor of the table used last, and its story if it is a signal."""

    kind: Kind
    key: str
    story: Story | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What is drawn: the Board, the market's time, the wishes without an answer (target to what is being done), and what
    the operator looks at, where a panel is there that tells of it. `unheard` says why no engine answers, see `statusline`.
    """

    board: Board
    now: datetime
    pending: Mapping[str, str] = field(default_factory=dict)
    subject: Subject | None = None
    has_clock_times: bool = False  # when something was, not how long ago
    unheard: str = ""


class Spot(NamedTuple):
    """A column, counted from the left, and the share of its height."""

    column: int
    share: int


class Place(NamedTuple):
    """Where a panel stands: its rank from the top, and how many lines it has in a stack when it is not the big one (0: it
    is not seen there); its spot in two columns and in three. Without a spot it is seen only while it is the panel in use.
    """

    rank: int
    brief: int
    two: Spot | None
    three: Spot
    height_max: int | None = None


class Panel(Vertical):
    """One numbered panel."""

    number: ClassVar[int]
    label: ClassVar[str]
    place: ClassVar[Place]

    def __init__(self) -> None:
        super().__init__(classes="panel")
        self.scene: Scene | None = None
        self.is_brief = False
        self._title: Content | None = None
        self.read_only = False

    def compose(self) -> ComposeResult:
        yield self.make_body()
        yield Static("", classes="brief", markup=False)
        yield Static("", classes="card", markup=False)

    @abstractmethod
    def make_body(self) -> Widget:
        """Return the widget that is drawn when the panel has room. It can have the focus."""

    @abstractmethod
    def title(self, scene: Scene) -> Content:
        """Return what follows the panel's name in its title."""

    @abstractmethod
    def brief(self, scene: Scene, width: int) -> Content:
        """Return the panel in a line or two, for when another one is big."""

    @abstractmethod
    def draw(self, scene: Scene) -> None:
        """Bring the body up to date."""

    def why_not(self, action: str) -> str:  # noqa: ARG002 - whoever overrides it needs the action
        """Return why a key would do nothing now, for whoever presses it all the same; the empty text says nothing."""
        return ""

    def moment(self, scene: Scene) -> Rewound:
        """Return the moment to go back to from here: of the row under the cursor if it is one, else what is now."""
        return Rewound(at=scene.now)

    @property
    def body(self) -> Widget:
        return self.query_children().first()

    def show(self, scene: Scene) -> None:
        """Draw this. Safe to call at any time; a panel that is not on the screen does nothing."""
        self.scene = scene
        self.redraw()

    def redraw(self) -> None:
        """Draw the last scene again: the filter, the size or the place has changed."""
        if self.scene is None or not self.display or not self.is_mounted:
            return
        try:
            self._draw_guarded(self.scene)
            self.remove_class("-broken")
        except NoMatches:
            return  # the panel is being taken down
        except Exception as defect:  # noqa: BLE001 - a supervisor: one panel's defect must not end the program
            self._show_card(defect)

    def _draw_guarded(self, scene: Scene) -> None:
        name = Content.assemble((f"{self.number}", "$accent"), " ", self.label, " ")
        title = Content.assemble(name, self.title(scene))
        self._entitle(title.pad(1, 1) if self.has_class("-stacked") else title)  # a frame pads by itself
        if self.is_brief:
            self.query_one(".brief", Static).update(self.brief(scene, max(1, self.content_size.width)), layout=False)
        else:
            self.draw(scene)

    def _entitle(self, title: Content) -> None:
        if self._title is None or not title.is_same(self._title):  # a new title repaints the frame
            self._title = title
            self.border_title = title

    def _show_card(self, defect: Exception) -> None:
        self.add_class("-broken")
        self._entitle(Content.assemble((f"{self.number}", "$accent"), f" {self.label} ", ("defect", "$error")))
        said = foreign(str(defect)) or "no further word"
        self.query_one(".card", Static).update(
            content(
                [
                    Cell("✖ this panel cannot be drawn\n", "bold $error"),
                    Cell(f"{type(defect).__name__}: {said}\n"),
                    Cell("The engine is not affected. The other panels go on.", "$muted"),
                ]
            )
        )

    def on_resize(self) -> None:
        self.redraw()

    def on_click(self) -> None:
        self.post_message(Chosen(self.number))


class Entry(NamedTuple):
    """One row and what a filter can find in it."""

    row: Row
    facts: Mapping[str, str]


class TablePanel(Panel):
    """A panel whose body is a table."""

    columns: ClassVar[Sequence[Column]]
    follows: ClassVar[bool] = False
    kind: ClassVar[Kind]
    empty: ClassVar[str]
    choices: ClassVar[Choices] = {}

    def __init__(self) -> None:
        super().__init__()
        self.filter = Filter()
        self.shown = 0

    @property
    def known_as(self) -> str:
        """Return the name under which the operator's choices for this table are kept."""
        return self.label.lower()

    def make_body(self) -> Widget:
        return LiveTable(self.columns, name=self.known_as, empty=self.empty, follows=self.follows)

    def on_mount(self) -> None:
        habit = memory_of(self.app).table(self.known_as)
        self.filter = Filter(habit.filter)
        self.table.set_order(habit.sorting, is_wide=habit.is_wide)

    @property
    def table(self) -> LiveTable:
        return self.query_one(LiveTable)

    @property
    def selected(self) -> str | None:
        """Return the key of the row under the cursor."""
        return self.table.cursor_key

    @abstractmethod
    def entries(self, scene: Scene) -> list[Entry]:
        """Return all rows, newest or most urgent first."""

    @abstractmethod
    def counts(self, scene: Scene) -> Content:
        """Return the counts in the title."""

    def set_filter(self, text: str) -> None:
        """Show only rows that the filter takes; the empty text shows all."""
        if text != self.filter.text:
            self.filter = Filter(text)
            memory_of(self.app).note_table(self.known_as, filter=text)
            self.redraw()
            self.post_message(Stirred())

    def title(self, scene: Scene) -> Content:
        parts: list[Content | str] = [self.counts(scene)]
        if self.filter:
            parts.append(content([Cell("  filter ", "$muted"), Cell(foreign(self.filter.text, 40), "$accent")]))
        if not self.is_brief and self.table.is_held and self.follows:
            parts.append(content([Cell("  held, g follows", "$stale")]))
        return Content("").join(parts)

    def draw(self, scene: Scene) -> None:
        entries = self.entries(scene)
        taken = [e.row for e in entries if not self.filter or self.filter.takes(e.facts)]
        is_told = self.filter and not taken
        self.shown = len(taken)
        self.table.set_columns(timed(self.columns, has_clock_times=scene.has_clock_times))
        excuse = self.filter.excuse((e.facts for e in entries), self.choices) if is_told else self.empty
        self.table.set_rows(taken, empty=excuse)

    @property
    def filter_hint(self) -> str:
        """Return what can be filtered by."""
        return hint_of(e.facts for e in self.entries(self.scene)) if self.scene is not None else hint_of(())

    @on(LiveTable.Selected)
    def _open(self, message: LiveTable.Selected) -> None:
        message.stop()
        self.post_message(Opened(self.kind, message.key))

    @on(LiveTable.Moved)
    def _moved(self, message: LiveTable.Moved) -> None:
        message.stop()
        self.post_message(Stirred())


PANELS: Registry[type[Panel]] = Registry("panel", "tui.panels")


def make_panels() -> list[Panel]:
    """Return a new panel of each kind, in the order of their numbers."""
    return sorted((kind() for _, kind in PANELS), key=lambda panel: panel.number)
