"""What all screens behind the dashboard share: the way here on top, a look at the store now and then, and wishes."""

from __future__ import annotations

import asyncio
import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.notifications import SeverityLevel
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from engine.clock import Clock, SystemClock
from engine.core.board import Board
from engine.core.commands import CommandKind, CommandState
from engine.core.errors import SignalDeckError
from tui.bridge import Bridge
from tui.formatting import MODE_STYLES, market_now
from tui.messages import BoardRead, Rewound
from tui.past import past_cells
from tui.sections import said
from tui.statusline import unheard
from tui.stories import plain
from tui.widgets.cells import Cell, content
from tui.widgets.hints import Hints

CLIPBOARD_BYTES_MAX: Final = 74_000  # what terminals take in one sequence
COPY: Final = Binding.Group("Copy")
STEP: Final = " › "  # noqa: RUF001 - an angle that points onward is meant


@dataclass(frozen=True, slots=True)
class Errand:
    """An operator's wish on its way to the engine. `doing` is what the screen says until it is answered."""

    kind: CommandKind
    target: str
    doing: str
    why: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    expected_version: int | None = None


class TrailScreen(Screen[None]):
    """A screen behind the dashboard. It asks the bridge each `every_s` while shown, if anything was committed since.

    A subclass says its `trail`, composes its `body`, gathers in `gather` what the board lacks, and draws in `draw`;
    wishes go through `post`. Trouble with the store is shown on top and asked again later.
    """

    DEFAULT_CSS = """
    TrailScreen > #head { height: 1; background: $panel; padding: 0 1; }
    TrailScreen > #head > #trail { width: 1fr; height: 1; }
    TrailScreen > #head > #pending { width: auto; height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "Back", key_display="esc", id="detail.back"),
        Binding("T", "rewind", "Then", id="detail.then", tooltip="The dashboard as it was at that moment"),
    ]
    WISHING: ClassVar[frozenset[str]] = frozenset()  # actions that post a wish: hidden when read-only
    every_s: ClassVar[float] = 0.5
    tells_a_moment: ClassVar[bool] = False  # `moment` may name one
    is_asking_always: ClassVar[bool] = False  # gather each time, even if nothing was committed since

    pending: reactive[str] = reactive("", init=False)

    def __init__(self, bridge: Bridge, clock: Clock | None = None) -> None:
        super().__init__()
        self.bridge = bridge
        self.clock = clock or SystemClock()
        self.picture: Board | None = None
        self._change: int | None = None
        self._trouble = ""
        self._looking = asyncio.Lock()

    @property
    def trail(self) -> tuple[str, ...]:
        """Return the way here, the thing itself last."""
        return (str(self.title or ""),)

    @abstractmethod
    def body(self) -> Iterator[Widget]:
        """Return what stands between the trail and the key hints."""

    async def gather(self) -> None:
        """Ask the bridge for what is drawn besides the board. Called when something was committed since."""

    @abstractmethod
    async def draw(self, now: datetime) -> None:
        """Bring the body up to date as it stands at `now` (the market's time)."""

    def compose(self) -> ComposeResult:
        with Horizontal(id="head"):
            yield Static(id="trail")
            yield Static(id="pending")
        yield from self.body()
        yield Hints(is_gathered=True)

    def on_mount(self) -> None:
        self.set_interval(self.every_s, self.look)
        self.call_later(self.look)

    def on_screen_resume(self) -> None:
        self.call_later(self.look)

    async def look(self) -> None:
        """Gather if anything changed, then draw. Trouble with the store is shown and asked again later."""
        async with self._looking:  # a tick and an answered wish may come together
            if not self.is_current:
                return
            try:
                change = await self.bridge.change()
                if change != self._change or self._trouble or self.is_asking_always:
                    self.picture = await self.bridge.board()
                    self.post_message(BoardRead(self.picture))
                    await self.gather()
                    self._change = change
                self._trouble = ""
            except SignalDeckError as error:
                self._trouble = said(str(error), 120) or type(error).__name__
            except Exception as fault:  # noqa: BLE001 - supervises the asking: a defect here must not end the dashboard
                self._trouble = f"a defect: {type(fault).__name__}: {said(str(fault), 100)}"
            if self.is_attached:
                await self._draw()

    @property
    def is_told(self) -> bool:
        """Say whether the store has answered once, well or badly."""
        return self._change is not None or bool(self._trouble)

    @property
    def now(self) -> datetime:
        """Return the market's time."""
        return market_now(self.picture.engine if self.picture else None, self.clock.wall())

    @property
    def trouble(self) -> str:
        """Return why the store could not be read at the last look, the empty text if it could."""
        return self._trouble

    @property
    def unheard(self) -> str:
        """Return why no engine answers, the empty text while one beats."""
        return unheard(self.picture.engine if self.picture else None, self.clock.wall())

    def post(self, errand: Errand) -> None:
        """Hand an errand to the engine; the screen says `doing` until it is answered, and shows the answer as a toast.

        It runs on the app, so that leaving this screen does not take it back.
        """
        if self.pending:
            return
        self.pending = errand.doing
        self.app.run_worker(self._run(errand), group="wishes")

    def moment(self) -> Rewound | None:
        """Return the moment that this screen is about, None if there is none now."""
        return None

    def action_rewind(self) -> None:
        moment = self.moment()
        if moment is not None:
            self.post_message(moment)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's own
        if action == "rewind":
            return bool(self.moment()) or None if self.tells_a_moment else False
        if action in self.WISHING:
            if self.bridge.read_only:
                return False
            if self.pending:
                return None
        return True

    def watch_pending(self) -> None:
        self.query_one("#pending", Static).update(content(self._right()))
        self.refresh_bindings()

    def copy(self, text: str, what: str) -> None:
        """Send `text` to the terminal's clipboard; whether it arrives there nobody can know."""
        if len(text.encode("utf-8", "replace")) > CLIPBOARD_BYTES_MAX:
            self.toast(f"{what} is too long for the clipboard; the commands with --json print it", "warning")
            return
        self.app.copy_to_clipboard(text)
        self.toast(f"{what} sent to clipboard")

    def copy_as_json(self, thing: object, what: str) -> None:
        """Send a record as JSON, see `copy`."""
        self.copy(json.dumps(plain(thing), ensure_ascii=False, indent=2), f"{what} as JSON")

    def toast(self, text: str, severity: SeverityLevel = "information") -> None:
        """Show a passing message. The text is foreign: it is cleaned, and never markup."""
        self.app.notify(said(text, 300), severity=severity, markup=False)

    def action_back(self) -> None:
        self.dismiss()

    async def _draw(self) -> None:
        self.query_one("#trail", Static).update(content(self._left()))
        self.query_one("#pending", Static).update(content(self._right()))
        if self._change is not None:
            await self.draw(self.now)
            self.refresh_bindings()

    def _left(self) -> list[Cell]:
        engine = self.picture.engine if self.picture else None
        cells = past_cells(self.clock)
        if not cells and engine:
            cells = [Cell(f" {engine.mode.upper()} ", MODE_STYLES[engine.mode])]
        cells += [Cell("  ")] if cells else []
        *way, here = self.trail
        cells += [Cell(f"{said(step, 40)}{STEP}", "$muted") for step in way]
        return [*cells, Cell(said(here, 60), "bold")]

    def _right(self) -> list[Cell]:
        if self.pending:
            return [Cell(f"◌ {self.pending}…", "$accent")]
        if self._trouble:
            return [Cell(f"▲ {self._trouble}", "$error")]
        return [Cell(f"▲ {self.unheard}", "$error")] if self.unheard else []

    async def _run(self, errand: Errand) -> None:
        try:
            command = await self.bridge.wish(
                errand.kind, errand.target, why=errand.why, args=errand.args, expected_version=errand.expected_version
            )
        except (SignalDeckError, OSError) as error:
            self.toast(str(error) or type(error).__name__, "error")
        else:
            is_done = command.state is CommandState.DONE
            self.toast(command.result or command.state.value, "information" if is_done else "warning")
        finally:
            if self.is_attached:
                self.pending = ""
        self._change = None
        if self.is_attached:
            self.call_later(self.look)
