"""One measured figure, and the target that it has to meet, if it has one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """`target` is text such as "<= 1.2x", empty where there is none; `met` None means that there is nothing to meet."""

    name: str
    value: float
    unit: str
    target: str = ""
    met: bool | None = None
    detail: str = ""
