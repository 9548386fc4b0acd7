"""A chart's alert becomes a signal as `signal add` would hand it in: which field says what is configured."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from engine.core.errors import BadInput
from engine.core.inbox import AlertMapping
from engine.core.text import clean
from engine.core.values import is_symbol

KEY_DIGITS: Final = 40  # of the hash that is the key of an alert without one
_EPOCH: Final = re.compile(r"([0-9]{9,11})(?:\.[0-9]{1,9})?|([0-9]{12,14})", re.ASCII)
_COPIED: Final = ("quantity", "confidence", "price", "note")


def signal_from(alert: object, mapping: AlertMapping, now: datetime, window_s: float) -> dict[str, object]:
    """Return the signal that an alert asks for, with a key: the alert's own, or one made of what it says.

    Raises BadInput that names the alert's field: one that is needed and missing, a symbol that nobody translates, a time
    that lies further than `window_s` seconds from `now`.
    """
    if not isinstance(alert, Mapping):
        raise BadInput("alert", "not a JSON object", 'such as {"ticker": "BTCUSDT", "action": "buy"}')
    said = {name: found for name, path in mapping.paths.items() if (found := field_at(alert, path)) not in (None, "")}
    for name in ("symbol", "side", *mapping.needs):
        if name not in said:
            raise BadInput(mapping.paths[name], "missing", f"it says the {name}")
    if "time" in said:
        check_time(mapping.time, time_of(mapping.time, said["time"]), now, window_s)
    signal: dict[str, object] = {name: said[name] for name in _COPIED if name in said}
    signal |= {
        "symbol": _symbol(said["symbol"], mapping),
        "side": _side(said["side"], mapping),
        "key": _key(alert, said, mapping),
        "source": mapping.source,
    }
    if mapping.ttl is not None:
        signal["ttl"] = mapping.ttl
    if mapping.trader:
        signal["trader"] = mapping.trader
    return signal


def field_at(body: Mapping[str, object], path: str) -> object:
    """Return what lies at a dotted path, or None. A field whose own name has the dots goes before a deeper one."""
    if path in body:
        return body[path]
    at: object = body
    for part in path.split("."):
        if not isinstance(at, Mapping):
            return None
        at = at.get(part)
    return at


def time_of(field: str, value: object) -> datetime:
    """Return the time that an alert states: ISO 8601 with its zone, or seconds or milliseconds since 1970.

    Raises BadInput.
    """
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    fix = "such as 2026-01-31T12:00:00Z, or seconds since 1970"
    number = _EPOCH.fullmatch(text)
    try:
        if number is not None:
            seconds = float(text) / 1000 if number[2] else float(text)
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise BadInput(field, "a time without a zone", fix)
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInput(field, f"{_echo(value)} is no time", fix) from None


def check_time(field: str, at: datetime, now: datetime, window_s: float) -> None:
    """Raise BadInput if `at` lies further than `window_s` seconds from `now`: whoever sends it late sends it again."""
    age_s = (now - at).total_seconds()
    if age_s > window_s:
        problem = f"it is {age_s:.0f} s old and {window_s:.0f} s are allowed; if it was taken before, that stands"
        raise BadInput(field, problem, "send alerts at once, and set both clocks")
    if age_s < -window_s:
        raise BadInput(field, f"it lies {-age_s:.0f} s ahead and {window_s:.0f} s are allowed", "set both clocks")


def without(body: Mapping[str, object], path: str) -> dict[str, object]:
    """Return a copy of the body that lacks the field at a dotted path."""
    copy = dict(body)
    if path in copy:
        del copy[path]
        return copy
    head, _, rest = path.partition(".")
    inner = copy.get(head)
    if not rest:
        copy.pop(head, None)
    elif isinstance(inner, Mapping):
        copy[head] = without(inner, rest)
    return copy


def _symbol(value: object, mapping: AlertMapping) -> str:
    word = value.strip() if isinstance(value, str) else ""
    symbol = mapping.symbols.get(word.lower(), word.upper() if word.isascii() else "")
    if not is_symbol(symbol):
        raise BadInput(
            mapping.symbol,
            f"{_echo(value)} is no symbol",
            "translate it under inbox.mapping.symbols, to such as BTC/USDT",
        )
    return symbol


def _side(value: object, mapping: AlertMapping) -> str:
    word = value.strip().lower() if isinstance(value, str) else ""
    side = mapping.sides.get(word, word)
    if side not in {"buy", "sell"}:
        raise BadInput(
            mapping.side, f"{_echo(value)} is no side", "buy or sell; translate others under inbox.mapping.sides"
        )
    return side


def _key(alert: Mapping[str, object], said: Mapping[str, object], mapping: AlertMapping) -> str:
    key = said.get("key")
    if isinstance(key, str | int) and not isinstance(key, bool):
        return str(key)
    if key is not None:
        raise BadInput(mapping.key, f"{_echo(key)} is no key", "give a text or a whole number")
    if "time" not in said:
        # Two alerts that say the same would be one for ever, or one that comes twice would be two: both lose money.
        names = " or ".join(mapping.paths[name] for name in ("key", "time") if name in mapping.paths) or "key"
        raise BadInput(names, "missing", "without it an alert that is sent again cannot be told from another one")
    told = without(alert, mapping.token) if mapping.token else alert
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:KEY_DIGITS]


def _echo(value: object) -> str:
    return f"'{clean(value, 40)}'" if isinstance(value, str) else f"a value of type {type(value).__name__}"
