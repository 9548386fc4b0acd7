"""`python -m tests.bench [NAME ...] [--json] [--quick]`: runs the benchmarks and prints figures beside their targets."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

import tests.bench
from tests.bench.figure import Figure

Run = Callable[[bool], list[Figure]]


def benchmarks() -> dict[str, Run]:
    """Return the `run` of every module here that has one, by the module's name."""
    found = {}
    for module in sorted(pkgutil.iter_modules(tests.bench.__path__), key=lambda m: m.name):
        if module.name.startswith("_"):
            continue
        run = getattr(importlib.import_module(f"tests.bench.{module.name}"), "run", None)
        if callable(run):
            found[module.name] = run
    return found


def measure(chosen: Sequence[str], *, quick: bool) -> Iterator[tuple[str, Figure]]:
    """Yield each figure as soon as it is known, with its benchmark's name."""
    for name, run in benchmarks().items():
        if not chosen or name in chosen:
            for figure in run(quick):
                yield name, figure


def line(benchmark: str, figure: Figure) -> str:
    """Return a figure as one line of the table."""
    verdict = {True: "met", False: "MISSED", None: ""}[figure.met]
    value = f"{figure.value:,.4g} {figure.unit}"
    return f"{benchmark:14} {figure.name:44} {value:>18}  {figure.target:24} {verdict:7} {figure.detail}".rstrip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns 1 if a target was missed, 2 for a name that is none."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure what was promised.")
    parser.add_argument("names", nargs="*", help="only these benchmarks")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--quick", action="store_true", help="shorter runs, rougher figures")
    options = parser.parse_args(arguments)
    known = benchmarks()
    if unknown := set(options.names) - known.keys():
        print(f"no benchmark is called {min(unknown)}; known: {', '.join(known)}", file=sys.stderr)
        return 2
    figures = []
    for name, figure in measure(options.names, quick=options.quick):
        figures.append((name, figure))
        if not options.json:
            print(line(name, figure), flush=True)
    if options.json:
        print(json.dumps({"figures": [{"benchmark": name, **asdict(figure)} for name, figure in figures]}, indent=2))
    return 1 if any(figure.met is False for _, figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
