"""Real processes, killed while they work: nothing acknowledged is lost, nothing is ordered twice."""

from __future__ import annotations

from pathlib import Path

from tests.faults.storm import Storm


def test_killed_again_and_again_the_engine_loses_no_signal_and_doubles_no_order(tmp_path: Path) -> None:
    storm = Storm(tmp_path, producers=6, signals=180, kill_every_s=3.0)
    assert storm.run() == []
    assert len(storm.acknowledged) == 180
    assert storm.kills >= 1
    assert storm.states["done"] > 0
