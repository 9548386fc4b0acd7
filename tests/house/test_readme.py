"""The README is held to the program: the parts that are made from tables, its variables."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from engine.core.chart_alert import signal_from
from engine.core.inbox import AlertMapping
from engine.variables import PERCENT_VARIABLES, PLAIN_VARIABLES
from tests.support.builders import NOW
from tests.support.readme_parts import PARTS, README, between_marks


@pytest.mark.parametrize("part", PARTS)
def test_what_the_readme_says_of_lives_venues_and_outcomes_is_made_from_their_tables(part: str) -> None:
    written = between_marks(README.read_text(encoding="utf-8"), part)
    assert written == PARTS[part](), "run `python -m tests.support.readme_parts`"


@pytest.mark.parametrize("name", [*PLAIN_VARIABLES, *PERCENT_VARIABLES])
def test_every_variable_of_the_limits_is_explained(name: str) -> None:
    assert f"`{name}`" in README.read_text(encoding="utf-8")


def test_the_alert_that_is_shown_is_taken_with_the_mapping_that_is_shown() -> None:
    text = README.read_text(encoding="utf-8")
    alerts = re.findall(r'`(\{"ticker".*?\})`', text)
    [mapping] = re.findall(r"```toml\n(\[inbox\.mapping.*?)```", text, re.DOTALL)
    assert alerts
    for alert in alerts:
        shown = {**json.loads(alert), "time": NOW.isoformat()}
        settings = AlertMapping.model_validate(tomllib.loads(mapping)["inbox"]["mapping"])
        signal = signal_from(shown, settings, NOW, 60)
        assert (signal["symbol"], signal["side"], signal["quantity"]) == ("BTC/USDT", "buy", "0.01")
