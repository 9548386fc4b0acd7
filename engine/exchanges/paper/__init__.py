"""The paper exchange: real prices, paper money, a durable ledger, and weather on request."""

from engine.exchanges.paper.kind import make_paper
from engine.exchanges.paper.ledger import PaperLedger
from engine.exchanges.paper.settings import PaperSettings
from engine.exchanges.paper.venue import PaperExchange
from engine.exchanges.paper.weather import Outage, Weather, WeatherSettings

__all__ = ["Outage", "PaperExchange", "PaperLedger", "PaperSettings", "Weather", "WeatherSettings", "make_paper"]
