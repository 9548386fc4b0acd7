"""The venue as a server: HTTP on this machine, TLS under the real host names if asked, and a control plane beside it."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from email.utils import formatdate
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from engine.clock import SystemClock
from tests.support.venue.binance import Binance
from tests.support.venue.certificate import made_for
from tests.support.venue.coinbase import Coinbase
from tests.support.venue.control import Control
from tests.support.venue.delivery import ELSEWHERE, UNANSWERED, Carrier, send
from tests.support.venue.desk import PREFIX, Desk
from tests.support.venue.faults import PAGE, Fault
from tests.support.venue.keys import Key, Keyring, keys_for
from tests.support.venue.kraken import Kraken
from tests.support.venue.ledger import Ledger, Terms
from tests.support.venue.plan import Plan
from tests.support.venue.tape import Tape
from tests.support.venue.tunnel import Tunnel
from tests.support.venue.wire import Call, Dialect, Reply

HOST: Final = "127.0.0.1"
LOG_LENGTH: Final = 50_000
CALM: Final = Fault()
AWAY_AFTER_S: Final = 0.05  # so that the order to go is still answered
START_S_MAX: Final = 20.0
DIALECTS: Final = {"binance": Binance, "kraken": Kraken, "coinbase": Coinbase}


@dataclass(slots=True)
class Entry:
    """What became of one request. Times are the venue's.

    `at_s` is when the venue's edge took it; its way (`Fault.way_s`) lies behind that. `admitted` says that its proofs were
    good, `processed` how often it reached the ledger; `status` is None if nothing was answered.
    """

    number: int
    at_s: float
    method: str
    path: str
    kind: str
    fields: dict[str, Any]
    fault: str | None = None
    admitted: bool = False
    processed: int = 0
    processed_at_s: list[float] = field(default_factory=list)
    status: int | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class VenueServer:
    """One venue: dialect, ledger, faults and log. Everything runs on the loop that `start` was called on."""

    def __init__(self, name: str, *, wobble: Decimal = Decimal("0.0005")) -> None:
        self.clock = SystemClock()
        self.skew_s = 0.0
        self.keys: tuple[Key, ...] = keys_for(name)
        self.dialect: Dialect = DIALECTS[name](Ledger(Tape(wobble), Terms()), Keyring(self.keys))
        self.plan = Plan()
        self.log: dict[int, Entry] = {}
        self.port = 0
        self.cafile: Path | None = None
        self._numbers = 0
        self._carrier = Carrier(self.clock, self._admit, self._obey)
        self._desk = Desk(self)
        self._runner: web.ServerRunner | None = None
        self._site: web.TCPSite | None = None
        self._context: ssl.SSLContext | None = None
        self._tunnel: Tunnel | None = None
        self._proxy: str | None = None
        self._absence: asyncio.Task[None] | None = None

    def now_s(self) -> float:
        """Return the venue's own time, skew and all."""
        return self.clock.wall().timestamp() + self.skew_s

    async def start(self, port: int = 0, tls_folder: Path | None = None) -> None:
        """Listen. With `tls_folder` over TLS, with a fresh certificate whose authority is written there, and a tunnel."""
        if tls_folder is not None:
            self.cafile, self._context = made_for((*self.dialect.hosts, "localhost"), HOST, tls_folder)
        self._runner = web.ServerRunner(web.Server(self._serve, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        await self._listen(self._runner, port)
        self.port = self._runner.addresses[0][1]
        if tls_folder is not None:
            self._tunnel = Tunnel(self.dialect.hosts, HOST, self.port)
            self._proxy = await self._tunnel.start()

    async def stop(self) -> None:
        """Stop listening, and drop what is still being answered or processed."""
        if self._absence is not None:
            self._absence.cancel()
        await self._carrier.close()
        if self._tunnel is not None:
            await self._tunnel.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    def go_away(self, seconds: float) -> None:
        """Refuse connections for a while, and cut those that are open. The control plane is away with the rest."""
        self._absence = asyncio.create_task(self._be_away(seconds))

    async def _be_away(self, seconds: float) -> None:
        runner, site = self._runner, self._site
        assert runner is not None, "only a venue that is there goes away"
        assert site is not None, "a runner listens"
        await self.clock.sleep(AWAY_AFTER_S)
        await site.stop()
        for connection in runner.server.connections if runner.server else ():
            connection.force_close()
            if connection.transport is not None:
                connection.transport.close()
        await self.clock.sleep(seconds)
        await self._listen(runner, self.port)

    async def _listen(self, runner: web.ServerRunner, port: int) -> None:
        self._site = web.TCPSite(runner, HOST, port, ssl_context=self._context, reuse_address=True)
        await self._site.start()

    @property
    def address(self) -> str:
        return f"{'https' if self.cafile else 'http'}://{HOST}:{self.port}"

    def about(self) -> dict[str, Any]:
        """Return what a client needs: address, authority file, keys."""
        return {
            "venue": self.dialect.name,
            "address": self.address,
            "cafile": str(self.cafile) if self.cafile else None,
            "proxy": self._proxy,
            "hosts": list(self.dialect.hosts),
            "keys": [{"name": key.name, "secret": key.secret, "account": key.account} for key in self.keys],
        }

    def truth(self) -> dict[str, Any]:
        """Return the ledger with the venue's own order ids."""
        told = self.dialect.ledger.truth()
        for shown, order in zip(told["orders"], self.dialect.ledger.orders, strict=True):
            shown["id"] = self.dialect.order_id(order)
        return told

    @property
    def on_the_way(self) -> int:
        """Return how many requests have not reached the ledger yet and still will."""
        return self._carrier.on_the_way

    def state(self) -> dict[str, Any]:
        """Return everything that is worth keeping after the end."""
        return {**self.truth(), "log": [entry.as_json() for entry in self.log.values()]}

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith(PREFIX):
            return await self._desk.answer(request)
        call = await self._call(request)
        kind = self.dialect.kind(call)
        asked = {**call.fields(), **call.document()}
        entry = Entry(call.number, self.now_s(), call.method, call.path, str(kind), asked)
        self.log[call.number] = entry
        self.log.pop(call.number - LOG_LENGTH, None)
        if call.path == ELSEWHERE:
            entry.fields["headers"] = sorted(call.headers)
            return web.Response(text=PAGE, content_type="text/html")
        entry.fault, fault = self.plan.meet(kind, call) or (None, CALM)
        await self._carrier.travel(fault.way_s)
        reply = self._carrier.carry_out(call, fault)
        if fault.saying is not None:
            reply = self.dialect.say(fault.saying, self.now_s())
        if reply is not None:
            reply = replace(reply, headers={"Date": formatdate(self.now_s(), usegmt=True), **reply.headers})
        response = await send(request, reply, fault, self.clock)
        entry.status = None if fault.answer in UNANSWERED else response.status
        return response

    async def _call(self, request: web.BaseRequest) -> Call:
        self._numbers += 1
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = (await request.read()).decode(errors="replace")
        return Call(self._numbers, request.method, request.raw_path, headers, body)

    def _admit(self, call: Call) -> Reply | None:
        refusal = self.dialect.admit(call, self.now_s())
        self.log[call.number].admitted = refusal is None
        return refusal

    def _obey(self, call: Call) -> Reply:
        entry, now_s = self.log[call.number], self.now_s()
        entry.processed += 1
        entry.processed_at_s.append(now_s)
        return self.dialect.obey(call, now_s)


@contextmanager
def a_venue(
    name: str, *, port: int = 0, tls_folder: Path | None = None, wobble: Decimal = Decimal("0.0005")
) -> Iterator[Control]:
    """Run a venue in a thread with a loop of its own until the block ends; yields its control client."""
    server, loop = VenueServer(name, wobble=wobble), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=f"venue {name}", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(port, tls_folder), loop).result(START_S_MAX)
        yield Control(server.about())
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(START_S_MAX)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(START_S_MAX)
        loop.close()
