"""What becomes of a log record: folded with its repeats, rendered as one line, written to a file that rotates."""

from __future__ import annotations

import json
import os
import threading
import traceback
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from engine.redaction import Redactor
from engine.wire import plain

VALUE_LENGTH_MAX: Final = 2_000
FACTS_MAX: Final = 32
FRAMES_MAX: Final = 12
RETRY_LINES: Final = 200  # after the file failed, it is tried again once every so many lines


@dataclass(frozen=True, slots=True)
class Record:
    """One call of a log method. `elapsed` is seconds on this machine; `repeated` counts calls folded into this one."""

    at: datetime
    elapsed: float
    level: str
    part: str
    event: str
    facts: Mapping[str, object]
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line as the Log screen shows it: everything in it is clean text. `seq` counts from 1."""

    seq: int
    at: datetime
    level: str
    part: str
    event: str
    facts: Mapping[str, str]


@dataclass(slots=True)
class _Run:
    began: float
    last: Record
    written: int = 1
    held: int = 0


class Fold:
    """Lets the first lines of a run pass and counts the others.

    A run is the same part, level and event within `fold_s` seconds. A line passes if its facts differ from the last one's
    and fewer than `lines_max` have passed; what was held back comes out as one line with its count when the run ends.
    """

    def __init__(self, fold_s: float, lines_max: int = 20, runs_max: int = 1_000) -> None:
        self._fold_s, self._lines_max, self._runs_max = fold_s, lines_max, runs_max
        self._runs: dict[tuple[str, str, str], _Run] = {}

    def offer(self, record: Record) -> list[Record]:
        """Return what is to be written because of this record: nothing, it, or it after older ones."""
        written = self.ended(record.elapsed)
        key = (record.part, record.level, record.event)
        run = self._runs.get(key)
        if run is None:
            if len(self._runs) >= self._runs_max:
                written += self.ended(float("inf"))
            self._runs[key] = _Run(record.elapsed, record)
            return [*written, record]
        same = run.last.facts == record.facts
        run.last = record
        if same or run.written >= self._lines_max:
            run.held += 1
            return written
        run.written += 1
        return [*written, record]

    def ended(self, elapsed: float) -> list[Record]:
        """Return the closing lines of the runs that are over at `elapsed`."""
        over = [key for key, run in self._runs.items() if elapsed - run.began >= self._fold_s]
        runs = [self._runs.pop(key) for key in over]
        return [replace(run.last, repeated=run.held) for run in runs if run.held]


class Ring:
    """The last lines, for one writer and any reader thread."""

    def __init__(self, lines: int) -> None:
        self._lines: deque[LogLine] = deque(maxlen=lines)
        self._lock = threading.Lock()
        self._count = 0

    def add(self, line: LogLine) -> LogLine:
        """Keep a line; returns it with its number."""
        with self._lock:
            self._count += 1
            kept = replace(line, seq=self._count)
            self._lines.append(kept)
            return kept

    def since(self, seq: int) -> tuple[list[LogLine], int]:
        """Return the kept lines after number `seq`, and how many between were dropped already."""
        with self._lock:
            fresh = [line for line in self._lines if line.seq > seq]
            return fresh, max(0, self._count - seq - len(fresh))


class RotatingFile:
    """A file of lines, 0600, renamed to .1, .2 ... when it is full. An error of the disk silences it for a while.

    `broken` is the last error's text, empty while writing works: the log never stops the engine.
    """

    def __init__(self, path: Path, bytes_max: int, kept: int) -> None:
        self._path, self._bytes_max, self._kept = path, bytes_max, kept
        self._fd: int | None = None
        self._size = 0
        self._skip = 0
        self.broken = ""

    def write(self, line: bytes) -> None:
        """Append a line. Never raises for the disk's sake."""
        if self._skip:
            self._skip -= 1
            return
        try:
            self._append(line)
            self.broken = ""
        except OSError as e:
            self.broken, self._skip = f"{self._path}: {e.strerror}", RETRY_LINES
            self.close()

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _append(self, line: bytes) -> None:
        if self._fd is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._fd = os.open(self._path, flags, 0o600)
            os.fchmod(self._fd, 0o600)
            self._size = os.fstat(self._fd).st_size
        elif self._size + len(line) > self._bytes_max:
            self._rotate()
            self._append(line)
            return
        self._size += os.write(self._fd, line)

    def _rotate(self) -> None:
        self.close()
        for n in range(self._kept, 0, -1):
            older = self._path if n == 1 else self._path.with_name(f"{self._path.name}.{n - 1}")
            if older.exists():
                older.replace(self._path.with_name(f"{self._path.name}.{n}"))
        if self._kept == 0:
            self._path.unlink(missing_ok=True)


def render(record: Record, redact: Redactor) -> tuple[LogLine, bytes]:
    """Return a record as the ring keeps it and as the file has it. Number 0: the ring counts."""
    facts = {}
    for name, value in list(record.facts.items())[:FACTS_MAX]:
        facts[redact.line(name, 64)] = redact.line(_text(value), VALUE_LENGTH_MAX)
    if record.repeated:
        facts["repeated"] = str(record.repeated)
    event = redact.line(record.event, VALUE_LENGTH_MAX)
    line = LogLine(0, record.at, record.level, record.part, event, facts)
    head = {"at": plain(record.at), "level": line.level, "part": line.part, "event": event}
    return line, json.dumps({**facts, **head}, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _text(value: object) -> str:
    if isinstance(value, BaseException):
        frames = traceback.extract_tb(value.__traceback__)[-FRAMES_MAX:]
        # Where it went, without the values of any variable: those hold keys.
        way = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
        return f"{type(value).__name__}: {value}" + (f" [{way}]" if way else "")
    if isinstance(value, str):
        return value
    try:
        return str(plain(value))
    except TypeError:
        return repr(value)
