"""Palettes: readable, complete, and honest about what is wrong with an operator's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich._palettes import STANDARD_PALETTE

from engine.core.errors import ConfigError
from tui.theme_files import ThemeFile, contrast, own, read
from tui.themes import DEFAULT, shipped, shipped_files, style_sheets

THEMES = {theme.name: theme for theme in (read(file.name, file.read_bytes()) for file in shipped_files())}
GOOD = Path(__file__).parents[2] / "themes" / "calm-dark.toml"


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda t: t.name)
def test_every_text_can_be_read_on_every_depth(theme: ThemeFile) -> None:
    texts = {**theme.text.model_dump(), **theme.meaning.model_dump()}
    depths = {k: v for k, v in theme.depth.model_dump().items() if k != "rule"}
    weak = {
        f"{name} on {depth}: {contrast(colour, ground):.1f}"
        for name, colour in texts.items()
        for depth, ground in depths.items()
        if contrast(colour, ground) < 4.5
    }
    assert weak == set()


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda t: t.name)
def test_no_two_meanings_have_one_colour(theme: ThemeFile) -> None:
    colours = list(theme.meaning.model_dump().values())
    assert len(set(colours)) == len(colours)


def test_the_shipped_ones_are_taken_unchecked_and_pass_every_check() -> None:
    assert [(theme.name, theme) for theme in shipped()] == [(name, file.theme()) for name, file in THEMES.items()]


def test_the_default_is_shipped_and_a_light_one_too() -> None:
    assert THEMES[DEFAULT].dark
    assert not THEMES["calm-light"].dark


def test_the_one_for_sixteen_colours_has_no_other() -> None:
    there = {tuple(STANDARD_PALETTE[number]) for number in range(16)}
    told = THEMES["sixteen"].model_dump()
    used = {colour for part in ("depth", "text", "meaning") for colour in told[part].values()}
    assert {tuple(bytes.fromhex(colour[1:])) for colour in used} <= there


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('ok = "#7cc08a"', 'ok = "green"'), "meaning.ok"),
        (('ok = "#7cc08a"', ""), "missing"),
        (("dark = true", 'dark = true\nshine = "x"'), "shine: unknown"),
        (("[text]", "[text"), "not TOML"),
        (('name = "calm-dark"', 'name = "../evil"'), "name"),
    ],
)
def test_a_wrong_palette_is_named_with_its_key_and_the_fix(change: tuple[str, str], says: str) -> None:
    raw = GOOD.read_text().replace(*change).encode()
    with pytest.raises(ConfigError, match=says) as wrong:
        read("mine.toml", raw)
    assert str(wrong.value).startswith("mine.toml: ")


def test_one_wrong_palette_does_not_take_the_others_away(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD.read_text().replace("calm-dark", "mine"))
    (tmp_path / "b.toml").write_text("name = 3")
    (tmp_path / "c.toml").write_bytes(b"\xff")
    good, bad = own(tmp_path)
    assert [t.name for t in good] == ["mine"]
    assert [b.split(":")[0] for b in bad] == ["b.toml", "c.toml"]
    assert own(tmp_path / "nowhere") == ([], [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a=" + "[" * 30_000, "too deep for a theme"),
        ("a=" + "{a=" * 9_000, "too deep for a theme"),
        ("name=1" + "0" * 5_000, "number is too long"),
        ("a." * 15_000 + "a=1", "missing"),
        ("name = 'x'\ndark = true\n[depth]\npanel" + ".a" * 15_000 + "=1", "depth"),
        ("dark = 'x'\x00", "not TOML"),
    ],
)
def test_a_palette_that_overwhelms_whoever_reads_it_is_a_wrong_one_like_any_other(
    tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "a.toml").write_text(text)
    (tmp_path / "b.toml").write_text(GOOD.read_text().replace("calm-dark", "mine"))
    good, [bad] = own(tmp_path)
    assert [t.name for t in good] == ["mine"]
    assert bad.startswith("a.toml: ")
    assert says in bad
    assert len(bad) < 300


def test_the_style_sheets_are_found_as_files() -> None:
    assert [sheet.name for sheet in style_sheets()] == ["deck.tcss"]
    assert all(sheet.is_file() for sheet in style_sheets())
