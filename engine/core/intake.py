"""Signals from outside: what may be handed in, and the error that names what may not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from engine.core.board import ExecutionStatus
from engine.core.commands import Command, NewCommand


@dataclass(frozen=True, slots=True)
class Taken:
    """The engine's answer to one signal handed in, given only when it is durable.

    `outcome` is stored, repeated, conflict or refused; `signal_id` is empty when refused; `text` says why.
    """

    outcome: str
    signal_id: str
    key: str
    text: str = ""


class EngineService(Protocol):
    """What a running engine does for others: the dashboard in this process, or a command over the control socket."""

    async def hand_in(self, requests: list[Mapping[str, object]]) -> list[Taken]:
        """Validate and keep signals as given by a producer (field names as in `signal add`), item by item."""

    async def submit(self, command: NewCommand) -> Command:
        """Keep an operator's wish, obey it, and return it with its result."""

    async def diagnose(self) -> ExecutionStatus:
        """Ask every gate between a candle and a fill, now."""
