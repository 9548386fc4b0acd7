"""A venue in a process of its own, which outlives an engine that a test kills."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.venue.control import Control

ROOT: Final = Path(__file__).resolve().parents[3]
END_S_MAX: Final = 20.0


@contextmanager
def a_venue_child(name: str, *, state: Path | None = None, tls_folder: Path | None = None) -> Iterator[Control]:
    """Run a venue as a child until the block ends. `state` gets its ledger and log then, as JSON."""
    words = [sys.executable, "-m", "tests.support.venue", "--venue", name]
    words += ["--state", str(state)] if state else []
    words += ["--tls", str(tls_folder)] if tls_folder else []
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT, text=True) as child:
        try:
            assert child.stdout is not None, "it was asked for"
            line = child.stdout.readline()
            assert line, "the venue ended before it began"
            yield Control(json.loads(line))
        finally:
            child.terminate()
            try:
                child.wait(END_S_MAX)
            except subprocess.TimeoutExpired:
                child.kill()
