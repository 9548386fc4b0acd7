"""The README's picture of the two lives, drawn from their tables.

`python -m tests.support.life_picture` writes it between the README's marks; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

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

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- life:begin -->", "<!-- life:end -->"

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


def between_marks(readme: str) -> str:
    """Return what the README has between its marks."""
    return readme.partition(BEGIN)[2].partition(END)[0].strip()


def main() -> None:
    """Write the picture into the README."""
    text = README.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    README.write_text(f"{head}{BEGIN}\n\n{picture()}\n\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
