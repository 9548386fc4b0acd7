"""What the inbox turned away, as journal entries: few at once, then counted, so that no flood can fill the store."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.clock import Clock
from engine.core.errors import SignalDeckError
from engine.core.events import EventKind, Level, NewEvent
from engine.core.text import clean
from engine.log import logger
from engine.logfile import Fold, Record
from engine.redaction import REDACT

FOLD_S: Final = 60.0
SHOWN_MAX: Final = 10  # of one kind in each FOLD_S, before they are only counted
PENDING_MAX: Final = 200
LOOK_EVERY_S: Final = 5.0
# What strangers can bring about as often as they like: one entry, then a count.
STRANGERS: Final = frozenset({"wrong_token", "strangers_too_often", "not_found", "not_post", "not_http", "crowded"})

_log = logger("inbox")


@dataclass
class RefusalBook:
    """A loop of the engine's. `note` writes journal entries; while it cannot, the newest PENDING_MAX are kept."""

    note: Callable[[Sequence[NewEvent]], Awaitable[None]]
    clock: Clock
    _pending: deque[NewEvent] = field(default_factory=lambda: deque(maxlen=PENDING_MAX))
    _known: Fold = field(default_factory=lambda: Fold(FOLD_S, lines_max=SHOWN_MAX))
    _strange: Fold = field(default_factory=lambda: Fold(FOLD_S, lines_max=1))
    _nudged: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, code: str, text: str, client: str) -> None:
        """Note that something was turned away. Never waits; repeats within a minute become one entry with their count."""
        facts = {"text": REDACT.line(text), "client": clean(client, 64)}
        record = Record(self.clock.wall(), self.clock.elapsed(), "warning", "inbox", code, facts)
        self._keep((self._strange if code in STRANGERS else self._known).offer(record))

    def post(self, event: NewEvent) -> None:
        """Note an event as it is."""
        self._pending.append(event)
        self._nudged.set()

    async def run(self) -> None:
        """Write what comes, until cancelled; then close the runs under way and write the rest."""
        try:
            while True:
                await self._write(self.clock.elapsed())
                await self._wait()
        finally:
            await self._write(float("inf"))

    async def _wait(self) -> None:
        try:
            async with self.clock.timeout(LOOK_EVERY_S):
                await self._nudged.wait()
        except TimeoutError:
            return  # to close the runs that are over
        self._nudged.clear()

    async def _write(self, elapsed: float) -> None:
        for fold in (self._known, self._strange):
            self._keep(fold.ended(elapsed))
        if not self._pending:
            return
        events = list(self._pending)
        self._pending.clear()  # before the wait: the store finishes a write also for a caller that is cancelled
        try:
            await self.note(events)
        except SignalDeckError as failure:
            _log.warning("refusals are not journalled yet", error=str(failure), count=len(events))
            room = PENDING_MAX - len(self._pending)
            self._pending.extendleft(reversed(events[max(0, len(events) - room) :]))

    def _keep(self, records: Sequence[Record]) -> None:
        for record in records:
            text, client = str(record.facts["text"]), str(record.facts["client"])
            if record.repeated:
                said = f"the inbox turned away {record.repeated:,} more like this within {FOLD_S:.0f} s: {text}"
            else:
                said = f"the inbox turned away a request from {client}: {text}"
            detail = {"client": client, "count": record.repeated or 1}
            kind, level = EventKind.INTAKE_REFUSED, Level.WARNING
            self.post(NewEvent(kind, record.at, clean(said), level, code=record.event, detail=detail))
