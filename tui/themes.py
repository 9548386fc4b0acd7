"""Palettes: TOML files that name depths, texts and meanings.

The shipped ones are taken as they are, for they are part of the way to the first picture: the tests check them as an
operator's own are checked when they are read, in `theme_files`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from textual.theme import Theme

import themes

FOLDER: Final = Path(str(themes.__file__)).parent
DEFAULT: Final = "calm-dark"
# What a theme of somebody else's lacks, by the name of the part of it that stands in.
MEANINGS: Final[Mapping[str, str]] = {
    "ok": "success",
    "stale": "secondary",
    "buy": "primary",
    "sell": "accent",
    "muted": "foreground-muted",
    "rule": "panel",
}


def theme_of(told: Mapping[str, Any]) -> Theme:
    """Return a palette as Textual wants it; `told` is what its file says, and nothing is missing there."""
    depth, text, meaning = told["depth"], told["text"], told["meaning"]
    return Theme(
        name=told["name"],
        dark=told["dark"],
        primary=meaning["accent"],
        secondary=meaning["stale"],
        accent=meaning["accent"],
        success=meaning["ok"],
        warning=meaning["warning"],
        error=meaning["error"],
        foreground=text["foreground"],
        background=depth["background"],
        surface=depth["surface"],
        panel=depth["panel"],
        variables={
            "ok": meaning["ok"],
            "stale": meaning["stale"],
            "buy": meaning["buy"],
            "sell": meaning["sell"],
            "muted": text["muted"],
            "rule": depth["rule"],
            "border": meaning["accent"],
            "border-blurred": depth["rule"],
            "scrollbar": depth["rule"],
            "scrollbar-background": depth["background"],
            "scrollbar-corner-color": depth["background"],
            "block-cursor-background": meaning["accent"],
            "block-cursor-foreground": depth["background"],
            "footer-key-foreground": meaning["accent"],
            "input-selection-background": f"{meaning['accent']} 35%",
        },
    )


def shipped_files() -> list[Path]:
    """Return the palettes that come with the program, as files, in the order of their names."""
    return sorted(FOLDER.glob("*.toml"))


def shipped() -> list[Theme]:
    """Return the palettes that come with the program, in the order of their names."""
    return [theme_of(tomllib.loads(file.read_text())) for file in shipped_files()]


def style_sheets() -> list[Path]:
    """Return the style sheets that come with the program, as files."""
    return sorted(FOLDER.glob("*.tcss"))
