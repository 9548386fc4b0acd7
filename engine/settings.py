"""Everything that can be set: the sections, composed of the settings that lie beside the things they set."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from engine.core.alerts import AlertSettings
from engine.core.backoff import RetryPolicy
from engine.core.breaker import BreakerSettings
from engine.core.health import HealthSettings
from engine.core.inbox import InboxSettings
from engine.core.risk import Limits
from engine.core.text import clean
from engine.core.values import Mode, is_symbol
from engine.exchanges.paper.settings import PaperSettings
from engine.exchanges.paper.weather import WeatherSettings
from engine.log import LogSettings
from engine.market.settings import CandleSettings, FeedSettings, ReplaySettings, SyntheticSettings
from engine.venues.table import check_table

NAME_FORM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
VARIABLE_FORM: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")  # shorter than the keys that are pasted by mistake
PAPER: Final = "paper"
_SECRET_WORDS: Final = ("secret", "password", "passphrase", "apikey", "api_key", "privatekey", "token", "walletaddress")

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class Section(BaseModel):
    """Base of every section: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EngineSettings(Section):
    """The engine's own rhythm, in seconds. `on_hangup`: a closed terminal ends the engine after it has drained, or leaves
    it running without a screen. `signal_ttl_s` is a signal's life where its producer states none; `cooldown_s` the pause
    after a signal ended before the same one is made again.
    """

    generate_every_s: Seconds = 10.0
    sweep_every_s: Seconds = 30.0
    drain_s: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 10.0
    on_hangup: Literal["exit", "detach"] = "exit"
    signal_ttl_s: Seconds = 120.0
    cooldown_s: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = 30.0
    reconcile_every_s: Seconds = 300.0
    in_flight_max: Annotated[int, Field(ge=1, le=1_000)] = 16  # orders under way at once, per trader


class MarketSettings(Section):
    """Where prices come from. With source "ccxt" `feeds` are the exchanges that are read. `exchange` (a ccxt id; left out, it
    is that of the first trader who has one) and `symbols` are the short form of a single feed.
    """

    source: Literal["synthetic", "replay", "ccxt"] = "synthetic"
    exchange: str = ""
    symbols: tuple[str, ...] = ()
    feeds: tuple[FeedSettings, ...] = ()
    candles: CandleSettings = CandleSettings()
    synthetic: SyntheticSettings = SyntheticSettings()
    replay: ReplaySettings = ReplaySettings()

    @field_validator("symbols")
    @classmethod
    def _are_symbols(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        for symbol in symbols:
            if not is_symbol(symbol):
                raise ValueError(f"{symbol!r} is not a symbol; write it like BTC/USDT")
        return symbols

    @field_validator("feeds")
    @classmethod
    def _hold_no_secret(cls, feeds: tuple[FeedSettings, ...]) -> tuple[FeedSettings, ...]:
        for feed in feeds:
            if found := next((key for key in _keys(feed.ccxt) if is_secret_name(key)), None):
                raise ValueError(f"{found!r} of {feed.exchange} does not belong here: prices are read without keys")
        return feeds


class StrategySettings(Section):
    """One strategy. `weight` None takes its own; `trader` is who gets its signals first, empty: who lists it."""

    enabled: bool = True
    weight: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] | None = None
    trader: str = ""
    parameters: Mapping[str, Any] = Field(default_factory=dict)


class StoreSettings(Section):
    """Where the store lies (left out: the user's data folder; a relative path counts from this file), and how many days
    ended signals, journal entries, per-minute figures, keys of old signals and candles are kept.
    """

    path: Path | None = None
    signals_days: Annotated[int, Field(ge=1, le=36_500)] = 90
    events_days: Annotated[int, Field(ge=1, le=36_500)] = 30
    minutes_days: Annotated[int, Field(ge=1, le=36_500)] = 7
    keys_days: Annotated[int, Field(ge=1, le=36_500)] = 400
    candles_days: Annotated[int, Field(ge=1, le=36_500)] = 7


class DashboardSettings(Section):
    """The screen: its palette, how often it looks for changes, in seconds (0: by the kind of terminal), for which alerts the
    terminal's bell rings ("never", "critical", "all"), how many passing messages about alerts there are a minute (0: none),
    into how many columns its panels may go where there is room (1: one big panel and a line or two of each other one), and
    keys of your own: "queue.retry" = "ctrl+g" for one action, "*.retry" = "ctrl+g" for it on all screens.
    """

    theme: Annotated[str, Field(min_length=1, max_length=64)] = "calm-dark"
    refresh_s: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 0.0
    bell: Literal["never", "critical", "all"] = "critical"
    toasts_per_minute: Annotated[int, Field(ge=0, le=60)] = 6
    columns_max: Annotated[int, Field(ge=1, le=3)] = 3
    keys: Annotated[Mapping[str, Annotated[str, Field(max_length=40)]], Field(max_length=200)] = Field(
        default_factory=dict
    )

    @field_validator("keys", mode="before")
    @classmethod
    def _name_actions_in_quotes(cls, keys: Any) -> Any:
        entries = keys.items() if isinstance(keys, dict) else ()
        cut = next(((name, inner) for name, inner in entries if isinstance(inner, dict)), None)
        if cut is not None:  # a dot outside of quotes has made a table of it
            whole = ".".join((cut[0], *list(cut[1])[:1]))
            raise ValueError(f'write the whole action in quotes, such as "{clean(whole, 60)}"')
        return keys


class TraderSettings(Section):
    """One account. `exchange` is "paper" or a ccxt id. `strategies` lists those whose signals it gets first.

    Credentials are never written here, and lie in one place: `api_key_env`, `secret_env` and `password_env` name
    environment variables; or `key_file` is a TOML file of mode 0600 (a relative path counts from this file); or `keyring`
    takes them from the system's keyring. `ccxt` is handed to the ccxt class as it is.
    """

    name: str
    exchange: str = PAPER
    enabled: bool = True
    strategies: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()  # empty: whatever the venue trades
    api_key_env: str = ""
    secret_env: str = ""
    password_env: str = ""
    key_file: Path | None = None
    keyring: bool = False
    sandbox: bool = False
    paper: PaperSettings = PaperSettings()
    weather: WeatherSettings = WeatherSettings()
    ccxt: Mapping[str, Any] = Field(default_factory=dict)

    @property
    def is_paper(self) -> bool:
        return self.exchange == PAPER

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if not NAME_FORM.fullmatch(name):
            raise ValueError("a name has up to 64 letters, digits, '_', '-' and '.'")
        return name

    @field_validator("api_key_env", "secret_env", "password_env")
    @classmethod
    def _is_a_variable(cls, name: str) -> str:
        if name and not VARIABLE_FORM.fullmatch(name):
            raise ValueError("is the name of an environment variable, not the key itself: such as KRAKEN_KEY")
        return name

    @field_validator("ccxt")
    @classmethod
    def _holds_no_secret(cls, table: Mapping[str, Any]) -> Mapping[str, Any]:
        if found := next((key for key in _keys(table) if is_secret_name(key)), None):
            raise ValueError(
                f"{found!r} does not belong in a file; name its environment variable in api_key_env, secret_env or password_env"
            )
        check_table(table)
        return table

    @model_validator(mode="after")
    def _has_credentials(self) -> Self:
        has_variables = bool(self.api_key_env and self.secret_env)
        places = {
            "api_key_env and secret_env": has_variables,
            "key_file": self.key_file is not None,
            "keyring = true": self.keyring,
        }
        named = [name for name, is_named in places.items() if is_named]
        if len(named) > 1:
            raise ValueError(f"the credentials lie in one place; keep one of: {', '.join(named)}")
        if not (self.is_paper or named):
            raise ValueError(f"{self.exchange!r} needs api_key_env and secret_env, or key_file, or keyring = true")
        return self


_USUAL_TRADERS: Final = (
    TraderSettings(name="trader_fastscalping", strategies=("fast_scalping",)),
    TraderSettings(name="trader_momentum", strategies=("momentum_scalping",)),
    TraderSettings(name="trader_conservative", strategies=("conservative_scalping",)),
)
_USUAL_STRATEGIES: Final = {
    name: StrategySettings() for name in ("fast_scalping", "momentum_scalping", "conservative_scalping")
}


class Settings(Section):
    """All sections. What a file leaves out keeps its default."""

    engine: EngineSettings = EngineSettings()
    market: MarketSettings = MarketSettings()
    strategies: Mapping[str, StrategySettings] = Field(default_factory=lambda: dict(_USUAL_STRATEGIES))
    limits: Limits = Limits()
    retry: RetryPolicy = RetryPolicy()
    breaker: BreakerSettings = BreakerSettings()
    health: HealthSettings = HealthSettings()
    alerts: AlertSettings = AlertSettings()
    inbox: InboxSettings = InboxSettings()
    store: StoreSettings = StoreSettings()
    log: LogSettings = LogSettings()
    dashboard: DashboardSettings = DashboardSettings()
    traders: tuple[TraderSettings, ...] = _USUAL_TRADERS

    @property
    def mode(self) -> Mode:
        """Return what the prices and the money are. Sandbox money is paper."""
        if self.market.source == "synthetic":
            return Mode.DEMO
        if self.market.source == "replay":
            return Mode.REPLAY
        real = any(not t.is_paper and not t.sandbox for t in self.traders if t.enabled)
        return Mode.LIVE if real else Mode.PAPER

    @property
    def feeds(self) -> tuple[FeedSettings, ...]:
        """Return the exchanges whose prices are read. Raises ValueError if two of them clash or nothing is named."""
        market = self.market
        feeds = list(market.feeds)
        if market.symbols or not feeds:
            exchange = market.exchange or next((t.exchange for t in self.traders if t.enabled and not t.is_paper), "")
            if not exchange:
                raise ValueError('market.exchange: name whose prices are read, such as "kraken"')
            if not market.symbols:
                raise ValueError('market.symbols: name what to watch, such as ["BTC/USDT"]')
            feeds.insert(0, FeedSettings(exchange=exchange, symbols=market.symbols))
        bringers: dict[str, str] = {}
        for feed in feeds:
            if feed.exchange in bringers.values():
                raise ValueError(f"market.feeds: {feed.exchange!r} has two feeds; write all its symbols in one")
            for symbol in feed.symbols:
                if symbol in bringers:
                    raise ValueError(
                        f"market.feeds: {symbol} comes from {bringers[symbol]} and from {feed.exchange}; leave it in one"
                    )
            bringers |= dict.fromkeys(feed.symbols, feed.exchange)
        return tuple(feeds)

    @property
    def preferred_traders(self) -> Mapping[str, str]:
        """Return, by strategy, the trader that gets its signals first; strategies without one are left out."""
        preferred = {}
        for name, strategy in self.strategies.items():
            lister = next((t.name for t in self.traders if t.enabled and name in t.strategies), "")
            if strategy.trader or lister:
                preferred[name] = strategy.trader or lister
        return preferred

    @model_validator(mode="before")
    @classmethod
    def _keep_usual_strategies(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or not isinstance(raw.get("strategies"), dict):
            return raw
        return {**raw, "strategies": {**{name: {} for name in _USUAL_STRATEGIES}, **raw["strategies"]}}

    @field_validator("traders")
    @classmethod
    def _have_their_own_names(cls, traders: tuple[TraderSettings, ...]) -> tuple[TraderSettings, ...]:
        if not any(t.enabled for t in traders):
            raise ValueError("no trader is enabled; nothing could be traded")
        names = [t.name for t in traders]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two traders are called {name!r}; give each its own name")
        return traders

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = {t.name for t in self.traders}
        for strategy, chosen in self.strategies.items():
            if chosen.trader and chosen.trader not in names:
                raise ValueError(f"strategies.{strategy}.trader: no trader is called {chosen.trader!r}")
        if self.inbox.mapping.source in self.strategies:
            raise ValueError(f"inbox.mapping.source: {self.inbox.mapping.source!r} is a strategy's; give another name")
        real = next((t.name for t in self.traders if t.enabled and not t.is_paper), None)
        if real and self.market.source != "ccxt":
            raise ValueError(
                f"trader {real!r} would send real orders at {self.market.source} prices; "
                'use paper traders, or market.source = "ccxt"'
            )
        if self.market.source == "ccxt":
            _ = self.feeds  # raises what is wrong with them
        return self


def _keys(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        yield key
        if isinstance(value, Mapping):
            yield from _keys(value)


def is_secret_name(key: str) -> bool:
    """Say whether a key's name says that its value is a credential."""
    flat = key.lower().replace("-", "_")
    return not flat.endswith(("_env", "_file", "_in_path")) and any(
        word in flat or word in flat.replace("_", "") for word in _SECRET_WORDS
    )


def demo_tables() -> dict[str, Any]:
    """Return the settings of a start without configuration, as a file would state them.

    Limits wide enough to keep moving, and paper venues with weather: the first minute shows retries, a breaker that
    opens, an alert, an error to look into. The breaker looks at few calls, so that an outage trips it before the health
    checks take the trader out; one trader may sell short, so that signals of both sides become orders.
    """
    weather = {
        "latency_s": 0.15,
        "latency_spread": 0.4,
        "refusal_rate": 0.03,
        "lost_before_rate": 0.02,
        "lost_after_rate": 0.02,
    }
    stormy = {**weather, "outages": [{"after_s": 25.0, "for_s": 25.0, "every_s": 240.0}]}
    symbols = [f"{base}/USDT" for base in ["BTC", "ETH", "SOL", "XRP", "ADA", "LTC", "DOGE", "LINK", "DOT", "AVAX"]]
    return {
        "engine": {"generate_every_s": 2.0, "sweep_every_s": 2.0, "cooldown_s": 5.0, "signal_ttl_s": 60.0},
        "market": {
            "source": "synthetic",
            "candles": {"interval_s": 2},
            "synthetic": {"symbols": symbols, "seed": 20260101},
        },
        "limits": {
            "confidence_min": 0.6,
            "positions_per_symbol_max": 3,
            "positions_max": 40,
            "trades_per_hour_max": 5_000,
            "trades_per_day_max": 50_000,
            "stop_loss": "0.01",
            "take_profit": "0.01",
        },
        "breaker": {"window_calls": 6, "window_s": 15.0, "calls_min": 3, "open_s": 15.0, "open_s_max": 60.0},
        "health": {"time_every_s": 10.0, "private_every_s": 30.0, "timeout_s": 2.0, "down_after": 5, "dwell_s": 5.0},
        "traders": [
            {
                "name": "trader_fastscalping",
                "strategies": ["fast_scalping"],
                "weather": stormy,
                "paper": {"shorting": True},
            },
            {"name": "trader_momentum", "strategies": ["momentum_scalping"], "weather": weather},
            {"name": "trader_conservative", "strategies": ["conservative_scalping"], "weather": weather},
            {"name": "trader_spare", "weather": {"latency_s": 0.12}},
        ],
    }
