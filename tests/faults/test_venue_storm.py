"""A short storm at each venue's protocol, with an engine that is killed in it: its books and the store agree afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.venue_storm import Strength, a_storm
from tests.support.venue.table import VENUES

pytestmark = pytest.mark.waits


@pytest.mark.parametrize("venue", VENUES)
def test_killed_in_a_storm_no_signal_is_lost_and_no_order_doubled_at_a_real_venues_protocol(
    venue: str, tmp_path: Path
) -> None:
    storm = a_storm(venue, 1, tmp_path, Strength(signals=24, kills=1, kill_every_s=6.0, real_names=venue == "kraken"))
    assert storm.found == []
    assert len(storm.acknowledged) == 24
    assert storm.kills >= 2
    assert storm.faulted > 0
    assert storm.states["done"] > 0
