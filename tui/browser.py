"""The dashboard in a web browser: one process for each visitor, on this machine's own address, for who has the key.

The pages and the terminal in them are textual-serve's. What it leaves open is closed here: whoever else can reach the
port (other users of this machine, pages of other sites in the same browser, names that were bound anew to this address)
gets nothing; visitors are few, and none of their processes outlives its visit.

The key is in the page's address and in that of the page's connection, and in no cookie: a browser sends a cookie of one
port of this machine to all its ports, so to whatever another user serves there.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import re
import shlex
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import aiohttp_jinja2
import jinja2
from aiohttp import WSCloseCode, web
from textual_serve.app_service import AppService
from textual_serve.server import Server

from engine.clock import Clock, SystemClock
from engine.core.text import counted
from tui.commands.frame import operator, say

LOOPBACK: Final = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.ASCII | re.IGNORECASE)
MESSAGE_BYTES_MAX: Final = 256 * 1024  # from the browser: keys, sizes, a paste
END_S_MAX: Final = 3.0  # that a visitor's process has to end by itself, and then to be gone
TAKE_S_MAX: Final = 5.0  # that it may leave its pipe full
BACKLOG_BYTES_MAX: Final = 4 * MESSAGE_BYTES_MAX  # beside the pipe
CELLS_MIN, CELLS_MAX = (20, 5), (600, 250)
FRAMES: Final = "20"  # a second at most
CONNECTION: Final = "connection"  # a route's name, as the next
OPEN_TO_ALL: Final = "static"  # textual-serve's script and style, which anybody can have from where it is published
POLICY: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self' ws://{host}; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class House:
    """What is served: `command` is run for each visitor, at most `visitors_max` at a time. `key` opens the door."""

    command: tuple[str, ...]
    key: str
    visitors_max: int


class Visit(AppService):
    """One visitor's process, which ends with the visit, by force if it must."""

    clock: Clock = SystemClock()
    _taking: asyncio.Task[None] | None = None
    _ending: asyncio.Task[None] | None = None

    def _build_environment(self, width: int = 80, height: int = 24) -> dict[str, str]:
        environment = super()._build_environment(width, height)
        return {**environment, "TEXTUAL_FPS": FRAMES, "SIGNALDECK_OPERATOR": f"{operator()}, in a browser"}

    async def set_terminal_size(self, width: int, height: int) -> None:
        """Tell the program its room, within bounds."""
        await super().set_terminal_size(*fitting(width, height))

    async def send_bytes(self, keys: bytes) -> bool:
        """Hand the process what was typed. See `_hand`."""
        return self._hand(self.encode_packet(b"D", keys))

    async def send_meta(self, message: dict[str, str | int | bool | None]) -> bool:
        """Tell the process something. See `_hand`."""
        return self._hand(self.encode_packet(b"M", json.dumps(message).encode()))

    def _hand(self, packet: bytes) -> bool:
        """Write to the process without waiting for it: who waits here would not see the page being closed.

        A process that leaves its pipe full, or more than `BACKLOG_BYTES_MAX` beside it, is ended.
        """
        pipe = self.stdin.transport
        if pipe.is_closing():
            return False
        self.stdin.write(packet)
        waiting = pipe.get_write_buffer_size()
        if waiting > BACKLOG_BYTES_MAX:
            self._kill()
        elif waiting and (self._taking is None or self._taking.done()):
            self._taking = asyncio.create_task(self._see_it_taken(), name="a visitor's keys")
        return True

    async def _see_it_taken(self) -> None:
        try:
            async with self.clock.timeout(TAKE_S_MAX):
                await self.stdin.drain()
        except TimeoutError:
            self._kill()
        except ConnectionError:
            pass  # it has ended

    async def run(self) -> None:
        """Carry what is drawn to the browser; once the process has ended, so does the connection."""
        try:
            await super().run()
        finally:
            if self._ending is None:
                await self.remote_close()

    async def stop(self) -> None:
        """Ask the process to end, and see that it does. Takes at most twice `END_S_MAX`. Safe to repeat."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(), name="the end of a visit")
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        child = self._process
        if child is None:
            return
        try:
            self._hand(self.encode_packet(b"M", b'{"type": "quit"}'))
            for task in (self._task, self._taking):
                if task is not None:
                    task.cancel()
                    await asyncio.wait({task})
            await self._is_read_to_its_end(child)
        finally:
            self._kill()
        await self._is_read_to_its_end(child)

    async def _is_read_to_its_end(self, child: Process) -> None:
        # What it still draws is read, if only to be forgotten: a pipe that nobody empties would keep it, or its corpse.
        assert child.stdout is not None
        assert child.stderr is not None
        with contextlib.suppress(TimeoutError):
            async with self.clock.timeout(END_S_MAX):
                while await child.stdout.read(MESSAGE_BYTES_MAX):
                    pass
                sys.stderr.write((await child.stderr.read()).decode("utf-8", "replace"))
                await child.wait()

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


class Doorkeeper(Server):
    """See the module."""

    def __init__(self, house: House, port: int) -> None:
        # `exec` leaves no shell between us and the process that has to be ended.
        super().__init__(f"exec {shlex.join(house.command)}", host="127.0.0.1", port=port, title="SignalDeck")
        self._house = house
        self._visits: dict[web.WebSocketResponse, Visit | None] = {}

    @property
    def address(self) -> str:
        """Return what is typed into the browser. It holds the key."""
        return f"{self.public_url}/?key={self._house.key}"

    def listen(self, port: socket.socket) -> None:
        """Serve on a port that is bound already, until SIGINT, SIGTERM or SIGHUP; no visitor's process is left then."""
        web.run_app(
            self._make_app(), sock=port, print=None, access_log=None, shutdown_timeout=END_S_MAX, handle_signals=True
        )

    async def _make_app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        aiohttp_jinja2.setup(app, loader=jinja2.FileSystemLoader(self.templates_path))
        app.router.add_get("/", self.handle_index)
        # The page's script appends `?width=...` to this address, so the key cannot be a parameter of it.
        app.router.add_get("/ws/{key}", self.handle_websocket, name=CONNECTION)
        app.router.add_static("/static", self.statics_path, name=OPEN_TO_ALL)
        app.on_startup.append(self.on_startup)
        app.on_shutdown.append(self.on_shutdown)
        app.on_response_prepare.append(_dress)
        return app

    async def on_startup(self, app: web.Application) -> None:  # noqa: ARG002 - textual-serve's signature
        """Say where it is."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.request_exit)
        say(f"the dashboard is at {self.address}")
        say("whoever has this address can look; ctrl+c ends it")
        sys.stdout.flush()

    async def on_shutdown(self, app: web.Application) -> None:  # noqa: ARG002 - textual-serve's signature
        """End every visit."""
        await asyncio.gather(*(visit.stop() for visit in self._visits.values() if visit is not None))
        await asyncio.gather(*(one.close(code=WSCloseCode.GOING_AWAY) for one in list(self._visits)))

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer only this machine's own name, this page's own origin, and who has the key."""
        [host] = hosts if len(hosts := request.headers.getall("Host", [])) == 1 else [""]
        if not LOOPBACK.fullmatch(host):
            raise web.HTTPForbidden(text="This dashboard answers to 127.0.0.1 and localhost alone.\n")
        route = request.match_info.route.name
        origins = request.headers.getall("Origin", [f"http://{host}"] if route != CONNECTION else [])
        if [origin.lower() for origin in origins] != [f"http://{host}".lower()]:
            raise web.HTTPForbidden(text="This dashboard is driven from its own page alone.\n")
        given = request.match_info["key"] if route == CONNECTION else request.query.get("key", "")
        if route != OPEN_TO_ALL and not self._is_key(given):
            raise web.HTTPForbidden(text="Open the address that `signaldeck browser` printed: it has the key.\n")
        return await handler(request)

    def _is_key(self, given: str) -> bool:
        return hmac.compare_digest(self._house.key.encode(), given.encode("utf-8", "replace"))

    async def handle_index(self, request: web.Request) -> web.StreamResponse:
        """Return the page. Its addresses are those by which the visitor came, so a tunnel may end at any port."""
        self._refuse_if_full()
        context: dict[str, Any] = {
            "font_size": 16,
            "app_websocket_url": f"ws://{request.host}/ws/{self._house.key}",
            "config": {"static": {"url": f"http://{request.host}/static/"}},
            "application": {"name": self.title},
        }
        return aiohttp_jinja2.render_template("app_index.html", request, context)

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Let a visitor use a process of its own for as long as the connection lasts."""
        self._refuse_if_full()
        websocket = web.WebSocketResponse(timeout=END_S_MAX, heartbeat=15, max_msg_size=MESSAGE_BYTES_MAX)
        self._visits[websocket] = None  # the place is taken before anything is waited for
        try:
            await websocket.prepare(request)
            visit = self._visits[websocket] = self._visit(websocket)
            try:
                await visit.start(*fitting(request.query.get("width"), request.query.get("height")))
                await self._process_messages(websocket, visit)
            except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError):
                await websocket.close(code=WSCloseCode.UNSUPPORTED_DATA)  # no message that the page would send
            finally:
                await visit.stop()
        finally:
            self._visits.pop(websocket, None)
        return websocket

    def _visit(self, websocket: web.WebSocketResponse) -> Visit:
        async def close() -> None:
            await websocket.close()

        return Visit(
            self.command,
            write_bytes=websocket.send_bytes,
            write_str=websocket.send_str,
            close=close,
            download_manager=self.download_manager,
        )

    def _refuse_if_full(self) -> None:
        if len(self._visits) >= self._house.visitors_max:
            few = counted(self._house.visitors_max, "visitor looks", "visitors look")
            raise web.HTTPServiceUnavailable(text=f"{few} already, and no more may: close one, or raise --visitors.\n")


async def _dress(request: web.Request, response: web.StreamResponse) -> None:
    host = request.host if LOOPBACK.fullmatch(request.host) else "127.0.0.1"
    response.headers.update(HEADERS, **{"Content-Security-Policy": POLICY.format(host=host)})


def fitting(width: object, height: object) -> tuple[int, int]:
    """Return a size in cells within bounds; what is no number is 80 or 24."""
    wanted = []
    for given, usual, least, most in zip((width, height), (80, 24), CELLS_MIN, CELLS_MAX, strict=True):
        is_number = isinstance(given, int | str) and re.fullmatch(r"[0-9]{1,6}", str(given))
        wanted.append(min(max(int(str(given)) if is_number else usual, least), most))
    return wanted[0], wanted[1]


def bound(port: int) -> socket.socket:
    """Return a socket that listens on this machine's own address. Port 0 lets the system choose. Raises OSError."""
    return socket.create_server(("127.0.0.1", port), reuse_port=False)
