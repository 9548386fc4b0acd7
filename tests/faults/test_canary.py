"""Canary keys at venues that say back whatever they hear: nothing that the program writes holds any of them."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from engine import log
from engine.clock import LoopClock, SystemClock
from engine.config import load as load_settings
from engine.core.events import Alert, AlertState, Health, Level, NewEvent, Severity, TraderState
from engine.core.lifecycle import AttemptState, AttemptStep
from engine.core.values import Action, Vote
from engine.exchanges.ccxt_live.outcome import order_error, read_error
from engine.exchanges.ccxt_live.quirks import quirk_of
from engine.keys import KeyPlace, load
from engine.log import LogSettings
from engine.redaction import MASK, REDACT, Redactor
from engine.settings import TraderSettings
from engine.store.base import TraderHealth
from engine.store.sqlite import SqliteStore
from engine.venues.client import Access, VenueClient, sentence
from engine.venues.trip import Trip
from tests.support.boards import RecordingBridge
from tests.support.builders import NOW, a_signal, an_attempt_move, an_event, an_intent
from tests.support.canary import a_key_file, a_pem_key, forms, leaks
from tests.support.command_line import ROOT, Shell, a_shell
from tests.support.parrot import ANSWERS, Parrot, a_parrot
from tests.support.stage import NEVER_S, StillClock
from tests.support.store import an_open_store
from tui import crash
from tui.app import Dress, SignalDeckApp
from tui.cli import to_the_end

pytestmark = pytest.mark.waits

KRAKEN_SECRET = base64.b64encode(b"canary of kraken, which is hashed with as bytes>?>?").decode()
CANARIES: Mapping[str, str] = {
    "B_KEY": "canaryBinanceKeyVmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
    "B_SECRET": 'canary/secret+of=Binance&"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j',
    "K_KEY": "canaryKrakenKey/y8EZzBLMGQC+aoMqzQvQGbNKyqxgnpELMgyZ4vzM6PLYoBX",
    "K_SECRET": KRAKEN_SECRET,
    "C_KEY": "organizations/canary-4d5b-8a06-coinbase/apiKeys/canary-90ab-cdef-0123",
    "C_SECRET": a_pem_key(),
    "C_PASSWORD": "canary pass phrase of nothing",
}
TRADER = """
[[traders]]
name = "{venue}"
exchange = "{venue}"
{keys}
[traders.ccxt]
timeout = 3000
[traders.ccxt.urls.api]
{urls}
"""
KEYS = {
    "binance": 'api_key_env = "B_KEY"\nsecret_env = "B_SECRET"',
    "kraken": 'key_file = "keys/trader.key"',
    "coinbase": 'api_key_env = "C_KEY"\nsecret_env = "C_SECRET"\npassword_env = "C_PASSWORD"',
}
URLS = {"binance": ("public", "private", "sapi", "v1"), "kraken": ("public", "private"), "coinbase": ("rest",)}
ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "1", "price": "1"}
# Method of the instance, what it is given: signed in a query, in headers, over a body.
CALLS: Mapping[str, tuple[tuple[str, dict[str, str]], ...]] = {
    "binance": (("private_get_account", {}), ("private_post_order", ORDER), ("private_delete_order", ORDER)),
    "kraken": (("private_post_balance", {}), ("private_post_addorder", {"pair": "XBTUSD", "volume": "1"})),
    "coinbase": (("v3_private_get_brokerage_accounts", {}), ("v3_private_post_brokerage_orders", {"product_id": "x"})),
}


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A user whose keys lie in the environment and in a file, and whose log is as loud as it can be."""
    shell = a_shell(tmp_path / "home", **{name: CANARIES[name].replace("\n", "\\n") for name in CANARIES})
    (tmp_path / "written").mkdir()
    a_key_file(tmp_path / "keys", {"api_key": CANARIES["K_KEY"], "secret": CANARIES["K_SECRET"]})
    loggers = [
        logging.getLogger(name) for name in ("ccxt", "ccxt.base.exchange", "aiohttp", "aiohttp.client", "asyncio")
    ]
    levels = [logger.level for logger in loggers]
    quiet = LogSettings(level="debug", levels={"libraries": "debug", "ccxt": "debug", "aiohttp": "debug"}, fold_s=0)
    log.start(quiet, path=tmp_path / "written" / "deck.log", env={})
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield shell
    log.stop()
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def test_no_credential_is_in_anything_that_was_written(
    tmp_path: Path, shell: Shell, capfd: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "written"
    errors, heard = asyncio.run(_speak_with_parrots(tmp_path, shell))
    for canary in ("B_KEY", "K_KEY"):
        assert CANARIES[canary] in heard, "the venue was told the key, or this test proves nothing"
    assert len(errors) >= 3 * len(ANSWERS)
    _break_the_screen(next(e for e in errors if CANARIES["B_KEY"] in str(e)), written / "screen.crash")
    for n, error in enumerate(e for e in errors[:: len(errors) // 30] if "anary" in str(e)):
        assert crash.keep(error, written / f"command-{n}.crash")
        with suppress(SystemExit):
            to_the_end(lambda error=error: _raise(error))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    _run_commands(shell, tmp_path)
    log.stop()
    out = capfd.readouterr()
    (written / "terminal.txt").write_text(out.out + out.err)
    assert leaks([written], CANARIES.values()) == []
    for name in (
        "deck.log",
        "deck.sqlite",
        "screen.crash",
        "command-0.crash",
        "events.csv",
        "show.txt",
        "terminal.txt",
    ):
        assert MASK.encode() in b"".join(p.read_bytes() for p in written.glob(f"{name}*")), name


def _raise(error: Exception) -> None:
    raise error


async def _speak_with_parrots(folder: Path, shell: Shell) -> tuple[list[Exception], str]:
    errors: list[Exception] = []
    async with a_parrot() as parrot, an_open_store(folder / "written" / "deck.sqlite", inline=False) as store:
        await _keep_a_signal(store)
        for trader in _traders(folder, shell, parrot):
            place = KeyPlace(
                trader.name, trader.api_key_env, trader.secret_env, trader.password_env, trader.key_file, trader.keyring
            )
            credentials = load(place, shell.env)
            access = Access(trader.exchange, trader.ccxt, credentials.as_ccxt())
            client = VenueClient(access, SystemClock())
            _print_values(folder, credentials, replace(access, table={}), client)
            try:
                found = await _provoke(client, parrot)
            finally:
                await client.close()
            for error in found:
                _log(error)
            await _keep(store, found)
            errors += found
        return errors, "".join(parrot.heard)


def _traders(folder: Path, shell: Shell, parrot: Parrot) -> tuple[TraderSettings, ...]:
    parts = [f'[market]\nsymbols = ["BTC/USDT"]\n[store]\npath = "{folder / "written" / "deck.sqlite"}"\n']
    for venue, keys in KEYS.items():
        urls = "\n".join(f'{name} = "{parrot.url}"' for name in URLS[venue])
        parts.append(TRADER.format(venue=venue, keys=keys, urls=urls))
    parts.append(f'[traders.ccxt.options]\nnote = "somebody put {CANARIES["B_KEY"]} here"\n')
    path = folder / "deck.toml"
    path.write_text("".join(parts))
    return load_settings(path, shell.env).settings.traders


def _print_values(folder: Path, *values: object) -> None:
    with (folder / "written" / "values.txt").open("a") as out:
        out.writelines(f"{value!r} {value}\n" for value in values)


async def _provoke(client: VenueClient, parrot: Parrot) -> list[Exception]:
    errors: list[Exception] = []
    for parrot.answer in ANSWERS:
        for step in (client.open, client.read_time):
            try:
                await step()
            except Exception as error:  # noqa: BLE001 - every error is what is wanted here
                errors.append(error)
        for method, given in CALLS[client.access.venue]:
            trip = Trip(send_by=client.time.now() + timedelta(seconds=5))
            try:
                await client.call(method, dict(given), trip=trip)
            except Exception as error:  # noqa: BLE001 - every error is what is wanted here
                refusals = quirk_of(client.access.venue).refusals
                errors += [error, read_error("trader", error, trip, refusals)]
                errors.append(order_error("trader", error, trip, refusals, client.time.now()))
    return errors


def _log(error: Exception) -> None:
    """Log an error as the engine and libraries do, also as it came: who forgot to clean it must not leak either."""
    said, raw = sentence(error), str(error)
    log.logger("canary").error("an error", error=error, said=said, held={"error": raw})
    logging.getLogger("ccxt.base.exchange").error("%s", raw, exc_info=error)
    logging.getLogger("aiohttp.client").debug(raw)
    asyncio.get_running_loop().call_exception_handler({"message": "unhandled", "exception": error})


def _event(error: Exception) -> NewEvent:
    raw = str(error)
    detail = {"inner": [{"said": repr(error)}, [error]], raw[:200]: 1}
    return replace(an_event(raw), level=Level.ERROR, detail=detail)


async def _keep(store: SqliteStore, errors: Sequence[Exception]) -> None:
    """Put errors wherever the store has a place for them."""
    await store.note([_event(error) for error in errors])
    telling = [error for error in errors if "anary" in str(error)]
    for error in telling[:: len(telling) // 6 + 1]:
        raw, event = str(error), _event(error)
        state = TraderState("kraken", "kraken", health=Health.DOWN, health_fact=raw, breaker_fact=raw)
        await store.note_health([TraderHealth(state, (event,))])
        words = (AlertState.ACTIVE, raw, raw, NOW, NOW)
        await store.save_alert(Alert(0, "trader_unavailable", "kraken", Severity.WARNING, *words), event)
        await _keep_an_attempt(store, error)


async def _keep_a_signal(store: SqliteStore) -> None:
    credential = CANARIES["B_SECRET"]
    REDACT.learn(credential)
    signal = a_signal(note=credential, votes=(Vote("fastscalping", Action.BUY, 0.9, credential),))
    await store.put_signals([signal])


async def _keep_an_attempt(store: SqliteStore, error: Exception) -> None:
    intent = an_intent(a_signal())
    await store.put_signals([a_signal(intent.signal_id)])
    await store.commit_intents([intent])
    raw = str(error)
    move = an_attempt_move(intent.request, AttemptState.INTENT, AttemptStep.LOSE_ANSWER, error_text=raw, evidence=raw)
    await store.move_attempts([move])


class _ScreenThatBreaks(SignalDeckApp):
    broken: Exception

    def on_key(self) -> None:
        raise self.broken


def _break_the_screen(error: Exception, path: Path) -> None:
    app = _ScreenThatBreaks(RecordingBridge(), Dress(refresh_s=NEVER_S), clock=StillClock(), crash_file=path)
    app.broken = error

    async def scene() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("x")
            await pilot.pause()

    with pytest.raises(type(error)):
        asyncio.run(scene())
    assert path.stat().st_mode & 0o777 == 0o600


def _run_commands(shell: Shell, folder: Path) -> None:
    written, config = folder / "written", folder / "deck.toml"
    for what, form in (("signals", "csv"), ("attempts", "jsonl"), ("events", "csv"), ("events", "jsonl")):
        ran = shell("export", what, "--config", config, "--format", form, "--output", written / f"{what}.{form}")
        assert ran.code == 0, ran.err
    reading = [("config", "show"), ("status",), *((word, "list") for word in ("signal", "trader", "alert", "error"))]
    for words in reading:
        for options in ((), ("--json",)):
            ran = shell(*words, "--config", config, *options)
            assert ran.code == 0, ran.err
            with (written / f"{words[-1]}.txt").open("a") as out:
                out.write(ran.out + ran.err)
            if options:
                json.loads(ran.out)


def test_what_breaks_in_a_thread_reaches_the_log_and_not_the_terminal(tmp_path: Path) -> None:
    canary = CANARIES["K_KEY"]
    program = (
        "import threading\nfrom pathlib import Path\nfrom engine import log\nfrom engine.redaction import REDACT\n"
        "from tui import crash\n"
        f"REDACT.learn({canary!r}); log.start(log.LogSettings(), path=Path({str(tmp_path / 'x.log')!r}), env={{}})\n"
        "crash.listen()\n"
        f"def broken():\n    raise RuntimeError('no ' + {canary!r})\n"
        "class Broken:\n    def __del__(self): broken()\n"
        "thread = threading.Thread(target=broken); thread.start(); thread.join(); Broken(); log.stop()\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert (ran.stdout, ran.stderr) == ("", "")
    assert (tmp_path / "x.log").read_text().count("RuntimeError: no ***") == 2
    assert leaks([tmp_path], [canary]) == []


@pytest.mark.parametrize("name", CANARIES)
def test_a_canary_is_found_in_every_form_and_hidden_in_every_form_but_one(tmp_path: Path, name: str) -> None:
    redact = Redactor()
    redact.learn(CANARIES[name].strip())
    for form, text in forms(CANARIES[name]).items():
        told = tmp_path / "told.txt"
        told.write_text(f"before{text}after")
        assert leaks([told], CANARIES.values()), form
        told.write_text(redact(f"before{text}after"))
        if "reversed" not in form:
            assert leaks([told], CANARIES.values()) == [], form


def test_half_a_canary_is_a_leak_too(tmp_path: Path) -> None:
    (tmp_path / "cut.txt").write_text("…" + CANARIES["K_KEY"][9:26])
    assert leaks([tmp_path], CANARIES.values()) != []


def test_the_store_s_chain_holds_over_what_was_hidden(tmp_path: Path) -> None:
    REDACT.learn(CANARIES["K_KEY"])

    async def scene() -> None:
        async with an_open_store(tmp_path / "deck.sqlite", clock=LoopClock(NOW)) as store:
            await store.note([an_event(f"said {CANARIES['K_KEY']}", detail={"token": 5, "secret": CANARIES["K_KEY"]})])
            (kept,) = [e for e in await store.events(0, 100) if e.text.startswith("said")]
            assert (kept.text, kept.detail) == (f"said {MASK}", {"token": 5, "secret": MASK})
            assert await store.verify_chain() is None

    asyncio.run(scene())
