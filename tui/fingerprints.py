"""What makes two errors one kind: the same code, of the same trader, in the same words but for numbers and ids."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

from engine.core.events import Event, Level
from engine.core.text import clean

MINUTES: Final = 60
WORDS_MAX: Final = 200  # characters of a message that tell its kind

# Ids are long and have a digit; what is left of figures is any number with its sign, point and exponent.
_ID: Final = re.compile(r"\b(?=[\w-]*\d)[0-9a-fA-F][\w-]{7,}\b")
_NUMBER: Final = re.compile(r"[-+]?\d[\d_,.]*(?:[eE][-+]?\d+)?")


class Fingerprint(NamedTuple):
    """A kind of error. `words` is the message with `#` for every number and id."""

    code: str
    trader: str
    words: str


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """All errors of one fingerprint: how many, how loud at most, the first and the newest of them, and when they came.

    `minutes` holds whole minutes since 1970 to how many came in each, of the newest hour at least.
    """

    mark: Fingerprint
    count: int
    level: Level
    first_at: datetime
    newest: Event
    minutes: dict[int, int]

    def per_minute(self, now: datetime, span: int = MINUTES) -> list[float]:
        """Return how many came in each of the last `span` minutes, oldest first, the present one last."""
        last = minute_of(now)
        return [float(self.minutes.get(at, 0)) for at in range(last - span + 1, last + 1)]


def minute_of(at: datetime) -> int:
    """Return the whole minutes from 1970 to `at`."""
    return int(at.timestamp() // 60)


def fingerprint(event: Event) -> Fingerprint:
    """Return the kind that an error is of."""
    text = clean(event.text, WORDS_MAX)
    return Fingerprint(event.code or event.kind.value, event.trader or "", _NUMBER.sub("#", _ID.sub("#", text)))


def with_errors(kinds: dict[Fingerprint, ErrorKind], fresh: Iterable[Event]) -> dict[Fingerprint, ErrorKind]:
    """Return the kinds with errors that came since (oldest first) counted in."""
    told = dict(kinds)
    for event in fresh:
        mark, at = fingerprint(event), minute_of(event.at)
        known = told.get(mark)
        if known is None:
            told[mark] = ErrorKind(mark, 1, event.level, event.at, event, {at: 1})
            continue
        minutes = {m: n for m, n in known.minutes.items() if m > at - 2 * MINUTES}
        minutes[at] = minutes.get(at, 0) + 1
        level = max(known.level, event.level)
        told[mark] = replace(known, count=known.count + 1, level=level, newest=event, minutes=minutes)
    return told
