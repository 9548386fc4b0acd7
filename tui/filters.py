"""The filter of a table: words that a row must have, everywhere or in one field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.core.lifecycle import SignalState


@dataclass(frozen=True, slots=True)
class Filter:
    """Every word must be found, whatever its case: `state:failed` in that field, `btc` in any; `-btc` in none."""

    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.text.strip())

    def takes(self, facts: Mapping[str, str]) -> bool:
        """Say whether a row with these facts (field to text) is to be shown. An unknown field is an ordinary word."""
        return all(_found(word, facts) for word in self.text.casefold().split())


def states_in(text: str) -> frozenset[SignalState]:
    """Return the states that a filter names in full, as in `state:failed state:expired`; none if one is no state."""
    words = [word.removeprefix("state:") for word in text.casefold().split() if word.startswith("state:")]
    names = {state.value for state in SignalState}
    return frozenset(map(SignalState, words)) if names.issuperset(words) else frozenset()


def _found(word: str, facts: Mapping[str, str]) -> bool:
    if word.startswith("-") and len(word) > 1:
        return not _found(word[1:], facts)
    field, colon, value = word.partition(":")
    if colon and field in facts:
        return value in facts[field].casefold()
    return any(word in text.casefold() for text in facts.values())
