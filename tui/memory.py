"""What the operator chose on the screen, kept for the next time: order, filters, panel, palette, rate.

It is the screen's own file, apart from the configuration: nothing in it reaches the engine, and without it all stands as
configured. Two dashboards of one user share it; who writes last is remembered.
"""

from __future__ import annotations

import contextlib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from textual.app import App

from engine.core.text import clean
from tui.widgets.sorting import Sorting

BYTES_MAX: Final = 64 * 1024
TABLES_MAX: Final = 64
WORD_MAX: Final = 200
_HEAD: Final = (
    "# What was last chosen on the screen. SignalDeck writes this file anew; delete it to start as configured.\n"
)
_BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "panel": (1, 9),
    "refresh_s": (0, 60),
    "refresh_configured_s": (0, 60),
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TableHabit:
    """How one table was left: its filter, the column that it is sorted by, and whether it shows all its text."""

    filter: str = ""
    sort: str = ""
    is_reversed: bool = False
    is_wide: bool = False

    @property
    def sorting(self) -> Sorting:
        return Sorting(self.sort, self.is_reversed)


@dataclass(frozen=True, slots=True)
class Habits:
    """How the screen was left. `theme` and `refresh_s` hold as long as the configuration says what it said then."""

    theme: str = ""
    theme_configured: str = ""
    refresh_s: float = 0.0
    refresh_configured_s: float = 0.0
    panel: int = 1
    is_maximised: bool = False
    has_clock_times: bool = False
    tables: Mapping[str, TableHabit] = field(default_factory=dict)


class Memory:
    """The habits in force. `path` None forgets them at the end. `complaint` says why a file there could not be used."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.complaint = ""
        self.habits = Habits() if path is None else self._read(path)
        self._written = self.habits

    def table(self, name: str) -> TableHabit:
        """Return how the table of this name was left."""
        return self.habits.tables.get(name) or TableHabit()

    def note(self, **changes: Any) -> None:
        """Take note of what was chosen. A value out of bounds is passed over: no habit is worth a broken screen."""
        with contextlib.suppress(ValueError):
            self.habits = _checked(replace(self.habits, **changes))

    def note_table(self, name: str, **changes: Any) -> None:
        """Take note of how a table is left."""
        habit = replace(self.table(name), **changes)
        self.note(tables={**self.habits.tables, name: habit})

    def keep(self) -> None:
        """Write the file if anything changed since. Trouble with the disk costs the habits, and nothing else."""
        habits = self.habits
        if self.path is None or habits == self._written:
            return
        self._written = habits
        with contextlib.suppress(OSError):
            _write(self.path, _HEAD + "\n".join(_lines(habits)) + "\n")

    def _read(self, path: Path) -> Habits:
        try:
            with path.open("rb") as file:
                raw = file.read(BYTES_MAX + 1)
            if len(raw) > BYTES_MAX:
                raise ValueError(f"more than {BYTES_MAX:,} bytes")
            return _habits(tomllib.loads(raw.decode()))
        except FileNotFoundError:
            return Habits()
        except (OSError, ValueError, RecursionError) as trouble:  # what cannot be decoded or kept is a ValueError
            aside = path.with_name(f"{path.name}.bad")
            with contextlib.suppress(OSError):
                path.replace(aside)
            said = "it is nested too deeply" if isinstance(trouble, RecursionError) else str(trouble)
            why = clean(said.partition("\n")[0], 120)
            self.complaint = (
                f"{path} could not be used ({why}); it is kept as {aside.name}, and all stands as configured"
            )
            return Habits()


def memory_of(app: App[object]) -> Memory:
    """Return the program's memory; a program without one forgets."""
    memory = getattr(app, "memory", None)
    return memory if isinstance(memory, Memory) else Memory()


def _habits(raw: Mapping[str, object]) -> Habits:
    tables = raw.get("tables", {})
    if not isinstance(tables, Mapping):
        raise ValueError("tables is no table")  # noqa: TRY004 - the file is at fault, not a caller
    kept = {name: _made(TableHabit, table) for name, table in tables.items() if isinstance(table, Mapping)}
    return _checked(replace(_made(Habits, {**raw, "tables": kept}), tables=kept))


def _made(kind: type[T], raw: Mapping[str, object]) -> T:
    """Return `kind` from those values that it has; one that it does not know may be of a later program."""
    known = {one.name for one in fields(kind)}  # type: ignore[arg-type]  # both kinds are dataclasses
    return kind(**{name: value for name, value in raw.items() if name in known})


def _checked(habits: Habits) -> Habits:
    """Return the habits if each value is of its kind and within its bounds. Raises ValueError."""
    if len(habits.tables) > TABLES_MAX:
        raise ValueError(f"more than {TABLES_MAX} tables")
    pairs: list[tuple[Habits | TableHabit, Habits | TableHabit]] = [(habits, Habits())]
    pairs += [(table, TableHabit()) for table in habits.tables.values()]
    for kept, usual in pairs:
        for one in fields(usual):
            _check(one.name, getattr(kept, one.name), getattr(usual, one.name))
    return habits


def _check(name: str, value: object, usual: object) -> None:
    kinds = (int, float) if isinstance(usual, float) else (type(usual),)
    if not isinstance(usual, Mapping) and type(value) not in kinds:
        raise ValueError(f"{name} is {type(value).__name__}, not {type(usual).__name__}")
    if isinstance(value, str) and len(value) > WORD_MAX:
        raise ValueError(f"{name} is longer than {WORD_MAX} characters")
    low, high = _BOUNDS.get(name, (0, 0))
    if name in _BOUNDS and isinstance(value, int | float) and not low <= value <= high:
        raise ValueError(f"{name} is not within {low:g} and {high:g}")


def _write(path: Path, text: str) -> None:
    """Put the file there whole or not at all, for its owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def _lines(habits: Habits) -> Iterator[str]:
    yield from _pairs(habits, Habits())
    for name, habit in sorted(habits.tables.items()):
        if habit != TableHabit():
            yield ""
            yield f"[tables.{_text(name)}]"
            yield from _pairs(habit, TableHabit())


def _pairs(kept: Habits | TableHabit, usual: Habits | TableHabit) -> Iterator[str]:
    for one in fields(kept):
        value = getattr(kept, one.name)
        if value != getattr(usual, one.name) and not isinstance(value, Mapping):
            yield f"{one.name} = {_text(value) if isinstance(value, str) else json.dumps(value)}"


def _text(value: str) -> str:
    """Return a TOML string: JSON's, with what TOML does not allow in it spelled out; half a character becomes a sign."""
    whole = value.encode("utf-8", "replace").decode()
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")
