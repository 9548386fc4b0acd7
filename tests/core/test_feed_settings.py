"""Where prices come from: one or several exchanges, each symbol from one of them, and what is wrong is named."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from engine.core.values import Mode
from engine.settings import Settings


def of(**market: Any) -> Settings:
    return Settings.model_validate({"market": {"source": "ccxt", **market}})


def test_the_short_form_is_one_feed_and_paper_traders_make_it_paper() -> None:
    settings = of(exchange="kraken", symbols=["BTC/USD"])
    assert [(feed.exchange, feed.symbols, feed.every_s) for feed in settings.feeds] == [("kraken", ("BTC/USD",), 2.0)]
    assert settings.mode is Mode.PAPER


def test_short_form_and_feeds_go_together() -> None:
    feeds = [{"exchange": "binance", "symbols": ["BTC/USDT"], "stale_after_s": 5}]
    settings = of(exchange="kraken", symbols=["BTC/USD"], feeds=feeds)
    assert [feed.exchange for feed in settings.feeds] == ["kraken", "binance"]
    assert settings.feeds[1].bounds.stale_after_s == 5.0


def test_left_out_the_exchange_is_that_of_the_first_trader_who_has_one() -> None:
    trader = {"name": "a", "exchange": "okx", "api_key_env": "K", "secret_env": "S"}
    tables = {"market": {"source": "ccxt", "symbols": ["BTC/USDT"]}, "traders": [{"name": "p"}, trader]}
    assert [feed.exchange for feed in Settings.model_validate(tables).feeds] == ["okx"]


@pytest.mark.parametrize(
    ("market", "words"),
    [
        ({}, "market.exchange: name whose prices are read"),
        ({"exchange": "kraken"}, "market.symbols: name what to watch"),
        ({"symbols": ["BTC/USD"]}, "market.exchange: name whose prices are read"),
        (
            {"feeds": [{"exchange": "okx", "symbols": ["A/B"]}, {"exchange": "kraken", "symbols": ["C/B", "A/B"]}]},
            "A/B comes from okx and from kraken; leave it in one",
        ),
        (
            {"feeds": [{"exchange": "okx", "symbols": ["A/B"]}, {"exchange": "okx", "symbols": ["C/B"]}]},
            "'okx' has two feeds; write all its symbols in one",
        ),
        ({"feeds": [{"exchange": "okx", "symbols": []}]}, "name at least one symbol"),
        ({"feeds": [{"exchange": "okx", "symbols": ["AB"]}]}, "'AB' is not a symbol"),
        ({"feeds": [{"exchange": "okx", "symbols": ["A/B", "A/B"]}]}, "'A/B' is named twice"),
        ({"feeds": [{"exchange": "okx", "symbols": ["A/B"], "ccxt": {"verify": False}}]}, "'verify' cannot be set"),
        ({"feeds": [{"exchange": "okx", "symbols": ["A/B"], "ccxt": {"secret": "x"}}]}, "prices are read without keys"),
        ({"feeds": [{"exchange": "okx", "symbols": ["A/B"], "every": 1}]}, "every"),
    ],
)
def test_what_is_wrong_with_the_feeds_is_named(market: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        of(**market)
    assert words in str(refused.value)
