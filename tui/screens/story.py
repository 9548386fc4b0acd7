"""One signal's whole story, the answer to "why did it (not) trade?" first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final

from textual.binding import Binding, BindingType

from engine.clock import Clock
from engine.core.board import Story
from engine.core.commands import CommandKind
from engine.core.lifecycle import OPEN_SIGNALS, RETRYABLE_SIGNALS, SignalState
from engine.core.text import clean
from tui.bridge import Bridge
from tui.messages import Rewound
from tui.screens.confirm import AskText, Confirm, Question
from tui.screens.detail import DetailScreen
from tui.screens.trader import TraderScreen
from tui.screens.trail import COPY, Errand
from tui.sections import Section, empty
from tui.stories import sections, story_json
from tui.widgets.cells import Cell

_ORDER_ID: Final = re.compile(r"[\x21-\x7e]{1,64}")


class StoryScreen(DetailScreen):
    """Tells one signal's story and takes the operator's answers to it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "retry", "Retry", id="story.retry"),
        Binding("X", "cancel", "Cancel", id="story.cancel"),
        Binding("A", "name_order", "Name order", id="story.attach"),
        Binding("B", "declare_absent", "No order", id="story.absent"),
        Binding("o", "open_trader", "Trader", id="story.trader"),
        Binding("m", "market", "Market", id="story.market", tooltip="The candles of its symbol"),
        Binding("y", "copy_id", "Copy id", id="story.copy_id", group=COPY),
        Binding("Y", "copy_json", "Copy JSON", id="story.copy_json", group=COPY),
    ]
    WISHING: ClassVar[frozenset[str]] = frozenset({"retry", "cancel", "name_order", "declare_absent"})

    tells_a_moment: ClassVar[bool] = True

    def __init__(self, bridge: Bridge, signal_id: str, *, clock: Clock | None = None) -> None:
        super().__init__(bridge, clock)
        self.signal_id = signal_id
        self.story: Story | None = None

    @property
    def trail(self) -> tuple[str, ...]:
        if self.story is None:
            return ("Signals", self.signal_id)
        signal = self.story.signal
        return ("Signals", f"{signal.side} {clean(signal.symbol, 24)}  {signal.id}")

    async def gather(self) -> None:
        self.story = await self.bridge.story(self.signal_id)

    def tell(self, now: datetime) -> tuple[Section, ...]:
        if self.story is None:
            return (Section("why", Cell("Not there", "bold $error"), empty("The store has no signal with this id.")),)
        return sections(self.story, now)

    def moment(self) -> Rewound | None:
        """Return the last thing that befell the signal."""
        return Rewound(seq=self.story.events[-1].seq) if self.story and self.story.events else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        allowed = super().check_action(action, parameters)
        if not allowed or self.story is None:
            return None if allowed and action in _NEEDS_STORY else allowed
        signal = self.story.signal
        is_review = signal.state is SignalState.NEEDS_REVIEW
        if action in _REVIEW_ONLY:
            return is_review
        if is_review and action in _APPLIES:
            return False  # a review is answered: neither key would do anything
        if action == "open_trader":
            return True if self._trader else None
        if action == "cancel" and signal.cancel_requested:
            return None
        return True if signal.state in _APPLIES.get(action, frozenset(SignalState)) else None

    def action_retry(self) -> None:
        if self.story is not None:
            signal = self.story.signal
            self.post(Errand(CommandKind.RETRY, signal.id, "retrying", expected_version=signal.version))

    def action_cancel(self) -> None:
        self.run_worker(self._cancel(), group="questions", exclusive=True)

    def action_name_order(self) -> None:
        self.run_worker(self._name_order(), group="questions", exclusive=True)

    def action_declare_absent(self) -> None:
        self.run_worker(self._declare_absent(), group="questions", exclusive=True)

    def action_open_trader(self) -> None:
        trader = self._trader
        if trader:
            self.app.push_screen(TraderScreen(self.bridge, trader, clock=self.clock))

    async def action_market(self) -> None:
        from tui.screens.market import MarketScreen  # loaded with the first that is opened

        if self.story is not None:
            await self.app.push_screen(MarketScreen(self.bridge, self.story.signal.symbol, clock=self.clock))

    def action_copy_id(self) -> None:
        self.copy(self.signal_id, "The signal's id")

    def action_copy_json(self) -> None:
        if self.story is not None:
            self.copy(story_json(self.story), "The story as JSON")

    async def _cancel(self) -> None:
        if self.story is None:
            return
        signal = self.story.signal
        consequence = "It will not be traded, and cannot be brought back."
        if signal.state is SignalState.EXECUTING:
            consequence = (
                "Its order may be out already. The wish is kept, and takes effect once the order's fate is known: "
                "one that is open is cancelled at the venue, what is filled by then stays filled."
            )
        if await self.app.push_screen_wait(Confirm("Cancel the signal", self._scope(), consequence)):
            self.post(Errand(CommandKind.CANCEL, signal.id, "cancelling"))

    async def _name_order(self) -> None:
        if self.story is None:
            return
        signal, trader = self.story.signal, self._trader
        answers = await self.app.push_screen_wait(
            AskText(
                "Name the order",
                self._scope(),
                f"Look at the venue's own page ({trader or 'its trader'}). The engine asks the venue about the order that you name, and looks after it.",
                [
                    Question("order", "The venue's order id", "as the venue shows it", objection=_not_an_order_id),
                    Question("why", "Where you saw it", "such as: open orders on the venue's page"),
                ],
            )
        )
        if answers is None:
            return
        sure = Confirm(
            "Attach this order",
            f"{answers['order']} to {self._scope()}",
            f"The signal then stands or falls with it. Kept with your name ({self.bridge.operator}): {answers['why']}",
        )
        if await self.app.push_screen_wait(sure):
            args = {"venue_order_id": answers["order"]}
            self.post(
                Errand(
                    CommandKind.ATTACH, signal.id, "attaching", answers["why"], args, expected_version=signal.version
                )
            )

    async def _declare_absent(self) -> None:
        if self.story is None:
            return
        signal, trader = self.story.signal, self._trader
        answers = await self.app.push_screen_wait(
            AskText(
                "Declare that there is no order",
                self._scope(),
                f"Look at the venue's own page first ({trader or 'its trader'}): open orders, order history, trades. "
                "If an order is there after all, the next attempt doubles it.",
                [
                    Question("name", "Your name", preset=self.bridge.operator),
                    Question("why", "How you know", "such as: order history on the venue's page is empty"),
                ],
            )
        )
        if answers is None:
            return
        sure = Confirm(
            "Declare that there is no order",
            self._scope(),
            f"The signal may then be sent again. {answers['name']} answers for it: {answers['why']}",
            typed_word=clean(signal.symbol, 24),
        )
        if await self.app.push_screen_wait(sure):
            self.post(
                Errand(
                    CommandKind.DECLARE_ABSENT,
                    signal.id,
                    "declaring",
                    _signed(answers, self.bridge.operator),
                    expected_version=signal.version,
                )
            )

    @property
    def _trader(self) -> str:
        if self.story is None:
            return ""
        tried = self.story.attempts[-1].trader if self.story.attempts else ""
        return self.story.signal.trader or tried

    def _scope(self) -> str:
        if self.story is None:
            return self.signal_id
        signal = self.story.signal
        quantity = f"{signal.quantity:f} " if signal.quantity is not None else ""
        return f"{signal.side} {quantity}{clean(signal.symbol, 24)}  ({signal.id})"


# In which states an action makes sense.
_APPLIES: Final[Mapping[str, frozenset[SignalState]]] = {
    "retry": RETRYABLE_SIGNALS,
    "cancel": OPEN_SIGNALS - {SignalState.NEEDS_REVIEW},
}
_REVIEW_ONLY: Final = frozenset({"name_order", "declare_absent"})
_NEEDS_STORY: Final = frozenset({*_APPLIES, *_REVIEW_ONLY, "open_trader", "market", "copy_json"})


def _not_an_order_id(text: str) -> str:
    if not text:
        return "is needed"
    return "" if _ORDER_ID.fullmatch(text) else "has 1 to 64 letters, digits or signs, and no spaces"


def _signed(answers: Mapping[str, str], operator: str) -> str:
    """Return the reason, with the name of whoever answers for it if that is not who sits here."""
    name = answers["name"]
    return answers["why"] if name == operator else f"{answers['why']} (answered for by {name})"
