"""The signal queue: what waits, what is under way, what has just ended, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, NamedTuple

from textual.binding import Binding, BindingType
from textual.content import Content

from engine.core.board import SignalRow
from engine.core.commands import CommandKind
from engine.core.lifecycle import OPEN_SIGNALS, RETRYABLE_SIGNALS, SignalState
from tui.bulk import not_cancelled, not_retried
from tui.filters import SIGNAL_CHOICES
from tui.formatting import ago, aligned, briefly, duration, foreign, side_cell, signal_sign
from tui.messages import Kind, Opened, Wish, Wished
from tui.panels.base import ACTS, PANELS, Entry, Place, Scene, Spot, TablePanel
from tui.widgets.cells import Cell, content
from tui.widgets.columns import Column
from tui.widgets.live_table import Row

SHORT_ID: Final = 6
QUANTITY: Final = 8  # cells of its column
AGE: Final = 6  # the age's place among the cells
CANCELLABLE: Final = frozenset(s.value for s in OPEN_SIGNALS) - {"needs_review"}
CALM: Final = frozenset({"executing", "done"})  # nothing has to be explained
RETRYABLE: Final = frozenset(s.value for s in RETRYABLE_SIGNALS)


class Drawn(NamedTuple):
    """A row as it was drawn last, and what it was drawn from."""

    row: SignalRow
    quantity: str
    doing: str | None
    age: Cell
    entry: Entry


def draw_queue(rows: Sequence[SignalRow], scene: Scene, before: Mapping[str, Drawn] | None = None) -> dict[str, Drawn]:
    """Return the queue's rows by their ids, those of `before` again as far as they say the same.

    The age of an ended signal is the time since its end, of any other since its receipt.
    """
    known = before or {}
    quantities = aligned([row.quantity for row in rows], QUANTITY)
    return {
        row.id: _drawn(row, quantity, scene, known.get(row.id)) for row, quantity in zip(rows, quantities, strict=True)
    }


def _drawn(row: SignalRow, quantity: str, scene: Scene, before: Drawn | None) -> Drawn:
    doing = scene.pending.get(row.id)
    told = Cell(ago(row.ended_at or row.received_at, scene.now, has_clock_times=scene.has_clock_times), "$muted")
    if before is None or before.row != row or before.quantity != quantity or before.doing != doing:
        return Drawn(row, quantity, doing, told, _entry(row, quantity, doing, told))
    if before.age == told:
        return before
    drawn = before.entry.row  # every second most rows grow older, and nothing else
    cells = (*drawn.cells[:AGE], told, *drawn.cells[AGE + 1 :])
    return Drawn(row, quantity, doing, told, Entry(drawn._replace(cells=cells), before.entry.facts))


def _entry(row: SignalRow, quantity: str, doing: str | None, told: Cell) -> Entry:
    sign = signal_sign(row.state)
    symbol, reason, trader = foreign(row.symbol, 24), foreign(row.reason), foreign(row.trader, 40)
    tries = Cell(str(row.attempts), "$muted" if row.attempts < 2 else "$warning")
    cells = (
        Cell(foreign(row.id, 40)[:SHORT_ID], "$muted"),
        Cell(symbol),
        side_cell(row.side),
        Cell(quantity),
        Cell(f"… {doing}", "$accent") if doing else sign.cell,
        tries,
        told,
        Cell(duration(row.latency_s) if row.latency_s is not None else ""),
        Cell(f"{row.confidence:.2f}", "$muted"),
        Cell(foreign(row.source, 40), "$muted"),
        Cell(_told(row, trader, reason), "" if row.state in CALM else "$muted"),
    )
    facts = {
        "id": row.id,
        "symbol": symbol,
        "side": row.side,
        "state": f"{row.state} {sign.word}",
        "trader": trader,
        "source": row.source,
        "reason": f"{row.reason_code} {reason}",
    }
    return Entry(Row(row.id, cells), facts)


def _told(row: SignalRow, trader: str, reason: str) -> str:
    """Say who has it and why it is where it is, whichever of the two there is."""
    if row.cancel_requested and row.ended_at is None:
        return "cancel is noted; it acts once its order's outcome is known"
    short = trader.removeprefix("trader_")
    if short and (not reason or row.state in CALM):
        return short
    return f"{short}: {briefly(reason, trader)}" if short else reason


@PANELS.add("queue")
class QueuePanel(TablePanel):
    """1: signals and what holds them."""

    number = 1
    label = "Queue"
    place = Place(rank=1, brief=2, two=Spot(0, 62), three=Spot(0, 62))
    kind = Kind.SIGNAL
    follows = True
    empty = "waiting for the first signal"
    choices = SIGNAL_CHOICES
    columns = (
        Column("id", "id", SHORT_ID),
        Column("symbol", "symbol", 9),
        Column("side", "side", 4),
        Column("quantity", "qty", QUANTITY, align="right"),
        Column("state", "state", 11),
        Column("tries", "try", 3, align="right", rank=2),
        Column("age", "age", 4, align="right"),
        Column("latency", "lat", 5, align="right", rank=3),
        Column("confidence", "conf", 4, align="right", rank=6),
        Column("source", "source", 19, rank=5),
        Column("why", "trader, why", 14, rank=1, grows=True),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "retry", "Retry", id="queue.retry", group=ACTS, tooltip="Put an ended signal back in the queue"),
        Binding("X", "cancel", "Cancel", id="queue.cancel", group=ACTS, tooltip="Withdraw a signal"),
        Binding("m", "market", "Market", show=False, id="queue.market", tooltip="The candles of its symbol"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._drawn: dict[str, Drawn] = {}

    def entries(self, scene: Scene) -> list[Entry]:
        self._drawn = draw_queue(scene.board.queue, scene, self._drawn)
        return [drawn.entry for drawn in self._drawn.values()]

    def counts(self, scene: Scene) -> Content:
        head = scene.board.headline
        parts = [Cell(f"{head.queue}{'+' if head.queue_capped else ''} waiting", "$muted")]
        if head.in_flight:
            parts.append(Cell(f"  {head.in_flight} in flight", "$accent"))
        if head.unknown:
            parts.append(Cell(f"  {head.unknown} unknown", "$warning"))
        if head.review:
            parts.append(Cell(f"  {head.review} to review", "bold $error"))
        return content(parts)

    def brief(self, scene: Scene, width: int) -> Content:
        if not scene.board.queue:
            return content([Cell(" " + self.empty, "$muted")])
        row = scene.board.queue[0]
        quantity = aligned([row.quantity])[0]
        words = [foreign(row.id, 40)[:SHORT_ID], foreign(row.symbol, 24), foreign(row.side, 8), quantity]
        said = foreign(row.reason or row.trader)
        parts = [Cell(" " + "  ".join(words) + "  "), signal_sign(row.state).cell, Cell("  " + said, "$muted")]
        return content(parts).truncate(width, ellipsis=True)

    def row(self) -> SignalRow | None:
        """Return the signal under the cursor."""
        if self.scene is None or self.is_brief:
            return None
        return next((row for row in self.scene.board.queue if row.id == self.selected), None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "market":
            return True if self.row() is not None else None
        if action not in {"retry", "cancel"}:
            return super().check_action(action, parameters)
        if self.read_only:
            return False
        row = self.row()
        if row is None or self.scene is None or row.id in self.scene.pending:
            return None
        if action == "cancel" and row.cancel_requested:
            return None  # it is noted, and acts once the order's outcome is known
        return True if row.state in (RETRYABLE if action == "retry" else CANCELLABLE) else None

    def why_not(self, action: str) -> str:
        row = self.row()
        if action not in {"retry", "cancel"} or self.read_only or self.scene is None:
            return ""
        if row is None:
            return "no signal is chosen"
        if doing := self.scene.pending.get(row.id):
            return f"{doing}: this has no answer yet"
        try:
            state = SignalState(row.state)
        except ValueError:
            return ""
        return not_retried(state) if action == "retry" else not_cancelled(state, is_noted=row.cancel_requested)

    def action_retry(self) -> None:
        if (row := self.row()) is not None:
            self.post_message(
                Wished(Wish(CommandKind.RETRY, row.id, "retrying", "Retry", expected_version=row.version))
            )

    def action_market(self) -> None:
        if (row := self.row()) is not None:
            self.post_message(Opened(Kind.MARKET, row.symbol))

    def action_cancel(self) -> None:
        row = self.row()
        if row is None:
            return
        consequence = (
            "It has an order under way. If that is open at the venue it is cancelled there, now or as soon as its outcome "
            "is known. What is filled by then stays filled."
            if row.state == "executing"
            else "No order goes out for it. This cannot be taken back."
        )
        words = f"signal {row.id[:8]}: {foreign(row.side, 8)} {foreign(row.symbol, 24)}, {signal_sign(row.state).word}"
        # Without the version seen: a waiting signal is looked at again and again, and a cancel is right all the same.
        wish = Wish(CommandKind.CANCEL, row.id, "cancelling", "Cancel", words, consequence)
        self.post_message(Wished(wish))
