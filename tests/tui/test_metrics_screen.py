"""The metrics: figures over five windows, and charts that fit."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from engine.clock import ManualClock
from engine.core.board import Headline, MinutePoint
from engine.core.metrics import bucket_of
from engine.store.sqlite import SqliteStore
from tests.support.builders import NOW, a_signal
from tests.support.screen_bridge import RecordingBridge, Showing, is_on, play_store, press, text_of
from tests.support.stories import at
from tui.figures import SPANS, figures_of, latency_scale, table
from tui.formatting import NOTHING
from tui.screens.metrics import MetricsScreen

SIZES = [(60, 15), (80, 24), (120, 40), (200, 60)]


def minutes(count: int, **fields: int) -> list[MinutePoint]:
    """Return `count` minutes, the last one beginning at NOW."""
    return [MinutePoint(NOW - timedelta(minutes=back), **fields) for back in reversed(range(count))]


def test_a_window_counts_only_what_is_in_it() -> None:
    points = minutes(120, received=6, attempts=4, successes=3, failures=1)
    now = NOW + timedelta(seconds=59)
    by_span = {span.name: figures_of(span, points, {}, now) for span in SPANS}
    assert by_span["5m"].window.received == pytest.approx(6 * 5, abs=6)
    assert by_span["1h"].signals_per_min == pytest.approx(6, abs=0.2)
    assert by_span["1d"].minutes == pytest.approx(120, abs=1), "a day that is two hours old is no day"
    assert by_span["1d"].attempts_per_min == pytest.approx(4, abs=0.1)


def test_the_table_has_a_line_for_every_figure_and_a_dash_where_there_is_none() -> None:
    figures = [figures_of(span, [], {}, NOW) for span in SPANS]
    lines = ["".join(cell.text for cell in line) for line in table(figures, Headline(traders_total=2), 3)]
    assert len({len(line) for line in lines[:-1]}) == 1, "columns stand under each other"
    assert next(line for line in lines if "success rate" in line).split()[2:] == [NOTHING] * len(SPANS)
    assert "0 of 2" in lines[-1]


def test_percentiles_are_those_of_the_window() -> None:
    figures = [figures_of(span, [], {bucket_of(0.4): 9, bucket_of(2.0): 1}, NOW) for span in SPANS]
    text = "\n".join("".join(cell.text for cell in line) for line in table(figures, Headline(), 0))
    p50 = next(line for line in text.splitlines() if "p50" in line)
    p99 = next(line for line in text.splitlines() if "p99" in line)
    assert "ms" in p50
    assert "2." in p99 or "1.9" in p99


@given(st.lists(st.one_of(st.none(), st.floats(1e-6, 1e5)), max_size=50))
def test_every_latency_fits_under_the_axis_and_the_axis_is_not_ten_times_too_high(values: list[float | None]) -> None:
    scale = latency_scale(values)
    known = [v for v in values if v is not None]
    assert all(0 <= v <= scale.high for v in known)
    if known:
        assert scale.high <= 10 * max(known)


async def some_signals(store: SqliteStore) -> None:
    await store.put_signals([a_signal(f"k{n}") for n in range(3)])


def a_screen(bridge: RecordingBridge) -> MetricsScreen:
    return MetricsScreen(bridge, clock=ManualClock(at(10)))


@pytest.mark.parametrize("size", SIZES)
def test_figures_and_charts_fit_every_size(size: tuple[int, int]) -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        for _ in range(3):
            await pilot.pause()
        text = text_of(app)
        assert "signals a minute" in text
        assert "Success rate" in text or size[1] < 20
        await press(app, pilot, "l", "l", "l", "h", "h", "h", "h", "h", "h")
        assert "the last 1m" in text_of(app)
        await press(app, pilot, "escape")
        assert not is_on(app, MetricsScreen)

    play_store(a_screen, some_signals, script, size)


@pytest.mark.parametrize(("width", "shown"), [(40, ["15m", "1h"]), (20, ["1h"]), (80, [span.name for span in SPANS])])
def test_windows_that_do_not_fit_are_left_out_but_never_the_one_that_is_chosen(width: int, shown: list[str]) -> None:
    figures = [figures_of(span, [], {}, NOW) for span in SPANS]
    lines = ["".join(cell.text for cell in line) for line in table(figures, Headline(), 3, width)]
    assert lines[0].split() == shown
    assert all(len(line) <= max(width, 28) for line in lines[:-1])


def test_on_a_small_screen_each_figure_has_one_line() -> None:
    async def script(app: Showing, pilot: Pilot[None]) -> None:
        lines = text_of(app).splitlines()
        at_rate = next(n for n, line in enumerate(lines) if "success rate" in line)
        assert "conversion" in lines[at_rate + 1]
        assert "1h" in "".join(lines[:at_rate])

    async def nothing(store: SqliteStore) -> None: ...

    play_store(lambda bridge: MetricsScreen(bridge, clock=ManualClock(at(10))), nothing, script, (40, 24))
