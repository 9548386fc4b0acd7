"""The past on the screen: how it is told from the live one, how it is moved, and that nothing can be done there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.core.board import EngineFacts, EngineState
from engine.core.commands import CommandKind
from engine.core.errors import BadInput, CommandRefused
from engine.core.events import Desired, EventKind, Level
from engine.core.values import Mode
from engine.store.base import Reader
from engine.store.sqlite import SqliteReader, SqliteStore
from engine.store.sqlite.past.reader import PastReader
from tests.support.boards import RecordingBridge
from tests.support.builders import NOW, a_signal, an_event
from tests.support.command_line import a_shell
from tests.support.stage import NEVER_S, Stage
from tests.support.store import an_open_store
from tui.app import Dress, SignalDeckApp
from tui.bridge import Operator, StoreBridge
from tui.directory import DOORS
from tui.palette import Commands
from tui.past import FIRST, LAST, PastBridge, PastClock, Transport, moment_of
from tui.past_opening import PastApp
from tui.plain import TABLE
from tui.screens.error import ErrorScreen
from tui.screens.help import HelpScreen
from tui.screens.main import MainScreen
from tui.screens.past import PastScreen

END = datetime(2026, 1, 2, 0, 10, tzinfo=UTC)
DANGEROUS = {"Pause", "Resume", "Pause all", "Resume all", "Halt", "Lift halt", "Retry", "Cancel", "Acknowledge"}


class HandClock(PastClock):
    """A clock of the past whose machine time is put on by the test."""

    seconds = 0.0

    def machine(self) -> float:
        return self.seconds


async def an_hour(store: SqliteStore) -> None:
    """Let a signal come each ten minutes, a trader be paused at twenty past and something break at half past."""
    await store.declare_traders({"trader_north": "paper"})
    await store.beat(EngineFacts(Mode.LIVE, EngineState.RUNNING, 1, 1, NOW, NOW, NOW))
    for minute in range(0, 60, 10):
        at = NOW + timedelta(minutes=minute)
        await store.put_signals([a_signal(f"{minute:04}", received_at=at, symbol=f"S{minute}/USDT")])
        if minute == 20:
            await store.set_desired("trader_north", Desired.PAUSE, "ada", "lunch", at)
        if minute == 30:
            loud = {"kind": EventKind.ENGINE, "level": Level.ERROR, "code": "broken"}
            await store.note([an_event("the disk is full", at=at, **loud)])


class Scene(Stage):
    """The program on the past under a pilot."""

    def __init__(self, app: SignalDeckApp, pilot: Pilot[int], clock: HandClock) -> None:
        super().__init__(app, pilot, RecordingBridge(), clock)  # type: ignore[arg-type] # a clock that stands as well
        self.hand = clock

    @property
    def past(self) -> PastScreen:
        found = next(screen for screen in reversed(self.app.screen_stack) if isinstance(screen, PastScreen))
        assert isinstance(found, PastScreen)
        return found

    @property
    def top(self) -> str:
        return self.lines[0]

    async def tick(self) -> None:
        await self.past.tick()
        await self.pilot.pause()


def a_past_bridge(db: Path, clock: PastClock) -> PastBridge:
    async def reader() -> Reader:
        return PastReader(db, inline=True)

    return PastBridge(reader, Transport(clock))


def on_the_past(
    db: Path, scene: Callable[[Scene], Awaitable[None]], *, at: str = LAST, size: tuple[int, int] = (80, 24)
) -> None:
    """Fill a store with an hour, open its past at a time, and play `scene` there."""

    async def act() -> None:
        async with an_open_store(db) as store:
            await an_hour(store)
        clock = HandClock()
        app = PastApp(a_past_bridge(db, clock), Dress(refresh_s=NEVER_S), clock=clock)
        app.beginning = at
        async with app.run_test(size=size, notifications=True) as pilot:
            stage = Scene(app, pilot, clock)
            await stage.until(lambda: app.main is not None and app.main.is_mounted and app.main.board is not None)
            await pilot.pause()
            await scene(stage)

    asyncio.run(act())


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("00:02", "2026-01-02T00:02:00+00:00"),
        ("00:02:11", "2026-01-02T00:02:11+00:00"),
        ("0:02Z", "2026-01-02T00:02:00+00:00"),
        ("23:50", "2026-01-01T23:50:00+00:00"),  # later than the end: the day before
        ("2026-01-01 14:02", "2026-01-01T14:02:00+00:00"),
        ("2026-01-01T14:02:11+02:00", "2026-01-01T12:02:11+00:00"),
        ("-15m", "2026-01-01T23:50:00+00:00"),
        ("-2h", "2026-01-01T22:05:00+00:00"),
    ],
)
def test_a_time_is_read_as_the_screens_write_it(text: str, at: str) -> None:
    around = datetime(2026, 1, 2, 0, 5, tzinfo=UTC)
    assert moment_of(text, around, END) == datetime.fromisoformat(at)


@pytest.mark.parametrize("text", ["", "25:00", "14:99", "noon", "-15", "-999999d", "\x1b[2J", "2026-13-01 10:00"])
def test_what_is_no_time_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(BadInput, match=r"is none .*14:02") as refused:
        moment_of(text, END, END)
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 15), (200, 60)])
def test_the_status_line_says_that_it_is_the_past_and_not_what_the_engine_was(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async def scene(stage: Scene) -> None:
        assert stage.top.startswith(" PAST 2026-01-01 12:31:00Z  ‖ ")
        style = next(s.style for s in stage.app.screen._compositor.render_strips()[0] if "PAST" in s.text)
        assert style is not None
        assert style.reverse
        assert not {"LIVE", "STALE", "age"} & set(stage.top.split())

    on_the_past(tmp_path / "x.db", scene, at="12:31", size=size)


def test_rows_are_as_old_as_they_were_and_never_grow_stale(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        row = next(line for line in stage.lines if "S30/USDT" in line)
        assert " 1m " in row
        assert not any("S40/USDT" in line for line in stage.lines)
        stage.hand.seconds += 3600
        await stage.tick()
        assert stage.top.startswith(" PAST 2026-01-01 12:31:00Z")
        assert "STALE" not in stage.text

    on_the_past(tmp_path / "x.db", scene, at="12:31")


def test_entries_and_minutes_are_gone_by_and_the_ends_are_told_of(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        seq = stage.past.transport.seq
        await stage.press("less_than_sign")
        assert stage.past.transport.seq == seq - 1
        assert stage.top.startswith(" PAST 2026-01-01 12:30:00Z")
        await stage.press("greater_than_sign", "right_parenthesis", "right_parenthesis", "left_parenthesis")
        assert stage.top.startswith(" PAST 2026-01-01 12:31:00Z")
        await stage.press("right_square_bracket")
        assert stage.top.startswith(" PAST 2026-01-01 12:50:00Z")
        assert any("S50/USDT" in line for line in stage.lines)
        await stage.press("greater_than_sign")
        assert "Time: this is the last entry" in stage.toasts
        await stage.press("left_square_bracket", "less_than_sign")
        assert "Time: there is no entry before this one" in stage.toasts

    on_the_past(tmp_path / "x.db", scene, at="12:30:30")


def test_a_pause_of_then_is_shown_as_it_was(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        assert "PAUSED" in stage.top
        await stage.press("T", *"12:15", "enter")
        await stage.until(lambda: "12:15:00" in stage.top)
        assert "PAUSED" not in stage.top

    on_the_past(tmp_path / "x.db", scene, at="12:25")


def test_time_goes_by_at_three_speeds_and_stands_at_the_end(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        await stage.press("f")
        assert "▶ 1x" in stage.top
        stage.hand.seconds += 30
        await stage.tick()
        assert stage.top.startswith(" PAST 2026-01-01 12:31:30Z")
        await stage.press("F", "F")
        assert "▶ 60x" in stage.top
        stage.hand.seconds += 10
        await stage.tick()
        assert stage.top.startswith(" PAST 2026-01-01 12:41:30Z")
        assert any("S40/USDT" in line for line in stage.lines)
        await stage.press("f")
        stage.hand.seconds += 10
        await stage.tick()
        assert stage.top.startswith(" PAST 2026-01-01 12:41:30Z  ‖")
        await stage.press("f")
        stage.hand.seconds += 100
        await stage.tick()
        assert stage.top.startswith(" PAST 2026-01-01 12:50:00Z  ‖")
        assert "Time: the end of the journal" in stage.toasts

    on_the_past(tmp_path / "x.db", scene, at="12:31")


def test_whether_time_goes_by_is_told_in_ascii_too() -> None:
    transport = Transport(PastClock(NOW))
    told = [transport.cell.text]
    transport.play()
    told.append(transport.cell.text)
    assert [text.translate(TABLE) for text in told] == ["|", "> 1x"]


def test_a_time_is_asked_for_until_it_is_one(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        await stage.press("T", *"25:99", "enter")
        assert "is none" in stage.text
        await stage.press("ctrl+u", *"12:05", "enter")
        await stage.until(lambda: stage.app.screen is stage.past and "12:05:00" in stage.top)
        await stage.press("T", *"-10m", "enter")
        await stage.until(lambda: "the journal is kept from 2026-01-01 12:00:00Z" in " ".join(stage.toasts))
        await stage.press("T", "escape")
        assert stage.app.screen is stage.past

    on_the_past(tmp_path / "x.db", scene)


def test_a_time_after_the_end_is_the_end(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        assert stage.top.startswith(" PAST 2026-01-01 12:50:00Z")
        assert "the journal ends at 2026-01-01 12:50:00Z" in " ".join(stage.toasts)

    on_the_past(tmp_path / "x.db", scene, at="2027-01-01 00:00")


def test_no_key_acts_and_help_and_palette_know_the_keys_of_time_alone(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        offered = {offer.words for offer in Commands(stage.app.screen).offers()}
        assert not DANGEROUS & offered
        assert {"Play", "Speed", "Time", "First entry", "Minute back"} <= offered
        before = stage.top
        await stage.press(*"PKULRXpraz")
        assert stage.app.screen is stage.past
        assert stage.top == before
        await stage.press("question_mark")
        await stage.until(lambda: isinstance(stage.app.screen, HelpScreen))
        keys = {key.says for key in stage.app.screen._keys}  # type: ignore[attr-defined] # said by the line above
        assert not DANGEROUS & keys
        assert {"Play", "Last entry", "Leave"} <= keys

    on_the_past(tmp_path / "x.db", scene)


def test_its_keys_are_nobody_elses(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        mine = {
            key for key, (one, *_) in stage.past._bindings.key_to_bindings.items() if (one.id or "").startswith("past.")
        }
        taken = {one.key for one in DOORS} | set(MainScreen(stage.past.bridge)._bindings.key_to_bindings)
        for panel in stage.past.deck.panels.values():
            taken |= set(panel._bindings.key_to_bindings) | set(panel.body._bindings.key_to_bindings)
        assert len(mine) == 10
        assert mine & taken == {"q", "T"}, "as elsewhere they lead back, and to another time"

    on_the_past(tmp_path / "x.db", scene)


def test_a_wish_is_refused_as_one_about_the_past(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        with pytest.raises(CommandRefused, match="this is the past"):
            await stage.past.bridge.wish(CommandKind.HALT)

    on_the_past(tmp_path / "x.db", scene)


def test_screens_behind_it_say_the_past_and_a_diagnosis_is_not_made_up(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        for one in DOORS:
            await stage.press(one.key)
            await stage.until(lambda: "PAST 2026-01-01 12:31:00Z" in stage.top)
            if one.name == "diagnosis":
                await stage.until(lambda: "NOT KEPT" in stage.text)
            await stage.press("escape")
            await stage.until(lambda: stage.app.screen is stage.past)

    on_the_past(tmp_path / "x.db", scene, at="12:31")


def test_the_log_goes_to_the_entry_under_the_cursor(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        await stage.press("f2")
        await stage.until(lambda: "the disk is full" in stage.text)
        await stage.press("G", "T")
        await stage.until(lambda: stage.app.screen is stage.past and "12:00:00" in stage.top)

    on_the_past(tmp_path / "x.db", scene)


def over_the_live_one(db: Path, scene: Callable[[Scene], Awaitable[None]], *, has_past: bool = True) -> None:
    """Play `scene` on a live dashboard over the hour's store."""

    async def act() -> None:
        async with an_open_store(db) as store:
            await an_hour(store)

        async def reader() -> Reader:
            return SqliteReader(db, inline=True)

        clock = HandClock(NOW + timedelta(hours=1))
        app = SignalDeckApp(StoreBridge(reader, Operator("ann")), Dress(refresh_s=NEVER_S))
        app.past = (lambda: a_past_bridge(db, clock)) if has_past else None
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            stage = Scene(app, pilot, clock)
            await stage.until(lambda: app.main is not None and app.main.is_mounted and app.main.board is not None)
            await pilot.pause()
            await stage.press("4", "enter")
            await stage.until(lambda: isinstance(app.screen, ErrorScreen))
            await scene(stage)

    asyncio.run(act())


def test_an_error_leads_to_its_moment_and_escape_back_to_the_live_dashboard_as_it_was(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        error = stage.app.screen
        await stage.press("T")
        await stage.until(lambda: isinstance(stage.app.screen, PastScreen) and "PAST 2026-01-01 12:30:00Z" in stage.top)
        bridge = stage.past.bridge
        await stage.press("f5")
        await stage.until(lambda: "PAST 2026-01-01 12:30:00Z" in stage.top and "Metrics" in stage.top)
        await stage.press("escape", "4", "escape", "escape")
        await stage.until(lambda: stage.app.screen is error)
        with pytest.raises(Exception, match="not open"):
            await bridge.board()
        await stage.press("escape")
        await stage.until(lambda: stage.app.screen is stage.main)
        assert stage.top.startswith(" LIVE ")
        assert stage.main.deck.view.chosen == 4
        await stage.press("f5")
        await stage.until(lambda: "Metrics" in stage.top)
        assert "PAST" not in stage.top

    over_the_live_one(tmp_path / "x.db", scene)


def test_q_leaves_the_past_and_not_the_program(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        await stage.press("T")
        await stage.until(lambda: isinstance(stage.app.screen, PastScreen))
        await stage.press("q")
        await stage.until(lambda: isinstance(stage.app.screen, ErrorScreen))
        assert stage.app.is_running

    over_the_live_one(tmp_path / "x.db", scene)


def test_a_dashboard_without_a_journal_says_so(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        await stage.press("T")
        await stage.until(lambda: stage.toasts)
        assert "no journal" in stage.toasts[0]

    over_the_live_one(tmp_path / "x.db", scene, has_past=False)


def test_the_command_names_what_is_wrong_and_the_way_out(tmp_path: Path) -> None:
    run, db = a_shell(tmp_path), tmp_path / "x.db"

    async def fill() -> None:
        async with an_open_store(db) as store:
            await an_hour(store)

    missing = run("replay", "--db", db)
    assert missing.code == 3
    assert "no store is at" in missing.err
    asyncio.run(fill())
    bad = run("replay", "--at", "noon", "--db", db)
    assert bad.code == 2
    assert "'noon' is none" in bad.err
    assert "14:02" in bad.err
    blind = run("replay", "--at", FIRST, "--db", db)
    assert blind.code == 2
    assert "no terminal" in blind.err
    assert "replay" in run("--help").out
