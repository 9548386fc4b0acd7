"""The README is held to the program: the parts that are made from tables, its variables."""

from __future__ import annotations

import pytest

from engine.variables import PERCENT_VARIABLES, PLAIN_VARIABLES
from tests.support.readme_parts import PARTS, README, between_marks


@pytest.mark.parametrize("part", PARTS)
def test_what_the_readme_says_of_lives_venues_and_outcomes_is_made_from_their_tables(part: str) -> None:
    written = between_marks(README.read_text(encoding="utf-8"), part)
    assert written == PARTS[part](), "run `python -m tests.support.readme_parts`"


@pytest.mark.parametrize("name", [*PLAIN_VARIABLES, *PERCENT_VARIABLES])
def test_every_variable_of_the_limits_is_explained(name: str) -> None:
    assert f"`{name}`" in README.read_text(encoding="utf-8")
