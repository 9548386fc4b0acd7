"""The way from a command to a running engine: a plain blocking socket, quick to import."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from engine.core.errors import BadInput, NotThere
from engine.core.intake import Taken
from engine.wire import LINE_BYTES_MAX, command_from, decode, encode, error_from, status_from, taken_from

if TYPE_CHECKING:
    from engine.core.board import ExecutionStatus
    from engine.core.commands import Command, NewCommand

ANSWER_BYTES_MAX: Final = 8 * LINE_BYTES_MAX


class Caller:
    """One connection to an engine, made at the first request and again after it was lost.

    A request whose connection is lost before its answer raises NotThere: whether it was obeyed is not known. Sending it
    again is safe, since signals carry keys and wishes carry request ids. `timeout_s` bounds each wait for an answer.
    """

    def __init__(self, path: Path, timeout_s: float = 30.0) -> None:
        self._path, self._timeout_s = path, timeout_s
        self._socket: socket.socket | None = None
        self._rest = b""
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Hang up. Safe to call twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket, self._rest = None, b""

    def ping(self) -> Mapping[str, object]:
        """Return what the engine says of itself: its process id."""
        said = self._ask("ping")
        return said if isinstance(said, dict) else {}

    def hand_in(self, requests: Sequence[Mapping[str, object]]) -> list[Taken]:
        """Hand in signals; returns one answer each, in order, when all are durable or refused."""
        taken = taken_from(self._ask("hand_in", signals=list(requests)))
        if len(taken) != len(requests):
            self.close()
            raise NotThere("the engine's answer does not fit the request; is it another version?")
        return taken

    def submit(self, command: NewCommand) -> Command:
        """Hand over a wish; returns it with its result."""
        said = self._ask("submit", command=command)
        return command_from(said if isinstance(said, dict) else {})

    def diagnose(self) -> ExecutionStatus:
        """Ask every gate between a candle and a fill, now."""
        return status_from(self._ask("diagnose"))

    def _ask(self, verb: str, **fields: object) -> object:
        self._count += 1
        line = encode({"id": self._count, "do": verb, **fields})
        if len(line) > LINE_BYTES_MAX:
            raise BadInput("line", f"{len(line):,} bytes in one request", f"at most {LINE_BYTES_MAX:,}")
        try:
            connected = self._socket or self._connect()
            connected.sendall(line)
            said = decode(self._receive(connected))
        except (OSError, BadInput) as e:
            self.close()
            why = "no answer in time" if isinstance(e, TimeoutError) else str(e)
            raise NotThere(f"the engine on {self._path} was lost before it answered: {why}") from None
        if said.get("ok") is True:
            return said.get("result")
        error = said.get("error")
        raise error_from(error if isinstance(error, dict) else {})

    def _connect(self) -> socket.socket:
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connected.settimeout(self._timeout_s)
        try:
            connected.connect(str(self._path))
        except OSError as e:
            connected.close()
            why = e.strerror or "it does not answer"
            raise NotThere(
                f"no engine listens at {self._path} ({why}); start one with `signaldeck` or `signaldeck run --headless`"
            ) from None
        self._socket = connected
        return connected

    def _receive(self, connected: socket.socket) -> bytes:
        parts = [self._rest]
        size = len(self._rest)
        while b"\n" not in parts[-1]:
            part = connected.recv(65536)
            size += len(part)
            if not part or size > ANSWER_BYTES_MAX:
                raise ConnectionError("it hung up" if not part else "its answer is too long")
            parts.append(part)
        line, _, self._rest = b"".join(parts).partition(b"\n")
        return line
