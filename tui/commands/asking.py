"""The two ways to ask: the store, which needs no engine, and the engine over its socket."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from engine.core.errors import CommandRefused, NotThere
from engine.places import Named, find_db, socket_path
from tui.commands.frame import Exit, complain, existing_db, leave, operator, say

if TYPE_CHECKING:
    from engine.caller import Caller
    from engine.core.commands import Command, CommandKind
    from engine.store.base import Reader

Answer = TypeVar("Answer")


def read(named: Named, ask: Callable[[Reader], Awaitable[Answer]]) -> Answer:
    """Return what `ask` reads from the store in force. Raises NotThere if there is no store."""
    import asyncio

    db = existing_db(named)
    from engine.store.sqlite import SqliteReader

    async def reading() -> Answer:
        reader = SqliteReader(db, inline=True)
        try:
            return await ask(reader)
        finally:
            await reader.close()

    return asyncio.run(reading())


def caller(named: Named) -> Caller:
    """Return the way to the engine on the store in force."""
    from engine.caller import Caller

    return Caller(socket_path(find_db(named, os.environ)))


def wish(
    named: Named, kind: CommandKind, target: str = "", *, why: str = "", args: Mapping[str, str] | None = None
) -> Command:
    """Hand the operator's wish to the engine; returns it with its result. Raises NotThere, and CommandRefused."""
    from engine.clock import SystemChance, SystemClock, hex_id
    from engine.core.commands import CommandState, NewCommand

    request_id = hex_id(SystemChance().stream("commands"), 16)
    new = NewCommand(request_id, kind, operator(), SystemClock().wall(), target, why, args or {})
    with caller(named) as engine:
        command = engine.submit(new)
    if command.state is CommandState.REFUSED:
        raise CommandRefused(command.result or "the engine gave no reason")
    return command


def wish_for_each(named: Named, kind: CommandKind, targets: Sequence[str], *, why: str = "") -> None:
    """Hand over one wish per target and say what became of each; ends with exit code 4 if one was refused."""
    refused = False
    for target in targets:
        try:
            command = wish(named, kind, target, why=why)
        except CommandRefused as e:
            refused = True
            complain(f"{target}: {e}")
        else:
            say(f"{target}: {command.result or 'done'}")
    if refused:
        leave(Exit.REFUSED)


def signal_id(named: Named, given: str) -> str:
    """Return the whole id for a prefix of 4 or more. Raises NotThere, and BadInput if several signals match."""

    async def find(reader: Reader) -> str:
        story = await reader.story(given)
        if story is None:
            raise NotThere(f"no signal has the id {given}")
        return story.signal.id

    return read(named, find)
