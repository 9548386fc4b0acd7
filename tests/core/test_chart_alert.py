"""A chart's alert becomes a signal: which field says what, how old it may be, and that it never becomes two."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.core.chart_alert import check_time, field_at, signal_from, time_of, without
from engine.core.errors import BadInput
from engine.core.inbox import AlertMapping
from engine.core.request import parse_request
from engine.core.text import clean
from tests.support.builders import NOW

ALERT: dict[str, object] = {
    "ticker": "BTCUSDT",
    "action": "buy",
    "contracts": "0.01",
    "price": "50000.5",
    "time": NOW.isoformat(),
    "id": "42",
}


def a_mapping(**given: Any) -> AlertMapping:
    return AlertMapping.model_validate({"symbols": {"BTCUSDT": "BTC/USDT"}, **given})


USUAL = a_mapping()


def read(
    alert: object, mapping: AlertMapping | None = None, now: datetime = NOW, window_s: float = 60
) -> dict[str, object]:
    return signal_from(alert, mapping or USUAL, now, window_s)


def refused(alert: object, mapping: AlertMapping | None = None, **given: Any) -> BadInput:
    with pytest.raises(BadInput) as caught:
        read(alert, mapping, **given)
    assert caught.value.problem
    return caught.value


def test_the_usual_alert_becomes_a_signal_without_any_setting_but_its_symbol() -> None:
    signal = read(ALERT)
    assert signal == {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.01", "key": "42", "source": "alert"}
    assert parse_request(signal).price is None, "the chart's price is no limit unless somebody says so"


def test_every_field_can_lie_elsewhere_and_deeper() -> None:
    mapping = a_mapping(
        symbol="order.pair", side="order.way", quantity="order.size", price="order.limit", confidence="score",
        key="uid", note="why", time="at.ms", source="desk", ttl=30, trader="north", sides={"Long": "buy"},
    )  # fmt: skip
    ms = int(NOW.timestamp() * 1000)
    order = {"pair": "btcusdt", "way": "LONG", "size": 2, "limit": "9.5"}
    signal = read({"order": order, "score": "0.8", "uid": 7, "why": "it rose", "at": {"ms": ms}}, mapping)
    request = parse_request(signal)
    assert (request.symbol, request.side, str(request.quantity), str(request.price)) == ("BTC/USDT", "buy", "2", "9.5")
    assert (request.confidence, request.key, request.note) == (0.8, "7", "it rose")
    assert (request.source, request.ttl, request.trader) == ("desk", 30, "north")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ticker": None}, "ticker"),
        ({"ticker": ""}, "ticker"),
        ({"ticker": "DOGEUSDT"}, "ticker"),
        ({"ticker": ["BTCUSDT"]}, "ticker"),
        ({"action": None}, "action"),
        ({"action": "close"}, "action"),
        ({"action": 1}, "action"),
        ({"id": ["x"]}, "id"),
        ({"id": True}, "id"),
        ({"time": "soon"}, "time"),
        ({"time": "2026-01-01T12:00:00"}, "time"),
        ({"time": "9" * 5000}, "time"),
        ({"time": True}, "time"),
        ({"time": {}}, "time"),
    ],
)
def test_what_an_alert_says_wrongly_is_refused_by_its_own_field(change: dict[str, object], field: str) -> None:
    assert refused({**ALERT, **change}).field == field


@pytest.mark.parametrize("alert", [None, 1, "buy", [], [ALERT]])
def test_an_alert_is_an_object(alert: object) -> None:
    assert refused(alert).field == "alert"


def test_an_alert_without_a_key_is_the_same_signal_whenever_and_however_it_is_sent_again() -> None:
    mapping = a_mapping(token="pass")
    bare = {name: value for name, value in ALERT.items() if name != "id"} | {"pass": "one"}
    first = read(bare, mapping)
    again = read({**dict(reversed(bare.items())), "pass": "another"}, mapping, NOW + timedelta(seconds=30))
    assert first["key"] == again["key"]
    assert parse_request(first).key == first["key"]
    later = read({**bare, "time": (NOW + timedelta(seconds=1)).isoformat()}, mapping)
    other = read({**bare, "contracts": "0.02"}, mapping)
    assert len({first["key"], later["key"], other["key"]}) == 3


def test_an_alert_with_neither_key_nor_time_could_be_any_other_and_is_refused() -> None:
    bare = {name: value for name, value in ALERT.items() if name not in ("id", "time")}
    assert refused(bare).field == "id or time"
    assert refused(bare, a_mapping(time="")).field == "id"
    assert refused(bare, a_mapping(key="", time="")).field == "key"


def test_what_the_configuration_demands_must_be_there() -> None:
    without_time = {name: value for name, value in ALERT.items() if name != "time"}
    assert read(without_time)["key"] == "42"
    assert refused(without_time, a_mapping(needs=["time"])).field == "time"
    without_key = {name: value for name, value in ALERT.items() if name != "id"}
    assert refused(without_key, a_mapping(needs=["key"])).field == "id"


@given(age_s=st.floats(-1e6, 1e6), window_s=st.floats(0.1, 1e5))
def test_a_time_passes_exactly_within_the_window(age_s: float, window_s: float) -> None:
    at = NOW - timedelta(seconds=age_s)
    try:
        check_time("time", at, NOW, window_s)
        passed = True
    except BadInput:
        passed = False
    assert passed == (abs((NOW - at).total_seconds()) <= window_s)


@given(st.integers(1_000_000_000, 4_000_000_000))
def test_a_time_is_the_same_in_every_form(seconds: int) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    texts: list[object] = [at.isoformat(), at.isoformat().replace("+00:00", "Z"), seconds, str(seconds), seconds * 1000]
    texts += [f"{seconds}.0", at.astimezone(tz=None).isoformat()]
    assert {time_of("time", text) for text in texts} == {at}


def test_a_field_named_with_dots_goes_before_a_deeper_one() -> None:
    body = {"a.b": 1, "a": {"b": 2, "c": 3}}
    assert (field_at(body, "a.b"), field_at(body, "a.c"), field_at(body, "a.b.c"), field_at(body, "x")) == (
        1,
        3,
        None,
        None,
    )
    assert without(body, "a.b") == {"a": {"b": 2, "c": 3}}
    assert without({"a": {"b": 2, "c": 3}}, "a.b") == {"a": {"c": 3}}
    assert without({"a": 1}, "a.b") == {"a": 1}


json_values: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*ALERT, "x", "nested"]) | st.text(max_size=5), json_values, max_size=6))
def test_whatever_comes_in_is_a_signal_with_a_key_or_refused_in_clean_words(change: dict[str, object]) -> None:
    signal: dict[str, object] | None
    try:
        signal = read({**ALERT, **change})
    except BadInput as no:
        signal, told = None, str(no)
        assert clean(told, 2_000) == told
    if signal is not None:
        assert signal["symbol"] == "BTC/USDT" or "ticker" in change
        assert signal["side"] in {"buy", "sell"}
        assert isinstance(signal["key"], str)
        assert signal["key"]
        assert signal == read({**ALERT, **change}), "the same alert is the same signal"


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"symbol": ""}, "symbol"),
        ({"side": ""}, "side"),
        ({"quantity": "a..b"}, "path"),
        ({"quantity": "a b"}, "path"),
        ({"token": "id"}, "token"),
        ({"needs": ["time"], "time": ""}, "needs"),
        ({"source": "exit"}, "engine's own"),
        ({"source": "a b"}, "source"),
        ({"trader": "-x"}, "trader"),
        ({"symbols": {"X": "BTCUSDT"}}, "BTC/USDT"),
        ({"sides": {"long": "up"}}, "buy or sell"),
        ({"ttl": 0}, "ttl"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused(wrong: dict[str, object], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        AlertMapping.model_validate(wrong)
