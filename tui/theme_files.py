"""Palette files as they are checked: an operator's own when they are read, the shipped ones by the tests."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from textual.color import Color
from textual.theme import Theme

from engine.core.errors import ConfigError
from engine.core.text import clean
from tui.themes import theme_of

FILE_BYTES_MAX: Final = 65_536

Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Depth(_Part):
    """Three greys, and the lines between things."""

    background: Colour
    surface: Colour
    panel: Colour
    rule: Colour


class TextColours(_Part):
    foreground: Colour
    muted: Colour


class Meaning(_Part):
    """Colours that mean the same on every screen."""

    accent: Colour
    ok: Colour
    warning: Colour
    error: Colour
    stale: Colour
    buy: Colour
    sell: Colour


class ThemeFile(_Part):
    """One palette as its file has it."""

    name: Name
    dark: bool
    depth: Depth
    text: TextColours
    meaning: Meaning

    def theme(self) -> Theme:
        """Return it as Textual wants it."""
        return theme_of(self.model_dump())


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def read(source: str, raw: bytes) -> ThemeFile:
    """Return the palette in `raw`. Raises ConfigError that names `source`, the key and the fix."""
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigError(f"{source}: a theme has at most {FILE_BYTES_MAX} bytes, this has {len(raw)}")
    try:
        return ThemeFile.model_validate(tomllib.loads(raw.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise ConfigError(f"{source}: not TOML: {clean(str(wrong), 200)}") from None
    except ValidationError as wrong:
        first = wrong.errors(include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigError(f"{source}: {clean(key, 60)}: {_fix(first['type'], first['msg'])}") from None
    except (ValueError, RecursionError):  # beside what is above, which are its kinds too
        raise ConfigError(f"{source}: a number is too long or a list too deep for a theme") from None


def own(folder: Path) -> tuple[list[ThemeFile], list[str]]:
    """Return an operator's palettes in `folder`, and a sentence for each file that is none."""
    good: list[ThemeFile] = []
    bad: list[str] = []
    for file in _toml_files(folder):
        try:
            good.append(read(file.name, file.read_bytes()))
        except ConfigError as wrong:
            bad.append(str(wrong))
        except OSError as wrong:
            bad.append(f"{file.name}: {wrong.strerror}")
    return good, bad


def _toml_files(folder: Path) -> Iterable[Path]:
    try:
        return sorted(folder.glob("*.toml"))
    except OSError:
        return []


def _fix(kind: str, message: str) -> str:
    match kind:
        case "missing":
            return "missing; every palette names it"
        case "extra_forbidden":
            return "unknown; remove it"
        case "string_pattern_mismatch":
            return 'colours are written "#rrggbb", names in small letters, digits and dashes'
        case _:
            return clean(message, 120)


def _luminance(colour: str) -> float:
    def linear(part: int) -> float:
        share = part / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = Color.parse(colour).rgb
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
