"""The table of what `create_order` does under each fault holds for the ccxt that is installed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.support.venue.client import a_client, place
from tests.support.venue.control import Control
from tests.support.venue.server import a_venue
from tests.support.venue.table import ROWS, TIMEOUT_MS, VENUES, Row, outcome_of


class Measured:
    """What one venue's class did under every row of the table, and which orders exist after it."""

    def __init__(self, venue: Control) -> None:
        self.venue = venue
        self.outcomes: dict[str, str] = {}
        self.orders: Counter[str] = Counter()

    async def measure(self) -> None:
        """Place one order under each row: those that wait side by side, the others one by one."""
        async with a_client(self.venue, timeout=TIMEOUT_MS) as client:
            for row in ROWS:
                self.venue.script("create", row.fault, holding=client_id_of(row))
            for row in ROWS:
                if not row.waits:
                    await self._measure(client, row)
            await asyncio.gather(*(self._measure(client, row) for row in ROWS if row.waits))

    async def _measure(self, client: Any, row: Row) -> None:
        try:
            result: Mapping[str, Any] | BaseException = await place(client, client_id_of(row))
        except Exception as raised:  # noqa: BLE001 - whatever a class raises is the finding
            result = raised
        self.outcomes[row.fault] = outcome_of(result)


def client_id_of(row: Row) -> str:
    return f"{ROWS.index(row):032x}"


@pytest.fixture(scope="module", params=VENUES)
def measured(request: pytest.FixtureRequest) -> Iterator[Measured]:
    with a_venue(request.param) as venue:
        found = Measured(venue)
        asyncio.run(found.measure())
        venue.settle()
        found.orders.update(order["client_id"] for order in venue.orders())
        yield found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_a_class_does_what_the_table_says(measured: Measured, row: Row) -> None:
    assert measured.outcomes[row.fault] == row.outcomes[measured.venue.venue]
    assert measured.orders[client_id_of(row)] == row.orders[measured.venue.venue]


def test_every_fault_of_the_table_was_met_once(measured: Measured) -> None:
    assert measured.venue.pending() == []
    met = [entry["fault"] for entry in measured.venue.log("create")]
    assert sorted(met) == sorted(row.fault for row in ROWS)
