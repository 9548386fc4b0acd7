"""A body becomes values, or is refused whole: strict JSON, within bounds that no honest sender meets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from itertools import islice
from typing import Final

from engine.core.errors import BadInput
from engine.core.text import clean
from engine.inbox.answers import Refusal, TurnedAway
from engine.wire import SIGNALS_MAX

DEPTH_MAX: Final = 16
NAME_SHOWN_MAX: Final = 15  # of a key that stands twice: shorter than any token
JSON_TYPES: Final = frozenset({"application/json"})
LINE_TYPES: Final = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)


def form_of(content_type: str) -> str:
    """Return `json` or `lines` for a Content-Type header. Raises TurnedAway: only these, in UTF-8, are read."""
    kind, _, rest = content_type.partition(";")
    kind, charset = kind.strip().lower(), rest.strip().lower().replace('"', "")
    if kind not in JSON_TYPES | LINE_TYPES or charset not in ("", "charset=utf-8", "charset=utf8"):
        text = "the Content-Type must be application/json, or application/x-ndjson for JSON lines, in UTF-8"
        raise TurnedAway(Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "content_type", text))
    return "json" if kind in JSON_TYPES else "lines"


def read_values(body: bytes, form: str) -> list[object]:
    """Return the signals in a body: an object, the items of an array, or a line each; at least one.

    Numbers with a point come as text, so that no digit is lost. Raises TurnedAway that says what is wrong, and where.
    """
    try:
        values = list(islice(_lines(body), SIGNALS_MAX + 1)) if form == "lines" else _whole(body)
    except BadInput as e:
        raise TurnedAway(Refusal(HTTPStatus.BAD_REQUEST, "not_json", clean(str(e), 300))) from None
    if not values:
        raise TurnedAway(Refusal(HTTPStatus.BAD_REQUEST, "empty", "there is no signal in the body"))
    if len(values) > SIGNALS_MAX:
        text = f"more than {SIGNALS_MAX:,} signals in one request"
        raise TurnedAway(Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many", text))
    return values


def _whole(body: bytes) -> list[object]:
    value = strict_json(body, "body")
    return value if isinstance(value, list) else [value]


def _lines(body: bytes) -> Iterator[object]:
    for number, line in enumerate(body.split(b"\n"), start=1):
        if line.strip():
            yield strict_json(line, f"line {number}")


def strict_json(text: bytes, place: str) -> object:
    """Return the value of a JSON text. Raises BadInput for anything that JSON has not, a key that stands twice in one
    object, or deeper nesting than any signal needs.
    """

    def no_constant(name: str) -> object:
        raise BadInput(place, f"{name} is not a number", "finite numbers only")

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise BadInput(place, f"the key {clean(_first_again(pairs), NAME_SHOWN_MAX)!r} stands twice in one object")
        return found

    try:
        value: object = json.loads(
            text.decode("utf-8"),
            parse_float=str,
            parse_constant=no_constant,
            object_pairs_hook=unique,
        )
    except UnicodeDecodeError:
        raise BadInput(place, "not UTF-8") from None
    except (ValueError, RecursionError) as e:
        raise BadInput(place, f"not JSON: {clean(str(e), 120)}") from None
    if _is_deep(value):
        raise BadInput(place, f"nested deeper than {DEPTH_MAX} levels", "flatten it")
    return value


def _first_again(pairs: list[tuple[str, object]]) -> str:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return name
        seen.add(name)
    return ""


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(DEPTH_MAX + 1):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _inside(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value
