"""Kinds of errors: the same words but for numbers and ids."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.events import Event, EventKind, Level
from tests.support.screen_bridge import HOSTILE
from tests.support.stories import an_event, at
from tui.fingerprints import fingerprint, minute_of, with_errors


def an_error(seq: int, text: str, **fields: Any) -> Event:
    return an_event(seq, EventKind.ATTEMPT, float(seq), text, **{"level": Level.WARNING, "code": "rate", **fields})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("retry in 4s", "retry in 17s"),
        ("order 8f3a21bc09 refused", "order 00ff12ab77 refused"),
        ("price -1.5e-8 is bad", "price 2,000.25 is bad"),
        ("id 0b61f3f2-8f0a-4b7c-9a60-1c8d3bd6a001", "id 9c2e4cd1-11aa-4f4f-8888-aaaabbbb0002"),
    ],
)
def test_numbers_and_ids_make_no_difference(one: str, other: str) -> None:
    assert fingerprint(an_error(1, one)) == fingerprint(an_error(2, other))


@pytest.mark.parametrize(
    "fields", [{"code": "funds"}, {"trader": "other"}, {"text": "deadbeef was not"}, {"text": "defaced words stay"}]
)
def test_code_trader_and_words_make_one(fields: dict[str, Any]) -> None:
    told = an_error(1, **{"text": "retry in 4s", **fields})
    assert fingerprint(told) != fingerprint(an_error(2, "retry in 4s"))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_any_text_has_a_short_kind(text: str) -> None:
    assert len(fingerprint(an_error(1, text)).words) <= 200


@given(st.lists(st.sampled_from(["a 1", "a 2", "b", "c"]), max_size=60), st.integers(0, 60))
def test_counting_in_two_parts_is_counting_at_once(texts: list[str], cut: int) -> None:
    events = [an_error(seq, text) for seq, text in enumerate(texts, 1)]
    at_once = with_errors({}, events)
    assert with_errors(with_errors({}, events[:cut]), events[cut:]) == at_once
    assert sum(kind.count for kind in at_once.values()) == len(texts)


def test_a_kind_knows_its_first_its_newest_its_loudest_and_how_they_came() -> None:
    events = [an_error(1, "x 1"), an_error(2, "x 2", level=Level.ERROR), an_error(90, "x 3")]
    [kind] = with_errors({}, events).values()
    assert (kind.count, kind.first_at, kind.newest.seq, kind.level) == (3, at(1), 90, Level.ERROR)
    assert kind.per_minute(at(150))[-3:] == [2.0, 1.0, 0.0]
    assert len(kind.per_minute(at(150))) == 60
    assert minute_of(at(59)) == minute_of(at(0))
