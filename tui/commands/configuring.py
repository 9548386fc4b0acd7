"""`signaldeck config`: write, check and show the configuration."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.errors import CommandRefused, ConfigError
from engine.places import Named, default_config, find_db, make_private_folder
from tui.commands.frame import JsonOption, NoOptions, command, group, say

if TYPE_CHECKING:
    from engine.config import Loaded

configuring = group("config", "Write, check and show the configuration.")


@command(configuring, "init")
def init(named: Named, options: NoOptions) -> None:
    """Write a commented file of all defaults; never over one that is there."""
    from engine.config_text import template

    del options
    path = (named.config or default_config()).expanduser()
    if named.config is None:
        make_private_folder(path.parent)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise CommandRefused(f"{path} is there already; it stays as it is") from None
    except OSError as e:
        raise ConfigError(f"{path}: cannot be written: {e.strerror}; name another with --config") from None
    with os.fdopen(fd, "w", encoding="utf-8") as out:
        out.write(template())
    say(str(path))


@command(configuring, "check")
def check(named: Named, options: NoOptions) -> None:
    """Say what is wrong with the configuration; exit code 2 if anything is."""
    from engine.config import gather
    from tui.commands.checking import wrong_on_screen

    del options
    gathered = gather(named.config, os.environ)
    on_screen = wrong_on_screen(gathered)
    try:
        loaded = gathered.loaded(os.environ)
    except ConfigError as e:
        raise ConfigError("\n".join([str(e), *on_screen])) from None
    if on_screen:
        raise ConfigError("\n".join(on_screen))
    where = str(loaded.path) if loaded.path else "no configuration file: the demo's settings"
    say(f"{where}: good; {loaded.mode} with {len(loaded.settings.traders)} traders")


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """Options of `config show`."""

    json: JsonOption = False


@command(configuring, "show")
def show(named: Named, options: ShowOptions) -> None:
    """Show every setting in force and where it came from, credentials masked."""
    from engine.config_text import shown
    from tui.commands.printing import print_json

    loaded = _load(named)
    settings = shown(loaded)
    if options.json:
        print_json(
            {
                "file": loaded.path,
                "mode": loaded.mode,
                "store": find_db(named, os.environ),
                "settings": {s.key: {"value": s.value, "source": s.source} for s in settings},
            }
        )
        return
    for setting in settings:
        source = "" if setting.source == "default" else f"    # {setting.source}"
        say(f"{setting.key} = {setting.value}{source}")


def _load(named: Named) -> Loaded:
    from engine.config import load

    return load(named.config, os.environ)
