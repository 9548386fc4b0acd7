"""Which request meets which fault: scripted ones first, then what the storm draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random  # noqa: TID251 - the type of what the seed gives
from typing import Any, Final

from engine.clock import SeededChance
from tests.support.venue.faults import FAULTS, Fault, fault_of
from tests.support.venue.wire import Call, Kind

ANY: Final = "any"


@dataclass(slots=True)
class Script:
    """The next `times` requests of a kind meet a fault; None: all until the script is cleared.

    Only those that carry the text `holding` count, in their path or their body.
    """

    kind: str
    name: str
    fault: Fault
    times: int | None
    holding: str = ""

    def fits(self, kind: Kind, call: Call) -> bool:
        return self.kind in {kind, ANY} and (self.holding in call.target or self.holding in call.body)


@dataclass(frozen=True, slots=True)
class Storm:
    """Each request of the kinds (empty: every kind) meets a fault with the probability `rate`, drawn by weight."""

    dice: Random
    rate: float
    mix: tuple[tuple[str, Fault, float], ...]
    kinds: frozenset[str]

    def draw(self, kind: Kind) -> tuple[str, Fault] | None:
        """Draw one request's fate. Every request draws twice, so that one changed rate leaves the rest as it was."""
        strikes, which = self.dice.random(), self.dice.random() * sum(weight for _, _, weight in self.mix)
        if strikes >= self.rate or (self.kinds and kind not in self.kinds):
            return None
        for name, fault, weight in self.mix:
            which -= weight
            if which < 0:
                return name, fault
        name, fault, _ = self.mix[-1]
        return name, fault


class Plan:
    """The faults to come. Steered by the control plane, asked once per request."""

    def __init__(self) -> None:
        self._scripts: list[Script] = []
        self._storm: Storm | None = None

    def script(self, kind: str, fault: str | Mapping[str, Any], times: int | None, holding: str = "") -> None:
        """Line up a fault behind the ones before it. Raises KeyError, TypeError or ValueError for what is unknown."""
        name, found = fault_of(fault)
        self._scripts.append(Script(kind if kind == ANY else Kind(kind), name, found, times, holding))

    def clear(self) -> None:
        """Forget every script; a storm goes on."""
        self._scripts.clear()

    def begin_storm(self, seed: int, rate: float, mix: Mapping[str, float], kinds: Sequence[str]) -> None:
        """Let it storm; `mix` gives weights by the names in FAULTS. Raises KeyError or ValueError."""
        weighted = tuple((name, FAULTS[name], float(weight)) for name, weight in mix.items())
        if not weighted:
            raise ValueError("a storm needs faults")
        chosen = frozenset(str(Kind(kind)) for kind in kinds)
        self._storm = Storm(SeededChance(seed).stream("venue/storm"), rate, weighted, chosen)

    def end_storm(self) -> None:
        self._storm = None

    def meet(self, kind: Kind, call: Call) -> tuple[str, Fault] | None:
        """Return what this request meets, and use it up."""
        for script in self._scripts:
            if script.fits(kind, call):
                if script.times is not None:
                    script.times -= 1
                    if script.times <= 0:
                        self._scripts.remove(script)
                return script.name, script.fault
        return self._storm.draw(kind) if self._storm else None

    def pending(self) -> list[dict[str, Any]]:
        """Return the scripts that have not been used up."""
        return [{"kind": s.kind, "fault": s.name, "times": s.times, "holding": s.holding} for s in self._scripts]
