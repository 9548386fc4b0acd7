"""Signals from outside: what may be handed in, and the error that names what may not."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from engine.core.errors import BadInput
from engine.core.values import NewSignal

if TYPE_CHECKING:  # named in signatures alone; whoever only hands in a signal must not wait for them
    from engine.core.board import ExecutionStatus
    from engine.core.commands import Command, NewCommand

PREFIX: Final = "trader_"  # of most traders' names
RESERVED_SOURCES: Final = frozenset({"exit"})  # the engine's own exits, found again by this name


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


class Bits(Protocol):
    """The one throw that an id needs; a `Random` stream has it."""

    def getrandbits(self, k: int, /) -> int: ...


def new_signal(
    raw: object, ttl_s: float, now: datetime, ids: Bits, reserved: Collection[str] = RESERVED_SOURCES
) -> NewSignal:
    """Return a signal made of what a producer handed in, under a fresh id, which is its key too if none was given.

    Without a confidence it is 1.0, without a source `manual`, without a time to live `ttl_s`. `reserved` are sources
    that nobody outside may use: the strategies'. Raises BadInput that names the field, the problem and the fix.
    """
    # Imported here: a command that only hands a signal over must not pay for the machinery that checks it.
    from engine.core.request import parse_request

    request = parse_request(raw)
    if request.source in RESERVED_SOURCES or request.source in reserved:
        raise BadInput("source", f"'{request.source}' is the engine's own", "give another name, such as manual")
    signal_id = f"{ids.getrandbits(64):016x}"
    return NewSignal(
        signal_id=signal_id,
        key=request.key or signal_id,
        symbol=request.symbol,
        side=request.side,
        confidence=request.confidence,
        source=request.source,
        received_at=now,
        expires_at=now + timedelta(seconds=ttl_s if request.ttl is None else request.ttl),
        quantity=request.quantity,
        price=request.price,
        note=request.note,
        preferred_trader=request.trader,
    )


def full_name(name: str, traders: Collection[str]) -> str:
    """Return a trader's name in full: screens leave out what most begin with, and so may whoever reads them.

    A name that some trader has is that one's, and one that fits none stays as it is.
    """
    return PREFIX + name if name not in traders and PREFIX + name in traders else name


def addressed(signal: NewSignal, traders: Collection[str]) -> NewSignal:
    """Return the signal with its trader's full name.

    Raises BadInput if no such trader is configured: else its order would go to another one.
    """
    if signal.preferred_trader is None:
        return signal
    name = full_name(signal.preferred_trader, traders)
    if name in traders:
        return replace(signal, preferred_trader=name)
    near = difflib.get_close_matches(name, traders, n=1)
    fix = f"did you mean {near[0]}?" if near else f"known: {', '.join(traders)}"
    raise BadInput("trader", f"no trader is called '{name}'", fix)
