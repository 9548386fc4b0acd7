"""What broke, in words that tell no variable's value and no loaded secret: for the terminal, and whole for a file."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from itertools import islice
from pathlib import Path
from typing import Final

from engine.redaction import REDACT

LINES_MAX: Final = 400
LINE_LENGTH_MAX: Final = 1_000


def summary(error: BaseException) -> list[str]:
    """Return the way to the error, a line a frame, and its words."""
    frames = traceback.extract_tb(error.__traceback__)
    way = [f"  {Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in frames]
    return [*way, REDACT.line(f"{type(error).__name__}: {error}", 300)]


def full(error: BaseException) -> list[str]:
    """Return the error with what caused it and the program's own lines. What a variable held is nowhere in it."""
    parts = traceback.TracebackException.from_exception(error, capture_locals=False).format()
    lines = (line for part in parts for line in part.splitlines())
    return [REDACT.line(line, LINE_LENGTH_MAX) for line in islice(lines, LINES_MAX)]


def keep(error: BaseException, path: Path) -> bool:
    """Write the full words to a file for this user alone, in place of an older one; False if that cannot be done."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        path.unlink(missing_ok=True)
        fd = os.open(path, flags, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8", errors="replace") as out:
            out.write("\n".join(full(error)) + "\n")
    except OSError:
        return False
    return True


def crash_file(db: Path) -> Path:
    """Return where the last crash of a run on this store is told."""
    return db.with_name(f"{db.name}.crash")


def listen() -> None:
    """Send what breaks in a thread, or where nothing can be raised, to the log: the terminal is being drawn on."""
    threading.excepthook = lambda broken: _tell(broken.exc_value)
    sys.unraisablehook = lambda broken: _tell(broken.exc_value)


def _tell(error: BaseException | None) -> None:
    if error is not None and not isinstance(error, SystemExit):
        from engine.log import logger  # it brings validators, and nothing has broken when the first picture is drawn

        logger("crash").error("broke where nobody waits", error=error)
