"""Operators' wishes under way: asked for, made, answered, shown. Nothing is shown as done before the engine says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from textual.screen import Screen

from engine.core.board import Board, EngineState
from engine.core.commands import Command, CommandKind, CommandState
from engine.core.errors import SignalDeckError
from engine.core.events import Desired
from tui.formatting import foreign
from tui.messages import Wish

if TYPE_CHECKING:
    from tui.bridge import Bridge

# What is wished of the whole engine, by the name of the action.
ON_ALL: Final = {
    "pause_all": Wish(
        CommandKind.PAUSE_ALL,
        "",
        "pausing all",
        "Pause all traders",
        "every trader",
        "Pause: no trader takes a new signal until it is resumed, exits included: positions stay as they are. Open orders "
        "stay open, and are looked after.",
        is_mild=True,
    ),
    "resume_all": Wish(
        CommandKind.RESUME_ALL,
        "",
        "resuming all",
        "Resume all traders",
        "every trader",
        "Every paused trader takes signals again, those included that were paused one by one.",
        is_mild=True,
    ),
    "halt": Wish(
        CommandKind.HALT,
        "",
        "halting",
        "Halt everything",
        "the whole engine (kill switch)",
        "Halt: nothing is sent from now on, exits included, and open orders are cancelled. An order whose outcome is not "
        "known is looked up, and cancelled if it is open. What is filled stays. It outlasts a restart.",
        typed_word="HALT",
    ),
    "release": Wish(
        CommandKind.RELEASE,
        "",
        "lifting the halt",
        "Lift the halt",
        "the whole engine (kill switch)",
        "Orders are sent again, ways out before ways in. Traders that were paused stay paused.",
        typed_word="RELEASE",
    ),
}


def objection(action: str, board: Board | None, pending: Mapping[str, str]) -> str:
    """Return why this wish of the whole engine would change nothing now, the empty text if it would."""
    if board is None or board.engine is None:
        return "no engine has run on this store yet"
    if doing := pending.get(ON_ALL[action].key):
        return f"{doing}: this has no answer yet"
    is_halted = board.engine.state is EngineState.HALTED
    wanted = [trader.desired for trader in board.traders]
    return {
        "pause_all": "" if Desired.RUN in wanted else "no trader is left that takes signals",
        "resume_all": "" if any(one is not Desired.RUN for one in wanted) else "no trader is paused",
        "halt": "it is halted already; L lifts it" if is_halted else "",
        "release": "" if is_halted else "nothing is halted: there is nothing to lift",
    }[action]


class Wishes:
    """Carries wishes to the engine, one at a time for each thing that they are about.

    `pending` maps what a wish is about to what is being done; `changed` is called whenever it changes.
    """

    def __init__(self, screen: Screen[None], bridge: Bridge, changed: Callable[[], None]) -> None:
        self._screen, self._bridge, self._changed = screen, bridge, changed
        self.pending: dict[str, str] = {}

    def make(self, wish: Wish) -> None:
        """Ask if there is something to ask, then hand it over. The answer comes as a toast."""
        self._screen.app.run_worker(self._make(wish), group="wishes")

    async def _make(self, wish: Wish) -> None:
        if wish.consequence and not await self._is_confirmed(wish):
            return
        if wish.key in self.pending:  # one that was made before has no answer yet
            return
        self.pending[wish.key] = wish.doing
        self._changed()
        try:
            answer = await self._bridge.wish(
                wish.kind, wish.target, args=wish.args, expected_version=wish.expected_version
            )
        except (SignalDeckError, OSError) as refusal:
            self._say(wish, str(refusal) or type(refusal).__name__, is_done=False)
        else:
            self._tell(wish, answer)
        finally:
            del self.pending[wish.key]
            self._changed()

    async def _is_confirmed(self, wish: Wish) -> bool:
        from tui.screens.confirm import Confirm, Gravity  # only when there is something to ask

        gravity = Gravity.MILD if wish.is_mild else Gravity.GRAVE
        question = Confirm(wish.verb, wish.scope, wish.consequence, typed_word=wish.typed_word, gravity=gravity)
        answer: bool | None = await self._screen.app.push_screen_wait(question)
        return bool(answer)

    def _tell(self, wish: Wish, answer: Command) -> None:
        is_done = answer.state is CommandState.DONE
        self._say(wish, answer.result or answer.state.value, is_done=is_done)

    def _say(self, wish: Wish, text: str, *, is_done: bool) -> None:
        subject = f"{wish.verb} {foreign(wish.target, 24)}".strip()
        self._screen.notify(
            foreign(text, 300),
            title=subject if is_done else f"{subject}: not done",
            severity="information" if is_done else "error",
            markup=False,
        )
