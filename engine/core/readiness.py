"""The readiness diagnosis: every gate between a candle and a fill, asked now, with what to do about each no."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from engine.core.board import Check, EngineState, ExecutionStatus
from engine.core.events import BreakerState, Desired, TraderState
from engine.core.feeds import FeedStanding, FeedState
from engine.core.portfolio import EngineSwitches, Holdings
from engine.core.risk import Limits, positions_in
from engine.core.text import counted
from engine.core.values import Action, Vote

_NAMED: Final = 5  # symbols or reasons that a line names before it only counts


@dataclass(frozen=True, slots=True)
class ReadinessFacts:
    """What the diagnosis looks at, gathered at one moment. None is unknown, and unknown is not ok.

    `candles` has every symbol with its count of closed candles; `votes` each symbol's last words, by strategies;
    `voting_errors` what a strategy that failed said. `waiting` counts NEW and WAITING signals by the code of their
    reason. `clock_offset_s` is the worst offset against a venue. `traders_ready` are those whose outcomes left open by an
    earlier engine were looked up; None means all of them. `inbox` is where it listens, empty while it does not; None: there
    is none.
    """

    now: datetime
    engine: EngineState = EngineState.RUNNING
    feed: str = ""
    feed_age_s: float | None = None
    feed_age_s_max: float = 30.0
    feed_finished: bool = False
    feeds: tuple[FeedStanding, ...] = ()
    candles: Mapping[str, int] = field(default_factory=dict)
    candles_min: int = 5
    strategies: tuple[str, ...] = ()
    votes: Mapping[str, tuple[Vote, ...]] = field(default_factory=dict)
    voting_errors: Mapping[str, str] = field(default_factory=dict)
    last_signal_at: datetime | None = None
    waiting: Mapping[str, int] = field(default_factory=dict)
    oldest_waiting_s: float = 0.0
    automated: bool = True
    switches: EngineSwitches = field(default_factory=EngineSwitches)
    limits: Limits = field(default_factory=Limits)
    holdings: Holdings = field(default_factory=Holdings)
    traders: tuple[TraderState, ...] = ()
    traders_ready: frozenset[str] | None = None
    unknown: int = 0
    reviews: int = 0
    store_writable: bool = True
    store_fact: str = ""
    disk_ok: bool = True
    clock_sane: bool = True
    clock_offset_s: float | None = None
    clock_fact: str = ""
    inbox: str | None = None


def diagnose(facts: ReadinessFacts) -> ExecutionStatus:
    """Return every gate's answer, from the candle to the fill."""
    return ExecutionStatus(facts.now, tuple(check for gate in _GATES for check in gate(facts)))


def _engine(facts: ReadinessFacts) -> Iterator[Check]:
    running = facts.engine in {EngineState.RUNNING, EngineState.PAUSED, EngineState.HALTED}
    remedy = "" if running else "wait until it has started, or start it: signaldeck run"
    yield Check("engine", running, f"the engine is {facts.engine}", remedy)


def _feed(facts: ReadinessFacts) -> Iterator[Check]:
    name = facts.feed or "the feed"
    if facts.feed_finished:
        yield Check("feed", ok=False, fact=f"{name} has come to its end", remedy="start again, with more to replay")
        return
    if facts.feed_age_s is None:
        yield Check("feed", ok=False, fact=f"{name} has given no price yet", remedy="look at the market source")
        return
    ok = facts.feed_age_s <= facts.feed_age_s_max
    fact = f"the last price from {name} is {facts.feed_age_s:.1f} s old, {facts.feed_age_s_max:.0f} s is allowed"
    yield Check("feed", ok, fact, "" if ok else "look at the network and the market source")


def _feeds(facts: ReadinessFacts) -> Iterator[Check]:
    # With one feed flowing its symbols can be traded; the gate refuses those of the others by the age of their prices.
    are_none_flowing = not any(feed.is_flowing for feed in facts.feeds)
    for feed in facts.feeds:
        ok = feed.state is FeedState.LIVE
        named = _some(list(feed.symbols))
        fact = f"{feed.shown}: {feed.fact}" + (f" ({named})" if named else "")
        yield Check(f"feed {feed.name}", ok, fact, feed.remedy, decides=are_none_flowing)


def _candles(facts: ReadinessFacts) -> Iterator[Check]:
    enough = [s for s, count in facts.candles.items() if count >= facts.candles_min]
    short = [f"{s} {count}" for s, count in facts.candles.items() if count < facts.candles_min]
    fact = f"{len(enough)} of {len(facts.candles)} symbols have {facts.candles_min} candles or more"
    if short:
        fact += f"; too few: {_some(short)}"
    ok = bool(facts.candles) and not short
    remedy = "" if ok else "wait: each candle interval adds one" if facts.candles else "name symbols under [market]"
    yield Check("candles", ok, fact, remedy, decides=not enough)


def _strategies(facts: ReadinessFacts) -> Iterator[Check]:
    if not facts.strategies:
        remedy = "enable one under [strategies]; signals from outside need none"
        yield Check("strategies", ok=False, fact="no strategy is enabled", remedy=remedy, decides=False)
        return
    for name in facts.strategies:
        if name in facts.voting_errors:
            fact = f"it fails: {facts.voting_errors[name]}"
            yield Check(f"strategy {name}", ok=False, fact=fact, remedy="look at the error log", decides=False)
            continue
        words = [v.action for votes in facts.votes.values() for v in votes if v.strategy == name]
        said = ", ".join(f"{words.count(action)} {action}" for action in Action if action in words)
        fact = f"on {len(words)} symbols: {said}" if words else "it was not asked yet"
        remedy = "" if words else "wait for enough candles"
        yield Check(f"strategy {name}", bool(words), fact, remedy, decides=False)


def _votes(facts: ReadinessFacts) -> Iterator[Check]:
    voting = {symbol: [v for v in votes if v.action is not Action.HOLD] for symbol, votes in facts.votes.items()}
    strongest = {s: max(votes, key=lambda v: v.confidence) for s, votes in voting.items() if votes}
    least = facts.limits.confidence_min
    loud = [s for s, vote in strongest.items() if vote.confidence >= least]
    ok = bool(loud)
    if not strongest:
        fact = f"every strategy holds on all {len(voting)} symbols" if voting else "nothing was voted on yet"
    else:
        symbol, best = max(strongest.items(), key=lambda item: item[1].confidence)
        fact = (
            f"{len(strongest)} of {len(voting)} symbols have votes, {len(loud)} of at least {least:.2f}; "
            f"strongest: {best.strategy} {best.action} {symbol} {best.confidence:.2f}"
        )
    if facts.last_signal_at is not None:
        fact += f"; last signal {_ago(facts, facts.last_signal_at)}"
    remedy = "" if ok else "wait for the market, or lower limits.confidence_min (MIN_CONFIDENCE_THRESHOLD)"
    # Quiet strategies are no fault: a signal made now, by whomever, could be sent.
    yield Check("votes", ok, fact, remedy, decides=False)


def _queue(facts: ReadinessFacts) -> Iterator[Check]:
    held = {code: count for code, count in facts.waiting.items() if code and count}
    total = sum(facts.waiting.values())
    if not total:
        yield Check("queue", ok=True, fact="no signal waits")
        return
    named = [f"{count} {code}" for code, count in sorted(held.items(), key=lambda item: -item[1])]
    why = f": {_some(named)}" if named else ""
    fact = f"{counted(total, 'signal waits', 'signals wait')}, the oldest for {facts.oldest_waiting_s:.0f} s{why}"
    remedy = "enter on a signal shows its story" if held else ""
    yield Check("queue", not held, fact, remedy, decides=False)


def _switches(facts: ReadinessFacts) -> Iterator[Check]:
    on = facts.automated and facts.limits.automated_trading
    remedy = "" if on else "set limits.automated_trading = true (ENABLE_AUTOMATED_TRADING) and start again"
    yield Check("automated trading", on, "on" if on else "off: only exits are sent", remedy)
    switches = facts.switches
    if not switches.halted:
        yield Check("kill switch", ok=True, fact="off")
        return
    since = f" {_ago(facts, switches.halted_at)}" if switches.halted_at is not None else ""
    why = f": {switches.halted_why}" if switches.halted_why else ""
    fact = f"halted by {switches.halted_by or 'an operator'}{since}{why}"
    yield Check("kill switch", ok=False, fact=fact, remedy="release it: signaldeck release")


def _limits(facts: ReadinessFacts) -> Iterator[Check]:
    limits, trades = facts.limits, facts.holdings.trades
    holdings, most = facts.holdings, limits.positions_per_symbol_max
    count = positions_in(holdings)
    symbols = {p.symbol for p in holdings.positions} | {symbol for symbol, _ in holdings.entries} | set(facts.candles)
    full = sorted(s for s in symbols if positions_in(holdings, s) >= most)
    fact = f"{count} of {limits.positions_max} used"
    remedy = "wait for an exit, or raise limits.positions_max (MAX_TOTAL_POSITIONS)"
    room = count < limits.positions_max
    yield Check("positions", room, fact, "" if room else remedy)
    if full:
        fact = f"{most} a symbol; full: {_some(full)}"
        remedy = "wait for their exits, or raise limits.positions_per_symbol_max (MAX_POSITIONS_PER_SYMBOL)"
        all_full = bool(facts.candles) and all(s in full for s in facts.candles)
        yield Check("positions per symbol", ok=False, fact=fact, remedy=remedy, decides=all_full)
    for gate, used, allowed, name in (
        (
            "trades per hour",
            trades.trades_hour,
            limits.trades_per_hour_max,
            "trades_per_hour_max (MAX_TRADES_PER_HOUR)",
        ),
        ("trades per day", trades.trades_day, limits.trades_per_day_max, "trades_per_day_max (MAX_TRADES_PER_DAY)"),
    ):
        ok = used < allowed
        yield Check(gate, ok, f"{used} of {allowed} used", "" if ok else f"wait, or raise limits.{name}")


def _traders(facts: ReadinessFacts) -> Iterator[Check]:
    able = [t for t in facts.traders if t.is_available and _is_ready(facts, t)]
    ok = bool(able)
    fact = f"{len(able)} of {len(facts.traders)} can take an order" if facts.traders else "no trader is configured"
    remedy = "" if ok else "see each trader below" if facts.traders else "add one under [[traders]]"
    yield Check("traders", ok, fact, remedy)
    for trader in facts.traders:
        yield _trader(facts, trader)
        yield from _account(trader)


def _trader(facts: ReadinessFacts, trader: TraderState) -> Check:
    gate = f"trader {trader.name}"
    if trader.why_not:
        return Check(gate, ok=False, fact=trader.why_not, remedy=_remedy_for(facts, trader), decides=False)
    if not _is_ready(facts, trader):
        fact = "outcomes left open by the engine before are being looked up"
        return Check(gate, ok=False, fact=fact, remedy="wait: it takes some seconds", decides=False)
    live = counted(trader.in_flight, "live order")
    fact = f"{trader.exchange}, {trader.health}, {live}, {trader.successes} of {trader.attempts} attempts succeeded"
    return Check(gate, ok=True, fact=fact, decides=False)


def _account(trader: TraderState) -> Iterator[Check]:
    account = trader.account
    if account.venue is not None:
        fact = f"when an answer is lost it {account.venue.when_lost}; {account.venue.matrix}"
        yield Check(f"venue {trader.name}", ok=True, fact=fact, decides=False)
    gate = f"account {trader.name}"
    if account.troubles:
        fact, remedy = "; ".join(account.troubles), "compare its balances and orders with the venue's own page"
        yield Check(gate, ok=False, fact=fact, remedy=remedy, decides=False)
    if account.external_count:
        fact = f"{account.external_text}: they are left alone"
        yield Check(gate, ok=True, fact=fact, decides=False)
    if account.audit_error:
        fact, remedy = f"could not be compared with the store: {account.audit_error}", "wait, or look at the venue"
        yield Check(gate, ok=False, fact=fact, remedy=remedy, decides=False)
    elif account.audited_at is not None and not account.troubles:
        fact = f"agrees with the store as of {account.audited_at:%H:%M:%S} UTC"
        yield Check(gate, ok=True, fact=fact, decides=False)


def _remedy_for(facts: ReadinessFacts, trader: TraderState) -> str:
    if trader.desired is not Desired.RUN:
        return f"signaldeck trader resume {trader.name}, or r on it"
    if trader.quarantined:
        return f"answer its reviews, then signaldeck trader resume {trader.name}"
    if trader.breaker is BreakerState.FORCED_OPEN:
        return f"correct its key, then signaldeck trader resume {trader.name}"
    if trader.breaker is BreakerState.OPEN:
        left = (trader.open_until - facts.now).total_seconds() if trader.open_until is not None else 0.0
        return f"wait {left:.0f} s for its probe" if left > 0 else "wait for its probe"
    return "wait, or look at the venue and the network"


def _outcomes(facts: ReadinessFacts) -> Iterator[Check]:
    ok = not facts.reviews
    fact = f"{facts.unknown} unknown, being looked up; {facts.reviews} need a review"
    if facts.unknown or facts.reviews:
        fact += "; no other trader is used for these before their outcome is proven"
    remedy = "" if ok else "open them in the queue: A attaches the order, B declares it absent"
    yield Check("outcomes", ok, fact, remedy, decides=False)


def _store(facts: ReadinessFacts) -> Iterator[Check]:
    ok = facts.store_writable and facts.disk_ok
    fact = facts.store_fact or (
        "it takes writes" if ok else "it takes no writes" if facts.disk_ok else "the disk is full"
    )
    yield Check("store", ok, fact, "" if ok else "free space, or mend the disk; nothing is sent until then")


def _clock(facts: ReadinessFacts) -> Iterator[Check]:
    offset = f"{facts.clock_offset_s * 1000:+.0f} ms off the venue" if facts.clock_offset_s is not None else ""
    fact = facts.clock_fact or offset or "in order"
    yield Check("clock", facts.clock_sane, fact, "" if facts.clock_sane else "set the machine's clock (NTP)")


def _inbox(facts: ReadinessFacts) -> Iterator[Check]:
    if facts.inbox is None:
        return
    fact = f"it listens on {facts.inbox}" if facts.inbox else "it does not listen"
    remedy = "" if facts.inbox else "wait until the engine has started"
    yield Check("inbox", bool(facts.inbox), fact, remedy, decides=False)


_GATES: Final = (
    _engine,
    _feed,
    _feeds,
    _candles,
    _strategies,
    _votes,
    _queue,
    _switches,
    _limits,
    _traders,
    _outcomes,
    _store,
    _clock,
    _inbox,
)


def _is_ready(facts: ReadinessFacts, trader: TraderState) -> bool:
    return facts.traders_ready is None or trader.name in facts.traders_ready


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _ago(facts: ReadinessFacts, at: datetime) -> str:
    seconds = max(0.0, (facts.now - at).total_seconds())
    return f"{seconds:.0f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"
