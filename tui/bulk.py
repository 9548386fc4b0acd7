"""One wish for many: who it can be done to, who not and why, in which order, and what came of it.

The plan is made of what the operator saw when the question was asked. Whatever came later is not in it, and what has
moved on since is not retried: the engine is told the version that was seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engine.core.commands import CommandKind, CommandState
from engine.core.errors import NotThere, SignalDeckError
from engine.core.events import Alert, AlertState, Signal
from engine.core.lifecycle import OPEN_SIGNALS, RETRYABLE_SIGNALS, SignalState
from engine.core.text import counted
from engine.core.values import Mode

if TYPE_CHECKING:
    from tui.bridge import Bridge

TYPED_ABOVE: Final = 5  # in LIVE a wish for more than so many has to be typed
REASONS_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a wish is made for, and the version that was seen of it."""

    key: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class BulkPlan:
    """What would be done: to whom, in this order; `refused` maps the others to the reason."""

    kind: CommandKind
    verb: str
    eligible: tuple[Item, ...]
    refused: tuple[tuple[str, str], ...]
    consequence: str

    @property
    def title(self) -> str:
        """Return the question without its mark: Retry 12 signals."""
        return f"{self.verb} {counted(len(self.eligible), _NOUNS[self.kind])}"

    @property
    def scope(self) -> str:
        """Return how many of the marked ones it is done to, and why not to the rest."""
        marked = len(self.eligible) + len(self.refused)
        told = f"{len(self.eligible)} of {marked} marked."
        if not self.refused:
            return told
        reasons = Counter(reason for _, reason in self.refused).most_common()
        lines = [f"  {count} not: {reason}" for reason, count in reasons[:REASONS_SHOWN]]
        if len(reasons) > REASONS_SHOWN:
            lines.append(f"  {sum(count for _, count in reasons[REASONS_SHOWN:])} not, for other reasons")
        return "\n".join((told, *lines))

    def typed_word(self, mode: Mode | None) -> str | None:
        """Return the word that has to be typed before it is done, or None if a key is enough. Unknown counts as LIVE."""
        if len(self.eligible) <= TYPED_ABOVE or mode not in (Mode.LIVE, None):
            return None
        return f"{self.verb.upper()} {len(self.eligible)}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a plan: the keys that it was done to, and those refused with the engine's words; the rest was left."""

    done: frozenset[str]
    refused: tuple[tuple[str, str], ...]
    left: int = 0

    @property
    def told(self) -> str:
        """Return the outcome in a sentence."""
        parts = [f"{len(self.done)} done"]
        if self.refused:
            parts.append(f"{len(self.refused)} refused, still marked: {self.refused[0][1]}")
        if self.left:
            parts.append(f"{self.left} not tried, still marked")
        return "; ".join(parts)


def plan_retry(signals: Iterable[Signal]) -> BulkPlan:
    """Return the plan that puts ended signals back, the oldest first, so that the order of a symbol's signals stays."""
    consequence = "They wait again, with a new time to live, and are gated and routed anew. Orders may follow."
    return _plan_signals(CommandKind.RETRY, "Retry", signals, _not_retried, consequence)


def plan_cancel(signals: Iterable[Signal]) -> BulkPlan:
    """Return the plan that withdraws signals, the oldest first."""
    consequence = (
        "No order goes out for those that wait. Where an order is open at its venue it is cancelled there, now or as soon "
        "as its outcome is known; what is filled by then stays filled. This cannot be taken back."
    )
    return _plan_signals(CommandKind.CANCEL, "Cancel", signals, _not_cancelled, consequence)


def plan_acknowledge(alerts: Iterable[Alert]) -> BulkPlan:
    """Return the plan that acknowledges alerts, the oldest first."""
    by_age = sorted(alerts, key=lambda alert: alert.id)
    reasons = {
        str(alert.id): "" if alert.state is AlertState.ACTIVE else f"{alert.state.value} already" for alert in by_age
    }
    return BulkPlan(
        CommandKind.ACKNOWLEDGE,
        "Acknowledge",
        tuple(Item(key) for key, reason in reasons.items() if not reason),
        tuple((key, reason) for key, reason in reasons.items() if reason),
        "They stay open until they clear, and no longer stand out.",
    )


async def carry_out(plan: BulkPlan, bridge: Bridge, told: Callable[[int], None]) -> Outcome:
    """Make the wish for one after the other; `told` hears how many have been answered.

    One refusal does not stop the others. An engine that is not there does: the rest is left.
    """
    done: set[str] = set()
    refused: list[tuple[str, str]] = []
    for at, item in enumerate(plan.eligible):
        told(at)
        try:
            answer = await bridge.wish(plan.kind, item.key, expected_version=item.version)
        except NotThere as silence:
            refused.append((item.key, str(silence)))
            return Outcome(frozenset(done), tuple(refused), len(plan.eligible) - at - 1)
        except SignalDeckError as refusal:
            refused.append((item.key, str(refusal) or type(refusal).__name__))
            continue
        if answer.state is CommandState.DONE:
            done.add(item.key)
        else:
            refused.append((item.key, answer.result or answer.state.value))
    return Outcome(frozenset(done), tuple(refused))


_NOUNS: Final = {
    CommandKind.RETRY: "signal",
    CommandKind.CANCEL: "signal",
    CommandKind.ACKNOWLEDGE: "alert",
}
_WORDS: Final = {
    SignalState.NEW: "waits already",
    SignalState.WAITING: "waits already",
    SignalState.EXECUTING: "an order is under way; one whose outcome is unknown is looked up, never sent again",
    SignalState.NEEDS_REVIEW: "needs a review: name its order (A) or declare that there is none (B)",
    SignalState.DONE: "done already",
}


def _plan_signals(
    kind: CommandKind, verb: str, signals: Iterable[Signal], objection: Callable[[Signal], str], consequence: str
) -> BulkPlan:
    by_age: Sequence[Signal] = sorted(signals, key=lambda signal: signal.seq)
    reasons = [(signal, objection(signal)) for signal in by_age]
    return BulkPlan(
        kind,
        verb,
        tuple(Item(signal.id, _version(kind, signal)) for signal, reason in reasons if not reason),
        tuple((signal.id, reason) for signal, reason in reasons if reason),
        consequence,
    )


def _version(kind: CommandKind, signal: Signal) -> int | None:
    """Return the version that a wish insists on. A cancel insists on none: waiting signals are looked at all the time."""
    return None if kind is CommandKind.CANCEL else signal.version


def not_retried(state: SignalState) -> str:
    """Return why a signal in this state cannot be retried, the empty text if it can."""
    if state in RETRYABLE_SIGNALS:
        return ""
    return _WORDS.get(state, f"{state.value}: only what failed, expired or was rejected can be retried")


def not_cancelled(state: SignalState, *, is_noted: bool) -> str:
    """Return why a signal in this state cannot be cancelled, the empty text if it can; `is_noted`: it was asked before."""
    if state is SignalState.NEEDS_REVIEW:
        return _WORDS[SignalState.NEEDS_REVIEW]
    if state not in OPEN_SIGNALS:
        return f"{state.value}: nothing left to cancel"
    return "its cancel is noted already" if is_noted else ""


def _not_retried(signal: Signal) -> str:
    return not_retried(signal.state)


def _not_cancelled(signal: Signal) -> str:
    return not_cancelled(signal.state, is_noted=signal.cancel_requested)
