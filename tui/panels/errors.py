"""The error log: what went wrong, newest first."""

from __future__ import annotations

from textual.content import Content

from engine.core.events import Event, Level
from tui.filters import LEVEL_CHOICES
from tui.formatting import beside, clock_time, foreign, level_cell, level_words
from tui.messages import Kind, Rewound
from tui.panels.base import PANELS, Entry, Place, Scene, Spot, TablePanel
from tui.widgets.cells import Cell, content
from tui.widgets.columns import Column
from tui.widgets.live_table import Row


def error_entry(event: Event) -> Entry:
    """Return a journal entry's row."""
    level = level_cell(event.level)
    trader, code, text = foreign(event.trader or "", 60), foreign(event.code, 40), foreign(event.text)
    signal = foreign(event.signal_id or "", 40)
    cells = (
        Cell(clock_time(event.at), "$muted"),
        level,
        Cell(trader.removeprefix("trader_")),
        Cell(code, "$muted"),
        Cell(beside(trader, text)),
        Cell(signal[:6], "$muted"),
    )
    facts = {"level": level_words(event.level), "trader": trader, "code": code, "text": text, "signal": signal}
    return Entry(Row(str(event.seq), cells), {**facts, "kind": event.kind.value})


@PANELS.add("errors")
class ErrorsPanel(TablePanel):
    """4: warnings and errors of the journal."""

    number = 4
    label = "Errors"
    place = Place(rank=5, brief=3, two=Spot(0, 38), three=Spot(0, 38))
    kind = Kind.ERROR
    follows = True
    empty = "no errors yet"
    choices = LEVEL_CHOICES
    columns = (
        Column("at", "time", 8),
        Column("level", "", 4),
        Column("trader", "trader", 12, rank=2),
        Column("code", "code", 12, rank=3),
        Column("text", "what", 30, grows=True),
        Column("signal", "signal", 6, rank=1),
    )

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[tuple[int, str], Entry] = {}

    def entries(self, scene: Scene) -> list[Entry]:
        before = self._known  # the journal only grows: what was written of an entry stays
        self._known = {(e.seq, e.text): before.get((e.seq, e.text)) or error_entry(e) for e in scene.board.errors}
        return list(self._known.values())

    def moment(self, scene: Scene) -> Rewound:
        return Rewound(seq=int(self.selected)) if self.selected else super().moment(scene)

    def counts(self, scene: Scene) -> Content:
        per_minute = scene.board.headline.errors_per_min
        return content([Cell(f"{per_minute} in the last minute", "$warning" if per_minute else "$muted")])

    def brief(self, scene: Scene, width: int) -> Content:
        if not scene.board.errors:
            return content([Cell(" " + self.empty, "$muted")])
        return Content("\n").join(_line(event).truncate(width, ellipsis=True) for event in scene.board.errors[:2])


def _line(event: Event) -> Content:
    trader = foreign(event.trader or "", 60)
    level = level_cell(Level(event.level))
    told = f"  {trader.removeprefix('trader_'):<12.12} {beside(trader, foreign(event.text))}"
    return content([Cell(f" {clock_time(event.at)} ", "$muted"), Cell(f"{level.text:<4}", level.style), Cell(told)])
