"""The tests' venue fails as it is told: scripts, storms, and what a request meets on its way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from engine.clock import SystemClock
from tests.support.venue.client import place, place_limit, with_client
from tests.support.venue.control import Control
from tests.support.venue.faults import FAULTS, GARBAGE, ORDER_STORM, READ_STORM, fault_of
from tests.support.venue.server import a_venue
from tests.support.venue.table import ROWS, VENUES, outcome_of

CLOCK = SystemClock()
CLOSED = "connection closed before processing"
DROPPED = "ExchangeNotAvailable < ServerDisconnectedError"


@pytest.fixture(params=VENUES)
def venue(request: pytest.FixtureRequest) -> Iterator[Control]:
    with a_venue(request.param) as running:
        yield running


@pytest.fixture
def binance() -> Iterator[Control]:
    with a_venue("binance") as running:
        yield running


async def outcomes(client: Any, count: int, first: int = 0) -> list[str]:
    """Place so many orders, each under a client id of its own, and return what came of them."""
    told = []
    for number in range(first, first + count):
        try:
            told.append(outcome_of(await place(client, f"{number:032x}")))
        except Exception as raised:  # noqa: BLE001 - whatever a class raises is the finding
            told.append(outcome_of(raised))
    return told


async def reading(call: Any) -> str:
    """Return what a read gave: its error, or how much."""
    try:
        result = await call
    except Exception as raised:  # noqa: BLE001 - whatever a class raises is the finding
        return outcome_of(raised)
    return f"{len(result)} rows" if isinstance(result, list) else outcome_of(result)


def test_scripts_meet_their_kind_in_the_order_of_their_writing(venue: Control) -> None:
    venue.script("create", CLOSED, times=2)
    venue.script("create", "HTTP 503, not processed")
    venue.script("balance", "HTTP 503, not processed")

    async def story(client: Any) -> None:
        assert await outcomes(client, 4) == [DROPPED, DROPPED, "ExchangeNotAvailable", "ok"]
        assert [script["kind"] for script in venue.pending()] == ["balance"]
        assert await reading(client.fetch_balance()) == "ExchangeNotAvailable"
        assert (await client.fetch_balance())["BTC"]["total"] == pytest.approx(10.01, abs=0.0001)

    with_client(venue, story)


def test_a_script_without_an_end_holds_until_it_is_cleared(venue: Control) -> None:
    async def story(client: Any) -> None:
        venue.script("any", "says maintenance", times=None)
        assert "ok" not in await outcomes(client, 3)
        assert "vailable" in (told := await reading(client.fetch_balance())) or told == "OnMaintenance"
        venue.clear()
        assert await outcomes(client, 1) == ["ok"]

    with_client(venue, story)


def test_a_fault_can_be_spelt_out(binance: Control) -> None:
    binance.script("create", {"name": "mine", "processing": "never", "answer": "replaced", "status": 507, "body": "?"})
    assert with_client(binance, lambda client: outcomes(client, 1)) == ["no id"]
    assert binance.log("create")[0]["fault"] == "mine"


@pytest.mark.parametrize(
    ("kind", "fault"), [("create", "no such fault"), ("no such kind", CLOSED), ("create", {"answer": "?"})]
)
def test_an_order_to_fail_that_makes_no_sense_is_refused(binance: Control, kind: str, fault: Any) -> None:
    with pytest.raises(ValueError, match=r"Error"):
        binance.script(kind, fault)
    assert binance.pending() == []


def test_a_storm_of_one_seed_is_always_the_same(binance: Control) -> None:
    mix = {"HTTP 503, not processed": 2.0, "HTTP 200 with HTML, processed": 1.0}

    async def story(client: Any) -> list[list[str]]:
        told = []
        for seed in (1, 1, 2):
            binance.storm(seed, 0.5, mix, kinds=["create"])
            told.append(await outcomes(client, 30))
        binance.calm()
        assert await outcomes(client, 10) == ["ok"] * 10
        return told

    first, again, other = with_client(binance, story)
    assert first == again != other
    assert {"ok", "ExchangeNotAvailable", "no id"} == set(first)
    assert 5 <= 30 - first.count("ok") <= 25
    assert {entry["fault"] for entry in binance.log() if entry["kind"] != "create"} == {None}


def test_the_ready_made_storms_name_known_faults() -> None:
    assert set(ORDER_STORM) | set(READ_STORM) | set(GARBAGE) <= set(FAULTS)
    assert {row.fault for row in ROWS} <= set(FAULTS)


def test_every_fault_survives_its_way_to_the_venue() -> None:
    for name, fault in FAULTS.items():
        assert fault_of({**fault.as_json(), "name": name}) == (name, fault)


def test_what_was_closed_in_silence_is_processed_later(venue: Control) -> None:
    venue.script("create", "closed now, processed 1 s later")

    async def story(client: Any) -> None:
        assert await outcomes(client, 1) == [DROPPED]
        assert venue.orders() == []

    with_client(venue, story)
    venue.settle()
    (order,), (entry,) = venue.orders(), venue.log("create")
    assert 0.9 < order["accepted_at_s"] - entry["at_s"] < 5
    assert order["request"] == entry["number"]


def test_a_dropped_cancel_of_binance_arrives_twice_and_a_dropped_order_once(binance: Control) -> None:
    async def story(client: Any) -> None:
        order = await place_limit(client, "e5" * 16, 40_000)
        binance.script("cancel", "processed, then connection closed")
        with pytest.raises(Exception, match="Unknown order sent"):  # although it was cancelled
            await client.cancel_order(order["id"], "BTC/USDT")
        binance.script("create", CLOSED)
        assert await outcomes(client, 1) == [DROPPED]

    with_client(binance, story)
    assert (len(binance.log("cancel")), len(binance.log("create"))) == (2, 2)
    assert binance.orders()[0]["status"] == "cancelled"


def test_a_venue_that_is_away_refuses_connections_and_comes_back(venue: Control) -> None:
    async def story(client: Any) -> None:
        venue.away(0.6)
        told: list[str] = []
        async with CLOCK.timeout(20):
            while not told or told[-1] == "ok":  # until it is gone
                told += await outcomes(client, 1, first=len(told))
            while told[-1] != "ok":
                told += await outcomes(client, 1, first=len(told))
                await CLOCK.sleep(0.05)
        assert "ExchangeNotAvailable < ClientConnectorError" in told

    with_client(venue, story)


@pytest.mark.parametrize(
    ("fault", "carried"),
    [("redirected to another host", False), ("redirected to another host, body and all", True)],
)
def test_a_redirect_carries_the_key_to_a_stranger(binance: Control, fault: str, carried: bool) -> None:
    binance.script("create", fault)
    with_client(binance, lambda client: outcomes(client, 1))
    (stranger,) = [entry for entry in binance.log() if entry["path"] == "/_elsewhere"]
    assert "x-mbx-apikey" in stranger["fields"]["headers"]
    assert ("newClientOrderId" in stranger["fields"]) == carried


def test_a_vast_answer_is_read_to_its_end(binance: Control) -> None:
    binance.script("create", "50 MB body, processed")
    assert with_client(binance, lambda client: outcomes(client, 1), timeout=30_000) == ["no id"]
    assert len(binance.orders()) == 1


def test_a_venue_says_how_long_to_wait(venue: Control) -> None:
    async def story(client: Any) -> str:
        venue.script("create", "HTTP 429 with Retry-After")
        await outcomes(client, 1)
        return str(client.last_response_headers["Retry-After"])

    assert with_client(venue, story) == "2"


@pytest.mark.parametrize("fault", ["HTTP 200 with HTML, not processed", "HTTP 524, not processed"])
def test_garbage_makes_the_bare_classes_lie_about_what_there_is(venue: Control, fault: str) -> None:
    lies = {
        "binance": {
            "open": "AttributeError",
            "trades": f"{len(FAULTS[fault].body)} rows",
            "order": "no id",
        },  # a trade a letter
        "kraken": {"open": "0 rows", "trades": "0 rows", "order": "OrderNotFound"},
        "coinbase": {"open": "0 rows", "trades": "0 rows", "order": "no id"},
    }

    async def story(client: Any) -> dict[str, str]:
        order = await place_limit(client, "f6" * 16, 40_000)
        for kind in ("list", "trades", "query"):
            venue.script(kind, fault)
        return {
            "open": await reading(client.fetch_open_orders("BTC/USDT")),
            "trades": await reading(client.fetch_my_trades("BTC/USDT")),
            "order": await reading(client.fetch_order(order["id"], "BTC/USDT")),
        }

    assert with_client(venue, story) == lies[venue.venue]


def test_spoilt_numbers_reach_the_reader(venue: Control) -> None:
    async def story(client: Any) -> None:
        venue.script("balance", 'numbers are "1e400", processed')
        assert (await client.fetch_balance())["BTC"]["total"] == float("inf")
        venue.script("balance", "numbers are null, processed")
        assert (await client.fetch_balance())["BTC"]["total"] is None

    with_client(venue, story)
