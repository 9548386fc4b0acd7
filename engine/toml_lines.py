"""On which line of a TOML file a key stands: tomllib does not say, and an error message should."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

KeyPath = tuple[str | int, ...]

_HEADER: Final = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
_PAIR: Final = re.compile(
    r"\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*="
)
_PART: Final = re.compile(r"\"([^\"]*)\"|'([^']*)'|([A-Za-z0-9_-]+)")
_QUOTES: Final = ('"""', "'''")


def lines_of(text: str) -> Mapping[KeyPath, int]:
    """Return the line, counted from 1, of every table and key; items of table arrays are numbered from 0.

    Keys inside inline tables are not found; whoever asks falls back on the key that holds them.
    """
    lines: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    inside = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if inside:
            inside = "" if line.count(inside) % 2 else inside
            continue
        header, pair = _HEADER.match(line), _PAIR.match(line)
        if header and not pair:
            table = _open_table(_parts(header[2]), array=header[1] == "[[", counts=counts)
            lines.setdefault(table, number)
        elif pair:
            lines.setdefault((*table, *_parts(pair[1])), number)
            inside = next((q for q in _QUOTES if line.count(q) % 2), "")
    return lines


def _parts(dotted: str) -> KeyPath:
    return tuple(a or b or c for a, b, c in _PART.findall(dotted))


def _open_table(path: KeyPath, *, array: bool, counts: dict[KeyPath, int]) -> KeyPath:
    """Return the path with the number of each array item on the way: [traders.paper] is part of the last trader."""
    whole: KeyPath = ()
    for depth, part in enumerate(path):
        whole = (*whole, part)
        last = depth == len(path) - 1
        if array and last:
            counts[whole] = counts.get(whole, -1) + 1
        if whole in counts:
            whole = (*whole, counts[whole])
    return whole


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """Return the line of a key, or of the nearest key or table that holds it."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None
