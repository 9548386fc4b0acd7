"""The main screen: the status line, the panels, and the keys that act on all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, Static
from textual.worker import Worker

from engine.clock import Clock, SystemClock
from engine.core.board import Board
from tui.banner import Banner
from tui.deck import STACK_MIN, Arrangement, Deck, arrangement_for
from tui.formatting import foreign, market_now
from tui.memory import memory_of
from tui.messages import BoardRead, Chosen, Kind, Opened, Stirred, Wished
from tui.pace import LOCAL_S, Pace
from tui.panels.base import INSPECTOR, PANELS, Scene, Subject, TablePanel, make_panels
from tui.screens.opening import screen_for
from tui.statusline import Freshness, StatusLine, freshness, unheard
from tui.widgets.cells import Cell
from tui.widgets.filter_bar import FilterBar
from tui.widgets.hints import PROGRAM, Hints
from tui.wishes import ON_ALL, Wishes, objection

if TYPE_CHECKING:
    from tui.bridge import Bridge

VIEW: Final = Binding.Group("View")
ALL: Final = Binding.Group("Everything")

_PANEL_KEYS: Final[list[BindingType]] = [
    Binding(str(kind.number), f"choose({kind.number})", kind.label, show=False, id=f"panel.{name}", group=VIEW)
    for name, kind in sorted(PANELS, key=lambda member: member[1].number)
]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the main screen is given beside the bridge.

    `engine_trouble` returns why an engine inside is dead, `silence` why one elsewhere does not answer; "" if all is well.
    """

    clock: Clock
    refresh_s: float = LOCAL_S
    columns_max: int = 3
    engine_trouble: Callable[[], str] = lambda: ""
    silence: Callable[[], str] = lambda: ""


class MainScreen(Screen[None]):
    """The dashboard."""

    is_past: ClassVar[bool] = False  # what it shows is over, and no news
    BINDINGS: ClassVar[list[BindingType]] = [
        *_PANEL_KEYS,
        Binding("tab", "turn(1)", "Next panel", show=False, id="panel.next", group=VIEW),
        Binding("shift+tab", "turn(-1)", "Previous panel", show=False, id="panel.previous", group=VIEW),
        Binding(
            "slash",
            "filter",
            "Filter",
            key_display="/",
            id="view.filter",
            group=VIEW,
            tooltip="Show only rows that match",
        ),
        Binding(
            "escape",
            "back",
            "Back",
            show=False,
            id="view.back",
            group=VIEW,
            tooltip="Clear the filter, then make small",
        ),
        Binding(
            "ctrl+r", "redraw", "Redraw", show=False, id="view.redraw", group=VIEW, tooltip="Paint everything again"
        ),
        Binding("plus", "pace(1)", "Faster", key_display="+", show=False, id="view.faster", group=VIEW),
        Binding("minus", "pace(-1)", "Slower", key_display="-", show=False, id="view.slower", group=VIEW),
        Binding(
            "C", "times", "Ages or clock", show=False, id="view.times", group=VIEW, tooltip="How long ago, or when"
        ),
        Binding("T", "rewind", "Then", show=False, id="view.then", group=VIEW, tooltip="The dashboard as it was"),
        Binding("P", "pause_all", "Pause all", id="all.pause", group=ALL),
        Binding("U", "resume_all", "Resume all", show=False, id="all.resume", group=ALL),
        Binding("K", "halt", "Halt", id="all.halt", group=ALL, tooltip="The kill switch"),
        Binding("L", "release", "Lift halt", show=False, id="all.release", group=ALL),
        Binding("t", "app.change_theme", "Theme", show=False, id="program.theme", group=PROGRAM),
        Binding("q", "app.quit", "Quit", id="program.quit", group=PROGRAM),
    ]

    def __init__(self, bridge: Bridge, around: Surroundings | None = None) -> None:
        super().__init__()
        self.bridge = bridge
        self.around = around or Surroundings(SystemClock())
        self.pace = Pace(self.around.refresh_s)
        self.wishes = Wishes(self, bridge, self._wishes_changed)
        # Kept, not asked for again and again: a draw may come while the screen is being taken down.
        self.status, self.banner, self.deck, self.bar = StatusLine(), Banner(), Deck(make_panels()), FilterBar()
        self.board: Board | None = None
        self.trouble = ""
        self.inspected: Subject | None = None
        self._table = 1  # the number of the table used last
        self._drawn_at: object = None

    def compose(self) -> ComposeResult:
        yield self.status
        yield self.banner
        yield Static("", id="size-note", markup=False)
        yield self.deck
        yield self.bar
        yield Hints()

    def on_mount(self) -> None:
        self.bar.display = False
        for panel in self.deck.panels.values():
            panel.read_only = self.bridge.read_only
        habits = memory_of(self.app).habits
        chosen = habits.panel if habits.panel in self.deck.panels else None
        self._arrange(chosen=chosen, is_maximised=habits.is_maximised)
        self.call_after_refresh(self._focus_chosen)
        self.run_worker(self._follow(), group="follow")

    async def _follow(self) -> None:
        while True:
            await self.tick()
            await self.around.clock.sleep(self.pace.interval_s)

    async def tick(self) -> None:
        """Read the Board if something was committed, and draw what is to be drawn anew."""
        if not self._is_seen:
            return
        try:
            change = await self.bridge.change()
            if self.board is None or self.trouble or change != self.board.change:
                self.board = replace(await self.bridge.board(), change=change)
                self.post_message(BoardRead(self.board))
                await self._inspect()
            self.trouble = ""
        except Exception as defect:  # noqa: BLE001 - a supervisor: the screen says that it cannot read, and tries again
            self.trouble = f"{type(defect).__name__}: {foreign(str(defect))}"
        began = self.around.clock.machine()
        if self.is_attached and self._draw():
            self.pace.note(self.around.clock.machine() - began)

    @property
    def _is_seen(self) -> bool:
        return self.app.screen is self or isinstance(self.app.screen, ModalScreen)

    def _draw(self) -> bool:
        """Draw if a commit, a second or a trouble makes it look different; says whether it was drawn."""
        wall = self.around.clock.wall()
        trouble, silence = self.around.engine_trouble(), self.around.silence()
        wanted = (self.board and self.board.change, int(wall.timestamp()), self.trouble, trouble, silence)
        if wanted == self._drawn_at:
            return False
        self._drawn_at = wanted
        self.banner.show(self.board, self.trouble, trouble, silence)
        if self.board is None:
            return True
        engine = self.board.engine
        now = market_now(engine, wall)
        with self.app.batch_update():
            self.status.show(self.board, wall, self._notes(), self._past())
            is_stale = freshness(engine, wall) is Freshness.STALE
            self.deck.set_class(is_stale or bool(trouble or silence), "-stale")
            has_clock_times = memory_of(self.app).habits.has_clock_times
            scene = Scene(self.board, now, self.wishes.pending, self.inspected, has_clock_times, unheard(engine, wall))
            for panel in self.deck.panels.values():
                panel.show(scene)
        self.refresh_bindings()
        return True

    async def _inspect(self) -> None:
        """Look closer at the row under the cursor, if there is a panel that shows it."""
        panel = self.deck.panels[self._table]
        inspector = self.deck.panels[INSPECTOR]
        if not inspector.display or not isinstance(panel, TablePanel) or panel.selected is None:
            self.inspected = None
            return
        subject = Subject(panel.kind, panel.selected)
        if subject.kind is Kind.SIGNAL:
            subject = subject._replace(story=await self.bridge.story(subject.key))
        self.inspected = subject

    async def _inspect_anew(self) -> None:
        before = self.inspected
        await self._inspect()
        inspector = self.deck.panels[INSPECTOR]
        if self.inspected != before and inspector.scene is not None:
            inspector.show(replace(inspector.scene, subject=self.inspected))

    def _notes(self) -> list[Cell]:
        notes = [Cell(f"… {self.wishes.pending[kind]}", "$accent") for kind in _kinds() if kind in self.wishes.pending]
        if self.around.silence():
            notes.insert(0, Cell("✖ NO ANSWER", "bold reverse $error"))
        if self.bridge.read_only:
            notes.append(Cell("READ-ONLY", "$stale"))
        if self.pace.is_slowed:
            notes.append(Cell(f"{1 / self.pace.interval_s:.1f} Hz", "$stale"))
        return notes

    def _past(self) -> list[Cell]:
        """Return what stands in place of the mode on a dashboard of the past."""
        return []

    def _wishes_changed(self) -> None:
        self._drawn_at = None
        if self.is_attached and self._is_seen:
            self._draw()

    def _arrange(self, *, chosen: int | None = None, is_maximised: bool = False) -> None:
        size = self.app.size
        arrangement = arrangement_for(size, self.around.columns_max)
        view = replace(
            self.deck.view,
            arrangement=arrangement,
            chosen=chosen or self.deck.view.chosen,
            is_maximised=is_maximised and arrangement is not Arrangement.NONE,
        )
        self.deck.set_view(view)
        memory_of(self.app).note(panel=view.chosen, is_maximised=view.is_maximised)
        if isinstance(self.deck.chosen, TablePanel):
            self._table = view.chosen
        self._look_closer()
        note = self.query_one("#size-note", Static)
        note.display = arrangement is Arrangement.NONE
        note.update(
            Content(f"The panels need {STACK_MIN.width}x{STACK_MIN.height}; this is {size.width}x{size.height}.")
        )

    def _focus_chosen(self) -> None:
        if self.deck.view.arrangement is not Arrangement.NONE:
            self.set_focus(self.deck.chosen.body)  # at once: the next key is for it

    def on_resize(self, event: events.Resize) -> None:  # noqa: ARG002 - the app knows the size
        if self.is_mounted:
            self._arrange(is_maximised=self.deck.view.is_maximised)
            self._drawn_at = None
            self.call_after_refresh(self._draw)
            if not self.bar.has_focus:
                self.call_after_refresh(self._focus_chosen)

    def on_app_blur(self) -> None:
        self.pace.is_away = True

    def on_app_focus(self) -> None:
        self.pace.is_away = False

    # what is chosen

    def action_choose(self, number: int) -> None:
        again = number == self.deck.view.chosen and not self.bar.has_focus
        self._close_bar()
        self._arrange(chosen=number, is_maximised=again and not self.deck.view.is_maximised)
        self._focus_chosen()

    def action_turn(self, by: int) -> None:
        numbers = list(self.deck.panels)
        at = (numbers.index(self.deck.view.chosen) + by) % len(numbers)
        self._close_bar()
        self._arrange(chosen=numbers[at], is_maximised=self.deck.view.is_maximised)
        self._focus_chosen()

    @on(Chosen)
    def _chosen(self, message: Chosen) -> None:
        if message.number != self.deck.view.chosen:
            self._arrange(chosen=message.number)
            self._focus_chosen()

    def action_back(self) -> None:
        panel = self.deck.chosen
        if isinstance(panel, TablePanel) and panel.filter:
            panel.set_filter("")
        elif self.deck.view.is_maximised:
            self._arrange()

    def action_redraw(self) -> None:
        self._drawn_at = None
        self.refresh(repaint=True, layout=True)

    def action_times(self) -> None:
        """Tell how long ago things were, or when, on every screen."""
        memory = memory_of(self.app)
        memory.note(has_clock_times=not memory.habits.has_clock_times)
        self._drawn_at = None
        self._draw()

    def action_rewind(self) -> None:
        """Show the dashboard as it was: at the row under the cursor if that is a moment, else from now on back."""
        panel = self.deck.chosen
        if panel.scene is not None:
            self.post_message(panel.moment(panel.scene))

    def action_pace(self, way: int) -> None:
        """Draw more often (1) or less often (-1), and say how often that is."""
        if way > 0:
            self.pace.faster()
        else:
            self.pace.slower()
        memory_of(self.app).note(refresh_s=self.pace.wished_s)
        self.notify(f"drawn {1 / self.pace.interval_s:g} times a second", title="Refresh", markup=False)

    # the filter

    def action_filter(self) -> None:
        panel = self.deck.chosen
        if isinstance(panel, TablePanel):
            self.bar.ask(panel.filter.text, panel.filter_hint)

    @on(Input.Changed)
    def _filter_typed(self, message: Input.Changed) -> None:
        panel = self.deck.chosen
        if message.input is self.bar and self.bar.display and isinstance(panel, TablePanel):
            panel.set_filter(message.value)

    @on(Input.Submitted)
    def _filter_taken(self) -> None:
        self._close_bar()
        self._focus_chosen()

    def _close_bar(self) -> None:
        self.bar.display = False

    # what is opened

    @on(Opened)
    async def _opened(self, message: Opened) -> None:
        screen = screen_for(message.kind, message.key, self.bridge, self.board, self.around.clock)
        if screen is not None:
            await self.app.push_screen(screen)

    # what is wished for

    @on(Wished)
    def _wished(self, message: Wished) -> None:
        self.wishes.make(message.wish)

    def action_pause_all(self) -> None:
        self.wishes.make(ON_ALL["pause_all"])

    def action_resume_all(self) -> None:
        self.wishes.make(ON_ALL["resume_all"])

    def action_halt(self) -> None:
        self.wishes.make(ON_ALL["halt"])

    def action_release(self) -> None:
        self.wishes.make(ON_ALL["release"])

    @on(Stirred)
    def _stirred(self) -> None:
        self.refresh_bindings()
        self._look_closer()

    def _look_closer(self) -> None:
        if self.deck.panels[INSPECTOR].display:
            # the function, not what it returns: a screen that is being left starts it no more
            _: Worker[None] = self.run_worker(self._inspect_anew, group="inspect", exclusive=True, exit_on_error=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "filter":
            return True if isinstance(self.deck.chosen, TablePanel) else None
        if action not in ON_ALL:
            return super().check_action(action, parameters)
        if self.bridge.read_only:
            return False
        return None if self.why_not(action) else True

    def why_not(self, action: str) -> str:
        """Return why a key would do nothing now, for whoever presses it all the same."""
        is_of_all = action in ON_ALL and not self.bridge.read_only
        return objection(action, self.board, self.wishes.pending) if is_of_all else ""


def _kinds() -> list[str]:
    return [wish.key for wish in ON_ALL.values()]
