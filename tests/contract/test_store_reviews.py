"""An order that came back from a proven end: its signal waits for a person, whatever its other attempts come to."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from engine.core.account import AccountFacts
from engine.core.errors import NotThere
from engine.core.lifecycle import AttemptState, AttemptStep, SignalState, SignalStep
from engine.core.values import Reason
from engine.store.base import Applied, Intent
from engine.store.sqlite import SqliteReader
from tests.support.builders import NOW, a_fill, a_signal, an_intent
from tests.support.store import EVERY_STORE, Stage, an_open_store, on_stage, play

LATER = NOW + timedelta(seconds=30)
FINAL_STEPS = [SignalStep.EXPIRE, SignalStep.REJECT, SignalStep.CANCEL, SignalStep.FAIL]


async def two_attempts(stage: Stage) -> tuple[Intent, Intent]:
    """Return a refused attempt whose order appeared after all, and the one that was sent since and is open."""
    first = await stage.commit(a_signal("one"))
    await stage.step(first, AttemptStep.REFUSE, signal_step=SignalStep.REQUEUE, due_at=LATER)
    second = an_intent(await stage.signal("one"))
    await stage.store.commit_intents([second])
    await stage.step(second, AttemptStep.ACKNOWLEDGE)
    await stage.step(first, AttemptStep.BREAK_PROOF, signal_step=SignalStep.BREAK_PROOF)
    await stage.turn()
    return first, second


@EVERY_STORE
@pytest.mark.parametrize(
    ("step", "after"),
    [
        (AttemptStep.FILL, SignalStep.COMPLETE),
        (AttemptStep.CLOSE_EMPTY, SignalStep.REQUEUE),
        (AttemptStep.ESCALATE, SignalStep.ESCALATE),
        (AttemptStep.CLOSE_EMPTY, SignalStep.EXPIRE),
    ],
)
def test_the_end_of_another_attempt_leaves_the_review_to_the_person(
    kind: str, tmp_path: Path, step: AttemptStep, after: SignalStep
) -> None:
    async def scenario(stage: Stage) -> None:
        _, second = await two_attempts(stage)
        assert await stage.step(second, step, signal_step=after, due_at=LATER) is Applied.APPLIED
        assert (await stage.signal("one")).state is SignalState.NEEDS_REVIEW

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_an_answer_to_the_review_waits_for_the_order_that_is_still_out(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        first, second = await two_attempts(stage)
        await stage.step(first, AttemptStep.DECLARE_ABSENT, signal_step=SignalStep.REQUEUE, due_at=LATER)
        assert (await stage.signal("one")).state is SignalState.NEEDS_REVIEW
        await stage.step(second, AttemptStep.FILL, signal_step=SignalStep.COMPLETE)
        assert (await stage.signal("one")).state is SignalState.DONE

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
@pytest.mark.parametrize("step", FINAL_STEPS)
def test_a_reviewed_signal_that_cannot_go_on_has_failed(kind: str, tmp_path: Path, step: SignalStep) -> None:
    async def scenario(stage: Stage) -> None:
        intent = await stage.commit(a_signal("one"))
        await stage.step(intent, AttemptStep.LOSE_ANSWER)
        await stage.step(intent, AttemptStep.ESCALATE, signal_step=SignalStep.ESCALATE)
        await stage.turn()
        why = Reason("gone", "the time ran out")
        await stage.step(intent, AttemptStep.DECLARE_ABSENT, signal_step=step, signal_reason=why)
        signal = await stage.signal("one")
        assert (signal.state, signal.reason) == (SignalState.FAILED, why)

    on_stage(kind, tmp_path, scenario)


@EVERY_STORE
def test_a_fill_that_is_taken_up_after_the_end_changes_neither_state_nor_end(kind: str, tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        intent = await stage.commit(a_signal("one"))
        half = a_fill("a", quantity=Decimal("0.0005"))
        await stage.step(intent, AttemptStep.ACKNOWLEDGE)
        await stage.step(intent, AttemptStep.CLOSE_PART, fills=(half,), signal_step=SignalStep.COMPLETE)
        ended_at = (await stage.attempt(intent)).ended_at
        await stage.turn()
        late = a_fill("b", quantity=Decimal("0.0002"))
        assert await stage.step(intent, AttemptStep.CATCH_UP, fills=(half, late), at=LATER) is Applied.APPLIED
        await stage.turn()
        attempt = await stage.attempt(intent)
        assert (attempt.state, attempt.ended_at) == (AttemptState.PARTIAL_CLOSED, ended_at)
        assert attempt.filled_quantity == Decimal("0.0007")
        [position] = await stage.store.positions()
        assert position.quantity == Decimal("0.0007")
        assert (await stage.signal("one")).state is SignalState.DONE

    on_stage(kind, tmp_path, scenario)


def test_a_store_of_the_first_schema_is_brought_up_to_date_and_not_read_before(tmp_path: Path) -> None:
    path = tmp_path / "deck.db"

    async def make() -> None:
        async with an_open_store(path) as store:
            await store.declare_traders({"north": "paper"})

    async def scenario() -> None:
        reader = SqliteReader(path, inline=True)
        with pytest.raises(NotThere, match="start an engine on it"):
            await reader.traders()
        await reader.close()
        async with an_open_store(path) as store:
            [north] = await store.traders()
            assert (north.name, north.account) == ("north", AccountFacts())

    play(make())
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ALTER TABLE trader DROP COLUMN drain")
        connection.execute("DROP TABLE candle")
        connection.execute("DROP INDEX fill_at")
        connection.execute("DROP INDEX event_trader")
        connection.execute("ALTER TABLE trader DROP COLUMN account")
        connection.execute("DELETE FROM migration WHERE number > 1")
        connection.execute("PRAGMA user_version=1")
    play(scenario())
