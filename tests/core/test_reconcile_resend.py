"""May a request be handed over once more? Only within its deadline, after a full lookup, where ids are taken for ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from engine.core.lifecycle import AttemptState
from engine.core.reconcile import Asked, Evidence, Found, may_resend
from engine.exchanges.base import Capabilities, Fence, IdScope
from tests.core.cases import an_attempt
from tests.support.builders import NOW

ONCE = Capabilities(Fence.NONE, IdScope.FOREVER, lookup_by_client_id=True)
NOTHING = Evidence(NOW, frozenset(Asked), Found.NOTHING)
UNKNOWN = an_attempt()  # to be sent by NOW + 5 s


def _at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_second_before_the_deadline_is_the_last_moment() -> None:
    assert may_resend(UNKNOWN, NOTHING, ONCE, _at(4.0))
    assert not may_resend(UNKNOWN, NOTHING, ONCE, _at(4.001))
    assert not may_resend(UNKNOWN, NOTHING, ONCE, None)


@pytest.mark.parametrize("scope", [s for s in IdScope if s is not IdScope.FOREVER])
def test_an_id_that_is_taken_again_some_day_is_never_sent_twice(scope: IdScope) -> None:
    assert not may_resend(UNKNOWN, NOTHING, replace(ONCE, id_scope=scope), NOW)


@pytest.mark.parametrize(
    "seen",
    [
        replace(NOTHING, found=Found.ERROR),
        replace(NOTHING, found=Found.ORDER),
        replace(NOTHING, asked=frozenset({Asked.OPEN, Asked.RECENT})),
        replace(NOTHING, asked=frozenset({Asked.CLIENT_ID, Asked.OPEN})),
    ],
)
def test_anything_less_than_a_full_lookup_that_found_nothing_sends_nothing(seen: Evidence) -> None:
    assert not may_resend(UNKNOWN, seen, ONCE, NOW)


@pytest.mark.parametrize("state", [s for s in AttemptState if s is not AttemptState.UNKNOWN])
def test_only_an_unknown_outcome_is_a_reason(state: AttemptState) -> None:
    assert not may_resend(an_attempt(state), NOTHING, ONCE, NOW)
