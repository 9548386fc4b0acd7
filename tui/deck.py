"""The deck: where the panels stand, by the room that there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from textual.app import ComposeResult
from textual.geometry import NULL_OFFSET, Region, Size, Spacing
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget

from tui.panels.base import Panel, Place

STACK_MIN: Final = Size(60, 15)  # of the whole screen; below it only the status line is drawn
COLUMNS_MIN: Final = Size(110, 30)
LEFT_SHARE: Final = 0.62
BIG_LINES_MIN: Final = 4  # a title, a header and two rows


class Arrangement(StrEnum):
    """How the panels stand."""

    NONE = "none"  # no room: the status line alone
    STACK = "stack"  # one is big, the others are a line or two
    COLUMNS = "columns"  # all are big, in two columns


def arrangement_for(screen: Size) -> Arrangement:
    """Return how the panels stand on a screen of this size, in cells."""
    if screen.width < STACK_MIN.width or screen.height < STACK_MIN.height:
        return Arrangement.NONE
    if screen.width >= COLUMNS_MIN.width and screen.height >= COLUMNS_MIN.height:
        return Arrangement.COLUMNS
    return Arrangement.STACK


@dataclass(frozen=True, slots=True)
class View:
    """What the operator chose: the panel in use by its number, and whether it has all the room."""

    arrangement: Arrangement = Arrangement.STACK
    chosen: int = 1
    is_maximised: bool = False


def regions(places: Mapping[int, Place], view: View, size: Size) -> dict[int, Region]:
    """Return each panel's region within `size`; panels that are not to be seen are left out."""
    if view.arrangement is Arrangement.NONE or size.width <= 0 or size.height <= 0:
        return {}
    if view.is_maximised:
        return {view.chosen: Region(0, 0, size.width, size.height)}
    if view.arrangement is Arrangement.STACK:
        return _stack(places, view.chosen, size)
    left = round(size.width * LEFT_SHARE)
    columns = {0: Region(0, 0, left, size.height), 1: Region(left, 0, size.width - left, size.height)}
    placed: dict[int, Region] = {}
    for column, region in columns.items():
        placed |= _column({n: p for n, p in places.items() if p.column == column}, region)
    return placed


def _stack(places: Mapping[int, Place], chosen: int, size: Size) -> dict[int, Region]:
    order = sorted(places, key=lambda n: places[n].rank)
    heights = {n: places[n].brief for n in order if n != chosen}
    for n in sorted(heights, key=lambda n: -places[n].rank):  # the lowest give way first
        if size.height - sum(heights.values()) >= BIG_LINES_MIN:
            break
        heights[n] = 0
    heights[chosen] = max(0, size.height - sum(heights.values()))
    placed, y = {}, 0
    for n in order:
        if heights[n]:
            placed[n] = Region(0, y, size.width, heights[n])
        y += heights[n]
    return placed


def _column(places: Mapping[int, Place], room: Region) -> dict[int, Region]:
    order = sorted(places, key=lambda n: places[n].rank)
    placed, y, left, shares = {}, room.y, room.height, sum(places[n].share for n in order)
    for at, n in enumerate(order):
        height = left if at == len(order) - 1 else round(left * places[n].share / max(1, shares))
        height = min(height, places[n].height_max or height)
        placed[n] = Region(room.x, y, room.width, height)
        y, left, shares = y + height, left - height, shares - places[n].share
    return placed


class DeckLayout(Layout):
    """Puts panels where `regions` says."""

    name = "deck"

    def arrange(
        self,
        parent: Widget,
        children: list[Widget],
        size: Size,
        greedy: bool = True,  # noqa: ARG002, FBT001, FBT002 - the signature is Textual's
    ) -> ArrangeResult:
        assert isinstance(parent, Deck)
        parent.pre_layout(self)
        found = regions(parent.places, parent.view, size)
        none = Spacing()
        return [
            WidgetPlacement(found[child.number], NULL_OFFSET, none, child)
            for child in children
            if isinstance(child, Panel) and child.number in found
        ]


class Deck(Widget):
    """Holds the panels."""

    def __init__(self, panels: Sequence[Panel]) -> None:
        super().__init__()
        self.panels = {panel.number: panel for panel in panels}
        self.places = {panel.number: panel.place for panel in panels}
        self.view = View()
        self._layout = DeckLayout()

    def compose(self) -> ComposeResult:
        yield from self.panels.values()

    @property
    def layout(self) -> Layout:
        return self._layout

    @property
    def chosen(self) -> Panel:
        return self.panels[self.view.chosen]

    def set_view(self, view: View) -> None:
        """Let the panels stand so."""
        self.view = view
        self.display = view.arrangement is not Arrangement.NONE
        stacked = view.arrangement is Arrangement.STACK
        for number, panel in self.panels.items():
            is_chosen = number == view.chosen
            panel.display = is_chosen or not view.is_maximised
            panel.is_brief = stacked and not is_chosen
            panel.set_class(panel.is_brief, "-brief")
            panel.set_class(stacked, "-stacked")
            panel.set_class(panel.is_brief and panel.place.brief == 1 and panel.place.rank == 0, "-bare")
            panel.set_class(is_chosen, "-chosen")
            panel.redraw()
        self.refresh(layout=True)
