"""How the engine stood at an earlier moment, as far as the journal tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from engine.core.board import EngineFacts, EngineState
from engine.store.sqlite.codec import moment
from engine.store.sqlite.past.moments import Columns, Past
from engine.store.sqlite.past.switches import Halt
from engine.store.sqlite.rows import facts_of

_OPENED: Final = ("store", "opened")


def engine_at(past: Past, halt: Halt | None, traders: Sequence[Columns]) -> EngineFacts | None:
    """Return the engine as far as the journal tells of it: how it stood, who halted it. None if none has ever run."""
    snapshot = past.rows("snapshot", "engine")
    if not snapshot:
        return None
    now = moment(past.at)
    facts = EngineFacts(
        facts_of(snapshot[0][0]).mode,
        _state(past, traders, is_halted=halt is not None),
        past.epoch,
        pid=0,
        started_at=now,
        beat_at=now,
        market_at=now,
    )
    return facts if halt is None else replace(facts, halted_by=halt.by, halted_at=halt.at)


def _state(past: Past, traders: Sequence[Columns], *, is_halted: bool) -> EngineState:
    here = next((e for e in past.near if e.seq == past.seq), None)
    after = next((e for e in past.near if e.seq == past.seq + 1), None)
    if (here and (here.kind, here.code) == ("engine", "stopped")) or (after and (after.kind, after.code) == _OPENED):
        return EngineState.STOPPED
    if is_halted:
        return EngineState.HALTED
    listed = [row for row in traders if row[2]]
    return EngineState.PAUSED if listed and all(row[3] == "pause" for row in listed) else EngineState.RUNNING
