"""Somebody at a web browser: the server as a process of its own, and a visitor with or without the key."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from engine.clock import SystemClock
from tests.support.command_line import Shell

LATE_S: Final = 40.0
ADDRESS: Final = re.compile(r"(http://127\.0\.0\.1:\d+)/\?key=([0-9a-f]{48})")


@dataclass(frozen=True)
class Served:
    """A server that runs, and what it said of itself."""

    server: subprocess.Popen[bytes]
    base: str
    key: str

    @property
    def url(self) -> str:
        return f"{self.base}/?key={self.key}"

    @property
    def host(self) -> str:
        return self.base.removeprefix("http://")

    def children(self) -> set[int]:
        """Return the processes that it has started and that still run."""
        return {pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _parent(pid) == self.server.pid}


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def is_running(pid: int) -> bool:
    """Say whether a process is there and is no corpse."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def a_server(run: Shell, db: Path, *options: str) -> Iterator[Served]:
    """Serve the dashboard of `db` on a port that the system chooses."""
    with run.running("browser", "--port", "0", "--db", db, *options) as server:
        assert server.stdout is not None
        first = server.stdout.readline().decode()
        found = ADDRESS.search(first)
        assert found, first + (server.stderr.read().decode() if server.stderr else "")
        served = Served(server, found[1], found[2])
        try:
            yield served
        finally:
            for left in served.children():  # a test that failed leaves no process that hangs
                with contextlib.suppress(ProcessLookupError):
                    os.kill(left, signal.SIGKILL)


@dataclass
class Visitor:
    """A browser: what it keeps between two addresses, and the address that its page connects to."""

    served: Served
    session: aiohttp.ClientSession
    connection: str = "/ws"

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Return status and text of a page, redirections followed."""
        async with self.session.get(f"{self.served.base}{path}", headers=headers) as answer:
            return answer.status, await answer.text()

    async def reload(self) -> None:
        """Open the address that was printed, or open it again."""
        status, page = await self.get(f"/?key={self.served.key}")
        assert (status, "textual-terminal" in page) == (200, True)
        found = re.search(rf'data-session-websocket-url="ws://{re.escape(self.served.host)}([^"?]+)"', page)
        assert found, page
        self.connection = found[1]

    async def knock(self, **headers: str) -> int:
        """Return with which status the connection of a terminal is answered: 101 lets in."""
        asked = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", **headers}
        asked["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
        async with self.session.get(f"{self.served.base}{self.connection}", headers=asked) as answer:
            return answer.status

    @asynccontextmanager
    async def visit(self) -> AsyncIterator[Visit]:
        """Open a terminal in the page, as the page does."""
        url = f"{self.served.base}{self.connection}?width=120&height=40"
        async with self.session.ws_connect(url, headers={"Origin": self.served.base}) as socket:
            yield Visit(socket)


@dataclass
class Visit:
    """A terminal in a page."""

    socket: aiohttp.ClientWebSocketResponse
    drawn: bytearray = field(default_factory=bytearray)

    async def sees(self, *words: str) -> None:
        """Wait until all the words were drawn since the last key."""
        async with SystemClock().timeout(LATE_S):
            while not all(word.encode() in self.drawn for word in words):
                message = await self.socket.receive()
                assert message.type in {aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT}, bytes(self.drawn[-2_000:])
                self.drawn += message.data if isinstance(message.data, bytes) else message.data.encode()

    async def press(self, keys: str) -> None:
        self.drawn.clear()
        await self.say(["stdin", keys])

    async def say(self, message: Any) -> None:
        await self.socket.send_str(message if isinstance(message, str) else json.dumps(message))

    async def ends(self) -> None:
        """Wait until the other side has closed."""
        async with SystemClock().timeout(LATE_S):
            while not self.socket.closed:
                await self.socket.receive()


@asynccontextmanager
async def a_visitor(served: Served, *, has_key: bool = True) -> AsyncIterator[Visitor]:
    """Come with the address that was printed, or with the port alone."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:  # unsafe: an IP address
        visitor = Visitor(served, session)
        if has_key:
            await visitor.reload()
        yield visitor


async def until(condition: Callable[[], bool], failing: str, late_s: float = LATE_S) -> None:
    clock = SystemClock()
    with contextlib.suppress(TimeoutError):
        async with clock.timeout(late_s):
            while not condition():
                await clock.sleep(0.05)
    assert condition(), failing


def together(scene: Callable[[], Any]) -> None:
    asyncio.run(scene())


def a_store_left(run: Shell, folder: Path) -> Path:
    """Return a store that an engine has left."""
    path = folder / "x.sqlite"
    assert run.as_child("run", "--headless", "--for", "0.5", "--db", path).code == 0
    return path
