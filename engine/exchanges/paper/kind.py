"""How a paper account is made from the configuration."""

from __future__ import annotations

from engine.exchanges.base import EXCHANGES, Account, Surroundings
from engine.exchanges.paper.ledger import PaperLedger
from engine.exchanges.paper.settings import PaperSettings
from engine.exchanges.paper.venue import PaperExchange
from engine.exchanges.paper.weather import Weather, WeatherSettings

NAME = "paper"


@EXCHANGES.add(NAME)
def make_paper(account: Account, around: Surroundings) -> PaperExchange:
    """Make an account from its options `paper` and `weather` (None or left out: the defaults, a clear sky).

    All accounts of one engine share a ledger, `<database>.paper`.
    """
    settings = account.options.get("paper") or PaperSettings()
    weather = account.options.get("weather") or WeatherSettings()
    if not isinstance(settings, PaperSettings) or not isinstance(weather, WeatherSettings):
        raise TypeError(f"{account.trader}: the options `paper` and `weather` are their own models")
    path = around.db_path if around.db_path == ":memory:" else f"{around.db_path}.paper"
    ledger = around.shared.setdefault(NAME, PaperLedger(path, clock=around.clock, inline=around.inline))
    assert isinstance(ledger, PaperLedger), "nobody else keeps something under this name"
    return PaperExchange(
        account.trader,
        ledger=ledger,
        weather=Weather(account.trader, weather, clock=around.clock, chance=around.chance),
        settings=settings,
        clock=around.clock,
    )
