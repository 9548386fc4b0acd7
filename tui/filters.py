"""The filter of a table: words that a row must have, everywhere or in one field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filter:
    """Every word must be found, whatever its case: `state:failed` in that field, `btc` in any; `-btc` in none."""

    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.text.strip())

    def takes(self, facts: Mapping[str, str]) -> bool:
        """Say whether a row with these facts (field to text) is to be shown. An unknown field is an ordinary word."""
        return all(_found(word, facts) for word in self.text.casefold().split())


def _found(word: str, facts: Mapping[str, str]) -> bool:
    if word.startswith("-") and len(word) > 1:
        return not _found(word[1:], facts)
    field, colon, value = word.partition(":")
    if colon and field in facts:
        return value in facts[field].casefold()
    return any(word in text.casefold() for text in facts.values())
