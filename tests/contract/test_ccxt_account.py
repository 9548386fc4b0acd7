"""Real accounts: each fault of a real network and a real venue, and what the product makes of it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.clock import LoopClock, SeededChance, run_on
from engine.core.breaker import Guards
from engine.core.errors import Doubtful, ExchangeError, RefusalKind, Refused, Unsent, Withheld
from engine.core.events import BreakerState
from engine.core.order import OrderKind, OrderStatus
from engine.core.values import Side
from engine.exchanges.ccxt_live import CcxtAccount
from engine.exchanges.guarded import Guarded, GuardSettings
from engine.exchanges.turns import Turns
from tests.support.ccxt_accounts import SYMBOL, a_lookup, an_account, an_order, opened
from tests.support.venue.control import Control
from tests.support.venue.server import a_venue
from tests.support.venue.table import VENUES

pytestmark = pytest.mark.waits

Story = Callable[[Control, CcxtAccount], Awaitable[None]]
FENCED = ("binance", "kraken")


@pytest.fixture(params=VENUES)
def control(request: pytest.FixtureRequest) -> Iterator[Control]:
    with a_venue(request.param) as control:
        yield control


def played(control: Control, story: Story, **table: Any) -> None:
    """Run a story with an open account, and see that it leaves nothing behind."""

    async def whole() -> None:
        async with opened(control, **table) as account:
            await story(control, account)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=run_on(1.0)) as runner:
        runner.run(whole())


async def refused(work: Awaitable[object]) -> ExchangeError:
    try:
        await work
    except ExchangeError as error:
        return error
    raise AssertionError("it went well")


def guarded(account: CcxtAccount) -> Guarded:
    return Guarded(
        account, clock=LoopClock(), chance=SeededChance(1), settings=GuardSettings(), on_breaker=lambda change: None
    )


def test_an_order_is_placed_once_found_by_our_id_and_told_with_its_trades(control: Control) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        request = an_order(LoopClock())
        report = await account.place(request)
        found = await account.find(a_lookup(request))
        by_id = await account.find(a_lookup(request, report.venue_order_id))
        assert found == by_id
        assert found is not None
        assert (found.status, found.filled_quantity) == (OrderStatus.FILLED, Decimal("0.01"))
        [order] = control.orders(request.client_order_id)
        assert order["id"] == report.venue_order_id
        assert Decimal(order["average"]) == found.average_price
        assert [f.quantity for f in found.fills] == [Decimal(f["quantity"]) for f in order["fills"]]

    played(control, story)


def test_a_market_order_keeps_its_slippage_limit_at_the_venue_itself(control: Control) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        control.price(SYMBOL, "51000")
        request = an_order(LoopClock(), reference_price=Decimal(50_000), slippage_max=Decimal("0.001"))
        await account.place(request)
        found = await account.find(a_lookup(request))
        assert found is not None
        assert (found.status, found.filled_quantity) == (OrderStatus.CLOSED, Decimal(0))

    played(control, story)


def test_a_sell_without_a_bound_is_a_market_order_without_a_price(control: Control) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        request = an_order(LoopClock(), side=Side.SELL, reference_price=None, slippage_max=None, reduces=True)
        await account.place(request)
        [order] = control.orders(request.client_order_id)
        assert (order["kind"], order["quantity"], order["price"]) == ("market", "0.01", None)

    played(control, story)


def test_a_limit_order_rests_is_listed_and_is_closed_on_request(control: Control) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        request = an_order(LoopClock(), kind=OrderKind.LIMIT, price=Decimal(1_000), quantity=Decimal("0.1"))
        await account.place(request)
        assert [r.client_order_id for r in await account.open_orders(SYMBOL)] == [request.client_order_id]
        assert [r.client_order_id for r in await account.open_orders()] == [request.client_order_id]
        recent = await account.recent_orders(LoopClock().wall() - timedelta(minutes=5), SYMBOL)
        in_recent = request.client_order_id in {r.client_order_id for r in recent}
        closed = await account.cancel(a_lookup(request))
        assert (closed.status, closed.filled_quantity) == (OrderStatus.CLOSED, Decimal(0))
        after = await account.recent_orders(LoopClock().wall() - timedelta(minutes=5), SYMBOL)
        assert in_recent or request.client_order_id in {r.client_order_id for r in after}

    played(control, story)


def test_an_order_that_nobody_placed_is_told_as_missing_and_garbage_never_is(control: Control) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        request = an_order(LoopClock())
        assert await account.find(a_lookup(request)) is None
        for fault in (
            "HTTP 200 with HTML, processed",
            "HTTP 200 {}, processed",
            "HTTP 524, processed",
            "answer cut short",
        ):
            for kind in ("query", "list", "balance"):
                control.script(kind, fault, times=None)
            assert type(await refused(account.find(a_lookup(request)))) is ExchangeError, fault
            assert type(await refused(account.open_orders(SYMBOL))) is ExchangeError, fault
            assert type(await refused(account.recent_orders(request.send_by, SYMBOL))) is ExchangeError, fault
            assert type(await refused(account.balances())) is ExchangeError, fault
            control.clear()
        assert await account.find(a_lookup(request)) is None

    played(control, story)


def test_an_order_whose_answer_was_lost_is_found(control: Control) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        for fault in ("processed, then connection reset", "HTTP 502, processed", "HTTP 200 empty, processed"):
            request = an_order(LoopClock())
            control.script("create", fault, holding=request.client_order_id)
            assert type(await refused(account.place(request))) is Doubtful
            found = await account.find(a_lookup(request))
            assert found is not None
            assert found.filled_quantity == request.quantity

    played(control, story)


def test_an_order_is_never_signed_after_its_deadline(control: Control) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        request = an_order(LoopClock(), send_by=LoopClock().wall() - timedelta(milliseconds=1))
        assert type(await refused(account.place(request))) is Unsent
        assert control.log("create") == []

    played(control, story)


def test_what_an_operator_holds_back_at_the_last_moment_never_leaves(control: Control) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        said = iter(["", "halted"])  # to the guard, and then to whoever has the connection open
        guard = guarded(account)
        guard.heed(lambda: next(said))
        error = await refused(guard.place(an_order(LoopClock())))
        assert type(error) is Withheld
        assert "halted before it could be sent" in str(error)
        assert control.log("create") == []
        assert guard.breaker(Guards.ORDERS).calls == ()
        guard.heed(lambda: "")
        await guard.place(an_order(LoopClock()))
        assert len(control.orders()) == 1

    played(control, story)


def test_an_order_that_waits_for_its_turn_on_a_shared_key_is_held_back_as_well(control: Control) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        said = ""
        guard = guarded(account)
        guard.heed(lambda: said)
        account._sitting().turns.keep_quiet(1.0)
        sending = asyncio.create_task(guard.place(an_order(LoopClock())))
        await LoopClock().sleep(0.3)
        said = "halted"
        with pytest.raises(Withheld):
            await sending
        assert control.log("create") == []

    played(control, story)


def test_a_cancel_and_what_it_must_look_up_wait_behind_no_entry(control: Control) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        resting = {"kind": OrderKind.LIMIT, "price": Decimal(1_000), "quantity": Decimal("0.1")}
        first = an_order(LoopClock(), **resting)
        await account.place(first)
        account._sitting().turns = Turns(5.0, LoopClock(), burst=1.0)
        entries = [asyncio.create_task(account.place(an_order(LoopClock(), **resting))) for _ in range(8)]
        await LoopClock().sleep(0.05)
        closed = await account.cancel(a_lookup(first))
        assert closed.status is OrderStatus.CLOSED
        before = len(control.log("create"))
        assert before <= 3, "the first one, one that had its turn already, and one while an answer was awaited"
        for entry in entries:
            entry.cancel()
        await asyncio.gather(*entries, return_exceptions=True)

    played(control, story)


@pytest.mark.parametrize("venue", FENCED)
def test_a_request_that_is_processed_after_its_deadline_is_refused_by_the_venue(venue: str) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        lead_s = 3.3 if venue == "kraken" else 1.0  # enough for a busy machine to sign it in time
        late_s = 5 if venue == "kraken" else 2
        request = an_order(LoopClock(), send_by=LoopClock().wall() + timedelta(seconds=lead_s))
        control.script("create", f"closed now, processed {late_s} s later", holding=request.client_order_id)
        assert type(await refused(account.place(request))) is Doubtful
        async with asyncio.timeout(10):
            while not any(entry["processed"] for entry in control.log("create")):
                await LoopClock().sleep(0.05)
        assert control.orders() == []

    with a_venue(venue) as control:
        played(control, story)


def test_a_token_ends_with_the_order_that_it_signs() -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        request = an_order(LoopClock(), send_by=LoopClock().wall() + timedelta(seconds=2.6))
        control.script("create", {"way_s": 3.5}, holding=request.client_order_id)
        assert isinstance(await refused(account.place(request)), Doubtful | Refused)
        async with asyncio.timeout(10):
            while not any(entry["status"] for entry in control.log("create")):
                await LoopClock().sleep(0.05)
        assert control.orders() == []

    with a_venue("coinbase") as control:
        played(control, story)


def test_a_venue_that_asks_for_quiet_gets_it_from_everybody_on_the_key(control: Control) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        request = an_order(LoopClock(), send_by=LoopClock().wall() + timedelta(seconds=5))
        control.script("create", "HTTP 429 with Retry-After", holding=request.client_order_id)
        error = await refused(account.place(request))
        assert isinstance(error, Refused)
        assert (error.kind, error.retry_after_s) == (RefusalKind.RATE, 2.0)
        began = LoopClock().elapsed()
        await account.balances()
        assert LoopClock().elapsed() - began >= 1.5

    played(control, story)


def test_a_ban_opens_the_breaker_for_two_minutes_at_the_least() -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        guard = guarded(account)
        control.script("create", "HTTP 418 with Retry-After")
        assert isinstance(await refused(guard.place(an_order(LoopClock()))), Refused)
        assert guard.breaker_state is BreakerState.OPEN
        assert guard.open_until is not None
        assert (guard.open_until - LoopClock().wall()).total_seconds() > 100

    with a_venue("binance") as control:
        played(control, story)


def test_revoked_credentials_force_the_breaker_open(control: Control) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        guard = guarded(account)
        control.revoke()
        error = await refused(guard.place(an_order(LoopClock())))
        assert isinstance(error, Refused)
        assert error.kind is RefusalKind.AUTH
        assert guard.breaker_state is BreakerState.FORCED_OPEN
        control.revoke(revoked=False)
        assert isinstance(await refused(guard.place(an_order(LoopClock()))), Unsent)
        assert control.orders() == []

    played(control, story)


def test_too_little_money_is_a_refusal_that_says_nothing_of_the_venues_health(control: Control) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        guard = guarded(account)
        for _ in range(8):
            error = await refused(guard.place(an_order(LoopClock(), quantity=Decimal(1_000))))
            assert isinstance(error, Refused)
            assert error.kind is RefusalKind.FUNDS
        assert guard.breaker_state is BreakerState.CLOSED

    played(control, story)


@pytest.mark.parametrize("saying", ["order too small", "too many digits"])
def test_an_order_that_breaks_the_venues_rules_is_refused_for_good(control: Control, saying: str) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        request = an_order(LoopClock())
        control.script("create", f"says {saying}", holding=request.client_order_id)
        error = await refused(account.place(request))
        assert isinstance(error, Refused)
        assert not error.is_venue_side

    played(control, story)


def test_a_quantity_off_the_venues_step_never_leaves(control: Control) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        error = await refused(account.place(an_order(LoopClock(), quantity=Decimal("0.0123456789"))))
        assert isinstance(error, Refused)
        assert error.kind is RefusalKind.SIZE
        assert control.log("create") == []

    played(control, story)


def test_a_venue_that_cannot_be_reached_was_sent_nothing(control: Control) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        ccxt = account.connection.ccxt
        ccxt.urls = {**ccxt.urls, "api": dict.fromkeys(ccxt.urls["api"], nobody)}
        assert type(await refused(account.place(an_order(LoopClock())))) is Unsent
        ccxt.urls = {**ccxt.urls, "api": dict.fromkeys(ccxt.urls["api"], "http://name.invalid")}
        assert type(await refused(account.place(an_order(LoopClock())))) is Unsent
        assert control.log("create") == []

    played(control, story)


@pytest.mark.parametrize("kind", ["cancel", "query", "list", "time"])
def test_a_connection_that_drops_carries_every_request_once(control: Control, kind: str) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        request = an_order(LoopClock(), kind=OrderKind.LIMIT, price=Decimal(1_000), quantity=Decimal("0.1"))
        report = await account.place(request)
        await account.venue_time()  # a kept connection is there to be dropped
        seen = len(control.log(kind))
        control.script(kind, "connection reset before processing")
        calls: dict[str, tuple[str, tuple[Any, ...]]] = {
            "cancel": ("cancel_order", (report.venue_order_id, SYMBOL)),
            "query": ("fetch_order", (report.venue_order_id, SYMBOL)),
            "list": ("fetch_open_orders", (SYMBOL,)),
            "time": ("fetch_time", ()),
        }
        name, given = calls[kind]
        with pytest.raises(Exception, match=control.venue):
            await account.connection.call(name, *given)
        assert len(control.log(kind)) == seen + 1

    played(control, story)


def test_an_answer_without_an_end_is_given_up_and_its_order_is_found(control: Control) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        for fault, word in (("50 MB body, processed", "Payload"), ("answer trickles past the timeout", "Timeout")):
            request = an_order(LoopClock())
            control.script("create", fault, holding=request.client_order_id)
            error = await refused(account.place(request))
            assert type(error) is Doubtful
            assert word in str(error)
            assert await account.find(a_lookup(request)) is not None

    played(control, story)


def test_a_redirect_is_not_followed(control: Control) -> None:
    async def story(control: Control, account: CcxtAccount) -> None:
        control.script("create", "redirected to another host")
        assert type(await refused(account.place(an_order(LoopClock())))) is Doubtful
        assert control.orders() == []

    played(control, story)
    assert not any(entry["path"].startswith("/_elsewhere") for entry in control.log())


def test_the_real_host_names_are_reached_over_tls_that_is_checked(tmp_path: Path) -> None:
    async def untrusting(control: Control) -> None:
        account = an_account(control, LoopClock(), cafile=None)
        assert "SSL" in str(await refused(account.open())) or "Certificate" in str(await refused(account.open()))
        await account.close()

    async def story(control: Control, account: CcxtAccount) -> None:
        await account.place(an_order(LoopClock()))
        assert len(control.orders()) == 1

    with a_venue("kraken", tls_folder=tmp_path) as control:
        played(control, story)
        with asyncio.Runner(loop_factory=run_on(1.0)) as runner:
            runner.run(untrusting(control))
