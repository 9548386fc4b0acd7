"""`signaldeck signal attach` and `absent`: the two answers to a signal that needs a review. Each is asked for twice."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from engine.core.errors import BadInput, CommandRefused, NotThere
from engine.core.text import clean
from engine.places import Named
from tui.commands.asking import read, wish
from tui.commands.frame import complain, say

if TYPE_CHECKING:
    from engine.core.board import Story
    from engine.store.base import Reader

ORDER_ID_LENGTH_MAX: Final = 128


@dataclass(frozen=True, slots=True)
class AttachOptions:
    """Options of `signal attach`."""

    id: Annotated[str, typer.Argument(metavar="ID", help="the signal's id, or its first 4 or more digits")]
    order: Annotated[str, typer.Argument(metavar="ORDER", help="the venue's own id of the order")]
    why: Annotated[str, typer.Option(help="where you saw it; kept in the journal with your name")] = ""
    yes: Annotated[bool, typer.Option("--yes", help="do not ask again")] = False


@dataclass(frozen=True, slots=True)
class AbsentOptions:
    """Options of `signal absent`."""

    id: Annotated[str, typer.Argument(metavar="ID", help="the signal's id, or its first 4 or more digits")]
    why: Annotated[str, typer.Option(help="how you know; kept in the journal with your name")] = ""
    yes: Annotated[bool, typer.Option("--yes", help="do not ask again")] = False


def attach(named: Named, options: AttachOptions) -> None:
    """Say which order a signal that needs a review has made. The engine asks the venue about it, and looks after it."""
    from engine.core.commands import CommandKind

    order = options.order.strip()
    if not order or len(order) > ORDER_ID_LENGTH_MAX or clean(order, ORDER_ID_LENGTH_MAX) != order:
        raise BadInput("ORDER", "not an order id", "as the venue shows it")
    _check_reason(options.why, "where you saw the order")
    story = _story(named, options.id)
    _confirm(story, f"stands or falls with order {order}", order, yes=options.yes)
    args = {"venue_order_id": order}
    say(wish(named, CommandKind.ATTACH, story.signal.id, why=options.why, args=args).result or "done")


def absent(named: Named, options: AbsentOptions) -> None:
    """Say that a signal that needs a review has made no order. It may then be sent again: look at the venue first."""
    from engine.core.commands import CommandKind

    _check_reason(options.why, "how you know that the venue has no such order")
    story = _story(named, options.id)
    _confirm(story, "has no order, and may be sent again", story.signal.symbol, yes=options.yes)
    say(wish(named, CommandKind.DECLARE_ABSENT, story.signal.id, why=options.why).result or "done")


def _check_reason(why: str, what: str) -> None:
    if not why.strip():
        raise BadInput("--why", "missing", f"say {what}")


def _story(named: Named, given: str) -> Story:
    async def ask(reader: Reader) -> Story:
        story = await reader.story(given)
        if story is None:
            raise NotThere(f"no signal has the id {given}")
        return story

    return read(named, ask)


def _confirm(story: Story, what: str, word: str, *, yes: bool) -> None:
    """Let the operator type `word`. Raises BadInput where nobody can, and CommandRefused for anything else typed."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadInput("--yes", "needed where nobody can be asked", "add it once you are sure")
    signal = story.signal
    where = story.attempts[-1].trader if story.attempts else "no trader"
    complain(f"{signal.side} {clean(signal.symbol, 48)} ({signal.id}) at {where}, {signal.state}: it {what}")
    complain(f"type {clean(word, ORDER_ID_LENGTH_MAX)} to go on:")
    if sys.stdin.readline().strip() != word:
        raise CommandRefused("not confirmed: nothing was changed")
