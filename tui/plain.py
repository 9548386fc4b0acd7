"""Glyphs for terminals that have only ASCII: the last thing before the terminal, for every screen alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_PAIRS: Final[Mapping[str, str]] = {
    "●◉": "*",
    "◐◑◒◓◕": "o",
    "○◌◇": ".",
    "✖✗⊘": "x",
    "✓": "+",
    "▲△": "^",
    "▼▽": "v",
    "…": "~",
    "·•": ".",
    "–—─━╌┈┄═": "-",  # noqa: RUF001 - glyphs are what this table is about
    "│┤├┼║┊╷╵‖": "|",
    "┃╻╹╽╿": "I",
    "╭╮╰╯┌┐└┘┬┴": "+",
    "▁▂": "_",
    "▃▄▅": "=",
    "▆▇█▉▊▋▌▍▎▏▐▕▀": "#",
    "▔": "-",
    "→›▶": ">",  # noqa: RUF001 - glyphs are what this table is about
    "←‹◂": "<",  # noqa: RUF001 - glyphs are what this table is about
    "↑": "^",
    "↓": "v",
    "×": "x",  # noqa: RUF001 - glyphs are what this table is about
}
TABLE: Final = {ord(glyph): plain for glyphs, plain in _PAIRS.items() for glyph in glyphs} | {
    braille: "*" if braille > 0x2800 else " " for braille in range(0x2800, 0x2900)
}


def is_plain(environ: Mapping[str, str], encoding: str | None) -> bool:
    """Say whether only ASCII can be drawn: asked for by SIGNALDECK_ASCII, or the terminal's encoding is not UTF-8."""
    asked = environ.get("SIGNALDECK_ASCII", "").strip().lower()
    if asked:
        return asked not in {"0", "no", "off", "false"}
    return encoding is not None and encoding.lower().replace("-", "") not in {"utf8", "utf16"}


class PlainGlyphs(LineFilter):
    """Puts an ASCII sign of the same width for each glyph."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 - Textual's signature
        return [Segment(text.translate(TABLE), style, control) for text, style, control in segments]
