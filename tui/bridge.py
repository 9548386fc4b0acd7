"""The bridge: the only file of the screen that touches the engine or the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from engine.core.board import Board, ExecutionStatus, Story
from engine.core.commands import Command, CommandKind
from engine.core.events import Event


class Bridge(Protocol):
    """What screens and panels may ask. Boards come from the store; wishes go to the engine and come back answered."""

    read_only: bool
    operator: str

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def change(self) -> int:
        """Return a number that differs when anything was committed since. Cheap."""

    async def board(self) -> Board: ...

    async def story(self, signal_id: str) -> Story | None: ...

    async def event(self, seq: int) -> Event | None: ...

    async def readiness(self) -> ExecutionStatus | None:
        """Return the diagnosis made now by the running engine, else the last one kept, else None."""

    async def wish(
        self,
        kind: CommandKind,
        target: str = "",
        *,
        why: str = "",
        args: Mapping[str, str] | None = None,
        expected_version: int | None = None,
    ) -> Command:
        """Post an operator's wish and return it with its result. Raises SignalDeckError if no engine takes it."""
