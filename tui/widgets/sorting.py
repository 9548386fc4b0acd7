"""The order of a table's rows by one of its columns, from what the cells say."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LENGTH: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_LENGTHS: Final = re.compile(r"<?(?:\d+(?:\.\d+)?(?:ms|[smhd]))+")
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d+)?(?:%|/m)?")
_NONE: Final = frozenset({"", "–", "-"})  # noqa: RUF001 - the dash that stands for no number

Rank = tuple[int, float, str]
T = TypeVar("T")


class Sorting(NamedTuple):
    """By which column rows are ordered (the empty text: as they come), and whether the other way round."""

    column: str = ""
    is_reversed: bool = False

    def next(self, columns: Sequence[str]) -> Sorting:
        """Return the order by the column after this one; after the last one comes the order in which rows come."""
        names = ["", *columns]
        at = names.index(self.column) if self.column in names else 0
        return Sorting(names[(at + 1) % len(names)])


def in_order(rows: Sequence[T], sorting: Sorting, text_of: Callable[[T], str]) -> list[T]:
    """Return the rows in this order; rows that say the same keep theirs. A cell without a value comes last both ways."""
    if not sorting.column:
        return list(reversed(rows)) if sorting.is_reversed else list(rows)
    ranked = [(rank(text_of(row)), row) for row in rows]
    told = [pair for pair in ranked if pair[0][0] < 2]
    told.sort(key=lambda pair: pair[0], reverse=sorting.is_reversed)
    return [row for _, row in told] + [row for found, row in ranked if found[0] == 2]


@lru_cache(maxsize=32_768)
def rank(text: str) -> Rank:
    """Return where a cell's text stands: numbers and lengths of time (84ms, 2m05s, 3h) by size, then words, then nothing."""
    words = text.strip().replace(",", "")
    if words in _NONE:
        return (2, 0.0, "")
    if _LENGTHS.fullmatch(words):
        length = sum(float(n) * _UNITS[unit] for n, unit in _LENGTH.findall(words))
        return (0, length / 2 if words.startswith("<") else length, "")
    if _NUMBER.fullmatch(words):
        return (0, float(words.rstrip("%/m")), "")
    return (1, 0.0, words.casefold())
