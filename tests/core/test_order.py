from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from engine.core.order import Latency, client_order_id

hexes = st.text("0123456789abcdef", min_size=16, max_size=32)


@given(hexes, hexes, st.integers(1, 1_000))
def test_a_client_order_id_is_32_hex_digits_and_always_the_same(store: str, signal: str, n: int) -> None:
    order_id = client_order_id(store, signal, n)
    assert re.fullmatch(r"[0-9a-f]{32}", order_id)
    assert client_order_id(store, signal, n) == order_id


@given(st.sets(st.tuples(hexes, hexes, st.integers(1, 100)), min_size=2, max_size=20))
def test_different_attempts_have_different_ids(attempts: set[tuple[str, str, int]]) -> None:
    assert len({client_order_id(*attempt) for attempt in attempts}) == len(attempts)


def test_the_id_of_a_known_attempt_never_changes() -> None:
    # A restored backup finds its orders by these; a different derivation would double them.
    assert client_order_id("store", "signal", 1) == "d8d498617c0ac706037e6cc34c58793c"


def test_a_latency_without_an_answer_has_no_total() -> None:
    assert Latency(waiting=1.0, gating=1.0, submitting=1.0).total is None
    assert Latency(waiting=1.0, submitting=0.5, acknowledged=0.25, filled=9.0).total == 1.75
