"""The log: JSON lines, written by a thread of their own to a rotating file and kept in a ring for the Log screen.

A part asks once for its `logger("feed")` and writes `log.warning("late row", symbol=...)`. Until `start`, below the part's
level, and with SIGNALDECK_LOG=off, such a call does nothing at all. Nothing ever goes to the terminal.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field

from engine.clock import SystemClock
from engine.logfile import Fold, Record, Ring, RotatingFile, render
from engine.redaction import REDACT, Redactor

OFF_VARIABLE: Final = "SIGNALDECK_LOG"
QUEUE_MAX: Final = 10_000
STOP_S: Final = 2.0
_LEVELS: Final[Mapping[str, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40, "off": 100}
# These log credentials and signed URLs below this level; no setting lowers it.
_FLOORS: Final[Mapping[str, int]] = {"ccxt": 30, "aiohttp": 30, "asyncio": 30, "aiosqlite": 30}

LevelName = Literal["debug", "info", "warning", "error", "off"]


class LogSettings(BaseModel):
    """What is logged and where. Sizes in bytes, times in seconds; `file` None lies beside the store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: LevelName = "info"
    levels: Mapping[str, LevelName] = Field(default_factory=dict)  # part to level, such as feed = "debug"
    file: Path | None = None
    file_bytes: int = Field(default=10 * 1024 * 1024, ge=64 * 1024, le=1024**3)
    files_kept: int = Field(default=3, ge=0, le=100)
    ring_lines: int = Field(default=2_000, ge=10, le=100_000)
    fold_s: float = Field(default=10.0, ge=0, le=3600)


def _nothing(event: str, **facts: object) -> None:
    """Stand in for a log method that is off."""


class PartLog:
    """One part's log methods. Those below its level are this module's `_nothing`."""

    __slots__ = ("debug", "error", "info", "part", "warning")

    def __init__(self, part: str) -> None:
        self.part = part
        self.silence()

    def silence(self) -> None:
        """Let every method do nothing."""
        self.debug: Callable[..., object] = _nothing
        self.info: Callable[..., object] = _nothing
        self.warning: Callable[..., object] = _nothing
        self.error: Callable[..., object] = _nothing

    def speak(self, bound: Any) -> None:
        """Let every method be that of `bound`, a structlog logger that filters by level."""
        self.debug, self.info, self.warning, self.error = bound.debug, bound.info, bound.warning, bound.error


class Logging:
    """A running log: its ring, and how many records were dropped because the writer could not keep up."""

    def __init__(self, settings: LogSettings, path: Path | None, redact: Redactor) -> None:
        self.ring = Ring(settings.ring_lines)
        self.dropped = 0
        self._settings, self._redact = settings, redact
        self._file = RotatingFile(path, settings.file_bytes, settings.files_kept) if path else None
        self._fold = Fold(settings.fold_s)
        self._clock = SystemClock()
        self._queue: queue.Queue[Record | None] = queue.Queue(QUEUE_MAX)
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)

    @property
    def broken(self) -> str:
        """Return why the file is not written, or the empty text."""
        return self._file.broken if self._file else ""

    def begin(self) -> None:
        """Start the writing thread, once."""
        self._thread.start()

    def finish(self) -> None:
        """Write what is queued, for at most two seconds, and end the thread."""
        try:
            self._queue.put(None, timeout=STOP_S)
        except queue.Full:
            return  # the disk hangs; the thread is a daemon and ends with the process
        self._thread.join(STOP_S)

    def take(self, level: str, part: str, event: str, facts: Mapping[str, object]) -> None:
        """Queue a record; drops it if the queue is full."""
        record = Record(self._clock.wall(), self._clock.elapsed(), level, part, event, facts)
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def level_of(self, part: str) -> int:
        """Return the number of the level from which `part` is written."""
        return _LEVELS[self._settings.levels.get(part, self._settings.level)]

    def _write_all(self) -> None:
        while True:
            try:
                record = self._queue.get(timeout=1.0)
            except queue.Empty:
                self._write(self._fold.ended(self._clock.elapsed()))
                continue
            if record is None:
                self._write(self._fold.ended(float("inf")))
                if self._file:
                    self._file.close()
                return
            self._write(self._fold.offer(record))

    def _write(self, records: list[Record]) -> None:
        for record in records:
            line, raw = render(record, self._redact)
            self.ring.add(line)
            if self._file:
                self._file.write(raw)


class _Foreign(logging.Handler):
    """Takes what libraries log through the standard module."""

    def __init__(self, running: Logging) -> None:
        super().__init__()
        self._running = running

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < _FLOORS.get(record.name.partition(".")[0], 0):
            return  # whoever set the level of a logger below another got past that one's
        facts = {"error": record.exc_info[1]} if record.exc_info and record.exc_info[1] else {}
        self._running.take(record.levelname.lower(), record.name, record.getMessage(), facts)


_parts: Final[dict[str, PartLog]] = {}
_running: Logging | None = None


def logger(part: str) -> PartLog:
    """Return the log of one part; the same one for the same name."""
    if part not in _parts:
        _parts[part] = PartLog(part)
        if _running is not None:
            _connect(_parts[part], _running)
    return _parts[part]


def start(settings: LogSettings, *, path: Path | None, env: Mapping[str, str], redact: Redactor = REDACT) -> Logging:
    """Begin to log; returns the running log, whose ring stays empty if SIGNALDECK_LOG=off or the level is off.

    `path` is the file if the settings name none; None logs to the ring alone. An earlier log is stopped.
    """
    global _running
    stop()
    running = Logging(settings, settings.file or path, redact)
    if env.get(OFF_VARIABLE, "").strip().lower() == "off":
        _quieten_foreign()
        return running
    running.begin()
    _running = running
    for part in _parts.values():
        _connect(part, running)
    _take_foreign(running)
    return running


def stop() -> None:
    """Write what is left and be silent again. Safe to call when nothing runs."""
    global _running
    if _running is None:
        return
    for part in _parts.values():
        part.silence()
    _quieten_foreign()
    _running.finish()
    _running = None


def _connect(part: PartLog, running: Logging) -> None:
    level = running.level_of(part.part)
    if level >= _LEVELS["off"]:
        part.silence()
        return
    import structlog  # not needed, and not paid for, while the log is off

    def hand_over(_: object, level_name: str, facts: MutableMapping[str, Any]) -> NoReturn:
        running.take(level_name, part.part, str(facts.pop("event", "")), facts)
        raise structlog.DropEvent

    bound = structlog.wrap_logger(
        None, processors=[hand_over], wrapper_class=structlog.make_filtering_bound_logger(level)
    ).bind()
    part.speak(bound)


def _take_foreign(running: Logging) -> None:
    _replace_ours(_Foreign(running))
    level = running.level_of("libraries")
    logging.getLogger().setLevel(level)
    for name, floor in _FLOORS.items():
        logging.getLogger(name).setLevel(max(level, floor))


def _quieten_foreign() -> None:
    # Without any handler the standard module writes warnings over the screen.
    _replace_ours(logging.NullHandler())


def _replace_ours(handler: logging.Handler) -> None:
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h, _Foreign | logging.NullHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
