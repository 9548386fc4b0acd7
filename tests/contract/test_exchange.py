"""What every exchange must keep, whatever it is made of."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from engine.clock import run_on
from engine.core.errors import Doubtful, ExchangeError, RefusalKind, Refused, Unsent
from engine.core.order import OrderStatus
from engine.core.text import clean
from engine.core.values import Side
from engine.exchanges.base import Exchange
from tests.support.exchange import BEGAN, PRICE, SYMBOL, WHOLE, a_lookup, a_stand, an_order

LOW = PRICE / 2  # a limit that does not cross


@dataclass(frozen=True)
class Kind:
    """One way to have an exchange. `pace` None is virtual time."""

    pace: float | None
    in_file: bool
    guarded: bool


KINDS = {
    "paper": Kind(None, in_file=False, guarded=False),
    "paper with threads": Kind(1.0, in_file=True, guarded=False),
    "paper under guard": Kind(None, in_file=True, guarded=True),
}
Story = Callable[[Exchange], Awaitable[None]]


@pytest.fixture(params=KINDS)
def live(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Story], None]:
    """Run a story with each exchange, and see that it leaves no task and no thread behind."""
    kind = KINDS[request.param]

    @asynccontextmanager
    async def opened() -> AsyncIterator[Exchange]:
        path = str(tmp_path / "engine.db.paper") if kind.in_file else ":memory:"
        async with a_stand(WHOLE, path=path, inline=kind.pace is None) as stand:
            yield stand.guarded() if kind.guarded else stand.exchange

    async def whole(story: Story) -> None:
        threads = set(threading.enumerate())
        async with opened() as exchange:
            await story(exchange)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        for thread in set(threading.enumerate()) - threads:
            thread.join(5.0)  # a closed connection's thread is on its way out
            assert not thread.is_alive()

    def run(story: Story) -> None:
        with asyncio.Runner(loop_factory=run_on(kind.pace)) as runner:
            runner.run(whole(story))

    return run


def test_a_placed_order_is_reported_as_it_was_asked_for_and_found_by_its_client_id(
    live: Callable[[Story], None],
) -> None:
    async def story(exchange: Exchange) -> None:
        request = an_order()
        report = await exchange.place(request)
        found = await exchange.find(a_lookup(request))
        assert found is not None
        for answer in (report, found):
            assert answer.client_order_id == request.client_order_id
            assert (answer.symbol, answer.side, answer.quantity) == (request.symbol, request.side, request.quantity)
            assert answer.venue_order_id == report.venue_order_id
        assert found.status is OrderStatus.FILLED
        assert found.filled_quantity == sum(fill.quantity for fill in found.fills) == request.quantity

    live(story)


def test_an_order_that_was_never_placed_is_found_to_be_none(live: Callable[[Story], None]) -> None:
    async def story(exchange: Exchange) -> None:
        assert await exchange.find(a_lookup(an_order())) is None

    live(story)


def test_a_resting_order_is_open_until_it_is_cancelled(live: Callable[[Story], None]) -> None:
    async def story(exchange: Exchange) -> None:
        request = an_order(price=LOW)
        placed = await exchange.place(request)
        assert placed.status is OrderStatus.OPEN
        assert [o.venue_order_id for o in await exchange.open_orders()] == [placed.venue_order_id]
        assert await exchange.open_orders("ETH/USDT") == []
        ended = await exchange.cancel(a_lookup(request))
        assert (ended.status, ended.filled_quantity) == (OrderStatus.CLOSED, Decimal(0))
        assert await exchange.open_orders() == []

    live(story)


def test_cancelling_what_is_not_there_is_refused(live: Callable[[Story], None]) -> None:
    async def story(exchange: Exchange) -> None:
        with pytest.raises(Refused) as refused:
            await exchange.cancel(a_lookup(an_order()))
        assert refused.value.kind is RefusalKind.OTHER

    live(story)


def test_cancelling_a_filled_order_returns_the_fill(live: Callable[[Story], None]) -> None:
    async def story(exchange: Exchange) -> None:
        request = an_order()
        await exchange.place(request)
        ended = await exchange.cancel(a_lookup(request))
        assert ended.status is OrderStatus.FILLED

    live(story)


def test_an_open_order_holds_its_money(live: Callable[[Story], None]) -> None:
    async def story(exchange: Exchange) -> None:
        before = (await exchange.balances())["USDT"]
        request = an_order(price=LOW)
        await exchange.place(request)
        held = (await exchange.balances())["USDT"]
        assert held.used >= request.quantity * LOW
        assert held.free + held.used == before.free + before.used
        await exchange.cancel(a_lookup(request))
        assert (await exchange.balances())["USDT"] == before

    live(story)


def test_recent_orders_are_those_since_then_open_and_closed(live: Callable[[Story], None]) -> None:
    async def story(exchange: Exchange) -> None:
        orders = [await exchange.place(an_order()), await exchange.place(an_order(price=LOW))]
        recent = await exchange.recent_orders(BEGAN - timedelta(seconds=1))
        in_it = await exchange.recent_orders(BEGAN - timedelta(seconds=1), SYMBOL)
        assert [o.venue_order_id for o in recent] == [o.venue_order_id for o in orders]
        assert in_it == recent
        assert await exchange.recent_orders(BEGAN - timedelta(seconds=1), "ETH/USDT") == []
        assert await exchange.recent_orders(BEGAN + timedelta(hours=1)) == []

    live(story)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"symbol": "DOGE/USDT"}, RefusalKind.SYMBOL),
        ({"quantity": Decimal("0.000001")}, RefusalKind.SIZE),
        ({"quantity": Decimal("0.0100000001")}, RefusalKind.SIZE),
        ({"quantity": Decimal("NaN")}, RefusalKind.SIZE),
        ({"quantity": Decimal(-1)}, RefusalKind.SIZE),
        ({"quantity": Decimal("1e30")}, RefusalKind.SIZE),
        ({"quantity": Decimal(1000)}, RefusalKind.FUNDS),
        ({"side": Side.SELL}, RefusalKind.FUNDS),
    ],
)
def test_what_the_venue_does_not_take_is_refused_by_kind_and_leaves_no_order(
    live: Callable[[Story], None], wrong: dict[str, object], kind: RefusalKind
) -> None:
    async def story(exchange: Exchange) -> None:
        request = replace(an_order(), **wrong)  # type: ignore[arg-type] # the fields are those of the request
        with pytest.raises(Refused) as refused:
            await exchange.place(request)
        assert refused.value.kind is kind
        assert refused.value.exchange == exchange.name
        assert await exchange.find(a_lookup(request)) is None

    live(story)


def test_an_order_after_its_deadline_is_proven_not_to_be_there(live: Callable[[Story], None]) -> None:
    async def story(exchange: Exchange) -> None:
        request = an_order(send_by=BEGAN - timedelta(milliseconds=1))
        with pytest.raises((Refused, Unsent)):
            await exchange.place(request)
        assert await exchange.find(a_lookup(request)) is None

    live(story)


def test_the_id_of_an_open_order_is_not_taken_twice_and_proves_nothing(live: Callable[[Story], None]) -> None:
    async def story(exchange: Exchange) -> None:
        request = an_order(price=LOW)
        await exchange.place(request)
        with pytest.raises(Doubtful):
            await exchange.place(request)
        assert len(await exchange.open_orders()) == 1

    live(story)


def test_every_symbol_states_rules_that_an_order_can_keep(live: Callable[[Story], None]) -> None:
    async def story(exchange: Exchange) -> None:
        rules = (await exchange.symbols())[SYMBOL]
        assert (rules.base, rules.quote) == ("BTC", "USDT")
        least = rules.quantity_min
        while least * PRICE < (rules.cost_min or 0):
            least += rules.quantity_step
        report = await exchange.place(an_order(quantity=str(least)))
        assert report.filled_quantity == least

    live(story)


def test_foreign_text_in_an_error_obeys_nobody(live: Callable[[Story], None]) -> None:
    async def story(exchange: Exchange) -> None:
        with pytest.raises(ExchangeError) as refused:
            await exchange.place(an_order(symbol="\x1b[31mEVIL/\u202eX\x00" + "y" * 10_000))
        assert refused.value.error == clean(refused.value.error)

    live(story)


def test_the_venue_tells_its_time(live: Callable[[Story], None]) -> None:
    async def story(exchange: Exchange) -> None:
        assert abs(await exchange.venue_time() - BEGAN) < timedelta(seconds=30)

    live(story)


def test_closing_twice_does_no_harm_and_a_closed_venue_takes_no_order(live: Callable[[Story], None]) -> None:
    async def story(exchange: Exchange) -> None:
        await exchange.close()
        await exchange.close()
        with pytest.raises(Refused):
            await exchange.place(an_order())

    live(story)
