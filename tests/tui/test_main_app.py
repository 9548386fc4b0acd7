"""The program around the dashboard: themes, colourless and glyphless terminals, and what a crash may tell."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from textual.color import Color

from engine.redaction import REDACT
from tests.bench.terminal import Terminal
from tests.support.boards import RecordingBridge
from tests.support.stage import NEVER_S, Stage, StillClock, perform
from tui.app import Dress, SignalDeckApp, crash_report
from tui.themes import DEFAULT, shipped

AFTER_THE_PICTURE = (
    "pydantic",
    "plotext",
    "ccxt",
    "aiosqlite",
    "structlog",
    "engine.log",
    "engine.store",
    "engine.wiring",
)
CANARY = "canary-5e1f7c90aa"


@pytest.mark.parametrize("theme", [file.name for file in shipped()])
def test_every_shipped_theme_draws_the_dashboard(theme: str) -> None:
    async def scene(stage: Stage) -> None:
        assert "1 Queue" in stage.text
        assert stage.app.theme == theme

    perform(scene, dress=Dress(theme=theme, refresh_s=NEVER_S))


@pytest.mark.parametrize("theme", ["nord", "ansi-dark", "textual-light"])
def test_a_theme_of_somebody_else_lends_its_colours_to_our_meanings(theme: str) -> None:
    async def scene(stage: Stage) -> None:
        assert "1 Queue" in stage.text
        assert {"ok", "stale", "buy", "sell", "muted", "rule"} <= set(stage.app.theme_variables)

    perform(scene, dress=Dress(theme=theme, refresh_s=NEVER_S))


def test_a_theme_that_is_not_there_is_said_and_the_default_used(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("nonsense")

    async def scene(stage: Stage) -> None:
        assert stage.app.theme == DEFAULT
        said = " ".join(stage.toasts)
        assert "there is no theme [/x]" in said
        assert "mine.toml: not TOML" in said

    perform(scene, dress=Dress(theme="[/x]", themes=tmp_path, refresh_s=NEVER_S))


def test_an_operators_own_theme_is_used(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "themes" / "calm-dark.toml"
    own = source.read_text().replace("calm-dark", "mine").replace("#7cc08a", "#00ff00")
    (tmp_path / "mine.toml").write_text(own)

    async def scene(stage: Stage) -> None:
        assert Color.parse(stage.app.theme_variables["ok"]) == Color.parse("#00ff00")

    perform(scene, dress=Dress(theme="mine", themes=tmp_path, refresh_s=NEVER_S))


def test_without_colours_every_state_still_has_its_glyph_and_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def scene(stage: Stage) -> None:
        for words in ("◌ waiting", "◐ executing", "✖ failed", "● done", "▲ review"):
            assert words in stage.text

    app = perform(scene, size=(120, 40))
    assert app.no_color


def test_a_terminal_without_glyphs_gets_only_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALDECK_ASCII", "1")

    async def scene(stage: Stage) -> None:
        for key in "12345":
            await stage.press(key)
            shown = stage.app.export_screenshot()
            drawn = shown.split("<g class=")[-1]
            assert "●" not in drawn
            assert "─" not in drawn

    perform(scene)


class ScreenThatBreaks(SignalDeckApp):
    """Breaks in a handler that holds a secret."""

    def on_key(self) -> None:
        api_secret = CANARY
        raise RuntimeError(f"signature={CANARY} after {len(api_secret)}")


def test_a_crash_ends_with_code_1_and_tells_no_variable_and_no_secret() -> None:
    REDACT.learn(CANARY)

    app = ScreenThatBreaks(RecordingBridge(), Dress(refresh_s=NEVER_S), clock=StillClock())

    async def scene() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("x")
            await pilot.pause()

    with pytest.raises(RuntimeError):
        asyncio.run(scene())
    assert app.return_code == 1


def test_a_crash_report_names_the_place_and_hides_what_is_secret() -> None:
    REDACT.learn(CANARY)
    hidden = CANARY
    try:
        raise ValueError(f"bad key {hidden} \x1b[31m[/x]")
    except ValueError as error:
        told = crash_report(error).plain
    assert CANARY not in told
    assert "\x1b" not in told
    assert "test_main_app.py" in told
    assert "ValueError: bad key" in told
    assert "hidden" not in told


def test_the_bridge_is_opened_with_the_program_and_closed_with_it() -> None:
    bridge = RecordingBridge()

    async def scene(stage: Stage) -> None:
        assert bridge.is_open

    perform(scene, bridge=bridge)
    assert not bridge.is_open


def test_what_the_first_picture_does_not_need_is_imported_after_it(tmp_path: Path) -> None:
    told = tmp_path / "modules"
    program = f"""
import json, os, pathlib, sys
from textual.app import App

def run(app):
    from tui.panels.base import make_panels
    make_panels()
    pathlib.Path({str(told)!r}).write_text(json.dumps(sorted(sys.modules)))
    os._exit(0)

App.run = run  # where it would begin to draw
sys.argv = ["signaldeck", "--db", {str(tmp_path / "x.sqlite")!r}]
from tui.cli import main
main()
"""
    terminal = Terminal([sys.executable, "-c", program], 80, 24)
    try:
        assert terminal.wait() == 0, bytes(terminal.output)
    finally:
        terminal.end()
    loaded = set(json.loads(told.read_text()))
    assert "tui.panels.queue" in loaded
    assert not loaded & set(AFTER_THE_PICTURE)
