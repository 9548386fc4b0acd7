"""Columns of a table, and how many of them a width has room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

GAP: Final = 1  # cells between two columns, and before the first
TRIM: Final = "…"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `width` cells wide, or at least that if `grows`.

    `rank` says how soon it goes when there is no room: the highest first, 0 never. Of the growing columns that are left
    the last one takes the rest.
    """

    key: str
    title: str
    width: int
    align: Literal["left", "right"] = "left"
    rank: int = 0
    grows: bool = False


def fit(columns: Sequence[Column], width: int) -> list[tuple[int, int]]:
    """Return (index, width) of the columns that fit into `width` cells, in order."""
    chosen = list(range(len(columns)))

    def needed() -> int:
        return sum(columns[i].width + GAP for i in chosen)

    while needed() > width:
        going = max(chosen, key=lambda i: (columns[i].rank, i))
        if columns[going].rank == 0:
            break
        chosen.remove(going)
    rest = max(0, width - needed())
    growing = [i for i in chosen if columns[i].grows]
    return [(i, columns[i].width + (rest if growing and i == growing[-1] else 0)) for i in chosen]
