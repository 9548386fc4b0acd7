"""A recording as a market: its rows come when the clock reaches their times."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Final

from engine.clock import Clock
from engine.core.feeds import FeedStanding
from engine.core.values import Candle
from engine.market.base import Tick, Trade
from engine.market.files import Recording, Row, recordings
from engine.market.pace import reach
from engine.market.settings import ReplaySettings

__all__ = ["ReplaySettings", "ReplaySource"]

BY_TIME: Final = itemgetter(0)


@dataclass(slots=True)
class _Moment:
    at_ms: int
    trades: list[Trade] = field(default_factory=list)
    candles: list[Candle] = field(default_factory=list)

    def add(self, row: Row) -> None:
        if isinstance(row, Trade):
            self.trades.append(row)
        else:
            self.candles.append(row)


class ReplaySource:
    """Trade and candle files of any number of symbols, merged by time, streamed.

    The clock's wall time must have been set to `begins_at()`; `interval_s` is the length of the builder's candles. A row that is older than the one before it in its file comes
    with the next tick, and is late. Reading happens on the loop, some rows at a time: the files are on this machine.
    """

    name = "replay"

    def __init__(
        self, paths: Sequence[Path], clock: Clock, settings: ReplaySettings | None = None, *, interval_s: int = 10
    ) -> None:
        self._paths, self._clock, self._interval_ms = tuple(paths), clock, interval_s * 1000
        self._settings = settings or ReplaySettings()
        self._found: list[Recording] | None = None
        self._files = ExitStack()

    @property
    def bad_rows(self) -> int:
        """Return how many rows were left out so far because they cannot be."""
        return sum(recording.bad_rows for recording in self._found or ())

    @property
    def first_bad(self) -> str:
        """Return the first file with a bad row and what is wrong with it, empty if there was none."""
        bad = next((recording for recording in self._found or () if recording.first_bad), None)
        return f"{bad.path.name} {bad.first_bad}" if bad else ""

    def symbols(self) -> Sequence[str]:
        """Return the symbols of all files. Raises BadInput like `open`."""
        return sorted({recording.symbol for recording in self._recordings()})

    def begins_at(self) -> datetime | None:
        """Return the first time over all files; a candle begins when it opened. Raises BadInput like `open`."""
        return datetime.fromtimestamp(min(recording.begins_ms for recording in self._recordings()) / 1000, UTC)

    def standings(self) -> Sequence[FeedStanding]:
        return ()

    async def open(self) -> None:
        """Read the first rows of every file. Raises BadInput that names file and line."""
        self._recordings()

    async def history(self, count: int) -> Sequence[Candle]:  # noqa: ARG002 - nothing comes before a recording
        return ()

    async def ticks(self) -> AsyncIterator[Tick]:
        """Yield each moment that has rows, and each whole interval between. Ends with the interval of the last row."""
        step_ms = self._interval_ms
        last_ms = spoken_ms = min(recording.begins_ms for recording in self._recordings())
        for moment in _moments(self._merged()):
            while (at_ms := (spoken_ms // step_ms + 1) * step_ms) < moment.at_ms:
                spoken_ms = at_ms = await self._pass_silence(last_ms, at_ms, moment.at_ms)
                await reach(self._clock, at_ms)
                yield Tick(at_ms)
            await reach(self._clock, moment.at_ms)
            last_ms = spoken_ms = moment.at_ms
            yield Tick(last_ms, moment.trades, moment.candles)
        at_ms = (last_ms // step_ms + 1) * step_ms
        await reach(self._clock, at_ms)
        yield Tick(at_ms)

    async def close(self) -> None:
        """Close every file. Safe to call twice and before `open`."""
        self._files.close()

    def _recordings(self) -> list[Recording]:
        if self._found is None:
            self._found = recordings(self._paths)
        return self._found

    def _merged(self) -> Iterator[tuple[int, Row]]:
        streams = [self._files.enter_context(closing(recording.rows())) for recording in self._recordings()]
        return heapq.merge(*streams, key=BY_TIME)

    async def _pass_silence(self, last_ms: int, at_ms: int, until_ms: int) -> int:
        settled_ms = last_ms + self._settings.settle_s * 1000
        if until_ms - last_ms <= self._settings.silence_s * 1000 or at_ms <= settled_ms:
            return at_ms
        step_ms = self._interval_ms
        landing_ms = max(at_ms, (until_ms - 1) // step_ms * step_ms)
        await self._clock.leap(max(0.0, landing_ms / 1000 - self._clock.wall().timestamp()))
        return landing_ms


def _moments(rows: Iterator[tuple[int, Row]]) -> Iterator[_Moment]:
    moment: _Moment | None = None
    for at_ms, row in rows:
        if moment is not None and at_ms > moment.at_ms:
            yield moment
            moment = _Moment(at_ms)
        elif moment is None:
            moment = _Moment(at_ms)
        moment.add(row)
    if moment is not None:
        yield moment
