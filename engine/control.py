"""The control socket: how another process of the same user hands signals and wishes to the engine that owns the store.

So SQLite has exactly one writing process. The form of the lines is in engine/wire.py.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from engine.clock import Clock, SystemClock
from engine.core.board import ExecutionStatus
from engine.core.commands import Command, NewCommand
from engine.core.errors import BadInput, CommandRefused, ConfigError, NotThere, SignalDeckError
from engine.core.intake import EngineService, Taken
from engine.log import logger
from engine.wire import (
    LINE_BYTES_MAX,
    SIGNALS_MAX,
    command_from,
    decode,
    encode,
    error_from,
    error_message,
    read_command,
    status_from,
    taken_from,
)

CONNECTIONS_MAX: Final = 32
DISCARD_BYTES_MAX: Final = 64 * 1024 * 1024  # of one line that is too long, before the connection is closed
FINISH_S: Final = 5.0  # how long stop() waits for answers under way

_log = logger("control")


class ControlServer:
    """Listens beside the store. Started only by the process that holds the store's lock, so a socket found there is stale."""

    def __init__(self, service: EngineService, path: Path) -> None:
        self.path = path
        self._service = service
        self._server: asyncio.Server | None = None
        self._inode: int | None = None
        self._idle: dict[asyncio.Task[None], asyncio.StreamWriter] = {}  # who waits for a request
        self._busy: set[asyncio.Task[None]] = set()  # who waits for an answer

    async def start(self) -> None:
        """Listen. Raises ConfigError if the folder or what lies at the path cannot be trusted."""
        check_folder(self.path)
        listener = _bind(self.path)
        self._inode = self.path.stat().st_ino
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=LINE_BYTES_MAX)

    async def stop(self) -> None:
        """Take no more requests, finish those under way, remove the socket. Safe to call twice."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for writer in self._idle.values():
            writer.close()  # its task reads the end and returns
        tasks = {*self._idle, *self._busy}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=FINISH_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self.path.exists() and self.path.stat().st_ino == self._inode:
            self.path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            if self._server is None or len(self._idle) + len(self._busy) >= CONNECTIONS_MAX:
                refusal = CommandRefused(f"{CONNECTIONS_MAX} connections are open already; close one, then try again")
                writer.write(encode({"id": None, "ok": False, "error": error_message(refusal)}))
                await writer.drain()
                return
            self._idle[task] = writer
            await self._converse(reader, writer, task)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever called has gone; what was committed stays
        except asyncio.CancelledError:
            if self._server is not None:
                raise  # not by stop(), after which nobody else would look at this task's end
        finally:
            self._idle.pop(task, None)
            self._busy.discard(task)
            writer.close()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, task: asyncio.Task[None]
    ) -> None:
        while self._server is not None:
            try:
                line = await _next_line(reader)
            except BadInput as e:
                writer.write(encode({"id": None, "ok": False, "error": error_message(e)}))
                await writer.drain()
                continue
            if line is None:
                return
            self._idle.pop(task, None)
            self._busy.add(task)
            writer.write(await self._answer(line))
            await writer.drain()
            self._busy.discard(task)
            self._idle[task] = writer

    async def _answer(self, line: bytes) -> bytes:
        number: object = None
        try:
            request = decode(line)
            number = request.get("id") if isinstance(request.get("id"), int | str) else None
            result = await self._obey(request)
            return encode({"id": number, "ok": True, "result": result})
        except SignalDeckError as e:
            return encode({"id": number, "ok": False, "error": error_message(e)})
        except Exception as e:  # noqa: BLE001 - the request's supervisor: one bad request never ends the others
            _log.error("a request failed", error=e)
            failure = SignalDeckError(f"the engine failed on this request ({type(e).__name__}); its log says more")
            return encode({"id": number, "ok": False, "error": error_message(failure)})

    async def _obey(self, request: Mapping[str, object]) -> object:
        verb = request.get("do")
        if verb == "ping":
            return {"pid": os.getpid()}
        if verb == "hand_in":
            return await self._service.hand_in(_read_signals(request.get("signals")))
        if verb == "submit":
            return await self._service.submit(read_command(request.get("command")))
        if verb == "diagnose":
            return await self._service.diagnose()
        raise BadInput("do", "no such request", "one of ping, hand_in, submit, diagnose")


def _read_signals(raw: object) -> list[Mapping[str, object]]:
    if not isinstance(raw, list) or not all(isinstance(row, dict) for row in raw):
        raise BadInput("signals", "not a list of JSON objects")
    if len(raw) > SIGNALS_MAX:
        raise BadInput("signals", f"{len(raw):,} signals in one request", f"at most {SIGNALS_MAX:,}")
    return raw


async def _next_line(reader: asyncio.StreamReader) -> bytes | None:
    """Return the next line, None at the end. Raises BadInput once for each line that is too long, having skipped it."""
    skipped = 0
    while True:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError as e:
            if e.partial and not skipped:
                raise
            return None
        except asyncio.LimitOverrunError as e:
            skipped += len(await reader.readexactly(e.consumed))
            if skipped > DISCARD_BYTES_MAX:
                raise ConnectionAbortedError("a line without an end") from None
            continue
        if skipped or len(line) > LINE_BYTES_MAX:
            raise BadInput("line", f"{skipped + len(line):,} bytes in one request", f"at most {LINE_BYTES_MAX:,}")
        return line


def check_folder(path: Path) -> None:
    """Make sure that only this user decides what the socket's folder holds. Raises ConfigError.

    The folder of last resort under /tmp is made here; a store's own folder must be there already.
    """
    folder = path.parent
    private = folder.name == f"signaldeck-{os.getuid()}"
    if private:
        folder.mkdir(mode=0o700, exist_ok=True)
    try:
        found = folder.lstat() if private else folder.stat()
    except OSError as e:
        raise ConfigError(f"{folder}: no place for the control socket: {e.strerror}") from None
    if private and (found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077):
        raise ConfigError(
            f"{folder}: belongs to someone else or is open to others; remove it, or use a shorter --db path"
        )
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        raise ConfigError(f"{folder}: anyone may replace files here; run `chmod o-w {folder}` or use another --db")


def _bind(path: Path) -> socket.socket:
    try:
        found = path.lstat()
    except FileNotFoundError:
        pass
    else:
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.getuid():
            raise ConfigError(f"{path}: something else lies where the control socket belongs; move it away")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)  # nobody can connect before listen(), which comes later
    except OSError as e:
        listener.close()
        raise ConfigError(f"{path}: the control socket cannot be made: {e.strerror}") from None
    listener.setblocking(False)
    return listener


class ControlClient:
    """An engine in another process, as an EngineService. One request is under way at a time; lost connections are remade.

    A request whose connection is lost before its answer raises NotThere; sending it again is safe (keys, request ids).
    """

    def __init__(self, path: Path, *, clock: Clock | None = None, timeout_s: float = 30.0) -> None:
        self._path, self._timeout_s = path, timeout_s
        self._clock = clock or SystemClock()
        self._turn = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._count = 0

    async def close(self) -> None:
        """Hang up. Safe to call twice."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def ping(self) -> Mapping[str, object]:
        """Return what the engine says of itself: its process id."""
        said = await self._ask("ping")
        return said if isinstance(said, dict) else {}

    async def hand_in(self, requests: list[Mapping[str, object]]) -> list[Taken]:
        """Hand in signals; returns one answer each, in order, when all are durable or refused."""
        return taken_from(await self._ask("hand_in", signals=requests))

    async def submit(self, command: NewCommand) -> Command:
        """Hand over a wish; returns it with its result."""
        said = await self._ask("submit", command=command)
        return command_from(said if isinstance(said, dict) else {})

    async def diagnose(self) -> ExecutionStatus:
        """Ask every gate between a candle and a fill, now."""
        return status_from(await self._ask("diagnose"))

    async def _ask(self, verb: str, **fields: object) -> object:
        async with self._turn:
            self._count += 1
            answered = False
            try:
                said = await self._exchange(encode({"id": self._count, "do": verb, **fields}))
                answered = True
            except (OSError, BadInput, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as e:
                why = "no answer in time" if isinstance(e, TimeoutError) else str(e)
                raise NotThere(f"the engine on {self._path} was lost before it answered: {why}") from None
            finally:
                if not answered:  # cancelled as well: the next request must not read this one's answer
                    await self.close()
        if said.get("ok") is True:
            return said.get("result")
        error = said.get("error")
        raise error_from(error if isinstance(error, dict) else {})

    async def _exchange(self, line: bytes) -> dict[str, object]:
        async with self._clock.timeout(self._timeout_s):
            reader, writer = self._streams or await self._connect()
            writer.write(line)
            await writer.drain()
            return decode(await reader.readuntil(b"\n"))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            self._streams = await asyncio.open_unix_connection(str(self._path), limit=8 * LINE_BYTES_MAX)
        except OSError as e:
            raise NotThere(f"no engine listens at {self._path} ({e.strerror or 'it does not answer'})") from None
        return self._streams
