"""From files, environment and command line to settings; and what is wrong with them, in words that mend it.

Order of precedence: command line, environment, file, default. Without a file the program is a demo.
"""

from __future__ import annotations

import difflib
import math
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from engine.core.errors import ConfigError
from engine.core.text import clean
from engine.core.values import Mode
from engine.places import beside, find_config, read_toml
from engine.redaction import REDACT
from engine.settings import Settings, demo_tables, is_secret_name
from engine.toml_lines import KeyPath, line_of, lines_of
from engine.variables import PERCENT_VARIABLES, PLAIN_VARIABLES, PREFIX
from engine.venues.table import known_venue

ERRORS_SHOWN_MAX: Final = 10
COMMAND_LINE: Final = "the command line"  # as the source of a value
TOKEN_VARIABLE: Final = f"{PREFIX}INBOX__TOKEN_ENV"  # names the variable of the inbox's token, as the file may
KEY_FORM: Final = re.compile(r"[a-z_]+(\.[A-Za-z0-9_-]+)+")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and by dotted key where each value that is not a default came from. `path` None: no file."""

    settings: Settings
    sources: Mapping[str, str]
    mode: Mode
    path: Path | None


def demo_settings() -> Settings:
    """Return the settings of a start without configuration."""
    return Settings.model_validate(demo_tables())


def load(path: Path | None, env: Mapping[str, str], overrides: Mapping[str, object] | None = None) -> Loaded:
    """Return the settings in force. `overrides` maps dotted keys to values from the command line.

    Credentials in the environment are not read, but hidden from here on. Raises ConfigError with one line per fault, each
    naming file and line, variable or option, the key, and the fix.
    """
    return gather(path, env, overrides).loaded(env)


def gather(path: Path | None, env: Mapping[str, str], overrides: Mapping[str, object] | None = None) -> Gathered:
    """Return what `load` makes settings of, unchecked. Raises ConfigError for what cannot even be read."""
    found = find_config(path, env)
    overrides = overrides or {}
    gathered = Gathered(found)
    if found is not None:
        gathered.add_file(found)
    elif overrides.get("market.source") != "replay":
        gathered.tables = demo_tables()
    gathered.add_environment(env)
    for key, value in overrides.items():
        gathered.set(tuple(key.split(".")), value, COMMAND_LINE)
    return gathered


class Gathered:
    """Values on their way to being settings, and where each came from."""

    def __init__(self, path: Path | None) -> None:
        self.tables: dict[str, Any] = {}
        self.sources: dict[str, str] = {}
        self.path = path
        self._lines: Mapping[KeyPath, int] = {}

    def add_file(self, path: Path) -> None:
        self.tables, text = read_toml(path)
        self._lines = lines_of(text)
        for key, value in _leaves(self.tables):
            if isinstance(value, float) and not math.isfinite(value):
                raise ConfigError(f"{self.place(key)}: {dotted(key)}: {value} is not a number; write a finite one")
            line = line_of(self._lines, key)
            self.sources[dotted(key)] = f"{path}:{line}" if line else str(path)
        market, traders = self.tables.get("market", {}), self.tables.get("traders", ())
        real = isinstance(traders, list) and any(
            isinstance(t, dict) and t.get("exchange", "paper") != "paper" for t in traders
        )
        if real and isinstance(market, dict) and "source" not in market:
            self.tables["market"] = {"source": "ccxt", **market}  # real orders need real prices
        listed = traders if isinstance(traders, list) else ()
        inside = [(self.tables.get("store"), "path"), (self.tables.get("inbox"), "token_file")]
        for table, name in (*inside, *((trader, "key_file") for trader in listed)):
            if isinstance(table, dict) and isinstance(table.get(name), str) and table[name]:
                table[name] = beside(path, table[name])

    def add_environment(self, env: Mapping[str, str]) -> None:
        for name, key in PLAIN_VARIABLES.items():
            if name in env:
                self.set(("limits", key), env[name].strip(), f"environment variable {name}")
        for name, (key, least, usual) in PERCENT_VARIABLES.items():
            if name in env:
                self.set(("limits", key), _fraction(name, env[name], least, usual), f"environment variable {name}")
        credentials = self._credentials(env)
        for name, value in env.items():
            parts = tuple(name.removeprefix(PREFIX).lower().split("__"))
            if name.startswith(PREFIX) and len(parts) > 1 and name not in credentials:
                self.set(parts, _listed(parts, value), f"environment variable {name}")

    def _credentials(self, env: Mapping[str, str]) -> set[str]:
        """Return the variables that hold credentials, whatever they are called: they are no settings."""
        traders, inbox = self.tables.get("traders", ()), self.tables.get("inbox")
        listed = [t for t in traders if isinstance(t, dict)] if isinstance(traders, list) else []
        named = [value for t in listed for key, value in t.items() if key.endswith("_env")]
        if isinstance(inbox, dict):
            named.append(inbox.get("token_env"))
        return {name for name in named if isinstance(name, str)} | {env.get(TOKEN_VARIABLE, "")}

    def set(self, path: tuple[str, ...], value: object, source: str) -> None:
        """Put a value at a path, making the tables on the way."""
        table = self.tables
        for depth, part in enumerate(path[:-1]):
            inner = table.get(part, {})
            if not isinstance(inner, dict):
                known = f"{dotted(path[: depth + 1])} is no table"
                raise ConfigError(
                    f"{source}: {dotted(path)}: {known}; only tables of single values can be set from outside"
                )
            table[part] = dict(inner)
            table = table[part]
        table[path[-1]] = value
        self.sources[dotted(path)] = source

    def loaded(self, env: Mapping[str, str]) -> Loaded:
        """Return the settings. Credentials in `env` are hidden from here on. Raises ConfigError, a line per fault."""
        settings = self._validate()
        for trader in settings.traders:
            named = (trader.api_key_env, trader.secret_env, trader.password_env)
            REDACT.learn(*(env[name].strip() for name in named if name in env))
        wrong = _wrong_venues(settings, self)
        if self.path is not None or settings.strategies != Settings().strategies:  # the usual ones need no proof
            wrong += _wrong_strategies(settings, self)
        if wrong:
            raise _refusal(wrong)
        return Loaded(settings, self.sources, settings.mode, self.path)

    def _validate(self) -> Settings:
        try:
            return Settings.model_validate(self.tables)
        except ValidationError as e:
            faults = e.errors(include_url=False, include_context=False)
        misspelt = _unknown_strategies(faults)
        said = [_no_strategy(self, ("strategies", name), name) for name in misspelt]
        said += [self._describe(dict(fault)) for fault in faults if not _is_below(fault["loc"], misspelt)]
        raise _refusal(said) from None

    def _describe(self, fault: dict[str, Any]) -> str:
        path: KeyPath = tuple(fault["loc"])
        what = REDACT.line(str(fault["msg"]).removeprefix("Value error, "), 300)
        key, _, rest = what.partition(": ")
        if rest and KEY_FORM.fullmatch(key) and key.startswith(dotted(path)):  # a rule over several keys names its own
            path, what = tuple(key.split(".")), rest
        head = f"{self.place(path)}: {dotted(path) or 'settings'}"
        if fault["type"] == "extra_forbidden":
            return f"{head}: unknown key; {_nearest(path)}"
        if fault["type"] == "missing":
            return f"{head}: is needed and not there; add it"
        given = fault.get("input")
        is_shown = fault["type"] != "value_error" and not isinstance(given, dict | list | BaseModel)
        got = f", got {_shown(path, given)}" if is_shown else ""
        return f"{head}: {what[:1].lower()}{what[1:]}{got}{_default_hint(path)}"

    def place(self, path: KeyPath) -> str:
        """Return where a key was set: a variable, the command line, or file and line."""
        for length in range(len(path), 0, -1):
            source = self.sources.get(dotted(path[:length]))
            if source is not None:
                return source
        if path and path not in self._lines:  # a table that no file has: whatever is in it came from elsewhere
            inside = (source for key, source in self.sources.items() if key.startswith(f"{dotted(path)}."))
            if (source := next(inside, None)) is not None:
                return source
        if self.path is None:
            return "settings"
        line = line_of(self._lines, path)
        return f"{self.path}:{line}" if line else str(self.path)


def _refusal(wrong: Sequence[str]) -> ConfigError:
    more = len(wrong) - ERRORS_SHOWN_MAX
    return ConfigError("\n".join([*wrong[:ERRORS_SHOWN_MAX], *([f"and {more} more"] if more > 0 else [])]))


def dotted(path: KeyPath) -> str:
    """Return a key as people write it: traders[0].paper.fee."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).removeprefix(".")


def _leaves(tables: Mapping[str, Any], at: KeyPath = ()) -> list[tuple[KeyPath, Any]]:
    found: list[tuple[KeyPath, Any]] = []
    for key, value in tables.items():
        path = (*at, key)
        if isinstance(value, Mapping):
            found += _leaves(value, path)
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            for n, item in enumerate(value):
                found += _leaves(item, (*path, n))
        else:
            found.append((path, value))
    return found


def _fraction(name: str, text: str, least: str, usual: str) -> str:
    """Return a percentage as a fraction: "5" becomes "0.05". Raises ConfigError."""
    rule = f"the value is in percent: write {usual} for {usual} %"
    try:
        percent = Decimal(text.strip().removesuffix("%").strip())
    except InvalidOperation:
        raise ConfigError(f"environment variable {name}: {clean(text, 40)!r} is not a number; {rule}") from None
    if not percent.is_finite() or percent < 0 or percent > 10_000:
        raise ConfigError(f"environment variable {name}: {clean(text, 40)} is out of range; {rule}")
    if 0 < percent < Decimal(least):
        raise ConfigError(f"environment variable {name}: {percent} would be {percent} %, too small to be meant; {rule}")
    return format(percent / 100, "f")


def _listed(path: tuple[str, ...], value: str) -> object:
    """Return a variable's text as the key's type wants it: lists are written with commas."""
    annotation = _annotation_at(path)
    if typing.get_origin(annotation) is tuple:
        return [part.strip() for part in value.split(",") if part.strip()]
    if value == "" and type(None) in typing.get_args(annotation):
        return None
    return value


def _annotation_at(path: KeyPath) -> Any:
    """Return the type of the setting at `path`, None if there is no such setting."""
    at: Any = Settings
    for part in path:
        at = _unwrapped(at)
        if isinstance(at, type) and issubclass(at, BaseModel):
            field = at.model_fields.get(str(part))
            if field is None:
                return None
            at = field.annotation
        elif typing.get_origin(at) in {tuple, list} and isinstance(part, int):
            at = typing.get_args(at)[0]
        elif typing.get_args(at):
            at = typing.get_args(at)[-1]
        else:
            return None
    return at


def _unwrapped(annotation: Any) -> Any:
    while typing.get_origin(annotation) in {typing.Annotated, typing.Union, types.UnionType}:
        annotation = next(a for a in typing.get_args(annotation) if a is not type(None))
    return annotation


def _nearest(path: KeyPath) -> str:
    parent = _unwrapped(_annotation_at(path[:-1])) if len(path) > 1 else Settings
    return _near(path[-1], parent.model_fields if isinstance(parent, type) and issubclass(parent, BaseModel) else ())


def _near(key: str | int, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(key), list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(sorted(known))}"


def _shown(path: KeyPath, value: object) -> str:
    return "***" if any(is_secret_name(str(part)) for part in path) else repr(clean(str(value), 60))


def _default_hint(path: KeyPath) -> str:
    parent = _unwrapped(_annotation_at(path[:-1])) if len(path) > 1 else None
    if not (isinstance(parent, type) and issubclass(parent, BaseModel)) or str(path[-1]) not in parent.model_fields:
        return ""
    field = parent.model_fields[str(path[-1])]
    if field.is_required() or field.default_factory or isinstance(field.default, BaseModel):
        return ""
    if field.default is None or field.default in ("", ()):  # nothing that could be written instead
        return ""
    return f"; the default is {field.default}"


def _wrong_venues(settings: Settings, gathered: Gathered) -> list[str]:
    """Return a sentence for each exchange that ccxt does not know; looks for its files, so that no start pays for ccxt."""
    market = settings.market
    named: list[tuple[KeyPath, str]] = [(("market", "exchange"), market.exchange)] if market.exchange else []
    named += [(("market", "feeds", n, "exchange"), feed.exchange) for n, feed in enumerate(market.feeds)]
    named += [(("traders", n, "exchange"), t.exchange) for n, t in enumerate(settings.traders) if not t.is_paper]
    wrong = []
    for path, venue in named:
        try:
            known_venue(venue, f"{gathered.place(path)}: {dotted(path)}")
        except ConfigError as e:
            wrong.append(str(e))
    return wrong


def _wrong_strategies(settings: Settings, gathered: Gathered) -> list[str]:
    """Return a sentence for each strategy that nobody knows, and for each wrong parameter of one that is known."""
    from engine.strategies.base import STRATEGIES  # loads the indicators, which reading a file alone does not need

    known = STRATEGIES.names()
    listed = [(("traders", n, "strategies"), s) for n, t in enumerate(settings.traders) for s in t.strategies]
    named: list[tuple[KeyPath, str]] = [*((("strategies", s), s) for s in settings.strategies), *listed]
    wrong = [_no_strategy(gathered, path, name) for path, name in named if name not in known]
    for name, strategy in settings.strategies.items():
        try:
            if name in known:
                STRATEGIES.get(name).Parameters.model_validate(strategy.parameters)
        except ValidationError as e:
            for fault in e.errors(include_url=False):
                path = ("strategies", name, "parameters", *fault["loc"])
                what = clean(fault["msg"], 200)
                if fault["type"] == "extra_forbidden":
                    what = f"unknown key; {_near(path[-1], STRATEGIES.get(name).Parameters.model_fields)}"
                wrong.append(f"{gathered.place(path)}: {dotted(path)}: {what}")
    return wrong


def _unknown_strategies(faults: Sequence[ErrorDetails]) -> list[str]:
    """Return the names of strategies that nobody knows, of those in whose tables there is a fault."""
    tables = [fault["loc"][1] for fault in faults if fault["loc"][0:1] == ("strategies",) and len(fault["loc"]) > 1]
    if not tables:
        return []
    from engine.strategies.base import STRATEGIES  # only where something is wrong already

    return [name for name in dict.fromkeys(map(str, tables)) if name not in STRATEGIES.names()]


def _is_below(loc: tuple[str | int, ...], strategies: Sequence[str]) -> bool:
    return loc[0:1] == ("strategies",) and len(loc) > 1 and loc[1] in strategies


def _no_strategy(gathered: Gathered, path: KeyPath, name: str) -> str:
    from engine.strategies.base import STRATEGIES

    known = STRATEGIES.names()
    close = difflib.get_close_matches(name, known, n=1)
    fix = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
    return f"{gathered.place(path)}: {dotted(path)}: no strategy is called {clean(name, 40)!r}; {fix}"
