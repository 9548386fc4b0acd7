"""`signaldeck config check`: whatever would fail later is told at once, with file, line, key and fix."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import ROOT, Shell, a_shell

FEED = '[market]\nsource = "ccxt"\n[[market.feeds]]\nexchange = "kraken"\nsymbols = ["BTC/USD"]\n'
PAPER = '[[traders]]\nname = "a"\n'
REAL = '[[traders]]\nname = "b"\nexchange = "kraken"\napi_key_env = "K"\nsecret_env = "S"\n'


def a_file(folder: Path, text: str) -> Path:
    path = folder / "deck.toml"
    path.write_text(text)
    return path


def told(shell: Shell, path: Path) -> list[str]:
    """Return what the check complains of, a fault a line."""
    ran = shell("config", "check", "--config", path)
    assert ran.code == 2, ran.out
    assert not ran.out
    return [line.removeprefix("signaldeck: ") for line in ran.err.splitlines()]


def test_a_theme_that_nobody_has_is_refused_with_its_line(tmp_path: Path) -> None:
    path = a_file(tmp_path, '\n[dashboard]\ntheme = "pink"\n')
    [complaint] = told(a_shell(tmp_path), path)
    assert complaint.startswith(f"{path}:3: dashboard.theme: there is no theme 'pink'; known: ")
    assert "high-contrast" in complaint
    path.write_text('[dashboard]\ntheme = "calm-drak"\n')
    assert told(a_shell(tmp_path), path) == [
        f"{path}:2: dashboard.theme: there is no theme 'calm-drak'; did you mean 'calm-dark'?"
    ]


def test_a_theme_of_one_s_own_is_good_and_one_that_is_broken_says_why(tmp_path: Path) -> None:
    path, own = a_file(tmp_path, '[dashboard]\ntheme = "pink"\n'), tmp_path / "themes" / "pink.toml"
    own.parent.mkdir()
    shipped = (ROOT / "themes" / "calm-dark.toml").read_text()
    own.write_text(shipped.replace('"calm-dark"', '"pink"'))
    assert a_shell(tmp_path)("config", "check", "--config", path).code == 0
    own.write_text("nonsense")
    [complaint] = told(a_shell(tmp_path), path)
    assert f"in {own.parent}, pink.toml: not TOML" in complaint


def test_a_theme_in_the_environment_is_told_by_the_variable(tmp_path: Path) -> None:
    ran = a_shell(tmp_path, SIGNALDECK_DASHBOARD__THEME="pink")("config", "check")
    assert ran.code == 2
    assert "environment variable SIGNALDECK_DASHBOARD__THEME: dashboard.theme" in ran.err


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (FEED.replace("kraken", "krakn") + PAPER, "4: market.feeds[0].exchange"),
        ('[market]\nsource = "ccxt"\nexchange = "krakn"\nsymbols = ["BTC/USD"]\n' + PAPER, "3: market.exchange"),
        (FEED + PAPER + REAL.replace("kraken", "krakn"), "10: traders[1].exchange"),
    ],
)
def test_an_exchange_that_ccxt_does_not_know_is_refused_with_its_line(tmp_path: Path, text: str, place: str) -> None:
    path = a_file(tmp_path, text.replace("krakn", "kraken"))
    assert a_shell(tmp_path)("config", "check", "--config", path).code == 0
    path.write_text(text)
    [complaint] = told(a_shell(tmp_path), path)
    assert complaint == f"{path}:{place}: ccxt knows no exchange 'krakn'; did you mean 'kraken'?"


def test_a_start_refuses_an_unknown_exchange_in_the_same_words_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = a_file(tmp_path, FEED.replace("kraken", "krakn") + PAPER)
    ran = a_shell(tmp_path)("run", "--headless", "--config", path, "--db", tmp_path / "z.sqlite")
    assert (ran.code, ran.err) == (2, a_shell(tmp_path)("config", "check", "--config", path).err)
    assert not list(tmp_path.glob("z.sqlite*"))


def test_looking_for_an_exchange_does_not_import_ccxt(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys\nfrom engine.config import load\n"
        f"load(pathlib.Path({str(a_file(tmp_path, FEED + PAPER))!r}), {{}})\n"
        "print([name for name in sys.modules if name.startswith('ccxt')])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout == "[]\n"
