"""A proxy that takes the venue's real host names to the venue on this machine, and nothing else anywhere.

With it an unmodified class keeps its own addresses: it needs only `httpsProxy` and `cafile`. What a class makes of an
error can depend on the address (binance), so this is the only way to see it as it is in earnest.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

HEAD_BYTES_MAX: Final = 16_384
PIECE_BYTES: Final = 65_536


class Tunnel:
    """Answers CONNECT for `hosts` on `address` with a connection to `port` there; anything else is refused."""

    def __init__(self, hosts: tuple[str, ...], address: str, port: int) -> None:
        self._hosts, self._address, self._target = hosts, address, port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> str:
        """Listen on a free port, and return the proxy's address."""
        self._server = await asyncio.start_server(self._serve, self._address, 0, limit=HEAD_BYTES_MAX)
        return f"http://{self._address}:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._open):
            writer.transport.abort()
        if self._server is not None:
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split()
            if head[0] != "CONNECT" or head[1].partition(":")[0] not in self._hosts:
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            inner_reader, inner_writer = await asyncio.open_connection(self._address, self._target)
            self._open.add(inner_writer)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            self._open.discard(writer)
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes until one side ends, and end the other side then."""
    with contextlib.closing(writer):
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
