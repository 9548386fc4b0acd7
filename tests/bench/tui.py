"""The dashboard under load, through a pty: from a key to its picture, what one tick costs, whether memory stays.

A process of its own writes 1,000 transitions a second into a store with 100,000 queued signals and 10,000 errors. A key moves
the cursor; its picture is the first output that paints a row as the cursor paints it. A tick may paint the cursor's row as
well: four times a second, and so in about one of fifty of the times measured, which it then makes shorter.
"""

from __future__ import annotations

import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.bench.figure import Figure
from tests.bench.load import TRANSITIONS
from tests.bench.terminal import Terminal

SIZES: Final = ((120, 40), (80, 24), (240, 67))
TARGET_SIZE: Final = (120, 40)
RATE: Final = 1_000 / TRANSITIONS
KEY_S_MAX: Final = 2.0
HZ: Final = 4.0
P50_MS, P99_MS, TICK_MS, LAG_MS = 15.0, 80.0, 25.0, 10.0
_GROUND: Final = re.compile(rb"48;2;\d+;\d+;\d+")


def run(quick: bool) -> list[Figure]:
    """Return the figures of each size, and how the writing process fared beside the first of them."""
    queued, keys, rest_s = (10_000, 40, 5.0) if quick else (100_000, 300, 20.0)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "deck.sqlite"
        with loaded(db, queued, RATE) as load:
            for columns, rows in SIZES:
                with dashboard(db, columns, rows) as terminal:
                    ground = cursor_ground(terminal)
                    if not figures:
                        load.begin()
                        time.sleep(2.0)
                    figures += measured(terminal, ground, (columns, rows), keys=keys, rest_s=rest_s)
            told = load.end()
    lag = told["lag_p99_s"] * 1000
    rate = f"{told['transitions_per_s']:,.0f} transitions/s, {queued:,} queued, 10,000 errors"
    figures.append(Figure("loop lag of the writer p99", lag, "ms", f"<= {LAG_MS:g} ms", lag <= LAG_MS, rate))
    return figures


class Loading:
    """The process that writes; see `tests.bench.load`."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        assert child.stdin
        assert child.stdout
        self._said, self._told = child.stdin, child.stdout
        assert self._told.readline().strip() == "filled"

    def begin(self) -> None:
        print("begin", file=self._said, flush=True)

    def end(self) -> dict[str, float]:
        """Let it end, and return its figures."""
        print("end", file=self._said, flush=True)
        figures: dict[str, float] = json.loads(self._told.readline())
        return figures


@contextmanager
def loaded(db: Path, queued: int, rate: float) -> Iterator[Loading]:
    """Fill a store, 10,000 errors included, in a process that then writes `rate` cycles a second from `begin` to `end`."""
    command = [sys.executable, "-m", "tests.bench.load", str(db), str(queued), "10000", str(rate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        yield Loading(child)


@contextmanager
def dashboard(db: Path, columns: int, rows: int) -> Iterator[Terminal]:
    """Show the store's dashboard on a terminal of this size; it is drawn 4 times a second."""
    command = [sys.executable, "-m", "tui.cli", "attach", "--db", str(db)]
    terminal = Terminal(command, columns, rows, {"SSH_CONNECTION": ""})
    try:
        terminal.wait_for(b"DEMO")
        time.sleep(2.0)
        terminal.send(b"1")
        yield terminal
    finally:
        terminal.end()


def cursor_ground(terminal: Terminal) -> bytes:
    """Return the colour that the cursor's row is painted on: it comes with every key, and not without one."""
    with_key: set[bytes] | None = None
    without: set[bytes] = set()
    for step in range(16):
        before = len(terminal.output)
        if step % 2:
            terminal.send(b"j")
        time.sleep(0.1)
        grounds = set(_GROUND.findall(terminal.output[before:]))
        if step % 2:
            with_key = grounds if with_key is None else with_key & grounds
        elif step > 1:
            without |= grounds if len(grounds) < 3 else set()
    assert with_key, "the cursor has no colour of its own"
    found = with_key - without or with_key
    return max(found, key=lambda ground: sum(map(int, ground.split(b";")[2:])))


def measured(terminal: Terminal, ground: bytes, size: tuple[int, int], *, keys: int, rest_s: float) -> list[Figure]:
    """Return what a dashboard of this size does under the load."""
    source = random.Random(1)
    times = []
    for at in range(keys):
        times.append(_key(terminal, b"jk"[at // 8 % 2 :][:1], ground))
        time.sleep(source.uniform(0.05, 0.2))
    first = _resident(terminal.pid)
    before, began = _cpu_s(terminal.pid), time.perf_counter()
    time.sleep(rest_s)
    ticks = (time.perf_counter() - began) * HZ
    tick = (_cpu_s(terminal.pid) - before) / ticks * 1000
    p50, p99 = statistics.median(times) * 1000, sorted(times)[int(len(times) * 0.99) - 1] * 1000
    name = f"{size[0]}x{size[1]}"
    is_judged = size == TARGET_SIZE
    detail = f"{keys} keys"

    def figure(what: str, value: float, bound: float, told: str) -> Figure:
        target = f"<= {bound:g} ms" if is_judged else ""
        return Figure(f"{what}, {name}", value, "ms", target, value <= bound if is_judged else None, told)

    memory = f"{first / 2**20:.0f} MiB before {rest_s:g} s at rest"
    return [
        figure("key to paint p50", p50, P50_MS, detail),
        figure("key to paint p99", p99, P99_MS, detail),
        figure("cpu of one tick", tick, TICK_MS, f"of the whole process, {rest_s:g} s at 4 Hz"),
        Figure(f"memory, {name}", _resident(terminal.pid) / 2**20, "MiB", detail=memory),
    ]


def _key(terminal: Terminal, key: bytes, ground: bytes) -> float:
    """Return the seconds from sending the key until a row was painted on `ground`. Raises TimeoutError."""
    before = len(terminal.output)
    began = time.perf_counter()
    terminal.send(key)
    while time.perf_counter() - began < KEY_S_MAX:
        if terminal.output.find(ground, before) >= 0:
            return time.perf_counter() - began
        time.sleep(0.0003)
    raise TimeoutError(f"no answer to {key!r} in {KEY_S_MAX} s")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
