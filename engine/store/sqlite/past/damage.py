"""What is wrong with an entry of the journal, in a sentence that names it: the past is shown right or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from engine.core.errors import StoreBroken
from engine.core.text import clean
from engine.store.sqlite.codec import micros

# What rows and entries raise that no program of ours has written.
DAMAGE: Final = (
    *(ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError),
    *(sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError),
)


def broken_entry(seq: int, why: str) -> StoreBroken:
    """Return the error that says what is wrong with entry `seq`."""
    return StoreBroken(f"entry {seq} of the journal cannot be read: {why}; keep the file, and restore a backup")


def broken_moment(seq: int, trouble: Exception) -> StoreBroken:
    """Return the error for a moment that cannot be told, though nothing says which entry or row is at fault."""
    why = f"{type(trouble).__name__}: {clean(str(trouble), 120)}"
    return StoreBroken(f"what was so at entry {seq} cannot be told ({why}): the file is damaged; restore a backup")


def missing_entry(seq: int) -> StoreBroken:
    """Return the error for an entry that is gone from between others."""
    return StoreBroken(
        f"entry {seq} of the journal is missing: no program of ours removes one from between others; restore a backup"
    )


def time_in(seq: int, stated: object) -> int:
    """Return a time that an entry states, in whole microseconds. Raises StoreBroken."""
    try:
        return micros(datetime.fromisoformat(str(stated)))
    except (ValueError, TypeError, OverflowError):  # a time without an offset is a TypeError
        raise broken_entry(seq, f"{clean(str(stated), 40)!r} is no time in UTC") from None


def amount_in(seq: int, stated: object) -> Decimal:
    """Return an amount that an entry states. Raises StoreBroken."""
    try:
        amount = Decimal(str(stated))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise broken_entry(seq, f"{clean(str(stated), 40)!r} is no amount")
    return amount


def word_in(seq: int, stated: str, words: Collection[str]) -> str:
    """Return a word of an entry if it is one of those. Raises StoreBroken."""
    if stated not in words:
        raise broken_entry(seq, f"{clean(stated, 40)!r} is none of {', '.join(sorted(words))}")
    return stated
