"""What `config check` looks at besides the settings' own rules: palettes and keys, which only the screen knows."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from fnmatch import fnmatchcase

from engine.config import Gathered, dotted
from engine.core.text import clean
from engine.places import default_config
from engine.toml_lines import KeyPath

THEME: KeyPath = ("dashboard", "theme")
KEYS: KeyPath = ("dashboard", "keys")


def wrong_on_screen(gathered: Gathered) -> list[str]:
    """Return a sentence, with its place and the fix, for each fault; what is of a wrong type is not looked at here."""
    dashboard = gathered.tables.get("dashboard")
    if not isinstance(dashboard, Mapping):
        return []
    return [*_of_the_theme(gathered, dashboard.get("theme")), *_of_the_keys(gathered, dashboard.get("keys"))]


def _of_the_theme(gathered: Gathered, theme: object) -> list[str]:
    if not isinstance(theme, str):
        return []
    from textual.theme import BUILTIN_THEMES

    from tui.theme_files import own
    from tui.themes import shipped

    folder = (gathered.path or default_config()).parent / "themes"
    mine, bad = own(folder)
    known = [*(palette.name for palette in shipped()), *(file.name for file in mine)]
    if theme in known or theme in BUILTIN_THEMES:
        return []
    near = difflib.get_close_matches(theme, known, n=1)
    fix = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    broken = "".join(f"; in {folder}, {complaint}" for complaint in bad)
    return [f"{gathered.place(THEME)}: {dotted(THEME)}: there is no theme {clean(theme, 40)!r}; {fix}{broken}"]


def _of_the_keys(gathered: Gathered, keys: object) -> list[str]:
    if not isinstance(keys, Mapping):
        return []
    wanted = {str(name): key for name, key in keys.items() if isinstance(key, str)}
    if not wanted:
        return []
    from tui.keymap import keymap_of

    _, refused = keymap_of(wanted)
    return [f"{gathered.place(_entry_of(complaint, wanted))}: {complaint}" for complaint in refused]


def _entry_of(complaint: str, wanted: Mapping[str, str]) -> KeyPath:
    """Return the key path of the entry that is complained of: it stands first in quotes, as written or as it was met."""
    said = complaint.partition('"')[2].partition('"')[0]
    name = next((name for name in wanted if clean(name, 60) == said or fnmatchcase(said, name)), None)
    return KEYS if name is None else (*KEYS, name)
