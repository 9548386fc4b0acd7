"""What all detail screens share: a trail on top, sections that refresh in place, key hints, and wishes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final

from textual.app import ComposeResult, RenderResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.notifications import SeverityLevel
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Static

from engine.clock import Clock, SystemClock
from engine.core.board import Board, EngineState
from engine.core.commands import CommandKind, CommandState
from engine.core.errors import SignalDeckError
from tui.bridge import Bridge
from tui.formatting import MODE_STYLES, age, market_now
from tui.sections import Section, lay, row, said
from tui.widgets.cells import Cell, content

CLIPBOARD_BYTES_MAX: Final = 74_000  # what terminals take in one sequence
STEP: Final = " › "  # noqa: RUF001 - an angle that points onward is meant
SILENT_AFTER_S: Final = 5.0  # an engine that has not beaten for longer is said to be silent


@dataclass(frozen=True, slots=True)
class Errand:
    """An operator's wish on its way to the engine. `doing` is what the screen says until it is answered."""

    kind: CommandKind
    target: str
    doing: str
    why: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    expected_version: int | None = None


class Sheet(Widget):
    """Draws one section, wrapped to its own width."""

    DEFAULT_CSS = """
    Sheet { height: auto; margin: 0 1 1 1; padding: 0 1; }
    Sheet.lead { background: $panel; padding: 1 2; margin: 1 1; border-left: thick $accent; }
    Sheet.tone-ok { border-left: thick $success; }
    Sheet.tone-warning { border-left: thick $warning; }
    Sheet.tone-error { border-left: thick $error; }
    Sheet.tone-muted { border-left: thick $foreground 40%; }
    """

    def __init__(self, section: Section) -> None:
        super().__init__(id=f"section-{section.key}")
        self._section = section
        self._laid: tuple[int, list[Content]] = (-1, [])  # for this width
        self._dress()

    @property
    def section(self) -> Section:
        return self._section

    def show(self, section: Section) -> None:
        """Draw `section` from now on; nothing is repainted if it is equal."""
        if section == self._section:
            return
        self._section = section
        self._laid = (-1, [])
        self._dress()
        self.refresh(layout=True)

    def render(self) -> RenderResult:
        return Content("\n").join(self._lines(self.content_size.width))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's own
        return len(self._lines(width))

    def _lines(self, width: int) -> list[Content]:
        if self._laid[0] != width:
            section = self._section
            head = [section.title, Cell(f"  {section.note}" if section.note else "", "$muted")]
            title = content(head).truncate(max(width, 1), ellipsis=True)
            self._laid = (width, [title, *lay(section, width)])
        return self._laid[1]

    def _dress(self) -> None:
        tone = self._section.tone.removeprefix("bold ").removeprefix("$")
        self.set_class(bool(tone), "lead")
        for name in ("ok", "warning", "error", "muted"):
            self.set_class(tone == name, f"tone-{name}")


class DetailScreen(Screen[None]):
    """A screen that tells of one thing. It asks the bridge each `every_s` while shown, and keeps its scroll.

    A subclass says its `trail`, gathers in `gather` what the board lacks, and tells in `tell`; wishes go through `post`.
    """

    DEFAULT_CSS = """
    DetailScreen > #head { height: 1; background: $panel; padding: 0 1; }
    DetailScreen > #head > #trail { width: 1fr; height: 1; }
    DetailScreen > #head > #pending { width: auto; height: 1; }
    DetailScreen > #body { height: 1fr; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    DetailScreen > #body:focus { background-tint: $foreground 0%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "Back", key_display="esc", id="detail.back"),
        Binding("j,down", "scroll_lines(1)", "Down", id="detail.down", show=False),
        Binding("k,up", "scroll_lines(-1)", "Up", id="detail.up", show=False),
        Binding("g,home", "jump(-1)", "To the top", id="detail.top", show=False),
        Binding("G,end", "jump(1)", "To the end", id="detail.bottom", show=False),
        Binding("ctrl+f,pagedown", "scroll_pages(1)", "Page down", id="detail.page_down", show=False),
        Binding("ctrl+b,pageup", "scroll_pages(-1)", "Page up", id="detail.page_up", show=False),
    ]
    WISHING: ClassVar[frozenset[str]] = frozenset()  # actions that post a wish: hidden when read-only
    every_s: ClassVar[float] = 0.5
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

    async def gather(self) -> None:
        """Ask the bridge for what `tell` needs besides the board. Called when something was committed since."""

    def tell(self, now: datetime) -> tuple[Section, ...]:  # noqa: ARG002 - whoever overrides it needs the time
        """Return the sections as they stand at `now` (the market's time)."""
        return ()

    def compose(self) -> ComposeResult:
        with Horizontal(id="head"):
            yield Static(id="trail")
            yield Static(id="pending")
        yield VerticalScroll(id="body", can_focus=False)
        yield Footer(show_command_palette=False)

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
                    await self.gather()
                    self._change = change
                self._trouble = ""
            except SignalDeckError as error:
                self._trouble = said(str(error), 120) or type(error).__name__
            if self.is_attached:
                await self._draw()

    @property
    def now(self) -> datetime:
        """Return the market's time."""
        return market_now(self.picture.engine if self.picture else None, self.clock.wall())

    def post(self, errand: Errand) -> None:
        """Hand an errand to the engine; the screen says `doing` until it is answered, and shows the answer as a toast.

        It runs on the app, so that leaving this screen does not take it back.
        """
        if self.pending:
            return
        self.pending = errand.doing
        self.app.run_worker(self._run(errand), group="wishes")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's own
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

    def toast(self, text: str, severity: SeverityLevel = "information") -> None:
        """Show a passing message. The text is foreign: it is cleaned, and never markup."""
        self.app.notify(said(text, 300), severity=severity, markup=False)

    def action_back(self) -> None:
        self.dismiss()

    def action_scroll_lines(self, lines: int) -> None:
        self._body.scroll_relative(y=lines, animate=False)

    def action_scroll_pages(self, pages: int) -> None:
        self._body.scroll_relative(y=pages * max(self._body.size.height - 1, 1), animate=False)

    def action_jump(self, direction: int) -> None:
        if direction < 0:
            self._body.scroll_home(animate=False)
        else:
            self._body.scroll_end(animate=False)

    @property
    def _body(self) -> VerticalScroll:
        return self.query_one("#body", VerticalScroll)

    async def _draw(self) -> None:
        self.query_one("#trail", Static).update(content(self._left()))
        self.query_one("#pending", Static).update(content(self._right()))
        if self._change is None:
            return
        sections = self._told()
        sheets = {sheet.section.key: sheet for sheet in self.query(Sheet)}
        wanted = {section.key for section in sections}
        with self.app.batch_update():
            for key in sheets.keys() - wanted:
                await sheets.pop(key).remove()
            before: Sheet | None = None
            for section in sections:
                sheet = sheets.get(section.key)
                if sheet is None:
                    sheet = Sheet(section)
                    await (self._body.mount(sheet, after=before) if before else self._body.mount(sheet, before=0))
                else:
                    sheet.show(section)
                before = sheet
        self.refresh_bindings()

    def _told(self) -> tuple[Section, ...]:
        try:
            return self.tell(self.now)
        except Exception as fault:  # noqa: BLE001 - supervises the drawing: a defect here must not end the whole screen
            text = f"This could not be drawn ({type(fault).__name__}: {said(str(fault), 200)}). The engine is not affected."
            return (Section("fault", Cell("A defect", "bold $error"), (row("", text, wide=True),), tone="$error"),)

    def _left(self) -> list[Cell]:
        engine = self.picture.engine if self.picture else None
        cells = [Cell(f" {engine.mode.upper()} ", MODE_STYLES[engine.mode]), Cell("  ")] if engine else []
        *way, here = self.trail
        cells += [Cell(f"{said(step, 40)}{STEP}", "$muted") for step in way]
        return [*cells, Cell(said(here, 60), "bold")]

    def _right(self) -> list[Cell]:
        if self.pending:
            return [Cell(f"◌ {self.pending}…", "$accent")]
        if self._trouble:
            return [Cell(f"▲ {self._trouble}", "$error")]
        engine = self.picture.engine if self.picture else None
        if engine is not None and engine.state is EngineState.STOPPED:
            return [Cell("▲ engine stopped", "$error")]
        if engine is not None:
            silent_s = (self.clock.wall() - engine.beat_at).total_seconds()
            if silent_s > SILENT_AFTER_S:
                return [Cell(f"▲ engine silent for {age(silent_s)}", "$stale")]
        return []

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
