"""Carries one request through its fate: to the venue, and its answer back over the wire."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from aiohttp import web

from engine.clock import Clock
from tests.support.venue.faults import Answer, Fault, Processing
from tests.support.venue.wire import Call, Reply

VAST_BYTES: Final = 50_000_000
PIECE: Final = b"x" * 1_000_000
DEEP: Final = 1_000_000
TRICKLES: Final = 8
HANG_S_MAX: Final = 120.0
BINARY: Final = bytes(range(256))
UNANSWERED: Final = frozenset({Answer.CLOSED, Answer.RESET, Answer.NONE})
ELSEWHERE: Final = "/_elsewhere"
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?\Z")  # in lists: candles, trades
_NUMBERS: Final = frozenset({
    "price", "origQty", "executedQty", "cummulativeQuoteQty", "qty", "quoteQty", "commission", "free", "locked",
    "lastPrice", "bidPrice", "askPrice", "vol", "vol_exec", "cost", "fee", "balance", "hold_trade", "filled_size",
    "average_filled_price", "filled_value", "total_fees", "size", "value", "base_size", "limit_price", "quote_size",
})  # fmt: skip


class Carrier:
    """Brings requests to the venue's two steps, `admit` and `obey`, when and as often as their fates have it."""

    def __init__(self, clock: Clock, admit: Callable[[Call], Reply | None], obey: Callable[[Call], Reply]) -> None:
        self.clock, self.admit, self.obey = clock, admit, obey
        self._late: set[asyncio.Task[None]] = set()
        self._travelling = 0

    @property
    def on_the_way(self) -> int:
        """Return how many requests have not been processed yet and still will be."""
        return self._travelling + len(self._late)

    async def travel(self, seconds: float) -> None:
        """Let a request take its time to arrive."""
        self._travelling += 1
        try:
            if seconds:
                await self.clock.sleep(seconds)
        finally:
            self._travelling -= 1

    async def close(self) -> None:
        """Drop what is still on its way."""
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)

    def carry_out(self, call: Call, fault: Fault) -> Reply | None:
        """Process a request as its fate has it. None if there is no answer of the venue's."""
        if fault.processing is Processing.NEVER:
            return None
        if fault.processing is Processing.LATE:
            refusal = self.admit(call)
            if refusal is None:
                self._obey_later(call, fault.late_s)
            return refusal
        first = self.admit(call) or self.obey(call)
        if fault.processing is Processing.TWICE:
            last = self.admit(call) or self.obey(call)
            return first if fault.answer is Answer.FIRST else last
        return first

    def _obey_later(self, call: Call, seconds: float) -> None:
        # A task of the carrier's own: the connection's end must not end it.
        task = asyncio.create_task(self._late_obedience(call, seconds))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _late_obedience(self, call: Call, seconds: float) -> None:
        await self.clock.sleep(seconds)
        self.obey(call)


async def send(request: web.BaseRequest, reply: Reply | None, fault: Fault, clock: Clock) -> web.StreamResponse:
    """Answer a request as its fate has it. Without a reply to give, the connection is closed."""
    if fault.answer is Answer.TRICKLED and reply is not None:
        return await _trickle(request, reply, fault.back_s, clock)
    if fault.back_s:
        await clock.sleep(fault.back_s)
    if fault.answer is Answer.NONE:
        await clock.sleep(HANG_S_MAX)
    maker = _MAKERS.get(fault.answer)
    if maker is not None:
        return await maker(request, reply, fault)
    if reply is None:
        return await _closed(request, reply, fault)
    return web.Response(
        text=reply.body, status=reply.status, headers={**reply.headers, "Content-Type": reply.content_type}
    )


async def _closed(request: web.BaseRequest, reply: Reply | None, fault: Fault) -> web.StreamResponse:
    if request.transport is not None:
        if fault.answer is Answer.RESET:
            raw = request.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            request.transport.abort()
        else:
            request.transport.close()
    return web.Response(status=500)  # goes nowhere


async def _cut(request: web.BaseRequest, reply: Reply | None, fault: Fault) -> web.StreamResponse:
    body = (reply.body if reply else "{}").encode()
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body) + 10)})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def _trickle(request: web.BaseRequest, reply: Reply, seconds: float, clock: Clock) -> web.StreamResponse:
    body = reply.body.encode()
    response = web.StreamResponse(
        status=reply.status, headers={"Content-Type": reply.content_type, "Content-Length": str(len(body))}
    )
    await response.prepare(request)
    pieces = max(TRICKLES, int(seconds))
    size = -(-len(body) // pieces)
    with suppress(ConnectionResetError):  # who asked has stopped waiting
        for first in range(0, len(body), size):
            await response.write(body[first : first + size])
            await clock.sleep(seconds / pieces)
        await response.write_eof()
    return response


async def _vast(request: web.BaseRequest, reply: Reply | None, fault: Fault) -> web.StreamResponse:
    return await _pieces(request, b'{"padding":"', [PIECE] * (VAST_BYTES // len(PIECE)), b'"}')


async def _deep(request: web.BaseRequest, reply: Reply | None, fault: Fault) -> web.StreamResponse:
    return await _pieces(request, b"", [b"[" * DEEP, b"]" * DEEP], b"")


async def _pieces(request: web.BaseRequest, head: bytes, pieces: list[bytes], tail: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    for piece in (head, *pieces, tail):
        if piece:
            await response.write(piece)
    await response.write_eof()
    return response


async def _replaced(request: web.BaseRequest, reply: Reply | None, fault: Fault) -> web.StreamResponse:
    headers = {**fault.headers, "Content-Type": fault.content_type}
    return web.Response(text=fault.body, status=fault.status, headers=headers)


async def _binary(request: web.BaseRequest, reply: Reply | None, fault: Fault) -> web.StreamResponse:
    return web.Response(body=BINARY, status=fault.status, content_type=fault.content_type)


async def _spoilt(request: web.BaseRequest, reply: Reply | None, fault: Fault) -> web.StreamResponse:
    if reply is None:
        return await _closed(request, reply, fault)
    return web.Response(text=_spoil(reply.body, fault.body), status=reply.status, content_type="application/json")


def _spoil(body: str, token: str) -> str:
    mark = "~spoilt~"

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: mark if k in _NUMBERS and isinstance(v, str) else walk(v) for k, v in value.items()}
        if isinstance(value, list):
            return [mark if isinstance(v, str) and _NUMBER.match(v) else walk(v) for v in value]
        return value

    return json.dumps(walk(json.loads(body))).replace(f'"{mark}"', token)


async def _redirected(request: web.BaseRequest, reply: Reply | None, fault: Fault) -> web.StreamResponse:
    port = request.get_extra_info("sockname")[1]
    return web.Response(status=fault.status, headers={"Location": f"{request.scheme}://localhost:{port}{ELSEWHERE}"})


_MAKERS: Final = {
    Answer.CLOSED: _closed,
    Answer.RESET: _closed,
    Answer.NONE: _closed,
    Answer.CUT: _cut,
    Answer.REPLACED: _replaced,
    Answer.BINARY: _binary,
    Answer.VAST: _vast,
    Answer.DEEP: _deep,
    Answer.SPOILT: _spoilt,
    Answer.REDIRECTED: _redirected,
}
