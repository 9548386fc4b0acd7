"""From a signal to an order, with a whole engine on virtual time: at most one order per signal, and every one explained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from engine.core.commands import CommandKind, CommandState
from engine.core.events import EventKind
from engine.core.lifecycle import AttemptState, SignalState
from engine.workers.dispatcher import BATCH
from tests.support.decks import Running, a_running, a_trader, settings_of
from tests.support.world import live


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "deck.sqlite"


def orders_by_id(running: Running) -> Counter[str]:
    """Count the orders in the venue's own books by client order id."""
    return Counter(row[0] for row in running.venue_rows("SELECT client_order_id FROM paper_order"))


async def orders_of(running: Running, signal_id: str) -> int:
    story, booked = await running.story(signal_id), orders_by_id(running)
    return sum(booked[a.client_order_id] for a in story.attempts)


def test_a_signal_handed_in_becomes_one_order_and_its_story_tells_every_step(db: Path) -> None:
    async def play() -> None:
        async with a_running(db) as running:
            taken = await running.hand_in()
            story = await running.until(taken.signal_id, SignalState.DONE)
            assert taken.outcome == "stored"
            assert [a.state for a in story.attempts] == [AttemptState.FILLED]
            kinds = [e.kind for e in story.events]
            assert kinds.index(EventKind.RECEIVED) < kinds.index(EventKind.INTENT) < kinds.index(EventKind.ATTEMPT)
            intent = next(e for e in story.events if e.kind is EventKind.INTENT)
            answers = intent.detail["answers"]
            assert isinstance(answers, list)
            assert {row["rule"] for row in answers} >= {"is_fresh", "is_confident"}
            assert await orders_of(running, taken.signal_id) == 1

    live(play())


def test_a_market_order_from_outside_is_bounded_around_the_market_and_a_limit_order_by_its_own_price(db: Path) -> None:
    async def play() -> None:
        async with a_running(db, settings_of(limits={"slippage_max": "0.003"})) as running:
            market = await running.until((await running.hand_in()).signal_id, SignalState.DONE)
            [first] = market.attempts
            assert (first.request.reference_price is None, first.request.slippage_max) == (False, Decimal("0.003"))
            price = str(round((first.request.reference_price or 0) * Decimal("1.05"), 2))
            limit = await running.until((await running.hand_in(price=price)).signal_id, SignalState.DONE)
            assert [a.request.slippage_max for a in limit.attempts] == [None]

    live(play())


def test_a_lost_answer_is_looked_up_and_never_sent_again(db: Path) -> None:
    async def play() -> None:
        settings = settings_of(
            a_trader("north", weather={"lost_after_rate": 1.0, "lost_reads": False}), a_trader("south")
        )
        async with a_running(db, settings) as running:
            taken = await running.hand_in(trader="north")
            story = await running.until(taken.signal_id, SignalState.DONE)
            assert [a.trader for a in story.attempts] == ["north"], "no fallback while the outcome was unknown"
            assert AttemptState.UNKNOWN in {e.to_state for e in story.events}
            assert await orders_of(running, taken.signal_id) == 1

    live(play())


def test_a_lost_request_is_proven_absent_before_another_attempt_is_made(db: Path) -> None:
    async def play() -> None:
        settings = settings_of(
            a_trader("north", weather={"lost_before_rate": 1.0, "lost_reads": False}), a_trader("south")
        )
        async with a_running(db, settings) as running:
            taken = await running.hand_in(trader="north")
            story = await running.until(taken.signal_id, SignalState.DONE)
            first, second = story.attempts
            assert (first.state, second.state) == (AttemptState.ABSENT, AttemptState.FILLED)
            assert second.intent_at > first.request.send_by, (
                "no second order before the venue's own deadline had passed"
            )
            assert len(first.evidence) >= 3
            assert await orders_of(running, taken.signal_id) == 1

    live(play())


def test_a_repeated_key_gives_the_first_signal_and_another_payload_is_refused(db: Path) -> None:
    async def play() -> None:
        async with a_running(db) as running:
            first = await running.hand_in(key="k")
            again = await running.hand_in(key="k")
            other = await running.hand_in(key="k", quantity="0.02")
            assert (first.outcome, again.outcome, other.outcome) == ("stored", "repeated", "conflict")
            assert first.signal_id == again.signal_id == other.signal_id
            await running.until(first.signal_id, SignalState.DONE)
            assert sum(orders_by_id(running).values()) == 1

    live(play())


@pytest.mark.parametrize(
    ("given", "state", "code"),
    [
        ({"confidence": 0.3}, SignalState.REJECTED, "confidence_too_low"),
        ({"symbol": "NOPE/USDT"}, SignalState.REJECTED, "unknown_symbol"),
        ({"quantity": "0.00000001"}, SignalState.REJECTED, "below_minimum"),
        ({"price": "1"}, SignalState.REJECTED, "price_band"),
    ],
)
def test_a_refusal_that_time_cannot_lift_rejects_with_its_reason(
    db: Path, given: dict[str, object], state: SignalState, code: str
) -> None:
    async def play() -> None:
        async with a_running(db) as running:
            taken = await running.hand_in(**given)
            story = await running.until(taken.signal_id, state)
            assert story.signal.reason.code == code
            assert story.signal.reason.text
            assert await orders_of(running, taken.signal_id) == 0

    live(play())


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"positions_per_symbol_max": 0}, "position_limit"),
        ({"positions_max": 0}, "position_limit"),
        ({"trades_per_hour_max": 0}, "trading_limit"),
        ({"trades_per_day_max": 0}, "trading_limit"),
        ({"automated_trading": False}, "automated_off"),
    ],
)
def test_a_limit_holds_a_signal_back_until_it_expires_and_both_are_told(
    db: Path, limits: dict[str, object], code: str
) -> None:
    async def play() -> None:
        async with a_running(db, settings_of(limits=limits)) as running:
            taken = await running.hand_in(ttl=60)
            waiting = await running.until(taken.signal_id, SignalState.WAITING)
            assert waiting.signal.reason.code == code
            expired = await running.until(taken.signal_id, SignalState.EXPIRED)
            assert code in {e.code for e in expired.events}
            assert await orders_of(running, taken.signal_id) == 0

    live(play())


def test_a_paused_trader_is_passed_over_and_all_paused_hold_the_signal(db: Path) -> None:
    async def play() -> None:
        async with a_running(db, settings_of(a_trader("north"), a_trader("south"))) as running:
            await running.wish(CommandKind.PAUSE, "north", why="lunch")
            taken = await running.hand_in(trader="north")
            story = await running.until(taken.signal_id, SignalState.DONE)
            assert [a.trader for a in story.attempts] == ["south"]
            await running.wish(CommandKind.PAUSE_ALL)
            held = await running.hand_in()
            waiting = await running.until(held.signal_id, SignalState.WAITING)
            assert waiting.signal.reason.code == "trader_unavailable"
            assert "paused by tester" in waiting.signal.reason.text
            await running.wish(CommandKind.RESUME, "south")
            await running.until(held.signal_id, SignalState.DONE)

    live(play())


def test_the_kill_switch_stops_everything_until_it_is_released(db: Path) -> None:
    async def play() -> None:
        async with a_running(db) as running:
            halted = await running.wish(CommandKind.HALT, why="drill")
            assert halted.state is CommandState.DONE
            taken = await running.hand_in()
            story = await running.until(taken.signal_id, SignalState.WAITING)
            assert story.signal.reason.code == "halted"
            await running.pass_time(60)
            assert await orders_of(running, taken.signal_id) == 0
            await running.wish(CommandKind.RELEASE)
            await running.until(taken.signal_id, SignalState.DONE)

    live(play())


def test_the_kill_switch_survives_a_restart(db: Path) -> None:
    async def play() -> None:
        async with a_running(db) as running:
            await running.wish(CommandKind.HALT)
        async with a_running(db) as running:
            taken = await running.hand_in()
            story = await running.until(taken.signal_id, SignalState.WAITING)
            assert story.signal.reason.code == "halted"

    live(play())


def test_an_expired_signal_can_be_put_back_by_an_operator_and_is_then_executed(db: Path) -> None:
    async def play() -> None:
        async with a_running(db) as running:
            await running.wish(CommandKind.PAUSE_ALL)
            taken = await running.hand_in(ttl=5)
            await running.until(taken.signal_id, SignalState.EXPIRED)
            await running.wish(CommandKind.RESUME_ALL)
            retried = await running.wish(CommandKind.RETRY, taken.signal_id)
            assert retried.state is CommandState.DONE
            await running.until(taken.signal_id, SignalState.DONE)
            assert await orders_of(running, taken.signal_id) == 1
            again = await running.wish(CommandKind.RETRY, taken.signal_id)
            assert again.state is CommandState.REFUSED
            assert "done" in again.result

    live(play())


def test_a_press_on_a_stale_screen_is_refused(db: Path) -> None:
    async def play() -> None:
        async with a_running(db) as running:
            await running.wish(CommandKind.PAUSE_ALL)
            taken = await running.hand_in()
            story = await running.until(taken.signal_id, SignalState.WAITING)
            stale = await running.wish(CommandKind.CANCEL, taken.signal_id, expected_version=story.signal.version - 1)
            assert stale.state is CommandState.REFUSED
            fresh = await running.wish(CommandKind.CANCEL, taken.signal_id, expected_version=story.signal.version)
            assert fresh.state is CommandState.DONE
            assert (await running.signal(taken.signal_id)).state is SignalState.CANCELLED

    live(play())


def test_an_unknown_outcome_is_looked_up_instead_of_retried(db: Path) -> None:
    async def play() -> None:
        async with a_running(
            db, settings_of(a_trader(weather={"lost_before_rate": 1.0, "lost_reads": False}))
        ) as running:
            taken = await running.hand_in()
            await running.until_attempt(taken.signal_id, AttemptState.UNKNOWN)
            refused = await running.wish(CommandKind.RETRY, taken.signal_id)
            assert refused.state is CommandState.REFUSED
            assert "looked up" in refused.result

    live(play())


@pytest.mark.parametrize(
    "given",
    [
        {"confidence": float("nan")},
        {"price": "-1"},
        {"quantity": "0"},
        {"symbol": "[/nope]"},
        {"symbol": "\x1b[2J"},
        {"note": "x" * 1_000_000},
        {"side": "hold"},
        {"surprise": 1},
    ],
)
def test_bad_input_is_refused_by_name_and_seen_in_the_error_log(db: Path, given: dict[str, object]) -> None:
    async def play() -> None:
        async with a_running(db) as running:
            taken = await running.hand_in(**given)
            assert taken.outcome == "refused"
            assert next(iter(given)) in taken.text
            [logged] = await running.engine.store.errors(None, 1)
            assert logged.kind is EventKind.INTAKE_REFUSED
            assert "\x1b" not in logged.text

    live(play())


def test_a_refusal_by_one_venue_lets_another_try_and_a_refusal_of_the_order_does_not(db: Path) -> None:
    async def play() -> None:
        settings = settings_of(a_trader("poor", start_quote="0.01", weather={}), a_trader("rich"))
        async with a_running(db, settings) as running:
            taken = await running.hand_in(trader="poor")
            story = await running.until(taken.signal_id, SignalState.DONE, SignalState.REJECTED)
            assert await orders_of(running, taken.signal_id) <= 1
            assert story.signal.reason.text

    live(play())


def test_what_is_said_of_an_attempt_names_its_trader_once_and_the_venues_reason_in_words(db: Path) -> None:
    async def play() -> None:
        settings = settings_of(a_trader("north", weather={"refusal_rate": 1.0, "refusals": ["clock"]}))
        async with a_running(db, settings) as running:
            taken = await running.hand_in()
            story = await running.until_attempt(taken.signal_id, AttemptState.REJECTED)
            said = [event.text for event in story.events if event.text.startswith("attempt 1 by north")]
            assert "attempt 1 by north: refused: the request's time is too far from the venue's" in said

    live(play())


def test_orders_in_flight_at_a_stop_are_awaited(db: Path) -> None:
    async def play() -> None:
        settings = settings_of(a_trader(weather={"latency_s": 2.0}))
        async with a_running(db, settings) as running:
            taken = await running.hand_in()
            await running.until_attempt(taken.signal_id, AttemptState.INTENT)
        async with a_running(db, settings) as again:
            story = await again.until(taken.signal_id, SignalState.DONE)
            assert AttemptState.UNKNOWN not in {e.to_state for e in story.events}

    live(play())


def test_a_half_open_breaker_lets_exactly_one_order_through(db: Path) -> None:
    async def play() -> None:
        weather = {"outages": [{"after_s": 0.0, "for_s": 40.0, "every_s": 100_000.0}]}
        settings = settings_of(a_trader(weather=weather, start_quote="1000000"), retry={"attempts_max": 10})
        async with a_running(db, settings) as running:
            for n in range(40):
                await running.hand_in(key=f"k{n}", ttl=600)
            await running.pass_time(300)
            booked = orders_by_id(running)
            totals = await running.engine.store.totals()
            assert max(booked.values()) == 1
            assert totals.signals_by_state.get("done", 0) == 40, totals.signals_by_state

    live(play())


def test_the_same_seed_draws_no_signal_id_twice_on_one_store(db: Path) -> None:
    async def play() -> None:
        ids = set()
        for key in ("a", "b", "c"):
            async with a_running(db, seed=4) as running:
                taken = await running.hand_in(key=key)
                assert taken.outcome == "stored"
                ids.add(taken.signal_id)
        assert len(ids) == 3

    live(play())


def test_a_long_queue_that_was_held_back_goes_on_at_once_when_nothing_holds_it_any_more(db: Path) -> None:
    async def play() -> None:
        settings = settings_of(a_trader(start_quote="1000000000"), engine={"in_flight_max": 1000})
        async with a_running(db, settings) as running:
            await running.wish(CommandKind.PAUSE, "north")
            many: list[Mapping[str, object]] = [
                {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.01"} for _ in range(2 * BATCH + 50)
            ]
            taken = await running.engine.hand_in(many)
            assert {t.outcome for t in taken} == {"stored"}
            await running.pass_time(2.0)
            assert not running.venue_rows("SELECT 1 FROM paper_order")
            await running.wish(CommandKind.RESUME, "north")
            await running.pass_time(3.0)
            states = Counter([(await running.signal(t.signal_id)).state for t in taken])
            assert states == {SignalState.DONE: len(many)}

    live(play())
