from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.lifecycle import AttemptState, AttemptStep
from engine.core.reconcile import (
    Asked,
    Evidence,
    Found,
    evidence_of,
    judge_absence,
    next_poll,
    next_probe,
    probe_plan,
)
from engine.exchanges.base import Capabilities, Fence, IdScope
from tests.core.cases import an_attempt
from tests.support.builders import NOW

EVERYWHERE = frozenset(Asked)
FENCED = Capabilities(Fence.ABSOLUTE, IdScope.OPEN, lookup_by_client_id=True)
UNFENCED = replace(FENCED, fence=Fence.NONE)
UNKNOWN = an_attempt()  # to be sent by NOW + 5 s


def _at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def _nothing(seconds: float, asked: frozenset[Asked] = EVERYWHERE) -> Evidence:
    return Evidence(_at(seconds), asked, Found.NOTHING)


def _error(seconds: float) -> Evidence:
    return Evidence(_at(seconds), frozenset(), Found.ERROR, "timeout")


PROOF = [_nothing(7), _nothing(12), _nothing(17)]


def _proven(lookups: Sequence[Evidence], venue: Capabilities = FENCED, venue_now: float = 60) -> bool:
    absence = judge_absence(UNKNOWN, lookups, venue, _at(venue_now))
    assert absence.why
    return absence.proven


def test_three_lookups_over_ten_seconds_after_the_deadline_prove_absence() -> None:
    assert _proven(PROOF)
    assert _proven([_nothing(0), _error(3), *PROOF, _error(20)])


@pytest.mark.parametrize(
    "lookups",
    [
        [],
        PROOF[:2],
        [_nothing(6.0), *PROOF[1:]],  # begun at send_by + 1 s, not after it
        [_nothing(7), _nothing(12), _nothing(16.9)],  # over less than 10 s
        [*PROOF[:2], _error(17)],
        [*PROOF[:2], replace(PROOF[2], found=Found.ERROR)],
        [*PROOF[:2], replace(PROOF[2], asked=frozenset({Asked.CLIENT_ID}))],
        [*PROOF[:2], replace(PROOF[2], asked=frozenset({Asked.OPEN, Asked.RECENT}))],
        [*PROOF, Evidence(_at(18), EVERYWHERE, Found.ORDER)],
        [_nothing(1), _nothing(2), _nothing(30)],
    ],
)
def test_anything_less_proves_nothing(lookups: list[Evidence]) -> None:
    assert not _proven(lookups)


def test_without_a_deadline_that_the_venue_enforces_silence_proves_nothing() -> None:
    assert not _proven([_nothing(s) for s in range(7, 800, 5)], UNFENCED)


def test_the_venues_own_clock_must_be_past_the_deadline() -> None:
    assert not _proven(PROOF, venue_now=6)
    assert _proven(PROOF, venue_now=17)


def test_a_venue_without_lookup_by_our_id_is_asked_by_its_lists() -> None:
    lists = frozenset({Asked.OPEN, Asked.RECENT})
    assert _proven([replace(e, asked=lists) for e in PROOF], replace(FENCED, lookup_by_client_id=False))


instants = st.datetimes(NOW.replace(tzinfo=None), _at(100).replace(tzinfo=None)).map(
    lambda d: d.replace(tzinfo=NOW.tzinfo)
)
evidence = st.builds(
    Evidence, instants, st.frozensets(st.sampled_from(Asked)) | st.just(EVERYWHERE), st.sampled_from(Found), st.text()
)


@given(st.lists(evidence, max_size=8))
def test_absence_is_never_proven_but_by_the_rule_itself(lookups: list[Evidence]) -> None:
    late = [e.at for e in lookups if e.found is Found.NOTHING and e.asked == EVERYWHERE and e.at > _at(6)]
    if _proven(lookups):
        assert len(late) >= 3
        assert max(late) - min(late) >= timedelta(seconds=10)
        assert all(e.found is not Found.ORDER for e in lookups)


@given(evidence)
def test_evidence_is_kept_and_read_back(found: Evidence) -> None:
    kept = found.encode()
    assert "\n" not in kept
    back = Evidence.decode(kept)
    assert back is not None
    assert (back.at, back.asked, back.found) == (found.at, found.asked, found.found)
    assert back.encode() == kept


@pytest.mark.parametrize(
    "note", ["", "null", "[]", "{}", '{"at":1}', '{"at":"x","asked":[],"found":"nothing"}', "\x00"]
)
def test_other_notes_are_no_evidence(note: str) -> None:
    assert Evidence.decode(note) is None
    assert evidence_of(replace(UNKNOWN, evidence=(note, PROOF[0].encode()))) == [PROOF[0]]


@dataclass
class Reconciled:
    """What a reconciler that follows the plan ends with: the step, after how many seconds, and how many lookups."""

    step: AttemptStep
    after_s: float
    lookups: int


def _reconcile(venue: Capabilities, *, offset_s: float = 0.0, outage_s: float = 0.0) -> Reconciled:
    """Look whenever the plan says so; the venue's clock is off by `offset_s`, and it is silent for `outage_s`."""
    lookups: list[Evidence] = []
    # The deadline was made by the venue's clock.
    send_by = UNKNOWN.request.send_by + timedelta(seconds=offset_s)
    attempt = replace(UNKNOWN, request=replace(UNKNOWN.request, send_by=send_by))
    now = next_probe(NOW, 0, NOW)
    while True:
        is_silent = now < _at(outage_s)
        venue_now = None if is_silent else now + timedelta(seconds=offset_s)
        seen = Evidence(venue_now or now, EVERYWHERE, Found.NOTHING) if venue_now else _error(0)
        lookups.append(replace(seen, at=venue_now or now))
        plan = probe_plan(attempt, lookups, venue, venue_now, now)
        if plan.step is not None:
            return Reconciled(plan.step, (now - NOW).total_seconds(), len(lookups))
        assert plan.look_at > now
        now = plan.look_at


@pytest.mark.parametrize("offset_s", [-3600.0, -0.7, 0.0, 0.7, 3600.0])
def test_absence_is_proven_as_soon_as_the_rule_allows(offset_s: float) -> None:
    found = _reconcile(FENCED, offset_s=offset_s)
    assert found.step is AttemptStep.PROVE_ABSENT
    assert 16.0 < found.after_s < 16.5  # the deadline, one second, ten seconds of lookups
    assert found.lookups <= 6


def test_an_outage_delays_the_proof_and_does_not_replace_it() -> None:
    found = _reconcile(FENCED, outage_s=120)
    assert found.step is AttemptStep.PROVE_ABSENT
    assert 130 < found.after_s < 150


def test_a_venue_without_a_fence_is_asked_thrice_then_a_person_is() -> None:
    found = _reconcile(UNFENCED)
    assert found.step is AttemptStep.ESCALATE
    assert found.after_s < 60


def test_after_a_quarter_of_an_hour_without_proof_a_person_decides() -> None:
    found = _reconcile(FENCED, outage_s=10_000)
    assert found.step is AttemptStep.ESCALATE
    assert 900 <= found.after_s <= 915


def test_proof_wins_over_the_quarter_of_an_hour() -> None:
    plan = probe_plan(UNKNOWN, PROOF, FENCED, _at(2_000), _at(2_000))
    assert plan.step is AttemptStep.PROVE_ABSENT


def test_lookups_are_made_after_1_2_4_8_and_then_each_15_seconds() -> None:
    times, now = [], NOW
    for probes in range(7):
        now = next_probe(NOW, probes, now)
        times.append((now - NOW).total_seconds())
    assert times == [1, 3, 7, 15, 30, 45, 60]


def test_an_accepted_order_that_the_venue_forgot_is_never_closed_silently() -> None:
    accepted = an_attempt(AttemptState.ACCEPTED, venue_order_id="v1")
    first = probe_plan(accepted, PROOF[:1], FENCED, None, _at(7))
    assert first.step is None
    assert first.look_at == _at(12)
    assert probe_plan(accepted, PROOF[:2], FENCED, None, _at(12)).step is None
    assert probe_plan(accepted, PROOF, FENCED, _at(17), _at(17)).step is AttemptStep.ESCALATE


def test_looks_that_miss_an_open_order_now_and_then_do_not_add_up() -> None:
    accepted = an_attempt(AttemptState.ACCEPTED)
    now_and_then = [_nothing(10), _nothing(40), _nothing(70)]
    assert probe_plan(accepted, now_and_then, FENCED, None, _at(70)).step is None
    seen_between = [_nothing(7), Evidence(_at(9), EVERYWHERE, Found.ORDER), _nothing(12), _nothing(17)]
    assert probe_plan(accepted, seen_between, FENCED, None, _at(17)).step is None
    errors_between = [_nothing(7), _error(9), _nothing(12), _error(14), _nothing(17)]
    assert probe_plan(accepted, errors_between, FENCED, None, _at(17)).step is AttemptStep.ESCALATE


def test_an_open_order_is_looked_at_often_while_it_is_young() -> None:
    assert next_poll(NOW, NOW) == _at(0.5)
    assert next_poll(NOW, _at(20)) == _at(25)
    assert next_poll(NOW, _at(3600)) == _at(3615)
