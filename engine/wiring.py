"""The only place where concrete classes meet: settings go in, an engine that can be run comes out."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.clock import Chance, Clock, EngineLoop, LoopClock, SeededChance, SystemChance, run_on
from engine.config_text import trader_shown
from engine.control import ControlServer
from engine.core.errors import ConfigError, SignalDeckError
from engine.core.intake import RESERVED_SOURCES
from engine.core.values import Mode
from engine.engine import Crew, Engine, EngineParts, ExitCode
from engine.exchanges.base import EXCHANGES, Account, PriceTaker, Surroundings
from engine.exchanges.ccxt_live.kind import NAME as CCXT
from engine.exchanges.guarded import Guarded, GuardSettings
from engine.execution import PipelineSettings, Tenure
from engine.keys import KeyPlace, load
from engine.log import logger
from engine.market.base import MarketSource
from engine.market.candles import CandleBuilder
from engine.market.ccxt_polling import CcxtSource
from engine.market.replay import ReplaySource
from engine.market.synthetic import SyntheticSource
from engine.pipeline import OrderExecutionPipeline
from engine.places import socket_path
from engine.redaction import REDACT
from engine.settings import Settings, TraderSettings
from engine.store.sqlite import SqliteStore
from engine.strategies.base import STRATEGIES
from engine.workers.alert_facts import AlertGatherer, AlertSources
from engine.workers.alerter import Alerter
from engine.workers.analyst import Analyst, AnalystSettings
from engine.workers.auditor import Auditor
from engine.workers.booking import ReconcilerWorld
from engine.workers.clerk import Clerk, ClerkWorld
from engine.workers.clock_watch import ClockWatch
from engine.workers.dispatcher import Dispatcher
from engine.workers.exits import ExitSettings, ExitWatch
from engine.workers.feed import Feed, Listeners
from engine.workers.feed_watch import FeedWatch
from engine.workers.floor import Floor
from engine.workers.health import TraderHealthChecker
from engine.workers.keeper import Keeper, KeeperSettings, Telling
from engine.workers.panel import Panel, Seat
from engine.workers.reconciler import Reconciler
from engine.workers.recorder import Recorder
from engine.workers.situation import Situation, SituationParts
from engine.workers.trader import TraderActor, TraderWorld

if TYPE_CHECKING:  # else imported only where there is an inbox: it brings aiohttp
    from engine.inbox.refusals import RefusalBook
    from engine.inbox.server import InboxServer

REAL_READ_S: Final = 10.0  # a lookup at a real exchange is several calls, each of which waits for its turn
SEED: Final = 20260101  # of a demo or a replay that names none: the same prices and the same weather each time

_log = logger("wiring")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to build. `pace` is the loop's (None: as fast as the work allows), and must be that of the loop it runs on.

    `seed` None takes the usual one in a demo or a replay, and the machine's entropy wherever real money may be.
    """

    settings: Settings
    mode: Mode
    db: Path
    pace: float | None = 1.0
    seed: int | None = None
    until_finished: bool = False


@dataclass
class Deck:
    """An engine and what belongs to it. Run it on a loop from `loop_factory`, once."""

    plan: Plan
    engine: Engine
    control: ControlServer
    clock: Clock
    loop_factory: Callable[[], EngineLoop]
    inbox: InboxServer | None = None

    async def run(self, stop: asyncio.Event, on_ready: Callable[[], None] | None = None) -> ExitCode:
        """Start, listen on the control socket and in the inbox, work until `stop` or the recording's end, drain, close.

        Raises what the start raises: StoreLocked, StoreBroken, BadInput, ConfigError.
        """

        async def started() -> None:
            await self.control.start()
            if self.inbox is not None:
                await self.inbox.start()
            if on_ready is not None:
                on_ready()

        try:
            return await self.engine.run(stop, started=started)
        finally:
            if self.inbox is not None:
                await self.inbox.stop()
            await self.control.stop()


def build(plan: Plan) -> Deck:
    """Make everything and connect it. Touches neither network nor disk, but for the inbox's token. Raises ConfigError."""
    return _Builder(plan).build()


@dataclass
class _Builder:
    plan: Plan
    clock: LoopClock = field(default_factory=LoopClock)
    tenure: Tenure = field(default_factory=Tenure)

    def build(self) -> Deck:
        plan, settings = self.plan, self.plan.settings
        self.chance = self._chance()
        self.inline = plan.pace is None
        self.store = SqliteStore(plan.db, clock=self.clock, inline=self.inline, uuid_source=self.chance.stream("store"))
        around = Surroundings(self.clock, self.chance, str(plan.db), inline=self.inline)
        self.desks = {t.name: self._desk(t, around) for t in settings.traders if t.enabled}
        source = self._source()
        takers = [d.exchange.adapter for d in self.desks.values()]
        observers = [t.observe for t in takers if isinstance(t, PriceTaker)]
        candles = settings.market.candles
        self.recorder = Recorder(self.store)
        builder = CandleBuilder(candles.interval_s, candles.history, candles.flat_max)
        self.feed = Feed(
            source, builder, self.clock,
            Listeners(observers, lambda: self.analyst.nudge(), lambda: self.dispatcher.reconsider(), self.recorder.take),
        )  # fmt: skip
        self.health = TraderHealthChecker(self.store, self.desks, settings.health, self.clock, self.chance)
        self.watch = ClockWatch(self.store, self.clock, self.health.relearn)
        self.analyst = self._analyst()
        self.situation = Situation(self._situation_parts())
        self.pipeline = OrderExecutionPipeline(
            self.store,
            self.desks,
            self.situation,
            PipelineSettings(settings.limits, settings.retry, self.tenure, self.chance.stream("pipeline")),
            self.clock,
        )
        self.book = self._refusal_book()
        engine = Engine(self._parts(source, around))
        control, inbox = ControlServer(engine, socket_path(plan.db)), self._inbox(engine)
        return Deck(plan, engine, control, self.clock, run_on(plan.pace), inbox)

    def _refusal_book(self) -> RefusalBook | None:
        """Return the inbox's part in the engine, None where there is no inbox: also where time is not the world's, by
        which its senders go.
        """
        plan = self.plan
        if not plan.settings.inbox.enabled:
            return None
        if plan.mode is Mode.REPLAY or plan.pace != 1.0:
            _log.warning("no inbox: the engine's time is not the world's", mode=plan.mode)
            return None
        from engine.inbox.refusals import RefusalBook

        return RefusalBook(self.store.note, self.clock)

    def _inbox(self, engine: Engine) -> InboxServer | None:
        if self.book is None:
            return None
        from engine.inbox.server import InboxServer
        from engine.inbox.token import load_token

        settings = self.plan.settings.inbox
        inbox = InboxServer(engine, settings, load_token(settings, os.environ), self.book, self.clock)
        self.situation.inbox = lambda: inbox.address
        return inbox

    def _chance(self) -> Chance:
        if self.plan.mode in {Mode.DEMO, Mode.REPLAY}:
            return SeededChance(SEED if self.plan.seed is None else self.plan.seed)
        if self.plan.seed is not None and self.plan.mode is Mode.LIVE:
            raise ConfigError("--seed: a seed makes order ids repeat; it is for demos and replays only")
        return SystemChance() if self.plan.seed is None else SeededChance(self.plan.seed)

    def _desk(self, trader: TraderSettings, around: Surroundings) -> TraderActor:
        settings = self.plan.settings
        kind = EXCHANGES.get(trader.exchange if trader.exchange in EXCHANGES.names() else CCXT)
        options = {"paper": trader.paper, "weather": trader.weather, "ccxt": trader.ccxt}
        credentials = None if trader.is_paper else partial(load, _key_place(trader), os.environ)
        adapter = kind(Account(trader.name, trader.exchange, options, credentials, trader.sandbox), around)
        exchange = Guarded(
            adapter,
            clock=self.clock,
            chance=self.chance,
            settings=GuardSettings(breaker=settings.breaker, **({} if trader.is_paper else {"read_s": REAL_READ_S})),
            on_breaker=lambda _: self._woken(),
        )
        exchange.heed(lambda: self.situation.objection(trader.name))
        world = TraderWorld(
            self.store,
            self.clock,
            self.chance.stream(f"trader/{trader.name}"),
            settings.retry,
            self.tenure,
            freed=lambda: self.dispatcher.nudge(),
            failed=lambda name, error: self.health.report_trader_failure(name, error),
            answered=lambda name: self.health.report_trader_answer(name),
            left=lambda at: self.reconciler.expect(at),
        )
        shown, slots = trader_shown(trader), settings.engine.in_flight_max
        return TraderActor(trader.name, exchange, world, in_flight_max=slots, settings=shown)

    def _woken(self) -> None:
        self.health.nudge()
        self.dispatcher.reconsider()

    def _source(self) -> MarketSource:
        market = self.plan.settings.market
        if market.source == "ccxt":
            return CcxtSource(self.plan.settings.feeds, market.candles, self.clock, self.chance)
        if market.source == "replay":
            return ReplaySource(market.replay.paths, self.clock, market.replay, interval_s=market.candles.interval_s)
        return SyntheticSource(market.synthetic, self.clock, self.chance, interval_s=market.candles.interval_s)

    def _analyst(self) -> Analyst:
        settings = self.plan.settings
        preferred = settings.preferred_traders
        seats: list[Seat] = []
        for name, chosen in settings.strategies.items():
            if not chosen.enabled:
                continue
            try:
                kind = STRATEGIES.get(name)
            except KeyError as unknown:
                raise ConfigError(f"strategies.{name}: {unknown.args[0]}") from None
            strategy = kind(kind.Parameters.model_validate(dict(chosen.parameters)))
            seats.append(Seat(name, strategy, chosen.weight or kind.default_weight, preferred.get(name)))
        engine = settings.engine
        rhythm = AnalystSettings(
            generate_every_s=engine.generate_every_s,
            candles_min=settings.market.candles.minimum,
            ttl_s=engine.signal_ttl_s,
            cooldown_s=engine.cooldown_s,
        )
        floor = Floor(self.store, self.feed, self.clock, stored=lambda: self.dispatcher.nudge())
        return Analyst(floor, Panel(seats), ExitWatch(floor, settings.limits, ExitSettings()), rhythm)

    def _situation_parts(self) -> SituationParts:
        plan = self.plan
        return SituationParts(
            self.store, self.clock, self.desks, self.feed, self.analyst, self.health, self.watch,
            plan.settings.limits, plan.mode, "max" if plan.pace is None else f"{plan.pace:g}", plan.settings.market.candles,
        )  # fmt: skip

    def _parts(self, source: MarketSource, around: Surroundings) -> EngineParts:
        settings, store = self.plan.settings, self.store
        world = ReconcilerWorld(
            store, self.clock, self.chance.stream("reconciler"), settings.retry, self.tenure, self.desks,
            freed=lambda: self.dispatcher.nudge(),
            quarantine=self.health.quarantine,
            may_send=self.situation.may_send,
        )  # fmt: skip
        self.reconciler = Reconciler(world)
        auditor = Auditor(world, self.reconciler.look_now, self.health.nudge, every_s=settings.engine.reconcile_every_s)
        keeping = settings.store
        keeper = Keeper(
            store,
            Telling(self.situation.facts, self.pipeline.diagnose_execution_readiness),
            KeeperSettings.model_validate(keeping.model_dump(exclude={"path"})),
            self.clock,
            self.recorder,
        )
        self.situation.keeper = keeper
        told = AlertSources(
            self.health.states, self.situation.feed_age_s, keeper, self.watch, lambda: self.feed.facts().venues
        )
        alerter = Alerter(store, AlertGatherer(store, told, self.clock), settings.alerts, self.clock)
        watch = FeedWatch(store, self.feed, self.clock)
        clerk = Clerk(
            ClerkWorld(
                store, self.clock, self.desks, self.reconciler, alerter, self.situation.refresh, self.health.lift,
                lambda: self.dispatcher.reconsider(), settings.engine.signal_ttl_s,
            )
        )  # fmt: skip
        crew = Crew(self.pipeline)
        self.dispatcher = Dispatcher(store, self.pipeline, crew, self.clock, sweep_s=settings.engine.sweep_every_s)
        return EngineParts(
            store, self.clock, lambda epoch: self.chance.stream(f"signals/{epoch}"), self.tenure, self.desks, self.feed, self.analyst,
            self.pipeline, self.dispatcher, self.reconciler, clerk, self.situation, crew, keeper, self.health,
            others={
                "health": self.health, "alerter": alerter, "keeper": keeper, "clock watch": self.watch, "feed watch": watch,
                "auditor": auditor, **({"inbox": self.book} if self.book is not None else {}),
            },
            traders={t.name: t.exchange for t in settings.traders if t.enabled},
            closers=[shared.close for shared in around.shared.values()],
            before_open=lambda: self._begin(source),
            signal_ttl_s=settings.engine.signal_ttl_s,
            drain_s=settings.engine.drain_s,
            history=settings.market.candles.history,
            reserved_sources=RESERVED_SOURCES | {seat.name for seat in self.analyst.panel.seats},
            until_finished=self.plan.until_finished,
        )  # fmt: skip

    async def _begin(self, source: MarketSource) -> None:
        begins = source.begins_at()
        if begins is None and self.plan.pace != 1.0:
            begins = self.clock.today()  # the system's time does not follow a loop that runs at a pace of its own
        if begins is not None:
            self.clock.begin(begins)


def _key_place(trader: TraderSettings) -> KeyPlace:
    return KeyPlace(
        trader.name, trader.api_key_env, trader.secret_env, trader.password_env, trader.key_file, trader.keyring
    )


class EngineThread:
    """An engine in a thread and on a loop of its own, so that no terminal can ever hold up an order."""

    def __init__(self, plan: Plan) -> None:
        self._deck = build(plan)
        self._thread = threading.Thread(target=self._main, name="engine", daemon=True)
        self._ready, self._ended = threading.Event(), threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: EngineLoop | None = None
        self.failure: BaseException | None = None
        self.exit_code: ExitCode | None = None

    @property
    def service(self) -> Engine:
        """Return the engine; its coroutines belong on `loop`."""
        return self._deck.engine

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        assert self._loop is not None, "started"
        return self._loop

    @property
    def error(self) -> str:
        """Return why the engine is not running any more, or the empty text while it runs or after a stop in order."""
        if self.failure is not None:
            return REDACT.line(f"{type(self.failure).__name__}: {self.failure}")
        if self._ended.is_set() and self._deck.engine.failure is not None:
            return REDACT.line(str(self._deck.engine.failure))
        return ""

    def start(self) -> None:
        self._thread.start()

    def wait_ready(self, timeout: float | None = None) -> bool:
        """Wait until signals are taken, or the start failed; False if neither happened in time.

        Raises the start's own error.
        """
        reached = self._ready.wait(timeout)
        if self.failure is not None:
            raise self.failure
        return reached

    def request_stop(self) -> None:
        """Ask the engine to drain and end. Safe from any thread and from a signal handler, and to repeat."""
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end; False if it has not come in time."""
        return self._ended.wait(timeout)

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._make_loop) as runner:
                self.exit_code = runner.run(self._run())
        except SignalDeckError as failure:
            self.failure = failure
        except BaseException as failure:  # noqa: BLE001 - the thread's own supervisor: the screen must learn of it
            _log.error("the engine's thread ended", error=failure)
            self.failure = failure
        finally:
            self._ended.set()
            self._ready.set()

    def _make_loop(self) -> EngineLoop:
        self._loop = self._deck.loop_factory()
        return self._loop

    async def _run(self) -> ExitCode:
        self._stop = asyncio.Event()
        return await self._deck.run(self._stop, self._ready.set)
