"""The dashboard's memory over an hour under load: 250 transitions a second, 100,000 queued signals, a key now and then.

Like the replay's, its memory is flat when its resident size at the end is about that after warm-up: what Python and SQLite
keep for themselves grows for some minutes after the start, and then no more.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.bench.figure import Figure
from tests.bench.load import TRANSITIONS
from tests.bench.memory import resident_mib
from tests.bench.terminal import Terminal
from tests.bench.tui import dashboard, loaded

COLUMNS: Final = 120
ROWS: Final = 40
RATE: Final = 250 / TRANSITIONS
EVERY_S: Final = 7.5  # a key, and a look at the memory
KEYS: Final = b"jjjjkkkk"
OUTPUT_KEPT: Final = 200_000
GROWTH_MAX: Final = 1.1


def run(quick: bool) -> list[Figure]:
    """Return the ratio of the last tenth's median resident size to that after warm-up (the third tenth)."""
    minutes, queued = (4.0, 10_000) if quick else (60.0, 100_000)
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "deck.sqlite"
        with loaded(db, queued, RATE) as load:
            with dashboard(db, COLUMNS, ROWS) as terminal:
                load.begin()
                sizes = _sizes(terminal, minutes)
            load.end()
    tenth = max(1, len(sizes) // 10)
    early, late = statistics.median(sizes[2 * tenth : 3 * tenth + 1]), statistics.median(sizes[-tenth:])
    detail = f"{minutes:g} min, {COLUMNS}x{ROWS}; {sizes[0]:.0f} MiB at first, {early:.1f} after warm-up, {late:.1f} at the end"
    ratio = late / early
    return [
        Figure("dashboard at the end / after warm-up", ratio, "x", f"<= {GROWTH_MAX}x", ratio <= GROWTH_MAX, detail)
    ]


def _sizes(terminal: Terminal, minutes: float) -> list[float]:
    sizes = []
    for at in range(int(minutes * 60 / EVERY_S)):
        terminal.send(KEYS[at % len(KEYS) :][:1])
        time.sleep(EVERY_S)
        del terminal.output[:-OUTPUT_KEPT]
        sizes.append(resident_mib(terminal.pid))
    return sizes
