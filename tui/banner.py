"""The banner: one line in the way of everything, for what no one may overlook."""

from __future__ import annotations

from collections.abc import Sequence

from textual.widgets import Static

from engine.core.board import Board, EngineState
from tui.formatting import clock_time, foreign
from tui.widgets.cells import Cell, content


def banner_words(
    board: Board | None, store_trouble: str, engine_trouble: str, silence: str = "", *, can_lift: bool = True
) -> Sequence[Cell]:
    """Return what the banner says, the worst first; nothing when all is well. `can_lift`: the key for that is there."""
    if engine_trouble:
        return (
            Cell(f" ✖ The engine has died: {foreign(engine_trouble)} ", "bold reverse $error"),
            Cell(" Nothing is traded. Quit, look at the log, start again.", "$error"),
        )
    if store_trouble:
        return (
            Cell(" ▲ The store cannot be read ", "bold reverse $warning"),
            Cell(f" {foreign(store_trouble)}", "$warning"),
        )
    if silence:
        return (
            Cell(" ✖ No engine answers ", "bold reverse $error"),
            Cell(" Wishes are refused; this goes on when one is there.", "$error"),
            Cell(f"  {foreign(silence)}", "$muted"),
        )
    if board is None:
        return (Cell(" ○ opening the store", "$muted"),)
    engine = board.engine
    if engine is None:
        return (Cell(" ○ no engine has run on this store yet", "$muted"),)
    if engine.state is EngineState.HALTED:
        who = foreign(engine.halted_by or "an operator", 40)
        at = f" at {clock_time(engine.halted_at)}" if engine.halted_at else ""
        return (
            Cell(f" HALTED by {who}{at} ", "bold reverse $error"),
            Cell(" Nothing is sent. L lifts it." if can_lift else " Nothing is sent."),
        )
    return ()


class Banner(Static):
    """Takes no room while there is nothing to say."""

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self.display = False
        self._said: Sequence[Cell] = ()
        self.can_lift = True

    def show(self, board: Board | None, store_trouble: str, engine_trouble: str, silence: str = "") -> None:
        """Say what has to be said."""
        words = banner_words(board, store_trouble, engine_trouble, silence, can_lift=self.can_lift)
        if words != self._said:
            self._said = words
            self.display = bool(words)
            self.update(content(words))
