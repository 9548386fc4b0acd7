"""The status line: one row that is always there and always fits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from engine.core.board import Board, EngineFacts, EngineState
from engine.core.feeds import FeedState
from engine.core.text import clean
from engine.core.values import Mode
from tui.formatting import ENGINE_STYLES, MODE_STYLES, NOTHING, age, clock_time, duration, market_now, percent
from tui.formatting import rate_style as rate_colour
from tui.widgets.cells import Cell, content

SCREEN_AGE_WARNING_S: Final = 2.0  # since the engine's last heartbeat
SCREEN_AGE_ERROR_S: Final = 5.0
FEED_AGE_WARNING_S: Final = 15.0  # of the market's newest price, in the market's time; quiet markets tick seldom
FEED_AGE_ERROR_S: Final = 30.0
LUXURY: Final = 6  # from this rank on an item goes before the names get shorter


class Freshness(StrEnum):
    """How old what the screen shows is."""

    FRESH = "fresh"
    AGEING = "ageing"
    STALE = "stale"


class Item(NamedTuple):
    """One fact of the line: what it is called, in a wide and a narrow line, and its value. Rank 0 never goes."""

    label: str
    short: str
    value: str
    style: str
    rank: int


def screen_age(engine: EngineFacts | None, wall: datetime) -> float | None:
    """Return seconds since the engine's last heartbeat, or None if there never was one."""
    return None if engine is None else max(0.0, (wall - engine.beat_at).total_seconds())


def unheard(engine: EngineFacts | None, wall: datetime) -> str:
    """Return why no engine answers: it stopped, or has not beaten for too long. The empty text while one beats."""
    if engine is None:
        return ""
    if engine.state is EngineState.STOPPED:
        return "engine stopped"
    silent_s = (wall - engine.beat_at).total_seconds()
    return f"engine silent for {age(silent_s)}" if silent_s > SCREEN_AGE_ERROR_S else ""


def feed_age(engine: EngineFacts | None) -> float | None:
    """Return seconds of market time between the newest price and the last heartbeat, None without a price."""
    if engine is None or engine.feed_last_at is None or engine.feed_finished:
        return None
    return max(0.0, (engine.market_at - engine.feed_last_at).total_seconds())


def freshness(engine: EngineFacts | None, wall: datetime) -> Freshness:
    """Return how far the screen can be believed."""
    beat, feed = screen_age(engine, wall), feed_age(engine)
    if beat is None or engine is None:
        return Freshness.FRESH  # nothing has ever run here: there is nothing to be stale
    if beat >= SCREEN_AGE_ERROR_S or (feed or 0.0) >= FEED_AGE_ERROR_S:
        return Freshness.STALE
    if beat >= SCREEN_AGE_WARNING_S or (feed or 0.0) >= FEED_AGE_WARNING_S:
        return Freshness.AGEING
    return Freshness.FRESH


def age_item(engine: EngineFacts | None, wall: datetime) -> Item:
    """Return the data's age: that of the heartbeat and of the newest price together."""
    beat = screen_age(engine, wall)
    if engine is None or beat is None:
        return Item("age", "", NOTHING, "$muted", 0)
    total = beat + (feed_age(engine) or 0.0)
    text = f"{total:.1f}s" if total < 10 else age(total)
    match freshness(engine, wall):
        case Freshness.STALE:
            return Item("", "", f" STALE {text} ", "bold reverse $error", 0)
        case Freshness.AGEING:
            return Item("age", "", text, "bold $warning", 0)
        case _:
            return Item("age", "", "ended" if engine.feed_finished else text, "", 0)


def feeds_item(engine: EngineFacts | None) -> Item | None:
    """Return which exchange that prices come from ails and how, None while all are live or there is none to ask."""
    feeds = engine.feeds if engine is not None and engine.state is not EngineState.STOPPED else ()
    ailing = sorted((f for f in feeds if f.state is not FeedState.LIVE), key=lambda f: f.state is FeedState.CONNECTING)
    if not ailing:
        return None
    more = f" +{len(ailing) - 1}" if len(ailing) > 1 else ""
    style = "bold $warning" if any(f.is_flowing for f in feeds) else "bold $error"
    if ailing[0].state is FeedState.CONNECTING:
        style = "$muted"
    return Item("feed", "", f"{clean(ailing[0].name, 12)} {ailing[0].shown}{more}", style, 1)


def pace(engine: EngineFacts | None) -> str:
    """Return how fast the market's time passes, with a blank before it: " 5x", " max", or "" where it is the real one."""
    if engine is None or engine.speed in {"", "1"}:
        return ""
    speed = clean(engine.speed, 8)
    return f" {speed}" if speed == "max" else f" {speed}x"


def items(board: Board, wall: datetime) -> list[Item]:
    """Return the facts of the line after mode and state, left to right."""
    head = board.headline
    down = head.traders_available < head.traders_total
    alerts = "bold reverse $error" if head.alerts_active else ""
    unsure = head.unknown + head.review
    market = market_now(board.engine, wall)
    listed = [
        age_item(board.engine, wall),
        Item("queue", "q", f"{head.queue}{'+' if head.queue_capped else ''}", "", 0),
        Item("ok", "ok", percent(head.success_rate), rate_colour(head.success_rate), 2),
        Item("fly", "fly", str(head.in_flight), "$accent" if head.in_flight else "", 5),
        Item("unk", "?", str(unsure), "bold $warning", 1),
        Item("traders", "tr", f"{head.traders_available}/{head.traders_total}", "bold $warning" if down else "", 3),
        Item("alerts", "al", f" {head.alerts_active} " if alerts else "0", alerts, 0),
        Item("err", "err", f"{head.errors_per_min}/m", "bold $warning" if head.errors_per_min else "", 4),
        Item("p95", "p95", duration(head.latency_p95), "", 8),
        Item("", "", f"{clock_time(market)}{pace(board.engine)}", "$muted", 6),
    ]
    feeds = feeds_item(board.engine)
    if feeds is not None:
        listed.insert(1, feeds)
    return [item for item in listed if unsure or item.label != "unk"]


def opening(engine: EngineFacts | None) -> list[Cell]:
    """Return mode and state, which are never left out."""
    if engine is None:
        return [Cell(" NO ENGINE ", "bold reverse $error")]
    mode, state = engine.mode, engine.state
    words = {EngineState.RUNNING: "RUN"}.get(state, state.value.upper())
    wide = mode is Mode.LIVE or state is EngineState.HALTED
    automated = [] if engine.automated else [Cell(" AUTO OFF ", "bold $warning")]
    return [
        Cell(f" {mode.value.upper()} ", MODE_STYLES[mode]),
        Cell(" " if wide else ""),
        Cell(f" {words} " if state is EngineState.HALTED else words, ENGINE_STYLES[state]),
        *automated,
    ]


def line(board: Board, wall: datetime, width: int, notes: Sequence[Cell] = (), past: Sequence[Cell] = ()) -> Content:
    """Return the status line for `width` cells. Luxuries go first, then names get shorter, then by rank.

    `past` stands in place of mode and state where the Board is one of the past; nothing in it has an age, then.
    """
    lead = [*(past or opening(board.engine)), *(Cell(f" {n.text} ", n.style) for n in notes)]
    room = width - sum(cell_len(c.text) for c in lead)
    shown = items(board, wall)[1:-1] if past else items(board, wall)  # neither age nor clock
    for rank_min, gap, is_short in ((LUXURY, 2, False), (LUXURY, 1, False), (LUXURY, 2, True), (1, 1, True)):
        while _length(shown, gap, is_short=is_short) > room:
            going = max(shown, key=lambda item: item.rank)
            if going.rank < rank_min:
                break
            shown.remove(going)
        else:
            return content([*lead, *_cells(shown, gap, is_short=is_short)])
    return content([*lead, *_cells(shown, 1, is_short=True)]).truncate(max(1, width))


def _length(shown: Sequence[Item], gap: int, *, is_short: bool) -> int:
    return sum(cell_len(c.text) for c in _cells(shown, gap, is_short=is_short))


def _cells(shown: Sequence[Item], gap: int, *, is_short: bool) -> list[Cell]:
    cells: list[Cell] = []
    for item in shown:
        label = item.short if is_short else item.label
        cells.append(Cell(" " * gap + (f"{label} " if label else ""), "$muted"))
        cells.append(Cell(item.value, item.style))
    return cells


class StatusLine(Static):
    """Draws `line` whenever it differs from what is drawn."""

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._shown: Content | None = None

    def show(self, board: Board, wall: datetime, notes: Sequence[Cell] = (), past: Sequence[Cell] = ()) -> None:
        """Draw this Board's numbers."""
        wanted = line(board, wall, self.size.width or self.app.size.width, notes, past)
        if self._shown is None or not wanted.is_same(self._shown):
            self._shown = wanted
            self.update(wanted, layout=False)
