"""What a screen exports: a new file that only its owner reads, and no secret in it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from engine.clock import ManualClock
from engine.redaction import REDACT
from tests.support.screen_bridge import RecordingBridge, Showing, settled
from tests.support.stories import at
from tui.saving import save_lines
from tui.screens.audit import AuditScreen

SECRET = "sd-export-canary-7c1f0a9be2"


def test_rows_are_written_one_a_line_without_secrets(tmp_path: Path) -> None:
    REDACT.learn(SECRET)
    path = save_lines("log", [{"text": f"signed with {SECRET}", "n": 1}, {"text": "漢字 [/]"}], at(0), tmp_path)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert SECRET not in path.read_text()
    assert rows[0]["n"] == 1
    assert rows[1] == {"text": "漢字 [/]"}
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_file_is_written_over(tmp_path: Path) -> None:
    path = save_lines("log", [{"n": 1}], at(0), tmp_path)
    with pytest.raises(FileExistsError):
        save_lines("log", [{"n": 2}], at(0), tmp_path)
    assert json.loads(path.read_text()) == {"n": 1}


class InABrowser(Showing):
    """A program whose screen is far from the machine that it runs on."""

    @property
    def is_web(self) -> bool:
        return True


def test_in_a_browser_nothing_is_exported_to_the_machine_that_serves() -> None:
    async def run() -> None:
        app = InABrowser(AuditScreen(RecordingBridge(), clock=ManualClock(at(10))))
        async with app.run_test() as pilot:
            await settled(app, pilot)
            assert app.screen.check_action("export", ()) is False
            assert "export" not in {one.binding.action for one in app.screen.active_bindings.values() if one.enabled}

    asyncio.run(run())
