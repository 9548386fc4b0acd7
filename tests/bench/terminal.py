"""A terminal without a person: a child on a pty of a given size, everything that it writes read and kept (or left)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import threading
import time
from collections.abc import Mapping, Sequence


class Terminal:
    """Runs `command` on a pty of `columns` by `rows`. A thread reads all of its output until `stall` is called."""

    def __init__(self, command: Sequence[str], columns: int, rows: int, env: Mapping[str, str] | None = None) -> None:
        self.began = time.perf_counter()
        self.output = bytearray()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            usual = {
                "TERM": "xterm-256color",
                "COLORTERM": "truecolor",
                "XDG_STATE_HOME": os.devnull,
            }  # nobody's habits
            os.execvpe(command[0], list(command), {**os.environ, **usual, **(env or {})})
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._stalled = False
        self._code: int | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, marker: bytes, timeout: float = 30.0) -> float:
        """Return the seconds from the start until `marker` was written. Raises TimeoutError."""
        until = time.perf_counter() + timeout
        while time.perf_counter() < until:
            if marker in self.output:
                return time.perf_counter() - self.began
            time.sleep(0.001)
        raise TimeoutError(f"{marker!r} was not written in {timeout} s")

    def stall(self, *, on: bool) -> None:
        """Stop reading, as a frozen terminal does, or go on."""
        self._stalled = on

    def send(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def hang_up(self) -> None:
        """Close the terminal under the program."""
        with contextlib.suppress(OSError):
            os.close(self._fd)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self, timeout: float = 30.0) -> int | None:
        """Return the exit code (negative: the signal), or None if it has not ended in time."""
        until = time.perf_counter() + timeout
        while self._code is None and time.perf_counter() < until:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
                break
            time.sleep(0.01)
        return self._code

    def end(self) -> None:
        """End the program whatever it does, and let go of the terminal."""
        if self._code is None and self.wait(0.0) is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait(5.0)
        self.hang_up()

    def _read(self) -> None:
        while True:
            if self._stalled:
                time.sleep(0.01)
                continue
            try:
                ready, _, _ = select.select([self._fd], [], [], 0.05)
                if ready:
                    piece = os.read(self._fd, 65536)
                    if not piece:
                        return
                    self.output += piece
            except (OSError, ValueError):
                return
