"""The traders: which of them can take an order, and why the others cannot."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from engine.core.commands import CommandKind
from engine.core.events import BreakerState, Desired, TraderState
from tui.filters import TRADER_CHOICES
from tui.formatting import NOTHING, duration, foreign, percent, trader_sign
from tui.messages import Kind, Wish, Wished
from tui.panels.base import ACTS, PANELS, Entry, Place, Scene, Spot, TablePanel
from tui.widgets.cells import Cell, content
from tui.widgets.columns import Column
from tui.widgets.live_table import Row


def trader_entry(trader: TraderState, scene: Scene) -> Entry:
    """Return a trader's row; its rate is over all attempts that its window holds."""
    sign = trader_sign(trader, scene.now)
    doing = scene.pending.get(trader.name)
    name, why = foreign(trader.name, 60), foreign(trader.why_not)
    rate = trader.successes / trader.attempts if trader.attempts else None
    cells = (
        Cell(name, "" if trader.is_available else "$muted"),
        Cell(f"… {doing}", "$accent") if doing else sign.cell,
        Cell(str(trader.in_flight) if trader.in_flight else NOTHING, "" if trader.in_flight else "$muted"),
        Cell(duration(trader.latency_p50)),
        Cell(duration(trader.latency_p95), "$muted"),
        Cell(percent(rate, 0), "$warning" if rate is not None and rate < 0.9 else ""),
        Cell(why or foreign(trader.health_fact), "$muted"),
    )
    facts = {"name": name, "state": sign.word, "exchange": trader.exchange, "why": why}
    return Entry(Row(trader.name, cells), facts)


@PANELS.add("traders")
class TradersPanel(TablePanel):
    """2: each trader's state."""

    number = 2
    label = "Traders"
    place = Place(rank=2, brief=2, two=Spot(1, 31), three=Spot(1, 46))
    kind = Kind.TRADER
    choices = TRADER_CHOICES
    empty = "no traders are configured: add [[traders]] to the configuration"
    columns = (
        Column("name", "trader", 19, grows=True),
        Column("state", "state", 12),
        Column("in_flight", "live", 4, align="right"),
        Column("p50", "p50", 5, align="right", rank=2),
        Column("p95", "p95", 5, align="right", rank=3),
        Column("ok", "ok", 4, align="right", rank=1),
        Column("why", "why", 24, rank=4, grows=True),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "Pause", id="traders.pause", group=ACTS, tooltip="The trader takes no new signals"),
        Binding(
            "b", "drain", "Drain", id="traders.drain", group=ACTS, tooltip="Pause, and say when its last order ended"
        ),
        Binding("r", "resume", "Resume", id="traders.resume", group=ACTS, tooltip="The trader takes signals again"),
    ]

    def entries(self, scene: Scene) -> list[Entry]:
        return [trader_entry(trader, scene) for trader in scene.board.traders]

    def counts(self, scene: Scene) -> Content:
        head = scene.board.headline
        all_up = head.traders_available == head.traders_total
        words = f"{head.traders_available} of {head.traders_total} available"
        return content([Cell(words, "$muted" if all_up else "$warning")])

    def brief(self, scene: Scene, width: int) -> Content:
        if not scene.board.traders:
            return content([Cell(" " + self.empty, "$muted")]).truncate(width, ellipsis=True)
        parts: list[Cell] = []
        for trader in sorted(scene.board.traders, key=lambda t: t.is_available):  # the troubled ones first
            sign = trader_sign(trader, scene.now)
            name = foreign(trader.name, 60).removeprefix("trader_")
            parts += [Cell(f" {sign.glyph} ", sign.style), Cell(name)]
            parts.append(Cell(f" {sign.word}  ", sign.style) if sign.word != "up" else Cell("  "))
        return content(parts).truncate(width, ellipsis=True)

    def trader(self) -> TraderState | None:
        """Return the trader under the cursor."""
        if self.scene is None or self.is_brief:
            return None
        return next((t for t in self.scene.board.traders if t.name == self.selected), None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action not in {"pause", "drain", "resume"}:
            return super().check_action(action, parameters)
        if self.read_only:
            return False
        trader = self.trader()
        if trader is None or self.scene is None or trader.name in self.scene.pending:
            return None
        if action == "pause":
            return True if trader.desired is Desired.RUN else None
        if action == "drain":
            return True if trader.desired is not Desired.DRAIN else None
        return True if _is_held(trader) else None

    def action_pause(self) -> None:
        if (trader := self.trader()) is not None:
            self.post_message(Wished(Wish(CommandKind.PAUSE, trader.name, "pausing", "Pause")))

    def action_drain(self) -> None:
        if (trader := self.trader()) is not None:
            self.post_message(Wished(Wish(CommandKind.DRAIN, trader.name, "draining", "Drain")))

    def action_resume(self) -> None:
        if (trader := self.trader()) is not None:
            self.post_message(Wished(Wish(CommandKind.RESUME, trader.name, "resuming", "Resume")))


def _is_held(trader: TraderState) -> bool:
    """Say whether only an operator can bring this trader back."""
    return trader.desired is not Desired.RUN or trader.quarantined or trader.breaker is BreakerState.FORCED_OPEN
