"""How traders stood at an earlier moment, by what was told of their turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.core.events import BreakerState, Desired, Health
from engine.store.sqlite.past.damage import time_in, word_in
from engine.store.sqlite.past.lives import Told, told_of
from engine.store.sqlite.past.moments import Columns, Past
from engine.store.sqlite.queries import named_queries

TURNS_MAX: Final = 2_000  # journal entries about one trader that are looked through
_PAUSE, _DRAIN = Desired.PAUSE.value, Desired.DRAIN.value  # a drain is kept as a pause with a mark
_KINDS: Final[Mapping[str, frozenset[str]]] = {  # the beginning of each turn's code, and the words for where it led
    "switched": frozenset(Desired),
    "health_": frozenset(Health),
    "breaker_": frozenset(BreakerState),
    "quarantine_": frozenset({"free", "quarantined"}),
}


def trader_rows(past: Past, names: frozenset[str] | None = None) -> list[Columns]:
    """Return the traders, all or those named; what no event tells (latencies, the account) is empty."""
    return [_trader_at(past, row) for row in past.rows("all_traders") if names is None or row[0] in names]


def _trader_at(past: Past, row: Columns) -> Columns:
    until = _turns(past, "turns_until", row[0])
    after = _turns(past, "turns_after", row[0])
    name, exchange, listed, desired, desired_by, desired_at, why = row[:7]
    health, health_since, health_fact, breaker, open_until, breaker_fact, quarantined, broken = row[7:15]
    drain = row[18]
    if _has_turned("switched", until, after):
        turn = until.get("switched")
        wanted = _stood(past, "switched", until, after, _DRAIN if drain else desired)
        desired, drain = (_PAUSE, 1) if wanted == _DRAIN else (wanted, 0)
        said = turn.detail if turn else {}
        desired_by, why, desired_at = said.get("by", ""), said.get("why", ""), turn.at if turn else None
    elif desired_at is not None and desired_at > past.at:
        desired_by, why, desired_at = "", "", None  # said again since, to no effect: the journal does not tell of that
    if _has_turned("health_", until, after):
        turn = until.get("health_")
        health = _stood(past, "health_", until, after, health)
        health_since, health_fact = turn.at if turn else None, str(turn.detail.get("fact", "")) if turn else ""
    if _has_turned("breaker_", until, after):
        turn = until.get("breaker_")
        breaker = _stood(past, "breaker_", until, after, breaker)
        breaker_fact = str(turn.detail.get("fact", "")) if turn else ""
        open_until = _open_until(turn) if turn else None
    if _has_turned("quarantine_", until, after):
        turn = until.get("quarantine_")
        quarantined = int(_stood(past, "quarantine_", until, after, "free") == "quarantined")
        broken = int(bool(quarantined and turn is not None and turn.detail.get("proof_broken")))
    wish = (name, exchange, listed, desired, desired_by, desired_at, why)
    return (
        *(*wish, health, health_since, health_fact, breaker, open_until, breaker_fact),
        *(quarantined, broken, None, None, "{}", drain),
    )


def _turns(past: Past, query: str, name: str) -> dict[str, Told]:
    """Return the nearest entry of each kind of turn, on one side of the moment."""
    found: dict[str, Told] = {}
    for row in past.kept.execute(named_queries()[query], (name, past.seq, TURNS_MAX)):
        told = told_of(row)
        kind = next((k for k in _KINDS if told.code.startswith(k)), None)
        if kind is not None:
            found.setdefault(kind, told)
            if len(found) == len(_KINDS):
                break
    return found


def _has_turned(kind: str, until: dict[str, Told], after: dict[str, Told]) -> bool:
    return kind in after or kind in until


def _stood(past: Past, kind: str, until: dict[str, Told], after: dict[str, Told], now: str) -> str:
    """Return how it stood, from the last turn before the moment, the first one after it, and how it stands `now`."""
    before, then = until.get(kind), after.get(kind)
    if before is not None and (then is None or before.epoch in {past.epoch, then.epoch}):
        return word_in(before.seq, before.to_state, _KINDS[kind])
    # An engine that starts finds health out anew, and does not tell of it.
    return now if then is None else word_in(then.seq, then.from_state, _KINDS[kind])


def _open_until(turn: Told) -> int | None:
    stated = turn.detail.get("open_until")
    return time_in(turn.seq, stated) if isinstance(stated, str) else None
