"""A signal as somebody outside hands it in: what each field may hold, and what is said about one that may not."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Final, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from engine.core.errors import BadInput
from engine.core.text import clean
from engine.core.values import Side, is_symbol

NOTE_MAX: Final = 2_000
NAME_MAX: Final = 64
TTL_S_MIN: Final = 0.001
TTL_S_MAX: Final = 86_400.0
AMOUNT_MIN: Final = Decimal("1e-18")
AMOUNT_MAX: Final = Decimal("1e15")

# Decimal() itself would take underscores, digits of other scripts, and exponents that fill the memory when printed.
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:|/@#+=-]*", re.ASCII)
_INTEGER_MAX: Final = 10**20


def parse_request(raw: object) -> SignalRequest:
    """Return the validated request. Raises BadInput that names the first bad field, what is wrong, and the fix.

    None counts as not given. What is echoed of a bad value is cleaned and cut.
    """
    if not isinstance(raw, Mapping):
        raise BadInput(
            "signal", f"must be an object with named fields, not {_echo(raw)}", 'such as {"symbol": "BTC/USDT"}'
        )
    given = {str(key): value for key, value in raw.items() if value is not None}
    try:
        return SignalRequest.model_validate(given)
    except ValidationError as refusal:
        raise _bad_input(refusal) from None


def _amount(value: object) -> Decimal:
    number = _number(value)
    if number <= 0:
        _refuse(f"{_echo(value)} is not above 0", "give a positive number, or leave it out")
    if not AMOUNT_MIN <= number <= AMOUNT_MAX:
        _refuse(f"{_echo(value)} is out of bounds", f"give a number from {AMOUNT_MIN:f} to {AMOUNT_MAX:f}")
    return Decimal(f"{number:f}")  # 1E+5 is written 100000 from here on


def _confidence(value: object) -> float:
    number = _number(value)
    if not 0 <= number <= 1:
        _refuse(f"{_echo(value)} is not from 0 to 1", "0.85 stands for 85 %")
    return float(number)


def _ttl(value: object) -> float:
    seconds = float(_number(value))
    if not TTL_S_MIN <= seconds <= TTL_S_MAX:
        _refuse(f"{_echo(value)} is out of bounds", f"give seconds from {TTL_S_MIN} to {TTL_S_MAX:.0f}")
    return seconds


def _number(value: object) -> Decimal:
    """A finite number, exactly as it was written: a float's shortest form, not its binary noise."""
    text = ""
    if isinstance(value, int) and abs(value) >= _INTEGER_MAX:
        _refuse("that number is out of bounds", "give a smaller one")
    if isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
    elif isinstance(value, float) and math.isfinite(value):
        text = repr(value)
    elif isinstance(value, Decimal) and value.is_finite():
        text = str(value)
    elif isinstance(value, str) and len(value) <= NAME_MAX:
        text = value.strip()
    if not _NUMBER.fullmatch(text):
        _refuse(f"{_echo(value)} is not a number", "give a plain number such as 0.25")
    return Decimal(text)


def _symbol(value: object) -> str:
    # Upper case turns some letters of other scripts into plain ones, and so one symbol into another.
    symbol = value.strip().upper() if isinstance(value, str) and value.isascii() else ""
    if not is_symbol(symbol):
        _refuse(f"{_echo(value)} has not the form of a symbol", "such as BTC/USDT, or BTC/USDT:USDT")
    return symbol


def _side(value: object) -> Side:
    word = value.strip().lower() if isinstance(value, str) else ""
    if word not in {"buy", "sell"}:
        _refuse(f"{_echo(value)} is no side", "buy or sell")
    return Side(word)


def _name(value: object) -> str:
    if not isinstance(value, str) or not value:
        _refuse(f"{_echo(value)} is no name", f"give 1 to {NAME_MAX} characters")
    if len(value) > NAME_MAX:
        _refuse(f"{_echo(value)} has {len(value)} characters", f"at most {NAME_MAX} are allowed")
    if not _NAME.fullmatch(value):
        _refuse(f"{_echo(value)} has characters that are not allowed", "use letters, digits and . _ : | / @ # + = -")
    return value


def _note(value: object) -> str:
    if not isinstance(value, str):
        _refuse(f"{_echo(value)} is no text", "give a text")
    if len(value) > NOTE_MAX:
        _refuse(f"it has {len(value)} characters", f"at most {NOTE_MAX} are allowed")
    return clean(value, NOTE_MAX)


class SignalRequest(BaseModel):
    """One signal as handed in: field names as in `signal add`. `ttl` is in seconds; None takes the configured one.

    `quantity` None lets the engine size the order, `price` None makes a market order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: Annotated[str, BeforeValidator(_symbol)]
    side: Annotated[Side, BeforeValidator(_side)]
    confidence: Annotated[float, BeforeValidator(_confidence)] = 1.0
    quantity: Annotated[Decimal, BeforeValidator(_amount)] | None = None
    price: Annotated[Decimal, BeforeValidator(_amount)] | None = None
    source: Annotated[str, BeforeValidator(_name)] = "manual"
    key: Annotated[str, BeforeValidator(_name)] | None = None
    ttl: Annotated[float, BeforeValidator(_ttl)] | None = None
    trader: Annotated[str, BeforeValidator(_name)] | None = None
    note: Annotated[str, BeforeValidator(_note)] = ""


def _bad_input(refusal: ValidationError) -> BadInput:
    first = refusal.errors(include_url=False)[0]
    field = clean(str(first["loc"][0]), 40) if first["loc"] else "signal"
    if first["type"] == "missing":
        return BadInput(field, "missing", _EXAMPLES.get(field, "give it"))
    if first["type"] == "extra_forbidden":
        known = list(SignalRequest.model_fields)
        near = difflib.get_close_matches(field, known, n=1)
        fix = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        return BadInput(field, "is not a field of a signal", fix)
    said: Callable[[str, str], object] = first.get("ctx", {}).get
    return BadInput(field, str(said("problem", first["msg"])), str(said("fix", "")))


_EXAMPLES: Final = {"symbol": "such as BTC/USDT", "side": "buy or sell"}


def _refuse(problem: str, fix: str) -> NoReturn:
    raise PydanticCustomError("refused", "{problem}", {"problem": problem, "fix": fix})


def _echo(value: object) -> str:
    if isinstance(value, str):
        return f"'{clean(value, 40)}'"
    if isinstance(value, bool | int | float | Decimal) and not (isinstance(value, int) and abs(value) >= _INTEGER_MAX):
        return clean(str(value), 40)
    return f"a value of type {clean(type(value).__name__, 40)}"
