"""What was chosen on the screen is there the next time, and a file that cannot be used costs nothing else."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.stage import NEVER_S, Stage, perform, table_of
from tui.app import Dress
from tui.memory import TABLES_MAX, WORD_MAX, Habits, Memory, TableHabit
from tui.widgets.sorting import Sorting

WORDS = st.text(max_size=WORD_MAX)
TABLE_HABITS = st.builds(TableHabit, WORDS, WORDS, st.booleans(), st.booleans())


@given(st.dictionaries(WORDS, TABLE_HABITS, max_size=5), WORDS, st.floats(0, 60), st.integers(1, 9), st.booleans())
def test_what_is_kept_is_read_again_as_it_was(
    tmp_path_factory: pytest.TempPathFactory,
    tables: dict[str, TableHabit],
    theme: str,
    refresh_s: float,
    panel: int,
    flag: bool,
) -> None:
    path = tmp_path_factory.mktemp("m") / "screen.toml"
    memory = Memory(path)
    memory.note(tables=tables, theme=theme, refresh_s=refresh_s, panel=panel, is_maximised=flag, has_clock_times=flag)
    memory.keep()
    again = Memory(path)
    assert again.complaint == ""
    said = {name: habit for name, habit in tables.items() if habit != TableHabit()}
    assert again.habits == replace(memory.habits, tables=said)


@pytest.mark.parametrize(
    "text",
    ["panel = 12", "panel = 'two'", "theme = 3", "is_maximised = 1", "refresh_s = nan", "tables = 3", "= broken",
     "[tables.queue]\nsort = 1", f"theme = '{'x' * (WORD_MAX + 1)}'", "x = '" + "y" * 70_000 + "'",
     "\n".join(f"[tables.t{n}]" for n in range(TABLES_MAX + 1)), "a=" + "[" * 30_000, "a=" + "{a=" * 9_000,
     "panel = 1" + "0" * 5_000],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_named_and_kept_aside(text: str, tmp_path: Path) -> None:
    path = tmp_path / "screen.toml"
    path.write_text(text)
    memory = Memory(path)
    assert memory.habits == Habits()
    assert str(path) in memory.complaint
    assert (tmp_path / "screen.toml.bad").read_text() == text
    memory.note(panel=3)
    memory.keep()
    assert Memory(path).habits.panel == 3


def test_what_a_later_program_kept_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "screen.toml"
    path.write_text("panel = 4\nunheard_of = 1\n[tables.queue]\nsort = 'age'\nshape = 'round'\n")
    memory = Memory(path)
    assert (memory.complaint, memory.habits.panel, memory.table("queue").sort) == ("", 4, "age")


def test_only_the_owner_can_read_it_and_nothing_is_written_without_a_change(tmp_path: Path) -> None:
    path = tmp_path / "state" / "screen.toml"
    memory = Memory(path)
    memory.keep()
    assert not path.exists()
    memory.note_table("queue", sort="age")
    memory.keep()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [child.name for child in path.parent.iterdir()] == ["screen.toml"]


def test_a_folder_that_cannot_be_made_costs_the_habits_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    memory = Memory(tmp_path / "file" / "screen.toml")
    memory.note(panel=2)
    memory.keep()
    assert memory.habits.panel == 2


def test_the_screen_is_found_as_it_was_left(tmp_path: Path) -> None:
    dress = Dress(refresh_s=NEVER_S, memory=tmp_path / "screen.toml")

    async def leave(stage: Stage) -> None:
        await stage.press("1", "s", "s", "S", "w", "slash", *"btc", "enter", "4", "s", "3", "C")
        stage.app.theme = "calm-light"
        await stage.pilot.pause()

    async def find(stage: Stage) -> None:
        assert stage.app.theme == "calm-light"
        assert stage.main.deck.view.chosen == 3
        queue = table_of(stage, 1)
        assert queue.table.sorting == Sorting("symbol", is_reversed=True)
        assert queue.table.is_wide
        assert queue.filter.text == "btc"
        assert table_of(stage, 4).table.sorting.column == "at"
        assert table_of(stage, 4).table.sorting.is_reversed is False
        assert stage.app.memory.habits.has_clock_times

    perform(leave, dress=dress, size=(120, 40))
    perform(find, dress=dress, size=(120, 40))


def test_what_is_configured_anew_wins_over_what_was_chosen_before(tmp_path: Path) -> None:
    memory = tmp_path / "screen.toml"

    async def choose(stage: Stage) -> None:
        stage.app.theme = "calm-light"
        await stage.press("minus")
        await stage.pilot.pause()

    def left_with(dress: Dress) -> tuple[str, float]:
        seen: list[tuple[str, float]] = []

        async def look(stage: Stage) -> None:
            seen.append((stage.app.theme, stage.main.pace.wished_s))

        perform(look, dress=dress)
        return seen[0]

    perform(choose, dress=Dress(theme="calm-dark", refresh_s=1.0, memory=memory))
    assert left_with(Dress(theme="calm-dark", refresh_s=1.0, memory=memory)) == ("calm-light", 2.0)
    assert left_with(Dress(theme="calm-dark", refresh_s=1.0, memory=memory, is_theme_named=True))[0] == "calm-dark"
    assert left_with(Dress(theme="sixteen", refresh_s=3.0, memory=memory)) == ("sixteen", 3.0)


def test_times_are_told_in_place_of_ages_on_request_and_again_as_ages(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        def ages() -> list[str]:
            return [row.cells[6].text for row in table_of(stage, 1).table.rows[:5]]

        before = ages()
        await stage.press("C")
        assert all(text.count(":") == 2 for text in ages())
        assert "time" in stage.text
        assert ages()[0] in stage.text
        await stage.press("C")
        assert ages() == before

    perform(scene, size=(120, 40))
