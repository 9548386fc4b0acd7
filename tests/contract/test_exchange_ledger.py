"""What a paper account remembers, and what it costs to ask."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from engine.clock import LoopClock, SeededChance
from engine.core.errors import Doubtful, Refused, StoreBroken
from engine.core.order import OrderRequest, OrderStatus
from engine.exchanges.base import EXCHANGES, Account, PriceTaker, Surroundings
from engine.exchanges.paper import PaperLedger, PaperSettings, WeatherSettings
from engine.exchanges.paper.books import Terms, accept
from engine.exchanges.paper.matching import Offer, Slice
from engine.exchanges.paper.records import PaperOrder, Which, orders, prepare
from tests.support.exchange import BEGAN, PRICE, SYMBOL, WHOLE, Stand, a_lookup, a_stand, an_order, on_virtual_time

IN_THREE = PaperSettings(part_rate=1.0, parts_max=3, part_gap_s=0.5, slippage=Decimal(0))


def test_what_was_open_goes_on_after_the_ledger_is_reopened(tmp_path: Path) -> None:
    path = str(tmp_path / "deck.db.paper")
    resting, parted = an_order(price=Decimal(49_000)), an_order(quantity="0.03")

    async def before() -> None:
        async with a_stand(IN_THREE, path=path) as stand:
            await stand.exchange.place(resting)
            assert (await stand.exchange.place(parted)).status is OrderStatus.OPEN

    async def after() -> None:
        async with a_stand(IN_THREE, path=path) as stand:
            with pytest.raises(Doubtful):
                await stand.exchange.place(resting)
            stand.price(48_000)
            for _ in range(3):  # a resting order trades one part with each price
                await stand.clock.sleep(1.0)
                stand.price(48_000)
            await stand.clock.sleep(5.0)
            for request in (resting, parted):
                found = await stand.exchange.find(a_lookup(request))
                assert found is not None
                assert (found.status, found.filled_quantity) == (OrderStatus.FILLED, request.quantity)

    on_virtual_time(before())
    on_virtual_time(after())


def test_a_reopened_account_keeps_its_money_and_counts_its_ids_on(tmp_path: Path) -> None:
    path = str(tmp_path / "deck.db.paper")

    async def once() -> tuple[str, Decimal]:
        async with a_stand(path=path) as stand:
            report = await stand.exchange.place(an_order())
            return report.venue_order_id, (await stand.exchange.balances())["USDT"].free

    (first, money), (second, less) = on_virtual_time(once()), on_virtual_time(once())
    assert (first, second) == ("acct-1", "acct-2")
    assert less == money - Decimal("500.5")


def test_accounts_that_share_a_ledger_share_nothing_else() -> None:
    async def story() -> None:
        async with a_stand() as stand:
            around = Surroundings(stand.clock, SeededChance(2), ":memory:", inline=True, shared={"paper": stand.ledger})
            other = EXCHANGES.get("paper")(Account("other", "paper", {"paper": WHOLE}), around)
            assert isinstance(other, PriceTaker)
            await other.open()
            other.observe(SYMBOL, PRICE, BEGAN)
            request = an_order()
            await stand.exchange.place(request)
            assert await other.find(a_lookup(request)) is None
            assert (await other.balances())["USDT"].free == Decimal(10_000)
            assert [o.account for o in await stand.ledger.orders()] == ["acct"]
            await other.close()

    on_virtual_time(story())


def test_the_same_seed_gives_the_same_orders_trades_and_ids() -> None:
    weather = WeatherSettings(latency_s=0.2, refusal_rate=0.2, lost_after_rate=0.2, lost_before_rate=0.1)
    requests = [an_order(client_order_id=f"{n:032x}", send_by=BEGAN + timedelta(minutes=5)) for n in range(20)]

    async def tell(stand: Stand, request: OrderRequest) -> str:
        try:
            return str(await stand.exchange.place(request))
        except (Refused, Doubtful) as error:
            return repr(error)

    async def story(seed: int) -> tuple[list[str], str]:
        async with a_stand(PaperSettings(), weather, seed=seed) as stand:
            told = [await tell(stand, request) for request in requests]
            return told, str(await stand.ledger.orders())

    assert on_virtual_time(story(5)) == on_virtual_time(story(5))
    assert on_virtual_time(story(5)) != on_virtual_time(story(6))


def test_what_an_order_asks_of_the_ledger_does_not_grow_with_its_history() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    prepare(connection)
    asked: set[str] = set()
    connection.set_trace_callback(asked.add)
    terms = Terms("acct", PaperSettings(shorting=True), {SYMBOL: PRICE})
    offered = Offer(Slice(PRICE, Decimal("0.01")), PRICE, None, 1)
    order = accept(connection, an_order(), offered, BEGAN, terms)
    assert isinstance(order, PaperOrder)
    orders(connection, Which.OPEN, ["acct"])
    connection.set_trace_callback(None)
    plans = [str(step) for sql in asked for step in connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()]
    connection.close()
    assert any("open_id" in plan for plan in plans)
    of_history = [plan for plan in plans if "paper_order" in plan or "trade" in plan]
    assert not [plan for plan in of_history if "SCAN" in plan or ("(account=?)" in plan and "open_id" not in plan)]


def test_a_ledger_of_a_later_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "deck.db.paper"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    async def story() -> None:
        ledger = PaperLedger(str(path), clock=LoopClock(), inline=True)
        with pytest.raises(StoreBroken):
            await ledger.open()
        await ledger.close()

    on_virtual_time(story())
