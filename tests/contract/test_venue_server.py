"""The tests' venue as a server: a process that keeps the truth, TLS under the real names, a control plane that explains."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.venue.client import place, with_client
from tests.support.venue.control import Control
from tests.support.venue.server import a_venue
from tests.support.venue.table import UNDER_THE_REAL_ADDRESS, VENUES, outcome_of
from tests.support.venue.urls import ccxt_table

CLIENT_ID = "07" * 16
ROOT = Path(__file__).resolve().parents[2]
END_S_MAX = 20.0
ELSEWHERE = {"public": "https://api.example.com/api/v3"}


def test_a_venue_of_its_own_leaves_the_truth_behind(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    words = [sys.executable, "-m", "tests.support.venue", "--venue", "kraken", "--state", str(state)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT) as child:
        try:
            assert child.stdout is not None
            venue = Control(json.loads(child.stdout.readline()))
            placed = with_client(venue, lambda client: place(client, CLIENT_ID))
            assert [order["id"] for order in venue.orders(CLIENT_ID)] == [placed["id"]]
        finally:
            child.terminate()
        assert child.wait(END_S_MAX) == 0
    kept = json.loads(state.read_text())
    assert [order["client_id"] for order in kept["orders"]] == [CLIENT_ID]
    assert [entry["processed"] for entry in kept["log"] if entry["kind"] == "create"] == [1]


@pytest.mark.parametrize("name", VENUES)
def test_a_class_with_its_own_addresses_reaches_the_venue_through_the_tunnel(name: str, tmp_path: Path) -> None:
    async def story(client: Any) -> str:
        assert f"https://{venue.about['hosts'][0]}" in str(client.urls["api"])
        return outcome_of(await place(client, CLIENT_ID))

    with a_venue(name, tls_folder=tmp_path) as venue:
        assert with_client(venue, story, real_names=True) == "ok"
        assert len(venue.orders(CLIENT_ID)) == 1


def test_the_tunnel_leads_nowhere_else(tmp_path: Path) -> None:
    with a_venue("binance", tls_folder=tmp_path) as venue:
        with pytest.raises(Exception, match="GET") as refused:
            with_client(venue, lambda client: place(client, CLIENT_ID), real_names=True, urls={"api": ELSEWHERE})
        assert outcome_of(refused.value) == "ExchangeError < ClientHttpProxyError"
        assert venue.log() == []


@pytest.mark.parametrize("name", VENUES)
def test_a_client_that_trusts_nobody_sends_nothing(name: str, tmp_path: Path) -> None:
    import certifi

    with a_venue(name, tls_folder=tmp_path) as venue:
        with pytest.raises(Exception, match="GET") as refused:
            with_client(venue, lambda client: place(client, CLIENT_ID), cafile=certifi.where())
        assert outcome_of(refused.value) == "ExchangeNotAvailable < ClientConnectorCertificateError"
        assert venue.log() == []


@pytest.mark.parametrize(("fault", "told"), UNDER_THE_REAL_ADDRESS.items())
def test_binance_reads_some_codes_by_the_address(fault: str, told: str, tmp_path: Path) -> None:
    async def story(client: Any) -> str:
        venue.script("create", fault)
        try:
            return outcome_of(await place(client, CLIENT_ID))
        except Exception as raised:  # noqa: BLE001 - whatever the class raises is the finding
            return outcome_of(raised)

    with a_venue("binance", tls_folder=tmp_path) as venue:
        assert with_client(venue, story, real_names=True) == told
        assert with_client(venue, story) == "ExchangeError"


def test_what_a_configuration_needs_is_plain_data(tmp_path: Path) -> None:
    with a_venue("binance", tls_folder=tmp_path) as venue:
        table = ccxt_table(venue.about)
        assert json.loads(json.dumps(table)) == table
        assert table["urls"]["api"]["private"] == f"{venue.address}/api/v3"
        assert Path(table["cafile"]).is_file()


def test_an_unknown_command_is_refused_with_a_reason() -> None:
    with a_venue("kraken") as venue:
        with pytest.raises(ValueError, match="there is no order 7"):
            venue.fill(7, "1")
        with pytest.raises(ValueError, match="KeyError"):
            venue.price("DOGE/USD", "1")
