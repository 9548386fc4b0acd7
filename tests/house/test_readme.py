"""The README is held to the program: its picture of the lives, its commands, its variables."""

from __future__ import annotations

import pytest

from engine.variables import PERCENT_VARIABLES, PLAIN_VARIABLES
from tests.support.life_picture import README, between_marks, picture


def test_the_picture_of_the_lives_is_drawn_from_their_tables() -> None:
    written = between_marks(README.read_text(encoding="utf-8"))
    assert written == picture(), "run `python -m tests.support.life_picture`"


@pytest.mark.parametrize("name", [*PLAIN_VARIABLES, *PERCENT_VARIABLES])
def test_every_variable_of_the_limits_is_explained(name: str) -> None:
    assert f"`{name}`" in README.read_text(encoding="utf-8")
