"""From the start of the process to the first picture: `signaldeck` against an empty Textual app, in turn."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.bench.figure import Figure
from tests.bench.terminal import Terminal

EMPTY: Final = """
from textual.app import App, ComposeResult
from textual.widgets import Static

class Empty(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("NOTHING")

Empty().run()
"""


def run(quick: bool) -> list[Figure]:
    """Return the ratio of the medians, and both medians."""
    rounds = 5 if quick else 15
    empty: list[float] = []
    ours: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            pair = (
                _time([sys.executable, "-c", EMPTY], b"NOTHING"),
                _time([sys.executable, "-m", "tui.cli", "--db", str(Path(folder) / f"{number}.sqlite")], b"DEMO"),
            )
            if number:  # the first of each warms the caches
                empty.append(pair[0])
                ours.append(pair[1])
    ratio = statistics.median(a / b for a, b in zip(ours, empty, strict=True))
    detail = f"{rounds} pairs on a pty of 120x40, in turn; medians"
    return [
        Figure("first paint, empty Textual app", statistics.median(empty) * 1000, "ms", "", None, detail),
        Figure("first paint, signaldeck", statistics.median(ours) * 1000, "ms", "", None, detail),
        Figure("first paint, signaldeck / empty app", ratio, "x", "<= 2.5x", ratio <= 2.5, detail),
    ]


def _time(command: list[str], marker: bytes) -> float:
    terminal = Terminal(command, 120, 40)
    try:
        return terminal.wait_for(marker)
    finally:
        terminal.end()
