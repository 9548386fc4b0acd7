"""What a paper account answered survives a kill."""

from __future__ import annotations

import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path

import pytest

from engine.core.order import OrderStatus
from engine.exchanges.paper import PaperSettings
from tests.support.exchange import a_stand, on_virtual_time

PATIENCE_S = 60.0


def orders_answered_before_a_kill(path: Path, after: int) -> dict[str, Decimal]:
    """Let a process trade, kill it after so many answers, and return what it had said was filled, by client id."""
    victim = subprocess.Popen(
        [sys.executable, "-m", "tests.support.exchange", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(PATIENCE_S, victim.kill)
    watchdog.start()
    try:
        assert victim.stdout is not None
        lines = [victim.stdout.readline() for _ in range(after)]
    finally:
        victim.kill()
        rest, errors = victim.communicate()
        watchdog.cancel()
        watchdog.join()
    assert all(lines), errors
    complete = [line.split() for line in [*lines, *rest.splitlines(keepends=True)] if line.endswith("\n")]
    return {client_order_id: Decimal(filled) for client_order_id, filled in complete}


@pytest.mark.parametrize("after", [1, 7, 40])
def test_every_answered_order_is_in_the_ledger_once_after_a_kill(tmp_path: Path, after: int) -> None:
    path = tmp_path / "deck.db.paper"
    answered = orders_answered_before_a_kill(path, after)

    async def story() -> None:
        async with a_stand(PaperSettings(), path=str(path)) as stand:
            kept = await stand.ledger.orders_by_client_id()
            assert len(answered) >= after
            assert len(kept) <= len(answered) + 1  # at most the one whose answer was not heard
            for client_order_id, filled in answered.items():
                (order,) = kept[client_order_id]
                assert order.filled >= filled
            await stand.clock.sleep(10.0)  # what was traded in part goes on
            orders = await stand.ledger.orders()
            assert all(order.status is not OrderStatus.OPEN for order in orders)
            fees = sum(fill.fee for order in orders for fill in order.trades)
            spent = sum(o.side.sign * fill.price * fill.quantity for o in orders for fill in o.trades)
            balances = await stand.exchange.balances()
            assert balances["USDT"].free == Decimal(10_000) - spent - fees
            assert balances["BTC"].free == 1 + sum(o.side.sign * o.filled for o in orders)

    on_virtual_time(story())
