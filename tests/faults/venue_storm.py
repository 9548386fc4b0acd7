"""A storm at a real venue's protocol: ccxt's own class, a local exchange with books of its own, faults in every third call,
and an engine that is killed again and again.

`python -m tests.faults.venue_storm --venues binance kraken coinbase --seeds 5` runs it at full size and prints what it found.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tests.faults.storm import CHUNK, Storm
from tests.support.canary import leaks
from tests.support.venue.child import a_venue_child
from tests.support.venue.control import Control
from tests.support.venue.urls import ccxt_table, credentials

SYMBOLS: Final = ("BTC/USDT", "ETH/USDT")
PRODUCERS: Final = 6
UNKNOWN_S_MAX: Final = 60.0
RATE: Final = 0.3
SKEWS_S: Final = (
    0.0,
    0.3,
    -0.3,
    0.5,
    -0.5,
)  # the venue's clock against ours, by seed; beyond 0.75 s a trader sends nothing
# Everything but refused credentials, after which a trader rightly waits for a person.
MIX: Final = {
    "connection closed before processing": 3,
    "connection reset before processing": 3,
    "no answer, not processed": 2,
    "processed, then connection closed": 3,
    "processed, then connection reset": 3,
    "processed, never answered": 2,
    "closed now, processed 0.3 s later": 2,
    "closed now, processed 2 s later": 1,
    "closed now, processed 5 s later": 1,
    "closed now, processed 10 s later": 1,
    "closed now, processed 20 s later": 1,
    "never answered, processed 1 s later": 1,
    "slow request (latency > timeout)": 1,
    "slow answer (latency > timeout)": 1,
    "answer cut short": 2,
    "answer trickles past the timeout": 1,
    "answer trickles, in time": 1,
    "HTTP 500, not processed": 1,
    "HTTP 502, not processed": 1,
    "HTTP 503, not processed": 1,
    "HTTP 504, not processed": 1,
    "HTTP 500, processed": 1,
    "HTTP 502, processed": 1,
    "HTTP 504, processed": 1,
    "HTTP 524, processed": 1,
    "HTTP 200 with HTML, processed": 2,
    "HTTP 200 with HTML, not processed": 2,
    "HTTP 200 empty, processed": 1,
    "HTTP 200 malformed JSON, processed": 1,
    "HTTP 200 {}, processed": 1,
    "HTTP 200 binary body, processed": 1,
    "HTTP 429 with Retry-After": 1,
    "says rate limit": 1,
    "says overloaded": 1,
    "says status unknown, processed": 1,
    "says internal error, processed": 1,
    "says clock skew": 1,
}

CONFIG: Final = """
[engine]
sweep_every_s = 1.0
signal_ttl_s = 900.0
in_flight_max = 32

[market]
source = "ccxt"

[[market.feeds]]
exchange = "{venue}"
symbols = {symbols}
every_s = 2.0
ccxt = {table}

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
slippage_max = "0.05"

[retry]
attempts_max = 8

[breaker]
open_s = 2.0
open_s_max = 4.0

[health]
time_every_s = 3.0
private_every_s = 10.0
down_after = 8
dwell_s = 1.0
quarantine_after = 100

[log]
level = "debug"

[[traders]]
name = "desk"
exchange = "{venue}"
api_key_env = "DESK_KEY"
secret_env = "DESK_SECRET"
ccxt = {table}
"""


@dataclass
class VenueStorm(Storm):
    """One run at one venue. `control` steers the venue, which outlives every engine."""

    control: Control | None = None
    seed: int = 1
    found: list[str] = field(default_factory=list)
    requests: int = 0
    faulted: int = 0
    unknown_s: float = 0.0
    reviewed: int = 0

    def run(self) -> list[str]:
        """See `Storm.run`."""
        self._venue.skew(SKEWS_S[self.seed % len(SKEWS_S)])
        self._venue.storm(self.seed, RATE, mix_for(self._venue.venue))
        return super().run()

    @property
    def _venue(self) -> Control:
        assert self.control is not None, "given"
        return self.control

    def _settle(self) -> None:
        """Let the storm end, and see how long an outcome stays unknown after it."""
        self._venue.calm()
        began = time.monotonic()
        while time.monotonic() - began < self.settle_s:
            time.sleep(0.5)
            rows = dict(self._read(self.db, "SELECT state, count(*) FROM attempt GROUP BY state"))
            open_signals = dict(self._read(self.db, "SELECT state, count(*) FROM signal GROUP BY state"))
            if rows.get("unknown", 0) + rows.get("intent", 0):
                self.unknown_s = time.monotonic() - began
            if open_signals.get("needs_review") and not rows.get("unknown"):
                self._review()
            elif not {"new", "waiting", "executing"} & set(open_signals):
                break
        else:
            self.faults.append(f"not settled in {self.settle_s:.0f} s: {open_signals}, attempts {rows}")
        if self.unknown_s > UNKNOWN_S_MAX:
            self.faults.append(f"an outcome stayed unknown for {self.unknown_s:.0f} s after the storm")

    def _review(self) -> None:
        """Answer, as an operator who looks at the venue, for each signal whose outcome nothing proves."""
        self._venue.settle()
        there = {str(order["client_id"]): str(order["id"]) for order in self._venue.orders()}
        rows = self._read(self.db, "SELECT signal_id, client_order_id FROM attempt WHERE state = 'review'")
        for signal_id, client_id in rows:
            order = there.get(client_id)
            answer = ["attach", signal_id, order] if order else ["absent", signal_id]
            words = self._command("signal", *answer, "--why", "looked at the venue", "--yes")
            done = subprocess.run(words, capture_output=True, env=self.env)
            if done.returncode != 0:
                self.faults.append(f"{answer}: exit {done.returncode}: {done.stderr[-400:]!r}")
            self.reviewed += 1

    def _orders(self) -> Counter[str]:
        return Counter(str(order["client_id"]) for order in self._venue.orders())

    def _look(self) -> list[str]:
        wrong = super()._look()
        rows = list(csv.DictReader(io.StringIO(self._export())))
        truth = {str(order["client_id"]): order for order in self._venue.orders()}
        self.attempts = Counter(row["state"] for row in rows)
        self.late = 0
        for row in rows:
            order = truth.get(row["client_order_id"])
            wrong += _differences(row, order)
            if order is not None and order["accepted_at_s"] > datetime.fromisoformat(row["send_by"]).timestamp():
                self.late += 1
                if order["deadline_s"] is not None:
                    wrong.append(f"{row['client_order_id']} was accepted after its send_by")
        wrong += leaks([self.folder], [self.env["DESK_KEY"], self.env["DESK_SECRET"]])
        return wrong

    def _export(self) -> str:
        done = subprocess.run(
            self._command("export", "attempts", "--format", "csv"), capture_output=True, env=self.env, check=True
        )
        return done.stdout.decode()


def mix_for(venue: str) -> dict[str, int]:
    """Return the faults and their weights. Coinbase says of a skewed clock what it says of refused credentials."""
    return {name: weight for name, weight in MIX.items() if (venue, name) != ("coinbase", "says clock skew")}


def _differences(row: Mapping[str, str], order: Mapping[str, Any] | None) -> list[str]:
    """Return in what an exported attempt and the venue's books differ."""
    name, state = row["client_order_id"], row["state"]
    if order is None:
        return [f"{name} is {state}, and the venue has no order"] if row["venue_order_id"] else []
    if state not in {"filled", "partial_closed", "accepted", "canceled"}:
        return []
    same = {
        "venue_order_id": (row["venue_order_id"], str(order["id"])),
        "symbol": (row["symbol"], order["symbol"]),
        "side": (row["side"], order["side"]),
        "quantity": (Decimal(row["quantity"]), Decimal(order["quantity"])),
        "filled": (Decimal(row["filled_quantity"]), Decimal(order["filled"])),
    }
    if order["average"] is not None:
        same["average"] = (round(Decimal(row["average_price"]), 6), round(Decimal(order["average"]), 6))
    return [f"{name}: {key} is {ours}, at the venue {theirs}" for key, (ours, theirs) in same.items() if ours != theirs]


def settings_for(about: Mapping[str, Any], *, real_names: bool = False, timeout_ms: int = 1_000) -> str:
    """Return a configuration whose feed and trader stand at the venue; see `ccxt_table` for `real_names`."""
    table = {**ccxt_table(about, real_names=real_names), "timeout": timeout_ms, "rateLimit": 2}
    listed = json.dumps(list(SYMBOLS))
    return CONFIG.format(venue=about["venue"], symbols=listed, table=inline_toml(table))


def inline_toml(value: Any) -> str:
    """Return a value as TOML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)} = {inline_toml(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(inline_toml(v) for v in value) + "]"
    return json.dumps(value)


def environment_for(about: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment of an engine that has the venue's keys."""
    keys = credentials(about)
    return {**os.environ, "DESK_KEY": keys["apiKey"], "DESK_SECRET": keys["secret"]}


@dataclass(frozen=True, slots=True)
class Strength:
    """How hard a storm is. With `real_names` ccxt keeps its own addresses, and the venue has certificates for them."""

    signals: int = 300
    kills: int = 10
    kill_every_s: float = 10.0
    real_names: bool = False

    @property
    def pause_s(self) -> float:
        """Return a producer's rest after a few signals, such that the last come when the storm is nearly over."""
        turns = self.signals / PRODUCERS / CHUNK
        return 0.9 * self.kills * self.kill_every_s / max(1.0, turns)


def a_storm(venue: str, seed: int, folder: Path, strength: Strength) -> VenueStorm:
    """Let a storm rage at a venue; returns it with `found`, the list of what is wrong."""
    deck = folder / "deck"
    deck.mkdir()
    tls = folder / "tls" if strength.real_names else None
    if tls is not None:
        tls.mkdir()
    with a_venue_child(venue, state=folder / "venue.json", tls_folder=tls) as control:
        storm = VenueStorm(
            deck, producers=PRODUCERS, pause_s=strength.pause_s, signals=strength.signals, kill_every_s=strength.kill_every_s, kills_min=strength.kills,
            control=control, seed=seed, settings=settings_for(control.about, real_names=strength.real_names),
            env=environment_for(control.about), symbols=SYMBOLS, quantity="0.01",
        )  # fmt: skip
        storm.found = storm.run()
        log = control.log()
    storm.requests, storm.faulted = len(log), sum(entry["fault"] is not None for entry in log)
    return storm


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--venues", nargs="+", default=["binance", "kraken", "coinbase"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--signals", type=int, default=300)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--real-names", action="store_true", help="ccxt keeps its own addresses")
    given = parser.parse_args(words)
    bad = 0
    for seed in given.seeds:
        for venue in given.venues:
            with tempfile.TemporaryDirectory() as folder:
                began = time.monotonic()
                strength = Strength(given.signals, given.kills, real_names=given.real_names)
                storm = a_storm(venue, seed, Path(folder), strength)
                print(
                    f"{venue} seed {seed}: {time.monotonic() - began:.0f} s, {len(storm.acknowledged)} acknowledged, {storm.kills} kills, "
                    f"{storm.orders} orders, signals {dict(storm.states)}, attempts {dict(storm.attempts)}, "
                    f"{storm.reviewed} answered by a person, unknown until {storm.unknown_s:.0f} s after, {storm.late} late without a fence, {storm.requests} requests, {storm.faulted} of them met a fault; "
                    + ("; ".join(storm.found[:20]) or "nothing is wrong"),
                    flush=True,
                )
                bad += bool(storm.found)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
