"""The alerter keeps what the rules say, and what operators say about it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from engine.core.alerts import AlertFacts, AlertSettings
from engine.core.errors import CommandRefused
from engine.core.events import Alert, AlertState, BreakerState, Desired, Health, Level, TraderState
from engine.workers.alerter import Alerter
from tests.support.world import World, a_world, live

DOWN = TraderState("trader_a", "paper", health=Health.DOWN, health_fact="no answer")
PAUSED = TraderState("trader_a", "paper", desired=Desired.PAUSE, desired_by="ada")
OPEN = TraderState("trader_a", "paper", breaker=BreakerState.OPEN, breaker_fact="5 of 5 orders failed")
WELL = TraderState("trader_a", "paper", health=Health.UP)


class Scene:
    """An alerter over facts that a test sets: `trader` is the only one there is."""

    def __init__(self, world: World, trader: TraderState) -> None:
        self.world, self.trader = world, trader
        self.alerter = self.restarted()

    def restarted(self) -> Alerter:
        self.alerter = Alerter(self.world.store, self._facts, AlertSettings(), self.world.clock)
        return self.alerter

    async def _facts(self) -> AlertFacts:
        return AlertFacts(now=self.world.clock.wall(), traders=(self.trader,))

    async def watch(self, seconds: int) -> None:
        for _ in range(seconds // 5):
            await self.alerter.step()
            await self.world.clock.sleep(5)

    async def alerts(self) -> list[Alert]:
        open_ones = await self.world.store.alerts(resolved=False, limit=100)
        return open_ones + await self.world.store.alerts(resolved=True, limit=100)

    async def only(self, rule: str = "breaker_open") -> Alert:
        [alert] = [alert for alert in await self.alerts() if alert.rule == rule]
        return alert


def test_a_trader_that_is_down_for_a_minute_becomes_an_alert() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world, DOWN)
            await scene.watch(60)
            assert await scene.alerts() == []
            await scene.watch(10)
            alert = await scene.only("trader_unavailable")
            assert (alert.rule, alert.subject, alert.state) == ("trader_unavailable", "trader_a", AlertState.ACTIVE)
            [event] = await world.events("alert_raised")
            assert event.level is Level.INFO, "the error itself is in the journal already"
            assert event.detail["rule"] == "trader_unavailable"

    live(story())


def test_a_paused_trader_is_not_unavailable() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world, PAUSED)
            await scene.watch(600)
            assert await scene.alerts() == []

    live(story())


def test_what_is_over_is_resolved_once_it_stayed_quiet() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world, OPEN)
            await scene.watch(10)
            scene.trader = WELL
            await scene.watch(20)
            assert (await scene.only()).state is AlertState.ACTIVE
            await scene.watch(20)
            alert = await scene.only()
            assert alert.state is AlertState.RESOLVED
            assert alert.resolved_at is not None
            assert [event.code for event in await world.events() if event.code.startswith("alert_")] == [
                "alert_raised",
                "alert_resolved",
            ]

    live(story())


def test_an_acknowledged_alert_stays_acknowledged_while_it_holds() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world, OPEN)
            await scene.watch(10)
            number = (await scene.only()).id
            assert await scene.alerter.acknowledge(number, "ada") == f"alert {number} is acknowledged"
            await scene.watch(300)
            alert = await scene.only()
            assert (alert.state, alert.ack_by) == (AlertState.ACKNOWLEDGED, "ada")
            assert "by ada" in await scene.alerter.acknowledge(number, "bob")
            assert (await scene.only()).ack_by == "ada"

    live(story())


@pytest.mark.parametrize("word_first", [False, True])
def test_a_word_given_while_the_rules_look_is_not_lost(word_first: bool) -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world, OPEN)
            await scene.watch(10)
            number = (await scene.only()).id
            scene.trader = replace(OPEN, breaker_fact="6 of 6 orders failed")
            await world.clock.sleep(100)  # so that the text follows its figures
            look = asyncio.ensure_future(scene.alerter.step()) if not word_first else None
            word = asyncio.ensure_future(scene.alerter.acknowledge(number, "ada"))
            await asyncio.gather(word, look or scene.alerter.step())
            alert = await scene.only()
            assert alert.state is AlertState.ACKNOWLEDGED
            assert "6 of 6" in alert.text
            assert await world.events("alert_refreshed") == [], "new figures are no news"

    live(story())


def test_a_snoozed_alert_is_quiet_for_as_long_as_asked() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world, OPEN)
            await scene.watch(10)
            number = (await scene.only()).id
            began = world.clock.wall()
            await scene.alerter.snooze(number, 900.0, "ada")
            alert = await scene.only()
            assert alert.snoozed_until is not None
            assert (alert.snoozed_until - began).total_seconds() == 900

    live(story())


def test_alerts_that_are_not_there_or_over_cannot_be_acknowledged() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world, OPEN)
            with pytest.raises(CommandRefused, match="no alert 7"):
                await scene.alerter.acknowledge(7, "ada")
            await scene.watch(10)
            scene.trader = WELL
            await scene.watch(60)
            number = (await scene.only()).id
            with pytest.raises(CommandRefused, match="resolved"):
                await scene.alerter.snooze(number, 60.0, "ada")

    live(story())


def test_a_restart_goes_on_from_the_rows() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world, OPEN)
            await scene.watch(10)
            number = (await scene.only()).id
            scene.restarted()
            await scene.watch(10)
            assert (await scene.only()).id == number
            await scene.alerter.acknowledge(number, "ada")
            scene.restarted()
            scene.trader = WELL
            await scene.watch(60)
            assert (await scene.only()).state is AlertState.RESOLVED

    live(story())


def test_flapping_is_known_across_a_restart() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world, OPEN)
            for _ in range(2):
                scene.trader = OPEN
                await scene.watch(10)
                scene.trader = WELL
                await scene.watch(50)
            scene.restarted()
            scene.trader = OPEN
            await scene.watch(10)
            assert [event.code for event in await world.events() if event.code.startswith("alert_")][-1] == (
                "alert_flapping"
            )

    live(story())


def test_nothing_is_saved_while_nothing_changes() -> None:
    async def story() -> None:
        async with a_world() as world:
            scene = Scene(world, OPEN)
            await scene.watch(120)
            before = await world.store.change()
            await scene.watch(600)
            assert await world.store.change() == before

    live(story())
