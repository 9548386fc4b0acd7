"""A cell: a short text and the name of the style that it is drawn in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from textual.content import Content


class Cell(NamedTuple):
    """`text` is drawn as it is, never read as markup; `style` is words such as "bold $ok", resolved by the theme."""

    text: str
    style: str = ""


def content(cells: Iterable[Cell | str]) -> Content:
    """Return the cells side by side, as one piece of text that follows the theme."""
    return Content.assemble(*((c if isinstance(c, str) else (c.text, c.style)) for c in cells))
