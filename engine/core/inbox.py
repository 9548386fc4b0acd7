"""What can be set of the inbox, which takes signals from outside over HTTP."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from engine.core.errors import BadInput
from engine.core.intake import RESERVED_SOURCES
from engine.core.text import clean
from engine.core.values import Side, is_symbol

LOCALHOST: Final = "127.0.0.1"
_FIELD_PATH: Final = re.compile(r"[^\s.]{1,64}(\.[^\s.]{1,64}){0,7}")

# What a field of an alert may say, each a key of the mapping.
_SAYING: Final = ("symbol", "side", "quantity", "price", "confidence", "key", "note", "time", "token")

FieldPath = Annotated[str, Field(max_length=200)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
PerMinute = Annotated[int, Field(ge=1, le=1_000_000)]


class AlertMapping(BaseModel):
    """Which field of a chart's alert says what: a dotted path into the body, empty where none does. `price` makes a
    limit order, so none is read unless it is named. `token` is the field that carries the token, for services that cannot
    send headers. `source`, `ttl` (seconds) and `trader` are the same for every alert. `needs` may list "time" and "key": an
    alert without them is refused. `symbols` and `sides` translate a service's words, such as BTCUSDT = "BTC/USDT" and
    long = "buy".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: FieldPath = "ticker"
    side: FieldPath = "action"
    quantity: FieldPath = "contracts"
    price: FieldPath = ""
    confidence: FieldPath = ""
    key: FieldPath = "id"
    note: FieldPath = ""
    time: FieldPath = "time"
    token: FieldPath = ""
    source: str = "alert"
    ttl: Seconds | None = None
    trader: str = ""
    needs: tuple[Literal["time", "key"], ...] = ()
    symbols: Mapping[str, str] = Field(default_factory=dict)
    sides: Mapping[str, str] = Field(default_factory=dict)

    @property
    def paths(self) -> Mapping[str, str]:
        """Return, by what they say, the fields that an alert may have."""
        named = {name: str(getattr(self, name)) for name in _SAYING}
        return {name: path for name, path in named.items() if path}

    @field_validator("symbols")
    @classmethod
    def _are_symbols(cls, symbols: Mapping[str, str]) -> Mapping[str, str]:
        if wrong := next((symbol for symbol in symbols.values() if not is_symbol(symbol)), None):
            raise ValueError(f"{clean(wrong, 40)!r} is not a symbol; write it like BTC/USDT")
        return _folded(symbols)

    @field_validator("sides")
    @classmethod
    def _are_sides(cls, sides: Mapping[str, str]) -> Mapping[str, str]:
        if wrong := next((side for side in sides.values() if side not in set(Side)), None):
            raise ValueError(f"{clean(wrong, 40)!r} is no side; write buy or sell")
        return _folded(sides)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        from engine.core.request import parse_request  # the rules that each signal is held to

        if self.source in RESERVED_SOURCES:
            raise ValueError(f"inbox.mapping.source: {self.source!r} is the engine's own; give another name")
        for name in ("symbol", "side"):
            if name not in self.paths:
                raise ValueError(f"inbox.mapping.{name}: name the field that says it")
        for name, path in self.paths.items():
            if not _FIELD_PATH.fullmatch(path):
                raise ValueError(
                    f"inbox.mapping.{name}: no path of a field; write names with dots between, without blanks"
                )
        if self.token and self.token in {path for name, path in self.paths.items() if name != "token"}:
            raise ValueError(
                "inbox.mapping.token: the token would be kept as something else; give it a field of its own"
            )
        for name in self.needs:
            if name not in self.paths:
                raise ValueError(f"inbox.mapping.needs: no field says the {name}; name one under {name}")
        try:
            parse_request({"symbol": "BTC/USDT", "side": "buy", "source": self.source, "trader": self.trader or None})
        except BadInput as e:
            raise ValueError(f"inbox.mapping.{e}") from None
        return self


class InboxSettings(BaseModel):
    """Signals from outside, over HTTP: POST /signals and POST /alerts. Off unless enabled. port 0 takes a free one. Only a
    host that is this machine's own is taken, unless expose says that others are meant to come in: put TLS before it then.
    The token is never written here: token_env names its environment variable, or token_file a file of mode 0600.
    token_in_path takes it as the last part of the path too. keys_needed refuses signals without a key. body_s_max is how
    long a body may take, idle_s_max how long a connection may say or take nothing, both in seconds. Whoever asks without the
    token is answered strangers_per_min_max times a minute. An alert whose time lies further than replay_window_s seconds
    from now is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = False
    host: str = LOCALHOST
    port: Annotated[int, Field(ge=0, le=65_535)] = 8787
    expose: bool = False
    token_env: str = ""
    token_file: Path | None = None
    token_in_path: bool = False
    keys_needed: bool = False
    body_bytes_max: Annotated[int, Field(ge=1_024, le=2 * 1024 * 1024)] = 256 * 1024
    body_s_max: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)] = 10.0
    idle_s_max: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)] = 15.0
    connections_max: Annotated[int, Field(ge=1, le=1_024)] = 64
    client_requests_per_min_max: PerMinute = 120
    requests_per_min_max: PerMinute = 600
    strangers_per_min_max: PerMinute = 10
    replay_window_s: Seconds = 300.0
    mapping: AlertMapping = AlertMapping()

    @property
    def is_loopback(self) -> bool:
        """Say whether nobody but this machine can reach the host."""
        return ipaddress.ip_address(self.host).is_loopback

    @field_validator("host")
    @classmethod
    def _is_an_address(cls, host: str) -> str:
        if host == "localhost":
            return LOCALHOST
        try:
            return str(ipaddress.ip_address(host))
        except ValueError:
            raise ValueError(f"{clean(host, 60)!r} is no address; write it like 127.0.0.1 or ::1") from None

    @model_validator(mode="after")
    def _is_guarded(self) -> Self:
        if self.token_env and self.token_file:
            raise ValueError("inbox.token_env: there is a token_file too; keep one of them")
        if not self.enabled:
            return self
        if not self.token_env and not self.token_file:
            raise ValueError(
                "inbox.token_env: an inbox needs a token; name the environment variable that holds it, or a token_file"
            )
        if not self.is_loopback and not self.expose:
            raise ValueError(
                f"inbox.host: {self.host} lets other machines in; if that is meant, set inbox.expose = true"
            )
        return self


def _folded(words: Mapping[str, str]) -> Mapping[str, str]:
    # The names of environment variables are lowered on their way here, so case cannot tell two words apart.
    return {word.strip().lower(): meaning for word, meaning in words.items()}
