"""Why did this signal trade, or why not: one plain sentence, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from engine.core.board import Story
from engine.core.events import Event, EventKind
from engine.core.lifecycle import LIVE_ATTEMPTS, AttemptState, SignalState
from engine.core.order import Attempt
from engine.core.text import counted
from engine.core.values import Side
from tui.formatting import clock_time, decimal, duration
from tui.sections import mappings, price, said

ENDED_WITHOUT_ORDER: Final = frozenset(
    {AttemptState.NOT_SENT, AttemptState.REJECTED, AttemptState.ABSENT, AttemptState.CANCELED}
)

# What to do when no trader takes a signal, where it is not simply that they are away.
_NO_TRADER: Final[Mapping[str, str]] = {
    "nothing_to_sell": "nothing: a sale needs a position, and nobody holds one",
    "no_trader": "look at each trader's reason below; R hands it in again once one could take it",
    "attempts_used_up": "mend the last error's cause, then R hands it in again",
}


@dataclass(frozen=True, slots=True)
class Why:
    """The answer: a word or two, the sentence, what to do (may be empty), and the style of the answer."""

    word: str
    sentence: str
    remedy: str
    style: str


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What last stood between a signal and a fill. `code` is that of the journal entry which says so."""

    fact: str
    remedy: str = ""
    code: str = ""


def why(story: Story, now: datetime) -> Why:
    """Answer for `story` as it is at `now` (the market's time)."""
    moving = _MOVING.get(story.signal.state)
    return moving(story, now) if moving else _SETTLED[story.signal.state](story)


def obstacle(story: Story) -> Obstacle:
    """Return the newest thing that held the signal back; its fact is empty if nothing did."""
    for event in reversed(story.events):
        found = _obstacle_in(event)
        if found is not None:
            return found
    for attempt in reversed(story.attempts):
        if attempt.state in ENDED_WITHOUT_ORDER:
            return Obstacle(f"attempt {attempt.n} at {said(attempt.trader, 64)} {ending(attempt)}")
    return Obstacle("")


def ending(attempt: Attempt) -> str:
    """Return in a few words how an attempt stands, with the error behind it."""
    words = {
        AttemptState.INTENT: "is on its way",
        AttemptState.ACCEPTED: "is open at the venue",
        AttemptState.UNKNOWN: "may or may not have arrived",
        AttemptState.REVIEW: "is beyond proof",
        AttemptState.FILLED: "was filled",
        AttemptState.PARTIAL_CLOSED: "was filled in part, and closed",
        AttemptState.NOT_SENT: "never left this machine",
        AttemptState.REJECTED: "was refused by the venue",
        AttemptState.ABSENT: "is proven never to have reached the venue",
        AttemptState.CANCELED: "was closed by the venue with nothing traded",
    }[attempt.state]
    error = said(attempt.error_text or attempt.error_code or "")
    return f"{words}: {error}" if error and attempt.state not in {AttemptState.FILLED, AttemptState.ACCEPTED} else words


def rule_name(rule: object) -> str:
    """Return a rule as read: is_within_position_limits becomes within position limits."""
    return said(rule, 64).removeprefix("is_").removeprefix("has_").replace("_", " ")


def _obstacle_in(event: Event) -> Obstacle | None:
    if event.kind is EventKind.GATED:
        for answer in mappings(event.detail.get("answers")):
            if not answer.get("ok") and answer.get("code") != "expired":
                fact = said(answer.get("fact") or answer.get("code") or "no reason was given")
                rule = rule_name(answer.get("rule", "a rule"))
                return Obstacle(
                    f"the gate's rule \u201c{rule}\u201d said no: {fact}", said(answer.get("remedy") or ""), event.code
                )
        considered = mappings(event.detail.get("considered"))
        if considered and not any(c.get("chosen") for c in considered):
            remedy = _NO_TRADER.get(event.code, "bring a trader back: d shows what each one lacks")
            return Obstacle(f"every trader was passed over ({_passed_over(considered)})", remedy, event.code)
    if event.kind is EventKind.ATTEMPT and event.to_state in ENDED_WITHOUT_ORDER:
        text = said(event.detail.get("error") or event.text or event.code)
        return Obstacle(
            f"attempt {event.attempt_n or '?'} at {said(event.trader or '?', 64)} ended {event.to_state}: {text}"
        )
    return None


def _passed_over(considered: Sequence[Mapping[str, object]]) -> str:
    each = [(said(c.get("trader", "?"), 64), said(c.get("why") or "no reason was kept")) for c in considered]
    reasons = {reason for _, reason in each}
    if len(reasons) == 1 and len(each) > 1:
        return f"each of {len(each)}: {reasons.pop()}"
    return "; ".join(f"{trader}: {reason}" for trader, reason in each)


def _reason(story: Story) -> str:
    reason = story.signal.reason
    return _stop(said(reason.text)) or said(reason.code, 64).replace("_", " ")


def _stop(text: str) -> str:
    return text.strip().removesuffix(".")


def _cause(story: Story) -> Obstacle:
    """Return the signal's own reason with the remedy of the obstacle behind it, else the obstacle itself."""
    behind, reason = obstacle(story), _reason(story)
    if not reason:
        return behind if behind.fact else Obstacle("no reason was kept")
    is_the_same = behind.code == story.signal.reason.code != "" or _stop(behind.fact).endswith(reason)
    fact = behind.fact if behind.fact and is_the_same else reason
    return Obstacle(fact, behind.remedy)


def _live(story: Story) -> Attempt | None:
    return next((a for a in reversed(story.attempts) if a.state in LIVE_ATTEMPTS), None)


def _left(then: datetime, now: datetime) -> str:
    gap = (then - now).total_seconds()
    return f"in {duration(gap)}" if gap > 0 else f"{duration(-gap)} ago"


def _new(story: Story, now: datetime) -> Why:
    waited = duration(max(0.0, (now - story.signal.received_at).total_seconds()))
    return Why(
        "Not yet",
        f"It is safe in the store and nobody has looked at it yet; it has waited {waited}.",
        "if this lasts, see whether the engine runs: d shows every gate",
        "$accent",
    )


def _waiting(story: Story, now: datetime) -> Why:
    cause, signal = _cause(story), story.signal
    again = "" if signal.due_at <= now else f" It is asked again {_left(signal.due_at, now)}."
    end = f" Its time runs out {_left(signal.expires_at, now)}."
    return Why("Held back", f"It has not traded so far: {_stop(cause.fact)}.{again}{end}", cause.remedy, "$warning")


def _executing(story: Story, now: datetime) -> Why:
    attempt = _live(story)
    if attempt is None:
        return Why("Executing", f"It is being executed. {_reason(story)}".strip(), "", "$accent")
    trader, of = said(attempt.trader, 64), f"attempt {attempt.n}"
    gone = duration(max(0.0, (now - attempt.intent_at).total_seconds()))
    if attempt.state is AttemptState.UNKNOWN:
        error = _stop(said(attempt.error_text or attempt.error_code or "the answer never came"))
        next_look = f" The next lookup is {_left(attempt.next_probe_at, now)}." if attempt.next_probe_at else ""
        return Why(
            "Unknown",
            f"Its order may or may not have reached {trader} ({of}: {error}). {_lookups(attempt.probes)} so far "
            f"proved nothing.{next_look}",
            "nothing: it is never sent again before the first order is proven not to be there",
            "$warning",
        )
    if attempt.state is AttemptState.ACCEPTED:
        filled = f"{decimal(attempt.filled_quantity)} of {decimal(attempt.request.quantity)} are filled"
        return Why("Order open", f"Its order is open at {trader}: {filled}, {gone} after {of} began.", "", "$accent")
    return Why("Executing", f"Its order is on the way to {trader}: {of} began {gone} ago.", "", "$accent")


def _done(story: Story) -> Why:
    traded = next((a for a in reversed(story.attempts) if a.filled_quantity > 0), None)
    if traded is None:
        return Why("Done", f"It is done: {_reason(story) or 'no order was kept'}.", "", "$ok")
    signal, request = story.signal, traded.request
    verb = "bought" if request.side is Side.BUY else "sold"
    base = said(request.symbol.split("/")[0], 24)
    at = f" at {price(traded.average_price)}" if traded.average_price is not None else ""
    end = signal.ended_at or traded.ended_at
    took = f", {duration((end - signal.received_at).total_seconds())} after it was received" if end else ""
    part = traded.filled_quantity < request.quantity
    of = f" of {decimal(request.quantity)}" if part else ""
    tries = f" It took {len(story.attempts)} attempts." if len(story.attempts) > 1 else ""
    return Why(
        "Traded in part" if part else "Traded",
        f"{said(traded.trader, 64)} {verb} {decimal(traded.filled_quantity)}{of} {base}{at}{took}."
        + (" The venue closed the rest." if part else "")
        + tries,
        "",
        "$ok",
    )


def _expired(story: Story) -> Why:
    signal = story.signal
    life = duration((signal.expires_at - signal.received_at).total_seconds())
    behind = obstacle(story)
    told = _reason(story).partition("until then: ")[2]
    until_then = told or behind.fact or "nobody looked at it: no engine was running, or it was busy"
    return Why(
        "Did not trade",
        f"Its time ran out: it had {life}, until {clock_time(signal.expires_at)}. Until then: {_stop(until_then)}.",
        behind.remedy
        or ("R hands it in again with fresh time" if behind.fact or told else "d shows every gate; R retries"),
        "$muted",
    )


def _cancelled(story: Story) -> Why:
    return Why("Did not trade", f"It was withdrawn: {_reason(story) or 'no reason was kept'}.", "", "$muted")


def _rejected(story: Story) -> Why:
    cause = _cause(story)
    return Why(
        "Did not trade",
        f"It was refused for good: {_stop(cause.fact)}.",
        cause.remedy or "mend the reason, then R hands it in again",
        "$warning",
    )


def _failed(story: Story) -> Why:
    count = len(story.attempts)
    if not count:
        return Why(
            "Did not trade", f"It failed: {_reason(story) or 'no reason was kept'}.", "R hands it in again", "$error"
        )
    last = story.attempts[-1]
    tries = f"all {count} attempts ended without an order" if count > 1 else "its only attempt ended without an order"
    are_proven = all(attempt.state in ENDED_WITHOUT_ORDER for attempt in story.attempts)
    proof = (", each of them proven" if count > 1 else ", and that is proven") if are_proven else ""
    which = "The last one" if count > 1 else "It"
    return Why(
        "Did not trade",
        f"It failed: {tries}{proof}. {which}, at {said(last.trader, 64)}, {_stop(ending(last))}.",
        "mend that cause, then R hands it in again",
        "$error",
    )


def _needs_review(story: Story) -> Why:
    attempt = _live(story) or (story.attempts[-1] if story.attempts else None)
    where = f" at {said(attempt.trader, 64)} ({_lookups(attempt.probes)})" if attempt else ""
    reason = _reason(story) or "no proof is to be had"
    return Why(
        "A person must decide",
        f"Nobody can prove what became of its order{where}: {_stop(reason)}.",
        "look at the venue's own page: A names the order if it is there, B declares that there is none",
        "$error",
    )


def _lookups(count: int) -> str:
    return counted(count, "lookup")


# What is not yet settled is told by the time; what is settled, and what waits for a person, stays as it is.
_MOVING: Final[Mapping[SignalState, Callable[[Story, datetime], Why]]] = {
    SignalState.NEW: _new,
    SignalState.WAITING: _waiting,
    SignalState.EXECUTING: _executing,
}
_SETTLED: Final[Mapping[SignalState, Callable[[Story], Why]]] = {
    SignalState.DONE: _done,
    SignalState.EXPIRED: _expired,
    SignalState.CANCELLED: _cancelled,
    SignalState.REJECTED: _rejected,
    SignalState.FAILED: _failed,
    SignalState.NEEDS_REVIEW: _needs_review,
}
