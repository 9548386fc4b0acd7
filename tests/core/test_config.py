"""Settings: defaults, the predecessor's variables, precedence, and errors that mend."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import Loaded, demo_settings, load
from engine.config_text import shown, template, trader_shown
from engine.core.errors import ConfigError
from engine.core.values import Mode
from engine.places import CONFIG_BYTES_MAX, Named, default_db, find_db
from engine.settings import Settings, TraderSettings, is_secret_name
from engine.toml_lines import lines_of
from engine.variables import PERCENT_VARIABLES, PLAIN_VARIABLES

LIVE = """
[market]
symbols = ["BTC/USDT"]
[[traders]]
name = "real"
exchange = "kraken"
api_key_env = "K"
secret_env = "S"
"""


@pytest.fixture(autouse=True)
def _nobody_s_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home/share"))


def a_file(folder: Path, text: str) -> Path:
    path = folder / "deck.toml"
    path.write_text(text)
    return path


def refusal(path: Path | None, env: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, env or {})
    return str(caught.value)


def test_the_defaults_are_the_predecessor_s() -> None:
    s = Settings()
    limits = s.limits
    assert (s.engine.generate_every_s, s.engine.sweep_every_s, s.engine.signal_ttl_s) == (10, 30, 120)
    assert (s.market.candles.interval_s, s.market.candles.history, s.market.candles.minimum) == (10, 100, 5)
    assert (limits.confidence_min, limits.positions_per_symbol_max, limits.positions_max) == (0.7, 1, 5)
    assert (limits.trades_per_hour_max, limits.trades_per_day_max, limits.automated_trading) == (10, 50, True)
    assert (limits.stop_loss, limits.take_profit) == (Decimal("0.05"), Decimal("0.1"))
    assert (limits.portfolio_fraction_per_position, limits.slippage_max) == (Decimal("0.02"), Decimal("0.002"))
    assert (limits.quantity_min, limits.quantity_default) == (Decimal("0.0001"), Decimal("0.001"))
    assert s.engine.reconcile_every_s == 300


def test_each_usual_strategy_has_its_preferred_trader() -> None:
    assert Settings().preferred_traders == {
        "fast_scalping": "trader_fastscalping",
        "momentum_scalping": "trader_momentum",
        "conservative_scalping": "trader_conservative",
    }


def test_a_start_without_configuration_is_a_demo_with_weather_and_an_outage() -> None:
    loaded = load(None, {})
    assert loaded.mode is Mode.DEMO
    assert loaded.path is None
    assert loaded.settings == demo_settings()
    assert all(t.is_paper for t in loaded.settings.traders)
    assert len(loaded.settings.traders) >= 4
    assert [t.name for t in loaded.settings.traders if t.weather.outages] == ["trader_fastscalping"]
    assert loaded.settings.limits.positions_max > Settings().limits.positions_max


def test_a_replay_without_configuration_keeps_the_predecessor_s_limits(tmp_path: Path) -> None:
    loaded = load(None, {}, {"market.source": "replay", "market.replay.paths": [tmp_path]})
    assert loaded.mode is Mode.REPLAY
    assert loaded.settings.limits == Settings().limits
    assert not any(t.weather.refusal_rate for t in loaded.settings.traders)


def test_the_predecessor_s_variables_reach_the_limits() -> None:
    env = {
        "ENABLE_AUTOMATED_TRADING": "false",
        "MIN_CONFIDENCE_THRESHOLD": "0.8",
        "MAX_POSITIONS_PER_SYMBOL": "2",
        "MAX_TOTAL_POSITIONS": "9",
        "DEFAULT_POSITION_SIZE": "0.05",
        "STOP_LOSS_PERCENTAGE": "5",
        "TAKE_PROFIT_PERCENTAGE": "12.5",
        "PORTFOLIO_PERCENTAGE_PER_POSITION": "2 %",
        "MAX_TRADES_PER_HOUR": "11",
        "MAX_TRADES_PER_DAY": "51",
        "MAX_SLIPPAGE_PERCENT": "0.2",
    }
    assert env.keys() == PLAIN_VARIABLES.keys() | PERCENT_VARIABLES.keys()
    limits = load(None, env).settings.limits
    assert limits.automated_trading is False
    assert (limits.confidence_min, limits.positions_per_symbol_max, limits.positions_max) == (0.8, 2, 9)
    assert limits.quantity_default == Decimal("0.05")
    assert (limits.stop_loss, limits.take_profit) == (Decimal("0.05"), Decimal("0.125"))
    assert (limits.portfolio_fraction_per_position, limits.slippage_max) == (Decimal("0.02"), Decimal("0.002"))
    assert (limits.trades_per_hour_max, limits.trades_per_day_max) == (11, 51)


@pytest.mark.parametrize("name", PERCENT_VARIABLES)
@pytest.mark.parametrize("value", ["0.0005", "-1", "nan", "Infinity", "five", "", "1e9"])
def test_a_percentage_that_cannot_be_meant_is_refused_with_the_rule(name: str, value: str) -> None:
    said = refusal(None, {name: value})
    assert name in said
    assert "in percent" in said


@given(percent=st.decimals(min_value="0.1", max_value="99", places=4))
def test_a_percentage_is_a_hundred_times_its_fraction(percent: Decimal) -> None:
    limits = load(None, {"STOP_LOSS_PERCENTAGE": str(percent)}).settings.limits
    assert limits.stop_loss * 100 == percent


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    path = a_file(tmp_path, "[limits]\nconfidence_min = 0.9\n[engine]\ndrain_s = 3\n[dashboard]\ntheme = 'a'\n")
    env = {"MIN_CONFIDENCE_THRESHOLD": "0.75", "SIGNALDECK_ENGINE__DRAIN_S": "4", "SIGNALDECK_DASHBOARD__THEME": "b"}
    loaded = load(path, env, {"dashboard.theme": "c"})
    assert loaded.settings.limits.confidence_min == 0.75
    assert loaded.settings.engine.drain_s == 4
    assert loaded.settings.dashboard.theme == "c"
    assert loaded.sources["limits.confidence_min"] == "environment variable MIN_CONFIDENCE_THRESHOLD"
    assert loaded.sources["dashboard.theme"] == "the command line"


def test_a_list_in_the_environment_is_written_with_commas() -> None:
    env = {"SIGNALDECK_MARKET__SYNTHETIC__SYMBOLS": "BTC/USDT, ETH/USDT"}
    assert load(None, env).settings.market.synthetic.symbols == ("BTC/USDT", "ETH/USDT")


def test_an_unknown_key_is_refused_with_file_line_and_the_nearest_name(tmp_path: Path) -> None:
    path = a_file(tmp_path, "# mine\n[limits]\npositions_max = 3\nconfidence_mim = 0.8\n")
    said = refusal(path)
    assert said.startswith(f"{path}:4: limits.confidence_mim: unknown key")
    assert "'confidence_min'" in said


def test_an_unknown_variable_is_refused_by_name() -> None:
    said = refusal(None, {"SIGNALDECK_ENGINE__DRIAN_S": "3"})
    assert "SIGNALDECK_ENGINE__DRIAN_S" in said
    assert "'drain_s'" in said


def test_a_wrong_type_and_a_bad_range_say_what_they_got_and_the_default(tmp_path: Path) -> None:
    path = a_file(tmp_path, "[limits]\nconfidence_min = 70\n\n[engine]\ndrain_s = 'soon'\n")
    first, second = refusal(path).splitlines()
    assert "deck.toml:5: engine.drain_s" in first
    assert "'soon'" in first
    assert "deck.toml:2: limits.confidence_min" in second
    assert "got '70'; the default is 0.7" in second


def test_a_fault_in_the_second_trader_names_its_own_line(tmp_path: Path) -> None:
    text = '[[traders]]\nname = "a"\n\n[[traders]]\nname = "b"\n[traders.weather]\nrefusal_rate = 7\n'
    said = refusal(a_file(tmp_path, text))
    assert "deck.toml:7: traders[1].weather.refusal_rate" in said


@pytest.mark.parametrize(
    ("text", "line"), [("[limits]\nx = \n", 2), ("[limits]\na = 1\na = 2\n", 3), ("\n\n[limits\n", 3), ("a = 'x", 1)]
)
def test_broken_toml_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    assert f"line {line}:" in refusal(a_file(tmp_path, text))


@pytest.mark.parametrize(
    "text",
    [
        "[limits]\nconfidence_min = nan",
        "[engine]\ndrain_s = inf",
        "[[traders]]\nname = 'a'\n[traders.ccxt]\nx = nan",
        "x = " + "[" * 5000,
        "x = " + "9" * 5000,
    ],
)
def test_numbers_without_end_and_bombs_are_refused(tmp_path: Path, text: str) -> None:
    assert "deck.toml" in refusal(a_file(tmp_path, text))


def test_a_file_too_large_is_refused_unread(tmp_path: Path) -> None:
    assert "at most" in refusal(a_file(tmp_path, "#" * (CONFIG_BYTES_MAX + 1)))


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    assert "config init" in refusal(tmp_path / "none.toml")
    assert "config init" in refusal(None, {"SIGNALDECK_CONFIG": str(tmp_path / "none.toml")})


def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    said = refusal(a_file(tmp_path, LIVE + '[traders.ccxt]\nsecret = "hunter2-hunter2"\n'))
    assert "api_key_env" in said
    assert "hunter2" not in said
    assert "api_key_env" in refusal(a_file(tmp_path, LIVE + '[traders.ccxt.options]\napiKey = "hunter2-hunter2"\n'))


def test_real_orders_need_credentials_real_prices_and_symbols(tmp_path: Path) -> None:
    assert load(a_file(tmp_path, LIVE), {}).mode is Mode.LIVE
    assert load(a_file(tmp_path, LIVE + "sandbox = true\n"), {}).mode is Mode.PAPER
    assert "secret_env" in refusal(a_file(tmp_path, LIVE.replace('secret_env = "S"', "")))
    assert "real orders at synthetic prices" in refusal(
        a_file(tmp_path, LIVE.replace("[market]", '[market]\nsource = "synthetic"'))
    )
    assert "market.symbols" in refusal(a_file(tmp_path, LIVE.replace('symbols = ["BTC/USDT"]', "")))
    with pytest.raises(ConfigError, match="real orders at replay prices"):
        load(a_file(tmp_path, LIVE), {}, {"market.source": "replay", "market.replay.paths": ["x"]})


def test_traders_need_names_of_their_own_and_strategies_that_exist(tmp_path: Path) -> None:
    twice = '[[traders]]\nname = "a"\n[[traders]]\nname = "a"\n'
    assert "two traders" in refusal(a_file(tmp_path, twice))
    assert "did you mean 'fast_scalping'" in refusal(
        a_file(tmp_path, '[[traders]]\nname="a"\nstrategies=["fast_scalpin"]\n')
    )
    assert "strategies.fast_scalping.trader" in refusal(
        a_file(tmp_path, '[strategies.fast_scalping]\ntrader = "nobody"\n')
    )


def test_a_strategy_s_parameters_are_checked(tmp_path: Path) -> None:
    said = refusal(a_file(tmp_path, "[strategies.fast_scalping.parameters]\nnonsense = 1\n"))
    assert "strategies.fast_scalping.parameters.nonsense" in said


def test_the_written_file_gives_the_defaults_back(tmp_path: Path) -> None:
    text = template()
    assert Settings.model_validate(tomllib.loads(text)) == Settings()
    assert load(a_file(tmp_path, text), {}).settings == Settings()


def test_what_is_shown_masks_secrets_and_names_sources(tmp_path: Path) -> None:
    path = a_file(tmp_path, LIVE + "[traders.ccxt]\nproxy = 'https://me:hunter2@proxy.example:80'\n")
    rows = {row.key: row for row in shown(load(path, {}))}
    assert "hunter2" not in rows["traders[0].ccxt.proxy"].value
    assert rows["traders[0].name"].source == f"{path}:5"
    assert rows["limits.stop_loss"].source == "default"
    unchecked = TraderSettings.model_construct(**{**dict(Settings().traders[0]), "ccxt": {"secret": "hunter2"}})
    forced = Settings.model_construct(**{**dict(Settings()), "traders": (unchecked,)})
    assert "hunter2" not in str(shown(Loaded(forced, {}, Mode.DEMO, None)))
    assert is_secret_name("walletAddress")
    assert not is_secret_name("secret_env")


def test_the_store_is_named_by_option_variable_file_or_default(tmp_path: Path) -> None:
    path = a_file(tmp_path, "[store]\npath = 'here.sqlite'\n")
    assert find_db(Named(path, tmp_path / "x"), {"SIGNALDECK_DB": "y"}) == tmp_path / "x"
    assert find_db(Named(path), {"SIGNALDECK_DB": "y"}) == Path("y")
    assert find_db(Named(path), {}) == tmp_path / "here.sqlite"
    assert load(path, {}).settings.store.path == tmp_path / "here.sqlite"
    assert find_db(Named(), {}) == default_db("demo")
    assert find_db(Named(a_file(tmp_path, "")), {}) == default_db()


def test_lines_are_found_past_multiline_texts_and_comments() -> None:
    text = 'a = 1\nb = """\n[not.a.table]\nc = 2\n"""\n[t] # note\n"q.r" = 3\nd.e = 4\n[[x]]\n[[x]]\n[x.y]\nz = 1\n'
    lines = lines_of(text)
    assert lines["a",] == 1
    assert lines["t", "q.r"] == 7
    assert lines["t", "d", "e"] == 8
    assert lines["x", 1, "y", "z"] == 12
    assert ("not", "a", "table") not in lines


@pytest.mark.parametrize("place", ["keyring = true", 'key_file = "real.key"'])
def test_credentials_may_lie_in_a_file_or_the_keyring_instead_and_only_in_one_place(tmp_path: Path, place: str) -> None:
    elsewhere = LIVE.replace('api_key_env = "K"\nsecret_env = "S"', place)
    assert load(a_file(tmp_path, elsewhere), {}).mode is Mode.LIVE
    assert "one place" in refusal(a_file(tmp_path, LIVE + place + "\n"))


def test_a_key_file_counts_from_the_configuration_s_folder(tmp_path: Path) -> None:
    text = LIVE.replace('api_key_env = "K"\nsecret_env = "S"', 'key_file = "keys/real.key"')
    assert load(a_file(tmp_path, text), {}).settings.traders[0].key_file == tmp_path / "keys/real.key"


def test_a_key_in_place_of_a_variable_s_name_is_refused_and_not_repeated(tmp_path: Path) -> None:
    for pasted in ("hunter2" * 10, "hunter2/hunter2=="):
        said = refusal(a_file(tmp_path, LIVE.replace('"K"', f'"{pasted}"')))
        assert "the name of an environment variable" in said
        assert "hunter2" not in said


@pytest.mark.parametrize(
    ("line", "key", "fix"),
    [
        ("verbose = true", "'verbose'", "it prints keys"),
        ("verify = false", "'verify'", "cafile"),
        ("[traders.ccxt.options]\nmaxRetriesOnFailure = 3", "options.maxRetriesOnFailure", "must be 0"),
        ("[traders.ccxt.urls]\napi = 'http://example.com'", "urls.api", "https://"),
    ],
)
def test_a_table_that_would_undo_a_promise_is_refused(tmp_path: Path, line: str, key: str, fix: str) -> None:
    said = refusal(a_file(tmp_path, f"{LIVE}[traders.ccxt]\n{line}\n"))
    assert "traders[0].ccxt" in said
    assert key in said
    assert fix in said


def test_a_credential_in_the_environment_is_hidden_as_soon_as_the_settings_name_it(tmp_path: Path) -> None:
    env = {"K": f"hunter-{tmp_path.name}", "S": "hunter-of-secrets"}
    proxied = LIVE + f"[traders.ccxt]\nhttpsProxy = 'https://proxy.example/{env['K']}'\n"
    shown_text = str(shown(load(a_file(tmp_path, proxied), env)))
    assert env["K"] not in shown_text
    assert "https://proxy.example/***" in shown_text


def test_what_was_set_for_a_trader_is_told_without_defaults_and_credentials(tmp_path: Path) -> None:
    loaded = load(
        a_file(tmp_path, LIVE + "[traders.ccxt]\ntimeout = 8000\n"), {"K": "key-key-key", "S": "hush-hush-hush"}
    )
    told = dict(trader_shown(loaded.settings.traders[0]))
    assert (told["name"], told["exchange"], told["ccxt.timeout"]) == ("real", "kraken", "8000")
    assert "in_flight" not in " ".join(told)
    assert "hush-hush-hush" not in repr(told)
    assert "key-key-key" not in repr(told)
