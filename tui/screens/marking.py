"""What lists with marks share: mark one, a range or all that match, and one question before anything is done to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from textual.binding import Binding, BindingType

from engine.clock import Clock
from engine.core.commands import CommandKind
from tui.bridge import Bridge
from tui.bulk import BulkPlan, carry_out
from tui.screens.confirm import Confirm, Gravity
from tui.screens.listing import ListScreen
from tui.widgets.cells import Cell
from tui.widgets.columns import Column
from tui.widgets.live_table import Row

MARK: Final = Binding.Group("Mark")
MARKED: Final = Cell("●", "bold $accent")
UNMARKED: Final = Cell("")
MARK_COLUMN: Final = Column("mark", "", 1)


class MarkingScreen(ListScreen):
    """A list whose rows can be marked. Marks belong to keys: rows may come, go and be filtered around them.

    The first column of a subclass is `MARK_COLUMN`; its wishes go through `act`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", id="mark.one", group=MARK),
        Binding("v", "range", "Range", show=False, id="mark.range", group=MARK, tooltip="From here, then to here"),
        Binding("asterisk", "all", "Mark all shown", key_display="*", id="mark.all", group=MARK),
        Binding("u", "none", "Unmark all", show=False, id="mark.none", group=MARK),
    ]

    def __init__(self, bridge: Bridge, *, clock: Clock | None = None) -> None:
        super().__init__(bridge, clock=clock)
        self.marks: set[str] = set()
        self._range_from: str | None = None

    def decorated(self, row: Row) -> Row:
        return row._replace(cells=(MARKED if row.key in self.marks else UNMARKED, *row.cells))

    def counts(self) -> list[Cell]:
        cells = super().counts()
        if self.marks:
            cells.append(Cell(f"  {len(self.marks)} marked", "bold $accent"))
            if hidden := self._hidden():
                cells.append(Cell(f" ({hidden} not shown)", "$warning"))
        if self._range_from is not None:
            cells.append(Cell("  v ends the range", "$stale"))
        return cells

    @property
    def scope(self) -> list[str]:
        """Return the keys that a wish is about: the marked ones, or the row under the cursor."""
        if self.marks:
            return sorted(self.marks)
        key = self.table.cursor_key
        return [] if key is None else [key]

    def act(self, plan: BulkPlan) -> None:
        """Ask whether `plan` shall be carried out, and do it. The plan is frozen: nothing that comes later is in it."""
        if not plan.eligible:
            reason = plan.refused[0][1] if plan.refused else "nothing is marked"
            self.toast(f"{plan.verb}: none of {len(plan.refused)} can be: {reason}", "warning")
            return
        if not self.pending:
            self.run_worker(self._ask(plan), group="questions", exclusive=True)

    def action_mark(self) -> None:
        if (key := self.table.cursor_key) is not None:
            self.marks ^= {key}
            self.table.action_step(1)
            self._marks_changed()

    def action_range(self) -> None:
        """Begin a range at the cursor; the second time, mark all rows from there to here."""
        key = self.table.cursor_key
        if key is None:
            return
        keys = [row.key for row in self.table.rows]
        if self._range_from not in keys:
            self._range_from = key
        else:
            ends = sorted((keys.index(self._range_from), keys.index(key)))
            self.marks |= set(keys[ends[0] : ends[1] + 1])
            self._range_from = None
        self._marks_changed()

    def action_all(self) -> None:
        """Mark every row that is shown, so every one that the filter takes."""
        self.marks |= {entry.row.key for entry in self._entries() if self.filter.takes(entry.facts)}
        self._marks_changed()

    def action_none(self) -> None:
        self.marks, self._range_from = set(), None
        self._marks_changed()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in {"mark", "range", "all", "none"} and self.bridge.read_only:
            return False  # marks are for acting
        return super().check_action(action, parameters)

    async def _ask(self, plan: BulkPlan) -> None:
        hidden = self._hidden()
        engine = self.picture.engine if self.picture else None
        question = Confirm(
            plan.title,
            plan.scope + (f"\n  {hidden} of the marked are hidden by the filter" if hidden else ""),
            plan.consequence,
            typed_word=plan.typed_word(engine.mode if engine else None),
            gravity=Gravity.GRAVE,
        )
        is_one = len(plan.eligible) + len(plan.refused) == 1 and plan.kind is not CommandKind.CANCEL
        if is_one or await self.app.push_screen_wait(question):
            # On the app, so that leaving this screen does not stop it halfway.
            self.app.run_worker(self._act(plan), group="wishes")

    async def _act(self, plan: BulkPlan) -> None:
        self.pending = f"{plan.verb.lower()} of {len(plan.eligible)}"
        try:
            outcome = await carry_out(plan, self.bridge, self._progress(plan))
        finally:
            if self.is_attached:
                self.pending = ""
        self.marks -= outcome.done
        self.toast(outcome.told, "warning" if outcome.refused else "information")
        self._change = None
        if self.is_attached:
            self.call_later(self.look)

    def _progress(self, plan: BulkPlan) -> Callable[[int], None]:
        def told(answered: int) -> None:
            if self.is_attached:
                self.pending = f"{plan.verb.lower()}: {answered} of {len(plan.eligible)}"

        return told

    def _hidden(self) -> int:
        return len(self.marks - {entry.row.key for entry in self._entries() if self.filter.takes(entry.facts)})

    def _marks_changed(self) -> None:
        self._show_rows()
        self._show_counts()
        self.refresh_bindings()
