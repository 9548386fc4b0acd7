"""Handing in signals, one or a stream of lines, over restarts of the engine.

Each signal has a key before it is sent, so sending it again can never make a second one.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, TypeVar

from engine.core.errors import BadInput, CommandRefused, NotThere, SignalDeckError, StoreBusy, StoreFull
from engine.core.intake import Taken
from engine.core.text import clean
from engine.places import Named
from engine.wire import decode, plain
from tui.commands.asking import caller
from tui.commands.frame import Exit, complain, leave

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.caller import Caller

LINE_BYTES_MAX: Final = 256 * 1024
BATCH_BYTES_MAX: Final = 512 * 1024  # of raw lines in one request; as JSON again they stay below the socket's bound
BATCH_LINES_MAX: Final = 200
READ_BYTES: Final = 65_536
AGAIN_S: Final = 0.2
AGAIN_S_MAX: Final = 2.0

# What passes: an engine that is away, that is starting or stopping, or whose disk is full for now.
PASSING: Final = (NotThere, CommandRefused, StoreBusy, StoreFull)

Answer = TypeVar("Answer")


class Desk:
    """Where signals are handed in. With `wait_s` it keeps trying so long, from each loss of the engine on."""

    def __init__(self, named: Named, wait_s: float) -> None:
        self._wait_s = wait_s
        self._caller: Caller = caller(named)

    def hand_in(self, signals: list[Mapping[str, object]]) -> list[Taken]:
        """Return one answer each. Raises NotThere when the engine was away for too long; see its text for the key."""
        return self._trying(lambda: self._caller.hand_in(signals))

    def close(self) -> None:
        """Hang up."""
        self._caller.close()

    def _trying(self, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        except PASSING:
            if not self._wait_s:
                raise
        from engine.clock import SystemClock

        clock, pause = SystemClock(), AGAIN_S
        until = clock.elapsed() + self._wait_s
        while True:
            clock.pause(min(pause, max(0.0, until - clock.elapsed())))
            pause = min(AGAIN_S_MAX, pause * 1.5)
            try:
                return ask()
            except PASSING as e:
                if clock.elapsed() >= until:
                    raise type(e)(f"{e}; gave up after {self._wait_s:g} s") from None


def hand_in_one(desk: Desk, given: dict[str, object]) -> Taken:
    """Hand in one signal; what the engine says of it."""
    signal = given if "key" in given else {**given, "key": _new_key()}
    try:
        return desk.hand_in([signal])[0]
    except NotThere as e:
        raise NotThere(f"{e}; to try again without doubling it: --key {signal['key']}") from None
    finally:
        desk.close()


def hand_in_lines(desk: Desk, defaults: Mapping[str, object]) -> None:
    """Hand in the lines of the standard input and answer each with a line, in order.

    Bad lines are answered and passed over. Ends with exit code 4 if any line was refused.
    """
    refused, number = False, 0
    for lines in _batches():
        answers = _hand_in(desk, lines, number, defaults)
        number += len(lines)
        refused = refused or any(a["outcome"] not in {"stored", "repeated"} for a in answers)
        sys.stdout.writelines(json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers)
        sys.stdout.flush()
    desk.close()
    if refused:
        leave(Exit.REFUSED)


def _hand_in(desk: Desk, lines: list[bytes], before: int, defaults: Mapping[str, object]) -> list[dict[str, object]]:
    """Return one answer per line, those of bad lines included."""
    signals: list[Mapping[str, object]] = []
    places: list[int | BadInput] = []
    for line in lines:
        try:
            signal = _signal(line, defaults)
        except BadInput as e:
            places.append(e)
        else:
            places.append(len(signals))
            signals.append(signal)
    try:
        taken = desk.hand_in(signals) if signals else []
    except SignalDeckError:
        complain(f"lines from {before + 1} on have no answer; hand them in again with the same keys")
        raise
    answers = []
    for n, place in enumerate(places, start=before + 1):
        answer = Taken("refused", "", "", clean(str(place))) if isinstance(place, BadInput) else taken[place]
        said = plain(answer)
        assert isinstance(said, dict)
        answers.append({"line": n, **said})
    return answers


def _signal(line: bytes, defaults: Mapping[str, object]) -> Mapping[str, object]:
    if len(line) > LINE_BYTES_MAX:
        raise BadInput("line", f"{len(line):,} bytes", f"at most {LINE_BYTES_MAX:,}")
    signal = {**defaults, **decode(line)}
    if signal.get("key") is None:
        signal["key"] = _new_key()
    return signal


def _batches() -> Iterator[list[bytes]]:
    """Yield the lines that are there, at least one, without waiting for more."""
    rest = b""
    while chunk := os.read(sys.stdin.fileno(), READ_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_BYTES_MAX:
            rest = _swallow(rest)
        yield from _portions(lines)
    yield from _portions(rest.split(b"\n"))


def _swallow(rest: bytes) -> bytes:
    """Read on to the end of a line that is too long; keep one byte too many of it, so that it is refused."""
    head = rest[: LINE_BYTES_MAX + 1]
    while chunk := os.read(sys.stdin.fileno(), READ_BYTES):
        end = chunk.find(b"\n")
        if end >= 0:
            return head + chunk[end:]
    return head


def _portions(lines: list[bytes]) -> Iterator[list[bytes]]:
    portion: list[bytes] = []
    size = 0
    for line in lines:
        if not line.strip():
            continue
        if portion and (size + len(line) > BATCH_BYTES_MAX or len(portion) == BATCH_LINES_MAX):
            yield portion
            portion, size = [], 0
        portion.append(line)
        size += len(line)
    if portion:
        yield portion


def _new_key() -> str:
    from engine.clock import SystemChance, hex_id

    return hex_id(SystemChance().stream("keys"), 32)
