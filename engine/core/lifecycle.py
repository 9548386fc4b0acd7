"""The two lives, a signal's and an attempt's: every state, every step, every legal move.

Everything else that needs to know them (final states, the database's guards, the README's picture, the tests) is
derived from the two tables here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from engine.core.errors import IllegalStep


class SignalState(StrEnum):
    NEW = "new"  # durable, never looked at; the dispatcher moves it on
    WAITING = "waiting"  # held back for a reason that time or an operator can lift; the dispatcher asks again at due_at
    EXECUTING = "executing"  # it has a live attempt; only the attempt's end moves it on
    DONE = "done"  # its order was filled, wholly or as far as it ever will be
    EXPIRED = "expired"  # its time ran out before an order was out
    CANCELLED = "cancelled"  # an operator withdrew it, or a newer signal took its place
    REJECTED = "rejected"  # a gate or the venue refused it for a reason that time cannot lift
    FAILED = "failed"  # its attempts are used up, each proven not to be an order
    NEEDS_REVIEW = "needs_review"  # nobody can prove what became of its order; a person decides


class SignalStep(StrEnum):
    DISPATCH = "dispatch"  # an intent was committed
    POSTPONE = "postpone"  # a gate said no for now
    REQUEUE = "requeue"  # the attempt is proven to be no order; try again at due_at
    COMPLETE = "complete"  # the order is filled or closed with a part filled
    EXPIRE = "expire"  # the time ran out
    CANCEL = "cancel"  # an operator's wish
    SUPERSEDE = "supersede"  # a newer signal for the same symbol and source
    REJECT = "reject"  # refused for good
    FAIL = "fail"  # no attempts left
    ESCALATE = "escalate"  # to a person
    RETRY = "retry"  # an operator puts it back, with a fresh expiry
    ATTACH = "attach"  # an operator says which order it was, and that order is still open
    BREAK_PROOF = "break_proof"  # an order appeared that was proven not to be there


_S, _T = SignalState, SignalStep

SIGNAL_LIFE: Final[Mapping[tuple[SignalState, SignalStep], SignalState]] = {
    (_S.NEW, _T.DISPATCH): _S.EXECUTING,
    (_S.NEW, _T.POSTPONE): _S.WAITING,
    (_S.NEW, _T.EXPIRE): _S.EXPIRED,
    (_S.NEW, _T.CANCEL): _S.CANCELLED,
    (_S.NEW, _T.SUPERSEDE): _S.CANCELLED,
    (_S.NEW, _T.REJECT): _S.REJECTED,
    (_S.NEW, _T.ESCALATE): _S.NEEDS_REVIEW,  # it crashed its worker three times
    (_S.WAITING, _T.DISPATCH): _S.EXECUTING,
    (_S.WAITING, _T.POSTPONE): _S.WAITING,
    (_S.WAITING, _T.EXPIRE): _S.EXPIRED,
    (_S.WAITING, _T.CANCEL): _S.CANCELLED,
    (_S.WAITING, _T.SUPERSEDE): _S.CANCELLED,
    (_S.WAITING, _T.REJECT): _S.REJECTED,
    (_S.WAITING, _T.ESCALATE): _S.NEEDS_REVIEW,
    (_S.EXECUTING, _T.REQUEUE): _S.WAITING,
    (_S.EXECUTING, _T.COMPLETE): _S.DONE,
    (_S.EXECUTING, _T.EXPIRE): _S.EXPIRED,
    (_S.EXECUTING, _T.CANCEL): _S.CANCELLED,  # the flag was set earlier; the attempt has just ended
    (_S.EXECUTING, _T.REJECT): _S.REJECTED,
    (_S.EXECUTING, _T.FAIL): _S.FAILED,
    (_S.EXECUTING, _T.ESCALATE): _S.NEEDS_REVIEW,
    (_S.NEEDS_REVIEW, _T.COMPLETE): _S.DONE,
    (_S.NEEDS_REVIEW, _T.REQUEUE): _S.WAITING,
    (_S.NEEDS_REVIEW, _T.FAIL): _S.FAILED,
    (_S.NEEDS_REVIEW, _T.ATTACH): _S.EXECUTING,
    (_S.FAILED, _T.RETRY): _S.WAITING,
    (_S.EXPIRED, _T.RETRY): _S.WAITING,
    (_S.REJECTED, _T.RETRY): _S.WAITING,
    (_S.DONE, _T.BREAK_PROOF): _S.NEEDS_REVIEW,
    (_S.WAITING, _T.BREAK_PROOF): _S.NEEDS_REVIEW,
    (_S.EXECUTING, _T.BREAK_PROOF): _S.NEEDS_REVIEW,
    (_S.EXPIRED, _T.BREAK_PROOF): _S.NEEDS_REVIEW,
    (_S.CANCELLED, _T.BREAK_PROOF): _S.NEEDS_REVIEW,
    (_S.REJECTED, _T.BREAK_PROOF): _S.NEEDS_REVIEW,
    (_S.FAILED, _T.BREAK_PROOF): _S.NEEDS_REVIEW,
}


class AttemptState(StrEnum):
    INTENT = "intent"  # committed, perhaps sent; the trader that owns it moves it on
    ACCEPTED = "accepted"  # the venue has the order and it is open; fills and cancels move it on
    UNKNOWN = "unknown"  # sent, perhaps, and no answer that proves anything; only the reconciler moves it on
    REVIEW = "review"  # beyond proof; only an operator moves it on
    FILLED = "filled"  # the whole quantity was traded
    PARTIAL_CLOSED = "partial_closed"  # closed by the venue with a part traded
    NOT_SENT = "not_sent"  # proven: no byte left this machine
    REJECTED = "rejected"  # proven: the venue refused it
    ABSENT = "absent"  # proven: the venue never had it and can never accept it
    CANCELED = "canceled"  # closed by the venue with nothing traded


class AttemptStep(StrEnum):
    ACKNOWLEDGE = "acknowledge"  # the venue's answer names the order
    FILL = "fill"  # the last part was traded
    FILL_PART = "fill_part"  # a part was traded, the rest is open
    CLOSE_PART = "close_part"  # the venue closed it with a part traded
    CLOSE_EMPTY = "close_empty"  # the venue closed it with nothing traded
    CATCH_UP = "catch_up"  # a trade of it became known after its end
    REFUSE = "refuse"  # a definite refusal
    STAY = "stay"  # refused here before any byte was sent
    LOSE_ANSWER = "lose_answer"  # timeout, reset, garbage, cancellation: anything that proves nothing
    ORPHAN = "orphan"  # a later engine found it without an owner
    FIND = "find"  # a lookup found the order, open
    FIND_FILLED = "find_filled"
    FIND_PART = "find_part"
    FIND_EMPTY = "find_empty"
    FIND_REFUSED = "find_refused"
    PROVE_ABSENT = "prove_absent"  # repeated not-found after the venue's own deadline
    ESCALATE = "escalate"  # no proof is to be had
    ATTACH = "attach"  # an operator names the order: open
    ATTACH_FILLED = "attach_filled"  # an operator names the order: filled
    DECLARE_ABSENT = "declare_absent"  # an operator answers for it that there is none
    BREAK_PROOF = "break_proof"  # an order appeared after its end was proven


_A, _P = AttemptState, AttemptStep

ATTEMPT_LIFE: Final[Mapping[tuple[AttemptState, AttemptStep], AttemptState]] = {
    (_A.INTENT, _P.STAY): _A.NOT_SENT,
    (_A.INTENT, _P.ACKNOWLEDGE): _A.ACCEPTED,
    (_A.INTENT, _P.FILL): _A.FILLED,
    (_A.INTENT, _P.CLOSE_PART): _A.PARTIAL_CLOSED,
    (_A.INTENT, _P.REFUSE): _A.REJECTED,
    (_A.INTENT, _P.LOSE_ANSWER): _A.UNKNOWN,
    (_A.INTENT, _P.ORPHAN): _A.UNKNOWN,
    (_A.UNKNOWN, _P.FIND): _A.ACCEPTED,
    (_A.UNKNOWN, _P.FIND_FILLED): _A.FILLED,
    (_A.UNKNOWN, _P.FIND_PART): _A.PARTIAL_CLOSED,
    (_A.UNKNOWN, _P.FIND_EMPTY): _A.CANCELED,
    (_A.UNKNOWN, _P.FIND_REFUSED): _A.REJECTED,
    (_A.UNKNOWN, _P.PROVE_ABSENT): _A.ABSENT,
    (_A.UNKNOWN, _P.ESCALATE): _A.REVIEW,
    (_A.REVIEW, _P.ATTACH): _A.ACCEPTED,
    (_A.REVIEW, _P.ATTACH_FILLED): _A.FILLED,
    (_A.REVIEW, _P.DECLARE_ABSENT): _A.ABSENT,
    (_A.ACCEPTED, _P.FILL_PART): _A.ACCEPTED,
    (_A.ACCEPTED, _P.FILL): _A.FILLED,
    (_A.ACCEPTED, _P.CLOSE_PART): _A.PARTIAL_CLOSED,
    (_A.ACCEPTED, _P.CLOSE_EMPTY): _A.CANCELED,
    (_A.ACCEPTED, _P.ESCALATE): _A.REVIEW,
    (_A.FILLED, _P.CATCH_UP): _A.FILLED,
    (_A.PARTIAL_CLOSED, _P.CATCH_UP): _A.PARTIAL_CLOSED,
    (_A.NOT_SENT, _P.BREAK_PROOF): _A.REVIEW,
    (_A.REJECTED, _P.BREAK_PROOF): _A.REVIEW,
    (_A.ABSENT, _P.BREAK_PROOF): _A.REVIEW,
    (_A.CANCELED, _P.BREAK_PROOF): _A.REVIEW,
    (_A.FILLED, _P.BREAK_PROOF): _A.REVIEW,
    (_A.PARTIAL_CLOSED, _P.BREAK_PROOF): _A.REVIEW,
}

OPEN_SIGNALS: Final = frozenset({SignalState.NEW, SignalState.WAITING, SignalState.EXECUTING, SignalState.NEEDS_REVIEW})
DUE_SIGNALS: Final = frozenset({SignalState.NEW, SignalState.WAITING})
RETRYABLE_SIGNALS: Final = frozenset(s for (s, step) in SIGNAL_LIFE if step is SignalStep.RETRY)
FINAL_SIGNALS: Final = frozenset(SignalState) - OPEN_SIGNALS

LIVE_ATTEMPTS: Final = frozenset(
    {AttemptState.INTENT, AttemptState.UNKNOWN, AttemptState.ACCEPTED, AttemptState.REVIEW}
)
# At most one attempt of a signal is ever in one of these: the database holds a partial unique index on them.
LIVE_OR_DONE_ATTEMPTS: Final = LIVE_ATTEMPTS | {AttemptState.FILLED, AttemptState.PARTIAL_CLOSED}
FINAL_ATTEMPTS: Final = frozenset(AttemptState) - LIVE_ATTEMPTS
NO_ORDER: Final = frozenset({AttemptState.NOT_SENT, AttemptState.REJECTED, AttemptState.ABSENT})  # proven
SUCCESSFUL_ATTEMPTS: Final = frozenset({AttemptState.ACCEPTED, AttemptState.FILLED, AttemptState.PARTIAL_CLOSED})


def advance_signal(state: SignalState, step: SignalStep) -> SignalState:
    """Return the state that `step` leads to. Raises IllegalStep if there is none."""
    try:
        return SIGNAL_LIFE[state, step]
    except KeyError:
        raise IllegalStep("signal", state, step) from None


def advance_attempt(state: AttemptState, step: AttemptStep) -> AttemptState:
    """Return the state that `step` leads to. Raises IllegalStep if there is none."""
    try:
        return ATTEMPT_LIFE[state, step]
    except KeyError:
        raise IllegalStep("attempt", state, step) from None
