"""A trader's screen: whether it takes orders, why not, and two keys instead of a toggle."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.clock import Clock, ManualClock
from engine.core.account import AccountFacts, CallBudget, ExternalOrder, Shortage, VenueFacts
from engine.core.commands import CommandKind
from engine.core.events import BreakerState, Desired, Health, TraderState
from engine.core.values import Position
from tests.support.screen_bridge import HOSTILE, RecordingBridge, Showing, is_clean, is_on, play, press, text_of
from tests.support.stories import SIGNAL_ID, a_board, a_failed_story, a_row, a_trader, at
from tui.dossiers import trader_sections
from tui.past import PastClock
from tui.screens.detail import Sheet
from tui.screens.trader import TraderScreen
from tui.sections import Section

NAME = "trader_momentum"
SIZES = [(80, 24), (120, 40)]


def told(trader: TraderState, **board: Any) -> dict[str, Section]:
    return {s.key: s for s in trader_sections(trader, a_board(traders=(trader,), **board), at(10))}


def use(
    bridge: RecordingBridge,
    script: Callable[[Showing, Pilot[None]], Awaitable[None]],
    size: tuple[int, int] = (80, 24),
    name: str = NAME,
) -> RecordingBridge:
    play(TraderScreen(bridge, name, clock=ManualClock(at(10))), script, size)
    return bridge


@pytest.mark.parametrize(
    ("fields", "word", "fact", "remedy"),
    [
        ({"health": Health.UP}, "Available", "takes new orders", ""),
        ({}, "Available", "not been checked", ""),
        ({"breaker": BreakerState.HALF_OPEN, "health": Health.UP}, "Available", "one order passes", ""),
        (
            {"desired": Desired.PAUSE, "desired_by": "maria", "desired_why": "maintenance"},
            "Not available",
            "paused by maria: maintenance",
            "r resumes it",
        ),
        (
            {"breaker": BreakerState.OPEN, "breaker_fact": "5 of 8 failed", "open_until": at(37)},
            "Not available",
            "breaker open: 5 of 8 failed",
            "probe at 12:00:37",
        ),
        (
            {"breaker": BreakerState.FORCED_OPEN, "breaker_fact": "invalid key"},
            "Not available",
            "invalid key",
            "correct the key",
        ),
        ({"quarantined": True}, "Not available", "quarantined", "need a review"),
        ({"health": Health.DOWN, "health_fact": "3 timeouts"}, "Not available", "down: 3 timeouts", "last errors"),
    ],
)
def test_whether_it_takes_orders_comes_first_and_why_not(
    fields: dict[str, Any], word: str, fact: str, remedy: str
) -> None:
    lead = told(a_trader(**fields))["lead"]
    assert lead.title.text == word
    assert fact in lead.plain
    assert remedy in lead.plain
    assert ("What to do" in lead.plain) == bool(remedy)


def test_no_trader_takes_orders_while_no_engine_answers() -> None:
    board = a_board(traders=(a_trader(health=Health.UP),))
    assert board.engine is not None
    silent = replace(board, engine=replace(board.engine, beat_at=at(-27), market_at=at(-27)))

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        text = text_of(app)
        assert "Not available  was ● up" in text
        assert "no engine answers (engine silent for 37s)" in " ".join(text.replace("█", " ").split())
        assert "It takes new orders" not in text
        assert "59 of 59 watched minutes, 1 not watched" in text

    use(RecordingBridge(board=silent), script)


def test_what_kept_a_trader_from_orders_is_told_though_no_engine_answers() -> None:
    trader = a_trader(desired=Desired.PAUSE, desired_by="maria")
    lead = trader_sections(trader, a_board(traders=(trader,)), at(10), "engine stopped")[0]
    assert "no engine answers (engine stopped)" in lead.plain
    assert "it took none then either: paused by maria" in lead.plain
    assert lead.note == "was ◐ paused"


def test_every_fact_of_the_trader_is_told() -> None:
    trader = a_trader(
        exchange="krk",
        desired_by="olaf",
        desired_at=at(-60),
        health=Health.DEGRADED,
        health_since=at(-300),
        health_fact="p95 2.4 s",
        in_flight=2,
        latency_p50=0.084,
        latency_p95=2.4,
        attempts=120,
        successes=111,
    )
    text = told(trader)["facts"].plain
    for fact in (
        "krk",
        "olaf",
        "2026-01-01 11:59:00Z",
        "degraded 5m",
        "p95 2.4 s",
        "84ms",
        "2.4s",
        "120",
        "111  92.5%",
    ):
        assert fact in text


def test_its_own_positions_signals_and_errors_are_told_and_nobody_elses() -> None:
    mine, other = a_failed_story().events[2], replace(a_failed_story().events[4], trader="other", text="not mine")
    parts = told(
        a_trader(),
        positions=(Position(NAME, "BTC/USDT", Decimal("0.5"), Decimal(64000), at(-60), SIGNAL_ID),),
        queue=(a_row(), a_row("elsewhere", trader="other"), a_row("ended", state="done")),
        errors=(mine, other),
    )
    assert "BTC/USDT 0.5 at 64000" in parts["positions"].plain
    assert SIGNAL_ID in parts["signals"].plain
    assert "elsewhere" not in parts["signals"].plain
    assert parts["signals"].note == "1 open, 1 ended"
    assert "no answer within 5 s" in parts["errors"].plain
    assert "not mine" not in parts["errors"].plain


def test_a_trader_that_has_nothing_says_so() -> None:
    parts = told(a_trader())
    for key in ("positions", "signals", "errors"):
        assert parts[key].rows[0].plain


def test_pause_and_resume_are_two_keys() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "p", "p", "r")
        assert [text for _, text in app.toasts] == ["done"] * 3

    bridge = use(RecordingBridge(board=a_board(traders=(a_trader(),))), script)
    assert [(kind, target) for kind, target, *_ in bridge.wishes] == [
        (CommandKind.PAUSE, NAME),
        (CommandKind.PAUSE, NAME),
        (CommandKind.RESUME, NAME),
    ]


def test_nothing_is_shown_as_done_before_the_engine_says_so() -> None:
    bridge = RecordingBridge(board=a_board(traders=(a_trader(health=Health.UP),)))
    bridge.hold()

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await pilot.press("p")
        assert "pausing…" in text_of(app)
        assert "Available" in text_of(app)
        bridge.show(a_board(change=2, traders=(a_trader(desired=Desired.PAUSE, desired_by="maria"),)))
        bridge.release()
        await press(app, pilot, "g")
        assert "Not available" in text_of(app)
        assert "paused by maria" in text_of(app)

    use(bridge, script)


def test_a_reader_can_look_but_not_act() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "p", "r")
        assert "Pause" not in text_of(app).splitlines()[-1]

    assert use(RecordingBridge(board=a_board(traders=(a_trader(),)), read_only=True), script).wishes == []


@pytest.mark.parametrize(("clock", "is_said"), [(PastClock(at(10)), True), (ManualClock(at(10)), False)])
def test_in_the_past_it_says_what_is_not_kept(clock: Clock, is_said: bool) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        assert any(sheet.section.key == "unkept" for sheet in app.screen.query(Sheet)) is is_said

    bridge = RecordingBridge(board=a_board(traders=(a_trader(),)))
    play(TraderScreen(bridge, "trader_momentum", clock=clock), script)


def test_its_name_and_all_of_it_as_json_are_sent_to_the_clipboard() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        await press(app, pilot, "y")
        assert app.clipboard == NAME
        await press(app, pilot, "Y")
        assert json.loads(app.clipboard)["name"] == NAME

    use(RecordingBridge(board=a_board(traders=(a_trader(),))), script)


def test_a_trader_that_is_not_there_is_said_not_to_be_there() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        assert "Not there" in text_of(app)
        await press(app, pilot, "p", "r", "escape")
        assert not is_on(app, TraderScreen)

    assert use(RecordingBridge(), script).wishes == []


def test_the_mode_is_always_on_the_screen() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert "PAPER" in text_of(app).splitlines()[0]

    use(RecordingBridge(board=a_board(traders=(a_trader(),))), script)


def test_in_a_recording_ages_follow_the_markets_time() -> None:
    board = a_board(traders=(a_trader(health=Health.UP, health_since=at(-86_400 * 300)),))
    assert board.engine is not None
    engine = replace(board.engine, market_at=at(-86_400 * 300) + timedelta(seconds=120), speed="10")

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        assert "up 2m" in text_of(app)

    use(RecordingBridge(board=replace(board, engine=engine)), script)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_only_text(text: str) -> None:
    name = text.replace("\udce4", "")  # no store has half a character
    trader = a_trader(
        name,
        exchange=text,
        desired=Desired.PAUSE,
        desired_by=text,
        desired_why=text,
        health_fact=text,
        breaker_fact=text,
    )
    board = a_board(
        traders=(trader,),
        queue=(a_row(text, symbol=text, reason=text, trader=text, side=text, state=text),),
        errors=(replace(a_failed_story().events[2], text=text, code=text, trader=text),),
        positions=(Position(text, text, Decimal(1), Decimal(1), at(0), text),),
    )

    async def script(app: Showing, pilot: Pilot[None]) -> None:
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await press(app, pilot, "G")
            assert is_clean(text_of(app))

    use(RecordingBridge(board=board), script, name=name)


def test_the_account_tells_what_the_venue_promises_what_differs_and_the_orders_of_others() -> None:
    symbols = (*HOSTILE[:1], *["BTC/USDT"] * 11)
    external = tuple(
        ExternalOrder(f"f{n}", symbol, "sell", Decimal("0.5"), Decimal(0), "open") for n, symbol in enumerate(symbols)
    )
    account = AccountFacts(
        venue=VenueFacts("none", "window", lookup_by_client_id=True, history_lag_s=2.0, verified=False),
        audited_at=at(4),
        audit_error="reset",
        external=external,
        external_count=40,
        shortages=(Shortage("BTC", Decimal("0.5"), Decimal(1)),),
        overfills=("order v1 was filled 2 BTC/USDT, asked for were 1",),
    )
    shown = told(a_trader(account=account))["account"].plain
    for text in (
        "it asks a person",
        "not verified",
        "12:00:04 (6s ago)",
        "holds 0.5 BTC, the store believes 1",
        "order v1 was filled 2",
        "reset",
        "40 orders that are not ours",
    ):
        assert text in shown
    assert is_clean(shown.replace("\n", " "))
    assert 9 <= shown.count("(open, f") <= 10


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (None, "no bound of calls"),
        (CallBudget(10, 20, 12.5), "12.5 of 20 calls left, 10 more a second"),
        (CallBudget(10, 20, 0.2, waiting=3), "3 waiting for their turn"),
        (CallBudget(10, 20, 5, quiet_s=90), "quiet for 1m30s at the venue's wish"),
    ],
)
def test_the_account_tells_how_many_calls_are_left(budget: CallBudget | None, said: str) -> None:
    assert said in told(a_trader(account=AccountFacts(budget=budget)))["account"].plain


def test_the_settings_of_a_trader_are_told_as_the_engine_took_them() -> None:
    shown = told(a_trader(account=AccountFacts(settings=(("exchange", "kraken"), *((k, k) for k in HOSTILE[:2])))))
    assert "exchange kraken" in shown["settings"].plain
    assert is_clean(shown["settings"].plain.replace("\n", " "))
    assert "none yet" in told(a_trader())["settings"].plain
