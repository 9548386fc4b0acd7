"""The filter of a table: words that a row must have, everywhere or in one field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.core.commands import CommandState
from engine.core.events import AlertState, Level, Severity
from engine.core.lifecycle import SignalState
from engine.core.values import Side
from tui.formatting import SIGNAL_SIGNS, foreign, level_words

Choices = Mapping[
    str, Sequence[str]
]  # the whole of what a field can say, by its name; a choice's first word is its name
NOTHING_MATCHES: Final = "nothing matches the filter; esc clears it"
FIELD_HINT: Final = "words, or field:value as in state:failed; -word leaves out"

SIGNAL_CHOICES: Final[Choices] = {
    "state": tuple(f"{state} {sign.word}" for state, sign in SIGNAL_SIGNS.items()),
    "side": tuple(side.value for side in Side),
}
TRADER_CHOICES: Final[Choices] = {
    "state": (
        *("up", "slow", "unchecked", "paused", "draining", "drained", "quarantined"),
        "locked out",
        "open",
        "half open",
        "down",
    ),
}
ALERT_CHOICES: Final[Choices] = {
    "state": tuple(state.value for state in AlertState),
    "severity": tuple(severity.value for severity in Severity),
}
LEVEL_CHOICES: Final[Choices] = {"level": tuple(level_words(level) for level in Level)}
WISH_CHOICES: Final[Choices] = {"state": tuple(state.value for state in CommandState)}


@dataclass(frozen=True, slots=True)
class Filter:
    """Every word must be found, whatever its case: `state:failed` in that field, `btc` in any; `-btc` in none."""

    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.text.strip())

    def takes(self, facts: Mapping[str, str]) -> bool:
        """Say whether a row with these facts (field to text) is to be shown. An unknown field is an ordinary word."""
        return all(_found(word, facts) for word in self.text.casefold().split())

    def excuse(self, rows: Iterable[Mapping[str, str]], choices: Choices) -> str:
        """Return why none of these rows was taken, naming the first field or value that there is not.

        A word that some row has somewhere is no mistake, nor is one that does not read as a field: a time, an address.
        """
        rows = list(rows)
        fields = fields_of(rows)
        for word in self.text.casefold().split() if fields else ():
            field, colon, value = word.partition(":")
            if (
                not colon
                or not field.isidentifier()
                or value.startswith("//")
                or any(_found(word, row) for row in rows)
            ):
                continue
            if field not in fields:
                return f"no field is called {foreign(field, 24)}; fields: {', '.join(fields)}"
            if field in choices and not any(value in choice.casefold() for choice in choices[field]):
                return f"no {field} {foreign(value, 24)}; {', '.join(one.partition(' ')[0] for one in choices[field])}"
        return NOTHING_MATCHES


def fields_of(rows: Iterable[Mapping[str, str]]) -> list[str]:
    """Return the fields that these rows have, in their order."""
    return list(dict.fromkeys(name for row in rows for name in row))


def hint_of(rows: Iterable[Mapping[str, str]]) -> str:
    """Return what the empty filter bar says of these rows."""
    fields = fields_of(rows)
    return f"words, or field:value with {', '.join(fields)}; -word leaves out" if fields else FIELD_HINT


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
