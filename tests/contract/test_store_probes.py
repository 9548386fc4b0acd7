"""Which orders are due for a look."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from engine.core.lifecycle import AttemptStep
from tests.support.builders import NOW, a_signal
from tests.support.store import EVERY_STORE, Stage, on_stage

LATER = NOW + timedelta(seconds=30)


@EVERY_STORE
def test_orders_of_traders_that_nobody_asks_for_take_no_place_among_those_that_are_due(
    kind: str, tmp_path: Path
) -> None:
    async def scenario(stage: Stage) -> None:
        for _ in range(5):
            await stage.step(await stage.commit(a_signal(), trader="gone"), AttemptStep.LOSE_ANSWER)
        mine = await stage.commit(a_signal(), trader="here")
        await stage.step(mine, AttemptStep.LOSE_ANSWER)
        store = await stage.turn()
        due = await store.due_probes(LATER, 2, {"here": 1, "elsewhere": 2}.keys())
        assert [a.client_order_id for a in due] == [mine.request.client_order_id]
        assert len(await store.due_probes(LATER, 10, ["gone", "here"])) == 6
        assert await store.due_probes(LATER, 10, []) == []

    on_stage(kind, tmp_path, scenario)
