"""What all screens that tell of one thing share: sections that refresh in place, and scrolling."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar

from textual.app import RenderResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from tui.screens.trail import TrailScreen
from tui.sections import Section, lay, row, said
from tui.widgets.cells import Cell, content
from tui.widgets.live_table import MOVES


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


class DetailScreen(TrailScreen):
    """A screen that tells of one thing. A subclass tells it in `tell`; the scroll is kept from one look to the next."""

    DEFAULT_CSS = """
    DetailScreen > #body { height: 1fr; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    DetailScreen > #body:focus { background-tint: $foreground 0%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll_lines(1)", "Down", id="detail.down", show=False, group=MOVES),
        Binding("k,up", "scroll_lines(-1)", "Up", id="detail.up", show=False, group=MOVES),
        Binding("g,home", "jump(-1)", "To the top", id="detail.top", show=False, group=MOVES),
        Binding("G,end", "jump(1)", "To the end", id="detail.bottom", show=False, group=MOVES),
        Binding("ctrl+f,pagedown", "scroll_pages(1)", "Page down", id="detail.page_down", show=False, group=MOVES),
        Binding("ctrl+b,pageup", "scroll_pages(-1)", "Page up", id="detail.page_up", show=False, group=MOVES),
    ]

    def tell(self, now: datetime) -> tuple[Section, ...]:  # noqa: ARG002 - whoever overrides it needs the time
        """Return the sections as they stand at `now` (the market's time)."""
        return ()

    def body(self) -> Iterator[Widget]:
        yield VerticalScroll(id="body", can_focus=False)

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

    async def draw(self, now: datetime) -> None:
        sections = self._told(now)
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

    def _told(self, now: datetime) -> tuple[Section, ...]:
        try:
            return self.tell(now)
        except Exception as fault:  # noqa: BLE001 - supervises the drawing: a defect here must not end the whole screen
            text = f"This could not be drawn ({type(fault).__name__}: {said(str(fault), 200)}). The engine is not affected."
            return (Section("fault", Cell("A defect", "bold $error"), (row("", text, wide=True),), tone="$error"),)
