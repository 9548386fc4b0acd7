"""How values stand in the database: times as whole microseconds, decimals as text, lists as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from engine.core.text import clean
from engine.core.values import Action, NewSignal, Vote
from engine.redaction import REDACT

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US: Final = 86_400_000_000
MINUTE_US: Final = 60_000_000

UNREADABLE: Final = "unreadable"  # the key that stands alone in the place of a detail that cannot be read
UNREADABLE_CHARS: Final = 500
DEPTH_MAX: Final = 50  # what is nested deeper was written by no program of ours, and would break who prints it

# One encoder each, made once: making them costs more than using them.
to_json: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str).encode
from_json: Final = json.JSONDecoder().decode


def micros(at: datetime) -> int:
    """Return whole microseconds since 1970. `at` must be aware."""
    since = at - _EPOCH
    return since.days * _DAY_US + since.seconds * 1_000_000 + since.microseconds


def micros_or_none(at: datetime | None) -> int | None:
    """Return whole microseconds since 1970, or None of None."""
    """Return whole microseconds since 1970, None for None."""
    return None if at is None else micros(at)


def moment(stored: int) -> datetime:
    """Return the aware UTC time of whole microseconds since 1970."""
    return _EPOCH + timedelta(0, 0, stored)


def moment_or_none(stored: int | None) -> datetime | None:
    """Return the aware UTC time of whole microseconds since 1970, or None of None."""
    """Return the aware UTC time of whole microseconds since 1970, None for None."""
    return None if stored is None else _EPOCH + timedelta(0, 0, stored)


def text_or_none(value: Decimal | None) -> str | None:
    """Return a decimal to its last digit, or None of None."""
    """Return a decimal as text, None for None."""
    return None if value is None else str(value)


def decimal_or_none(stored: str | None) -> Decimal | None:
    """Return the decimal that the text stands for, or None of None."""
    """Return the decimal that a text states, None for None."""
    return None if stored is None else Decimal(stored)


def votes_text(votes: tuple[Vote, ...]) -> str:
    """Return votes as a JSON list of lists, fields in the order of `Vote`."""
    if not votes:
        return "[]"
    return to_json([[v.strategy, v.action.value, v.confidence, v.why, v.weight] for v in votes])


def votes_of(stored: str) -> tuple[Vote, ...]:
    """Return the votes that `votes_text` wrote."""
    """Return the votes that `votes_text` wrote."""
    rows: list[list[Any]] = from_json(stored)
    return tuple(
        Vote(strategy, Action(action), confidence, why, weight) for strategy, action, confidence, why, weight in rows
    )


def detail_text(detail: Mapping[str, object]) -> str:
    """Return an event's detail as JSON. What JSON cannot say is told as text: an event never holds back its change."""
    if not detail:
        return "{}"
    try:
        return to_json(dict(detail))
    except (TypeError, ValueError):  # NaN, a key that is no text
        return to_json({"untellable": repr(detail)})


def detail_of(stored: str) -> Mapping[str, Any]:
    """Return an event's detail. Of one that is no JSON object, return what was found instead, cleaned and cut.

    So a damaged entry is seen to be damaged, and does not keep the others from being seen.
    """
    try:
        kept = from_json(stored)
    except (ValueError, RecursionError):
        kept = None
    is_suspect = stored.count("[") + stored.count("{") > DEPTH_MAX
    if not isinstance(kept, dict) or (is_suspect and _is_deep(kept)):
        return {UNREADABLE: clean(stored, UNREADABLE_CHARS)}
    return kept


def _is_deep(value: object) -> bool:
    layer = [value]
    for _ in range(DEPTH_MAX):
        items = [one.values() if isinstance(one, dict) else one for one in layer if isinstance(one, dict | list)]
        layer = [value for values in items for value in values]
    return bool(layer)


def told(text: str) -> str:
    """Return what somebody said as it may be kept: without credentials. Names, ids and keys do not come here."""
    return REDACT(text) if REDACT.is_taught else text


def told_json(encoded: str) -> str:
    """Return JSON as it may be kept: what it says without credentials, its shape as it was."""
    if not REDACT.is_taught or REDACT(encoded) == encoded:
        return encoded
    return to_json(REDACT.within(from_json(encoded)))


def payload_hash(signal: NewSignal, votes: str) -> bytes:
    """Return the SHA-256 of what a producer says with a signal.

    Left out is what differs when the same signal is handed in again: its id, its times, and the last price, which the
    engine adds. Equal numbers count as equal however they are written.
    """
    said = (
        signal.symbol,
        signal.side.value,
        repr(float(signal.confidence)),
        _plain(signal.quantity),
        _plain(signal.price),
        signal.note,
        votes,
        signal.preferred_trader or "",
        "reduces" if signal.reduces else "",
        "supersedes" if signal.supersedes else "",
        signal.parent_id or "",
    )
    return hashlib.sha256("\x1f".join(said).encode()).digest()


def _plain(value: Decimal | None) -> str:
    return "" if value is None else str(value.normalize())
