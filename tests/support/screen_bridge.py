"""A bridge that records what a screen wishes for, and an app that shows one screen over it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from engine.clock import ManualClock
from engine.core.board import Board, ExecutionStatus, Story
from engine.core.commands import Command, CommandKind, CommandState
from engine.core.errors import SignalDeckError
from engine.core.events import Event
from engine.store.base import Reader
from engine.store.sqlite import SqliteStore
from tests.support.store import an_open_store
from tests.support.stories import NOON, SIGNAL_ID, a_board, at
from tui.screens.detail import DetailScreen, Sheet
from tui.screens.listing import ListScreen
from tui.screens.story import StoryScreen
from tui.themes import DEFAULT, shipped

T = TypeVar("T")

HOSTILE = [
    "[red]not markup[/red] [/]",
    "[@click=app.quit]press[/]",
    "\x1b[2Jcleared \x1b]0;title\x07 \x9b31m",
    "a\nb\tc\r\x00",
    "\u202eright to left\u2069 zero\u200bwidth",
    "漢字かな " * 40,
    "[" * 300,
    "long" * 2_500,
    "\udce4 lone surrogate",
]


class RecordingBridge:
    """A bridge that tells what it was given and keeps every wish. `trouble` is raised where it is set."""

    def __init__(self, *stories: Story, board: Board | None = None, read_only: bool = False) -> None:
        self.read_only = read_only
        self.operator = "maria"
        self.stories = {story.signal.id: story for story in stories}
        self.picture = board or a_board()
        self.status: ExecutionStatus | None = None
        self.reader: Reader | None = None
        self.wishes: list[tuple[CommandKind, str, str, dict[str, str], int | None]] = []
        self.trouble: SignalDeckError | None = None
        self.answer = (CommandState.DONE, "done")
        self._change = 1
        self._gate = asyncio.Event()
        self._gate.set()

    def hold(self) -> None:
        """Let wishes wait for their answer until `release`."""
        self._gate.clear()

    def release(self) -> None:
        """Answer what waits."""
        self._gate.set()

    def tell(self, story: Story) -> None:
        """Let something be committed: `story` is how it looks afterwards."""
        self.stories[story.signal.id] = story
        self._change += 1

    def show(self, board: Board) -> None:
        """Let something be committed: `board` is how it looks afterwards."""
        self.picture = board
        self._change += 1

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def change(self) -> int:
        self._fail()
        return self._change

    async def board(self) -> Board:
        self._fail()
        return self.picture

    async def story(self, signal_id: str) -> Story | None:
        self._fail()
        return self.stories.get(signal_id)

    async def ask(self, question: Callable[[Reader], Awaitable[T]]) -> T:
        self._fail()
        if self.reader is not None:
            return await question(self.reader)
        async with an_open_store() as store:  # a test that gave none is about something else: an empty one answers
            return await question(store)

    async def event(self, seq: int) -> Event | None:
        self._fail()
        return next((e for story in self.stories.values() for e in story.events if e.seq == seq), None)

    async def readiness(self) -> ExecutionStatus | None:
        self._fail()
        return self.status

    async def wish(
        self,
        kind: CommandKind,
        target: str = "",
        *,
        why: str = "",
        args: Mapping[str, str] | None = None,
        expected_version: int | None = None,
    ) -> Command:
        self._fail()
        self.wishes.append((kind, target, why, dict(args or {}), expected_version))
        await self._gate.wait()
        state, result = self.answer
        n = len(self.wishes)
        return Command(
            n, f"r{n}", kind, self.operator, NOON, target, why, dict(args or {}), expected_version, state, result
        )

    def _fail(self) -> None:
        if self.trouble is not None:
            raise self.trouble


class Showing(App[None]):
    """An app that shows one screen, in the program's own palette, and keeps what is copied and told."""

    def __init__(self, shown: Screen[Any], theme: str = DEFAULT) -> None:
        super().__init__()
        for palette in shipped():
            self.register_theme(palette)
        self.theme = theme
        self.shown = shown

    def on_mount(self) -> None:
        self.push_screen(self.shown)

    @property
    def toasts(self) -> list[tuple[str, str]]:
        """Return (severity, text) of every message on the screen, oldest first."""
        return [(toast.severity, toast.message) for toast in self._notifications]


Script = Callable[[Showing, Pilot[None]], Awaitable[None]]


def play(shown: Screen[Any], script: Script, size: tuple[int, int] = (80, 24)) -> None:
    """Show a screen, wait until it has drawn, and let `script` use it."""

    async def run() -> None:
        app = Showing(shown)
        async with app.run_test(size=size, notifications=True) as pilot:
            await settled(app, pilot)
            await script(app, pilot)

    asyncio.run(run())


def play_store(
    make: Callable[[RecordingBridge], Screen[Any]],
    fill: Callable[[SqliteStore], Awaitable[object]],
    script: Script,
    size: tuple[int, int] = (80, 24),
) -> RecordingBridge:
    """Show a screen over a real store that `fill` has written to, and let `script` use it."""

    async def run() -> RecordingBridge:
        bridge = RecordingBridge()
        async with an_open_store(clock=ManualClock(at(2))) as store:
            await fill(store)
            bridge.reader = store
            app = Showing(make(bridge))
            async with app.run_test(size=size, notifications=True) as pilot:
                await settled(app, pilot)
                await script(app, pilot)
        return bridge

    return asyncio.run(run())


def story_screen(bridge: RecordingBridge, signal_id: str = SIGNAL_ID) -> StoryScreen:
    """Return the story's screen at noon and ten seconds."""
    return StoryScreen(bridge, signal_id, clock=ManualClock(at(10)))


def on_story(
    story: Story, script: Script, *, read_only: bool = False, size: tuple[int, int] = (80, 24)
) -> RecordingBridge:
    """Let `script` use the screen of one story, and return the bridge that recorded its wishes."""
    bridge = RecordingBridge(story, read_only=read_only)
    play(story_screen(bridge, story.signal.id), script, size)
    return bridge


async def press(app: Showing, pilot: Pilot[None], *keys: str) -> None:
    """Press keys, and wait until whatever they began has ended or asks something."""
    for key in keys:
        await pilot.press(key)
        await settled(app, pilot)


async def settled(app: Showing, pilot: Pilot[None]) -> None:
    """Wait until no wish is under way, every message is handled, and the top screen has drawn what it tells."""
    while any(worker.group == "wishes" and worker.is_running for worker in app.workers):
        await pilot.pause()
    await pilot.pause()
    while isinstance(app.screen, DetailScreen) and not app.screen.query(Sheet):
        await pilot.pause()
    while isinstance(app.screen, ListScreen) and not app.screen.is_told:
        await pilot.pause()


def text_of(app: Showing) -> str:
    """Return what the top screen shows, as lines of text."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def is_on(app: Showing, kind: type[Screen[Any]]) -> bool:
    """Say whether the top screen is one of this kind."""
    return isinstance(app.screen, kind)


def is_clean(text: str) -> bool:
    """Say whether `text` has nothing but lines of characters that a terminal draws as they are."""
    return not any(ch in text for ch in "\x00\x07\t\r\x1b\x9b\u200b\u202e\u2069\udce4")
