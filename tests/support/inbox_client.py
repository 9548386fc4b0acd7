"""An inbox on a real socket, and somebody who speaks HTTP to it byte by byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from engine.clock import LoopClock, run_on
from engine.core.events import NewEvent
from engine.core.inbox import InboxSettings
from engine.inbox.refusals import RefusalBook
from engine.inbox.server import InboxServer
from engine.inbox.token import load_token
from tests.support.control_desk import Desk

TOKEN = "t0ken-t0ken-t0ken-t0ken"
JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def outcomes(self) -> list[str]:
        return [row["outcome"] for row in self.json["results"]]


@dataclass
class Caller:
    """One connection. `token` None sends no Authorization header."""

    port: int
    token: str | None = TOKEN
    reader: asyncio.StreamReader = field(init=False)
    writer: asyncio.StreamWriter = field(init=False)

    async def open(self) -> Caller:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
        """Return a request's bytes; a header's name is written with underscores, and may replace a usual one."""
        usual = {"Host": "inbox", "Content-Type": JSON, "Content-Length": str(len(body))}
        if self.token is not None:
            usual["Authorization"] = f"Bearer {self.token}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [
            f"{method} {path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in {**usual, **named}.items() if value),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    async def send(self, raw: bytes) -> Answer:
        self.writer.write(raw)
        await self.writer.drain()
        return await self.answer()

    async def answer(self) -> Answer:
        """Return the next answer; raises IncompleteReadError if the other side hung up."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(head[0].split()[1]), headers, body)

    async def post(self, path: str, said: object, **headers: str) -> Answer:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        return await self.send(self.request("POST", path, body, **headers))

    async def hung_up(self) -> bool:
        """Wait for the other side to hang up; False if it says something first."""
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self.writer.close()


@dataclass
class Serving:
    """A server in front of a desk; `notes` is what it journalled."""

    server: InboxServer
    desk: Desk
    book: RefusalBook
    notes: list[NewEvent]
    callers: list[Caller] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port = int(self.server.address.rpartition(":")[2])

    async def caller(self, token: str | None = TOKEN) -> Caller:
        caller = await Caller(self.port, token).open()
        self.callers.append(caller)
        return caller

    async def post(self, path: str, said: object, *, token: str | None = TOKEN, **headers: str) -> Answer:
        """Ask once, on a connection of its own."""
        return await (await self.caller(token)).post(path, said, **headers)

    async def codes(self, count: int) -> list[str]:
        """Wait until `count` entries are journalled; returns their codes."""
        while len(self.notes) < count:
            await LoopClock().sleep(0.001)
        return [note.code for note in self.notes]


@asynccontextmanager
async def an_inbox(desk: Desk | None = None, **given: Any) -> AsyncIterator[Serving]:
    """Serve a desk on a free port of this machine, with `given` settings."""
    settings = InboxSettings.model_validate({"enabled": True, "port": 0, "token_env": "T", **given})
    clock, desk, notes = LoopClock(), desk or Desk(), list[NewEvent]()

    async def note(events: Sequence[NewEvent]) -> None:
        notes.extend(events)

    book = RefusalBook(note, clock)
    server = InboxServer(desk, settings, load_token(settings, {"T": TOKEN}), book, clock)
    await server.start()
    writing = asyncio.create_task(book.run())
    serving = Serving(server, desk, book, notes)
    try:
        yield serving
    finally:
        for caller in serving.callers:
            caller.close()
        await server.stop()
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)


def on_a_loop(body: Callable[[], Awaitable[None]]) -> None:
    """Run a story on an engine's loop at the world's pace."""

    async def whole() -> None:
        async with asyncio.timeout(30):
            await body()

    with asyncio.Runner(loop_factory=run_on(1.0)) as runner:
        runner.run(whole())
