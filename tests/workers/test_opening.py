"""At the start every venue is opened beside the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from engine.clock import LoopClock
from engine.core.errors import ConfigError, ExchangeError, RefusalKind, Refused
from engine.workers.opening import AGAIN_S, WAIT_S, Opening
from engine.workers.trader import TraderActor
from tests.support.exchange import on_virtual_time


class Door:
    """A trader as far as its opening goes."""

    def __init__(self, name: str, opens: Callable[[], Awaitable[object]]) -> None:
        self.name, self._opens, self.is_open = name, opens, False

    async def open(self) -> None:
        await self._opens()
        self.is_open = True


async def _at_once() -> None:
    return


def _opened(*doors: Door) -> tuple[list[str], float]:
    told: list[str] = []

    async def tell(text: str) -> None:
        told.append(text)

    async def story() -> float:
        clock = LoopClock()
        desks: dict[str, TraderActor] = {door.name: door for door in doors}  # type: ignore[misc] # opens is all that is asked
        opening = Opening(desks, clock, tell)
        began_s = clock.elapsed()
        await opening.run()
        took_s = clock.elapsed() - began_s
        await opening.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return took_s

    return told, on_virtual_time(story())


def test_one_silent_venue_holds_up_nobody_for_long() -> None:
    silent, quick = Door("silent", lambda: asyncio.get_running_loop().create_future()), Door("quick", _at_once)
    told, took_s = _opened(silent, quick)
    assert quick.is_open
    assert not silent.is_open
    assert took_s == pytest.approx(WAIT_S)
    assert told == ["silent is not open yet; everything else begins"]


def test_a_venue_that_fails_is_told_and_the_others_open() -> None:
    async def fails() -> None:
        raise ExchangeError("north", "no connection")

    south = Door("south", _at_once)
    told, took_s = _opened(Door("north", fails), south)
    assert south.is_open
    assert took_s == sum(AGAIN_S)
    assert told == ["north could not be opened: north: no connection"]


def test_a_request_that_is_lost_at_the_start_costs_a_moment() -> None:
    losses = [ExchangeError("north", "no connection")] * 2

    async def flickers() -> None:
        if losses:
            raise losses.pop()

    north = Door("north", flickers)
    told, took_s = _opened(north)
    assert north.is_open
    assert took_s == sum(AGAIN_S[:2])
    assert told == []


def test_a_venue_that_refuses_is_not_asked_again_at_once() -> None:
    async def refuses() -> None:
        raise Refused("north", "the key is not known", RefusalKind.AUTH)

    told, took_s = _opened(Door("north", refuses))
    assert took_s == 0
    assert told == ["north could not be opened: north: the key is not known"]


def test_an_account_that_is_configured_wrongly_stops_the_start() -> None:
    async def fails() -> None:
        raise ConfigError("traders.north: no key")

    with pytest.raises(ConfigError, match="no key"):
        _opened(Door("north", fails))
