"""What panels tell the screen: a thing to open, a wish to make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from textual.message import Message

from engine.core.board import Board
from engine.core.commands import CommandKind


class Kind(StrEnum):
    """What can be opened."""

    SIGNAL = "signal"
    TRADER = "trader"
    ALERT = "alert"
    ERROR = "error"
    MARKET = "market"  # by its symbol


@dataclass(frozen=True, slots=True)
class Wish:
    """An operator's wish: `doing` is shown while the engine has not answered, `verb` and `consequence` in the question.

    An empty `consequence` asks nothing. With `typed_word` the word must be typed before it is made.
    """

    kind: CommandKind
    target: str
    doing: str
    verb: str = ""
    scope: str = ""
    consequence: str = ""
    typed_word: str | None = None
    expected_version: int | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    is_mild: bool = False  # it can be taken back

    @property
    def key(self) -> str:
        """Return what the wish is about: no second one is made about it before the first is answered."""
        return self.target or self.kind.value


class Opened(Message):
    """The operator wants to see all about one thing."""

    def __init__(self, kind: Kind, key: str) -> None:
        super().__init__()
        self.kind, self.key = kind, key


class Wished(Message):
    """The operator wants something done."""

    def __init__(self, wish: Wish) -> None:
        super().__init__()
        self.wish = wish


class Stirred(Message):
    """What the operator can do has changed: another row is under the cursor, or another filter is on."""


class BoardRead(Message):
    """A board was read: whoever looks for news finds it here."""

    def __init__(self, board: Board) -> None:
        super().__init__()
        self.board = board


class Chosen(Message):
    """The operator pointed at a panel."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Rewound(Message):
    """The operator wants to see the dashboard as it was: at a journal entry, or at a time."""

    def __init__(self, *, at: datetime | None = None, seq: int | None = None) -> None:
        super().__init__()
        self.at, self.seq = at, seq
