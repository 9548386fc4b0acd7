"""A storm: many producers against a headless engine that is killed again and again. Real processes, real time.

`python -m tests.faults.storm --producers 32 --signals 2000` runs it at full size and prints what it found.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONFIG = """
[engine]
sweep_every_s = 1.0
signal_ttl_s = 600.0
in_flight_max = 64

[market]
source = "synthetic"

[market.synthetic]
symbols = ["BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT"]
seed = 7

[strategies.fast_scalping]
enabled = false
[strategies.momentum_scalping]
enabled = false
[strategies.conservative_scalping]
enabled = false

[limits]
positions_per_symbol_max = 10000
positions_max = 10000
trades_per_hour_max = 1000000
trades_per_day_max = 10000000
stop_loss = 0
take_profit = 0
cost_max = 10000000

[log]
level = "warning"

[[traders]]
name = "north"
[traders.paper]
shorting = true
start_quote = "1000000000"
[traders.weather]
latency_s = 0.05
lost_after_rate = 0.01
lost_reads = false
lost_before_rate = 0.01

[[traders]]
name = "south"
[traders.paper]
shorting = true
start_quote = "1000000000"
[traders.weather]
latency_s = 0.02
lost_after_rate = 0.01
lost_reads = false
"""

CHUNK = 8  # signals per producing process
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT")


@dataclass
class Storm:
    """One run. `acknowledged` maps each key to the id that its producer was given.

    A producer rests for `pause_s` after every few signals; the storm lasts for `kills_min` kills at least.
    """

    folder: Path
    producers: int
    signals: int
    kill_every_s: float
    settle_s: float = 300.0
    settings: str = CONFIG
    symbols: Sequence[str] = SYMBOLS
    quantity: str = "1"
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    kills_min: int = 0
    pause_s: float = 0.0
    acknowledged: dict[str, str] = field(default_factory=dict)
    kills: int = 0
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.db = self.folder / "storm.sqlite"
        self.config = self.folder / "storm.toml"
        self.config.write_text(self.settings)
        self._engine: subprocess.Popen[bytes] | None = None

    def run(self) -> list[str]:
        """Let it rage, let it settle, look; returns what is wrong, and nothing if nothing is."""
        self._start()
        threads = [threading.Thread(target=self._produce, args=(n,)) for n in range(self.producers)]
        for thread in threads:
            thread.start()
        while self._rages(threads):
            until = time.monotonic() + self.kill_every_s
            while time.monotonic() < until and self._rages(threads):
                time.sleep(0.05)
            if time.monotonic() >= until:
                self._kill()
                self._start()
        self._kill()  # once more, with whatever is still on its way
        self._start()
        self._settle()
        self._stop()
        return self.faults + self._look()

    def _rages(self, producers: Sequence[threading.Thread]) -> bool:
        return self.kills < self.kills_min or any(thread.is_alive() for thread in producers)

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "tui.cli", *words, "--config", str(self.config), "--db", str(self.db)]

    def _start(self) -> None:
        log = (self.folder / "engine.log").open("ab")
        self._engine = subprocess.Popen(self._command("run", "--headless"), stdout=log, stderr=log, env=self.env)
        log.close()

    def _kill(self) -> None:
        assert self._engine is not None
        self._engine.send_signal(signal.SIGKILL)
        self._engine.wait()
        self.kills += 1

    def _stop(self) -> None:
        assert self._engine is not None
        ready, until = f"engine runs, pid {self._engine.pid},", time.monotonic() + 30
        while ready not in (self.folder / "engine.log").read_text() and time.monotonic() < until:
            time.sleep(0.1)  # while Python itself starts, a signal simply ends it
        self._engine.send_signal(signal.SIGTERM)
        code = self._engine.wait(60)
        if code != 0:
            self.faults.append(f"SIGTERM ended with {code}")

    def _produce(self, number: int) -> None:
        share = list(range(number, self.signals, self.producers))
        for first in range(0, len(share), CHUNK):
            self._hand_in(number, share[first : first + CHUNK])
            time.sleep(self.pause_s)

    def _hand_in(self, number: int, share: Sequence[int]) -> None:
        lines = [
            json.dumps(
                {
                    "symbol": self.symbols[n % len(self.symbols)],
                    "side": "buy" if n % 10 else "sell",
                    "quantity": self.quantity,
                    "key": f"k{n}",
                    "source": f"p{number}",
                }
            )
            for n in share
        ]
        done = subprocess.run(
            self._command("signal", "add", "--stdin", "--wait", "120"),
            input="\n".join(lines).encode(),
            capture_output=True,
            timeout=300,
            env=self.env,
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        if len(answers) != len(lines):
            said = f"exit {done.returncode}: {done.stderr[-400:]!r}"
            self.faults.append(f"producer {number}: {len(answers)} answers to {len(lines)} lines, {said}")
        for answer in answers:
            if answer["outcome"] in {"stored", "repeated"}:
                self.acknowledged[answer["key"]] = answer["signal_id"]
            else:
                self.faults.append(f"refused: {answer}")

    def _settle(self) -> None:
        until = time.monotonic() + self.settle_s
        while time.monotonic() < until:
            time.sleep(1.0)
            if not self.db.exists():
                continue
            rows = self._read(self.db, "SELECT state, count(*) FROM signal GROUP BY state")
            if rows and not {"new", "waiting", "executing"} & {state for state, _ in rows}:
                return
        self.faults.append(f"not settled in {self.settle_s} s: {rows}")

    def _orders(self) -> Counter[str]:
        """Return how many orders the venue's own books have, by client id."""
        rows = self._read(Path(f"{self.db}.paper"), "SELECT client_order_id FROM paper_order")
        return Counter(str(client_id) for (client_id,) in rows)

    def _read(self, path: Path, sql: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def _look(self) -> list[str]:
        wrong = []
        stored = {key: (sid, state) for key, sid, state in self._read(self.db, "SELECT key, id, state FROM signal")}
        for key, sid in self.acknowledged.items():
            if key not in stored:
                wrong.append(f"lost: {key} was acknowledged as {sid}")
            elif stored[key][0] != sid:
                wrong.append(f"{key} was acknowledged as {sid} and is {stored[key][0]}")
        orders = self._orders()
        attempts = self._read(self.db, "SELECT signal_id, client_order_id, state FROM attempt")
        signal_of = {cid: sid for sid, cid, _ in attempts}
        per_signal: Counter[object] = Counter()
        for cid, count in orders.items():
            if cid not in signal_of:
                wrong.append(f"the venue has order {cid} and the store does not know it")
            per_signal[signal_of.get(cid)] += count
        wrong += [f"signal {sid} has {count} orders" for sid, count in per_signal.items() if count > 1]
        for sid, cid, state in attempts:
            has_order = orders[cid] > 0
            if state in {"filled", "partial_closed", "accepted", "canceled"} and not has_order:
                wrong.append(f"attempt {cid} of {sid} is {state} and the venue has no order")
            if state in {"absent", "not_sent", "rejected"} and has_order:
                wrong.append(f"attempt {cid} of {sid} is {state} and the venue has an order")
        done = {sid for sid, state in stored.values() if state == "done"}
        wrong += [f"signal {sid} is done without an order" for sid in done if per_signal[sid] != 1]
        self.states = Counter(str(state) for _, state in stored.values())
        self.reasons: dict[str, int] = dict(
            self._read(self.db, "SELECT state || '/' || reason_code, count(*) FROM signal GROUP BY 1")
        )
        self.orders = sum(orders.values())
        return wrong


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--producers", type=int, default=32)
    parser.add_argument("--signals", type=int, default=2000)
    parser.add_argument("--kill-every", type=float, default=4.0)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        storm = Storm(Path(folder), given.producers, given.signals, given.kill_every)
        began = time.monotonic()
        wrong = storm.run()
        took = time.monotonic() - began
        print(
            f"{len(storm.acknowledged)} acknowledged, {storm.kills} kills, {took:.0f} s; signals {storm.reasons}; {storm.orders} orders"
        )
        print("\n".join(wrong) or "nothing is wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
