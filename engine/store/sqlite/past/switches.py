"""Whether the kill switch was on at an earlier moment: in the journal's own words, however long ago they were said."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Final

from engine.store.sqlite.codec import detail_of, moment, moment_or_none
from engine.store.sqlite.past.moments import Past

_WORDS: Final = {"halted": True, "released": False}


@dataclass(frozen=True, slots=True)
class Halt:
    """Who had turned the kill switch on, and when: empty and None where nothing that is kept says so."""

    by: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Turn:
    seq: int
    at: int
    before: str
    after: str
    detail: str


class Switches:
    """What the journal says of the kill switch. Each entry is looked at once: the first answer may take a second where
    there are a million, the others do not wait.

    A wish is no proof: one that was refused may have turned the switch, and one that was granted may have been too late.
    """

    def __init__(self) -> None:
        self._turns: list[_Turn] = []
        self._seen = 0  # the journal was looked through up to this entry

    def halt(self, past: Past) -> Halt | None:
        """Return who had turned the kill switch on; None while it was off."""
        self._look(past)
        place = bisect_right(self._turns, past.seq, key=attrgetter("seq"))
        before, after = self._turns[:place], self._turns[place:]
        if before and before[-1].after in _WORDS:
            turn = before[-1]
            return Halt(_who(turn.detail), moment(turn.at)) if _WORDS[turn.after] else None
        if after and after[0].before in _WORDS:
            return Halt() if _WORDS[after[0].before] else None
        return self._as_it_stands(past, is_told=bool(after))

    def _look(self, past: Past) -> None:
        ((_, newest),) = past.rows("journal_ends")
        if newest > self._seen:
            self._turns += [_Turn(*row) for row in past.rows("switches_within", self._seen, newest)]
            self._seen = newest

    def _as_it_stands(self, past: Past, *, is_told: bool) -> Halt | None:
        """Return what the switch itself says, which holds for the past while no entry tells that it was turned since."""
        ((is_on, by, at, _),) = past.rows("switches")
        if not is_on:
            return None
        is_known = not is_told and at is not None and at <= past.latest  # else it was said again since
        return Halt(by, moment_or_none(at)) if is_known else Halt()


def _who(detail: str) -> str:
    return str(detail_of(detail).get("by", ""))
