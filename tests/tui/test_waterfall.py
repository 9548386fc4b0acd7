"""The waterfall: bars on one scale, whatever the clocks said."""

from __future__ import annotations

from dataclasses import replace

from engine.core.board import Story
from engine.core.lifecycle import SignalState
from tests.support.stories import a_filled_attempt, a_signal, at
from tui.waterfall import Hop, bars, hops, timeline


def test_bars_have_the_proportions_of_their_hops_and_begin_where_the_hops_do() -> None:
    assert bars([Hop("a", at(0), at(1)), Hop("b", at(1), at(4))], 8) == ["▇▇      ", "  ▇▇▇▇▇▇"]


def test_a_tiny_hop_has_a_cell_even_at_the_end_of_the_scale() -> None:
    assert bars([Hop("a", at(0), at(60)), Hop("b", at(60), at(60.001))], 10) == ["▇" * 10, " " * 9 + "▇"]


def test_hops_that_took_no_time_have_a_cell_each() -> None:
    assert bars([Hop("a", at(0), at(0)), Hop("b", at(0), at(0))], 4) == ["▇   ", "▇   "]
    assert bars([]) == []


def test_a_hop_that_ended_before_it_began_stays_on_the_scale() -> None:
    way = [Hop("a", at(0), at(2)), Hop("b", at(2), at(-3))]
    assert way[1].seconds == 0
    assert bars(way, 4) == ["▇▇▇▇", "   ▇"]


def test_attempts_of_all_traders_share_one_scale() -> None:
    second = a_filled_attempt(
        2, trader="trader_other", intent_at=at(1), sent_at=at(1.1), answered_at=at(2), ended_at=at(3)
    )
    story = Story(a_signal(SignalState.DONE), (a_filled_attempt(), second), (), ())
    assert [hop.name for hop in hops(story)][:5] == ["1 waiting", "1 sent", "1 acknowledged", "1 filled", "2 waiting"]
    text = timeline(story).plain
    assert "trader_momentum" in text
    assert "trader_other" in text
    assert "+1.0s" in text
    starts = [len(bar) - len(bar.lstrip()) for bar in bars(hops(story))]
    assert starts == sorted(starts)


def test_a_signal_without_attempts_says_that_nothing_was_sent() -> None:
    assert "Nothing was sent yet" in timeline(Story(a_signal(), (), (), ())).plain
    received = replace(a_signal(SignalState.EXPIRED), ended_at=at(120))
    assert [hop.name for hop in hops(Story(received, (), (), ()))] == ["ended"]
