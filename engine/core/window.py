"""What a strategy looks at: one symbol's closed candles as columns of numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One symbol's closed candles, oldest first, as columns of equal length (5 to 100 as configured).

    The columns are contiguous and read-only, and never change once handed out.
    """

    symbol: str
    open: Series
    high: Series
    low: Series
    close: Series
    volume: Series

    def __len__(self) -> int:
        return len(self.close)
