"""A trader is taken out of the configuration while orders of it are open: the others do not suffer, and somebody is told."""

from __future__ import annotations

from pathlib import Path

from engine.core.events import Event, Level
from engine.core.lifecycle import SignalState
from tests.support.decks import Running, a_running, a_trader, settings_of
from tests.support.world import live

LEFT = 80  # more than are looked at in one go


async def told(running: Running) -> list[Event]:
    found: list[Event] = []
    while page := await running.engine.store.events(found[-1].seq if found else 0, 1_000):
        found += page
    return [event for event in found if event.code == "unattended"]


def test_orders_that_nobody_looks_after_are_told_of_once_a_start_and_hold_up_no_other_trader(tmp_path: Path) -> None:
    south = a_trader("south", part_rate=1.0, parts_max=3, part_gap_s=5)

    async def play() -> None:
        both = settings_of(a_trader("north", start_quote="10000000"), south)
        async with a_running(tmp_path / "deck.sqlite", both) as running:
            await running.pass_time(12)
            far_below = str(round(running.engine._parts.feed.quotes["BTC/USDT"].price * 85 / 100))
            for n in range(LEFT):
                await running.hand_in(trader="north", quantity="0.001", price=far_below, ttl=80_000)
                if n % 10 == 9:
                    await running.pass_time(2)
            await running.pass_time(10)
            assert len(await running.engine.store.live_attempts()) == LEFT
            assert await told(running) == []
        for start in (1, 2):
            async with a_running(tmp_path / "deck.sqlite", settings_of(south)) as running:
                await running.pass_time(400)
                taken = await running.hand_in(trader="south")
                await running.until(taken.signal_id, SignalState.DONE, within_s=30)
                events = await told(running)
                assert len(events) == start, "once a start, however often it looks"
                assert (events[-1].level, events[-1].trader) == (Level.ERROR, "north")
                assert f"{LEFT} open, 0 without a known outcome" in events[-1].text
                assert "put it back under [[traders]]" in events[-1].text
        async with a_running(tmp_path / "deck.sqlite", both) as running:
            await running.pass_time(60)
            assert len(await told(running)) == 2
            assert min(a.probes for a in await running.engine.store.live_attempts()) > 0

    live(play())
