"""What it means for a feed when its venue does not answer, or answers something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.core.feeds import FeedState
from engine.venues.client import sentence

# ccxt's classes by name, because importing ccxt takes a second.
_NONSENSE: Final = frozenset({"BadResponse", "NullResponse"})
_SILENCE: Final = frozenset({"OperationFailed", "OSError"})
_NO_TRADES: Final = frozenset({"NotSupported", "ArgumentsRequired"})


class Nonsense(Exception):
    """An answer that is no market data; the text says of what kind."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no good answer: DEAD or GARBAGE, and a clean sentence."""

    kind: FeedState
    fact: str


def failure_of(error: Exception) -> Failure:
    """Return what an error of ccxt, of its libraries or of its parsers says about the feed."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, TimeoutError):
        return Failure(FeedState.DEAD, "no answer in time")
    if isinstance(error, Nonsense):
        return Failure(FeedState.GARBAGE, str(error))
    is_broken_off = type(error.__cause__).__module__.partition(".")[0] == "aiohttp"
    is_silence = bool(names & _SILENCE) and not names & _NONSENSE
    kind = FeedState.DEAD if is_silence or is_broken_off else FeedState.GARBAGE
    return Failure(kind, sentence(error))


def has_no_trades(error: Exception) -> bool:
    """Say whether ccxt cannot ask this venue for its trades, whatever it claims to have."""
    return bool({kind.__name__ for kind in type(error).__mro__} & _NO_TRADES)
