"""A store that something else has written into: what no program of ours does, and what a reader must live with."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def damage(db: Path, *statements: str) -> None:
    """Run statements on the file, whose guards are taken away first."""
    with closing(sqlite3.connect(db)) as file:
        for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            file.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            file.execute(statement)
        file.commit()
