"""The dashboard as it was: the same panels at a moment of the journal, and the keys that move that moment."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from engine.core.board import EngineState
from engine.core.errors import BadInput, SignalDeckError
from tui.banner import Banner
from tui.formatting import ENGINE_STYLES, date_time, foreign
from tui.messages import Rewound
from tui.past import FORMS, Arrival, PastBridge, moment_of, past_cells
from tui.screens.main import MainScreen, Surroundings
from tui.widgets.cells import Cell, content

TIME: Final = Binding.Group("Time")


class PastScreen(MainScreen):
    """The dashboard over a bridge to the past. Over a running dashboard escape and q lead back to it."""

    is_past: ClassVar[bool] = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("less_than_sign", "step(-1)", "Back", key_display="<", id="past.back", group=TIME, tooltip="One entry"),
        Binding("greater_than_sign", "step(1)", "On", key_display=">", id="past.on", group=TIME, tooltip="One entry"),
        Binding("left_parenthesis", "minutes(-1)", "Minute back", False, "(", id="past.minute_back", group=TIME),
        Binding("right_parenthesis", "minutes(1)", "Minute on", False, ")", id="past.minute_on", group=TIME),
        Binding("f", "play", "Play", id="past.play", group=TIME, tooltip="Let time go by, or stand still"),
        Binding("F", "speed", "Speed", id="past.speed", group=TIME, tooltip="1, 10 or 60 times as fast"),
        Binding("T", "seek", "Time", id="past.seek", group=TIME, tooltip="Go to a time"),
        Binding("left_square_bracket", "end('first')", "First entry", False, "[", id="past.first", group=TIME),
        Binding("right_square_bracket", "end('last')", "Last entry", False, "]", id="past.last", group=TIME),
        Binding("q", "leave", "Leave", id="past.leave", group=TIME, tooltip="Back to where you came from"),
    ]

    def __init__(self, bridge: PastBridge, around: Surroundings, *, beginning: str = "") -> None:
        super().__init__(bridge, around)
        self.transport = bridge.transport
        self._first_note = ""
        self._beginning = beginning  # a time as typed, to be gone to before anything is drawn

    def on_mount(self) -> None:
        self.query_one(Banner).can_lift = False
        super().on_mount()
        if self._first_note:
            self._say(self._first_note)

    async def on_unmount(self) -> None:
        await self.bridge.close()

    async def tick(self) -> None:
        beginning, self._beginning = self._beginning, ""
        if beginning:
            await self._move(self.transport.seek(beginning))
        try:
            if await self.transport.tick():
                self._say("the end of the journal")
        except SignalDeckError as trouble:
            self.transport.pause()
            self._say(str(trouble))
            self._wishes_changed()
        await super().tick()

    def _past(self) -> list[Cell]:
        cells = [*past_cells(self.around.clock), Cell(" "), self.transport.cell, Cell(" ")]
        engine = self.board.engine if self.board else None
        if engine is not None and engine.state is not EngineState.RUNNING:
            cells.append(Cell(f" {engine.state.value.upper()} ", ENGINE_STYLES[engine.state]))
        return cells

    def _notes(self) -> list[Cell]:
        return [note for note in super()._notes() if note.text != "READ-ONLY"]  # PAST says more

    # moving

    async def action_step(self, by: int) -> None:
        await self._move(self.transport.step(by))

    async def action_minutes(self, by: int) -> None:
        await self._move(self.transport.minutes(by))

    async def action_end(self, which: str) -> None:
        await self._move(self.transport.seek(which))

    async def action_play(self) -> None:
        """Let time go by, or stand still."""
        if self.transport.is_playing:
            self.transport.pause()
        else:
            self.transport.play()
        self._wishes_changed()

    def action_speed(self) -> None:
        self.transport.faster()
        self._say(f"plays {self.transport.speed} times as fast as it went")
        self._wishes_changed()

    async def action_seek(self) -> None:
        try:
            span = await self.transport.journey.span()
        except SignalDeckError as trouble:
            self._say(str(trouble))
            return
        kept = f"The journal is kept from {date_time(span.first.at)} to {date_time(span.last.at)}."
        await self.app.push_screen(AskTime(self.transport.clock.at, span.last.at, kept), self._sought)

    async def _sought(self, text: str | None) -> None:
        if text is not None:
            await self._move(self.transport.seek(text))

    async def begin(self, message: Rewound) -> None:
        """Go to a moment before this screen is shown. Raises SignalDeckError."""
        if message.seq is not None:
            await self.transport.to_entry(message.seq)
        elif message.at is not None:
            self._first_note = (await self.transport.to_time(message.at)).note

    async def rewind(self, message: Rewound) -> None:
        """Go to the moment that a screen above this one has named."""
        if message.seq is not None:
            await self._move(self.transport.to_entry(message.seq))
        elif message.at is not None:
            await self._move(self.transport.to_time(message.at))

    async def _move(self, way: Awaitable[Arrival]) -> None:
        try:
            arrival = await way
        except SignalDeckError as trouble:
            self._say(str(trouble))
            return
        if arrival.note:
            self._say(arrival.note)
        await super().tick()

    def _say(self, text: str) -> None:
        self.notify(foreign(text), title="Time", markup=False)

    # leaving

    def action_back(self) -> None:
        before = (self.deck.view.is_maximised, self._filter_text)
        super().action_back()
        if before == (False, "") and self.app.screen_stack[1] is not self:
            self.action_leave()

    @property
    def _filter_text(self) -> str:
        return str(getattr(getattr(self.deck.chosen, "filter", None), "text", ""))

    def action_leave(self) -> None:
        if self.app.screen_stack[1] is self:
            self.run_worker(self.app.action_quit(), group="leave")
        else:
            self.dismiss(None)


class AskTime(ModalScreen[str | None]):
    """Ask for a time. The result is what was typed and is a time, or None for never mind."""

    DEFAULT_CSS = """
    AskTime { align: center top; background: $background 40%; }
    AskTime > #box {
        width: 66; max-width: 94%; height: auto; max-height: 80%; margin-top: 3;
        background: $panel; padding: 1 2; border-left: thick $accent;
    }
    AskTime Input { background: $background; margin-bottom: 1; }
    AskTime #kept, AskTime #said { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "never_mind", "Back", id="time.back")]

    def __init__(self, around: datetime, end: datetime, kept: str) -> None:
        super().__init__()
        self._around, self._end, self._kept = around, end, kept

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Input(placeholder=f"UTC: {FORMS.removeprefix('give ')}", compact=True)
            yield Static(self._kept, id="kept", markup=False)
            yield Static("", id="said", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def action_never_mind(self) -> None:
        self.dismiss(None)

    @on(Input.Submitted)
    def _taken(self, message: Input.Submitted) -> None:
        try:
            moment_of(message.value, self._around, self._end)
        except BadInput as problem:
            self.query_one("#said", Static).update(content([Cell(foreign(str(problem)), "$warning")]))
        else:
            self.dismiss(message.value)
