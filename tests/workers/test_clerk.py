"""The clerk over a store that is busy: a kill switch does not give up at the first try, and is whole or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import pytest

from engine.core.commands import CommandKind, CommandState, NewCommand
from engine.core.errors import StoreBusy
from engine.store.base import Store
from engine.workers.alerter import Alerter
from engine.workers.clerk import INSIST_S, Clerk, ClerkWorld
from tests.support.exchange import on_virtual_time
from tests.support.office import Office, an_office, an_order


class Busy:
    """A store that is busy the first `times` that it is asked for one thing."""

    def __init__(self, store: Store, asked: str, times: int) -> None:
        self._store, self._asked, self.times = store, asked, times

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return partial(self._refuse, found) if name == self._asked else found

    async def _refuse(self, ask: Callable[..., Awaitable[Any]], *given: object) -> Any:
        if self.times <= 0:
            return await ask(*given)
        self.times -= 1
        raise StoreBusy("the store is busy")


def a_clerk(office: Office, busy: Busy) -> Clerk:
    store = cast(Store, busy)

    async def refresh() -> None:
        await store.switches()

    world = ClerkWorld(
        store, office.clock, {"a": office.desk}, office.reconciler, cast(Alerter, None), refresh, lambda _: None,
        lambda: None,
    )  # fmt: skip
    return Clerk(world)


def a_halt(office: Office) -> NewCommand:
    return NewCommand("one", CommandKind.HALT, "ann", office.clock.wall())


@asynccontextmanager
async def an_office_with_open_orders(count: int) -> AsyncIterator[Office]:
    async with an_office() as office:
        office.venue.answers = [an_order] * count  # open, with nothing filled
        for _ in range(count):
            await office.send()
        yield office


@pytest.mark.parametrize("asked", ["set_halted", "switches", "live_attempts", "finish"])
def test_a_halt_that_meets_a_busy_store_is_carried_out_all_the_same(asked: str) -> None:
    async def story() -> None:
        async with an_office_with_open_orders(3) as office:
            clerk = a_clerk(office, Busy(office.store, asked, times=4))
            done = await clerk.submit(a_halt(office))
            assert done.state is CommandState.DONE
            assert not await office.store.posted()
            assert (await office.store.switches()).halted
            for attempt in await office.store.live_attempts():
                signal = await office.store.signal(attempt.signal_id)
                assert signal is not None
                assert signal.cancel_requested
            await clerk.close()

    on_virtual_time(story())


def test_a_store_that_stays_busy_is_told_and_nothing_is_half_halted() -> None:
    async def story() -> None:
        async with an_office_with_open_orders(1) as office:
            clerk = a_clerk(office, Busy(office.store, "set_halted", times=1_000))
            began = office.clock.elapsed()
            with pytest.raises(StoreBusy):
                await clerk.submit(a_halt(office))
            assert INSIST_S <= office.clock.elapsed() - began < INSIST_S + 1
            assert not (await office.store.switches()).halted
            [attempt] = await office.store.live_attempts()
            signal = await office.store.signal(attempt.signal_id)
            assert signal is not None
            assert not signal.cancel_requested

    on_virtual_time(story())
