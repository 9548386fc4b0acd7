from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from engine.core.board import Check, EngineState, ExecutionStatus
from engine.core.events import BreakerState, Desired, Health
from engine.core.portfolio import EngineSwitches, Holdings, TradeCounts
from engine.core.readiness import ReadinessFacts, diagnose
from engine.core.risk import Limits
from engine.core.values import Action, Vote
from tests.core.cases import SYMBOL, a_position, a_trader
from tests.support.builders import NOW

READY = ReadinessFacts(
    NOW,
    feed="synthetic",
    feed_age_s=0.5,
    candles={SYMBOL: 100, "ETH/USDT": 50},
    strategies=("fast",),
    votes={SYMBOL: (Vote("fast", Action.BUY, 0.9, "up"),), "ETH/USDT": (Vote("fast", Action.HOLD, 0.0, ""),)},
    last_signal_at=NOW - timedelta(seconds=9),
    traders=(a_trader("a"), a_trader("b")),
)


def _status(**given: Any) -> ExecutionStatus:
    return diagnose(replace(READY, **given))


def _refused(**given: Any) -> list[Check]:
    return [c for c in _status(**given).checks if not c.ok]


def test_the_gates_are_asked_in_the_order_of_the_pipeline() -> None:
    status = _status()
    assert status.ready
    assert [c.gate for c in status.checks] == [
        "engine",
        "feed",
        "candles",
        "strategy fast",
        "votes",
        "queue",
        "automated trading",
        "kill switch",
        "positions",
        "trades per hour",
        "trades per day",
        "traders",
        "trader a",
        "trader b",
        "outcomes",
        "store",
        "clock",
    ]
    assert all(c.ok and c.fact and not c.remedy for c in status.checks)


PAUSED = a_trader("a", desired=Desired.PAUSE, desired_by="ann")
OPEN = a_trader("a", breaker=BreakerState.OPEN, breaker_fact="5 of 5", open_until=NOW + timedelta(seconds=12))


@pytest.mark.parametrize(
    ("given", "gate", "said"),
    [
        ({"engine": EngineState.STARTING}, "engine", "starting"),
        ({"feed_age_s": 31.0}, "feed", "31.0 s old"),
        ({"feed_age_s": None}, "feed", "no price yet"),
        ({"feed_finished": True}, "feed", "come to its end"),
        ({"candles": {SYMBOL: 4}}, "candles", "too few: BTC/USDT 4"),
        ({"candles": {}}, "candles", "0 of 0"),
        ({"automated": False}, "automated trading", "off"),
        ({"limits": Limits(automated_trading=False)}, "automated trading", "off"),
        (
            {"switches": EngineSwitches(True, "ann", NOW - timedelta(seconds=5), "drill")},
            "kill switch",
            "by ann 5 s ago: drill",
        ),
        ({"limits": Limits(positions_max=0)}, "positions", "0 of 0"),
        ({"holdings": Holdings(trades=TradeCounts(10, 10))}, "trades per hour", "10 of 10"),
        ({"holdings": Holdings(trades=TradeCounts(0, 50))}, "trades per day", "50 of 50"),
        ({"traders": ()}, "traders", "no trader is configured"),
        ({"traders": (PAUSED,)}, "traders", "0 of 1"),
        ({"traders_ready": frozenset()}, "traders", "0 of 2"),
        ({"store_writable": False}, "store", "takes no writes"),
        ({"store_writable": False, "store_fact": "disk I/O error"}, "store", "disk I/O error"),
        ({"disk_ok": False}, "store", "disk is full"),
        ({"clock_sane": False, "clock_offset_s": 0.9}, "clock", "+900 ms"),
    ],
)
def test_a_gate_that_stops_everything_says_so_and_what_to_do(given: dict[str, Any], gate: str, said: str) -> None:
    status = _status(**given)
    assert not status.ready
    [check] = [c for c in status.checks if c.gate == gate]
    assert not check.ok
    assert check.decides
    assert said in check.fact
    assert check.remedy


@pytest.mark.parametrize(
    ("given", "gate", "said"),
    [
        (
            {"candles": {SYMBOL: 5, "ETH/USDT": 4}},
            "candles",
            "1 of 2 symbols have 5 candles or more; too few: ETH/USDT 4",
        ),
        ({"strategies": ()}, "strategies", "no strategy is enabled"),
        ({"strategies": ("slow",)}, "strategy slow", "not asked yet"),
        ({"voting_errors": {"fast": "division by zero"}}, "strategy fast", "it fails: division by zero"),
        ({"votes": {SYMBOL: (Vote("fast", Action.HOLD, 0.0, ""),)}}, "votes", "every strategy holds on all 1 symbols"),
        ({"votes": {SYMBOL: (Vote("fast", Action.SELL, 0.6, ""),)}}, "votes", "strongest: fast sell BTC/USDT 0.60"),
        ({"votes": {}}, "votes", "nothing was voted on"),
        (
            {"waiting": {"": 1, "position_limit": 3, "no_price": 1}, "oldest_waiting_s": 7.0},
            "queue",
            "5 signals wait, the oldest for 7 s: 3 position_limit, 1 no_price",
        ),
        ({"holdings": Holdings(positions=(a_position(),))}, "positions per symbol", "full: BTC/USDT"),
        ({"traders": (PAUSED, a_trader("b"))}, "trader a", "paused by ann"),
        ({"traders": (OPEN, a_trader("b"))}, "trader a", "breaker open"),
        ({"traders": (a_trader("a", quarantined=True), a_trader("b"))}, "trader a", "quarantined"),
        (
            {"traders": (a_trader("a", health=Health.DOWN, health_fact="no answer"), a_trader("b"))},
            "trader a",
            "no answer",
        ),
        ({"traders_ready": frozenset({"b"})}, "trader a", "being looked up"),
        ({"reviews": 2, "unknown": 1}, "outcomes", "1 unknown, being looked up; 2 need a review"),
    ],
)
def test_a_gate_that_alone_stops_nothing_leaves_the_engine_ready(given: dict[str, Any], gate: str, said: str) -> None:
    assert _status(**given).ready
    check = next(c for c in _refused(**given) if c.gate == gate)
    assert said in check.fact
    assert check.remedy


def test_each_traders_remedy_names_the_key_or_the_command() -> None:
    def remedy(**given: Any) -> str:
        return next(c.remedy for c in _refused(traders=(replace(a_trader("a"), **given),)) if c.gate == "trader a")

    assert remedy(desired=Desired.PAUSE) == "signaldeck trader resume a, or r on it"
    assert remedy(breaker=BreakerState.OPEN, open_until=NOW + timedelta(seconds=12)) == "wait 12 s for its probe"
    assert remedy(breaker=BreakerState.OPEN) == "wait for its probe"
    assert "signaldeck trader resume a" in remedy(breaker=BreakerState.FORCED_OPEN)
    assert "reviews" in remedy(quarantined=True)
    assert "venue" in remedy(health=Health.DOWN)


def test_a_full_symbol_decides_only_when_every_symbol_is_full() -> None:
    full = Holdings(positions=(a_position(),))
    assert _status(holdings=full).ready
    assert not _status(holdings=full, candles={SYMBOL: 100}).ready


def test_signals_that_were_not_looked_at_yet_are_no_trouble() -> None:
    [queue] = [c for c in _status(waiting={"": 4}, oldest_waiting_s=0.2).checks if c.gate == "queue"]
    assert queue.ok
    assert queue.fact == "4 signals wait, the oldest for 0 s"


def test_long_lists_are_cut_and_counted() -> None:
    [check] = _refused(candles={f"S{n}/USDT": n for n in range(10)}, candles_min=8)
    assert check.fact.endswith("S0/USDT 0, S1/USDT 1, S2/USDT 2, S3/USDT 3, S4/USDT 4 and 3 more")


def test_an_inbox_is_told_of_where_there_is_one_and_stops_nothing() -> None:
    assert "inbox" not in {check.gate for check in _status().checks}
    listening = _status(inbox="127.0.0.1:8787").checks[-1]
    assert (listening.gate, listening.ok, listening.fact) == ("inbox", True, "it listens on 127.0.0.1:8787")
    assert _status(inbox="").ready
    [silent] = _refused(inbox="")
    assert (silent.gate, silent.fact) == ("inbox", "it does not listen")
    assert silent.remedy
