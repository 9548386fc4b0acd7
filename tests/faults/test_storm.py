"""Real processes, killed while they work: nothing acknowledged is lost, nothing is ordered twice."""

from __future__ import annotations

from pathlib import Path

from tests.faults.inbox_storm import BAD, InboxStorm
from tests.faults.storm import Storm


def test_killed_again_and_again_the_engine_loses_no_signal_and_doubles_no_order(tmp_path: Path) -> None:
    storm = Storm(tmp_path, producers=6, signals=180, kill_every_s=3.0)
    assert storm.run() == []
    assert len(storm.acknowledged) == 180
    assert storm.kills >= 1
    assert storm.states["done"] > 0


def test_killed_among_clients_good_and_bad_the_inbox_keeps_what_it_acknowledged_and_nothing_twice(
    tmp_path: Path,
) -> None:
    storm = InboxStorm(tmp_path, producers=8, signals=400, kill_every_s=0.0, kills_wanted=1)
    assert storm.run() == []
    assert storm.stored == len(storm.acknowledged) == 400
    assert storm.kills == 1
    told = {name for name, _ in storm.answers}
    assert told == {"good", "duplicate", "conflict", *(bad.name for bad in BAD.values())}
    assert {"wrong_token", "not_json", "too_large", "bad_input", "conflict"} <= storm.refusals.keys()
