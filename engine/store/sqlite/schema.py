"""The schema: brought up to date in one transaction, and refused if it is newer than this program."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime

from engine.core.errors import StoreBroken
from engine.store.sqlite.codec import micros
from engine.store.sqlite.custody import APPLICATION_ID
from engine.store.sqlite.queries import migrations, named_queries


def schema_version(connection: sqlite3.Connection) -> int:
    """Return the number of the last migration that ran; 0 in an empty file."""
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    return int(version)


def refuse_newer(connection: sqlite3.Connection, path: str) -> None:
    """Raise StoreBroken if a later program has changed this file's schema."""
    version, known = schema_version(connection), len(migrations())
    if version > known:
        raise StoreBroken(
            f"{path} has schema {version}, this program knows up to {known}: use the program that wrote it last, or later"
        )


def migrate(connection: sqlite3.Connection, path: str, now: datetime) -> None:
    """Run what has not run yet, all or nothing. Raises StoreBroken if what has run is not what this program has."""
    refuse_newer(connection, path)
    version = schema_version(connection)
    query = named_queries()
    ran = dict(connection.execute(query["migrations_run"]).fetchall()) if version else {}
    for step in migrations()[:version]:
        if ran.get(step.number) != step.checksum:
            raise StoreBroken(f"{path} was made by another build: its migration {step.number:04d} differs")
    if version == len(migrations()):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in migrations()[version:]:
            for statement in _statements(step.sql):
                connection.execute(statement)
            connection.execute(query["note_migration"], (step.number, step.name, step.checksum, micros(now)))
        connection.execute(f"PRAGMA user_version={len(migrations())}")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def check(connection: sqlite3.Connection, path: str, *, thorough: bool) -> None:
    """Ask SQLite whether the file is sound. `thorough` reads every index against its table, after an unclean stop."""
    pragma = "integrity_check(5)" if thorough else "quick_check(5)"
    said = [str(row[0]) for row in connection.execute(f"PRAGMA {pragma}")]
    if said != ["ok"]:
        raise StoreBroken(f"{path} is damaged: {'; '.join(said)}: keep the file, and restore a backup")


def _statements(script: str) -> Iterator[str]:
    # sqlite3's executescript commits first, which would tear the migration apart.
    gathered = ""
    for line in script.splitlines(keepends=True):
        gathered += line
        if sqlite3.complete_statement(gathered):
            yield gathered
            gathered = ""
    assert not gathered.strip(), "a migration ends with its last statement"
