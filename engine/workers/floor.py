"""The floor: what the makers of signals stand on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.clock import Clock
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
    """The store that signals go to, the market that they come from, and where time comes from."""

    store: Store
    market: Market
    clock: Clock
    stored: Callable[[], None] = lambda: None  # called when signals have become durable: the dispatcher's wake-up


def signal_id_of(source: str, key: str) -> str:
    """Return the id of the signal that `source` makes under `key`: 64 bits of SHA-256 as 16 lowercase hex digits.

    Keys are unique per source for ever, so ids are too, also where a seeded engine starts again on the same store.
    """
    return hashlib.sha256(f"{source}|{key}".encode()).hexdigest()[:16]
