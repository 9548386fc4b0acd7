"""Foreign text is hostile: one function makes it safe to store, log and draw."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

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
