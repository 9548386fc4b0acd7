"""Keys of the operator's own: taken where nothing else has them, and refused with the reason where something has."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.commands import CommandKind
from tests.support.command_line import Shell
from tests.support.stage import NEVER_S, Stage, perform, select
from tui.app import Dress
from tui.keymap import Known, all_bindings, keymap_of
from tui.screens.confirm import Confirm
from tui.screens.help import HelpScreen
from tui.widgets.hints import hints_of


def test_every_action_of_the_program_is_known_by_its_id() -> None:
    known = {one.id for one in all_bindings()}
    assert {
        "queue.retry",
        "story.retry",
        "signals.retry",
        "traders.pause",
        "table.sort",
        "program.quit",
        "visit.log",
    } <= known


def test_one_entry_moves_an_action_on_all_screens() -> None:
    keymap, refused = keymap_of({"*.retry": "ctrl+g"})
    assert refused == []
    assert set(keymap) >= {"queue.retry", "story.retry", "signals.retry"}
    assert set(keymap.values()) == {"ctrl+g"}


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"queue.rety": "f9"}, "perhaps queue.retry"),
        ({"queue.retry": "X"}, "X is"),
        ({"queue.retry": "alt+r"}, "alt does not arrive"),
        ({"queue.retry": "ctrl+i"}, "terminals send tab"),
        ({"queue.retry": ""}, "no key"),
        ({"queue.retry": "a,b"}, "one key"),
        ({"queue.retry": "f12", "queue.cancel": "f12"}, "is queue."),
        ({"all.halt": "F9"}, "no terminal sends a key of this name; write f9"),
        ({"all.halt": "ENTER"}, "write enter"),
        ({"all.halt": "Return"}, "write enter"),
        ({"all.halt": "esc"}, "write escape"),
        ({"all.halt": "PgUp"}, "write pageup"),
        ({"all.halt": "Ctrl+G"}, "write ctrl+g"),
        ({"all.halt": "control+g"}, "write ctrl+g"),
        ({"all.halt": "ctrl-g"}, "write ctrl+g"),
        ({"all.halt": "shift+j"}, "write J"),
        ({"all.halt": "SHIFT+J"}, "write J"),
        ({"all.halt": "shift+7"}, "write the character that it makes"),
        ({"all.halt": "shift+f5"}, "no terminal"),
        ({"all.halt": "ctrl+shift+j"}, "no terminal"),
        ({"all.halt": "upper_a"}, "no terminal"),
        ({"all.halt": "ctrl+C"}, "must never end an engine"),
        ({"all.halt": "Ctrl+Z"}, "stop the engine"),
        ({"all.halt": "ALT+x"}, "alt does not arrive"),
        ({"all.halt": "<scroll>"}, "no terminal"),
        ({"all.halt": "<scroll-up>"}, "no terminal"),
        ({"all.halt": "<any>"}, "no terminal"),
        ({"all.halt": "\x1b"}, "no terminal"),
        ({"all.halt": "\x00"}, "no terminal"),
        ({"all.halt": "\x7f"}, "no terminal"),
        ({"all.halt": "\u202e"}, "no terminal"),
        ({"all.halt": "f99"}, "no terminal"),
        ({"all.halt": "escap"}, "perhaps escape"),
        ({"all.halt": "x" * 9_000}, "no terminal"),
    ],
)
def test_an_entry_that_cannot_be_is_refused_with_the_reason(wanted: dict[str, str], said: str) -> None:
    keymap, [refused] = keymap_of(wanted)
    assert "all.halt" not in keymap
    assert "[dashboard.keys]" in refused
    assert said in refused
    assert refused.isprintable()


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("f9", "f9"),
        ("ctrl+g", "ctrl+g"),
        ("ctrl+pageup", "ctrl+pageup"),
        ("shift+insert", "shift+insert"),
        ("J", "J"),
        ("é", "é"),
        ("~", "tilde"),
        ("tilde", "tilde"),
        ("comma", "comma"),
        ("-", "minus"),
        ("@", "at"),
        ("ä", "ä"),
        ("§", "section_sign"),
        ("section_sign", "section_sign"),
    ],
)
def test_a_key_that_a_terminal_sends_can_be_the_kill_switchs(written: str, key: str) -> None:
    free = [Known("all.halt", frozenset({"K"}))]
    assert keymap_of({"all.halt": written}, free) == ({"all.halt": key}, [])


def test_every_key_of_the_program_itself_could_be_written_by_an_operator() -> None:
    keys = {key for one in all_bindings() for known in one.keys for key in known.split(",")}
    for key in keys - {"ctrl+c"}:  # that one takes a question with it
        assert keymap_of({"some.thing": key}, [Known("some.thing", frozenset())])[1] == [], key


def test_a_spelling_that_is_refused_leaves_the_kill_switch_its_key() -> None:
    async def scene(stage: Stage) -> None:
        assert any("write f9" in toast for toast in stage.toasts)
        await stage.press("K")
        await stage.until(lambda: isinstance(stage.app.screen, Confirm))

    perform(scene, dress=Dress(refresh_s=NEVER_S, keys={"all.halt": "F9"}))


def test_two_actions_can_change_places() -> None:
    keymap, refused = keymap_of({"*.pause": "r", "*.resume": "p"})
    assert refused == []
    assert (keymap["traders.pause"], keymap["traders.resume"]) == ("r", "p")


def test_a_key_of_ones_own_works_and_is_what_hints_and_help_say() -> None:
    async def scene(stage: Stage) -> None:
        key = await select(stage, 1, "failed")
        assert ("^g", "Retry") in [(hint.key, hint.says) for hint in hints_of(stage.app.screen)]
        await stage.press("R")
        assert stage.bridge.wishes == [], "the old key is free"
        await stage.press("ctrl+g")
        await stage.until(lambda: stage.bridge.wishes)
        assert [wish[:2] for wish in stage.bridge.wishes] == [(CommandKind.RETRY, key)]
        await stage.press("question_mark")
        await stage.until(lambda: isinstance(stage.app.screen, HelpScreen))
        assert "^g" in stage.text or "ctrl+g" in stage.text

    perform(scene, dress=Dress(refresh_s=NEVER_S, keys={"*.retry": "ctrl+g"}), size=(120, 60))


def test_what_is_refused_is_said_at_the_start_and_all_keys_stay() -> None:
    async def scene(stage: Stage) -> None:
        assert any("X is" in toast for toast in stage.toasts)
        await select(stage, 1, "failed")
        await stage.press("R")
        await stage.until(lambda: stage.bridge.wishes)

    perform(scene, dress=Dress(refresh_s=NEVER_S, keys={"queue.retry": "X"}))


def test_config_check_names_the_keys_that_cannot_be(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[dashboard.keys]\n"*.retry" = "ctrl+g"\n')
    shell = Shell(tmp_path, {})
    assert shell("config", "check", "--config", config).code == 0
    config.write_text('[dashboard.keys]\n"queue.rety" = "ctrl+g"\n')
    ran = shell("config", "check", "--config", config)
    assert ran.code == 2
    assert "perhaps queue.retry" in ran.err
    config.write_text('[dashboard.keys]\n"all.halt" = "F9"\n')
    ran = shell("config", "check", "--config", config)
    assert ran.code == 2
    assert "write f9" in ran.err
