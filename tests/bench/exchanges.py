"""What each more exchange costs in memory: the real program beside one and beside five accounts, each read and traded.

Five are five accounts at three local venues: each has a class of ccxt's own, its own session, markets, clock and audit, and
each venue is a source of prices as well. The venues list few markets; a real one's thousands come on top.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.bench.figure import Figure
from tests.bench.memory import resident_mib
from tests.faults.venue_storm import inline_toml
from tests.support.venue.child import a_venue_child
from tests.support.venue.control import Control
from tests.support.venue.urls import ccxt_table, credentials

ONE: Final = (("binance", "main"),)
FIVE: Final = (*ONE, ("kraken", "main"), ("coinbase", "main"), ("binance", "second"), ("kraken", "second"))
SYMBOLS: Final = {"binance": ["BTC/USDT"], "kraken": ["ETH/USDT"], "coinbase": ["BTC/USD"]}
HEAD: Final = """
[market]
source = "ccxt"
"""


def run(quick: bool) -> list[Figure]:
    """Return resident MiB with one account and with five, at the end of a quiet run."""
    seconds = 15.0 if quick else 60.0
    one, five = _resident(ONE, seconds), _resident(FIVE, seconds)
    detail = f"after {seconds:.0f} s; {(five - one) / 4:.1f} MiB for each more"
    return [
        Figure("memory with one exchange", one, "MiB", "", None, detail),
        Figure("memory with five", five, "MiB", "", None, detail),
    ]


def _resident(accounts: Sequence[tuple[str, str]], seconds: float) -> float:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        venues = {
            venue: stack.enter_context(a_venue_child(venue, state=folder / f"{venue}.json"))
            for venue in dict.fromkeys(venue for venue, _ in accounts)
        }
        config = folder / "bench.toml"
        config.write_text(HEAD + "".join(_feed(c) for c in venues.values()) + _traders(accounts, venues))
        words = ["run", "--headless", "--config", str(config), "--db", str(folder / "bench.sqlite")]
        keys = {
            f"{venue}_{account}_{part}".upper(): credentials(venues[venue].about, account)[part]
            for venue, account in accounts
            for part in ("apiKey", "secret")
        }
        child = subprocess.Popen(
            [sys.executable, "-m", "tui.cli", *words], stdout=subprocess.DEVNULL, env={**os.environ, **keys}
        )
        try:
            time.sleep(0.8 * seconds)
            sizes = []
            for _ in range(10):
                time.sleep(0.02 * seconds)
                sizes.append(resident_mib(child.pid))
            if child.poll() is not None:
                raise RuntimeError(f"the engine ended with {child.returncode}")
        finally:
            child.terminate()
            child.wait(30)
        asked = {venue: len(control.log("balance")) for venue, control in venues.items()}
        if not all(asked.values()):
            raise RuntimeError(f"an account was never opened: {asked}")
        return statistics.median(sizes)


def _table(control: Control) -> str:
    return inline_toml({**ccxt_table(control.about), "rateLimit": 2})


def _feed(control: Control) -> str:
    symbols = json.dumps(SYMBOLS[control.venue])
    return f'[[market.feeds]]\nexchange = "{control.venue}"\nsymbols = {symbols}\nccxt = {_table(control)}\n'


def _traders(accounts: Sequence[tuple[str, str]], venues: dict[str, Control]) -> str:
    return "".join(
        f'[[traders]]\nname = "{venue}_{account}"\nexchange = "{venue}"\nccxt = {_table(venues[venue])}\n'
        f'api_key_env = "{venue.upper()}_{account.upper()}_APIKEY"\n'
        f'secret_env = "{venue.upper()}_{account.upper()}_SECRET"\n'
        for venue, account in accounts
    )
