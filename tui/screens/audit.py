"""The audit: every wish of an operator, who made it, when, why, and what came of it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from textual.screen import Screen

from engine.clock import Clock
from engine.core.commands import Command, CommandState
from tui.bridge import Bridge
from tui.filters import WISH_CHOICES
from tui.formatting import day_time, duration, foreign
from tui.panels.base import Entry
from tui.screens.listing import ListScreen
from tui.widgets.cells import Cell
from tui.widgets.columns import Column
from tui.widgets.live_table import Row

SHOWN_MAX: Final = 1_000
OF_SIGNALS: Final = frozenset({"retry", "cancel", "attach", "declare_absent"})
OF_TRADERS: Final = frozenset({"pause", "drain", "resume"})
STATES: Final = {
    CommandState.POSTED: Cell("◐ waits", "$accent"),
    CommandState.DONE: Cell("● done", "$ok"),
    CommandState.REFUSED: Cell("✖ refused", "$error"),
}


def audit_entry(command: Command, traders: Collection[str]) -> Entry:
    """Return a wish's row. Of a name that is none of `traders` nothing is left out: it must not look like another's."""
    target, why = foreign(command.target, 40), foreign(command.why)
    took = None if command.finished_at is None else (command.finished_at - command.at).total_seconds()
    wish = command.kind.value.replace("_", " ")
    args = " ".join(f"{name} {value}" for name, value in sorted(command.args.items()))
    told = "; ".join(part for part in (foreign(command.result), f"why: {why}" if why else "", foreign(args)) if part)
    operator = foreign(command.operator, 40)
    cells = (
        Cell(day_time(command.at), "$muted"),
        Cell(operator),
        Cell(wish, "bold"),
        _target_cell(command, target, traders),
        STATES[command.state],
        Cell(duration(took), "$muted"),
        Cell(told),
    )
    facts = {"operator": operator, "wish": wish, "target": target, "state": command.state.value, "told": told}
    return Entry(Row(str(command.id), cells), facts)


def _target_cell(command: Command, target: str, traders: Collection[str]) -> Cell:
    if command.kind.value not in OF_TRADERS:
        return Cell(target)
    return Cell(target.removeprefix("trader_")) if command.target in traders else Cell(f"? {target}", "$warning")


class AuditScreen(ListScreen):
    """Lists the newest wishes of operators, whoever made them and from wherever."""

    empty = "no operator has done anything yet"
    choices = WISH_CHOICES
    columns = (
        Column("at", "time", 14),
        Column("operator", "who", 10),
        Column("wish", "wish", 14),
        Column("target", "of", 12, rank=2),
        Column("state", "state", 9, rank=1),
        Column("took", "took", 6, align="right", rank=4),
        Column("told", "what came of it, why", 12, grows=True, rank=3),
    )

    def __init__(self, bridge: Bridge, *, clock: Clock | None = None) -> None:
        super().__init__(bridge, clock=clock)
        self._commands: list[Command] = []
        self._traders: frozenset[str] = frozenset()

    @property
    def trail(self) -> tuple[str, ...]:
        return ("Audit", "what operators did")

    async def gather(self) -> None:
        self._commands = await self.bridge.ask(lambda store: store.commands(None, SHOWN_MAX))
        self._traders = frozenset(trader.name for trader in await self.bridge.ask(lambda store: store.traders()))

    def entries(self, now: datetime) -> list[Entry]:  # noqa: ARG002 - a wish does not age
        return [audit_entry(command, self._traders) for command in self._commands]

    def counts(self) -> list[Cell]:
        refused = sum(command.state is CommandState.REFUSED for command in self._commands)
        more = " (the newest)" if len(self._commands) == SHOWN_MAX else ""
        cells = [Cell(f"{len(self._commands)} wishes{more}", "$muted")]
        return [*cells, Cell(f"  {refused} refused", "$warning")] if refused else cells

    def thing(self, key: str) -> Command | None:
        return next((command for command in self._commands if str(command.id) == key), None)

    def opens(self, key: str) -> bool:
        command = self.thing(key)
        return command is not None and command.kind.value in OF_SIGNALS | OF_TRADERS

    def screen_of(self, key: str) -> Screen[None] | None:
        from tui.screens.story import StoryScreen  # loaded with the first that is opened
        from tui.screens.trader import TraderScreen

        command = self.thing(key)
        if command is not None and command.kind.value in OF_SIGNALS:
            return StoryScreen(self.bridge, command.target, clock=self.clock)
        if command is not None and command.kind.value in OF_TRADERS:
            return TraderScreen(self.bridge, command.target, clock=self.clock)
        return None
