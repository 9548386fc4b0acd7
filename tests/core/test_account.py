"""What an operator is told of an account: the venue's promises in one sentence, and the orders of others."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.core.account import AccountFacts, ExternalOrder, venue_facts
from engine.exchanges.base import Capabilities, Fence, IdScope


@pytest.mark.parametrize(
    ("fence", "scope", "told"),
    [
        (Fence.ABSOLUTE, IdScope.OPEN, "proves absence after the venue's own deadline"),
        (Fence.RECV_WINDOW, IdScope.NONE, "proves absence after the venue's own deadline"),
        (
            Fence.NONE,
            IdScope.FOREVER,
            "sends again under the same id until the order's deadline, then asks a person",
        ),
        (
            Fence.ABSOLUTE,
            IdScope.FOREVER,
            "sends again under the same id until the order's deadline, then proves absence after the venue's own deadline",
        ),
        (Fence.NONE, IdScope.WINDOW, "asks a person"),
        (Fence.NONE, IdScope.OPEN, "asks a person"),
    ],
)
def test_what_happens_when_an_answer_is_lost_follows_from_what_the_venue_promises(
    fence: Fence, scope: IdScope, told: str
) -> None:
    assert venue_facts(Capabilities(fence, scope, lookup_by_client_id=True)).when_lost == told


def test_the_matrix_names_every_capability_and_that_it_was_not_verified() -> None:
    facts = venue_facts(
        Capabilities(Fence.NONE, IdScope.OPEN, lookup_by_client_id=False, history_lag_s=5, verified=False, note="guess")
    )
    told = "fence none, ids unique open, orders are found in lists only, reads lag up to 5 s, not verified (guess)"
    assert facts.matrix == told


def test_orders_of_others_are_counted_and_the_first_of_them_named() -> None:
    order = ExternalOrder("v1", "BTC/USDT", "sell", Decimal("0.50"), Decimal(0), "open")
    assert AccountFacts().external_text == ""
    assert AccountFacts(external=(order,), external_count=1).external_text == (
        "1 external order: sell 0.50 BTC/USDT (open, v1)"
    )
    assert AccountFacts(external=(order,) * 20, external_count=40).external_text.endswith(" and 37 more")


def test_an_overfill_is_kept_once_and_only_the_newest_ones() -> None:
    account = AccountFacts()
    for n in (1, 2, 2, *range(3, 30)):
        account = account.with_overfill(str(n))
    assert account.overfills == tuple(str(n) for n in range(10, 30))
