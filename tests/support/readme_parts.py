"""The README's parts that are made from tables: the picture of the two lives, the venues, what each outcome is taken for.

`python -m tests.support.readme_parts` writes them between the README's marks; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from engine.core.account import venue_facts
from engine.core.lifecycle import (
    ATTEMPT_LIFE,
    FINAL_ATTEMPTS,
    FINAL_SIGNALS,
    SIGNAL_LIFE,
    AttemptState,
    AttemptStep,
    SignalState,
    SignalStep,
)
from engine.exchanges.ccxt_live.quirks import QUIRKS
from tests.support.venue.table import ROWS, VENUES, Row

README = Path(__file__).resolve().parents[2] / "README.md"

State = TypeVar("State", bound=StrEnum)
Step = TypeVar("Step", bound=StrEnum)


def picture() -> str:
    """Return both lives as the README shows them."""
    signal = _diagram(SIGNAL_LIFE, SignalState.NEW, FINAL_SIGNALS, SignalStep.BREAK_PROOF)
    attempt = _diagram(ATTEMPT_LIFE, AttemptState.INTENT, FINAL_ATTEMPTS, AttemptStep.BREAK_PROOF)
    return f"A signal:\n\n{signal}\n\nAn attempt, of which a signal has at most one alive:\n\n{attempt}"


def _diagram(life: Mapping[tuple[State, Step], State], first: State, final: frozenset[State], alarm: Step) -> str:
    moves: dict[tuple[str, str], list[str]] = {}
    for (state, step), to in life.items():
        if step is not alarm:
            moves.setdefault((state.value, to.value), []).append(step.value)
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first.value}"]
    lines += [f"    {state} --> {to}: {', '.join(steps)}" for (state, to), steps in moves.items()]
    lines += [f"    {state} --> [*]" for state in sorted(s.value for s in final)]
    broken = sorted({state.value for (state, step) in life if step is alarm})
    target = next(to.value for (_, step), to in life.items() if step is alarm)
    told = f"Should an order appear after all that was proven not to be there, {', '.join(broken)} go to {target}."
    return "\n".join([*lines, "```", "", told])


def venues() -> str:
    """Return what each venue with a row of its own can prove, as `signaldeck doctor` tells it."""
    facts = {name: venue_facts(quirk.capabilities) for name, quirk in QUIRKS.items()}
    rows = (
        (
            name,
            it.fence,
            it.id_scope,
            "by our id" if it.lookup_by_client_id else "in lists",
            _yes(it.verified),
            it.when_lost,
        )
        for name, it in facts.items()
    )
    return _table(("venue", "fence", "ids unique", "orders found", "verified", "when an answer is lost, it"), rows)


def outcomes() -> str:
    """Return what is made of every way in which an order's call can end."""
    rows = ((row.fault, *(_outcome(row, venue) for venue in VENUES)) for row in ROWS)
    return _table(("what happens to the call", *VENUES), rows)


def _outcome(row: Row, venue: str) -> str:
    orders = ("none", "one", "two")[row.orders[venue]]
    return f"{orders} exists; {row.outcomes[venue]}: **{row.taken[venue]}**"


def _yes(it: bool) -> str:
    return "yes" if it else "no"


def _table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("<", "&lt;") for cell in line) + " |" for line in lines)


PARTS: Final[Mapping[str, Callable[[], str]]] = {"life": picture, "venues": venues, "outcomes": outcomes}


def marks(part: str) -> tuple[str, str]:
    """Return what stands before and after a part in the README."""
    return f"<!-- {part}:begin -->", f"<!-- {part}:end -->"


def between_marks(readme: str, part: str) -> str:
    """Return what the README has between a part's marks."""
    begin, end = marks(part)
    return readme.partition(begin)[2].partition(end)[0].strip()


def main() -> None:
    """Write all parts into the README."""
    text = README.read_text(encoding="utf-8")
    for part, made in PARTS.items():
        begin, end = marks(part)
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}\n\n{made()}\n\n{end}{rest.partition(end)[2]}"
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
