"""The tests' venue believes nobody: signatures, times, nonces, deadlines, and which client ids come again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from engine.clock import SystemClock
from tests.support.venue.client import place, place_limit, with_client
from tests.support.venue.control import Control
from tests.support.venue.server import a_venue
from tests.support.venue.table import VENUES, outcome_of

CLIENT_ID = "c3" * 16
CLOCK = SystemClock()


@pytest.fixture(params=VENUES)
def venue(request: pytest.FixtureRequest) -> Iterator[Control]:
    with a_venue(request.param) as running:
        yield running


@pytest.fixture
def binance() -> Iterator[Control]:
    with a_venue("binance") as running:
        yield running


@pytest.fixture
def kraken() -> Iterator[Control]:
    with a_venue("kraken") as running:
        yield running


@pytest.fixture
def coinbase() -> Iterator[Control]:
    with a_venue("coinbase") as running:
        yield running


async def outcome(client: Any, **params: Any) -> str:
    """Place an order and return what came of it, as the table writes it."""
    try:
        return outcome_of(await place(client, CLIENT_ID, **params))
    except Exception as raised:  # noqa: BLE001 - whatever a class raises is the finding
        return outcome_of(raised)


def outcome_after(change: Callable[[Any], object]) -> Callable[[Any], Awaitable[str]]:
    """Place an order after a change: coinbase's class needs good keys to load its markets."""

    async def story(client: Any) -> str:
        change(client)
        return await outcome(client)

    return story


def swap(**fields: str) -> Callable[[Any], Awaitable[str]]:
    """Place an order with other credentials than those that loaded the markets."""
    return outcome_after(lambda client: vars(client).update(fields))


def place_late(venue: Control, jump_s: float, **params: Any) -> None:
    """Place an order that is admitted at once and processed 1 s later, when the venue's clock has jumped."""
    venue.script("create", late(1.0))
    with_client(venue, lambda client: outcome(client, **params))
    assert venue.orders() == []
    venue.skew(jump_s)
    venue.settle()
    (entry,) = venue.log("create")
    assert (entry["admitted"], entry["processed"]) == (True, 1)


def after(seconds: float) -> str:
    at: datetime = CLOCK.wall() + timedelta(seconds=seconds)
    return at.isoformat().replace("+00:00", "Z")


def late(seconds: float) -> dict[str, Any]:
    return {"processing": "late", "late_s": seconds, "answer": "closed"}


@pytest.mark.parametrize(
    ("field", "wrong", "told"),
    [
        ("secret", "d2Fucm9uZw==", ("AuthenticationError", "ExchangeError", "AuthenticationError")),
        ("apiKey", "nobody", ("AuthenticationError",) * 3),
    ],
)
def test_a_wrong_secret_or_key_is_refused(venue: Control, field: str, wrong: str, told: tuple[str, ...]) -> None:
    older = venue.venue == "coinbase"  # whose token needs a real key to be made at all
    wrong = "wrong" if field == "secret" and older else wrong
    assert with_client(venue, swap(**{field: wrong}), older=older) == told[VENUES.index(venue.venue)]
    assert venue.orders() == []
    assert not venue.log("create")[-1]["admitted"]


def test_a_token_of_another_key_is_refused(coinbase: Control) -> None:
    others = next(key for key in coinbase.about["keys"] if key["account"] == "second")
    assert with_client(coinbase, swap(secret=others["secret"])) == "AuthenticationError"
    assert with_client(coinbase, outcome) == "ok"


def test_both_ways_of_signing_are_taken(coinbase: Control) -> None:
    assert with_client(coinbase, outcome) == "ok"
    assert with_client(coinbase, outcome, older=True) == "ok"
    assert len(coinbase.orders()) == 1  # one account, one id


def test_revoked_keys_are_refused_until_they_are_taken_again(venue: Control) -> None:
    assert with_client(venue, outcome_after(lambda client: venue.revoke())) == "AuthenticationError"
    venue.revoke(revoked=False)
    assert with_client(venue, outcome) == "ok"


@pytest.mark.parametrize(
    ("skew_s", "taken"), [(-0.8, True), (-1.8, False), (8.0, True), (10.5, False)], ids=lambda value: str(value)
)
def test_binance_takes_times_from_a_second_ahead_to_its_window(binance: Control, skew_s: float, taken: bool) -> None:
    binance.skew(skew_s)
    assert with_client(binance, outcome) == ("ok" if taken else "InvalidNonce")
    assert len(binance.orders()) == taken


@pytest.mark.parametrize(("window_ms", "taken"), [(20_000, False), (60_000, True)])
def test_binance_asks_for_the_window_when_it_processes(binance: Control, window_ms: int, taken: bool) -> None:
    place_late(binance, 30.0, recvWindow=window_ms)
    assert len(binance.orders()) == taken


def test_binance_caps_the_window(binance: Control) -> None:
    told = with_client(binance, lambda client: outcome(client, recvWindow=60_001))
    assert told == "ExchangeError"  # BadRequest under the real address: the class reads -1131 by the address


def test_an_accepted_order_carries_the_deadline_that_bound_it(binance: Control) -> None:
    with_client(binance, lambda client: outcome(client, recvWindow=3_000))
    (order,) = binance.orders()
    assert order["deadline_s"] - order["accepted_at_s"] == pytest.approx(3.0, abs=1.0)
    assert order["request"] == binance.log("create")[0]["number"]


@pytest.mark.parametrize(
    ("ahead_s", "told"),
    [(-1.0, "ExchangeError"), (1.0, "ExchangeError"), (5.0, "ok"), (59.0, "ok"), (62.0, "ExchangeError")],
)
def test_kraken_takes_deadlines_from_two_seconds_to_a_minute_ahead(kraken: Control, ahead_s: float, told: str) -> None:
    assert with_client(kraken, lambda client: outcome(client, deadline=after(ahead_s))) == told
    assert len(kraken.orders()) == (told == "ok")


@pytest.mark.parametrize(("ahead_s", "taken"), [(20.0, False), (50.0, True)])
def test_kraken_asks_for_the_deadline_when_it_processes(kraken: Control, ahead_s: float, taken: bool) -> None:
    place_late(kraken, 30.0, deadline=after(ahead_s))
    assert len(kraken.orders()) == taken


@pytest.mark.parametrize(("behind_ms", "told"), [(2_000, "ok"), (20_000, "InvalidNonce")])
def test_kraken_takes_nonces_in_a_small_window(kraken: Control, behind_ms: int, told: str) -> None:
    assert with_client(kraken, outcome) == "ok"
    assert with_client(kraken, outcome, options={"timeDifference": behind_ms}) == told


def test_kraken_takes_no_nonce_twice(kraken: Control) -> None:
    kraken.script("create", "delivered twice, the last answer")
    assert with_client(kraken, outcome) == "InvalidNonce"
    assert len(kraken.orders()) == 1  # a refusal, and an order


@pytest.mark.parametrize(
    ("skew_s", "taken"), [(-2.0, False), (110.0, True), (122.0, False)], ids=lambda value: str(value)
)
def test_a_token_is_good_from_its_beginning_to_its_end(coinbase: Control, skew_s: float, taken: bool) -> None:
    assert with_client(coinbase, outcome_after(lambda client: coinbase.skew(skew_s))) == (
        "ok" if taken else "AuthenticationError"
    )


@pytest.mark.parametrize(("skew_s", "taken"), [(-28.0, True), (-33.0, False), (26.0, True), (32.0, False)])
def test_an_older_signature_is_good_for_half_a_minute(coinbase: Control, skew_s: float, taken: bool) -> None:
    told = with_client(coinbase, outcome_after(lambda client: coinbase.skew(skew_s)), older=True)
    assert told == ("ok" if taken else "AuthenticationError")


def test_coinbase_has_no_fence_once_a_request_has_arrived(coinbase: Control) -> None:
    place_late(coinbase, 200.0)
    assert len(coinbase.orders()) == 1


def test_a_token_that_ends_on_its_way_is_refused_where_it_arrives(coinbase: Control) -> None:
    coinbase.script("create", {"way_s": 1.0})

    async def story(client: Any) -> str:
        sending = asyncio.create_task(outcome(client))
        async with CLOCK.timeout(10):
            while not coinbase.log("create"):
                await CLOCK.sleep(0.01)
        coinbase.skew(200)
        return await sending

    assert with_client(coinbase, story) == "AuthenticationError"
    assert coinbase.orders() == []


def test_a_client_id_comes_again_as_each_venue_has_it(venue: Control) -> None:
    repeated_open = {"binance": "InvalidOrder", "kraken": "ExchangeError", "coinbase": "ok"}
    orders_in_all = {"binance": 2, "kraken": 2, "coinbase": 1}

    async def story(client: Any) -> list[str]:
        told = []
        resting = await place_limit(client, CLIENT_ID, 40_000)
        told.append(await outcome(client))  # while the first is open
        await client.cancel_order(resting["id"], "BTC/USDT")
        told.append(await outcome(client))  # after its end
        return told

    assert with_client(venue, story) == [repeated_open[venue.venue], "ok"]
    assert len(venue.orders(CLIENT_ID)) == orders_in_all[venue.venue]


def test_the_refusal_of_a_repeated_id_is_in_each_venues_words(venue: Control) -> None:
    words = {"binance": "Duplicate order sent", "kraken": "cl_ord_id not unique", "coinbase": ""}

    async def story(client: Any) -> str:
        await place_limit(client, CLIENT_ID, 40_000)
        try:
            await place_limit(client, CLIENT_ID, 40_000)
        except Exception as raised:  # noqa: BLE001 - the text is the finding
            return str(raised)
        return ""

    assert words[venue.venue] in with_client(venue, story)


def test_an_order_is_found_by_its_client_id_where_the_venue_can(venue: Control) -> None:
    async def story(client: Any) -> list[str]:
        await place(client, CLIENT_ID)
        resting = await place_limit(client, "d4" * 16, 40_000)
        if client.id == "binance":
            found = [await client.fetch_order(None, "BTC/USDT", {"clientOrderId": CLIENT_ID})]
        elif client.id == "kraken":
            found = await client.fetch_closed_orders("BTC/USDT", params={"clientOrderId": CLIENT_ID})
        else:
            found = [o for o in await client.fetch_orders("BTC/USDT") if o["id"] != resting["id"]]
        return [order["clientOrderId"] for order in found]

    assert with_client(venue, story) == [CLIENT_ID]


@pytest.mark.parametrize("venue", ["binance", "kraken"], indirect=True)  # coinbase cancels by its own id alone
def test_a_cancel_by_client_id_closes_the_open_order(venue: Control) -> None:
    async def story(client: Any) -> None:
        await place_limit(client, CLIENT_ID, 40_000)
        await client.cancel_order(None, "BTC/USDT", {"clientOrderId": CLIENT_ID})
        with pytest.raises(Exception, match=r"Unknown order"):
            await client.cancel_order(None, "BTC/USDT", {"clientOrderId": CLIENT_ID})

    with_client(venue, story)
    assert venue.orders(CLIENT_ID)[0]["status"] == "cancelled"
