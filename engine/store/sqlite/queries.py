"""Named queries and numbered migrations, read once from the .sql files of the dialect."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import chain
from typing import Final

_HEAD: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_MIGRATION: Final = re.compile(r"(\d{4})_(\w+)\.sql")
# A statement opens and closes every index of its table, however many rows it has; beyond this little more is saved.
ROWS_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the schema; `checksum` is the SHA-256 of its text."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


@cache
def named_queries() -> Mapping[str, str]:
    """Return every query by its name. Two of one name are a defect."""
    found: dict[str, str] = {}
    for file in _sql_files():
        if _MIGRATION.fullmatch(file.name):
            continue
        parts = _HEAD.split(file.read_text("utf-8"))
        for name, sql in zip(parts[1::2], parts[2::2], strict=True):
            assert name not in found, f"two queries are called {name}"
            found[name] = sql.strip().rstrip(";")
    return found


def insert_rows(connection: sqlite3.Connection, name: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Run the insert of this name, which ends with its VALUES, for each row: most of them several by one statement."""
    whole = len(rows) - len(rows) % ROWS_AT_ONCE
    if whole:
        starts = range(0, whole, ROWS_AT_ONCE)
        several = (tuple(chain.from_iterable(rows[at : at + ROWS_AT_ONCE])) for at in starts)
        connection.executemany(_insert_of_several(name), several)
    if whole < len(rows):
        connection.executemany(named_queries()[name], rows[whole:])


@cache
def _insert_of_several(name: str) -> str:
    head, word, one = named_queries()[name].rpartition("VALUES ")
    assert word, f"{name} inserts no values"
    return head + word + ", ".join([one] * ROWS_AT_ONCE)


@cache
def migrations() -> tuple[Migration, ...]:
    """Return the steps in order. Their numbers leave no gap."""
    steps = []
    for file in _sql_files():
        match = _MIGRATION.fullmatch(file.name)
        if match:
            steps.append(Migration(int(match[1]), match[2], file.read_text("utf-8")))
    assert [step.number for step in steps] == list(range(1, len(steps) + 1)), "migrations are numbered without a gap"
    return tuple(steps)


def _sql_files() -> Iterator[Traversable]:
    folder = files("engine.store").joinpath("sql", "sqlite")
    yield from sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
