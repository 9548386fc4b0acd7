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


def test_the_keys_of_one_s_own_are_told_with_their_lines_and_beside_all_other_faults(tmp_path: Path) -> None:
    text = '[dashboard.keys]\n"queue.rety" = "x"\n"*.retry" = "ctrl+i"\n[limits]\nconfidence_mim = 1\n'
    path = a_file(tmp_path, text)
    faults = told(a_shell(tmp_path), path)
    assert [fault.partition(": ")[0] for fault in faults] == [f"{path}:5", f"{path}:2", f"{path}:3"]
    assert "perhaps queue.retry" in faults[1]
    assert "terminals send tab" in faults[2]


def test_a_key_that_is_met_on_many_screens_is_told_by_the_entry_that_names_it(tmp_path: Path) -> None:
    path = a_file(tmp_path, '[dashboard.keys]\n\n"*.retry" = "q"\n')
    faults = told(a_shell(tmp_path), path)
    assert faults
    assert all(fault.startswith(f"{path}:3: [dashboard.keys]") for fault in faults)


def test_an_action_without_quotes_is_told_how_it_is_written(tmp_path: Path) -> None:
    path = a_file(tmp_path, '[dashboard.keys]\nqueue.retry = "x"\n')
    assert told(a_shell(tmp_path), path) == [
        f'{path}:1: dashboard.keys: write the whole action in quotes, such as "queue.retry"'
    ]


@pytest.mark.parametrize("text", ["", "[limits]\npositions_max = 3\n"])
def test_a_variable_of_an_unknown_section_is_told_by_its_name(tmp_path: Path, text: str) -> None:
    [complaint] = told(a_shell(tmp_path, SIGNALDECK_FOO__BAR="1"), a_file(tmp_path, text))
    assert complaint.startswith("environment variable SIGNALDECK_FOO__BAR: foo: unknown key; known here: alerts")


def test_a_misspelt_strategy_is_told_instead_of_what_stands_in_its_table(tmp_path: Path) -> None:
    path = a_file(tmp_path, "[strategies.fast_scalpin]\nx = 1\n[strategies.fast_scalping]\nenabeld = true\n")
    assert told(a_shell(tmp_path), path) == [
        f"{path}:1: strategies.fast_scalpin: no strategy is called 'fast_scalpin'; did you mean 'fast_scalping'?",
        f"{path}:4: strategies.fast_scalping.enabeld: unknown key; did you mean 'enabled'?",
    ]


def test_all_faults_of_strategies_are_told_at_once(tmp_path: Path) -> None:
    text = (
        '[strategies.momentum_scalping.parameters]\nnonsense = 1\n[[traders]]\nname = "a"\nstrategies = ["momentum"]\n'
    )
    path = a_file(tmp_path, text)
    faults = told(a_shell(tmp_path), path)
    assert [fault.partition(": ")[0] for fault in faults] == [f"{path}:5", f"{path}:2"]
    assert "nonsense: unknown key; known here: " in faults[1]


def test_a_folder_in_place_of_the_file_is_called_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "cfg"
    folder.mkdir()
    assert told(a_shell(tmp_path), folder) == [
        f"{folder}: a folder, not a file; name the file in it, such as {folder}/config.toml"
    ]


def test_an_inbox_without_a_token_says_what_to_name_and_no_default_that_is_none(tmp_path: Path) -> None:
    path = a_file(tmp_path, "[inbox]\nenabled = true\n")
    [complaint] = told(a_shell(tmp_path), path)
    assert complaint.startswith(f"{path}:1: inbox.token_env: an inbox needs a token")
    assert complaint.endswith("name the environment variable that holds it, or a token_file")


@pytest.mark.parametrize("text", ["traders = 3\n", '[[traders]]\nname = "a"\napi_key_env = ["x"]\n'])
def test_values_of_a_wrong_kind_are_refused_and_no_defect(tmp_path: Path, text: str) -> None:
    [complaint] = told(a_shell(tmp_path), a_file(tmp_path, text))
    assert "input should be a valid" in complaint
