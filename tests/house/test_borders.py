"""What must not cross a border: formatted SQL, transactions that upgrade, the screen in the engine, this machine's paths."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator

from tests.house.sources import EVERYTHING, PRODUCT, ROOT, sources

RUNNERS = frozenset({"execute", "executemany", "executescript", "execute_fetchall", "execute_insert"})
READERS_FILE = "engine/sqlite/reader.py"  # its connection cannot write, so there is nothing to upgrade to
SCREEN = ("textual", "plotext", "tui")
# Spelt in halves, or this file would hold what it forbids.
MACHINE_PATHS = ("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/")
MARKET_FOLDER = "market" + "-data"


def test_no_sql_is_made_of_pieces() -> None:
    made = [
        f"{source.path}:{call.lineno} {ast.unparse(call)[:80]}"
        for source in sources("engine", "tui")
        for call in _runs_of_sql(source.tree)
        if _is_made(call.args[0])
    ]
    assert not made, "\n".join(made)


def _is_made(text: ast.expr) -> bool:
    """Say whether a statement is put together. A pragma takes no parameters, so its value must be."""
    if isinstance(text, ast.JoinedStr):
        first = text.values[0] if text.values else None
        return not (isinstance(first, ast.Constant) and str(first.value).startswith("PRAGMA "))
    if isinstance(text, ast.Call):
        return ast.unparse(text.func).endswith(".format")
    return isinstance(text, ast.BinOp)


def _runs_of_sql(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in RUNNERS
            and node.args
        ):
            yield node


def test_only_a_read_only_connection_begins_without_the_write_lock() -> None:
    bare = [
        f"{source.path}:{node.lineno} {node.value[:40]!r}"
        for source in sources(*PRODUCT)
        if source.path != READERS_FILE
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.strip().rstrip(";").upper() in {"BEGIN", "BEGIN TRANSACTION", "BEGIN DEFERRED"}
    ]
    assert not bare, "\n".join(bare)


def test_the_whole_engine_is_imported_without_a_screen() -> None:
    program = (
        "import importlib, json, pkgutil, sys, engine\n"
        "for m in pkgutil.walk_packages(engine.__path__, 'engine.'):\n"
        "    if not m.name.endswith('__main__'): importlib.import_module(m.name)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {name.partition(".")[0] for name in json.loads(ran.stdout)}
    assert not loaded & set(SCREEN)


def test_no_file_knows_the_machine_that_it_was_written_on() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True, cwd=ROOT)
    knowing = []
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        knowing += [f"{name}: {word}" for word in MACHINE_PATHS if word in text]
    assert not knowing, "\n".join(knowing)


def test_one_file_alone_names_the_folder_of_market_prices() -> None:
    naming = [source.path for source in sources(*EVERYTHING) if MARKET_FOLDER in source.text]
    assert naming == ["tests/support/market_files.py"]
