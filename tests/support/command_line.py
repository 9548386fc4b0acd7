"""Commands as a shell runs them: in this process where nothing but their words counts, else as a process."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tui.cli import main

LATE_S = 120.0
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ran:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def rows(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Shell:
    """A user with a home of their own, so that no command ever finds the real one's files."""

    home: Path
    extra: Mapping[str, str]

    @property
    def env(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        named = {"HOME": str(self.home), "USER": "ann", "PYTHONPATH": str(ROOT)}
        folders = {f"XDG_{kind}_HOME": str(self.home / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
        return {**kept, **named, **folders, **self.extra}

    def __call__(self, *arguments: object) -> Ran:
        """Run a command in this process. It must neither start an engine nor read the standard input."""
        out, err, code = io.StringIO(), io.StringIO(), 0
        words = ["signaldeck", *map(str, arguments)]
        as_typed = patch.dict(os.environ, self.env, clear=True), patch.object(sys, "argv", words)
        with as_typed[0], as_typed[1], redirect_stdout(out), redirect_stderr(err):
            try:
                main()
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
        return Ran(code, out.getvalue(), err.getvalue())

    def as_child(self, *arguments: str | Path, stdin: str | bytes = "", timeout: float = 60) -> Ran:
        """Run a command as a process of its own, to its end."""
        raw = stdin.encode() if isinstance(stdin, str) else stdin
        ran = subprocess.run(self._words(*arguments), input=raw, capture_output=True, env=self.env, timeout=timeout)
        return Ran(ran.returncode, ran.stdout.decode(), ran.stderr.decode())

    @contextmanager
    def running(self, *arguments: str | Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
        """Start a command as a process; kills it at the end if it still runs."""
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with subprocess.Popen(self._words(*arguments), env=self.env, **{**pipes, **options}) as started:
            late = threading.Timer(LATE_S, started.kill)  # whoever waits for its words then reads their end
            late.start()
            try:
                yield started
            finally:
                late.cancel()
                if started.poll() is None:
                    started.kill()

    def _words(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "tui.cli", *map(str, arguments)]


def a_shell(home: Path, **extra: str) -> Shell:
    """Return a shell whose files lie below `home`; `extra` are further variables."""
    return Shell(home, extra)
