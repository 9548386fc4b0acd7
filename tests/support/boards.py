"""Sample Boards, and a bridge that shows them and records every wish."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from engine.core.board import (
    Board,
    Check,
    EngineFacts,
    EngineState,
    ExecutionStatus,
    Headline,
    MinutePoint,
    SignalRow,
    Story,
)
from engine.core.commands import Command, CommandKind, CommandState
from engine.core.errors import NotThere
from engine.core.events import (
    Alert,
    AlertState,
    BreakerState,
    Desired,
    Event,
    EventKind,
    Health,
    Level,
    Severity,
    TraderState,
)
from engine.core.values import Mode
from engine.store.base import Reader

T = TypeVar("T")

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

HOSTILE: Sequence[str] = (
    "[/red]",
    "[@click=app.quit]press[/]",
    "[bold",
    "\x1b[2Jgone\x1b]0;title\x07",
    "\u202eright to left\u200b",
    "日本語" * 40,
    "a\nb\tc\r\x00",
    "x" * 10_000,
)

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT", "ADA/USDT", "DOGE/USDT")
STATES = ("executing", "waiting", "new", "done", "done", "failed", "rejected", "expired", "done", "needs_review")
REASONS = {
    "waiting": ("position_limit", "5 positions of 5 allowed"),
    "failed": ("attempts_used_up", "3 attempts, none became an order: connection refused"),
    "rejected": ("confidence_too_low", "confidence 0.62 is below 0.70"),
    "expired": ("expired", "no trader was available for 120 s"),
    "needs_review": ("no_proof", "the venue cannot prove what became of it"),
}


def before(seconds: float) -> datetime:
    """Return noon less `seconds`."""
    return NOON - timedelta(seconds=seconds)


def some_facts(**changes: Any) -> EngineFacts:
    """Return a demo engine in good health at noon."""
    facts = EngineFacts(
        Mode.DEMO, EngineState.RUNNING, 3, 4711, before(3600), before(0.3), before(0.3), feed_last_at=before(0.3)
    )
    return replace(replace(facts, feed="synthetic", feed_symbols=6, candles=1800), **changes)


def a_row(number: int, state: str = "new", **changes: Any) -> SignalRow:
    """Return one queue row; a higher number is a newer signal."""
    code, reason = REASONS.get(state, ("", ""))
    row = SignalRow(
        seq=number,
        id=f"{number:04x}a21c4d5e6f708",
        symbol=SYMBOLS[number % len(SYMBOLS)],
        side="buy" if number % 3 else "sell",
        quantity=Decimal(("0.01", "1.25", "140", "0.0005")[number % 4]),
        state=state,
        reason_code=code,
        reason=reason,
        attempts={"executing": 1, "done": 1, "failed": 3, "needs_review": 1}.get(state, 0),
        source=("FastScalping", "MomentumScalping", "ConservativeScalping")[number % 3],
        trader="trader_momentum" if state in {"executing", "done", "failed", "needs_review"} else "",
        confidence=0.71 + number % 20 / 100,
        received_at=before(400 - number * 7 if number < 57 else 1),
        expires_at=before(-90),
        ended_at=before(1) if state in {"done", "failed", "rejected", "expired"} else None,
        latency_s=0.084 if state in {"done", "executing"} else None,
        version=number,
    )
    return replace(row, **changes)


def some_rows(count: int = 41) -> tuple[SignalRow, ...]:
    """Return `count` rows of all states, newest first."""
    return tuple(a_row(n, STATES[n % len(STATES)]) for n in range(count, 0, -1))


def some_traders() -> tuple[TraderState, ...]:
    """Return one trader of each kind that an operator meets."""
    one = TraderState("trader_fastscalping", "paper", health=Health.UP, latency_p50=0.084, latency_p95=0.41)
    one = replace(one, in_flight=2, attempts=120, successes=118)
    paused = replace(one, name="trader_conservative", in_flight=0, desired=Desired.PAUSE, desired_by="ada")
    broken = replace(one, name="trader_spare", in_flight=0, attempts=9, successes=4, breaker=BreakerState.OPEN)
    return (
        one,
        replace(one, name="trader_momentum", in_flight=1, latency_p50=0.091, attempts=88, successes=80),
        replace(paused, desired_why="maintenance at 12:00"),
        replace(broken, open_until=before(-27), breaker_fact="5 of 8 calls failed"),
    )


def some_alerts() -> tuple[Alert, ...]:
    """Return a critical alert that nobody has seen, an acknowledged warning, and a resolved one."""
    first = Alert(
        7,
        "trader_unavailable",
        "trader_spare",
        Severity.CRITICAL,
        AlertState.ACTIVE,
        "trader_spare is unavailable for 62 s: breaker open",
        "wait for the probe, or pause it",
        before(62),
        before(62),
    )
    return (
        first,
        replace(
            first,
            id=6,
            rule="success_rate",
            subject="",
            severity=Severity.WARNING,
            state=AlertState.ACKNOWLEDGED,
            text="success rate 88.4 % of 43 attempts in 5 min",
            raised_at=before(190),
            ack_by="ada",
        ),
        replace(first, id=5, state=AlertState.RESOLVED, text="queue growing for 3 min", raised_at=before(2000)),
    )


def some_errors(count: int = 24) -> tuple[Event, ...]:
    """Return `count` journal entries of WARNING and above, newest first."""
    texts = (
        ("doubtful", "no answer within 5 s; the outcome is unknown"),
        ("refused", "refused: 12.00 USDT free, 640.18 needed"),
        ("breaker", "breaker open: 5 of 8 calls failed in 60 s"),
    )
    return tuple(
        Event(
            seq=n,
            kind=EventKind.ATTEMPT,
            at=before((count - n) * 9),
            text=texts[n % 3][1],
            level=Level.ERROR if n % 3 == 0 else Level.WARNING,
            signal_id=f"{n:04x}a21c4d5e6f708" if n % 3 != 2 else None,
            attempt_n=1,
            trader="trader_spare" if n % 3 == 2 else "trader_momentum",
            code=texts[n % 3][0],
            from_state="intent",
            to_state="unknown",
            detail={},
            epoch=3,
        )
        for n in range(count, 0, -1)
    )


def some_minutes(count: int = 60) -> tuple[MinutePoint, ...]:
    """Return `count` minutes of a good hour with one bad stretch."""
    points = []
    for n in range(count):
        failures = 3 if 20 < n < 27 else (n * 7) % 11 == 0
        attempts = 8 + n % 5
        points.append(
            MinutePoint(
                at=before((count - n) * 60),
                received=attempts + 2,
                attempts=attempts,
                successes=attempts - int(failures),
                failures=int(failures),
                done=attempts - int(failures),
                latency_p50=0.08 + n % 7 / 200,
                latency_p95=0.3 + n % 9 / 40,
                latency_p99=0.9,
            )
        )
    return tuple(points)


def some_headline(**changes: Any) -> Headline:
    """Return numbers that fit the other samples."""
    headline = Headline(
        queue=41,
        in_flight=3,
        unknown=1,
        review=1,
        success_rate=0.982,
        attempts_5m=56,
        signals_per_min=11.4,
        attempts_per_min=9.8,
        latency_avg=0.11,
        latency_p50=0.084,
        latency_p95=0.41,
        latency_p99=1.2,
        conversion=0.91,
        availability=0.5,
        errors_per_min=1,
        alerts_active=1,
        alerts_open=2,
        traders_available=2,
        traders_total=4,
    )
    return replace(headline, **changes)


def a_board(**changes: Any) -> Board:
    """Return a busy board at noon."""
    board = Board(
        change=1,
        engine=some_facts(),
        headline=some_headline(),
        queue=some_rows(),
        traders=some_traders(),
        alerts=some_alerts(),
        errors=some_errors(),
        minutes=some_minutes(),
        readiness=ExecutionStatus(NOON, (Check("feed", ok=True, fact="6 symbols, 0.3 s old"),)),
    )
    return replace(board, **changes)


def an_empty_board(**changes: Any) -> Board:
    """Return the board of an engine that has just started."""
    return replace(Board(change=1, engine=some_facts(), headline=Headline()), **changes)


def a_hostile_board(text: str) -> Board:
    """Return a board in which everything that comes from outside is `text`."""
    base = a_board()
    return replace(
        base,
        engine=some_facts(feed=text, halted_by=text),
        queue=tuple(
            replace(row, symbol=text, side=text, reason=text, trader=text, source=text, state=text)
            for row in base.queue[:5]
        ),
        traders=tuple(
            replace(t, name=f"{n}{text}", breaker_fact=text, desired_by=text, desired_why=text)
            for n, t in enumerate(base.traders)
        ),
        alerts=tuple(replace(a, text=text, subject=text, rule=text, ack_by=text) for a in base.alerts),
        errors=tuple(replace(e, text=text, trader=text, code=text, signal_id=text) for e in base.errors[:5]),
    )


class RecordingBridge:
    """A bridge that shows the board it is given and remembers what was wished for."""

    def __init__(self, board: Board | None = None, *, read_only: bool = False) -> None:
        self.shown = board or a_board()
        self.read_only = read_only
        self.operator = "ada"
        self.wishes: list[tuple[CommandKind, str, int | None]] = []
        self.refuses: Exception | None = None
        self.broken: Exception | None = None
        self.is_open = False
        self.boards_read = 0
        self.reader: Reader | None = None

    def show(self, **changes: Any) -> None:
        """Let the board be another one, as after a commit."""
        self.shown = replace(self.shown, change=self.shown.change + 1, **changes)

    async def open(self) -> None:
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False

    async def change(self) -> int:
        if self.broken is not None:
            raise self.broken
        return self.shown.change

    async def board(self) -> Board:
        self.boards_read += 1
        return self.shown

    async def story(self, signal_id: str) -> Story | None:
        return None

    async def event(self, seq: int) -> Event | None:
        return next((e for e in self.shown.errors if e.seq == seq), None)

    async def ask(self, question: Callable[[Reader], Awaitable[T]]) -> T:
        if self.reader is None:
            raise NotThere("there is no store behind this board")
        return await question(self.reader)

    async def readiness(self) -> ExecutionStatus | None:
        return self.shown.readiness

    async def wish(
        self,
        kind: CommandKind,
        target: str = "",
        *,
        why: str = "",
        args: Mapping[str, str] | None = None,
        expected_version: int | None = None,
    ) -> Command:
        self.wishes.append((kind, target, expected_version))
        if self.refuses is not None:
            raise self.refuses
        return Command(
            len(self.wishes),
            f"request-{len(self.wishes)}",
            kind,
            self.operator,
            NOON,
            target,
            why,
            dict(args or {}),
            expected_version,
            CommandState.DONE,
            "done as asked",
            NOON,
        )
