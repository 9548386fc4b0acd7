"""The numbers that hold: lines of a function, lines of a file, parameters, lines of a conftest."""

from __future__ import annotations

from tests.house.sources import EVERYTHING, PRODUCT, ROOT, Function, sources

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
CONFTEST_LINES_MAX = 80
PARAMETERS_MAX = 5


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{source.path}:{f.lineno} {f.name} has {lines} lines"
        for source in sources(*EVERYTHING)
        for f in source.functions()
        if (lines := (f.end_lineno or f.lineno) - f.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert not long, "\n".join(long)


def test_no_file_is_longer_than_anybody_reads() -> None:
    long = [f"{s.path} has {len(s.lines)} lines" for s in sources(*EVERYTHING) if len(s.lines) > FILE_LINES_MAX]
    assert not long, "\n".join(long)


def test_a_conftest_is_short() -> None:
    assert not [p for p in ROOT.glob("tests/**/conftest.py") if len(p.read_text().splitlines()) > CONFTEST_LINES_MAX]


def test_who_needs_many_parameters_takes_a_value() -> None:
    many = [
        f"{source.path}:{f.lineno} {f.name} takes {count}"
        for source in sources(*PRODUCT)
        for f in source.functions()
        if (count := _parameters(f)) > PARAMETERS_MAX and "PLR0913 - " not in source.lines[f.lineno - 1]
    ]
    assert not many, "\n".join(many)


def _parameters(f: Function) -> int:
    names = [a.arg for a in (*f.args.posonlyargs, *f.args.args, *f.args.kwonlyargs)]
    return len(names) - (1 if names and names[0] in {"self", "cls"} else 0)
