"""What a store says at one position of its journal, as far as the journal holds it; and whether its past says the same."""

from __future__ import annotations

import random  # noqa: TID251 - a seeded order of visits
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from engine.core.board import Board, Headline, Story, Totals
from engine.core.events import Desired, Event
from engine.store.base import BoardLimits, Reader
from engine.store.sqlite.past.reader import PastReader

LIMITS: Final = BoardLimits()


@dataclass(frozen=True)
class Said:
    """What the store said at one position of its journal, as far as the journal holds it."""

    queue: list[Any]
    attempts: dict[str, list[Any]]
    fills: dict[str, list[Any]]
    traders: list[Any]
    alerts: list[Any]
    positions: list[Any]
    errors: list[Event]
    headline: Headline
    totals: Totals
    minutes: list[Any]
    events: dict[str, list[Event]]


def said(board: Board, stories: list[Story], totals: Totals) -> Said:
    head = board.headline
    return Said(
        # What holds a signal back may drift in its figures without a word in the journal; its code does not.
        queue=[replace(row, version=0, reason="" if row.state == "waiting" else row.reason) for row in board.queue],
        attempts={
            s.signal.id: [
                (
                    a.n,
                    a.state,
                    a.trader,
                    a.request,
                    a.filled_quantity,
                    a.average_price,
                    a.fee,
                    a.ended_at,
                    a.unknown_since,
                )
                for a in s.attempts
            ]
            for s in stories
        },
        fills={s.signal.id: list(s.fills) for s in stories},
        traders=[
            (
                *(t.name, t.desired, t.desired_by if t.desired is Desired.PAUSE else "", t.desired_why),
                *(t.health, t.breaker, t.quarantined, t.proof_broken),  # what is said of them may drift unsaid
                *(t.in_flight, t.attempts, t.successes),
            )
            for t in board.traders
        ],
        alerts=[(a.id, a.rule, a.subject, a.state, a.ack_by, a.ack_at, a.resolved_at) for a in board.alerts],
        positions=list(board.positions),
        errors=list(board.errors),
        headline=replace(head, latency_avg=None if head.latency_avg is None else round(head.latency_avg, 9)),
        totals=replace(totals, repeated=0, last_execution_at=None),
        minutes=list(board.minutes),
        events={s.signal.id: list(s.events) for s in stories},
    )


async def said_by(store: Reader, signals: Iterable[str], now: datetime) -> Said:
    """Return what a reader says of everything, and of these signals."""
    board = await store.board(now, LIMITS)
    stories = [await store.story(signal_id) for signal_id in signals]
    return said(board, [s for s in stories if s], await store.totals())


async def last_of(store: Reader) -> Event:
    """Return the newest entry of the journal."""
    (last,) = await store.journal(None, 1)
    return last


def a_moment_after(event: Event) -> datetime:
    """Return when the Board is looked at that has this entry as its last."""
    return event.at + timedelta(seconds=1)


async def assert_the_past_says(db: Path, remembered: Mapping[int, Said], signals: Iterable[str]) -> None:
    """Go to every remembered position, in order and then by leaps, and compare."""
    signals, positions = list(signals), sorted(remembered)
    leaps = random.Random(len(positions)).sample(positions, len(positions))
    past = PastReader(db, inline=True)
    try:
        for seq in (*positions, *leaps):
            assert (await past.go(seq)).seq == seq
            found = await said_by(past, signals, a_moment_after(await last_of(past)))
            for field in fields(Said):
                want, got = getattr(remembered[seq], field.name), getattr(found, field.name)
                assert got == want, f"{field.name} at entry {seq}: {_differing(want, got)}"
    finally:
        await past.close()


def _differing(want: Any, got: Any) -> object:
    """Return what is in only one of two values, so that a failure names it."""
    if isinstance(want, dict):
        return {key: (want[key], got.get(key)) for key in want if want[key] != got.get(key)}
    if isinstance(want, list):
        return [one for one in want if one not in got], [one for one in got if one not in want]
    return want, got
