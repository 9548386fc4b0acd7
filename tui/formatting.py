"""Pure presenters: times, numbers and states as the screen writes them.

Every state is a glyph, a word and a colour that means the same everywhere. Colours are names that the theme resolves:
$ok, $warning, $error, $stale, $buy, $sell, $muted, $accent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from engine.core.board import EngineFacts, EngineState
from engine.core.events import AlertState, BreakerState, Desired, Health, Level, Severity, TraderState
from engine.core.text import clean
from engine.core.values import Mode
from tui.widgets.cells import Cell

NOTHING: Final = "–"  # noqa: RUF001 - an en dash, drawn where there is no number

_ATTEMPT: Final = re.compile(r"attempt \d+ (?:was )?")
MARKET_LEAD_S_MAX: Final = 2.0  # how far the market's time is carried on after the last heartbeat


class Sign(NamedTuple):
    """A state as drawn: glyph, word and style."""

    glyph: str
    word: str
    style: str

    @property
    def cell(self) -> Cell:
        return Cell(f"{self.glyph} {self.word}", self.style)


SIGNAL_SIGNS: Final[Mapping[str, Sign]] = {
    "new": Sign("○", "new", ""),
    "waiting": Sign("◌", "waiting", "$stale"),
    "executing": Sign("◐", "executing", "$accent"),
    "done": Sign("●", "done", "$ok"),
    "expired": Sign("◇", "expired", "$muted"),
    "cancelled": Sign("⊘", "cancelled", "$muted"),
    "rejected": Sign("✖", "rejected", "$warning"),
    "failed": Sign("✖", "failed", "$error"),
    "needs_review": Sign("▲", "review", "bold $error"),
}

ATTEMPT_SIGNS: Final[Mapping[str, Sign]] = {
    "intent": Sign("◐", "sending", "$accent"),
    "accepted": Sign("◑", "accepted", "$accent"),
    "unknown": Sign("▲", "unknown", "$warning"),
    "review": Sign("▲", "review", "bold $error"),
    "filled": Sign("●", "filled", "$ok"),
    "partial_closed": Sign("◕", "part filled", "$ok"),
    "not_sent": Sign("○", "not sent", "$muted"),
    "rejected": Sign("✖", "rejected", "$warning"),
    "absent": Sign("○", "absent", "$muted"),
    "canceled": Sign("⊘", "canceled", "$muted"),
}

SEVERITY_SIGNS: Final[Mapping[Severity, Sign]] = {
    Severity.INFO: Sign("·", "info", "$muted"),
    Severity.WARNING: Sign("▲", "warning", "$warning"),
    Severity.CRITICAL: Sign("✖", "critical", "bold $error"),
}

ENGINE_STYLES: Final[Mapping[EngineState, str]] = {
    EngineState.STARTING: "$stale",
    EngineState.RUNNING: "$ok",
    EngineState.PAUSED: "$warning",
    EngineState.HALTED: "bold reverse $error",
    EngineState.DRAINING: "$warning",
    EngineState.STOPPED: "bold $error",
}

MODE_STYLES: Final[Mapping[Mode, str]] = {
    Mode.DEMO: "bold $accent",
    Mode.PAPER: "bold $stale",
    Mode.REPLAY: "bold $muted",
    Mode.LIVE: "bold reverse $error",
}


def age(seconds: float) -> str:
    """Return how long ago on one scale: 0s, 59s, 14m, 3h, 2d. Below zero counts as zero."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m"
    if whole < 48 * 3600:
        return f"{whole // 3600}h"
    return f"{whole // 86400}d"


def ago(then: datetime, now: datetime, *, has_clock_times: bool = False) -> str:
    """Return how long ago `then` was, or when: the time of day in UTC, the date where a day has passed."""
    if not has_clock_times:
        return age((now - then).total_seconds())
    return clock_time(then) if now - then < timedelta(days=1) else then.strftime("%m-%d")


def since(then: datetime | None, now: datetime) -> str:
    """Return the age of `then`, or a dash if there is none."""
    return NOTHING if then is None else age((now - then).total_seconds())


def duration(seconds: float | None) -> str:
    """Return a length of time: <1ms, 84ms, 1.2s, 42s, 3m05s, 2h04m; a dash for None."""
    if seconds is None or seconds != seconds:
        return NOTHING
    if seconds < 0.001:
        return "<1ms" if seconds > 0 else "0ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def percent(rate: float | None, places: int = 1) -> str:
    """Return a rate of 0 to 1 as 98.2%; 100% bare; never rounded up to a 100% that it is not."""
    if rate is None or rate != rate:
        return NOTHING
    if rate >= 1:
        return "100%"
    step = 10.0 ** (places + 2)
    return f"{int(rate * step + 1e-6) / step * 100:.{places}f}%"


def per_minute(rate: float) -> str:
    """Return a count a minute: 0, 0.4, 12."""
    return f"{rate:.0f}" if rate >= 10 or rate == int(rate) else f"{rate:.1f}"


def decimal(value: Decimal | None) -> str:
    """Return `value` in plain digits, without trailing zeros and without an exponent; a dash for None."""
    if value is None or not value.is_finite():
        return NOTHING
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text if text not in ("-0", "") else "0"


def aligned(values: Sequence[Decimal | None], width_max: int | None = None) -> list[str]:
    """Return the values with their decimal points under each other; all texts have one length.

    Where that would take more than `width_max` cells each stands for itself: a digit is worth more than its place.
    """
    texts = [decimal(v) for v in values]
    tails = [len(t) - t.index(".") if "." in t else 0 for t in texts]
    tail_max = max(tails, default=0)
    padded = [t + " " * (tail_max - tail) for t, tail in zip(texts, tails, strict=True)]
    width = max((len(t) for t in padded), default=0)
    if width_max is not None and width > width_max:
        return texts
    return [t.rjust(width) for t in padded]


def clock_time(at: datetime) -> str:
    """Return the time of day in UTC."""
    return at.strftime("%H:%M:%S")


def date_time(at: datetime) -> str:
    """Return date and time in UTC, to the second."""
    return at.strftime("%Y-%m-%d %H:%M:%SZ")


def day_time(at: datetime) -> str:
    """Return month, day and time in UTC, to the second, for where a year would only take room."""
    return at.strftime("%m-%d %H:%M:%S")


@lru_cache(maxsize=8192)  # the same few texts are drawn again and again
def foreign(text: str, length_max: int = 200) -> str:
    """Return foreign text as it may be drawn: one line, nothing that a terminal would obey."""
    return clean(text, length_max)


def briefly(reason: str, trader: str) -> str:
    """Return a signal's reason without what its row says anyway: which attempt it was, and whose."""
    attempt = _ATTEMPT.match(reason)
    return reason[attempt.end() :].replace(f": {trader}: ", ": ", 1) if attempt else reason


def beside(trader: str, text: str) -> str:
    """Return a journal entry's words where its trader stands beside them: without the name that they begin with.

    A first attempt goes without saying; later ones keep their number.
    """
    if not trader:
        return text
    words = re.match(rf"(?:attempt (\d+|#) by )?{re.escape(trader)}(?:: | )", text)
    if words is None:
        return text
    n = words[1]
    return (f"attempt {n}: " if n not in {None, "1", "#"} else "") + text[words.end() :]


def side_cell(side: str) -> Cell:
    """Return buy or sell in its own colour, which is neither that of good nor that of bad."""
    return Cell(foreign(side, 8), "$buy" if side == "buy" else "$sell")


def signal_sign(state: str) -> Sign:
    """Return the sign of a signal's state; one that this program does not know is shown as it is called."""
    return SIGNAL_SIGNS.get(state, Sign("?", foreign(state, 12), "$muted"))


def attempt_sign(state: str) -> Sign:
    """Return the sign of an attempt's state; one that this program does not know is shown as it is called."""
    return ATTEMPT_SIGNS.get(state, Sign("?", foreign(state, 12), "$muted"))


def trader_sign(trader: TraderState, now: datetime) -> Sign:
    """Return what a trader is, the operator's own doing before the venue's."""
    if trader.desired is Desired.DRAIN:
        return Sign("○" if trader.in_flight else "◐", trader.drain, "$stale")
    if trader.desired is Desired.PAUSE:
        return Sign("◐", "paused", "$stale")
    if trader.quarantined:
        return Sign("▲", "quarantined", "$error")
    if trader.breaker is BreakerState.FORCED_OPEN:
        return Sign("✖", "locked out", "$error")
    if trader.breaker is BreakerState.OPEN:
        left = (trader.open_until - now).total_seconds() if trader.open_until else 0.0
        return Sign("✖", f"open {age(left)}" if left >= 1 else "open", "$error")
    if trader.health is Health.DOWN:
        return Sign("✖", "down", "$error")
    if trader.breaker is BreakerState.HALF_OPEN:
        return Sign("◓", "half open", "$warning")
    return {
        Health.UP: Sign("●", "up", "$ok"),
        Health.DEGRADED: Sign("◒", "slow", "$warning"),
    }.get(trader.health, Sign("○", "unchecked", "$muted"))


def alert_sign(severity: Severity, state: AlertState) -> Sign:
    """Return an alert's severity; what was resolved is quiet, what nobody has acknowledged stands out."""
    sign = SEVERITY_SIGNS[severity]
    if state is AlertState.RESOLVED:
        return Sign("○", "resolved", "$muted")
    if state is AlertState.ACKNOWLEDGED:
        return sign._replace(word="seen", style=sign.style.removeprefix("bold "))
    if state is AlertState.ACTIVE and severity is Severity.CRITICAL:
        return sign._replace(style="bold reverse $error")
    return sign


def level_cell(level: Level) -> Cell:
    """Return a journal level in four letters."""
    return {Level.ERROR: Cell("ERR", "$error"), Level.WARNING: Cell("WARN", "$warning")}.get(
        level, Cell("INFO", "$muted")
    )


def level_words(level: Level) -> str:
    """Return a journal level as it may be looked for: its name, then its four letters."""
    return f"{level.name.lower()} {level_cell(level).text}"


def rate_style(rate: float | None, threshold: float = 0.9) -> str:
    """Return the style of a success rate: `threshold` is where the alert is raised, and 5 % above is where it clears."""
    if rate is None:
        return "$muted"
    if rate < threshold:
        return "bold $error"
    return "bold $warning" if rate < threshold + 0.05 else "bold $ok"


def market_now(engine: EngineFacts | None, wall: datetime) -> datetime:
    """Return the market's time by which the rows of a Board have their ages.

    The system's own time, except while a recording plays: then the heartbeat's market time, carried on at its speed
    for at most a moment, so that a dead engine does not make its rows grow old.
    """
    if engine is None or abs((engine.market_at - engine.beat_at).total_seconds()) < 5:
        return wall
    gone = min(max((wall - engine.beat_at).total_seconds(), 0.0), MARKET_LEAD_S_MAX)
    speed = float(engine.speed) if engine.speed.replace(".", "", 1).isdigit() else 0.0
    return engine.market_at + timedelta(seconds=gone * speed)
