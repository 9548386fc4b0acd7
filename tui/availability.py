"""A trader's availability over the last hour: one cell a minute, the worst that it was in that minute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from engine.core.events import BreakerState, Desired, Event, Health, TraderState
from engine.core.text import counted
from tui.sections import Row, Section
from tui.widgets.cells import Cell

MINUTES: Final = 60
MINUTE: Final = timedelta(minutes=1)


class Standing(NamedTuple):
    """How a trader stands: its cell in the strip, the word for it, and whether it takes orders so."""

    glyph: str
    word: str
    style: str
    takes: bool


# By how bad they are, the best first. Shapes differ, so that they are told apart without colours.
UP: Final = Standing("▇", "up", "$ok", takes=True)
UNWATCHED: Final = Standing("▁", "not watched", "$muted", takes=False)
SLOW: Final = Standing("▅", "slow", "$warning", takes=True)
TRIED: Final = Standing("▃", "tried again", "$warning", takes=True)
PAUSED: Final = Standing("‖", "paused", "$accent", takes=False)
QUARANTINED: Final = Standing("?", "quarantined", "$error", takes=False)
BROKEN: Final = Standing("x", "breaker open", "$error", takes=False)
DOWN: Final = Standing("_", "down", "$error", takes=False)
WORSE: Final = (UP, UNWATCHED, SLOW, TRIED, PAUSED, QUARANTINED, BROKEN, DOWN)

_HEALTH: Final = {
    Health.UP: UP,
    Health.UNCHECKED: UNWATCHED,
    Health.DEGRADED: SLOW,
    Health.DOWN: DOWN,
}
_BREAKER: Final = {
    BreakerState.CLOSED: UP,
    BreakerState.HALF_OPEN: TRIED,
    BreakerState.OPEN: BROKEN,
    BreakerState.FORCED_OPEN: BROKEN,
}
_TURNED: Final = {
    "health": {state.value: standing for state, standing in _HEALTH.items()},
    "breaker": {state.value: standing for state, standing in _BREAKER.items()},
    "quarantine": {"free": UP, "quarantined": QUARANTINED},
    "desired": {Desired.RUN.value: UP, Desired.PAUSE.value: PAUSED, Desired.DRAIN.value: PAUSED},
}


def strip(
    trader: TraderState, turns: Iterable[Event], now: datetime, heard_at: datetime | None = None
) -> list[Standing]:
    """Return how the trader stood in each of the last 60 minutes, the oldest first: the worst of each minute.

    Nobody watched it in a minute that ended after `heard_at`, the last heartbeat of an engine that is silent since.
    `turns` are its journal entries, newest first, as far back as an hour. What stood before the oldest of them is what
    that one says it turned from; without one it is what stands now.
    """
    facets = {
        "health": _HEALTH.get(trader.health, UNWATCHED),
        "breaker": _BREAKER[trader.breaker],
        "quarantine": QUARANTINED if trader.quarantined else UP,
        "desired": UP if trader.desired is Desired.RUN else PAUSED,
    }
    turned = [(event.at, facet, event.from_state) for event in turns if (facet := _facet(event))]
    told: list[Standing] = []
    for back in range(MINUTES):
        begin = now - MINUTE * (back + 1)
        worst = _worst(facets.values())
        while turned and turned[0][0] > begin:
            _, facet, before = turned.pop(0)
            facets[facet] = _TURNED[facet].get(before, facets[facet])
            worst = _worst((worst, *facets.values()))
        is_watched = heard_at is None or begin + MINUTE <= heard_at
        told.append(worst if is_watched else UNWATCHED)
    return told[::-1]


def availability_section(
    trader: TraderState, turns: Sequence[Event], now: datetime, heard_at: datetime | None = None
) -> Section:
    """Return the strip as a section: the hour, in how much of it the trader took orders, and what the cells mean."""
    told = strip(trader, turns, now, heard_at)
    legend = [standing for standing in WORSE if standing in told]
    cells = tuple(Cell(standing.glyph, standing.style) for standing in told)
    names = [Cell(f"{standing.glyph} {standing.word}   ", standing.style) for standing in legend]
    rows = (
        Row(Cell(""), cells, wide=True),
        Row(Cell(""), (Cell("60 min ago".ljust(MINUTES - 3) + "now", "$muted"),), wide=True),
        Row(Cell(""), tuple(names), wide=True),
    )
    return Section("availability", Cell("Last hour", "bold"), rows, _in_words(told))


def _in_words(told: Sequence[Standing]) -> str:
    """Return in how many of the minutes that were watched it took orders; nobody knows of the others."""
    watched = [standing for standing in told if standing is not UNWATCHED]
    if not watched:
        return "not watched in any minute of it"
    took = sum(standing.takes for standing in watched)
    if len(watched) == len(told):
        return f"took orders in {took} of {len(told)} minutes"
    minutes = counted(len(watched), "watched minute")
    return f"took orders in {took} of {minutes}, {len(told) - len(watched)} not watched"


def _facet(event: Event) -> str:
    """Return which side of a trader an entry says has turned; the empty text for another entry."""
    if event.code == "switched":
        return "desired" if event.from_state in _TURNED["desired"] else ""
    return next((facet for facet in ("health", "breaker", "quarantine") if event.code.startswith(f"{facet}_")), "")


def _worst(standings: Iterable[Standing]) -> Standing:
    return max(standings, key=WORSE.index)
