"""The words of the house: names that say something, docstrings where they are due, reasons beside exceptions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePath

from tests.house.sources import EVERYTHING, PRODUCT, Source, sources

EMPTY_WORDS = frozenset(
    {"manager", "helper", "helpers", "util", "utils", "common", "misc", "data", "info", "process", "do"}
)
# A level's own name, a pragma's, and a method that Textual calls by this name.
FOREIGN_NAMES = frozenset({"INFO", "info", "_data_version", "action_suspend_process"})
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|Not" + r"Implemented(Error)?)\b")
NOQA = re.compile(r"#\s*noqa\b(?P<codes>:\s*[A-Z]+[0-9]+(,\s*[A-Z]+[0-9]+)*)?(?P<rest>.*)")
IGNORE = re.compile(r"#\s*type:\s*ignore(?P<codes>\[[a-z-]+(,\s*[a-z-]+)*\])?(?P<rest>.*)")


def test_no_name_says_nothing() -> None:
    empty = [
        f"{source.path}:{line} {name}"
        for source in sources(*EVERYTHING)
        for name, line in _defined(source)
        if name not in FOREIGN_NAMES
        and not name.startswith("test_")
        and EMPTY_WORDS & {word.lower() for word in WORD.findall(name)}
    ]
    assert not empty, "\n".join(empty)


def _defined(source: Source) -> Iterator[tuple[str, int]]:
    yield PurePath(source.path).stem, 1
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno


def test_every_module_public_class_and_public_function_says_what_it_is() -> None:
    silent = [
        f"{source.path}:{getattr(node, 'lineno', 1)} {getattr(node, 'name', 'the module')}"
        for source in sources(*PRODUCT)
        for node in _owing_docstrings(source)
        if not ast.get_docstring(node)
    ]
    assert not silent, "\n".join(silent)


def _owing_docstrings(source: Source) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    if source.text.strip():
        yield source.tree
    for node in source.tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        # An enum's members carry comments, a plain error's name says it all.
        if not isinstance(node, ast.ClassDef) or not _explains_itself(node):
            yield node


def _explains_itself(node: ast.ClassDef) -> bool:
    bases = {ast.unparse(base) for base in node.bases}
    is_plain_error = any(base.endswith("Error") for base in bases)
    is_enum = any(base.endswith("Enum") for base in bases)
    fields = [s for s in node.body if isinstance(s, ast.AnnAssign)]
    return is_enum or is_plain_error or (len(fields) == len(node.body) and len(fields) <= 2)


def test_every_lint_exception_carries_its_reason() -> None:
    bare = []
    for source in sources(*EVERYTHING):
        for number, line in enumerate(source.lines, start=1):
            for pattern, opening in ((NOQA, "- "), (IGNORE, "# ")):
                found = pattern.search(_comment_of(line))
                reason = found["rest"].strip() if found else ""
                if found and not (found["codes"] and reason.startswith(opening) and len(reason) > 6):
                    bare.append(f"{source.path}:{number} {line.strip()}")
    assert not bare, "\n".join(bare)


def _comment_of(line: str) -> str:
    """Return what follows the last # that begins a lint exception outside quotes, as far as one line can tell."""
    at = max(line.find("# noqa"), line.find("# type: ignore"))
    return "" if at < 0 or line[:at].count('"') % 2 or line[:at].count("'") % 2 else line[at:]


def test_nothing_is_left_unfinished() -> None:
    open_ends = [
        f"{source.path}:{number} {line.strip()}"
        for source in sources(*EVERYTHING)
        for number, line in enumerate(source.lines, start=1)
        if UNFINISHED.search(line)
    ]
    assert not open_ends, "\n".join(open_ends)


def test_tests_are_called_by_sentences() -> None:
    short = [
        f"{source.path}:{f.lineno} {f.name}"
        for source in sources("tests")
        for f in source.functions()
        if f.name.startswith("test_") and f.name.count("_") < 3
    ]
    assert not short, "\n".join(short)
