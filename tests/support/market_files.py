"""Where the recorded market data lies: beside the repository, not in it. The only place that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

FOLDER: Final = Path(__file__).resolve().parents[2] / "../shared/market-data"


def market_file(name: str) -> Path:
    """Return the path of a recording such as XRP-ETH.trades.csv.gz; the test is skipped where there is none."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"there is no recorded market data: {FOLDER.name}/{name} is missing beside the repository")
    return path.resolve()


def market_folder() -> Path:
    """Return the folder of all recordings; the test is skipped where there is none."""
    if not FOLDER.is_dir():
        pytest.skip(f"there is no recorded market data: the folder {FOLDER.name} is missing beside the repository")
    return FOLDER.resolve()
