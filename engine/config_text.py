"""Settings as text: the file that `config init` writes, the list that `config show` prints."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from engine.config import Loaded
from engine.redaction import MASK, REDACT
from engine.settings import Settings, TraderSettings, is_secret_name

_HEAD: Final = """\
# SignalDeck's settings. Every key stands here with its default; what you delete keeps it.
# Environment variables win: SIGNALDECK_SECTION__KEY, such as SIGNALDECK_ENGINE__DRAIN_S=5, and those of the limits
# (MIN_CONFIDENCE_THRESHOLD, STOP_LOSS_PERCENTAGE in percent, ...). `signaldeck config check` reads this file and says
# what is wrong with it; `signaldeck config show` says what is in force, and why.
"""
_REAL_TRADER: Final = """\
# A trader with real money. Its credentials are never in this file: these name environment variables. Instead of them,
# key_file = "kraken.key" names a file of mode 0600 with lines such as api_key = "...", secret = "...", and keyring = true
# takes the entries trader_kraken/api_key and trader_kraken/secret that `keyring set signaldeck ...` made.
# Give the key the right to trade and nothing else, never to withdraw, and bind it to this machine's address.
# [[traders]]
# name = "trader_kraken"
# exchange = "kraken"
# strategies = ["momentum_scalping"]
# api_key_env = "KRAKEN_KEY"
# secret_env = "KRAKEN_SECRET"
# sandbox = false
# [traders.ccxt]   # handed to ccxt as it is
# timeout = 8000
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting as it is in force. `value` is text, masked if it is a credential; `source` is where it was set."""

    key: str
    value: str
    source: str


def template() -> str:
    """Return a commented TOML file of all defaults; read back, it gives the default settings."""
    settings = Settings()
    parts = [_HEAD]
    for name, field in Settings.model_fields.items():
        section = getattr(settings, name)
        if isinstance(section, BaseModel):
            parts.append("\n".join(_section(section, name, field.annotation)))
        elif name == "strategies":
            parts.append("\n".join(_strategies(section)))
    parts += ["\n".join(_trader(trader)) for trader in settings.traders]
    return "\n\n".join(parts) + "\n\n" + _REAL_TRADER


def _section(section: BaseModel, name: str, kind: Any) -> Iterator[str]:
    yield from _comment(kind)
    yield f"[{name}]"
    tables = []
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if isinstance(value, BaseModel):
            tables.append((key, value))
            continue
        note = f"  # {field.description}" if field.description else ""
        if value is None:
            yield f"# {key} = {note or '  # not set'}"
        elif isinstance(value, Mapping) and not value:
            yield f"# [{name}.{key}]"
        else:
            yield f"{key} = {_toml(value)}{note}"
    for key, value in tables:
        yield ""
        yield from _section(value, f"{name}.{key}", type(value))


def _strategies(strategies: Mapping[str, Any]) -> Iterator[str]:
    yield "# The strategies that vote. weight and trader are taken from the strategy and from the traders if left out."
    for name in strategies:
        yield f"[strategies.{name}]"
        yield "enabled = true"
        yield "# weight = 0.4"
        yield f"# [strategies.{name}.parameters]"


def _trader(trader: TraderSettings) -> Iterator[str]:
    yield "[[traders]]"
    yield f"name = {_toml(trader.name)}"
    yield f"exchange = {_toml(trader.exchange)}"
    yield f"strategies = {_toml(trader.strategies)}"


def _comment(kind: Any) -> Iterator[str]:
    said = " ".join((kind.__doc__ or "").replace("`", "").split())
    yield from (f"# {line}" for line in textwrap.wrap(said, 116))


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | Path | Enum):
        return json.dumps(value.value if isinstance(value, Enum) else str(value), ensure_ascii=False)
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, tuple | list | frozenset):
        items = sorted(value) if isinstance(value, frozenset) else value
        return "[" + ", ".join(_toml(item) for item in items) + "]"
    raise TypeError(f"{type(value).__name__} is no setting")


def shown(loaded: Loaded) -> list[Shown]:
    """Return every setting that is in force, in the order of the sections, credentials masked."""
    return [
        Shown(key, value, _source(key, loaded.sources))
        for key, value in _flat("", loaded.settings.model_dump(mode="json"))
    ]


def trader_shown(trader: TraderSettings) -> tuple[tuple[str, str], ...]:
    """Return what was set for a trader as (key, text), credentials masked; what is left at its default is left out."""
    return tuple(_flat("", trader.model_dump(mode="json", exclude_defaults=True)))


def _source(key: str, sources: Mapping[str, str]) -> str:
    while key:
        if key in sources:
            return sources[key]
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    return "default"


def _flat(key: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(f"{key}.{name}" if key else str(name), inner)
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for n, inner in enumerate(value):
            yield from _flat(f"{key}[{n}]", inner)
    elif is_secret_name(key.rpartition(".")[2]):
        yield key, MASK
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield key, REDACT.line(text, 300)
