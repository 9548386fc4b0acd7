"""A venue that says back whatever it hears: keys, signatures and bodies, in every place where an answer has text."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import quote

JSON: Final = "application/json"
Answer = Callable[[str], bytes]


def _reply(body: str, status: str = "200 OK", kind: str = JSON, **headers: str) -> bytes:
    raw = body.encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(raw)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + raw


def _error(said: str) -> str:
    """Return an error in the words of several venues at once."""
    return json.dumps({"code": -1102, "msg": said, "error": [f"EGeneral:Invalid arguments:{said}"]})


def _line(said: str) -> str:
    return " ".join(said.split())


ANSWERS: Final[Mapping[str, Answer]] = {
    **{
        f"an error with {status.partition(' ')[0]}": lambda said, status=status: _reply(_error(said), status)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        for status in (
            "200 OK", "400 Bad Request", "401 Unauthorized", "418 Teapot",
            "429 Too Many", "500 Internal", "503 Busy",
        )
    },
    "a time and an id": lambda said: _reply(json.dumps({"serverTime": said, "result": said, "orderId": said})),
    "a page": lambda said: _reply(f"<html><h1>502</h1><pre>{said}</pre></html>", "502 Bad Gateway", "text/html"),
    "a good page": lambda said: _reply(f"<html>{said}</html>", kind="text/html"),
    "garbage": lambda said: _reply(f"{{{said}"),
    "an echo as it was": lambda said: _reply(said, "400 Bad Request", "text/plain"),
    "base64": lambda said: _reply(_error(base64.b64encode(said.encode()).decode()), "400 Bad"),
    "urlsafe base64": lambda said: _reply(_error(base64.urlsafe_b64encode(said.encode()).decode()), "400 Bad"),
    "hex": lambda said: _reply(_error(said.encode().hex()), "400 Bad"),
    "percent": lambda said: _reply(_error(quote(said, safe="")), "400 Bad"),
    "JSON in JSON": lambda said: _reply(_error(json.dumps({"you said": said})), "400 Bad"),
    "zero-width": lambda said: _reply(_error("\u200b".join(said)), "400 Bad"),
    "a reason": lambda said: _reply(_error("no"), f"400 {_line(said)}"),
    "headers": lambda said: _reply(_error("no"), "401 No", WWW_Authenticate=f"Basic realm={_line(said)}"),
    "a redirect": lambda said: _reply("", "302 Found", Location=f"http://127.0.0.1:9/?{quote(said)}"),
    "no HTTP at all": lambda said: said.encode(),
    "a bad status line": lambda said: f"HTTP/1.1 {_line(said)}\r\n\r\n".encode(),
    "a bad header": lambda said: f"HTTP/1.1 200 OK\r\n{_line(said)}\r\n\r\n".encode(),
    "a cut body": lambda said: _reply(_error(said))[:-40],
    "wrong encoding": lambda said: _reply(_error(said), "400 Bad", Content_Encoding="gzip"),
    "silence": lambda said: b"",
}  # fmt: skip


class Parrot:
    """Listens on a port of this machine. `answer` names how it answers; `heard` is all that it was ever told."""

    def __init__(self) -> None:
        self.answer = next(iter(ANSWERS))
        self.heard: list[str] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hear one request, say it back, hang up."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = [line.partition(":")[2] for line in head.lower().splitlines() if line.startswith("content-length")]
            body = (await reader.readexactly(int(length[0]))).decode() if length else ""
            self.heard.append(head + body)
            writer.write(ANSWERS[self.answer](head + body))
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def a_parrot() -> AsyncIterator[Parrot]:
    """Let a parrot listen for as long as the block runs."""
    parrot = Parrot()
    server = await asyncio.start_server(parrot.serve, "127.0.0.1", 0)
    parrot.port = server.sockets[0].getsockname()[1]
    try:
        yield parrot
    finally:
        server.close()
        await server.wait_closed()
