"""The alert rules: each looks at the facts and names what is wrong now.

A rule is one function: its name is the alert's, its docstring the help text, its keyword defaults the thresholds.
A rule that asks for `raised` gets the subjects for which it stands raised: those are judged by the threshold to clear,
which lies apart from the one to raise. Everything about waiting, keeping and flapping is in `alerting`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from pydantic import Field, model_validator

from engine.core.alerting import Condition, Held, Key, Moment, Outcome, Patience, Timing, Watch, settle
from engine.core.events import Alert, AlertState, BreakerState, Desired, Severity, TraderState
from engine.core.feeds import FeedStanding, FeedState
from engine.core.text import counted


@dataclass(frozen=True, slots=True)
class OpenCase:
    """A signal whose attempt is unknown, or waits for a review, since then."""

    signal_id: str
    trader: str
    since: datetime


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """What the rules look at, gathered at one moment. None and the empty text mean that there is nothing to judge.

    `success_rate` and `judged` (attempts with an outcome) are of the last 5 min. `queue` holds (when, how many signals
    wait), oldest first, over the last 3 min, and `executions` counts the signals executed in them.
    """

    now: datetime
    success_rate: float | None = None
    judged: int = 0
    last_execution_at: datetime | None = None
    due: int = 0
    oldest_due_age_s: float = 0.0
    queue: tuple[tuple[datetime, int], ...] = ()
    executions: int = 0
    traders: tuple[TraderState, ...] = ()
    unknown: tuple[OpenCase, ...] = ()
    reviews: tuple[OpenCase, ...] = ()
    feed_age_s: float | None = None
    feeds: tuple[FeedStanding, ...] = ()
    clock_jump_s: float = 0.0
    store_error: str = ""
    disk_free_bytes: int | None = None
    heartbeat_age_s: float | None = None
    auth_refusals: tuple[tuple[str, str], ...] = ()  # (trader, what the venue said)


class Keep(StrEnum):
    """How long an alert outlives its condition: the setting keep_state_s or keep_rate_s."""

    STATE = "state"
    RATE = "rate"


Ask = Callable[..., Iterator[Condition]]


@dataclass(frozen=True, slots=True)
class Waits:
    """A rule's times: how long it must hold to be raised, and which gaps in that are forgiven; how long it is kept."""

    raise_after_s: float = 0.0
    forgive_s: float = 0.0
    keep: Keep = Keep.STATE


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One rule as registered."""

    name: str
    help: str
    severity: Severity
    remedy: str
    waits: Waits
    thresholds: Mapping[str, float]
    asks_raised: bool
    ask: Ask


_REGISTER: dict[str, AlertRule] = {}
RULES: Final[Mapping[str, AlertRule]] = _REGISTER


def rule(severity: Severity, remedy: str, waits: Waits | None = None) -> Callable[[Ask], Ask]:
    """Register a rule under its function's name."""

    def register(ask: Ask) -> Ask:
        parameters = inspect.signature(ask).parameters
        thresholds = {p.name: p.default for p in parameters.values() if p.kind is p.KEYWORD_ONLY}
        name, text = ask.__name__, inspect.cleandoc(ask.__doc__ or "")
        asks_raised = "raised" in parameters
        _REGISTER[name] = AlertRule(name, text, severity, remedy, waits or Waits(), thresholds, asks_raised, ask)
        return ask

    return register


class AlertSettings(Timing):
    """Which rules are off, and thresholds that differ from the rules' own.

    `thresholds` goes from a rule's name to its keyword arguments; `raise_after_s` is one of every rule.
    """

    off: frozenset[str] = frozenset()
    thresholds: Mapping[str, Mapping[str, float]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name in (*self.off, *self.thresholds):
            if name not in RULES:
                raise ValueError(f"no alert rule is called {name!r}; known: {', '.join(RULES)}")
        for name, own in self.thresholds.items():
            known = {*RULES[name].thresholds, "raise_after_s"}
            if unknown := set(own) - known:
                raise ValueError(f"{name} has no threshold {min(unknown)!r}; known: {', '.join(sorted(known))}")
        return self


def evaluate(
    known: Sequence[Alert], pending: Mapping[Key, Watch], facts: AlertFacts, settings: AlertSettings
) -> Outcome:
    """Ask every rule and return the alerts to save, and what to hand in as `pending` at the next look.

    `known` are the unresolved alerts, and the ones resolved in the last 10 min if those are at hand.
    """
    raised: dict[str, set[str]] = {}
    for alert in known:
        if alert.state is not AlertState.RESOLVED:
            raised.setdefault(alert.rule, set()).add(alert.subject)
    held: dict[Key, Held] = {}
    for name, spec in RULES.items():
        if name in settings.off:
            continue
        own = dict(settings.thresholds.get(name, ()))
        wait_s = own.pop("raise_after_s", spec.waits.raise_after_s)
        about = (facts, frozenset(raised.get(name, ()))) if spec.asks_raised else (facts,)
        for condition in spec.ask(*about, **own):
            held[name, condition.subject] = Held(condition, spec.severity, spec.remedy, wait_s)
    return settle(held, _patience(settings), known, pending, Moment(facts.now, settings))


def _patience(settings: AlertSettings) -> dict[str, Patience]:
    keeps = {Keep.STATE: settings.keep_state_s, Keep.RATE: settings.keep_rate_s}
    return {name: Patience(keeps[spec.waits.keep], spec.waits.forgive_s) for name, spec in RULES.items()}


@rule(Severity.CRITICAL, "look at the error log, then at the traders that it names", Waits(keep=Keep.RATE))
def success_rate_low(
    facts: AlertFacts,
    raised: frozenset[str],
    *,
    raise_below: float = 0.90,
    clear_at: float = 0.95,
    attempts_min: int = 5,
) -> Iterator[Condition]:
    """Too many attempts failed in the last 5 min. It clears at a higher rate, or once nothing is attempted any more."""
    rate, is_raised = facts.success_rate, "" in raised
    if rate is None or (facts.judged < attempts_min and not is_raised):
        return
    if rate < (clear_at if is_raised else raise_below):
        failed = round(facts.judged * (1 - rate))
        yield Condition("", f"{failed} of {facts.judged} attempts failed in 5 min: {rate:.0%} succeeded")


@rule(
    Severity.CRITICAL,
    "ask the readiness diagnosis (d, or signaldeck doctor)",
    # Few signals, each expiring before the next one comes, are no reason to start counting anew.
    Waits(raise_after_s=300.0, forgive_s=300.0, keep=Keep.RATE),
)
def no_execution(facts: AlertFacts, raised: frozenset[str], *, silence_s: float = 300.0) -> Iterator[Condition]:
    """Signals are due and none has been executed for 5 min."""
    if facts.due == 0:
        return
    last = facts.last_execution_at
    if "" in raised and last is not None and (facts.now - last).total_seconds() < silence_s:
        return
    ago = "ever" if last is None else f"for {(facts.now - last).total_seconds() / 60:.0f} min"
    text = f"{counted(facts.due, 'signal is due', 'signals are due')}, the oldest for {facts.oldest_due_age_s:.0f} s, and none was executed {ago}"
    yield Condition("", text, not_before=last)


@rule(Severity.WARNING, "enter on the trader shows why; r resumes it", Waits(raise_after_s=60.0))
def trader_unavailable(facts: AlertFacts) -> Iterator[Condition]:
    """A trader may not take orders, and no operator paused it."""
    for trader in facts.traders:
        if trader.desired is Desired.RUN and trader.why_not:
            yield Condition(trader.name, f"{trader.name} is unavailable: {trader.why_not}")


@rule(Severity.CRITICAL, "ask the readiness diagnosis (d, or signaldeck doctor)", Waits(keep=Keep.RATE))
def queue_growing(
    facts: AlertFacts, raised: frozenset[str], *, span_s: float = 180.0, growth_min: int = 1
) -> Iterator[Condition]:
    """The queue has grown for 3 min and no signal in it was executed."""
    if len(facts.queue) < 2 or facts.executions > 0:
        return
    (began, first), (ended, last) = facts.queue[0], facts.queue[-1]
    grew = last - first >= growth_min and min(depth for _, depth in facts.queue) >= first
    # Samples are taken every few seconds, so the oldest one kept may be a little younger than the span.
    long_enough = (ended - began).total_seconds() >= span_s * 0.9
    if (grew and long_enough) or ("" in raised and last > 0 and last >= first):
        yield Condition(
            "", f"{counted(last, 'signal waits', 'signals wait')}, {first} did 3 min ago, and none was executed since"
        )


@rule(Severity.WARNING, "wait: it is looked up until proven, and never sent again before", Waits(raise_after_s=60.0))
def unknown_outcome(facts: AlertFacts) -> Iterator[Condition]:
    """The outcome of an order is unknown for more than a minute."""
    for case in facts.unknown:
        text = f"the order of signal {case.signal_id} at {case.trader} has an unknown outcome"
        yield Condition(case.signal_id, text, signal_id=case.signal_id, since=case.since)


@rule(Severity.CRITICAL, "open the signal: A attaches the order, B declares it absent")
def needs_review(facts: AlertFacts) -> Iterator[Condition]:
    """Nobody can prove what became of an order: a person must look at the venue and decide."""
    for case in facts.reviews:
        text = f"signal {case.signal_id} needs a review: look at {case.trader or 'the venue'} for its order"
        yield Condition(case.signal_id, text, signal_id=case.signal_id, since=case.since)


@rule(Severity.WARNING, "wait for its probe, or look at the venue")
def breaker_open(facts: AlertFacts, raised: frozenset[str]) -> Iterator[Condition]:
    """A trader's circuit breaker is open: its venue failed too often, and is left alone for a while."""
    for trader in facts.traders:
        probing = trader.breaker is BreakerState.HALF_OPEN and trader.name in raised
        if trader.breaker is BreakerState.OPEN or probing:
            yield Condition(trader.name, f"the breaker of {trader.name} is open: {trader.breaker_fact}")


@rule(Severity.CRITICAL, "correct the key at the venue or in the environment, then resume the trader (r)")
def auth_refused(facts: AlertFacts) -> Iterator[Condition]:
    """A venue refused a trader's credentials. Nothing is sent there until an operator resumes it."""
    said = {t.name: t.breaker_fact for t in facts.traders if t.breaker is BreakerState.FORCED_OPEN}
    for name, fact in {**said, **dict(facts.auth_refusals)}.items():
        yield Condition(name, f"the venue refused the credentials of {name}: {fact}")


@rule(Severity.CRITICAL, "compare its orders with the venue, then resume the trader (r)")
def trader_quarantined(facts: AlertFacts) -> Iterator[Condition]:
    """A trader has several unresolved outcomes, or an order appeared that was proven not to exist."""
    for trader in facts.traders:
        if trader.quarantined:
            yield Condition(trader.name, f"{trader.name} is quarantined: outcomes are unresolved or a proof was broken")


@rule(Severity.CRITICAL, "compare the trader's balances and trades with the venue's own page")
def position_differs(facts: AlertFacts) -> Iterator[Condition]:
    """An account holds less than the store believes. It is compared anew at each audit."""
    for trader in facts.traders:
        if trader.account.shortages:
            told = "; ".join(str(shortage) for shortage in trader.account.shortages)
            yield Condition(trader.name, f"{trader.name} {told}")


@rule(Severity.CRITICAL, "look at the order on the venue's own page, sell what is too much, then resume the trader (r)")
def overfilled(facts: AlertFacts) -> Iterator[Condition]:
    """A venue traded more than an order asked for. Kept until an operator resumes the trader."""
    for trader in facts.traders:
        if trader.account.overfills:
            yield Condition(trader.name, f"{trader.name}: {'; '.join(trader.account.overfills)}")


@rule(Severity.CRITICAL, "look at the network and the market source")
def feed_stale(
    facts: AlertFacts, raised: frozenset[str], *, raise_above_s: float = 30.0, clear_at_s: float = 15.0
) -> Iterator[Condition]:
    """No price has come in for a while, or one of the exchanges that prices come from does not bring them as it should."""
    age = facts.feed_age_s
    if age is not None and age > (clear_at_s if "" in raised else raise_above_s):
        yield Condition("", f"the last price came {age:.0f} s ago")
    for feed in facts.feeds:
        if feed.state not in {FeedState.LIVE, FeedState.CONNECTING}:
            yield Condition(feed.name, f"the feed of {feed.name} is {feed.shown}: {feed.fact}")


@rule(
    Severity.CRITICAL,
    "set the machine's clock (NTP); sending goes on once the venues' time was read",
    Waits(keep=Keep.RATE),
)
def clock_jump(facts: AlertFacts, *, jump_s: float = 2.0) -> Iterator[Condition]:
    """The machine's clock jumped, or the machine slept."""
    if abs(facts.clock_jump_s) > jump_s:
        yield Condition("", f"the clock jumped by {facts.clock_jump_s:+.1f} s")


@rule(Severity.CRITICAL, "nothing is sent until it is mended: free space, or look at the disk")
def store_error(facts: AlertFacts) -> Iterator[Condition]:
    """The store cannot keep what happens."""
    if facts.store_error:
        yield Condition("", f"the store fails: {facts.store_error}")


@rule(Severity.CRITICAL, "free space on the store's disk")
def disk_low(
    facts: AlertFacts, raised: frozenset[str], *, raise_below_mib: float = 512.0, clear_at_mib: float = 1024.0
) -> Iterator[Condition]:
    """The disk that holds the store is nearly full."""
    if facts.disk_free_bytes is None:
        return
    free_mib = facts.disk_free_bytes / 2**20
    if free_mib < (clear_at_mib if "" in raised else raise_below_mib):
        yield Condition("", f"{free_mib:.0f} MiB are free on the store's disk")


@rule(Severity.CRITICAL, "look whether the engine runs: signaldeck status, then its log")
def heartbeat_lost(
    facts: AlertFacts, raised: frozenset[str], *, raise_above_s: float = 10.0, clear_at_s: float = 5.0
) -> Iterator[Condition]:
    """The engine has not given a sign of life for a while."""
    age = facts.heartbeat_age_s
    if age is not None and age > (clear_at_s if "" in raised else raise_above_s):
        yield Condition("", f"the engine's last heartbeat was {age:.0f} s ago")
