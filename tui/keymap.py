"""The operator's own keys: which are taken, which cannot be, and why.

An entry says what a key is for by its binding's id, such as "queue.retry", or for all screens at once by "*.retry".
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import string
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Final, NamedTuple

from textual.binding import Binding, BindingError, BindingType, InvalidBinding
from textual.dom import DOMNode
from textual.keys import Keys, key_to_character

from engine.core.text import clean

# What terminals make of these keys is another key, or nothing that arrives.
LOST: Final[Mapping[str, str]] = {
    "ctrl+i": "terminals send tab for it",
    "ctrl+m": "terminals send enter for it",
    "ctrl+j": "terminals send enter for it",
    "ctrl+h": "terminals send backspace for it",
    "ctrl+enter": "many terminals do not send it",
    "ctrl+z": "it would stop the engine with the screen",
    "ctrl+s": "terminals stop their output for it",
    "ctrl+c": "it must never end an engine by habit",
    "ctrl+@": "many terminals send something else for it",
}
# Other programs' names for keys, and what Textual calls them.
_ELSEWHERE: Final[Mapping[str, str]] = {
    "esc": "escape",
    "return": "enter",
    "del": "delete",
    "ins": "insert",
    "pgup": "pageup",
    "page_up": "pageup",
    "pgdn": "pagedown",
    "pgdown": "pagedown",
    "page_down": "pagedown",
    "spacebar": "space",
}
_NO_KEYS: Final = frozenset({Keys.Any, Keys.Ignore, Keys.ScrollUp, Keys.ScrollDown})
_NAMED: Final = frozenset(key.value for key in Keys) - {key.value for key in _NO_KEYS} - {"return", "ctrl-at"}
_FORMS: Final = "write one such as x, X, f9, ctrl+g or space"


class Known(NamedTuple):
    """A binding of the program: its id and its keys."""

    id: str
    keys: frozenset[str]

    @property
    def verb(self) -> str:
        return self.id.rpartition(".")[2]


def keymap_of(wanted: Mapping[str, str], known: Iterable[Known] | None = None) -> tuple[dict[str, str], list[str]]:
    """Return the keys to be put in place (id to key) and a sentence for each entry that is refused.

    A key keeps one meaning on all screens: one that is taken is refused, unless what has it moves away in `wanted`.
    """
    bindings = list(all_bindings() if known is None else known)
    asked: dict[str, str] = {}
    complaints = []
    for pattern, named in wanted.items():
        ids = [one.id for one in bindings if fnmatchcase(one.id, pattern)]
        key, objection = _key_of(named)
        if not ids:
            objection = f"there is no such action{_nearest(pattern, bindings)}; the help (?) and the README list them"
        if objection:
            complaints.append(_told(pattern, named, objection))
        else:
            asked |= dict.fromkeys(ids, key)
    taken: dict[str, str] = {}
    for one in bindings:
        if one.id not in asked:
            taken |= dict.fromkeys(one.keys, one.id)
    keymap: dict[str, str] = {}
    for one in bindings:
        key = asked.get(one.id, "")
        owner = taken.get(key, "")
        rival = next((i for i, k in keymap.items() if k == key and not _is_alike(i, one)), "")
        if key and ((owner and not _is_alike(owner, one)) or rival):
            complaints.append(_told(one.id, key, f"{key} is {owner or rival} already; give that one another key first"))
        elif key:
            keymap[one.id] = key
    return keymap, complaints


def all_bindings() -> Iterator[Known]:
    """Yield every binding of the program that has an id, each once."""
    import tui.panels
    import tui.screens
    import tui.widgets
    from tui.app import SignalDeckApp

    met: dict[str, set[str]] = {}
    for package in (tui.panels, tui.screens, tui.widgets):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    for kind in {SignalDeckApp, *_kinds(DOMNode)}:
        if kind.__module__.startswith("tui."):
            for one in _made(kind.__dict__.get("BINDINGS", ())):
                if one.id:
                    met.setdefault(one.id, set()).add(one.key)
    yield from (Known(name, frozenset(keys)) for name, keys in sorted(met.items()))


def _kinds(kind: type[DOMNode]) -> Iterator[type[DOMNode]]:
    for below in kind.__subclasses__():
        yield below
        yield from _kinds(below)


def _made(bindings: Iterable[BindingType]) -> Iterator[Binding]:
    yield from Binding.make_bindings(bindings)


def _key_of(named: str) -> tuple[str, str]:
    """Return a key by the name that it has in the program, and why it cannot be used, or the empty text."""
    try:
        made = list(_made([Binding(named, "nothing", "nothing")]))
    except (BindingError, InvalidBinding):
        return "", f"this is no key; {_FORMS}"
    if len(made) != 1 or not named.strip():
        return "", "one key for one action, such as x, X, f9, ctrl+g or space"
    key = made[0].key
    small = key.lower()
    if small.startswith("alt+"):
        return "", "alt does not arrive in many terminals"
    if small in LOST:
        return "", LOST[small]
    return (key, "") if _arrives(key) else ("", f"no terminal sends a key of this name; {_spelling(key)}")


def _arrives(key: str) -> bool:
    """Say whether Textual has this name for a key, so that pressing one can bring it about."""
    if key in _NAMED or key in _signs():
        return True
    character = key if len(key) == 1 else key_to_character(key)
    return character is not None and character.isprintable() and _name_of(character) == key


@cache
def _signs() -> frozenset[str]:
    return frozenset(map(_name_of, string.punctuation))


def _name_of(character: str) -> str:
    """Return what Textual calls the key that types this character."""
    return "comma" if character == "," else next(_made([Binding(character, "nothing", "nothing")])).key


def _spelling(key: str) -> str:
    """Return what was meant by a name that no key has, as advice."""
    small = key.lower().replace("control+", "ctrl+").replace("ctrl-", "ctrl+")
    small = _ELSEWHERE.get(small, small)
    bare = small.removeprefix("shift+")
    if bare != small and len(bare) == 1:
        return f"write {bare.upper()}" if bare.isalpha() else "write the character that it makes"
    if small not in LOST and _arrives(small):
        return f"write {small}"
    near = difflib.get_close_matches(small, sorted(_NAMED - LOST.keys()), n=1, cutoff=0.85)
    return f"perhaps {near[0]}" if near else _FORMS


def _is_alike(owner: str, one: Known) -> bool:
    return owner.rpartition(".")[2] == one.verb


def _nearest(pattern: str, bindings: Iterable[Known]) -> str:
    near = difflib.get_close_matches(pattern, [one.id for one in bindings], n=1, cutoff=0.5)
    return f", perhaps {near[0]}" if near else ""


def _told(name: str, key: str, objection: str) -> str:
    return f'[dashboard.keys] "{clean(name, 60)}" = "{clean(key, 30)}" is not used: {objection}'
