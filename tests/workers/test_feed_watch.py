"""The feed watch: each turn of an exchange is journalled once, and what does not turn is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.core.events import EventKind
from engine.core.feeds import FeedStanding, FeedState
from engine.market.candles import CandleBuilder
from engine.workers.feed import Feed, Listeners
from engine.workers.feed_watch import FeedWatch
from tests.support.world import ScriptedSource, World, WoundClock, a_world, live


@dataclass
class StandingSource(ScriptedSource):
    """A market whose exchanges stand as a test sets them."""

    stood: tuple[FeedStanding, ...] = ()

    def standings(self) -> Sequence[FeedStanding]:
        return self.stood


def a_watch(world: World) -> tuple[StandingSource, FeedWatch]:
    source = StandingSource(WoundClock())
    feed = Feed(source, CandleBuilder(), world.clock, Listeners())
    return source, FeedWatch(world.store, feed, world.clock)


def test_each_turn_is_journalled_once() -> None:
    async def story() -> None:
        async with a_world() as world:
            source, watch = a_watch(world)
            for state in ("connecting", "live", "live", "dead", "dead", "dead", "garbage", "live"):
                source.stood = (FeedStanding("kraken", FeedState(state), "why"), FeedStanding("okx", FeedState.LIVE))
                await watch.step()
            told = [event for event in await world.events() if event.kind is EventKind.FEED]
            assert [(e.from_state, e.to_state) for e in told if "kraken" in e.text] == [
                ("connecting", "live"),
                ("live", "dead"),
                ("dead", "garbage"),
                ("garbage", "live"),
            ]
            assert [e.text for e in told if "okx" in e.text] == ["feed okx is live"]

    live(story())


def test_a_source_that_asks_no_exchange_needs_no_watch() -> None:
    async def story() -> None:
        async with a_world() as world:
            _, watch = a_watch(world)
            await watch.run()

    live(story())
