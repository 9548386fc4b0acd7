"""`signaldeck export`: the journal as CSV or JSON lines, read page by page so that any length fits in memory."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TextIO

import typer

from engine.core.errors import BadInput
from engine.places import Named
from engine.wire import plain
from tui.commands.asking import read
from tui.commands.frame import command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.events import Event, Signal
    from engine.core.order import Attempt
    from engine.store.base import Reader

PAGE: Final = 500
NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would obey

Row = Mapping[str, object]


class Format(StrEnum):
    """How rows are written."""

    CSV = "csv"
    JSONL = "jsonl"


class What(StrEnum):
    """What can be exported."""

    SIGNALS = "signals"
    ATTEMPTS = "attempts"
    ORDERS = "orders"
    EVENTS = "events"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Options of `export`."""

    what: Annotated[What, typer.Argument(metavar="signals|attempts|orders|events")]
    format: Annotated[Format, typer.Option(help="how rows are written")] = Format.CSV
    output: Annotated[Path | None, typer.Option(metavar="F", help="a new file, for you alone; else the output")] = None


def add_export(app: typer.Typer) -> None:
    """Add the command to `app`."""
    command(app, "export")(export)


def export(named: Named, options: ExportOptions) -> None:
    """Write the journal: signals newest first, everything else oldest first."""
    rows = {
        What.SIGNALS: _signals,
        What.ATTEMPTS: _attempts,
        What.ORDERS: _orders,
        What.EVENTS: _events,
    }[options.what]

    async def ask(reader: Reader) -> None:
        with _opened(options.output) as out:
            writer = _Writer(out, options.format, COLUMNS[options.what])
            async for row in rows(reader):
                writer.write(row)

    read(named, ask)


@contextmanager
def _opened(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
        return
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as e:
        raise BadInput("--output", f"{path}: {e.strerror}", "name a file that is not there yet") from None
    with os.fdopen(fd, "w", encoding="utf-8", newline="") as out:
        yield out


class _Writer:
    def __init__(self, out: TextIO, form: Format, columns: tuple[str, ...]) -> None:
        self._out, self._form, self._columns = out, form, columns
        if form is Format.CSV:
            self._line(columns)

    def write(self, row: Row) -> None:
        values = [plain(row[name]) for name in self._columns]
        if self._form is Format.JSONL:
            self._out.write(json.dumps(dict(zip(self._columns, values, strict=True)), ensure_ascii=False) + "\n")
        else:
            self._line(tuple(csv_cell(value) for value in values))

    def _line(self, cells: tuple[str, ...]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(cells)
        self._out.write(line.getvalue())


def csv_cell(value: object) -> str:
    """Return a JSON value as a cell. Text that a spreadsheet would take for a formula gets a ' before it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA_STARTS) and not NUMBER.fullmatch(value) else value
    return json.dumps(value, ensure_ascii=False)


# Every column, in order. Attempts and orders name what is needed to find them at the venue.
COLUMNS: Final[Mapping[What, tuple[str, ...]]] = {
    What.SIGNALS: (
        "seq", "id", "key", "source", "symbol", "side", "confidence", "quantity", "price", "state", "reason_code",
        "reason", "trader", "preferred_trader", "attempts", "reduces", "note", "parent_id", "received_at", "expires_at",
        "ended_at",
    ),
    What.ATTEMPTS: (
        "seq", "signal_id", "n", "trader", "client_order_id", "venue_order_id", "state", "symbol", "side", "kind",
        "quantity", "price", "reduces", "filled_quantity", "average_price", "fee", "error_code", "error_text",
        "intent_at", "send_by", "sent_at", "answered_at", "ended_at", "unknown_since", "probes", "waiting_s",
        "gating_s", "submitting_s", "acknowledged_s", "filled_s",
    ),
    What.ORDERS: (
        "venue_order_id", "client_order_id", "trader", "signal_id", "state", "symbol", "side", "kind", "quantity",
        "price", "filled_quantity", "average_price", "fee", "placed_at", "ended_at",
    ),
    What.EVENTS: (
        "seq", "at", "kind", "level", "code", "text", "signal_id", "attempt_n", "trader", "from_state", "to_state",
        "detail", "epoch",
    ),
}  # fmt: skip


def _columns_of(value: object, names: tuple[str, ...]) -> dict[str, object]:
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def signal_row(s: Signal) -> Row:
    """Return a signal's columns."""
    return {**_columns_of(s, COLUMNS[What.SIGNALS]), "reason_code": s.reason.code, "reason": s.reason.text}


def attempt_row(a: Attempt) -> Row:
    """Return an attempt's columns. Times of latency are seconds."""
    latency = {f"{part}_s": getattr(a.latency, part) for part in ("waiting", "gating", "submitting", "acknowledged")}
    names = (*COLUMNS[What.ATTEMPTS], *COLUMNS[What.ORDERS])
    return {
        **_columns_of(a.request, names),
        **_columns_of(a, names),
        **latency,
        "filled_s": a.latency.filled,
        "placed_at": a.sent_at or a.intent_at,
    }


async def _signals(reader: Reader) -> AsyncIterator[Row]:
    from engine.store.base import SignalFilter

    before: int | None = None
    while page := await reader.signals(SignalFilter(), before, PAGE):
        for signal in page:
            yield signal_row(signal)
        before = page[-1].seq


async def _attempts(reader: Reader) -> AsyncIterator[Row]:
    after = 0
    while page := await reader.attempts(after, PAGE):
        for attempt in page:
            yield attempt_row(attempt)
        after = page[-1].seq


async def _orders(reader: Reader) -> AsyncIterator[Row]:
    """Orders are the attempts that a venue is known to have."""
    async for row in _attempts(reader):
        if row["venue_order_id"] is not None:
            yield row


async def _events(reader: Reader) -> AsyncIterator[Row]:
    after = 0
    while page := await reader.events(after, PAGE):
        for event in page:
            yield event_row(event)
        after = page[-1].seq


def event_row(event: Event) -> Row:
    """Return a journal entry's columns."""
    return _columns_of(event, COLUMNS[What.EVENTS])
