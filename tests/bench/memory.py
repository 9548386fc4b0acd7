"""Memory over a long replay at full speed: a million candles through the real program, its resident size watched."""

from __future__ import annotations

import gzip
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.figure import Figure


def run(quick: bool) -> list[Figure]:
    """Return the ratio of the last tenth's median resident size to that after warm-up (the third tenth)."""
    candles = 100_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        recordings = Path(folder) / "recordings"
        recordings.mkdir()
        for number in range(4):
            _write(recordings / f"S{number}-USDT.1m.csv.gz", candles // 4, number)
        began = time.perf_counter()
        child = subprocess.Popen(
            [
                sys.executable, "-m", "tui.cli", "run", "--headless", "--replay", str(recordings), "--speed", "max",
                "--db", str(Path(folder) / "memory.sqlite"),
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        sizes = []
        while child.poll() is None:
            sizes.append(resident_mib(child.pid))
            time.sleep(0.25)
        took = time.perf_counter() - began
    sizes = [size for size in sizes if size]
    tenth = max(1, len(sizes) // 10)
    early, late = statistics.median(sizes[2 * tenth : 3 * tenth + 1]), statistics.median(sizes[-tenth:])
    detail = f"{candles} one-minute candles of 4 symbols, {took:.0f} s, exit {child.returncode}; {early:.0f} MiB after warm-up, {late:.0f} at the end"
    return [
        Figure("replay at full speed", candles / took, "candles/s", "", None, detail),
        Figure(
            "memory at the end / after warm-up",
            late / early,
            "x",
            "<= 1.1x",
            late / early <= 1.1 and child.returncode == 0,
            detail,
        ),
    ]


def _write(path: Path, count: int, number: int) -> None:
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.write("timestamp_ms,open,high,low,close,volume\n")
        last = 100.0 + number
        for n in range(count):
            price = (100 + number) * (1 + 0.03 * math.sin(n / 37 + number) + 0.05 * math.sin(n / 411))
            low, high = min(last, price) * 0.9995, max(last, price) * 1.0005
            file.write(f"{1_600_000_000_000 + n * 60_000},{last:.4f},{high:.4f},{low:.4f},{price:.4f},{5 + n % 7}\n")
            last = price


def resident_mib(pid: int) -> float:
    """Return a process's resident memory in MiB, 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)
