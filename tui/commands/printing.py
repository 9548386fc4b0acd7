"""How commands print: one JSON document, or columns of clean text."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime

from engine.core.text import clean
from engine.wire import plain
from tui.commands.frame import say


def print_json(document: object) -> None:
    """Print one JSON document with two spaces of indent."""
    sys.stdout.write(json.dumps(plain(document), ensure_ascii=False, indent=2) + "\n")  # `plain` let no secret through


def print_table(titles: Sequence[str], rows: Sequence[Sequence[object]], nothing: str = "none") -> None:
    """Print rows in columns as wide as their widest cell; `nothing` if there are no rows."""
    if not rows:
        say(nothing)
        return
    cells = [[cell(value) for value in row] for row in rows]
    widths = [max(len(title), *(len(row[n]) for row in cells)) for n, title in enumerate(titles)]
    for row in [list(titles), *cells]:
        say("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def print_facts(facts: Sequence[tuple[str, object]]) -> None:
    """Print names and values below each other."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        say(f"{name.ljust(width)}  {cell(value)}")


def cell(value: object) -> str:
    """Return a value as one short clean text; nothing is a dash."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1 else f"{value:.1f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}Z"
    return clean(str(plain(value)), 120)


def percent(rate: float | None) -> str:
    """Return a rate of 0 to 1 as a percentage."""
    return "-" if rate is None else f"{rate * 100:.1f} %"


def milliseconds(seconds: float | None) -> str:
    """Return a duration as people read it."""
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
