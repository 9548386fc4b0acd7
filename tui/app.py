"""The program on the screen: themes, the main screen, leaving in order, and what happens when something breaks."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, ClassVar, Final

from rich.text import Text
from textual import events, on
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.filter import LineFilter
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.theme import Theme

from engine.clock import Clock, SystemClock
from engine.core.events import Severity
from engine.core.text import clean, counted
from tui import crash
from tui.directory import DOORS, door
from tui.herald import Herald, Volume
from tui.manners import WellSpoken
from tui.memory import Memory
from tui.messages import BoardRead, Rewound
from tui.pace import base_interval
from tui.palette import Commands
from tui.plain import PlainGlyphs, is_plain
from tui.screens.help import HelpScreen
from tui.screens.main import MainScreen, Surroundings
from tui.themes import DEFAULT, MEANINGS, shipped, style_sheets
from tui.widgets.hints import PROGRAM
from tui.widgets.live_table import LiveTable

if TYPE_CHECKING:
    from tui.bridge import Bridge
    from tui.past import PastBridge

SCREENS: Final = Binding.Group("Go to")
LOUDNESS: Final[Mapping[Severity, SeverityLevel]] = {
    Severity.CRITICAL: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "information",
}
TERMINAL_CHECK_S: Final = 3.0
KEEP_EVERY_S: Final = 5.0  # what was chosen outlives a kill by no more than this
EXIT_TERMINAL_LOST: Final = 1
TOLD_TO_STOP: Final = "The engine was told to stop in order; nothing in the store is lost."
LEFT_RUNNING: Final = "The engine runs in another process and was left as it is."


@dataclass(frozen=True, slots=True)
class Dress:
    """How the program looks, sounds and is steered, and how often it is drawn. `refresh_s` None: 4 times a second, 2 over ssh.

    `themes` is a folder of an operator's own palettes, `keys` are an operator's own (see `tui.keymap`), `memory` is the file
    that keeps what is chosen on the screen (None: it is forgotten). `is_theme_named`: on the command line, for this time.
    """

    theme: str = DEFAULT
    themes: Path | None = None
    refresh_s: float | None = None
    columns_max: int = 3
    keys: Mapping[str, str] = field(default_factory=dict)
    volume: Volume = field(default_factory=Volume)
    memory: Path | None = None
    is_theme_named: bool = False


@dataclass(frozen=True, slots=True)
class EngineInside:
    """The engine that runs in this process, if one does. `trouble` returns why it died, or the empty text."""

    is_there: bool = False
    trouble: Callable[[], str] = field(default=lambda: "")


@dataclass(frozen=True, slots=True)
class EngineElsewhere:
    """The engine of another process, which goes on without this screen. `silence` returns why it does not answer, or ""."""

    silence: Callable[[], str]


class SignalDeckApp(WellSpoken):
    """The dashboard. It needs an engine only through its bridge, and its return value is the exit code."""

    TITLE = "SignalDeck"
    CSS_PATH: ClassVar[str | PurePath | list[str | PurePath] | None] = list(style_sheets())
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {Commands}
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True, id="program.quit_now", group=PROGRAM),
        Binding("ctrl+p", "command_palette", "Commands", priority=True, id="program.palette", group=PROGRAM),
        *(
            Binding(
                one.key,
                f"visit('{one.name}')",
                one.label,
                False,
                id=f"visit.{one.name}",
                group=SCREENS,
                tooltip=one.tells,
            )
            for one in DOORS
        ),
        Binding(
            "colon", "jump", "Go to", False, ":", id="visit.jump", group=SCREENS, tooltip="A screen or a signal by name"
        ),
        Binding("question_mark", "help", "Help", key_display="?", id="program.help", group=PROGRAM),
    ]

    def __init__(
        self,
        bridge: Bridge,
        dress: Dress | None = None,
        *,
        engine: EngineInside | EngineElsewhere | None = None,
        clock: Clock | None = None,
        crash_file: Path | None = None,
    ) -> None:
        self.bridge = bridge
        self.past: Callable[[], PastBridge] | None = None  # makes a bridge to the past of the same store
        self.dress = dress or Dress()
        self.engine = engine if isinstance(engine, EngineInside) else EngineInside()
        self.elsewhere = engine if isinstance(engine, EngineElsewhere) else None
        self.clock: Clock = clock or SystemClock()
        self.crash_file = crash_file
        self.memory = Memory(self.dress.memory)
        self.complaints = [self.memory.complaint] if self.memory.complaint else []
        self._herald = Herald(self.dress.volume)
        self.main: MainScreen | None = None
        self._is_leaving = False
        self._plain = PlainGlyphs(enabled=is_plain(os.environ, getattr(sys.__stdout__, "encoding", None)))
        super().__init__()
        self._take_themes()

    def _take_themes(self) -> None:
        palettes = shipped()
        if self.dress.themes is not None:
            from tui.theme_files import own

            mine, bad = own(self.dress.themes)
            palettes += [file.theme() for file in mine]
            self.complaints += bad
        for palette in palettes:
            self.register_theme(palette)
        habits = self.memory.habits
        is_kept = habits.theme_configured == self.dress.theme and not self.dress.is_theme_named
        if is_kept and habits.theme in self.available_themes:
            self.theme = habits.theme
        elif self.dress.theme in self.available_themes:
            self.theme = self.dress.theme
        else:
            self.complaints.append(f"there is no theme {clean(self.dress.theme, 40)}; {DEFAULT} is used")
            self.theme = DEFAULT

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return the program's own meanings, taken from whatever theme is in use; its palettes name them all."""
        theme: Theme = self.current_theme
        known = theme.to_color_system().generate()
        return {name: known.get(stands_in, known["foreground"]) for name, stands_in in MEANINGS.items()}

    def get_line_filters(self) -> Sequence[LineFilter]:
        filters = super().get_line_filters()
        return [*filters, self._plain] if self._plain.enabled else filters

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002 - Textual's signature
        yield SystemCommand("Theme", "Choose another palette", self.action_change_theme)

    async def on_mount(self) -> None:
        await self.bridge.open()
        around = Surroundings(self.clock, self._refresh_s, self.dress.columns_max, self.engine.trouble)
        if self.elsewhere is not None:
            around = replace(around, silence=self.elsewhere.silence)
        self.main = self.make_main(around)
        await self.push_screen(self.main)
        self._take_keys()
        for complaint in self.complaints:
            self.notify(complaint, severity="warning", markup=False)
        self.theme_changed_signal.subscribe(self, self._theme_chosen)
        self.set_interval(KEEP_EVERY_S, self._keep_memory)
        if not self.is_headless and os.isatty(0):
            self.set_interval(TERMINAL_CHECK_S, self._check_terminal)

    def make_main(self, around: Surroundings) -> MainScreen:
        """Return the screen that everything begins with."""
        return MainScreen(self.bridge, around)

    async def on_unmount(self) -> None:
        await self._keep_memory()
        await self.bridge.close()

    @property
    def _refresh_s(self) -> float:
        configured, habits = self.dress.refresh_s or 0.0, self.memory.habits
        kept = habits.refresh_s if habits.refresh_configured_s == configured else 0.0
        return kept or configured or base_interval(os.environ)

    def _take_keys(self) -> None:
        if not self.dress.keys:
            return
        from tui.keymap import keymap_of

        keymap, refused = keymap_of(self.dress.keys)
        self.set_keymap(keymap)
        self.complaints += refused

    def _theme_chosen(self, theme: Theme) -> None:
        self.memory.note(theme=theme.name, theme_configured=self.dress.theme)

    async def _keep_memory(self) -> None:
        self.memory.note(refresh_configured_s=self.dress.refresh_s or 0.0)
        await asyncio.to_thread(self.memory.keep)

    @on(LiveTable.Rearranged)
    def _table_rearranged(self, message: LiveTable.Rearranged) -> None:
        table = message.table
        if table.name:
            order = {"sort": table.sorting.column, "is_reversed": table.sorting.is_reversed}
            self.memory.note_table(table.name, **order, is_wide=table.is_wide)

    @on(BoardRead)
    def _board_read(self, message: BoardRead) -> None:
        if self.home.is_past:
            return  # what was raised then is no news
        news, rings = self._herald.hear(message.board.alerts, self.clock.wall())
        for one in news:
            self.notify(one.text, title="Alert", severity=LOUDNESS[one.severity], markup=False)
        if rings:
            self.bell()

    def _check_terminal(self) -> None:
        """Leave when the terminal is gone: nobody would ever see the screen again, and its reader would spin."""
        try:
            is_there = os.isatty(0) and os.isatty(1)
        except OSError:
            is_there = False
        if not is_there:
            self.exit(EXIT_TERMINAL_LOST, return_code=EXIT_TERMINAL_LOST)

    def _leave_lost_browser(self) -> None:
        nothing = os.open(os.devnull, os.O_WRONLY)  # the way out writes as well, to where nobody reads any more
        os.dup2(nothing, 1)
        os.close(nothing)
        self.exit(EXIT_TERMINAL_LOST, return_code=EXIT_TERMINAL_LOST)

    def on_app_blur(self, event: events.AppBlur) -> None:  # noqa: ARG002 - Textual's signature
        if self.main is not None:
            self.main.pace.is_away = True

    def on_app_focus(self, event: events.AppFocus) -> None:  # noqa: ARG002 - Textual's signature
        if self.main is not None:
            self.main.pace.is_away = False

    async def action_visit(self, name: str) -> None:
        """Go to a screen of the directory. One that is already on the way here is gone back to."""
        one, home = door(name), self.home
        for at, screen in enumerate(self.screen_stack):
            if isinstance(screen, one.kind()) and screen.bridge is home.bridge:
                for _ in range(len(self.screen_stack) - at - 1):
                    await self.pop_screen()
                return
        await self.push_screen(one.open(home.bridge, home.around.clock))

    @property
    def home(self) -> MainScreen:
        """Return the dashboard that the screen on top came from: the live one, or one of the past over it."""
        found = next((screen for screen in reversed(self.screen_stack) if isinstance(screen, MainScreen)), self.main)
        assert found is not None, "no key is taken before the first screen is there"
        return found

    @on(Rewound)
    async def _rewound(self, message: Rewound) -> None:
        """Show the dashboard as it was: the one of the past that is open already, or one over this dashboard."""
        from tui.past_opening import open_past

        await open_past(self, message)

    async def action_jump(self) -> None:
        from tui.screens.jump import Jump

        await self.push_screen(Jump(), self._jump)

    async def _jump(self, target: str | None) -> None:
        from tui.screens.story import StoryScreen

        if target is None:
            return
        what, _, signal_id = target.partition(":")
        if signal_id:
            home = self.home
            await self.push_screen(StoryScreen(home.bridge, signal_id, clock=home.around.clock))
        else:
            await self.action_visit(what)

    async def action_help(self) -> None:
        if not isinstance(self.screen, HelpScreen):
            await self.push_screen(HelpScreen(self.screen))

    async def action_quit(self) -> None:
        """Leave. Asks first while orders are in flight here, or if the engine is elsewhere and runs on.

        Asked again while the question stands, it goes at once.
        """
        under_way = self._under_way
        if self._is_leaving or not (under_way or self.elsewhere):
            self.exit(0)
            return
        self._is_leaving = True
        self.run_worker(self._ask_and_leave(under_way), group="leave")

    @property
    def _under_way(self) -> int:
        """Return the number of orders that this process's engine is looking after: in flight, unknown or open."""
        board = self.main.board if self.main is not None else None
        return sum(t.in_flight for t in board.traders) if board is not None and self.engine.is_there else 0

    async def _ask_and_leave(self, under_way: int) -> None:
        from tui.screens.confirm import Confirm, Gravity

        orders = counted(under_way, "order is under way", "orders are under way")
        told = "Stop: the engine sends nothing more, waits for the answers that are due, and ends. Open orders stay open at"
        told += " their venues, and nobody looks after them until the next start. K halts, which cancels them."
        question = Confirm("Quit", orders, told, gravity=Gravity.MILD)
        if self.elsewhere is not None:
            told = "The engine runs in another process. It is left running, and so are its orders and other dashboards."
            question = Confirm("Close this dashboard", "this screen alone", told, gravity=Gravity.MILD)
        answer: bool | None = await self.push_screen_wait(question)
        self._is_leaving = False
        if answer:
            self.exit(0)

    def action_help_quit(self) -> None:
        """Say how to leave: in a terminal ctrl+c is a habit, and here it must not end an engine."""
        self.notify("q leaves, ? shows all keys", markup=False)

    def action_suspend_process(self) -> None:
        """Stay: a stopped process would stop the engine with it."""

    @property
    def _left_behind(self) -> str:
        return LEFT_RUNNING if self.elsewhere is not None else TOLD_TO_STOP

    def _handle_exception(self, error: Exception) -> None:
        """Leave with exit code 1 and a report without the values of variables: they may be keys."""
        if self.is_web and isinstance(error, BrokenPipeError):  # the server is gone: no defect of ours
            self._leave_lost_browser()
            return
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self.panic(crash_report(error, self.crash_file, self._left_behind))


def crash_report(error: BaseException, path: Path | None = None, left_behind: str = TOLD_TO_STOP) -> Text:
    """Return what broke and where, as text that holds no variable's value and no known secret. `path` gets all of it.

    `left_behind` says what became of the engine.
    """
    lines = [f"SignalDeck's screen broke. {left_behind}", ""]
    lines += crash.summary(error)
    if path is not None and crash.keep(error, path):
        lines += ["", f"The whole way is told in {clean(str(path), 500)}"]
    return Text("\n".join(lines))
