"""Saving what a screen shows: one JSON object a line, into a new file that only its owner reads."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from engine.redaction import REDACT


def save_lines(name: str, rows: Iterable[object], at: datetime, folder: Path) -> Path:
    """Write `rows` (JSON-ready) to a new file in `folder`, which is named after the screen and `at`, and return its path.

    No file is ever written over. Raises OSError where the folder does not take it.
    """
    path = folder / f"signaldeck-{name}-{at:%Y%m%dT%H%M%S}.jsonl"
    made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(made, "w", encoding="utf-8", errors="backslashreplace") as file:
        for row in rows:
            file.write(json.dumps(REDACT.within(row), ensure_ascii=False) + "\n")
    return path
