"""The deck: where the panels stand, by the room that there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from textual.app import ComposeResult
from textual.geometry import NULL_OFFSET, Region, Size, Spacing
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget

from tui.panels.base import Panel, Place, Spot

STACK_MIN: Final = Size(60, 15)  # of the whole screen; below it only the status line is drawn
COLUMNS_MIN: Final = Size(110, 30)
THREE_MIN: Final = Size(180, 40)
TWO: Final = (62, 38)  # the columns' shares of the width, in per cent
THREE: Final = (45, 27, 28)
BIG_LINES_MIN: Final = 4  # a title, a header and two rows


class Arrangement(StrEnum):
    """How the panels stand."""

    NONE = "none"  # no room: the status line alone
    STACK = "stack"  # one is big, the others are a line or two
    COLUMNS = "columns"  # in two columns, where all are big
    THREE = "three"  # in three columns, with the inspector


def arrangement_for(screen: Size, columns_max: int = 3) -> Arrangement:
    """Return how the panels stand on a screen of this size, in cells, in no more columns than that."""
    if screen.width < STACK_MIN.width or screen.height < STACK_MIN.height:
        return Arrangement.NONE
    if columns_max >= 3 and screen.width >= THREE_MIN.width and screen.height >= THREE_MIN.height:
        return Arrangement.THREE
    if columns_max >= 2 and screen.width >= COLUMNS_MIN.width and screen.height >= COLUMNS_MIN.height:
        return Arrangement.COLUMNS
    return Arrangement.STACK


@dataclass(frozen=True, slots=True)
class View:
    """What the operator chose: the panel in use by its number, and whether it has all the room."""

    arrangement: Arrangement = Arrangement.STACK
    chosen: int = 1
    is_maximised: bool = False


class Standing(NamedTuple):
    """A panel in its column: its rank from the top, its share of the height, and its greatest height."""

    rank: int
    share: int
    height_max: int | None


def regions(places: Mapping[int, Place], view: View, size: Size) -> dict[int, Region]:
    """Return each panel's region within `size`; panels that are not to be seen are left out."""
    if view.arrangement is Arrangement.NONE or size.width <= 0 or size.height <= 0:
        return {}
    if view.is_maximised:
        return {view.chosen: Region(0, 0, size.width, size.height)}
    if view.arrangement is Arrangement.STACK:
        return _stack(places, view.chosen, size)
    placed: dict[int, Region] = {}
    for column, room in enumerate(_columns(view.arrangement, size)):
        placed |= _column(_standing(places, view, column), room)
    return placed


def seen(places: Mapping[int, Place], view: View) -> frozenset[int]:
    """Return the panels that have a place as long as there is room for them."""
    if view.is_maximised:
        return frozenset({view.chosen})
    if view.arrangement is Arrangement.STACK:
        return frozenset(n for n, place in places.items() if place.brief or n == view.chosen)
    return frozenset(n for column in range(len(THREE)) for n in _standing(places, view, column))


def _columns(arrangement: Arrangement, size: Size) -> list[Region]:
    x, columns = 0, []
    shares = THREE if arrangement is Arrangement.THREE else TWO
    for at, share in enumerate(shares):
        width = size.width - x if at == len(shares) - 1 else round(size.width * share / 100)
        columns.append(Region(x, 0, width, size.height))
        x += width
    return columns


def _standing(places: Mapping[int, Place], view: View, column: int) -> dict[int, Standing]:
    """Return who stands in a column. Who has no spot in two columns takes the right one while it is in use."""
    if view.arrangement is Arrangement.THREE:
        spots = {n: place.three for n, place in places.items()}
    else:
        guest = view.chosen if places[view.chosen].two is None else None
        spots = {n: place.two for n, place in places.items() if place.two and (guest is None or not place.two.column)}
        if guest is not None:
            spots[guest] = Spot(len(TWO) - 1, 1)
    return {
        n: Standing(places[n].rank, spot.share, places[n].height_max)
        for n, spot in spots.items()
        if spot.column == column
    }


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


def _column(standing: Mapping[int, Standing], room: Region) -> dict[int, Region]:
    order = sorted(standing, key=lambda n: standing[n].rank)
    placed, y, left, shares = {}, room.y, room.height, sum(one.share for one in standing.values())
    for at, n in enumerate(order):
        height = left if at == len(order) - 1 else round(left * standing[n].share / max(1, shares))
        height = min(height, standing[n].height_max or height)
        placed[n] = Region(room.x, y, room.width, height)
        y, left, shares = y + height, left - height, shares - standing[n].share
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
        in_place = seen(self.places, view)
        for number, panel in self.panels.items():
            is_chosen = number == view.chosen
            panel.display = number in in_place
            panel.is_brief = stacked and not is_chosen
            panel.set_class(panel.is_brief, "-brief")
            panel.set_class(stacked, "-stacked")
            panel.set_class(panel.is_brief and panel.place.brief == 1 and panel.place.rank == 0, "-bare")
            panel.set_class(is_chosen, "-chosen")
            panel.redraw()
        self.refresh(layout=True)
