"""A storm at the inbox: many clients post to a headless engine that is killed meanwhile, among requests that are no good.

`python -m tests.faults.inbox_storm` runs it at full size and prints what it found.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.storm import SYMBOLS, Storm

TOKEN = "storm-storm-storm-storm"
BODY_BYTES_MAX = 16_384
AGAIN = frozenset({429, 503})  # of a good request: the engine is away, or the kill left it starting
INBOX = """
[inbox]
enabled = true
port = {port}
token_file = "token"
body_bytes_max = {body_bytes_max}
client_requests_per_min_max = 1000000
requests_per_min_max = 1000000
"""


@dataclass(frozen=True)
class Bad:
    """A request that must not be taken: its body, its token, and the statuses that say so."""

    name: str
    body: bytes
    statuses: frozenset[int]
    token: str = TOKEN


BAD = {
    13: Bad("malformed", b'{"symbol": "BTC/USDT", "side": ', frozenset({400})),
    29: Bad("wrong token", b"{}", frozenset({401, 429}), "wrong-wrong-wrong-wrong"),
    43: Bad("oversized", b" " * (4 * BODY_BYTES_MAX), frozenset({413})),
    57: Bad("no signal", b'{"symbol": "BTC/USDT", "side": "up"}', frozenset({422})),
}


@dataclass
class InboxStorm(Storm):
    """One run: `producers` clients post `signals`; the engine is killed `kills_wanted` times on the way.

    Each hundred signals bring a duplicate, a conflict and one of each `BAD`. `answers` counts what was asked, by name
    and status; `lost` counts answers that never came, `unheard` tries while nobody listened.
    """

    kills_wanted: int = 2
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    lost: int = 0
    unheard: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        section = INBOX.format(port=self.port, body_bytes_max=BODY_BYTES_MAX)
        self.config.write_text(self.config.read_text() + section)
        token = self.folder / "token"
        token.write_text(TOKEN)
        token.chmod(0o600)

    def run(self) -> list[str]:
        """Let the clients post and the engine die; returns what is wrong, and nothing if nothing is."""
        self._start()
        began = time.monotonic()
        threads = [threading.Thread(target=self._produce, args=(n,)) for n in range(self.producers)]
        for thread in threads:
            thread.start()
        for kill in range(1, self.kills_wanted + 1):
            while (
                any(t.is_alive() for t in threads)
                and len(self.acknowledged) * (self.kills_wanted + 1) < self.signals * kill
            ):
                time.sleep(0.005)
            self._kill()
            self._start()
        for thread in threads:
            thread.join()
        self.took_s = time.monotonic() - began
        self._stop()
        return self.faults + self._look() + self._look_at_intake()

    def _produce(self, number: int) -> None:
        client = _Client(self)
        for n in range(number, self.signals, self.producers):
            signal = {"symbol": SYMBOLS[n % 4], "side": "buy" if n % 10 else "sell", "quantity": "1", "key": f"k{n}"}
            self.acknowledged[f"k{n}"] = self._hand_in_one(client, "good", signal)
            if n % 100 == 7:
                again = self._hand_in_one(client, "duplicate", signal)
                if again != self.acknowledged[f"k{n}"]:
                    self.faults.append(f"k{n} was {self.acknowledged[f'k{n}']} and came again as {again}")
            if n % 100 == 71:
                self._expect(
                    client, Bad("conflict", json.dumps({**signal, "quantity": "2"}).encode(), frozenset({409}))
                )
            if n % 100 in BAD:
                self._expect(client, BAD[n % 100])
        client.close()

    def _hand_in_one(self, client: _Client, name: str, signal: dict[str, str]) -> str:
        status, said = client.insist(name, json.dumps(signal).encode(), TOKEN, AGAIN)
        if status != 200:
            self.faults.append(f"{name} {signal['key']}: {status} {said}")
            return ""
        return str(said["results"][0]["signal_id"])

    def _expect(self, client: _Client, bad: Bad) -> None:
        status, said = client.insist(bad.name, bad.body, bad.token, frozenset({503}))
        if status not in bad.statuses or not said.get("error"):
            self.faults.append(f"{bad.name}: {status} {said}")

    def _look_at_intake(self) -> list[str]:
        wrong = []
        keys = Counter(key for (key,) in self._read(self.db, "SELECT key FROM signal"))
        wrong += [f"{key} is stored {count} times" for key, count in keys.items() if count > 1]
        wrong += [f"{key} is stored and nobody was told" for key in keys if key not in self.acknowledged]
        ids = Counter(self.acknowledged.values())
        wrong += [f"signal {sid} was acknowledged for {count} keys" for sid, count in ids.items() if count > 1]
        self.stored = sum(keys.values())
        self.refusals: dict[str, int] = dict(
            self._read(self.db, "SELECT code, count(*) FROM event WHERE kind = 'intake_refused' GROUP BY 1")
        )
        return wrong


class _Client:
    """One connection, made again whenever it is lost."""

    def __init__(self, storm: InboxStorm) -> None:
        self._storm = storm
        self._connection: http.client.HTTPConnection | None = None

    def insist(self, name: str, body: bytes, token: str, again: frozenset[int]) -> tuple[int, dict[str, Any]]:
        """Post until there is an answer that is none of `again`; at most for two minutes."""
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                status, said = self._post(body, token)
            except ConnectionRefusedError:
                self._storm.unheard += 1
                self.close()
            except (OSError, http.client.HTTPException):
                self._storm.lost += 1
                self.close()
            else:
                self._storm.answers[name, status] += 1
                if status not in again:
                    return status, said
            time.sleep(0.05)
        return 0, {"error": "nobody answered for two minutes"}

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, body: bytes, token: str) -> tuple[int, dict[str, Any]]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._storm.port, timeout=30)
        head = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        self._connection.request("POST", "/signals", body, head)
        answer = self._connection.getresponse()
        said: dict[str, Any] = json.loads(answer.read())
        return answer.status, said


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--signals", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=2)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        storm = InboxStorm(Path(folder), given.clients, given.signals, kill_every_s=0.0, kills_wanted=given.kills)
        wrong = storm.run()
        print(
            f"{len(storm.acknowledged)} acknowledged, {storm.stored} stored, {storm.kills} kills, {storm.took_s:.1f} s, "
            f"{storm.lost} answers lost, {storm.unheard} tries while nobody listened; {storm.orders} orders, signals {dict(storm.states)}"
        )
        for (name, status), count in sorted(storm.answers.items()):
            print(f"  {name}: {status} x {count}")
        print(f"journal: {storm.refusals}")
        print("\n".join(wrong[:50]) or "nothing is wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
