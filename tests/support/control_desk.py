"""A service behind a real control socket, for whoever calls it: keeps what it was handed, and fails as told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from engine.control import ControlServer
from engine.core.board import Check, ExecutionStatus
from engine.core.commands import Command, CommandState, NewCommand
from engine.core.intake import Taken
from engine.core.values import is_symbol

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Desk:
    """Keeps one signal per key, like the store. `failure` is raised instead of an answer; `refusal` refuses wishes."""

    def __init__(self) -> None:
        self.kept: dict[str, Mapping[str, object]] = {}
        self.commands: list[NewCommand] = []
        self.failure: Exception | None = None
        self.refusal = ""
        self.ready = True
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()

    async def hand_in(self, requests: list[Mapping[str, object]]) -> list[Taken]:
        self.entered.set()
        await self.gate.wait()
        if self.failure:
            raise self.failure
        return [self._take(request) for request in requests]

    def _take(self, request: Mapping[str, object]) -> Taken:
        key = str(request.get("key", ""))
        if not is_symbol(str(request.get("symbol", ""))):
            return Taken("refused", "", key, "symbol: no such form")
        if key in self.kept:
            outcome = "repeated" if self.kept[key] == request else "conflict"
        else:
            outcome = "stored"
            self.kept[key] = dict(request)
        return Taken(outcome, f"id-{key}", key)

    async def submit(self, command: NewCommand) -> Command:
        if self.failure:
            raise self.failure
        self.commands.append(command)
        state, result = (CommandState.REFUSED, self.refusal) if self.refusal else (CommandState.DONE, "so be it")
        return Command(
            7, command.request_id, command.kind, command.operator, command.at, command.target, command.why,
            command.args, command.expected_version, state, result, AT,
        )  # fmt: skip

    async def diagnose(self) -> ExecutionStatus:
        return ExecutionStatus(
            AT,
            (
                Check("feed", ok=True, fact="1 s old"),
                Check("traders", ok=self.ready, fact="2 of 2", remedy="resume one"),
                Check("trader b", ok=False, fact="paused", remedy="resume it", decides=False),
            ),
        )


@contextmanager
def a_listening_desk(path: Path, desk: Desk | None = None) -> Iterator[Desk]:
    """Serve a desk at `path` from a thread of its own until the block ends."""
    serving, started = desk or Desk(), threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        server = ControlServer(serving, path)
        await server.start()
        started.set()
        await stop.wait()
        await server.stop()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    started.wait()
    try:
        yield serving
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
