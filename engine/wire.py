"""The form of everything that leaves the program as JSON, and of the lines on the control socket.

A request is one line, `{"id": 1, "do": "hand_in", ...}`; its answer is one line with the same id and either
`"ok": true, "result": ...` or `"ok": false, "error": {"kind": <class name>, "text": ...}`. Answers come in the order of
the requests, and only when what they say is durable.

Decimals and times are text: `"0.0100"`, `"2026-01-31T12:00:00.000000Z"`.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.core import errors
from engine.core.errors import BadInput, SignalDeckError
from engine.core.intake import Taken
from engine.core.text import clean
from engine.redaction import REDACT

if TYPE_CHECKING:  # else imported where they are used: a command that hands in a signal meets neither
    from engine.core.board import ExecutionStatus
    from engine.core.commands import Command, NewCommand

LINE_BYTES_MAX: Final = 2 * 1024 * 1024
SIGNALS_MAX: Final = 1_000  # in one request

# Errors that are made from their text alone, and so come out of the socket as what went in.
_SIMPLE: Final[Mapping[str, type[SignalDeckError]]] = {
    kind.__name__: kind
    for kind in (
        errors.ConfigError,
        errors.NotThere,
        errors.CommandRefused,
        errors.StoreError,
        errors.StoreBusy,
        errors.StoreFull,
        errors.StoreReadOnly,
        errors.StoreLocked,
        errors.StoreBroken,
    )
}


def plain(value: object) -> object:
    """Return `value` as what JSON has: decimals, times and paths as text, dataclasses as objects, NaN as null.

    No loaded credential gets through.
    """
    if value is None or isinstance(value, str | bool):
        if isinstance(value, str) and REDACT.is_taught:
            return REDACT.by_value(value)
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, int | float):
        return value if isinstance(value, int) or math.isfinite(value) else None
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return _plain_collection(value)


def _plain_collection(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(plain(k)): plain(v) for k, v in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(v) for v in value), key=str)
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def encode(message: Mapping[str, object]) -> bytes:
    """Return a message as one line."""
    return json.dumps(plain(message), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


def decode(line: bytes | str) -> dict[str, object]:
    """Return a line's object. Numbers with a point come as text, so that no digit is lost. Raises BadInput."""
    try:
        value = json.loads(line, parse_float=str, parse_constant=_refuse_constant)
    except BadInput:
        raise
    except (ValueError, RecursionError) as e:
        raise BadInput("line", f"not JSON: {clean(str(e), 120)}", "one JSON object on one line") from None
    if not isinstance(value, dict):
        raise BadInput("line", "not a JSON object", 'such as {"symbol": "BTC/USDT", "side": "buy"}')
    return value


def _refuse_constant(name: str) -> object:
    raise BadInput("line", f"{name} is not a number", "finite numbers only")


def error_message(e: SignalDeckError) -> dict[str, object]:
    """Return an error as the socket carries it."""
    said: dict[str, object] = {"kind": type(e).__name__, "text": REDACT.line(str(e), 2000)}
    if isinstance(e, BadInput):
        said |= {"field": e.field, "problem": e.problem, "fix": e.fix}
    return said


def error_from(said: Mapping[str, object]) -> SignalDeckError:
    """Return the error that an answer carries, as its own class where that can be made again."""
    text = str(said.get("text", "the engine gave no reason"))
    if said.get("kind") == "BadInput":
        return BadInput(str(said.get("field", "")), str(said.get("problem", text)), str(said.get("fix", "")))
    return _SIMPLE.get(str(said.get("kind")), SignalDeckError)(text)


def _text(raw: Mapping[str, object], name: str, length_max: int, *, needed: bool = False) -> str:
    value = raw.get(name, "")
    if not isinstance(value, str) or (needed and not value):
        raise BadInput(name, "text is needed" if needed else "not text", f"at most {length_max} characters")
    if len(value) > length_max:
        raise BadInput(name, f"{len(value)} characters", f"at most {length_max}")
    return clean(value, length_max)


def _time(raw: Mapping[str, object], name: str) -> datetime:
    try:
        at = datetime.fromisoformat(str(raw[name]))
    except (KeyError, ValueError):
        raise BadInput(name, "no time", "such as 2026-01-31T12:00:00Z") from None
    if at.tzinfo is None:
        raise BadInput(name, "a time without a zone", "such as 2026-01-31T12:00:00Z")
    return at.astimezone(UTC)


def read_command(raw: object) -> NewCommand:
    """Return the wish that a request carries. Raises BadInput."""
    from engine.core.commands import CommandKind, NewCommand

    if not isinstance(raw, dict):
        raise BadInput("command", "not a JSON object")
    kind = str(raw.get("kind", ""))
    if kind not in set(CommandKind):
        raise BadInput("kind", f"no command is called {clean(kind, 40)!r}", f"one of {', '.join(CommandKind)}")
    args, version = raw.get("args") or {}, raw.get("expected_version")
    if not isinstance(args, dict) or len(args) > 16:
        raise BadInput("args", "not a small JSON object")
    if version is not None and not isinstance(version, int):
        raise BadInput("expected_version", "not a whole number")
    return NewCommand(
        request_id=_text(raw, "request_id", 64, needed=True),
        kind=CommandKind(kind),
        operator=_text(raw, "operator", 64, needed=True),
        at=_time(raw, "at"),
        target=_text(raw, "target", 64),
        why=_text(raw, "why", 500),
        args={clean(str(k), 64): clean(str(v), 500) for k, v in args.items()},
        expected_version=version,
    )


def command_from(raw: Mapping[str, object]) -> Command:
    """Return the kept wish that an answer carries."""
    from engine.core.commands import Command, CommandState

    new = read_command(raw)
    number, finished = raw.get("id"), raw.get("finished_at")
    return Command(
        id=number if isinstance(number, int) else 0,
        request_id=new.request_id,
        kind=new.kind,
        operator=new.operator,
        at=new.at,
        target=new.target,
        why=new.why,
        args=new.args,
        expected_version=new.expected_version,
        state=CommandState(str(raw.get("state", CommandState.POSTED))),
        result=str(raw.get("result", "")),
        finished_at=_time(raw, "finished_at") if finished else None,
    )


def taken_from(raw: object) -> list[Taken]:
    """Return the answers to signals handed in."""
    names = ("outcome", "signal_id", "key", "text")
    rows = raw if isinstance(raw, list) else []
    return [Taken(*(str(row.get(name, "")) for name in names)) for row in rows if isinstance(row, dict)]


def status_from(raw: object) -> ExecutionStatus:
    """Return the diagnosis that an answer carries."""
    from engine.core.board import Check, ExecutionStatus

    said = raw if isinstance(raw, dict) else {}
    checks = said.get("checks")
    return ExecutionStatus(
        at=_time(said, "at"),
        checks=tuple(
            Check(
                gate=str(c["gate"]),
                ok=c.get("ok") is True,
                fact=str(c.get("fact", "")),
                remedy=str(c.get("remedy", "")),
                decides=c.get("decides") is not False,
            )
            for c in (checks if isinstance(checks, list) else [])
            if isinstance(c, dict) and "gate" in c
        ),
    )
