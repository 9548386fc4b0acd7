"""The inbox's server: one request's way from its head to an answer that is given only after the commit."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from http import HTTPStatus
from typing import Final

from aiohttp import web

from engine.clock import Clock
from engine.core.errors import ConfigError, SignalDeckError
from engine.core.events import EventKind, Level, NewEvent
from engine.core.inbox import InboxSettings
from engine.core.intake import EngineService
from engine.core.quota import client_of
from engine.inbox.answers import FAILED, Refusal, TurnedAway, refusal_by, status_of, told
from engine.inbox.desk import InboxDesk
from engine.inbox.http import NOT_HTTP, Bounds, Listener, refuse, reply
from engine.inbox.porter import Porter
from engine.inbox.reading import form_of, read_values
from engine.inbox.refusals import RefusalBook
from engine.inbox.token import Token, bearer_of
from engine.log import logger

SIGNALS: Final = "signals"
ALERTS: Final = "alerts"
FINISH_S: Final = 5.0  # how long stop() waits for answers under way
BACKLOG: Final = 64

_log = logger("inbox")


class InboxServer:
    """Listens for signals on behalf of an engine in this process, on the loop that it is started on."""

    def __init__(
        self, service: EngineService, settings: InboxSettings, token: Token, book: RefusalBook, clock: Clock
    ) -> None:
        self._settings, self._book, self._clock = settings, book, clock
        self._porter = Porter(token, settings, clock)
        self._desk = InboxDesk(service, settings, book, clock)
        self._http: Listener | None = None
        self._server: asyncio.Server | None = None
        self._reading: set[asyncio.Timeout] = set()
        self._is_stopping = False
        self.address = ""  # where it listens, the empty text while it does not

    async def start(self) -> None:
        """Listen. Raises ConfigError that names the key if the address cannot be had."""
        settings = self._settings
        listener = _bind(settings.host, settings.port)
        bounds = Bounds(settings.body_bytes_max, settings.idle_s_max, settings.connections_max)
        self._http = Listener(self._answer, bounds, self._clock, self._turned_away)
        self._server = await asyncio.get_running_loop().create_server(self._http, sock=listener, backlog=BACKLOG)
        self.address = _written(listener.getsockname())
        _log.info("listening", address=self.address)
        if not settings.is_loopback:
            text = f"the inbox listens on {self.address}, where other machines come in; put TLS before it"
            event = NewEvent(EventKind.ENGINE, self._clock.wall(), text, Level.WARNING, code="inbox_exposed")
            self._book.post(event)

    async def stop(self) -> None:
        """Take no more requests, answer those under way, hang up. Safe to call twice."""
        if self._server is None or self._http is None:
            return
        self._server.close()
        self._server, self.address = None, ""
        self._is_stopping = True
        now = asyncio.get_running_loop().time()
        for reading in self._reading:
            reading.reschedule(now)  # half a body is not a request that must be answered
        self._http.pre_shutdown()  # hangs up where nothing is under way; shutdown() would wait for the next request
        await self._http.shutdown(FINISH_S)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        client = client_of(request.remote or "")
        try:
            return await self._obey(request, client)
        except TurnedAway as no:
            return self._refuse(client, no.why)
        except SignalDeckError as failure:
            return self._refuse(client, refusal_by(failure))
        except Exception as failure:  # noqa: BLE001 - the request's supervisor: one bad request never ends the others
            _log.error("a request failed", error=failure, exc_info=True)
            return self._refuse(client, Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "failed", FAILED))

    async def _obey(self, request: web.BaseRequest, client: str) -> web.StreamResponse:
        kind, in_path = self._asked(request, client)
        given = bearer_of(request.headers.getall("Authorization", ())) or in_path
        is_known = self._porter.knows(given)
        if is_known:
            self._porter.admit(client)
        elif given or kind != ALERTS or not self._settings.mapping.token:
            raise self._porter.turn_away(client, WRONG_TOKEN)
        else:
            self._porter.let_try(client, request.content_length)
        try:
            values = read_values(await self._body(request), form_of(request.headers.get("Content-Type", "")))
        except TurnedAway as no:
            raise (no if is_known else self._porter.turn_away(client, no.why)) from None
        if not is_known:
            if not all(self._porter.knows(token) for token in self._desk.tokens_in(values)):
                raise self._porter.turn_away(client, WRONG_TOKEN)
            self._porter.admit(client)
        taken = await self._desk.take(values, client, are_alerts=kind == ALERTS)
        return reply(status_of(taken), told(taken))

    def _asked(self, request: web.BaseRequest, client: str) -> tuple[str, str]:
        """Return which intake is asked, and the token in the path, if there is one."""
        kind, *rest = request.path.removeprefix("/").split("/")
        if kind not in (SIGNALS, ALERTS) or len(rest) > (1 if self._settings.token_in_path else 0):
            raise self._porter.turn_away(client, NOT_FOUND)
        if request.method != "POST":
            raise self._porter.turn_away(client, NOT_POST)
        return kind, rest[0] if rest else ""

    async def _body(self, request: web.BaseRequest) -> bytes:
        bytes_max = self._settings.body_bytes_max
        too_large = Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", f"a body has at most {bytes_max:,} bytes")
        form_of(request.headers.get("Content-Type", ""))
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise TurnedAway(PACKED)
        if (request.content_length or 0) > bytes_max:
            raise TurnedAway(too_large)
        try:
            async with self._clock.timeout(self._settings.body_s_max) as reading:
                self._reading.add(reading)
                try:
                    return await request.read()
                finally:
                    self._reading.discard(reading)
        except web.HTTPRequestEntityTooLarge:
            raise TurnedAway(too_large) from None
        except TimeoutError:
            raise TurnedAway(STOPPING if self._is_stopping else TOO_SLOW) from None
        except web.RequestPayloadError:
            raise TurnedAway(NOT_HTTP) from None
        except ConnectionError:
            raise TurnedAway(HUNG_UP) from None

    def _refuse(self, client: str, why: Refusal) -> web.StreamResponse:
        self._book.tell(why.code, why.text, client)
        return refuse(why)

    def _turned_away(self, address: str, why: Refusal) -> None:
        self._book.tell(why.code, why.text, client_of(address))


WRONG_TOKEN: Final = Refusal(
    HTTPStatus.UNAUTHORIZED,
    "wrong_token",
    "the token is missing or wrong; it is a bearer token, sent in the Authorization header",
)
NOT_FOUND: Final = Refusal(HTTPStatus.NOT_FOUND, "not_found", "there is /signals and /alerts, and nothing else")
NOT_POST: Final = Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "not_post", "signals are handed in with POST", allow="POST")
PACKED: Final = Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "content_encoding", "send the body as it is, not packed")
TOO_SLOW: Final = Refusal(HTTPStatus.REQUEST_TIMEOUT, "too_slow", "the body took too long")
HUNG_UP: Final = Refusal(HTTPStatus.BAD_REQUEST, "hung_up", "the sender hung up before the body's end")
STOPPING: Final = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "not_running", "the engine is stopping and takes no signals now", wait_s=5.0
)


def _bind(host: str, port: int) -> socket.socket:
    is_v6 = ipaddress.ip_address(host).version == 6
    listener = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as e:
        listener.close()
        if e.errno == errno.EADDRINUSE:
            what = f"inbox.port: {port} on {host} is taken by another program; set another, or end that one"
        elif e.errno == errno.EACCES:
            what = f"inbox.port: {port} is not for this user; take one from 1024 on"
        else:
            what = f"inbox.host: {host}: no place to listen: {e.strerror}; use an address of this machine"
        raise ConfigError(what) from None
    listener.setblocking(False)
    return listener


def _written(name: tuple[str, int]) -> str:
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
