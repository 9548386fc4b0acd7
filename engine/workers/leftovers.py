"""Wishes that an earlier engine kept and did not finish: which of them a new start may still obey."""

from __future__ import annotations

from typing import Final

from engine.core.commands import Command, CommandKind
from engine.core.events import Desired
from engine.store.base import Store

# None of these sends anything.
_SAFER: Final = frozenset(
    {CommandKind.HALT, CommandKind.PAUSE, CommandKind.PAUSE_ALL, CommandKind.DRAIN, CommandKind.CANCEL}
)


async def why_too_late(command: Command, store: Store) -> str:
    """Return why a wish that was left over is not obeyed any more; the empty text if it is.

    Only what makes things safer is obeyed, and only if nobody has said otherwise since: whoever wished for something was
    told that it failed, and may have wished for the opposite by now.
    """
    if command.kind not in _SAFER:
        return "the engine stopped before it was obeyed; say it again if it is still wanted"
    if await _is_overtaken(command, store):
        return "something else was wished for since; say it again if it is still wanted"
    return ""


async def _is_overtaken(command: Command, store: Store) -> bool:
    """Say whether what the command wants is not so, by a word that came after it."""
    if command.kind is CommandKind.HALT:
        switches = await store.switches()
        return not switches.halted and switches.halted_at is not None and switches.halted_at > command.at
    if command.kind is CommandKind.CANCEL:
        story = await store.story(command.target)
        return story is not None and any(e.code == "retried" and e.at > command.at for e in story.events)
    is_all = command.kind is CommandKind.PAUSE_ALL
    about = [state for state in await store.traders() if is_all or state.name == command.target]
    return any(s.desired is Desired.RUN and s.desired_at is not None and s.desired_at > command.at for s in about)
