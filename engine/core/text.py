"""Text for people: foreign text is made safe to store, log and draw, and a figure is cut to what tells enough."""

from __future__ import annotations

import re
import unicodedata
from decimal import Context, Decimal
from typing import Final

FIGURE_DIGITS: Final = 10  # an average of fills can have any number of them

# Escape sequences go first and whole: CSI, OSC (to BEL or ST), and two-byte escapes.
_ESCAPES: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]|\x9b[0-?]*[ -/]*[@-~]"
)
# Control characters, bidi controls, zero-width characters, lone surrogates, private use.
_UNSAFE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str, length_max: int = 500) -> str:
    """Return `text` on one line, without anything that a terminal would obey, cut to `length_max` characters.

    Line ends and tabs become spaces. What is cut is marked with an ellipsis. Markup such as `[red]` stays as it is:
    it is text, and whoever draws it draws it as text.
    """
    head = text[: length_max * 4 + 64]
    is_cut = len(text) > len(head)
    head = _ESCAPES.sub("", head)
    folded = "".join(
        " " if ch in "\r\n\t\v\f\u2028\u2029" else ch
        for ch in head
        if ch in "\r\n\t\v\f\u2028\u2029" or unicodedata.category(ch) not in _UNSAFE_CATEGORIES
    )
    if len(folded) > length_max or is_cut:
        return folded[: length_max - 1] + "…"
    return folded


def figure(value: Decimal) -> str:
    """Return a price or an amount as read: plain digits, no exponent, no trailing zeros, at most FIGURE_DIGITS of them.

    No digit before the point is lost.
    """
    text = f"{Context(prec=max(FIGURE_DIGITS, value.adjusted() + 1)).plus(value):f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) if value else "0"


def counted(count: int, one: str, several: str = "") -> str:
    """Return a count and its words in the right number: "1 signal waits", "2 signals wait". Without `several` an s is added."""
    return f"{count} {one if count == 1 else several or one + 's'}"
