"""What operators of other dashboards complain of around the terminal: what is left in the shell, and what never reached the clipboard."""

from __future__ import annotations

import base64
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.bench.latency import CONFIG
from tests.bench.terminal import Terminal

MODE: Final = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")
CURSOR: Final = b"25"
MOUSE: Final = {b"1000", b"1003", b"1006"}
ALTERNATE_SCREEN: Final = b"1049"


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    config = tmp_path / "x.toml"
    config.write_text(CONFIG)
    command = [sys.executable, "-m", "tui.cli", "--config", str(config), "--db", str(tmp_path / "x.sqlite")]
    opened = Terminal(command, 120, 40)
    opened.wait_for(b"DEMO")
    opened.wait_for(b"north")
    yield opened
    opened.end()


def modes(written: bytes) -> dict[bytes, bytes]:
    """Return how each of the terminal's modes was set last: h is on, l is off."""
    return {mode: way for found, way in MODE.findall(written) for mode in found.split(b";")}


LEAVING: Final[dict[str, tuple[Callable[[Terminal], None], int]]] = {
    "by its key": (lambda terminal: terminal.send(b"\x11"), 0),  # ctrl+q, at once: nothing is in flight
    "told to end": (lambda terminal: terminal.signal(signal.SIGTERM), 0),
    "hung up on": (lambda terminal: terminal.signal(signal.SIGHUP), 0),
}


@pytest.mark.parametrize("way", LEAVING)
def test_whichever_way_it_ends_the_shell_gets_its_terminal_back_as_it_was(way: str, terminal: Terminal) -> None:
    during = modes(bytes(terminal.output))
    on = {mode for mode, set_to in during.items() if set_to == b"h"}
    assert on >= {*MOUSE, ALTERNATE_SCREEN}, "nothing was switched on, so this shows nothing"
    leave, code = LEAVING[way]
    leave(terminal)
    assert terminal.wait() == code
    after = modes(bytes(terminal.output))
    assert {mode for mode in on - {CURSOR} if after[mode] == b"h"} == set()
    assert after[CURSOR] == b"h", "the shell has its cursor"


def test_a_line_of_the_log_reaches_the_terminals_clipboard_and_no_more_is_claimed(terminal: Terminal) -> None:
    terminal.send(b"\x1bOQ")  # f2: the log
    terminal.wait_for(b"everything in the journal")
    terminal.wait_for(b" entries")
    terminal.send(b"Y")
    terminal.wait_for(b"sent to clipboard")
    sent = re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)", bytes(terminal.output))
    assert b'"text"' in base64.b64decode(sent[-1])
    assert b"copied" not in bytes(terminal.output).lower()
