"""A recording as a market: what is read, what is left out, what is refused, and how silence passes."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from pydantic import ValidationError

from engine.clock import LoopClock, run_on
from engine.core.errors import BadInput
from engine.core.values import Candle
from engine.market.base import Tick, Trade
from engine.market.candles import CandleBuilder
from engine.market.files import Recording
from engine.market.replay import ReplaySettings, ReplaySource
from tests.support.market_files import market_file, market_folder

T0: Final = 1_700_000_000_000
TRADES: Final = "timestamp_ms,side,price,amount"
CANDLES: Final = "timestamp_ms,open,high,low,close,volume"
Answer = TypeVar("Answer")


def on_virtual_time(steps: Coroutine[Any, Any, Answer]) -> Answer:
    with asyncio.Runner(loop_factory=run_on(None)) as runner:
        return runner.run(steps)


def a_file(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def replayed(paths: Sequence[Path], settings: ReplaySettings | None = None) -> tuple[list[Tick], ReplaySource]:
    """Replay everything in virtual time; return the ticks and the source, closed."""

    async def steps() -> tuple[list[Tick], ReplaySource]:
        clock = LoopClock()
        source = ReplaySource(paths, clock, settings)
        await source.open()
        began = source.begins_at()
        assert began is not None
        clock.begin(began)
        ticks = [tick async for tick in source.ticks()]
        await source.close()
        return ticks, source

    return on_virtual_time(steps())


def trades_of(ticks: Sequence[Tick]) -> list[Trade]:
    return [trade for tick in ticks for trade in tick.trades]


def test_trades_and_candles_are_told_apart_by_their_header(tmp_path: Path) -> None:
    a_file(tmp_path, "XRP-ETH.trades.csv.gz", TRADES, f"{T0},sell,0.5,3")
    a_file(tmp_path, "btc_usd.1m.csv", CANDLES, f"{T0},1,4,1,2,9")
    ticks, source = replayed([tmp_path])
    rows = [row for tick in ticks for row in (*tick.trades, *tick.candles)]
    assert rows == [
        Trade("XRP/ETH", T0, 0.5, 3.0),
        Candle("BTC/USD", T0, 60_000, 1.0, 4.0, 1.0, 2.0, 9.0),
    ]
    assert source.symbols() == ["BTC/USD", "XRP/ETH"]
    assert source.begins_at() == datetime.fromtimestamp(T0 / 1000, UTC)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("timestamp,price,amount", "1700000000,5,2"),
        ("time,price,qty", "1700000000000,5,2"),
        ("ts;price;size", "1700000000000000;5;2"),
        ("date,side,price,quantity", "2023-11-14T22:13:20Z,buy,5,2"),
        ("Date,Price,Amount", '"2023-11-14 22:13:20","5","2"'),
        ("\ufefftimestamp_s\tprice\tvolume", "1700000000.0\t5\t2"),
    ],
)
def test_usual_names_and_ways_of_writing_time_are_understood(tmp_path: Path, header: str, row: str) -> None:
    path = a_file(tmp_path, "A-B.csv", header, row)
    assert list(Recording(path).rows()) == [(T0, Trade("A/B", T0, 5.0, 2.0))]


def test_files_are_merged_by_time_and_a_candle_is_known_when_it_closes(tmp_path: Path) -> None:
    candles = a_file(tmp_path, "A-B.1m.csv", CANDLES, f"{T0},1,1,1,1,1", f"{T0 + 60_000},1,1,1,1,1")
    trades = a_file(tmp_path, "C-D.csv", TRADES, *(f"{T0 + at},buy,1,1" for at in (59_000, 60_000, 61_000)))
    ticks, _ = replayed([candles, trades])
    told = [(tick.at_ms - T0, len(tick.trades), len(tick.candles)) for tick in ticks if tick.trades or tick.candles]
    assert told == [(59_000, 1, 0), (60_000, 1, 1), (61_000, 1, 0), (120_000, 0, 1)]


def test_rows_that_cannot_be_are_counted_and_named(tmp_path: Path) -> None:
    good = [f"{T0 + at},buy,1,1" for at in (0, 2_000)]
    bad = ["", f"{T0},buy,nan,1", f"{T0},buy,-5,1", f"{T0},buy", "soon,buy,1,1", f"9{T0},buy,1,1", f"{T0},buy,1,-1"]
    path = a_file(tmp_path, "A-B.csv", TRADES, good[0], *bad, good[1])
    ticks, source = replayed([path])
    assert [trade.at_ms - T0 for trade in trades_of(ticks)] == [0, 2_000]
    assert source.bad_rows == 6
    assert source.first_bad.startswith("A-B.csv line 4 has impossible figures")


def test_a_late_row_comes_with_its_successor_and_time_does_not_run_back(tmp_path: Path) -> None:
    rows = [f"{T0 + at},buy,{price},1" for at, price in ((0, 1), (15_000, 2), (3_000, 3), (30_000, 4))]
    ticks, _ = replayed([a_file(tmp_path, "A-B.csv", TRADES, *rows)])
    moments = [tick.at_ms for tick in ticks]
    assert moments == sorted(moments)
    builder = CandleBuilder()
    for tick in ticks:
        builder.advance(tick)
    assert len(trades_of(ticks)) == 4
    assert builder.counters.late == 1


def test_a_short_silence_is_lived_through_and_a_long_one_is_leapt_over(tmp_path: Path) -> None:
    hours = 5 * 3_600_000
    rows = [f"{T0 + at},buy,1,1" for at in (0, 800_000, 800_000 + hours)]
    ticks, _ = replayed([a_file(tmp_path, "A-B.csv", TRADES, *rows)])
    short = [tick for tick in ticks if T0 < tick.at_ms < T0 + 800_000]
    assert len(short) == 79
    quiet = [tick.at_ms - T0 - 800_000 for tick in ticks if T0 + 800_000 < tick.at_ms < T0 + 800_000 + hours]
    assert quiet == [*range(10_000, 610_000, 10_000), hours - 10_000]
    assert ticks[-1].at_ms == T0 + 800_000 + hours + 10_000


def test_a_leap_wakes_whoever_sleeps_only_once(tmp_path: Path) -> None:
    rows = [f"{T0 + at},buy,1,1" for at in (0, 86_400_000)]
    path = a_file(tmp_path, "A-B.csv", TRADES, *rows)
    woken = 0

    async def steps() -> None:
        clock = LoopClock()
        clock.begin(datetime.fromtimestamp(T0 / 1000, UTC))

        async def sleeper() -> None:
            nonlocal woken
            while True:
                await clock.sleep(10)
                woken += 1

        source = ReplaySource([path], clock)
        async with asyncio.TaskGroup() as group:
            other = group.create_task(sleeper())
            async for _ in source.ticks():
                pass
            await source.close()
            other.cancel()

    on_virtual_time(steps())
    assert 60 <= woken <= 70


def test_a_recording_of_long_candles_is_not_silent_before_the_first_has_closed(tmp_path: Path) -> None:
    ticks, _ = replayed([a_file(tmp_path, "A-B.1m.csv", CANDLES, f"{T0},1,1,1,1,1")])
    assert [tick.at_ms - T0 for tick in ticks] == [10_000, 20_000, 30_000, 40_000, 50_000, 60_000, 70_000]


def test_the_last_candle_of_a_recording_closes(tmp_path: Path) -> None:
    builder = CandleBuilder()
    ticks, _ = replayed([a_file(tmp_path, "A-B.csv", TRADES, f"{T0 + 3},buy,7,1")])
    assert [candle.close for tick in ticks for candle in builder.advance(tick)] == [7.0]


def test_the_interval_comes_from_the_rows_and_from_the_name_only_where_they_cannot_tell(tmp_path: Path) -> None:
    gappy = a_file(
        tmp_path, "A-B.1h.csv", CANDLES, *(f"{T0 + at},1,1,1,1,1" for at in (0, 600_000, 900_000, 1_200_000))
    )
    single = a_file(tmp_path, "C-D.15m.csv", CANDLES, f"{T0},1,1,1,1,1")
    intervals = [
        row.interval_ms for path in (gappy, single) for _, row in Recording(path).rows() if isinstance(row, Candle)
    ]
    assert intervals == [300_000] * 4 + [900_000]


@pytest.mark.parametrize(
    ("name", "lines", "told"),
    [
        ("A-B.csv", ["when,what", "1,2"], ["A-B.csv line 1", "when, what", "neither trades nor candles"]),
        ("A-B.csv", [""], ["line 1", "neither trades nor candles"]),
        ("A-B.csv", [TRADES], ["line 2", "no row"]),
        ("A-B.csv", [TRADES, "x,buy,1,1", "y,buy,1,1"], ["line 2", "is no row of this file"]),
        ("A-B.csv", [TRADES, f"{T0},buy,1,1", "1" * 5_000], ["line 3", "more than 4096 bytes"]),
        ("prices.csv", [TRADES, f"{T0},buy,1,1"], ["prices.csv", "does not tell the symbol", "XRP-ETH"]),
        ("A-B.csv", [CANDLES, f"{T0},1,1,1,1,1"], ["one candle does not tell how long it is", "1m.csv"]),
    ],
)
def test_a_file_that_is_no_recording_is_refused_by_name_line_and_fix(
    tmp_path: Path, name: str, lines: list[str], told: list[str]
) -> None:
    path = a_file(tmp_path, name, *lines)
    with pytest.raises(BadInput) as caught:
        replayed([path])
    for part in told:
        assert part in str(caught.value)


def test_what_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "A-B.csv", tmp_path / "empty"):
        with pytest.raises(BadInput, match=path.name):
            replayed([path])
    with pytest.raises(BadInput, match="no file is named"):
        replayed([])


def test_a_file_that_breaks_off_is_named_with_the_line_where_it_does(tmp_path: Path) -> None:
    whole = gzip.compress(
        "\n".join([TRADES, *(f"{T0 + n * 977},buy,{n % 89 + 1},{n % 13}" for n in range(9_000))]).encode()
    )
    path = tmp_path / "A-B.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match=r"A-B.csv.gz line \d{3,}: the file breaks off"):
        replayed([path])
    path.write_bytes(b"\x1f\x8b" + b"no gzip at all")
    with pytest.raises(BadInput, match=r"A-B.csv.gz line 1: cannot be read"):
        replayed([path])


def test_what_a_file_says_cannot_steer_the_terminal(tmp_path: Path) -> None:
    path = a_file(tmp_path, "A-B.csv", "\x1b]0;owned\x07evil\x1b[2J,b", "1,2")
    with pytest.raises(BadInput) as caught:
        replayed([path])
    assert "\x1b" not in str(caught.value)
    assert "\x07" not in str(caught.value)


def test_only_a_few_rows_are_read_ahead(tmp_path: Path) -> None:
    path = a_file(tmp_path, "A-B.csv", TRADES, *(f"{T0 + n},buy,1,1" for n in range(50_000)))
    rows = Recording(path).rows()
    assert next(rows)[0] == T0
    path.write_bytes(b"")  # what was not read yet is gone
    assert len(list(rows)) < 10_000


def test_a_recording_behind_the_clock_lets_others_run(tmp_path: Path) -> None:
    path = a_file(tmp_path, "A-B.csv", TRADES, *(f"{T0 + n * 10},buy,1,1" for n in range(1_000)))

    async def steps() -> int:
        clock = LoopClock()
        clock.begin(datetime.fromtimestamp(T0 / 1000 + 3_600, UTC))
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await clock.sleep(0)

        source = ReplaySource([path], clock)
        task = asyncio.create_task(other())
        async for _ in source.ticks():
            pass
        task.cancel()
        await source.close()
        return turns

    assert on_virtual_time(steps()) > 900


def test_candles_of_another_length_close_on_their_own_boundaries(tmp_path: Path) -> None:
    path = a_file(tmp_path, "A-B.csv", TRADES, f"{T0},buy,1,1", f"{T0 + 7_000},buy,2,1")

    async def steps() -> list[int]:
        clock = LoopClock()
        clock.begin(datetime.fromtimestamp(T0 / 1000, UTC))
        source = ReplaySource([path], clock, interval_s=2)
        return [tick.at_ms - T0 async for tick in source.ticks()]

    assert on_virtual_time(steps()) == [0, 2_000, 4_000, 6_000, 7_000, 8_000]


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValidationError, match="longer than silence_s"):
        ReplaySettings(silence_s=100, settle_s=200)


@pytest.mark.parametrize(
    ("name", "rows", "interval_ms"),
    [
        ("XRP-ETH.trades.csv.gz", 12_477, 0),
        ("BTC-USD.1m.csv.gz", 45_031, 60_000),
        ("ADA-BTC.5m.csv.gz", 5_720, 300_000),
    ],
)
def test_real_recordings_are_read_to_the_last_row(name: str, rows: int, interval_ms: int) -> None:
    recording = Recording(market_file(name))
    found = [row for _, row in recording.rows()]
    assert (len(found), recording.bad_rows) == (rows, 0)
    assert {row.interval_ms for row in found if isinstance(row, Candle)} == ({interval_ms} if interval_ms else set())


def test_a_folder_of_real_recordings_has_all_their_symbols() -> None:
    source = ReplaySource([market_folder()], LoopClock())
    assert {"XRP/ETH", "BTC/USD", "ADA/BTC", "ETH/BTC", "LTC/BTC", "XMR/BTC"} <= set(source.symbols())
    assert source.begins_at() == datetime(2018, 1, 10, 4, 55, tzinfo=UTC)


def test_a_real_day_of_trades_is_replayed_whole() -> None:
    builder = CandleBuilder()
    ticks, source = replayed([market_file("XRP-ETH.trades.csv.gz")])
    for tick in ticks:
        builder.advance(tick)
    counters = builder.counters
    assert (len(trades_of(ticks)), source.bad_rows) == (12_477, 0)
    assert (counters.candles - counters.flat, counters.late, counters.bad, counters.breaks) == (4_846, 0, 0, 0)
