"""The floor: what the makers of signals stand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.clock import Chance, Clock
from engine.core.risk import Quote
from engine.core.window import Window
from engine.store.base import Store


class Market(Protocol):
    """What a maker of signals sees of the market; `engine.workers.feed.Feed` is the one there is."""

    @property
    def quotes(self) -> Mapping[str, Quote]: ...

    def symbols(self) -> Sequence[str]: ...

    def window(self, symbol: str) -> Window | None: ...

    def last_closed_ms(self, symbol: str) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Floor:
    """The store that signals go to, the market that they come from, and where time and chance come from."""

    store: Store
    market: Market
    clock: Clock
    chance: Chance
