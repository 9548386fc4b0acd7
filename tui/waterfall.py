"""A signal's way as a waterfall: every hop of every attempt as a bar on one time scale that all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final, NamedTuple

from engine.core.board import Story
from engine.core.order import Attempt
from tui.formatting import duration
from tui.sections import Section, empty, offset, row
from tui.widgets.cells import Cell

SCALE_WIDTH: Final = 24  # cells of the scale: with label, offset and duration it fits into 80


class Hop(NamedTuple):
    """One stretch of the way. It may end before it begins, where clocks disagreed."""

    name: str
    began: datetime
    ended: datetime
    trader: str = ""

    @property
    def seconds(self) -> float:
        """Return how long it took, 0 at least."""
        return max((self.ended - self.began).total_seconds(), 0.0)


def hops(story: Story) -> list[Hop]:
    """Return the hops that were finished, in order: the wait before each attempt, then what the attempt reached."""
    found, last = [], story.signal.received_at
    for attempt in story.attempts:
        found.append(Hop(f"{attempt.n} waiting", last, attempt.intent_at))
        found += _attempt_hops(attempt)
        last = attempt.ended_at or attempt.answered_at or attempt.sent_at or attempt.intent_at
    if story.signal.ended_at is not None and story.signal.ended_at > last:
        found.append(Hop("ended", last, story.signal.ended_at))
    return found


def bars(way: Sequence[Hop], width: int = SCALE_WIDTH) -> list[str]:
    """Return each hop's bar, `width` (1 or more) cells wide, on the scale from the first begin to the last end.

    A hop has one cell at least, however short it was.
    """
    if not way:
        return []
    start = min(hop.began for hop in way)
    total = max((max(hop.began, hop.ended) - start).total_seconds() for hop in way)
    drawn = []
    for hop in way:
        before = (hop.began - start).total_seconds()
        at = min(int(before / total * width), width - 1) if total else 0
        length = max(round(hop.seconds / total * width), 1) if total else 1
        drawn.append((" " * at + "▇" * min(length, width - at)).ljust(width))
    return drawn


def timeline(story: Story) -> Section:
    """Return the way as a section: name, bar, offset from the receipt, duration, trader."""
    way, received = hops(story), story.signal.received_at
    rows = tuple(
        row(
            hop.name,
            Cell(bar, "$accent" if hop.trader else "$muted"),
            f"  {offset(hop.began, received):>7}",
            f"  {duration(hop.seconds):>7}",
            Cell(f"  {hop.trader}" if hop.trader else "", "$muted"),
        )
        for hop, bar in zip(way, bars(way), strict=True)
    )
    return Section("timeline", Cell("Timeline", "bold"), rows or empty("Nothing was sent yet."))


def _attempt_hops(attempt: Attempt) -> list[Hop]:
    ended = "filled" if attempt.filled_quantity else "ended"
    moments = [
        ("", attempt.intent_at),
        ("sent", attempt.sent_at),
        ("acknowledged", attempt.answered_at),
        (ended, attempt.ended_at),
    ]
    reached = [(name, at) for name, at in moments if at is not None]
    return [Hop(f"{attempt.n} {name}", began, at, attempt.trader) for (_, began), (name, at) in pairwise(reached)]
