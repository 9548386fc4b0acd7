"""The gate: every rule that a signal must pass before an order may go out, and the limits they enforce.

Each rule answers for itself, and every answer is kept. Unknown refuses whatever adds risk. An exit, which only lowers a
position, is held back by nothing but staleness, the kill switch and a store that cannot remember it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from engine.core.errors import (
    ConfidenceTooLow,
    ExecutionError,
    PositionLimitsExceeded,
    SignalExpired,
    TradingLimitsExceeded,
)
from engine.core.events import Answer, Signal, Verdict
from engine.core.portfolio import EngineSwitches, Holdings, TradeCounts
from engine.core.values import Position


class Limits(BaseModel):
    """What the gate allows. Fractions are of 1: 0.02 is 2 %."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    automated_trading: bool = True
    confidence_min: float = Field(0.7, ge=0, le=1)
    positions_per_symbol_max: int = Field(1, ge=0, le=10_000)
    positions_max: int = Field(5, ge=0, le=100_000)
    portfolio_fraction_per_position: Decimal = Field(Decimal("0.02"), gt=0, le=1)
    stop_loss: Decimal = Field(Decimal("0.05"), ge=0, le=1, description="0 turns it off")
    take_profit: Decimal = Field(Decimal("0.10"), ge=0, le=100, description="0 turns it off")
    trades_per_hour_max: int = Field(10, ge=0, le=1_000_000)
    trades_per_day_max: int = Field(50, ge=0, le=10_000_000)
    slippage_max: Decimal = Field(Decimal("0.002"), ge=0, lt=1)
    quantity_min: Decimal = Field(Decimal("0.0001"), ge=0, allow_inf_nan=False)
    quantity_default: Decimal = Field(Decimal("0.001"), gt=0, allow_inf_nan=False)
    cost_max: Decimal | None = Field(None, gt=0, allow_inf_nan=False, description="of one entry, in the symbol's quote")
    price_band: Decimal = Field(Decimal("0.2"), gt=0, lt=1, description="of a limit price around the market's")


@dataclass(frozen=True, slots=True)
class Quote:
    """The market's last price of a symbol, and when it was made."""

    price: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that the rules look at, gathered at one moment. `feed_age_s_max` is how old a price may be."""

    switches: EngineSwitches
    holdings: Holdings
    known_symbols: frozenset[str]
    untold: tuple[str, ...] = ()  # traders that have not told their symbols yet
    prices: Mapping[str, Quote] = field(default_factory=dict)
    feed_age_s_max: float = 30.0
    store_writable: bool = True
    clock_sane: bool = True
    disk_ok: bool = True
    store_fact: str = ""
    clock_fact: str = ""

    def with_entry(self, symbol: str, trader: str) -> Book:
        """Return the book as it is once an entry is under way, so that a batch is judged one after another."""
        held = self.holdings
        trades = TradeCounts(held.trades.trades_hour + 1, held.trades.trades_day + 1)
        return replace(self, holdings=replace(held, entries=(*held.entries, (symbol, trader)), trades=trades))

    def with_exit(self, symbol: str, trader: str) -> Book:
        """Return the book as it is once an exit is under way: its position is not to be sold again."""
        held = self.holdings
        return replace(self, holdings=replace(held, exits=(*held.exits, (symbol, trader))))


@dataclass(frozen=True, slots=True)
class Case:
    """What one rule is asked about."""

    signal: Signal
    book: Book
    limits: Limits
    now: datetime


Rule = Callable[[Case], Answer]


def judge(signal: Signal, book: Book, limits: Limits, now: datetime) -> Verdict:
    """Ask every rule in turn; the first objection decides. Every answer is kept, for the operator."""
    case = Case(signal, book, limits, now)
    exits = signal.reduces or lowered_position(signal, book.holdings) is not None
    return Verdict(tuple(_let_exits_pass(rule, rule(case)) if exits else rule(case) for rule in RULES))


def _let_exits_pass(rule: Rule, answer: Answer) -> Answer:
    if answer.ok or rule in HOLDS_BACK_EXITS:
        return answer
    return replace(answer, ok=True, fact=f"{answer.fact}; an exit passes all the same", remedy="")


def lowered_position(signal: Signal, holdings: Holdings) -> Position | None:
    """Return the position that the signal only lowers, or None.

    That is one on the other side, at least as large as the quantity asked for, and without an exit under way. The
    preferred trader's comes first; an exit that names a trader lowers no other's.
    """
    fitting = [
        p
        for p in holdings.positions
        if p.symbol == signal.symbol
        and p.exit_side is signal.side
        and (signal.reduces or signal.quantity is None or signal.quantity <= abs(p.quantity))
        and (p.symbol, p.trader) not in holdings.exits
    ]
    if signal.reduces and signal.preferred_trader is not None:
        fitting = [p for p in fitting if p.trader == signal.preferred_trader]
    return min(fitting, key=lambda p: p.trader != signal.preferred_trader, default=None)


def with_exit_marked(signal: Signal, holdings: Holdings) -> Signal:
    """Return the signal as routing and sizing must see it: an exit in effect is marked and bound to its position."""
    position = lowered_position(signal, holdings)
    if position is None:
        return signal
    return replace(signal, reduces=True, preferred_trader=position.trader)


def with_reference(signal: Signal, prices: Mapping[str, Quote]) -> Signal:
    """Return the signal with a price to measure slippage from: the one it was made at, else the market's last one.

    Whoever hands a signal in from outside knows no price of ours; without one its market order would have no bound.
    """
    quote = prices.get(signal.symbol)
    if signal.reference_price is not None or quote is None:
        return signal
    return replace(signal, reference_price=quote.price)


def is_fresh(case: Case) -> Answer:
    """The signal's time has not run out."""
    left = (case.signal.expires_at - case.now).total_seconds()
    if left > 0:
        return Answer("is_fresh", ok=True, fact=f"{_seconds(left)} left", code="expired")
    remedy = "retry it, or give signals a longer time to live"
    return Answer("is_fresh", ok=False, fact=f"it expired {_seconds(-left)} ago", remedy=remedy, code="expired")


def is_confident(case: Case) -> Answer:
    """The confidence reaches the minimum."""
    found, least = case.signal.confidence, case.limits.confidence_min
    ok = found >= least
    return Answer(
        "is_confident",
        ok=ok,
        fact=f"confidence {found:.4g} of at least {least:.4g}"
        if ok
        else f"confidence {found:.4g} is below {least:.4g}",
        remedy="" if ok else "look at its votes, or lower limits.confidence_min (MIN_CONFIDENCE_THRESHOLD)",
        lifts=False,
        code="confidence_too_low",
        figures=(found, least),
    )


def is_known_symbol(case: Case) -> Answer:
    """Some trader trades the symbol."""
    symbol, known = case.signal.symbol, case.book.known_symbols
    name, code = "is_known_symbol", "unknown_symbol"
    if symbol in known:
        return Answer(name, ok=True, fact=f"{symbol} is traded here", code=code)
    if not known or case.book.untold:
        # At the start, or with a venue down, nobody can say: so wait, do not reject.
        who = ", ".join(case.book.untold) or "no trader"
        fact = (
            f"{who} has told no symbols yet"
            if not known
            else f"{symbol} is traded by nobody else, and {who} has told no symbols yet"
        )
        return Answer(name, ok=False, fact=fact, remedy="look at the traders: it may be down", code=code)
    remedy = "correct the symbol, or add a trader for it"
    return Answer(name, ok=False, fact=f"no trader trades {symbol}", remedy=remedy, lifts=False, code=code)


def is_enabled(case: Case) -> Answer:
    """Automated trading is on."""
    if case.limits.automated_trading:
        return Answer("is_enabled", ok=True, fact="automated trading is on", code="automated_off")
    remedy = "set limits.automated_trading = true (ENABLE_AUTOMATED_TRADING) and start again"
    return Answer("is_enabled", ok=False, fact="automated trading is off", remedy=remedy, code="automated_off")


def not_halted(case: Case) -> Answer:
    """The kill switch is off."""
    switches = case.book.switches
    if not switches.halted:
        return Answer("not_halted", ok=True, fact="the kill switch is off", code="halted")
    why = f": {switches.halted_why}" if switches.halted_why else ""
    fact = f"halted by {switches.halted_by or 'an operator'}{why}"
    return Answer("not_halted", ok=False, fact=fact, remedy="release it: signaldeck release", code="halted")


def has_price(case: Case) -> Answer:
    """The market's price is known and recent."""
    quote, most = case.book.prices.get(case.signal.symbol), case.book.feed_age_s_max
    remedy = "look at the feed: its symbols and its last candle"
    if quote is None:
        fact = f"no price of {case.signal.symbol} yet"
        return Answer("has_price", ok=False, fact=fact, remedy=remedy, code="no_price")
    age = (case.now - quote.at).total_seconds()
    # A price from the future is known no better than an old one.
    if not _is_price(quote) or abs(age) > most:
        fact = f"the last price, {quote.price}, is {_seconds(age)} old; {_seconds(most)} is allowed"
        return Answer("has_price", ok=False, fact=fact, remedy=remedy, code="no_price")
    return Answer("has_price", ok=True, fact=f"{quote.price}, {_seconds(age)} old", code="no_price")


def is_price_sane(case: Case) -> Answer:
    """A limit price lies within the band around the market's price."""
    price, quote, most = case.signal.price, case.book.prices.get(case.signal.symbol), case.limits.price_band
    name, code = "is_price_sane", "price_band"
    if price is None:
        return Answer(name, ok=True, fact="a market order names no price", code=code)
    if quote is None or not _is_price(quote):
        return Answer(name, ok=False, fact="no price to compare with", remedy="wait for a price", code=code)
    off = abs(price - quote.price) / quote.price
    return Answer(
        name,
        ok=off <= most,
        fact=f"limit {price} is {off:.2%} off the market's {quote.price}; {most:.2%} is allowed",
        remedy="" if off <= most else "correct the price, or widen limits.price_band",
        lifts=False,
        code=code,
        figures=(float(off), float(most)),
    )


def has_room_in_symbol(case: Case) -> Answer:
    """Positions and entries under way in this symbol leave room for one more."""
    symbol = case.signal.symbol
    count, most = positions_in(case.book.holdings, symbol), case.limits.positions_per_symbol_max
    fact = f"{count} of {most} positions in {symbol}, entries under way included"
    remedy = "wait for the exit, or raise limits.positions_per_symbol_max (MAX_POSITIONS_PER_SYMBOL)"
    return _within("has_room_in_symbol", "position_limit", (count, most), fact, remedy)


def has_room_in_all(case: Case) -> Answer:
    """Positions and entries under way in all symbols leave room for one more."""
    count, most = positions_in(case.book.holdings), case.limits.positions_max
    fact = f"{count} of {most} positions in all, entries under way included"
    remedy = "wait for an exit, or raise limits.positions_max (MAX_TOTAL_POSITIONS)"
    return _within("has_room_in_all", "position_limit", (count, most), fact, remedy)


def is_within_hourly_trades(case: Case) -> Answer:
    """Entries of the last hour leave room for one more."""
    count, most = case.book.holdings.trades.trades_hour, case.limits.trades_per_hour_max
    remedy = "wait, or raise limits.trades_per_hour_max (MAX_TRADES_PER_HOUR)"
    fact = f"{count} of {most} trades in the last hour"
    return _within("is_within_hourly_trades", "trading_limit", (count, most), fact, remedy)


def is_within_daily_trades(case: Case) -> Answer:
    """Entries of the last day leave room for one more."""
    count, most = case.book.holdings.trades.trades_day, case.limits.trades_per_day_max
    remedy = "wait, or raise limits.trades_per_day_max (MAX_TRADES_PER_DAY)"
    fact = f"{count} of {most} trades in the last day"
    return _within("is_within_daily_trades", "trading_limit", (count, most), fact, remedy)


def store_is_writable(case: Case) -> Answer:
    """The store can keep an intent, and the disk has its reserve."""
    name, code, book = "store_is_writable", "store_unwritable", case.book
    if book.store_writable and book.disk_ok:
        return Answer(name, ok=True, fact=book.store_fact or "the store takes writes", code=code)
    fact = book.store_fact or ("the disk is nearly full" if book.store_writable else "the store takes no writes")
    return Answer(name, ok=False, fact=fact, remedy="free space, or mend the disk", code=code)


def clock_is_sane(case: Case) -> Answer:
    """The clock neither jumped nor is off the venues' time."""
    if case.book.clock_sane:
        return Answer("clock_is_sane", ok=True, fact=case.book.clock_fact or "in order", code="clock_insane")
    fact = case.book.clock_fact or "the clock is off"
    return Answer("clock_is_sane", ok=False, fact=fact, remedy="set the machine's clock (NTP)", code="clock_insane")


# The rules whose no is final come first: what can never trade is not left waiting for a switch. Then cheapest first.
RULES: Final[tuple[Rule, ...]] = (
    is_fresh,
    is_confident,
    is_known_symbol,
    is_enabled,
    not_halted,
    has_price,
    is_price_sane,
    has_room_in_symbol,
    has_room_in_all,
    is_within_hourly_trades,
    is_within_daily_trades,
    store_is_writable,
    clock_is_sane,
)
HOLDS_BACK_EXITS: Final[frozenset[Rule]] = frozenset({is_fresh, not_halted, store_is_writable})


def positions_in(holdings: Holdings, symbol: str | None = None) -> int:
    """Count positions, and entries under way that will open one more; None counts those of all symbols."""
    held = {(p.symbol, p.trader) for p in holdings.positions if symbol in (None, p.symbol)}
    return len(held) + sum(symbol in (None, entry[0]) and entry not in held for entry in holdings.entries)


def error_for(answer: Answer, signal: Signal) -> ExecutionError:
    """Return the named error of an objection; its `code` is the answer's."""
    found, allowed = answer.figures or (0.0, 0.0)
    error: ExecutionError
    match answer.code:
        case "expired":
            error = SignalExpired(signal.id)
        case "confidence_too_low":
            error = ConfidenceTooLow(signal.confidence, allowed)
        case "position_limit":
            error = PositionLimitsExceeded(int(found), int(allowed))
        case "trading_limit":
            error = TradingLimitsExceeded(
                "hourly" if answer.rule == "is_within_hourly_trades" else "daily", answer.fact
            )
        case _:
            error = ExecutionError(answer.fact)
            error.code = answer.code
    return error


def _within(rule: str, code: str, figures: tuple[int, int], fact: str, remedy: str) -> Answer:
    ok = figures[0] < figures[1]
    return Answer(rule, ok=ok, fact=fact, remedy="" if ok else remedy, code=code, figures=figures)


def _is_price(quote: Quote) -> bool:
    return quote.price.is_finite() and quote.price > 0


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if abs(seconds) < 120 else f"{seconds / 60:.0f} min"
