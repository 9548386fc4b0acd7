"""HTTP as aiohttp speaks it, without what an inbox must not have: a banner, words of its own, connections without end.

aiohttp itself bounds the head of a request, the requests waiting on one connection, and how long a connection is idle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader

from engine.clock import Clock
from engine.inbox.answers import FAILED, Refusal
from engine.wire import encode

HEAD_BYTES_MAX: Final = 8_192  # of the request line, and of each header
HEADERS_MAX: Final = 64
LINGER_S: Final = 0.5  # how long the rest of a refused body is read, so that its sender gets to read the answer

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one client may take up. `idle_s_max` bounds the wait for a head, between requests, and for a slow reader."""

    body_bytes_max: int
    idle_s_max: float
    connections_max: int


class BareRequest(web.BaseRequest):
    """A request whose answer does not say what program gave it."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        response.headers.popall("Server", None)


class Listener(web.Server):
    """The factory of connections. `on_turned_away` is told who was answered here, and why."""

    def __init__(
        self, handler: Handler, bounds: Bounds, clock: Clock, on_turned_away: Callable[[str, Refusal], None]
    ) -> None:
        super().__init__(
            handler,
            request_factory=self._bare_request,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=bounds.idle_s_max,
            lingering_time=LINGER_S,
            max_line_size=HEAD_BYTES_MAX,
            max_field_size=HEAD_BYTES_MAX,
            max_headers=HEADERS_MAX,
        )
        self.bounds, self.clock, self.on_turned_away = bounds, clock, on_turned_away

    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)

    def _bare_request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> BareRequest:
        return BareRequest(
            message, payload, protocol, writer, task, self._loop, client_max_size=self.bounds.body_bytes_max
        )


class Connection(web.RequestHandler):
    """One connection."""

    __slots__ = ("_listener",)

    def __init__(self, listener: Listener, *, loop: asyncio.AbstractEventLoop, **options: object) -> None:
        super().__init__(listener, loop=loop, **options)  # type: ignore[arg-type] # passed through as aiohttp's server does
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        listener = self._listener
        if len(listener.connections) >= listener.bounds.connections_max:
            transport.write(_CROWDED)
            transport.close()
            peer = transport.get_extra_info("peername")
            listener.on_turned_away(str(peer[0]) if peer else "", CROWDED)
            return
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # an answer is given when the kernel has it, not when we have

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        try:
            async with self._listener.clock.timeout(self._listener.bounds.idle_s_max):
                return await super().finish_response(request, resp, start_time)
        except TimeoutError:
            if self.transport is not None:
                self.transport.abort()  # whoever does not read its answer holds a place that others want
            return resp, True

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what aiohttp found wrong, without its words, which repeat the request."""
        del exc, message
        why = NOT_HTTP if status == HTTPStatus.BAD_REQUEST else Refusal(HTTPStatus(status), "failed", FAILED)
        self._listener.on_turned_away(request.remote or "", why)
        answer = refuse(why)
        answer.force_close()
        return answer


def refuse(why: Refusal) -> web.Response:
    """Return the answer that says why a request is not taken."""
    answer = reply(why.status, {"error": why.text, "code": why.code})
    answer.headers.update(why.headers)
    return answer


def reply(status: HTTPStatus, said: dict[str, object]) -> web.Response:
    """Return an answer of one JSON object on one line."""
    return web.Response(status=status, body=encode(said), content_type="application/json")


CROWDED: Final = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "crowded", "too many connections are open", wait_s=1)
NOT_HTTP: Final = Refusal(HTTPStatus.BAD_REQUEST, "not_http", "this is no HTTP request that can be read")


def _raw_answer(why: Refusal) -> bytes:
    body = encode({"error": why.text, "code": why.code})
    head = (
        f"HTTP/1.1 {why.status.value} {why.status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nRetry-After: {why.wait_s:.0f}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


_CROWDED: Final = _raw_answer(CROWDED)
